"""Inflated bytes of stored archives, whole or from any position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias

from ..archives.archive import BackupArchive


class Ahead(Enum):
    """What stands in the place of a piece that is made ahead of whoever takes it."""

    NOT_YET = "not yet"
    """It is still being made: asking for it waits, and whoever has something else to do does that first."""


NotYet: TypeAlias = Literal[Ahead.NOT_YET]
NOT_YET: Final = Ahead.NOT_YET


class UnpackedArchive(AbstractContextManager["UnpackedArchive", None], Protocol):
    """
    The inflated bytes of one stored archive; used by one thread at a time, one iterator at a time.

    Both iterators give pieces of at most 512 KiB, in order, in bounded memory. They keep the last piece back until
    whatever check there is has passed: who counts bytes never finds as many as asked for where an error follows.

    Raises, from both iterators:
        ArchiveCorrupt: what is stored does not inflate, fails a check, or has another length than it had.
        NotAGzip, GzipDamaged: the same, of an archive that was taken in without a look inside, or is opaque: nothing
            says that it ever was a gzip.
    """

    def through(self, start: int = 0) -> Iterator[bytes | NotYet]:
        """
        All of it, from the inflated byte *start* on. An end without an error says that the file was read to its last
        byte and is whole: CRC and length of every gzip member were right. Where a seek index leads to a place far from
        the beginning, what is before that is not inflated, and whole as far as whoever opens the bytes checks them.

        It may be inflated ahead of the caller, who is then told by `NOT_YET` where the next piece is still being made.
        """

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """
        The inflated bytes from *start* (inclusive) to *stop* (exclusive), clipped to the end; 0 <= start <= stop.

        Cost: with a seek index that of a few megabytes before *start*, at most; without one, of everything before. An
        index is made in the background once somebody read far into an archive.

        With an index every byte given is covered by a check of the megabytes around it. Without one, only those are
        whose gzip member ends before *stop*; of the rest is known no more than that they could be inflated.
        """


class Unpacker(Protocol):
    """Gives back what archives hold, whole and verified, or from any position and fast."""

    def open(self, archive: BackupArchive) -> UnpackedArchive:
        """
        Look inside *archive*.

        Raises:
            ArchiveCorrupt: it is known to be damaged.
        """

    def close(self) -> None:
        """End what goes on in the background; nothing half made counts. Idempotent."""


Packer: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Packs what passes as one gzip member; what the source raises comes through, and no whole member then."""
