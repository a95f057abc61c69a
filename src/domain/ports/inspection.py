"""Looking at bytes while they pass: their digests, and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from ..archives.archive import Contents
from ..identity.digests import Digests
from ..tar.members import MemberRecord
from ..uploads import ChecksumAlgorithm
from .store import Block


class RunningDigests(AbstractContextManager["RunningDigests", None], Protocol):
    """Digests of the blocks so far; used by one thread at a time. Leaving the context drops them."""

    def update(self, block: Block) -> None:
        """Take *block* in. It may be read until `finish` returns or the context ends: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block is taken in, and hold no thread until the next block comes."""

    def finish(self) -> Digests:
        """The digests of all blocks. No call may follow."""


class RunningChecksum(Protocol):
    """One checksum of the blocks so far; used by one thread at a time."""

    def update(self, block: Block, /) -> None: ...

    def digest(self) -> bytes: ...


class Hasher(Protocol):
    """MD5 and SHA-256 in one pass, and single checksums for the requests of an upload."""

    def start(self) -> RunningDigests:
        """Start the digests of an empty stream."""

    def checksum(self, algorithm: ChecksumAlgorithm) -> RunningChecksum:
        """Start the checksum of an empty stream."""

    def crc32(self, block: Block, before: int = 0) -> int:
        """The CRC-32, as in gzip, of a stream whose CRC was *before*, followed by *block*."""


class RunningInspection(AbstractContextManager["RunningInspection", None], Protocol):
    """
    An inspection of the blocks so far; used by one thread at a time. Leaving the context drops it.

    Blocks may be cut anywhere. `feed` or `finish` raises the error, not necessarily the call that brought the offending
    byte; after an error the inspection is over. The error itself does not depend on how blocks were cut.
    """

    def feed(self, block: Block) -> None:
        """Take *block* in. It may be read until `finish` returns or the context ends: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block is inspected, and hold no thread until the next block comes. Raises like `feed`."""

    def finish(self) -> Contents | None:
        """What all blocks together contain; None from an inspector that does not look inside. No call may follow."""


class Inspector(Protocol):
    """
    Is it a whole gzip (any number of members, zero padding allowed after the last) of a whole tar, and of what kind?

    Works in bounded memory for any bytes. The result does not depend on whether members are recorded.
    Raises, from the running inspection:
        EmptyArchive: no bytes at all.
        NotAGzip: the first bytes do not begin a gzip member.
        GzipDamaged: cannot be inflated, is cut, has a wrong CRC or length, or has other bytes after the last member.
        NotATar: the inflated bytes are not a whole tar.
        ExpandsTooFar: more inflated bytes, more members, or longer names than the limits allow.
    """

    def start(self, recorder: Recorder | None = None) -> RunningInspection:
        """
        Start on an empty stream.

        *recorder* gets every member, several at a time, in the order of the tar, from one thread at a time, which need
        not be the thread that feeds; an inspector that does not look inside never calls it.
        """


Recorder: TypeAlias = Callable[[Sequence[MemberRecord]], None]
"""Takes the records of consecutive members. It must not raise."""
