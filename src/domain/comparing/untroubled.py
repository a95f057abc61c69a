"""
Whether tar extracts an archive by itself without a complaint, and no member of it is in the way of another.

Nearly every archive is untroubled. Its result then follows from the comparison with the archive before it, and its
names need not be merged. For an archive that builds on nothing this is found out while the members pass, since sorting
its names takes longer than receiving it; for others from their name table.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors.content import MemberUnreadable
from ..names.footprints import PLAIN_DIRECTORY, SYMLINK, misspelt, places, plain, shown
from ..names.name_table import NameTable, mark_of
from ..tar.dumpdirs import Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.members import MemberRecord, MemberType
from ..tar.paths import canonical, is_placeable, is_target, join, split
from ..tar.read_headers import read_member
from .fit import Agreement, Compatibility, Renamed
from .fitting import EXAMPLES

MOST_FILES, MOST_DIRECTORIES = 2_000_000, 500_000
"""How much is noted of one archive: 16 and some 50 MB. A larger archive is checked by its table."""

_TYPE, _FILE, _LAST_OF_NAME, _TARGET_AT, _PREFIX_AT = 156, ord("0"), 99, 157, 345
_MAGIC, _GNU = slice(257, 265), b"ustar  \0"  # GNU format has times where others have a prefix
_MISSPELT = re.compile(rb"/\.{0,2}[/\0]").search  # in paths with a slash before each name and NUL behind the last
_HERE, _HERE_IN_PAX = b"\0Y", b"GNU.dumpdir=Y"
_LEANING = 100  # after this many directories that call names unchanged, check whether most do


class Passing:
    """Checks one archive, member by member, in the order of the tar. Paths are noted by their hashes."""

    def __init__(self) -> None:
        self._is_over = False
        self._files = array("q")
        self._directories = {hash(b"")}
        self._last = b""
        self._links: list[tuple[int, int]] = []  # each hard link's target, and how many files are before the link
        self._listed = self._leaning = 0
        self._here = 0  # names that listings call here
        self._with_listing: set[int] = set()
        self._of_files: set[int] = set()  # directories

    def add(self, records: Sequence[MemberRecord]) -> None:
        """Check the next members; many at once cost less."""
        if self._is_over:
            return
        headers = [record.headers for record in records]
        odd = [
            number
            for number, its in enumerate(headers)
            if its[_TYPE] != _FILE
            or its[_LAST_OF_NAME]
            or len(its) != BLOCK_BYTES
            or (its[_PREFIX_AT] and its[_MAGIC] != _GNU)
        ]
        begin = 0
        for number in (*odd, len(records)):
            if begin < number:
                self._look_at_files(records[begin:number], headers[begin:number])
            if number < len(records):
                self._look_at(records[number])
            if self._is_over:
                return
            begin = number + 1
        if len(self._files) > MOST_FILES:
            self._give_up()

    def _look_at_files(self, records: Sequence[MemberRecord], headers: Sequence[bytes]) -> None:
        """Check files whose names fit the name field of a single header: nearly all do."""
        names = [its[: its.find(0)] for its in headers]
        if names[0].startswith(b"./"):
            names = [name.removeprefix(b"./") for name in names]
        if _MISSPELT(b"/%b\0" % b"\0/".join(names)):
            for record in records:
                self._look_at(record)
            return
        self._files.extend(map(hash, names))
        for directory in {name.rpartition(b"/")[0] for name in names}:
            self._use(directory)
            self._of_files.add(hash(directory))

    def _look_at(self, record: MemberRecord) -> None:
        """Check any member; `footprints.plain` recognizes the ordinary ones."""
        headers = record.headers
        if record.is_directory:
            self._listed += 1
            if b"\0N" in headers:
                self._leaning += 1
                if self._leaning > _LEANING and 2 * self._leaning > self._listed:
                    self._give_up()  # it builds on another and is compared with that, so its table is made anyway
                    return
        found = plain(headers)
        if found is None:
            self._add_odd(record)
        elif found[0] == PLAIN_DIRECTORY:
            self._count_listed(record, found[1])
            self._use(found[1])
        elif found[0] == SYMLINK and not _has_target(record):
            self._give_up()
        else:
            self._add_file(found[1])

    def _count_listed(self, record: MemberRecord, path: bytes) -> None:
        if record.is_directory and len(record.headers) > BLOCK_BYTES:
            if self._is_used(path):
                self._give_up()  # tar removes what its listing does not name, even if it was just extracted
                return
            self._with_listing.add(hash(path))
            self._here += record.headers.count(_HERE, BLOCK_BYTES - 1) + record.headers.count(_HERE_IN_PAX)

    @property
    def is_untroubled(self) -> bool:
        """Whether the members so far certainly cause no complaint, and include every name that listings call here."""
        if self._is_over or not self._directories.isdisjoint(self._files):
            return False
        if self._with_listing and not (
            self._here == len(set(self._files)) and self._of_files.issubset(self._with_listing)
        ):
            return False
        wanted = {target for target, _ in self._links}
        first: dict[int, int] = {}
        for number, path in enumerate(self._files) if wanted else ():
            if path in wanted:
                first.setdefault(path, number)
        return all(first.get(target, before) < before for target, before in self._links)

    def _add_odd(self, record: MemberRecord) -> None:
        try:
            member = read_member(record)
        except MemberUnreadable:
            self._give_up()
            return
        moves = member.listing is not None and (member.listing.renames or member.listing.temporaries)
        named = [place for place, _ in places(member)]
        is_made = member.type is not MemberType.SYMLINK or is_target(member.link)
        if (
            member.disputed
            or moves
            or not is_made
            or any(misspelt(place) or not is_placeable(place) for place in named)
        ):
            self._give_up()
            return
        path = canonical(member.path)
        if member.type is MemberType.DIRECTORY:
            self._count_listed(record, path)
            self._use(path)
            return
        if member.type is MemberType.HARD_LINK:
            target = canonical(member.link)
            if target == path:
                self._give_up()
                return
            self._links.append((hash(target), len(self._files)))
        self._add_file(path)

    def _add_file(self, path: bytes) -> None:
        self._files.append(hash(path))
        directory = path.rpartition(b"/")[0]
        if directory != self._last:
            self._use(directory)
            self._of_files.add(hash(directory))
            self._last = directory

    def _is_used(self, directory: bytes) -> bool:
        """Whether a member before is *directory* or in it."""
        if not directory:
            return bool(self._files) or len(self._directories) > 1
        return hash(directory) in self._directories

    def _use(self, directory: bytes) -> None:
        """Note *directory* and all above it."""
        while (known := hash(directory)) not in self._directories:
            self._directories.add(known)
            directory = split(directory)[0]
        if len(self._directories) > MOST_DIRECTORIES:
            self._give_up()

    def _give_up(self) -> None:
        self._is_over = True
        self._files, self._directories = array("q"), set()
        self._with_listing, self._of_files = set(), set()
        self._links.clear()


def _has_target(record: MemberRecord) -> bool:
    """Whether tar can make a symbolic link, whose own header suffices for its path."""
    if b"linkpath=" in record.headers:
        return is_target(read_member(record).link)
    return record.headers[_TARGET_AT - BLOCK_BYTES] != 0


def alone(
    trouble: str,
    unread: Sequence[bytes] = (),
    *,
    renames_in_vain: bool = False,
    unchanged: Sequence[bytes] = (),
) -> Compatibility:
    """
    The result of this check as a `Compatibility`, the form in which it is kept.

    *trouble* is what `trouble_in` returns, *unread* are the files that it lists but does not hold, *renames_in_vain* is
    the result of that function, *unchanged* the names that a FULL calls unchanged.
    """
    return Compatibility(
        Agreement.FITS,
        unsound=trouble,
        renamed=Renamed.IN_VAIN if renames_in_vain else Renamed.NOTHING,
        unresolved=len(unchanged),
        examples=tuple(unchanged[:EXAMPLES]),
        unread=len(unread),
        unread_examples=tuple(unread[:EXAMPLES]),
    )


def renames_in_vain(table: NameTable) -> bool:
    """
    Whether tar, extracting it into an empty directory, complains of its renames.

    It does not if the directory whose listing has them, the first one, does not exist yet: then tar skips them.
    """
    if not table.renames:
        return False
    return table.is_joined or (table.row(b"") is not None and table.position(b"") == min(table.positions()))


def trouble_in(table: NameTable) -> str:
    """
    The clause about a member of an archive that is in the way of another, a hard link to something other than a file
    before it, or a member that tar removes again; empty if no member is such.

    Raises:
        MemberUnreadable: a relevant listing is malformed.

    Cost: that of finding each file among the directories.
    """
    if table.has_odd_paths:
        return "tar could not extract a member whose path leads upwards or is too long, or a link to nothing possible"
    files, used = table.files, _with_all_above(table.files.folders)
    for number, target in files.links(range(len(files))):
        if not any(files.positions[one] < files.positions[number] for one in files.at(target)):
            return f"tar would find no file {shown(target)} when it makes a hard link to that"
    for path in _paths(table):
        if path in used or table.row(path) is not None:
            return f"{shown(path)} is both a file and a directory in it"
    return _removed_again(table)


def _removed_again(table: NameTable) -> str:
    """The clause about a member that stands before the listing of a directory above it, which does not name it."""
    if table.is_joined:  # then a later dump may have deleted it
        return ""
    listed = {
        path: position
        for path, position in zip(table.directories(), table.positions(), strict=True)
        if (row := table.row(path)) is not None and row.listed
    }
    cut = (_cut_behind(table, listed, path, at) for path, at in _first_uses(table, listed))
    removed = next(filter(None, cut), b"")
    return f"tar would remove {shown(removed)} again, since a listing behind it does not name it" if removed else ""


def _first_uses(table: NameTable, listed: Mapping[bytes, int]) -> Iterator[tuple[bytes, int]]:
    """The directories and the position of each; and the first file in each directory, or all before its listing."""
    yield from zip(table.directories(), table.positions(), strict=True)
    files = table.files
    for number, folder in enumerate(files.folders):
        begin, end = files.firsts[number], files.firsts[number + 1]
        positions, at = files.positions[begin:end], listed.get(folder)
        first = min(positions)
        if at is None or first > at:
            yield join(folder, files.names[begin]), first
        else:
            names = files.names.some(begin, end)
            yield from ((join(folder, name), own) for name, own in zip(names, positions, strict=True) if own < at)


def _cut_behind(table: NameTable, listed: Mapping[bytes, int], path: bytes, position: int) -> bytes:
    """What a listing behind *position* does not name on the way to *path*, the member there; b"" without one."""
    below, is_directory = path, table.row(path) is not None
    while below:
        above = split(below)[0]
        at = listed.get(above)
        if at is not None:
            if at <= position:
                return b""  # those above are compared with that
            wrong = (None, Mark.HERE) if is_directory else (None, Mark.DIRECTORY)
            if mark_of(table, below) in wrong:
                return below
        below, is_directory = above, True
    return b""


def is_apart(table: NameTable, earlier: NameTable) -> bool:
    """
    Whether no file of either archive has a path that the other uses as a directory.

    Cost: that of finding each name of *table* in *earlier*.
    """
    used = _with_all_above((*table.files.folders, *table.directories()))
    used_before = _with_all_above((*earlier.files.folders, *earlier.directories()))
    if any(path in used_before for path in _paths(table)):
        return False
    return not any(path and earlier.files.at(path) for path in used)


def _with_all_above(directories: Iterable[bytes]) -> set[bytes]:
    found = {b""}
    for directory in directories:
        while directory not in found:
            found.add(directory)
            directory = split(directory)[0]
    return found


def _paths(table: NameTable) -> Iterator[bytes]:
    """The paths of all members that are not directories."""
    files = table.files
    for number, folder in enumerate(files.folders):
        for name in files.names.some(files.firsts[number], files.firsts[number + 1]):
            yield join(folder, name)
