"""The programs that read and extract a tar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ...tar.members import Member


class Held(Protocol):
    """An archive that has come, opened once: whoever reads it again reads what was read before."""

    @property
    def label(self) -> str:
        """``TYPE/NAME``, for people."""

    @property
    def sha256(self) -> str:
        """What its bytes must have, in lower-case hex."""

    @property
    def size_bytes(self) -> int: ...

    def blocks(self) -> Iterator[bytes]:
        """
        Its bytes from the first on.

        Raises:
            FolderUnusable: they cannot be read.
        """

    def close(self) -> None: ...


class Members(Protocol):
    """Reads what a tar holds, the way GNU tar does."""

    def unpacked(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """
        The bytes of the tar that *blocks* are packed.

        Raises:
            NotAGzip, GzipDamaged: it cannot be unpacked.
        """

    def watched(self, blocks: Iterable[bytes], check: Callable[[Member], None]) -> Iterator[bytes]:
        """
        *blocks* of a tar, each after *check* was given the members whose headers end in it.

        Raises:
            NotATar, ExpandsTooFar, MemberUnreadable: it cannot be read.
        """


class Extractor(Protocol):
    """A program that extracts tars into the directory *into*."""

    def check(self) -> None:
        """
        See that it is there.

        Raises:
            TarUnusable: it is not, or cannot do what is needed.
        """

    def extract(
        self, blocks: Iterable[bytes], into: str, *, label: str, incremental: bool, numeric_owner: bool
    ) -> tuple[str, ...]:
        """
        Extract the tar that *blocks* are, if *incremental* removing what it says was removed. Where they raise, so does
        this. What it said of it, although it is content, is returned.

        Raises:
            ExtractFailed: not all of it could be; *label* is what the error calls it.
        """
