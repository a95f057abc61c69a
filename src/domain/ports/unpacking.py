"""Inflated bytes of stored archives, whole or from any position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias

from ..archives.archive import BackupArchive


class Ahead(Enum):
    """Takes the place of a piece that is still being inflated ahead of the reader."""

    NOT_YET = "not yet"
    """The piece is not ready: asking for it waits. A reader with other work does that first."""


NotYet: TypeAlias = Literal[Ahead.NOT_YET]
NOT_YET: Final = Ahead.NOT_YET


class UnpackedArchive(AbstractContextManager["UnpackedArchive", None], Protocol):
    """
    The inflated bytes of one stored archive; used by one thread at a time, one iterator at a time.

    Both iterators give pieces of at most 512 KiB, in order, in bounded memory. They hold the last piece back until the
    last check has passed: when an error follows, the reader never gets as many bytes as it asked for.

    Raises, from both iterators:
        ArchiveCorrupt: the stored bytes do not inflate, fail a check, or have another length than before.
        NotAGzip, GzipDamaged: the same, for an archive that was received without inspection, or is opaque: it may never
            have been a gzip.
    """

    def through(self, start: int = 0) -> Iterator[bytes | NotYet]:
        """
        All of it, from the inflated byte *start* on. An end without an error means that the file was read to its last
        byte and is whole: CRC and length of every gzip member were right. Where a seek index leads to a place far into
        the archive, the bytes before it are not inflated; they are checked only if the caller that opens the bytes
        checks them.

        The archive may be inflated ahead of the caller, which then gets `NOT_YET` while the next piece is not ready.
        """

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """
        The inflated bytes from *start* (inclusive) to *stop* (exclusive), clipped to the end; 0 <= start <= stop.

        Cost: with a seek index, inflating at most a few megabytes before *start*; without one, everything before. An
            index is made in the background after a read far into an archive.

        With an index every byte given is covered by a check of the megabytes around it. Without one, only bytes whose
        gzip member ends before *stop* are checked; the others are only known to inflate.
        """


class Unpacker(Protocol):
    """Gives back the contents of archives: whole and verified, or from any position and fast."""

    def open(self, archive: BackupArchive) -> UnpackedArchive:
        """
        Open the contents of *archive*.

        Raises:
            ArchiveCorrupt: it is known to be damaged.
        """

    def close(self) -> None:
        """End background work; unfinished results are dropped. Idempotent."""


Packer: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Packs a stream as one gzip member; errors of the source pass through, and then the member stays incomplete."""
