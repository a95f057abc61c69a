"""
The names of one archive by directory and name: what is looked for is found without reading the rest.

Of an archive of a hundred thousand directories hardly one says anything new. So each has digests of its listing, by
which two archives are compared, and listings are taken out only where these differ. Members that are no directories
stand in columns, those of one folder side by side and ascending, where one is found by bisection and those of a whole
folder are taken at once.

A table is in memory (`HeldTable`), or in a file that an adapter reads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol, TypeAlias

from attrs import define, field, frozen

from ..errors.content import MemberUnreadable
from ..errors.restoring import TreeTooLarge
from ..tar.dumpdirs import Mark, Rename
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import DIRECTORY_BYTES, MAX_LEVELS, NAME_BYTES, is_placeable, split
from .columns import DIRECTORY, HARD_LINK, TABLE_MEMBERS, Names, listing_of
from .packed_texts import PackedTexts, Texts
from .renames import Origins

DIGEST_BYTES = 16

_FEW = 50  # a part of the files that are found one by one


class Row(NamedTuple):
    """
    What is known of a directory that has a member, without its listing.

    *listed* is a digest of its listing, of all if it has several, b"" without one. *named* is one of the names in it
    and which of them are directories, whatever it says of files; b"" unless there is exactly one listing.
    *is_complete* says that every name that it calls here has a member.
    """

    listed: bytes
    named: bytes
    is_complete: bool


@frozen(eq=False)
class Files:
    """
    The members of an archive that are no directories, in columns.

    *folders* are the directories that they are in, ascending; those in the folder number n are the ones from
    ``firsts[n]`` to ``firsts[n + 1]``, ascending by their *names*, those of one name in the order of the tar.
    *positions* and *spans* are those of `Names` in blocks of 512 bytes, *letters* as there. *order* has their numbers
    in the order of the tar.
    *link_numbers* are those of hard links, ascending, *link_targets* the paths these are to.
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
        """The numbers of those that are in *folder*."""
        number = self.folders.find(folder)
        return range(self.firsts[number], self.firsts[number + 1]) if number is not None else range(0)

    def at(self, path: bytes) -> range:
        """The numbers of those that have that path."""
        folder, name = split(path)
        within = self.within(folder)
        first = self.names.find(name, within.start, within.stop)
        if first is None:
            return range(0)
        stop = first + 1
        while stop < within.stop and self.names[stop] == name:
            stop += 1
        return range(first, stop)

    def spans_at(self, positions: Sequence[int]) -> array[int] | None:
        """
        The spans, in bytes, of the members at *positions*, in bytes, too, which ascend; None if some are not there.
        """
        if len(positions) < len(self) / _FEW:
            found = array("q", map(self._span_at, positions))
            return None if -1 in found else found
        spans, wanted = self.spans[:], iter(positions)
        found, next_wanted = array("q"), next(wanted, -1)
        for position, span in zip(
            map(self.positions[:].__getitem__, self.order), map(spans.__getitem__, self.order), strict=True
        ):
            if position * BLOCK_BYTES == next_wanted:
                found.append(span * BLOCK_BYTES)
                next_wanted = next(wanted, -1)
        return found if len(found) == len(positions) else None

    def _span_at(self, position: int) -> int:
        place = bisect_left(self.order, position // BLOCK_BYTES, key=self.positions.__getitem__)
        if place == len(self) or self.positions[self.order[place]] * BLOCK_BYTES != position:
            return -1
        return self.spans[self.order[place]] * BLOCK_BYTES

    def links(self, within: range) -> Iterator[tuple[int, bytes]]:
        """The hard links among these numbers, with the paths they are to."""
        for place in range(bisect_left(self.link_numbers, within.start), len(self.link_numbers)):
            if self.link_numbers[place] >= within.stop:
                return
            yield self.link_numbers[place], self.link_targets[place]


class NameTable(Protocol):
    """
    The names of one archive: its members' paths in canonical form, whatever these are.

    Every method but `changed` may be the first to read a part of the table, and raises RecordsMissing where that turns
    out to be damaged.
    """

    @property
    def files(self) -> Files:
        """All members that are no directories."""

    @property
    def has_odd_paths(self) -> bool:
        """Some path has ``..`` in it or lies too deep (see `is_odd`)."""

    @property
    def is_joined(self) -> bool:
        """Several dumps are in the archive, which tar joined: directories are listed again, or renames told later."""

    @property
    def renames(self) -> Sequence[Rename]:
        """
        Those that the archive tells of. Tar writes all of them into the first listing.

        Raises:
            MemberUnreadable: that is malformed.
        """

    @property
    def has_listings(self) -> bool:
        """Some directory has one."""

    def directories(self) -> Sequence[bytes]:
        """The paths of all directories that have a member, ascending."""

    def row(self, path: bytes) -> Row | None:
        """What is known of the directory *path*; None if it has no member."""

    def position(self, path: bytes) -> int:
        """The position of the last member of a directory that has one, in blocks of 512 bytes."""

    def positions(self) -> Sequence[int]:
        """The same of all `directories`."""

    def listings(self, path: bytes) -> Sequence[bytes]:
        """The listings of the directory *path* as the tar has them, in its order."""

    def changed(self, other: NameTable) -> set[bytes]:
        """The directories that have other listings here than in *other*, or a member in one of the two alone."""

    def incomplete(self) -> Iterable[bytes]:
        """The directories whose rows are not complete, each once, in any order."""


def origins_between(child: NameTable, parent: NameTable) -> Origins:
    """Where the directories of *child* were in *parent*."""
    return Origins(child.renames, parent.renames, child.directories, parent.directories)


OpenTable: TypeAlias = Callable[[], NameTable]
"""Gives the table of one archive, at every call."""


def last_at(table: NameTable, path: bytes) -> int | None:
    """
    The position, in bytes, of the last member at the canonical *path*: what extracting would leave there.

    None if no member has that path. Cost: of a few steps of bisection.
    """
    within = table.files.at(path)
    found = [table.files.positions[within[-1]]] if within else []
    if table.row(path) is not None:
        found.append(table.position(path))
    return max(found) * BLOCK_BYTES if found else None


def mark_of(table: NameTable, path: bytes) -> Mark | None:
    """
    What the last listing of its directory says of the canonical *path*; None where none names it.

    Raises:
        MemberUnreadable: the listing is malformed.
    """
    directory, name = split(path)
    listings = table.listings(directory) if path else ()
    return listing_of(table.position(directory) * BLOCK_BYTES, listings[-1]).names.get(name) if listings else None


def is_odd(path: bytes) -> bool:
    """*path* has ``..`` in it, so that tar extracts nothing of it, or it lies too deep for any tar."""
    return (len(path) > MAX_LEVELS and not is_placeable(path)) or (b".." in path and b".." in path.split(b"/"))


def names_alone(listing: bytes) -> bytes:
    """The listing of a directory whose files are all called unchanged, with the names of this one."""
    return (b"\0" + listing).replace(b"\0Y", b"\0N")


def tells_of_renames(listing: bytes) -> bool:
    return listing[:1] == b"R" or b"\0R" in listing


def digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


@define
class _Listed:
    """What is noted of a directory while its members pass. *here* are count and sum of the names called here."""

    position: int
    listings: int = 0
    listed: bytes = b""
    named: bytes = b""
    here: tuple[int, int] = (0, 0)


@define(eq=False)
class TableMaker:
    """
    Makes the table of an archive of its `Names`, which pass in the order of the tar.

    *keep* is told of each listing: the directory's path, which of its listings it is, counted from 0, the digest, and
    the listing.

    Raises, from `add`:
        TreeTooLarge: names and paths count for more than *limit_bytes*, by the same measure as in a tree.
    """

    keep: Callable[[bytes, int, bytes, bytes], None]
    limit_bytes: int
    has_odd_paths: bool = False
    is_joined: bool = False
    renames: Sequence[Rename] = ()
    malformed: MemberUnreadable | None = None
    _directories: dict[bytes, _Listed] = field(factory=dict)
    _has_listings: bool = False
    _folders: dict[bytes, array[int]] = field(factory=dict)  # the numbers of their files, in the order of the tar
    _names: PackedTexts = field(factory=PackedTexts)
    _positions: array[int] = field(factory=lambda: array("Q"))
    _spans: array[int] = field(factory=lambda: array("q"))
    _letters: bytearray = field(factory=bytearray)
    _links: dict[int, bytes] = field(factory=dict)
    _held_bytes: int = 0

    def add(self, names: Names) -> None:
        """Take the next members in."""
        last, numbers = b"", None
        count = len(self._positions)
        for position, letter, path, extra, span in zip(
            names.positions, names.letters, names.paths, names.extras, names.spans, strict=True
        ):
            if (b".." in path or len(path) > MAX_LEVELS) and not self.has_odd_paths:
                self.has_odd_paths = is_odd(path)
            if letter == DIRECTORY:
                self._add_directory(position, path, extra)
                continue
            folder, _, name = path.rpartition(b"/")
            if folder != last or numbers is None:
                last, numbers = folder, self._numbers(folder)
            numbers.append(count)
            if letter == HARD_LINK:
                self._links[count] = extra
                self._hold(len(extra) + NAME_BYTES)
            count += 1
            self._names.append(name)
            self._positions.append(position // BLOCK_BYTES)
            self._spans.append(span // BLOCK_BYTES)
            self._letters.append(letter)
            self._held_bytes += NAME_BYTES + len(name)
        self._hold(0)

    def _numbers(self, folder: bytes) -> array[int]:
        numbers = self._folders.get(folder)
        if numbers is None:
            numbers = self._folders[folder] = array("I")
            self._hold(len(folder) + DIRECTORY_BYTES)
        return numbers

    def _add_directory(self, position: int, path: bytes, listing: bytes) -> None:
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = _Listed(0)
            self._hold(len(path) + DIRECTORY_BYTES)
        known.position = position // BLOCK_BYTES
        if not listing:
            return
        if not self._has_listings:
            self._has_listings = True
            self._read_renames(position, listing)
        elif known.listings or tells_of_renames(listing):
            self.is_joined = True
        its = digest(listing)
        if known.listings:
            known.listed, known.named = digest(known.listed + its), b""
        else:
            known.listed, known.named = its, digest(names_alone(listing))
            if listing[:1] == b"Y" or b"\0Y" in listing:
                here = [hash(record[1:]) for record in listing.split(b"\0") if record[:1] == b"Y"]
                known.here = (len(here), sum(here))
        known.listings += 1
        self.keep(path, known.listings - 1, its, listing)

    def _read_renames(self, position: int, listing: bytes) -> None:
        try:
            self.renames = listing_of(position, listing).renames
        except MemberUnreadable as error:
            self.malformed = error
        self._hold(sum(len(rename.old) + len(rename.new) for rename in self.renames))

    def _hold(self, count_bytes: int) -> None:
        self._held_bytes += count_bytes
        if self._held_bytes > self.limit_bytes:
            raise TreeTooLarge(self.limit_bytes)

    @property
    def has_listings(self) -> bool:
        return self._has_listings

    def finish(self) -> tuple[Files, Iterator[tuple[bytes, Row, int]]]:
        """The files, and every directory with its row and the position of its last member, ascending. Once."""
        names = self._names.texts()
        self._names = PackedTexts()
        sorted_names, numbers, firsts = PackedTexts(), array("I"), array("Q", (0,))
        sums: dict[bytes, tuple[int, int]] = {}
        folders = sorted(self._folders)
        for folder in folders:
            own = self._folders.pop(folder)
            own_names = _named(names, own)
            if not _ascend(own_names):
                together = sorted(zip(own_names, own, strict=True))  # those of one name stay in the order of the tar
                own_names, own = [name for name, _ in together], array("I", [number for _, number in together])
            sorted_names.extend(own_names)
            numbers.extend(own)
            firsts.append(len(numbers))
            if folder in self._directories:
                sums[folder] = (len(own_names), sum(map(hash, own_names)))
        del names
        order = array("I", bytes(4 * len(numbers)))
        for place, number in enumerate(numbers):
            order[number] = place
        linked = sorted((order[number], target) for number, target in self._links.items())
        files = Files(
            Texts.of(folders),
            firsts,
            sorted_names.texts(),
            array("Q", map(self._positions.__getitem__, numbers)),
            bytes(map(self._letters.__getitem__, numbers)),
            array("q", map(self._spans.__getitem__, numbers)),
            order,
            array("I", [place for place, _ in linked]),
            Texts.of(target for _, target in linked),
        )
        return files, self._rows(sums)

    def _rows(self, sums: dict[bytes, tuple[int, int]]) -> Iterator[tuple[bytes, Row, int]]:
        for path in sorted(self._directories):
            its = self._directories[path]
            # All that is called here has a member if both sides come to the same; that is enough, and cheap.
            is_complete = its.listings == 1 and its.here in ((0, 0), sums.get(path))
            yield path, Row(its.listed, its.named, is_complete), its.position


def _named(names: Texts, numbers: array[int]) -> list[bytes]:
    """The names with these numbers; mostly they stand side by side."""
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return names.some(numbers[0], numbers[-1] + 1)
    return list(map(names.__getitem__, numbers))


def _ascend(names: Sequence[bytes]) -> bool:
    return all(map(bytes.__lt__, names, names[1:]))


@define(eq=False)
class HeldTable:
    """A `NameTable` in memory."""

    files: Files
    has_odd_paths: bool
    has_listings: bool
    is_joined: bool
    _renames: Sequence[Rename]
    _malformed: MemberUnreadable | None
    _rows: dict[bytes, Row]
    _positions: Sequence[int]
    _listings: dict[bytes, list[bytes]]

    @property
    def renames(self) -> Sequence[Rename]:
        if self._malformed is not None:
            raise self._malformed
        return self._renames

    def directories(self) -> Sequence[bytes]:
        return list(self._rows)

    def row(self, path: bytes) -> Row | None:
        return self._rows.get(path)

    def position(self, path: bytes) -> int:
        return self._positions[bisect_left(self.directories(), path)]

    def positions(self) -> Sequence[int]:
        return self._positions

    def listings(self, path: bytes) -> Sequence[bytes]:
        return self._listings.get(path, ())

    def changed(self, other: NameTable) -> set[bytes]:
        return changed_rows(self, other)

    def incomplete(self) -> Iterable[bytes]:
        return [path for path, row in self._rows.items() if not row.is_complete]


def has_unchanged(listing: bytes) -> bool:
    """A listing, as the archive has it, calls a name unchanged."""
    return listing[:1] == b"N" or b"\0N" in listing


def changed_rows(one: NameTable, other: NameTable) -> set[bytes]:
    """`NameTable.changed`, by looking at every row of both."""
    paths = {*one.directories(), *other.directories()}
    return {path for path in paths if _listed(one.row(path)) != _listed(other.row(path))}


def _listed(row: Row | None) -> bytes | None:
    return None if row is None else row.listed


def held_table(archive: Iterable[Names], limit_bytes: int) -> HeldTable:
    """
    The table of an archive whose names are at hand.

    Raises:
        TreeTooLarge: it has more names than *limit_bytes* allows for.
        MemberUnreadable: as whoever gives the names.
    """
    listings: dict[bytes, list[bytes]] = {}

    def keep(path: bytes, number: int, digest: bytes, listing: bytes) -> None:
        del number, digest
        listings.setdefault(path, []).append(listing)

    maker = TableMaker(keep, limit_bytes)
    for names in archive:
        maker.add(names)
    files, rows = maker.finish()
    found = list(rows)
    return HeldTable(
        files,
        maker.has_odd_paths,
        maker.has_listings,
        maker.is_joined,
        maker.renames,
        maker.malformed,
        {path: row for path, row, _ in found},
        array("Q", [position for _, _, position in found]),
        listings,
    )


def listed_in_order(table: NameTable) -> Iterator[Names]:
    """The directories of *table* that have listings, with these, in the order of the tar."""
    places = sorted(zip(table.positions(), table.directories(), strict=True))
    for begin in range(0, len(places), TABLE_MEMBERS):
        found = [
            (position * BLOCK_BYTES, path, listing)
            for position, path in places[begin : begin + TABLE_MEMBERS]
            for listing in table.listings(path)
        ]
        yield Names(
            [position for position, _, _ in found],
            bytes((DIRECTORY,)) * len(found),
            [path for _, path, _ in found],
            [listing for _, _, listing in found],
            [0] * len(found),
        )
