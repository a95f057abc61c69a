"""
The records of one archive in the form for lookups: names in columns, listings and headers in blocks.

::

    blocks     of listings, of directories' headers without their listings, of all other records; compressed
    columns    names and positions of files; digests of listings, by directory; the position of each block

Most directories of an incremental archive have the same listing as in the archive before. So the records of one archive
may refer to those of another, its base: a directory with the same listing as there has neither listing nor row here. A
base has no base itself, and is identified by the stamp of its file; without it the records count as missing.

Rows are found by bisection, or given as a dictionary if all are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence, Set
from functools import cached_property
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from struct import Struct

from ...domain.errors.archives import RecordsMissing
from ...domain.errors.content import MemberUnreadable
from ...domain.names.name_table import Files, NameTable, Row
from ...domain.names.table_maker import changed_rows
from ...domain.tar.dumpdirs import Rename, parse_dumpdir
from ...domain.tar.members import MemberRecord
from .columns import ColumnsFile, Numbers
from .kept_columns import KeptColumns
from .settled_rows import DIRECTORY, IS_NEW, NO_LISTING, SEVERAL, Blocks, ListedAs, Rows

MAGIC = b"TKMEMB3\n"
RECORD = Struct("<QI")  # place in the tar, length of the headers
OF_BASE = 0x8000_0000  # set in the number of a listing that is in the base
_AT_ONCE = 64  # members looked up together


class SettledRecords:
    """
    Records, and a `NameTable`, in the file *place*; *find_base* opens the base that they may refer to.

    Raises:
        RecordsMissing: the file or its base is missing or damaged; so may any method.
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
    def rows(self) -> Rows:
        """The rows of the directories that are not in the base alone."""
        return Rows(self._file)

    @property
    def stamp(self) -> int:
        return self._file.stamp

    @property
    def own_share(self) -> float:
        """The fraction of the directories that have rows of their own, 0 to 1."""
        return len(self.rows.paths) / max(1, len(self._positions))

    def check(self) -> None:
        """Read everything. Raises RecordsMissing if anything is damaged."""
        self._file.check()
        for _ in self.read():
            pass

    # -- records -----------------------------------------------------------------------------------------------------

    def read(self, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """As `MemberRecords.read`."""
        directories = self._directories_from(Blocks(self._file, "r"), start)
        if directories_only:
            return directories
        return merge(directories, others_from(Blocks(self._file, "o"), start), key=attrgetter("at"))

    def at(self, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """As `MemberRecords.at`."""
        directories, others = Blocks(self._file, "r"), Blocks(self._file, "o")
        for begin in range(0, len(positions), _AT_ONCE):
            some = positions[begin : begin + _AT_ONCE]
            found = {record.at: record for record in others_at(others, some)}
            if len(found) < len(some):  # usually none of those asked for is a directory
                rest = [at for at in some if at not in found]
                found.update((record.at, record) for record in self._directories_at(directories, rest))
            yield from (found[at] for at in some if at in found)

    def _directories_from(self, blocks: Blocks, start: int) -> Iterator[MemberRecord]:
        for number in range(max(0, blocks.with_number(start)), len(blocks)):
            for record in self._directories_in(blocks[number]):
                if record.at >= start:
                    yield record

    def _directories_at(self, blocks: Blocks, positions: Sequence[int]) -> Iterator[MemberRecord]:
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
    def _listing_blocks(self) -> Blocks:
        return Blocks(self._file, "l")

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
        self.rows.expect_many()  # a caller that wants all paths will want their rows
        if self.base is None:
            return list(self.rows.paths)
        self.base.rows.expect_many()
        own = {*self.rows.paths}
        gone = own.union(self.rows.dropped)
        # two rows of ascending runs, which are cheap to sort
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

    def _find(self, path: bytes) -> tuple[SettledRecords, ListedAs] | None:
        """The row of *path*, and the records it belongs to."""
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
            return set(differing(self._in_order(), other._in_order()))
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


def differing(one: Iterator[tuple[bytes, bytes]], other: Iterator[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The paths, ascending in both, whose digest differs between *one* and *other*, or that are in only one of them."""
    for path, rows in groupby(merge(one, other), key=itemgetter(0)):
        digests = [digest for _, digest in rows]
        if len(digests) == 1 or digests[0] != digests[1]:
            yield path


def others_from(blocks: Blocks, start: int) -> Iterator[MemberRecord]:
    for number in range(max(0, blocks.with_number(start)), len(blocks)):
        for record in records_in(blocks[number], is_directory=False):
            if record.at >= start:
                yield record


def others_at(blocks: Blocks, positions: Sequence[int]) -> Iterator[MemberRecord]:
    for number, group in groupby(positions, key=blocks.with_number):
        if number >= 0:
            yield from records_in(blocks[number], is_directory=False, wanted=set(group))


def records_in(content: bytes, *, is_directory: bool, wanted: Set[int] | None = None) -> Iterator[MemberRecord]:
    """The records of a block: all, or those at the positions in *wanted*."""
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
