"""The programs that read and extract a tar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ...tar.members import Member


class Held(Protocol):
    """A pulled archive, opened once: every later read gives the same bytes."""

    @property
    def label(self) -> str:
        """``TYPE/NAME``, for people."""

    @property
    def sha256(self) -> str:
        """The digest that its bytes must have, in lower-case hex."""

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
        The bytes of the tar in the compressed *blocks*.

        Raises:
            NotAGzip, GzipDamaged: they cannot be unpacked.
        """

    def watched(self, blocks: Iterable[bytes], check: Callable[[Member], None]) -> Iterator[bytes]:
        """
        *blocks* of a tar, each after *check* has got the members whose headers end in it.

        Raises:
            NotATar, ExpandsTooFar, MemberUnreadable: the tar cannot be read.
        """


class Extractor(Protocol):
    """A program that extracts tars into the directory *into*."""

    def check(self) -> None:
        """
        Check that the program can be used.

        Raises:
            TarUnusable: it is missing, or lacks a needed feature.
        """

    def extract(
        self, blocks: Iterable[bytes], into: str, *, label: str, incremental: bool, numeric_owner: bool
    ) -> tuple[str, ...]:
        """
        Extract the tar in *blocks*; if *incremental*, also remove the files that the tar lists as removed. Errors that
        *blocks* raise pass through. Returns the warnings of an extraction that succeeded.

        Raises:
            ExtractFailed: not everything could be extracted; *label* names the archive in the error.
        """
