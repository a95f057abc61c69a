"""
Merging a tree from the archives of its path.

Of an exact path the names are those that the last archive lists, with what it says nothing of, see `silence`. The
content of each is in that archive, or, if it is called unchanged, in the nearest one before that carries it, under the
name that its directory had then. Of an overlay path the archives are laid over each other as tar extracts them, and
nothing is ever deleted, see `overlaying`.

Hardly a directory changes from one archive to the next. So the merge goes backwards over what changed: a directory
whose listing is the same in two archives has nothing new to say, since what is wanted there was called unchanged; only
members that are there all the same are taken.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from attrs import define, field

from ..comparing.silence import NOTHING, Kept, changed, completed, leaves_out, says_nothing_of
from ..names.columns import HARD_LINK, listing_of
from ..names.name_table import Files, NameTable, OpenTable, is_odd, origins_between
from ..names.packed_texts import Texts
from ..names.renames import Origins
from ..tar.dumpdirs import Mark
from ..tar.paths import MAX_HELD_BYTES, is_placeable, join, split
from .draft import WANTED, TreeDraft
from .overlaying import laid_over
from .tree import BLOCK_BYTES, IMPLIED, IS_DIRECTORY, IS_MOVED, GapKind, Tree

_PROMISED = -1  # it is in the archive at hand, says a listing
_LISTED = {Mark.UNCHANGED: WANTED, Mark.HERE: _PROMISED, Mark.DIRECTORY: IMPLIED}
_MAX_HOPS = 64  # from one hard link to the next
_FEW = 4  # names that are looked for one by one


def merge(
    path: Sequence[OpenTable],
    is_exact: bool,
    is_proven: bool = False,
    limit_bytes: int = MAX_HELD_BYTES,
    apart: Callable[[int], Sequence[NameTable]] | None = None,
) -> Tree:
    """
    The tree at the end of *path*, the archives of a restore point, the base first.

    *is_exact* says that all of them have listings (the point's fidelity). *is_proven* says that all links of the path
    are proven: then no archive is missing, and a name that is called unchanged and was not there before is one that tar
    was told to leave out, or forgot where directories were renamed. It is no part of the tree, and no loss.

    *apart* gives the parts of an archive by its number, where tar joined several dumps in it (see `joined`); without it
    those are taken for one.

    Each archive is opened once, and at most two are open at a time, unless one is joined. A member whose path has
    ``..`` in it is a gap, since tar extracts nothing of it.

    Raises:
        TreeTooLarge: names and paths count for more than *limit_bytes*.
        MemberUnreadable: a listing that matters is malformed.
    """
    if not (path and is_exact):
        draft = TreeDraft(len(path), limit_bytes)
        laid_over(draft, path)
        return draft.tree()
    try:
        return _merged(path, is_proven, limit_bytes, heeds_joints=apart is not None).tree()
    except _IsJoined:
        assert apart is not None
        parts: list[OpenTable] = []
        owners: list[int] = []
        for index, opened in enumerate(path):
            own = [partial(_given, part) for part in apart(index)] if opened().is_joined else [opened]
            parts += own
            owners += [index] * len(own)
        draft = _merged(parts, is_proven, limit_bytes, heeds_joints=False)
        draft.gather(owners, len(path))
        return draft.tree()


def _given(table: NameTable) -> NameTable:
    return table


def _merged(path: Sequence[OpenTable], is_proven: bool, limit_bytes: int, *, heeds_joints: bool) -> TreeDraft:
    if heeds_joints:
        path = [partial(_unjoined, opened) for opened in path]
    try:
        draft = TreeDraft(len(path), limit_bytes)
        _Exact(draft, path, None, is_proven).merge()
    except _NotAllIsSaid:
        draft = TreeDraft(len(path), limit_bytes)
        tables, kept = completed(path, limit_bytes)
        _Exact(draft, tables, kept, is_proven).merge()
    return draft


class _IsJoined(Exception):
    """An archive is to be taken apart first."""


def _unjoined(opened: OpenTable) -> NameTable:
    table = opened()
    if table.is_joined:
        raise _IsJoined
    return table


@define
class _Jobs:
    """
    The directories where something is wanted, by their paths in the archive at hand.

    *folders* has their numbers in the tree. *moved* are those that have another path in the archive behind, which is
    told. *fresh* are to be looked into whether they changed or not.
    """

    folders: dict[bytes, int] = field(factory=dict)
    moved: dict[bytes, bytes] = field(factory=dict)
    fresh: set[bytes] = field(factory=set)


class _NotAllIsSaid(Exception):
    """An archive says nothing of something that the one before it has."""


class _Exact:
    """
    Names of the last archive; then backwards for the content of those that are called unchanged.

    *kept* is None of archives that are not completed (see `silence`): then merging ends with `_NotAllIsSaid` where one
    would have to be, which is seldom, and seen by what differs.
    """

    def __init__(self, draft: TreeDraft, path: Sequence[OpenTable], kept: Kept | None, is_proven: bool) -> None:
        self._draft = draft
        self._path = path
        self._is_completed = kept is not None
        self._kept = kept or NOTHING
        self._is_excused = is_proven  # names that are missing in the archive at hand were left out
        self._links: list[tuple[int, bytes]] = []  # slots that got a hard link of the archive at hand, and to what

    def merge(self) -> None:
        last = len(self._path) - 1
        behind = self._path[last]()
        jobs = self._take_last(last, behind)
        for index in range(last - 1, -1, -1):
            table = self._path[index]()
            if not jobs.folders:
                if self._is_completed:
                    return
                self._watch(table, behind, changed(table, behind))
                behind = table
                continue
            origins = origins_between(behind, table)
            if not origins.is_trivial:
                self._map_back(jobs, origins)
            self._find(index, table, behind, jobs)
            behind = table
        for folder in jobs.folders.values():
            for slot, name in self._draft.still_wanted(folder):
                self._draft.lose(folder, slot, name, GapKind.LEFT_OUT)

    # -- the last archive --------------------------------------------------------------------------------------------

    def _take_last(self, index: int, table: NameTable) -> _Jobs:
        draft, jobs = self._draft, _Jobs()
        last = _Last(draft, index, table, self._kept)
        folders: dict[bytes, int] = {}
        for path in last.paths():
            folder, links = last.take(path)
            folders[path] = folder
            self._links += links
            if draft.wanted[folder]:
                jobs.folders[path] = folder
                if len(table.listings(path)) > 1:
                    jobs.fresh.add(path)
        draft.root = last.value_of_root()
        self._follow(index, table, folders.get)
        return jobs

    # -- those before ------------------------------------------------------------------------------------------------

    def _map_back(self, jobs: _Jobs, origins: Origins) -> None:
        """Have *jobs* by the paths that the directories had before; names in those that were not there are gaps."""
        before: dict[bytes, int] = {}
        jobs.moved.clear()
        for path, folder in jobs.folders.items():
            was = origins.before(path)
            if was is None or was in before:
                self._lose_all(folder)
            else:
                before[was] = folder
                if was != path:
                    jobs.moved[was] = path
        jobs.folders = before

    def _find(self, index: int, table: NameTable, behind: NameTable, jobs: _Jobs) -> None:
        """Take from the archive at *index* what it has of the names that are wanted, and leave there what still is."""
        folders = jobs.folders
        differing = changed(table, behind)
        if not self._is_completed:
            self._watch(table, behind, differing if jobs.moved else differing.difference(folders))
        looked_into = differing.intersection(folders)
        looked_into.update(path for path in jobs.fresh if path in folders)
        looked_into.update(jobs.moved)
        with_files = [(number, path) for number, path in enumerate(table.files.folders) if path in folders]
        for number, path in with_files:
            if not (table.has_odd_paths and is_odd(path)):
                within = range(table.files.firsts[number], table.files.firsts[number + 1])
                self._take(index, table, path, folders[path], within)
        for path in looked_into:
            if self._draft.wanted[folders[path]]:
                self._judge(table, behind, path, jobs)
        if table.has_odd_paths:
            self._note_odd(table, folders)
        self._follow(index, table, folders.get)
        for path in {*looked_into, *(path for _, path in with_files)}:
            if not self._draft.wanted[folders[path]]:
                del folders[path]
        jobs.moved.clear()
        jobs.fresh.clear()

    def _take(self, index: int, table: NameTable, path: bytes, folder: int, within: range) -> None:
        """Take what is wanted in a folder of the members *within*, which are those of the folder *path*."""
        draft, files = self._draft, table.files
        slots = draft.within(folder)
        kind = 0 if draft.path_of(folder) == path else IS_MOVED
        if len(within) == len(slots) and _packed(files.names, within) == _packed(draft.texts(), slots):
            self._take_all(index, files, folder, within, kind)
            return
        names = files.names.some(within.start, within.stop)
        positions = files.positions[within.start : within.stop]
        known = None
        if len(names) > _FEW:
            known = dict(zip(draft.texts().some(slots.start, slots.stop), slots, strict=True))
        links = dict(files.links(within))
        for number, name, position in zip(within, names, positions, strict=True):
            slot = known.get(name) if known is not None else draft.find(folder, name)
            if slot is not None and draft.values[slot] == WANTED:
                draft.values[slot] = draft.value(index, position)
                draft.kinds[slot] |= kind
                draft.wanted[folder] -= 1
                if number in links:
                    self._links.append((slot, links[number]))

    def _take_all(self, index: int, files: Files, folder: int, within: range, kind: int) -> None:
        """Take what is wanted of a folder of which the archive has all names, once each, in the same order."""
        draft = self._draft
        slots = draft.within(folder)
        values, have = _values(draft, index, files, within), draft.values[slots.start : slots.stop]
        is_wanted = [value == WANTED for value in have]
        if draft.wanted[folder] != len(slots):
            values = array(
                "q", [new if is_new else old for new, old, is_new in zip(values, have, is_wanted, strict=True)]
            )
        draft.values[slots.start : slots.stop] = values
        draft.wanted[folder] = 0
        if kind:
            kinds = zip(draft.kinds[slots.start : slots.stop], is_wanted, strict=True)
            draft.kinds[slots.start : slots.stop] = bytes(each | kind * is_new for each, is_new in kinds)
        for number, to in files.links(within):
            if is_wanted[number - within.start]:
                self._links.append((slots.start + number - within.start, to))

    def _judge(self, table: NameTable, behind: NameTable, path: bytes, jobs: _Jobs) -> None:
        """Judge the names that are still wanted in *path* by its listing."""
        folder = jobs.folders[path]
        row, was = table.row(path), behind.row(jobs.moved.get(path, path))
        if row is None or not row.listed or (table.has_odd_paths and is_odd(path)):
            if not self._is_completed and says_nothing_of(table, path):
                raise _NotAllIsSaid
            self._lose_all(folder)
            return
        if row.named and was is not None and row.named == was.named and row.is_complete:
            return  # the same names, and those that it calls here were taken: what is wanted is called unchanged
        draft = self._draft
        for listing in table.listings(path):
            marks = listing_of(table.position(path) * BLOCK_BYTES, listing).names
            for slot, name in list(draft.still_wanted(folder)):
                mark = marks.get(name)
                if mark is Mark.HERE:
                    draft.lose(folder, slot, name, GapKind.NOT_ARCHIVED)
                elif mark is not Mark.UNCHANGED:
                    kind = GapKind.WAS_DIRECTORY if mark is Mark.DIRECTORY else GapKind.MISSING
                    draft.lose(folder, slot, name, GapKind.LEFT_OUT if self._is_excused else kind)

    def _watch(self, table: NameTable, behind: NameTable, differing: Iterable[bytes]) -> None:
        if leaves_out(behind, table, differing):
            raise _NotAllIsSaid

    def _lose_all(self, folder: int) -> None:
        for slot, name in list(self._draft.still_wanted(folder)):
            self._draft.lose(folder, slot, name, GapKind.LEFT_OUT if self._is_excused else GapKind.MISSING)

    def _note_odd(self, table: NameTable, folders: Mapping[bytes, int]) -> None:
        for path in _odd_paths(table):
            if split(path)[0] in folders:
                self._draft.gap_at_odd(path)

    def _follow(self, index: int, table: NameTable, folder_of: Callable[[bytes], int | None]) -> None:
        """
        Give every hard link of one archive the content of what it links to, which is in the same archive; a link to
        nothing is a gap.
        """
        draft = self._draft
        to: dict[int, int] = {}
        for slot, target in self._links:
            value = draft.values[slot]
            directory, name = split(target)
            folder = folder_of(directory)
            found = draft.find(folder, name) if folder is not None else None
            content = draft.values[found] if found is not None else WANTED
            is_folder = found is not None and draft.kinds[found] & IS_DIRECTORY
            if is_folder or content < 0 or draft.archive_of(content) != index or content == value:
                content = self._replaced(index, table, target, value)
            to[value] = content
        for slot, _ in self._links:
            content = to[draft.values[slot]]
            for _ in range(_MAX_HOPS):
                if (further := to.get(content, content)) == content:
                    break
                content = further
            if content in to:
                draft.drop(slot, GapKind.NO_TARGET)
            else:
                draft.link(slot, content)
        self._links.clear()

    def _replaced(self, index: int, table: NameTable, path: bytes, value: int) -> int:
        """
        What a hard link links to whose target has other content by now: the last member there that is no link. Its own
        *value* where there is no such member.
        """
        found = [number for number in table.files.at(path) if table.files.letters[number] != HARD_LINK]
        if not found or (table.has_odd_paths and is_odd(path)):
            return value
        return self._draft.value(index, table.files.positions[found[-1]])


class _Last:
    """The folders of the last archive, whose names are those of the tree."""

    def __init__(self, draft: TreeDraft, index: int, table: NameTable, kept: Kept) -> None:
        self._draft = draft
        self._index = index
        self._table = table
        self._kept = kept.folders
        self._members = dict(zip(table.directories(), table.positions(), strict=True))
        self._files = dict(zip(table.files.folders, map(range, *_bounds(table.files)), strict=True))
        self._below: dict[bytes, list[bytes]] = {}  # directories in directories
        self._known: set[bytes] = {b""}

    def paths(self) -> list[bytes]:
        """All directories of the tree, ascending."""
        table = self._table
        table.renames  # noqa: B018  # what is malformed is told of, whether it matters or not
        for path in _odd_paths(table) if table.has_odd_paths else ():
            self._draft.gap_at_odd(path)
        for path in (*self._members, *_folders_of_files(table)):
            if not (table.has_odd_paths and is_odd(path)):
                self._add(path)
        for path in self._members:
            if not (table.has_odd_paths and is_odd(path)):
                for listing in table.listings(path):
                    if listing[:1] == b"D" or b"\0D" in listing:
                        self._add_listed(path, listing)
        return sorted(self._known)

    def _add(self, path: bytes) -> None:
        """Note the directory *path* with all above it."""
        while path not in self._known:
            self._draft.hold(len(path))
            self._known.add(path)
            above, name = split(path)
            self._below.setdefault(above, []).append(name)
            path = above

    def _add_listed(self, path: bytes, listing: bytes) -> None:
        for name, mark in listing_of(self._members[path] * BLOCK_BYTES, listing).names.items():
            if mark is Mark.DIRECTORY:
                if is_placeable(below := join(path, name)):
                    self._add(below)
                else:
                    self._draft.gap(below, GapKind.TOO_DEEP)

    def value_of_root(self) -> int:
        return self._value(b"")

    def _value(self, path: bytes) -> int:
        """What the directory *path* has."""
        if path in self._kept:
            folder = self._kept[path]
            return self._draft.value(folder.archive, folder.position) if folder.position >= 0 else IMPLIED
        return self._draft.value(self._index, self._members[path]) if path in self._members else IMPLIED

    def take(self, path: bytes) -> tuple[int, list[tuple[int, bytes]]]:
        """Add the folder *path* to the tree: its number, and the slots of hard links, with the paths they are to."""
        table = self._table
        listings = table.listings(path) if path in self._members else ()
        within = self._files.get(path, range(0))
        if len(listings) == 1 and path not in self._below and not table.has_odd_paths:
            folder = self._take_uniform(path, listings[0], within)
            if folder is not None:
                start = self._draft.firsts[folder] - within.start
                return folder, [(start + number, to) for number, to in table.files.links(within)]
        return self._take_any(path, listings, within)

    def _take_uniform(self, path: bytes, listing: bytes, within: range) -> int | None:
        """Add a folder all of whose files are called unchanged, or all here and are; None if it is any other."""
        draft, files = self._draft, self._table.files
        packed = _uniform(listing, b"Y" if within else b"N")
        if packed is None or (within and _packed(files.names, within) != packed):
            return None
        names = packed.split(b"\0")[:-1]
        if not all(map(bytes.__lt__, names, names[1:])) or b"." in names or b".." in names:
            return None
        values = _values(draft, self._index, files, within) if within else array("q", (WANTED,)) * len(names)
        return draft.add(path, names, packed, values, bytes(len(names)))

    def _take_any(self, path: bytes, listings: Sequence[bytes], within: range) -> tuple[int, list[tuple[int, bytes]]]:
        draft, table, files = self._draft, self._table, self._table.files
        found: dict[bytes, int] = {}
        for listing in listings:
            for name, mark in listing_of(self._members[path] * BLOCK_BYTES, listing).names.items():
                found.setdefault(name, _LISTED[mark])
        below = self._below.get(path, ())
        positions = {name: self._members[at] for name in below if (at := join(path, name)) in self._members}
        for name in below:
            found[name] = self._value(join(path, name))
        links: dict[bytes, int] = {}
        for number, name in zip(within, files.names.some(within.start, within.stop), strict=True):
            if table.has_odd_paths and is_odd(join(path, name)):
                continue
            if files.positions[number] > positions.get(name, -1):  # the later of two members counts
                found[name] = draft.value(self._index, files.positions[number])
                if files.letters[number] == HARD_LINK:
                    links[name] = number
                else:
                    links.pop(name, None)
        is_below = set(below)
        for name in [name for name, value in found.items() if value == _PROMISED]:
            del found[name]
            draft.gap(join(path, name), GapKind.NOT_ARCHIVED)
        for name in [name for name, value in found.items() if value == IMPLIED and name not in is_below]:
            del found[name]  # listed as a directory, too deep
        names = sorted(found)
        kinds = bytes(IS_DIRECTORY * (name in is_below) for name in names)
        folder = draft.add(path, names, b"".join(name + b"\0" for name in names), _array(found, names), kinds)
        start = draft.firsts[folder]
        targets = {number: to for number in links.values() for _, to in files.links(range(number, number + 1))}
        return folder, [(start + slot, targets[links[name]]) for slot, name in enumerate(names) if name in links]


def _bounds(files: Files) -> tuple[Sequence[int], Sequence[int]]:
    """Where the files of each folder begin and end."""
    firsts = files.firsts[:]
    return firsts[:-1], firsts[1:]


def _array(found: Mapping[bytes, int], names: Iterable[bytes]) -> array[int]:
    return array("q", map(found.__getitem__, names))


def _values(draft: TreeDraft, index: int, files: Files, within: range) -> array[int]:
    archives = draft.archives
    return array("q", [at * archives + index for at in files.positions[within.start : within.stop]])


def _packed(names: Texts, within: range) -> bytes:
    return names.packed(within.start, within.stop)


def _uniform(listing: bytes, letter: bytes) -> bytes | None:
    """The names, packed, of a listing that has this one letter for all of them; None of any other, or an odd one."""
    if listing[:1] != letter or listing[-2:] != b"\0\0" or b"/" in listing:
        return None
    packed = (b"\0" + listing).replace(b"\0" + letter, b"\0")
    if len(packed) - 1 != len(listing) - (listing.count(b"\0") - 1):
        return None
    return packed[1:-1]


def _folders_of_files(table: NameTable) -> Iterator[bytes]:
    """The folders that have files, but for odd ones."""
    files = table.files
    if not table.has_odd_paths:
        yield from files.folders
        return
    for number, folder in enumerate(files.folders):
        names = files.names.some(files.firsts[number], files.firsts[number + 1])
        if not all(is_odd(join(folder, name)) for name in names):
            yield folder


def _odd_paths(table: NameTable) -> Iterator[bytes]:
    """The paths of all members that are odd (see `is_odd`)."""
    yield from filter(is_odd, table.directories())
    files = table.files
    for number, folder in enumerate(files.folders):
        for name in files.names.some(files.firsts[number], files.firsts[number + 1]):
            if is_odd(path := join(folder, name)):
                yield path
