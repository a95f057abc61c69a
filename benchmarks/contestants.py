"""
The servers compared with each other: they take an archive and return it.

A contestant starts in an empty folder, is driven by curl only, and says where it put the bytes, so that all answers
are checked in the same way: status, the digests in the answer, and the stored bytes themselves.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import frozen

from .corpus import Archive
from .processes import ServerProcess

STATUS_MARK = "\nHTTP "
CURL = ("curl", "--silent", "--show-error", "--noproxy", "*", "--write-out", STATUS_MARK + "%{http_code}")


class WrongAnswer(Exception):
    """A server did not do the timed work; the measurement is void."""


@frozen
class Answer:
    """The answer that curl got: the status, and the body as text."""

    status: int
    body: str

    @classmethod
    def parse(cls, output: str) -> Answer:
        """Parse the output of curl when called with `CURL`."""
        body, _, status = output.rpartition(STATUS_MARK)
        return cls(int(status or 0), body)


class Running(ABC):
    """A running contestant."""

    server: ServerProcess

    @abstractmethod
    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        """The curl command that sends *archive* as *name*; built on `CURL`."""

    @abstractmethod
    def stored(self, name: str, answer: Answer) -> Path:
        """The file that holds the archive sent as *name*."""

    @abstractmethod
    def accepts(self, answer: Answer, archive: Archive) -> bool:
        """Whether *answer* is that of a successful upload of *archive*, with the right digests if it has any."""

    def check_upload(self, answer: Answer, archive: Archive, name: str) -> None:
        """
        Check the answer and the stored bytes.

        Raises:
            WrongAnswer: the archive is not stored as it was sent.
        """
        if not self.accepts(answer, archive):
            raise WrongAnswer(f"upload answered {answer.status}: {answer.body[:400]}")
        check_stored(self.stored(name, answer), archive)


def check_stored(path: Path, archive: Archive) -> None:
    """
    Check the bytes in *path*.

    Raises:
        WrongAnswer: they are not those of *archive*.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise WrongAnswer(f"{path.name} is not stored") from None
    if digest != archive.sha256:
        raise WrongAnswer(f"the stored bytes of {path.name} are not those that were sent")


class RunningFileServer(Running):
    """A running contestant that serves archives at URLs derived from their names."""

    @abstractmethod
    def download_url(self, name: str) -> str:
        """The URL of *name*."""


class Contestant(ABC):
    """A program to measure. *title* is for tables."""

    title: str

    @abstractmethod
    def missing(self) -> str | None:
        """None if it can run, else a sentence that says how to install it. May install below the work folder."""

    @abstractmethod
    def version(self) -> str:
        """Name and version; called only if nothing is missing."""

    @abstractmethod
    def start(self, folder: Path) -> AbstractContextManager[Running]:
        """Run it with all its files below the empty *folder*."""
