"""
One ordinary tar of the tree at a point, made of the archives of its path while they stream by.

Directories come first, so that whatever reads the tar can make them before what is in them; then, archive by archive,
the members that are still of the tree, their bytes as they stand, under the names of today; and at the end the
directories that have something in them once more, because putting a file into one changed its time, and because one
that nobody may write to must be open until then. An end is written only when every archive that had to be read was read
to its last byte and found whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from attrs import define, field, frozen

from ..archives import ArchiveState, BackupArchive
from ..errors import ArchiveCorrupt, PathNotFound, TarkeepError
from ..listings import canonical
from ..ports import Catalog, UnpackedArchive, Unpacker
from ..tar_headers import as_directory, as_hard_link, read_member, with_path
from ..tree import Place
from .open_point import OpenedPoint
from .record_members import RecordMembers

BLOCK_BYTES = 512
RECORD_BYTES = 20 * BLOCK_BYTES
PIECE_BYTES = 1 << 20
"""Pieces are gathered until they have about this length."""

_OWNER_MAY = 0o700


@frozen
class RestoreTar:
    """Give the tree at a point back as a tar."""

    members: RecordMembers
    unpacker: Unpacker
    catalog: Catalog

    def __call__(self, opened: OpenedPoint, path: bytes = b"") -> Iterator[bytes]:
        """
        The tar in pieces of about 1 MiB; only what is at and below *path* of the tree, where that is given.

        Raises:
            PathNotFound: the tree has no such name; at the call.
            ArchiveCorrupt: in the middle, when a source turns out to be damaged. What came before is no whole tar, and
                from then on the point is none that restores.
        """
        below = canonical(path)
        if opened.tree.entry(below) is None and below:
            raise PathNotFound(below)
        return _gathered(self._pieces(opened, below))

    def _pieces(self, opened: OpenedPoint, below: bytes) -> Iterator[bytes | memoryview]:
        yield from self._directories(opened, below, at_the_end=False)
        for index, archive in enumerate(opened.archives):
            places = _within(below, opened.tree.places(index))
            first = next(places, None)
            if first is not None:
                with self.unpacker.open(archive) as unpacked:
                    yield from self._contents(archive, unpacked, chain((first,), places))
        yield from self._directories(opened, below, at_the_end=True)
        yield bytes(2 * BLOCK_BYTES)

    def _directories(self, opened: OpenedPoint, below: bytes, *, at_the_end: bool) -> Iterator[bytes]:
        """The headers of directories: at first those of all, open to their owner; at the end of those that need it."""
        wanted: dict[int, dict[int, bytes]] = {}
        for entry in opened.tree.directories():
            if entry.archive is not None and entry.at is not None and _is_within(entry.path, below):
                wanted.setdefault(entry.archive, {})[entry.at] = entry.path
        for index, paths in sorted(wanted.items()):
            for record in self.members(opened.archives[index], directories_only=True):
                path = paths.get(record.at)
                if path is None:
                    continue
                is_filled = not opened.tree.is_empty(path)
                if not at_the_end:
                    mode = read_member(record).mode | _OWNER_MAY if is_filled else None
                    yield as_directory(record, path or b".", mode=mode)
                elif is_filled:
                    yield as_directory(record, path or b".")

    def _contents(
        self, archive: BackupArchive, unpacked: UnpackedArchive, places: Iterable[Place]
    ) -> Iterator[bytes | memoryview]:
        source = _Source(archive, self._through(archive, unpacked))
        waiting = iter(places)
        place = next(waiting, None)
        for record in self.members(archive):
            if place is None:
                break
            if record.at != place.at:
                continue
            member = read_member(record)
            yield with_path(record, place.paths[0])
            yield from source.take(member.data_at, -(-member.stored_bytes // BLOCK_BYTES) * BLOCK_BYTES)
            for path in place.paths[1:]:
                yield as_hard_link(record, path, place.paths[0])
            place = next(waiting, None)
        if place is not None:
            raise ArchiveCorrupt(archive.id)
        source.finish()

    def _through(self, archive: BackupArchive, unpacked: UnpackedArchive) -> Iterator[bytes]:
        try:
            yield from unpacked.through()
        except ArchiveCorrupt:
            with suppress(TarkeepError):  # should that fail, the next reader marks it
                self.catalog.mark(archive.id, ArchiveState.DAMAGED)
            raise


def _is_within(path: bytes, below: bytes) -> bool:
    return not below or path == below or path.startswith(below + b"/")


def _within(below: bytes, places: Iterable[Place]) -> Iterator[Place]:
    """Those of *places* that are at or below a path, with the names that are."""
    for place in places:
        paths = tuple(path for path in place.paths if _is_within(path, below))
        if paths:
            yield Place(place.at, paths)


def _gathered(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """*pieces* in larger ones, filled up to a whole number of tar's records."""
    held: list[bytes | memoryview] = []
    size = total = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            total += size
            held, size = [], 0
    held.append(bytes(-(total + size) % RECORD_BYTES))
    yield b"".join(held)


@define
class _Source:
    """The inflated bytes of one archive, taken forwards."""

    _archive: BackupArchive
    _pieces: Iterator[bytes]
    _piece: memoryview = field(factory=lambda: memoryview(b""))
    _at: int = 0  # of the piece's first byte

    def take(self, start: int, count: int) -> Iterator[memoryview]:
        """The *count* bytes from *start* on, which is not before what was taken last."""
        position = start - self._at
        while count > 0:
            while position >= len(self._piece):
                position -= len(self._piece)
                self._next()
            part = self._piece[position : position + count]
            position += len(part)
            count -= len(part)
            yield part

    def finish(self) -> None:
        """Read to the end, which is where damage shows at the latest."""
        for _ in self._pieces:
            pass

    def _next(self) -> None:
        self._at += len(self._piece)
        piece = next(self._pieces, None)
        if piece is None:
            raise ArchiveCorrupt(self._archive.id)
        self._piece = memoryview(piece)
