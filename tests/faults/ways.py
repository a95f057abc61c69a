"""The routes by which an archive is sent, each as one request that may fail."""

from __future__ import annotations

import random
from itertools import count
from typing import ClassVar, Protocol

import httpx2
from attrs import frozen

from tests.support.archives import make_targz
from tests.support.tus import BYTES, UPLOADS, begin, described, patch


class Way(Protocol):
    """A route. All archives go to ``FULL`` of the given *profile*."""

    word: ClassVar[str]

    def begin(self, client: httpx2.Client, profile: str, name: str, content: bytes) -> str:
        """Make the requests that must come first; returns the place to send to."""

    def send(self, client: httpx2.Client, place: str, profile: str, name: str, content: bytes) -> httpx2.Response:
        """The request that sends the archive."""


@frozen
class Multipart:
    """``POST /upload``, as the original's scripts send it."""

    word: ClassVar[str] = "multipart"

    def begin(self, client: httpx2.Client, profile: str, name: str, content: bytes) -> str:
        return "/upload"

    def send(self, client: httpx2.Client, place: str, profile: str, name: str, content: bytes) -> httpx2.Response:
        file = {"file": (name, content, "application/gzip")}
        return client.post(place, files=file, data={"type": "FULL", "profile": profile})


@frozen
class Put:
    """``PUT`` of the archive itself."""

    word: ClassVar[str] = "put"

    def begin(self, client: httpx2.Client, profile: str, name: str, content: bytes) -> str:
        return address(profile, name)

    def send(self, client: httpx2.Client, place: str, profile: str, name: str, content: bytes) -> httpx2.Response:
        return client.put(place, content=content)


@frozen
class Tus:
    """``PATCH`` with all bytes of a resumable upload that was begun before."""

    word: ClassVar[str] = "tus"

    def begin(self, client: httpx2.Client, profile: str, name: str, content: bytes) -> str:
        return begin(client, len(content), name, profile=profile)

    def send(self, client: httpx2.Client, place: str, profile: str, name: str, content: bytes) -> httpx2.Response:
        return patch(client, place, 0, content)


@frozen
class TusAtOnce:
    """``POST`` that begins a resumable upload with all its bytes."""

    word: ClassVar[str] = "tus-at-once"

    def begin(self, client: httpx2.Client, profile: str, name: str, content: bytes) -> str:
        return UPLOADS

    def send(self, client: httpx2.Client, place: str, profile: str, name: str, content: bytes) -> httpx2.Response:
        about = {
            "Upload-Length": str(len(content)),
            "Upload-Metadata": described(filename=name, profile=profile, type="FULL"),
        }
        return client.post(place, content=content, headers={**BYTES, **about})


WAYS: tuple[Way, ...] = (Multipart(), Put(), Tus())
BEGINNING: tuple[Way, ...] = (*WAYS, TusAtOnce())
"""Also the routes whose request begins an upload that another may continue."""

_numbers = count()


def fresh_name() -> str:
    """A name that no other archive of this process has."""
    return f"archive-{next(_numbers)}.tar.gz"


def some_archive(seed: int, size_bytes: int = 20_000) -> bytes:
    """A .tar.gz of about *size_bytes* that do not compress, another one for each *seed*."""
    return make_targz({"noise": random.Random(seed).randbytes(size_bytes)})


def address(profile: str, name: str) -> str:
    """The path of the archive."""
    return f"/api/v1/profiles/{profile}/archives/FULL/{name}"


def push(client: httpx2.Client, way: Way, profile: str, name: str, content: bytes) -> httpx2.Response:
    """Send an archive that is expected to be accepted."""
    return way.send(client, way.begin(client, profile, name, content), profile, name, content)
