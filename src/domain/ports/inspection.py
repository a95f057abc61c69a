"""Looking at bytes while they pass: digests, and what they turn out to be."""

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
    """Digests of the blocks so far; used by one thread at a time. Leaving the context drops it."""

    def update(self, block: Block) -> None:
        """Take *block* in. It may be looked at until `finish` returns or the context is left: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block was taken in, and hold no thread until the next one comes."""

    def finish(self) -> Digests:
        """The digests of all blocks; the last call."""


class RunningChecksum(Protocol):
    """One checksum of the blocks so far; used by one thread at a time."""

    def update(self, block: Block, /) -> None: ...

    def digest(self) -> bytes: ...


class Hasher(Protocol):
    """MD5 and SHA-256 in one pass; and single checksums for pieces of a transfer."""

    def start(self) -> RunningDigests:
        """Start on an empty stream."""

    def checksum(self, algorithm: ChecksumAlgorithm) -> RunningChecksum:
        """Start a checksum of an empty stream."""

    def crc32(self, block: Block, before: int = 0) -> int:
        """The CRC-32 of what has the one *before*, followed by *block*; as in gzip."""


class RunningInspection(AbstractContextManager["RunningInspection", None], Protocol):
    """
    An inspection of the blocks so far; used by one thread at a time. Leaving the context drops it.

    Blocks may be cut anywhere. What is wrong is raised by `feed` or `finish`, not necessarily by the call that brought
    the offending byte; after an error the inspection is over. The error itself does not depend on how blocks were cut.
    """

    def feed(self, block: Block) -> None:
        """Take *block* in. It may be looked at until `finish` returns or the context is left: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block was looked at, and hold no thread until the next one comes. Raises like `feed`."""

    def finish(self) -> Contents | None:
        """What all blocks together hold; None from an inspector that does not look. The last call."""


class Inspector(Protocol):
    """
    Is it a whole gzip (any number of members, zero padding allowed after the last) of a whole tar, and of what kind?

    Works in bounded memory whatever the bytes are. What is found does not depend on whether members are recorded.
    Raises, from the running inspection:
        EmptyArchive: no bytes at all.
        NotAGzip: the first bytes do not begin a gzip member.
        GzipDamaged: cannot be inflated, cut, wrong CRC or length, something else after the last member.
        NotATar: the inflated bytes are not a whole tar.
        ExpandsTooFar: more inflated bytes, members, or longer names than its limits.
    """

    def start(self, recorder: Recorder | None = None) -> RunningInspection:
        """
        Start on an empty stream.

        *recorder* is given every member, some at a time, in the order of the tar, by one thread at a time, which need
        not be the one that feeds; an inspector that does not look never calls it.
        """


Recorder: TypeAlias = Callable[[Sequence[MemberRecord]], None]
"""Takes the records of members that follow one another. It must not raise."""
