"""
The records of one archive in the form in which they are looked into: names in columns, listings and headers in blocks.

::

    blocks     of listings, of directories' headers without their listings, of all other records; compressed
    columns    names and positions of files; digests of listings, by directory; where which block is

Most directories of an incremental archive say what they said in the one before. So the records of one archive may lean
on those of another, its base: a directory that has the same listing there has none here, and no row either. A base
leans on nothing itself, and is known by the stamp of its file; without it the records count as missing.

Rows are found by bisection, or come as a dictionary where all are needed.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Sequence, Set
from functools import cached_property
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from ...domain.errors.archives import RecordsMissing
from ...domain.errors.content import MemberUnreadable
from ...domain.names.name_table import DIGEST_BYTES, Files, NameTable, Row
from ...domain.names.table_maker import changed_rows
from ...domain.tar.dumpdirs import Rename, parse_dumpdir
from ...domain.tar.members import MemberRecord
from .columns import ColumnsFile, Numbers
from .kept_columns import KeptColumns

MAGIC = b"TKMEMB3\n"
RECORD = Struct("<QI")  # place in the tar, length of the headers
DIRECTORY = Struct("<QIII")  # place in the tar, listing, lengths of the headers before and behind it
NO_LISTING = 0xFFFF_FFFF  # in the place of the number of one
SEVERAL = 0xFFFF_FFFE
OF_BASE = 0x8000_0000  # set in the number of a listing that the base has
_HELD_ROWS = 50_000  # of a file, as objects: some 20 MiB
_AT_ONCE = 64  # members that are looked up together
IS_COMPLETE, IS_NEW = 1, 2  # of a row; new are those whose directory has none in the base
_INCOMPLETE = re.compile(b"[%c%c]" % (0, IS_NEW))


class _Listed(NamedTuple):
    """A row with the number of its listing."""

    row: Row
    listing: int


class _Rows:
    """The rows that stand in one file."""

    def __init__(self, file: ColumnsFile) -> None:
        self.paths = file.texts("d.paths")
        self._listed = file.text("d.listed")
        self._named = file.text("d.named")
        self.flags = file.text("d.flags")
        self._listings = file.numbers("d.listings")
        self.dropped = file.texts("d.dropped")
        self._has_dropped = len(self.dropped) > 0
        self._last: tuple[int, bytes | None, _Listed | None] = (-1, None, None)  # that was found

    def find(self, path: bytes) -> _Listed | None:
        if "by_path" in self.__dict__:
            return self.by_path.get(path)
        number, last, found = self._last
        if path == last:
            return found
        number += 1  # mostly they are asked for in their order
        if number == len(self.paths) or self.paths[number] != path:
            number = self.paths.place(path)
        if number == len(self.paths) or self.paths[number] != path:
            return None
        at = slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
        found = _listed(self._listed[at], self._named[at], self.flags[number], self._listings[number])
        self._last = (number, path, found)
        return found

    def has_dropped(self, path: bytes) -> bool:
        return self._has_dropped and self.dropped.find(path) is not None

    def expect_many(self) -> None:
        """Many of the rows will be looked for, in any order."""
        if len(self.paths) <= _HELD_ROWS:
            self.by_path  # noqa: B018  # made now and kept, so that `find` has a dictionary

    @cached_property
    def by_path(self) -> dict[bytes, _Listed]:
        listed, named = self._listed[:], self._named[:]
        places = [slice(at, at + DIGEST_BYTES) for at in range(0, len(listed), DIGEST_BYTES)]
        rows = map(
            _listed, map(listed.__getitem__, places), map(named.__getitem__, places), self.flags[:], self._listings[:]
        )
        return dict(zip(self.paths, rows, strict=True))

    def in_order(self) -> Iterator[tuple[bytes, bytes]]:
        """The directories with the digests of their listings, ascending."""
        begin = 0
        for path, listing in zip(self.paths, self._listings, strict=True):
            yield path, b"" if listing == NO_LISTING else self._listed[begin : begin + DIGEST_BYTES]
            begin += DIGEST_BYTES

    def incomplete(self) -> Iterator[bytes]:
        """The directories whose rows are not complete."""
        return (self.paths[found.start()] for found in _INCOMPLETE.finditer(self.flags[:]))

    @cached_property
    def listed(self) -> dict[bytes, bytes | None]:
        """The digests of listings by their directories; None for those that only the base has."""
        found: dict[bytes, bytes | None] = {path: one.row.listed for path, one in self.by_path.items()}
        return found | dict.fromkeys(self.dropped)


def _listed(listed: bytes, named: bytes, flags: int, listing: int) -> _Listed:
    has_one = listing not in (NO_LISTING, SEVERAL)
    return _Listed(
        Row(b"" if listing == NO_LISTING else listed, named if has_one else b"", bool(flags & IS_COMPLETE)), listing
    )


class _Blocks:
    """Compressed blocks of one kind, and the first number or position in each."""

    def __init__(self, file: ColumnsFile, kind: str) -> None:
        self._file = file
        self._kind = kind
        self._last: tuple[int, bytes] = (-1, b"")

    def __len__(self) -> int:
        return len(self._column("firsts"))

    def _column(self, name: str) -> array[int]:
        return self._file.kept_numbers(f"{self._kind}.{name}")

    def with_number(self, first: int) -> int:
        """The block that *first* is in or would be; -1 before all."""
        return bisect_right(self._column("firsts"), first) - 1

    def __getitem__(self, number: int) -> bytes:
        known = self._last
        if known[0] == number:
            return known[1]
        size, start, crc = (self._column(name)[number] for name in ("sizes", "starts", "crcs"))
        content = self._file.block(size, start, crc)
        self._last = (number, content)
        return content


class SettledRecords:
    """
    Records, and a `NameTable`, in the file *place*; *find_base* opens those that they may lean on.

    Raises:
        RecordsMissing: they are not there, damaged, or lean on what is not; likewise from any method.
    """

    def __init__(self, place: Path, sha256: str, find_base: Callable[[str], SettledRecords], kept: KeptColumns) -> None:
        self.sha256 = sha256
        self._file = file = ColumnsFile(place, MAGIC, sha256, kept)
        self._about = about = file.about
        self.base: SettledRecords | None = None
        if about["base"] is not None:
            try:
                self.base = find_base(str(about["base"]))
            except RecordsMissing as error:
                raise RecordsMissing(sha256) from error
            if self.base.base is not None or self.base.stamp != about["stamp"]:
                raise RecordsMissing(sha256)

    @cached_property
    def rows(self) -> _Rows:
        """Those of the directories that do not stand in the base alone."""
        return _Rows(self._file)

    @property
    def stamp(self) -> int:
        return self._file.stamp

    @property
    def own_share(self) -> float:
        """How many of the directories have rows of their own, 0 to 1."""
        return len(self.rows.paths) / max(1, len(self._positions))

    def check(self) -> None:
        """Read everything. Raises RecordsMissing where something is damaged."""
        self._file.check()
        for _ in self.read():
            pass

    # -- records -----------------------------------------------------------------------------------------------------

    def read(self, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """As `MemberRecords.read`."""
        directories = self._directories_from(_Blocks(self._file, "r"), start)
        if directories_only:
            return directories
        return merge(directories, _others_from(_Blocks(self._file, "o"), start), key=attrgetter("at"))

    def at(self, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """As `MemberRecords.at`."""
        directories, others = _Blocks(self._file, "r"), _Blocks(self._file, "o")
        for begin in range(0, len(positions), _AT_ONCE):
            some = positions[begin : begin + _AT_ONCE]
            found = {record.at: record for record in _others_at(others, some)}
            if len(found) < len(some):  # of most that are asked for none is a directory
                rest = [at for at in some if at not in found]
                found.update((record.at, record) for record in self._directories_at(directories, rest))
            yield from (found[at] for at in some if at in found)

    def _directories_from(self, blocks: _Blocks, start: int) -> Iterator[MemberRecord]:
        for number in range(max(0, blocks.with_number(start)), len(blocks)):
            for record in self._directories_in(blocks[number]):
                if record.at >= start:
                    yield record

    def _directories_at(self, blocks: _Blocks, positions: Sequence[int]) -> Iterator[MemberRecord]:
        for number, group in groupby(positions, key=blocks.with_number):
            if number >= 0:
                yield from self._directories_in(blocks[number], set(group))

    def _directories_in(self, content: bytes, wanted: Container[int] | None = None) -> Iterator[MemberRecord]:
        place, stop = 0, len(content)
        while place < stop:
            at, listing, before, behind = DIRECTORY.unpack_from(content, place)
            place += DIRECTORY.size
            middle, end = place + before, place + before + behind
            if wanted is None or at in wanted:
                headers = content[place:end]
                if listing != NO_LISTING:
                    headers = content[place:middle] + self.listing(listing) + content[middle:end]
                yield MemberRecord(at, headers, is_directory=True)
            place = end

    # -- listings ----------------------------------------------------------------------------------------------------

    @cached_property
    def _listing_blocks(self) -> _Blocks:
        return _Blocks(self._file, "l")

    @cached_property
    def _offsets(self) -> Numbers:
        return self._file.numbers("l.offsets")

    @cached_property
    def _lengths(self) -> Numbers:
        return self._file.numbers("l.lengths")

    def listing(self, number: int) -> bytes:
        """A listing by its number."""
        if number & OF_BASE:
            if self.base is None:
                raise RecordsMissing(self.sha256)
            return self.base.listing(number & ~OF_BASE)
        content = self._listing_blocks[self._listing_blocks.with_number(number)]
        offset = self._offsets[number]
        return content[offset : offset + self._lengths[number]]

    # -- as a table of names -----------------------------------------------------------------------------------------

    @cached_property
    def files(self) -> Files:
        file = self._file
        return Files(
            file.texts("f.folders"),
            file.numbers("f.firsts"),
            file.texts("f.names"),
            file.numbers("f.positions"),
            file.text("f.letters"),
            file.numbers("f.spans"),
            file.numbers("f.order"),
            file.numbers("f.links"),
            file.texts("f.targets"),
        )

    @property
    def has_odd_paths(self) -> bool:
        return bool(self._about["odd"])

    @property
    def has_listings(self) -> bool:
        return bool(self._about["listings"])

    @property
    def is_joined(self) -> bool:
        told = self._about.get("joined")
        return bool(len(self._file.numbers("d.several")) if told is None else told)

    @property
    def renames(self) -> Sequence[Rename]:
        malformed = self._about["malformed"]
        if isinstance(malformed, list):
            raise MemberUnreadable(int(malformed[0]), str(malformed[1]))
        return parse_dumpdir(self._file.text("renames")[:]).renames

    @cached_property
    def _positions(self) -> Numbers:
        return self._file.numbers("d.positions")

    @cached_property
    def _paths(self) -> list[bytes]:
        self.rows.expect_many()  # whoever wants all paths will want their rows
        if self.base is None:
            return list(self.rows.paths)
        self.base.rows.expect_many()
        own = {*self.rows.paths}
        gone = own.union(self.rows.dropped)
        # two rows of runs that ascend, for which sorting hardly costs anything
        return sorted([*(path for path in self.base.rows.paths if path not in gone), *own])

    def directories(self) -> Sequence[bytes]:
        return self._paths

    def positions(self) -> Sequence[int]:
        return self._positions

    def position(self, path: bytes) -> int:
        own = self.rows.paths.place(path)
        if self.base is None:
            return self._positions[own]
        new = sum(flags & IS_NEW for flags in self.rows.flags[:own]) // IS_NEW
        return self._positions[self.base.rows.paths.place(path) + new - self.rows.dropped.place(path)]

    def _find(self, path: bytes) -> tuple[SettledRecords, _Listed] | None:
        """The row of *path*, and whose it is."""
        found = self.rows.find(path)
        if found is not None:
            return self, found
        if self.base is None or self.rows.has_dropped(path):
            return None
        found = self.base.rows.find(path)
        return None if found is None else (self.base, found)

    def row(self, path: bytes) -> Row | None:
        found = self._find(path)
        return None if found is None else found[1].row

    def listings(self, path: bytes) -> Sequence[bytes]:
        found = self._find(path)
        if found is None or found[1].listing == NO_LISTING:
            return ()
        owner, listed = found
        if listed.listing == SEVERAL:
            return [owner.listing(number) for number in owner.several(path)]
        return [owner.listing(listed.listing)]

    def several(self, path: bytes) -> Sequence[int]:
        """The numbers of the listings of a directory that has several."""
        told = iter(self._file.numbers("d.several"))
        row = self.rows.paths.find(path)
        for number in told:
            listings = [next(told) for _ in range(next(told))]
            if number == row:
                return listings
        return ()

    def changed(self, other: NameTable) -> set[bytes]:
        if not isinstance(other, SettledRecords):
            return changed_rows(self, other)
        if (self.base or self).sha256 != (other.base or other).sha256:
            return set(_differing(self._in_order(), other._in_order()))
        rows = (self.base or self).rows
        rows.expect_many()

        def listed_there(path: bytes) -> bytes | None:
            found = rows.find(path)
            return None if found is None else found.row.listed

        ours, theirs = (one.rows.listed if one.base is not None else {} for one in (self, other))
        return {
            path
            for path in {path for path, _ in ours.items() ^ theirs.items()}
            if (ours[path] if path in ours else listed_there(path))
            != (theirs[path] if path in theirs else listed_there(path))
        }

    def incomplete(self) -> Iterator[bytes]:
        yield from self.rows.incomplete()
        if self.base is not None:
            own = self.rows.paths
            for path in self.base.rows.incomplete():
                if own.find(path) is None and not self.rows.has_dropped(path):
                    yield path

    def _in_order(self) -> Iterator[tuple[bytes, bytes]]:
        if self.base is None:
            return self.rows.in_order()
        own = self.rows.listed
        return merge((row for row in self.base.rows.in_order() if row[0] not in own), self.rows.in_order())


def _differing(one: Iterator[tuple[bytes, bytes]], other: Iterator[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The paths, ascending in both, that have another digest in *one* than in *other*, or stand in one alone."""
    for path, rows in groupby(merge(one, other), key=itemgetter(0)):
        digests = [digest for _, digest in rows]
        if len(digests) == 1 or digests[0] != digests[1]:
            yield path


def _others_from(blocks: _Blocks, start: int) -> Iterator[MemberRecord]:
    for number in range(max(0, blocks.with_number(start)), len(blocks)):
        for record in records_in(blocks[number], is_directory=False):
            if record.at >= start:
                yield record


def _others_at(blocks: _Blocks, positions: Sequence[int]) -> Iterator[MemberRecord]:
    for number, group in groupby(positions, key=blocks.with_number):
        if number >= 0:
            yield from records_in(blocks[number], is_directory=False, wanted=set(group))


def records_in(content: bytes, *, is_directory: bool, wanted: Set[int] | None = None) -> Iterator[MemberRecord]:
    """The records of a block, all or those at the positions that are *wanted*."""
    place, stop = 0, len(content)
    last = max(wanted) if wanted else None
    while place < stop:
        at, length = RECORD.unpack_from(content, place)
        place += RECORD.size
        if wanted is None or at in wanted:
            yield MemberRecord(at, content[place : place + length], is_directory)
            if at == last:
                return
        place += length
