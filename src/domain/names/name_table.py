"""
The names of one archive by directory and name: a look-up does not read the rest.

Of an archive of a hundred thousand directories, hardly one has changed. So each has digests of its listing, by which
two archives are compared, and listings are parsed only where these differ. Members that are not directories stand in
columns, those of one folder side by side and ascending, so that one is found by bisection and a whole folder is one
slice.

A table is in memory (`HeldTable`), or in a file that an adapter reads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple, Protocol, TypeAlias

from attrs import frozen

from ..tar.dumpdirs import Mark, Rename
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import MAX_NAME_BYTES, is_placeable, split
from .columns import DIRECTORY, TABLE_MEMBERS, MemberColumns, Spans, dumpdir_of
from .packed_texts import Texts
from .renames import DirectoryRenames

DIGEST_BYTES = 16

_FEW = 50  # members are looked up one by one if they are fewer than one in this many


class Row(NamedTuple):
    """
    What a table knows of a directory that has a member, without its listing.

    *listed* is a digest of its listing, of all if it has several, b"" without one. *named* is a digest of the names in
    it and of which are directories, whatever it says of files; b"" unless there is exactly one listing. *is_complete*
    says that every name that it calls here has a member.
    """

    listed: bytes
    named: bytes
    is_complete: bool


@frozen(eq=False)
class Files:
    """
    The members of an archive that are not directories, in columns.

    *folders* are the directories that they are in, ascending; the members in folder n are those from ``firsts[n]`` to
    ``firsts[n + 1]``, ascending by their *names*, and in the order of the tar for equal names. *positions* and *spans*
    are those of `MemberColumns` in blocks of 512 bytes, *letters* as there. *order* has their numbers in the order of
    the tar. *link_numbers* are those of hard links, ascending, *link_targets* the paths of their targets.
    """

    folders: Texts
    firsts: Sequence[int]
    names: Texts
    positions: Sequence[int]
    letters: Sequence[int]
    spans: Sequence[int]
    order: Sequence[int]
    link_numbers: Sequence[int]
    link_targets: Texts

    def __len__(self) -> int:
        return len(self.positions)

    def within(self, folder: bytes) -> range:
        """The numbers of the members in *folder*."""
        number = self.folders.find(folder)
        return range(self.firsts[number], self.firsts[number + 1]) if number is not None else range(0)

    def at(self, path: bytes) -> range:
        """The numbers of the members with that path."""
        folder, name = split(path)
        within = self.within(folder)
        first = self.names.find(name, within.start, within.stop)
        if first is None:
            return range(0)
        stop = first + 1
        while stop < within.stop and self.names[stop] == name:
            stop += 1
        return range(first, stop)

    def spans_at(self, positions: Sequence[int]) -> Spans | None:
        """The spans of the members at *positions*, which are in bytes and ascend; None if some do not exist."""
        if len(positions) < len(self) / _FEW:
            few = [number for number in map(self._span_at, positions) if number is not None]
            return Spans.of(few) if len(few) == len(positions) else None
        order, wanted = self.order[:], {position // BLOCK_BYTES for position in positions}
        are_wanted = map(wanted.__contains__, map(self.positions[:].__getitem__, order))
        found = list(compress(map(self.spans[:].__getitem__, order), are_wanted))
        return Spans.of(found) if len(found) == len(positions) else None

    def _span_at(self, position: int) -> int | None:
        place = bisect_left(self.order, position // BLOCK_BYTES, key=self.positions.__getitem__)
        if place == len(self) or self.positions[self.order[place]] * BLOCK_BYTES != position:
            return None
        return self.spans[self.order[place]]

    def links(self, within: range) -> Iterator[tuple[int, bytes]]:
        """The hard links among these numbers, with the paths of their targets."""
        for place in range(bisect_left(self.link_numbers, within.start), len(self.link_numbers)):
            if self.link_numbers[place] >= within.stop:
                return
            yield self.link_numbers[place], self.link_targets[place]


class NameTable(Protocol):
    """
    The names of one archive: its members' paths in canonical form, of any type.

    Every method but `changed` may be the first to read a part of the table, and raises RecordsMissing if that part is
    damaged.
    """

    @property
    def files(self) -> Files:
        """All members that are not directories."""

    @property
    def has_odd_paths(self) -> bool:
        """Whether some path has ``..`` in it, lies too deep (see `is_odd`), or cannot be made (`UNMADE`)."""

    @property
    def is_joined(self) -> bool:
        """Whether tar joined several dumps in the archive: directories are listed again, or renames come later."""

    @property
    def renames(self) -> Sequence[Rename]:
        """
        The renames of the archive. Tar writes all of them into the first listing.

        Raises:
            MemberUnreadable: that listing is malformed.
        """

    @property
    def has_listings(self) -> bool:
        """Whether some directory has a listing."""

    def directories(self) -> Sequence[bytes]:
        """The paths of all directories that have a member, ascending."""

    def row(self, path: bytes) -> Row | None:
        """The row of the directory *path*; None if it has no member."""

    def position(self, path: bytes) -> int:
        """The position of the last member of a directory that has one, in blocks of 512 bytes."""

    def positions(self) -> Sequence[int]:
        """The same for all `directories`."""

    def listings(self, path: bytes) -> Sequence[bytes]:
        """The listings of the directory *path* as the tar has them, in its order."""

    def changed(self, other: NameTable) -> set[bytes]:
        """The directories whose listings differ from those in *other*, or that have a member in only one of the two."""

    def incomplete(self) -> Iterable[bytes]:
        """The directories whose rows are not complete, each once, in any order."""


def origins_between(child: NameTable, parent: NameTable) -> DirectoryRenames:
    """Where the directories of *child* were in *parent*."""
    return DirectoryRenames(child.renames, parent.renames, child.directories, parent.directories)


OpenTable: TypeAlias = Callable[[], NameTable]
"""Gives the table of one archive, at every call."""


def last_at(table: NameTable, path: bytes) -> int | None:
    """
    The position, in bytes, of the last member at the canonical *path*: the one that extracting would leave there.

    None if no member has that path. Cost: a few steps of bisection.
    """
    within = table.files.at(path)
    found = [table.files.positions[within[-1]]] if within else []
    if table.row(path) is not None:
        found.append(table.position(path))
    return max(found) * BLOCK_BYTES if found else None


def mark_of(table: NameTable, path: bytes) -> Mark | None:
    """
    What the last listing of its directory says of the canonical *path*; None if none names it.

    Raises:
        MemberUnreadable: the listing is malformed.
    """
    directory, name = split(path)
    listings = table.listings(directory) if path else ()
    return dumpdir_of(table.position(directory) * BLOCK_BYTES, listings[-1]).names.get(name) if listings else None


def is_odd(path: bytes) -> bool:
    """Whether *path* has ``..`` in it, so that tar does not extract it, or lies too deep for any tar."""
    return (len(path) > MAX_NAME_BYTES and not is_placeable(path)) or (b".." in path and b".." in path.split(b"/"))


def names_alone(listing: bytes) -> bytes:
    """The listing of a directory with the names of *listing*, in which all files are called unchanged."""
    return (b"\0" + listing).replace(b"\0Y", b"\0N")


def tells_of_renames(listing: bytes) -> bool:
    return listing[:1] == b"R" or b"\0R" in listing


def has_unchanged(listing: bytes) -> bool:
    """Whether a listing, as the archive has it, calls a name unchanged."""
    return listing[:1] == b"N" or b"\0N" in listing


def listed_in_order(table: NameTable) -> Iterator[MemberColumns]:
    """The directories of *table* with their listings, in the order of the tar."""
    places = sorted(zip(table.positions(), table.directories(), strict=True))
    for begin in range(0, len(places), TABLE_MEMBERS):
        found = [
            (position * BLOCK_BYTES, path, listing)
            for position, path in places[begin : begin + TABLE_MEMBERS]
            for listing in table.listings(path)
        ]
        yield MemberColumns(
            [position for position, _, _ in found],
            bytes((DIRECTORY,)) * len(found),
            [path for _, path, _ in found],
            [listing for _, _, listing in found],
            [0] * len(found),
        )
