"""
Merging a tree from the archives of its path.

For an exact path the names are those in the listings of the last archive, completed with what it says nothing of (see
`silence`). The content of each is in that archive, or, if it is called unchanged, in the nearest earlier one that
carries it, under the path that its directory had then. For an overlay path the archives are laid over each other as tar
extracts them, and names are never deleted (see `overlaying`).

Hardly any directory changes from one archive to the next. So the merge goes backwards over the changes: a directory
with the same listing in two archives has nothing new to say, since the wanted names were called unchanged; only members
that it has anyway are taken.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from attrs import define, field

from ..comparing.silence import NOTHING, Kept, changed, completed, leaves_out, says_nothing_of
from ..names.columns import HARD_LINK, UNMADE, dumpdir_of
from ..names.name_table import Files, NameTable, OpenTable, is_odd, origins_between
from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Mark
from ..tar.paths import MAX_HELD_BYTES, split
from .draft import WANTED, TreeDraft
from .last_archive import LastArchive, odd_paths, packed_names, values_of
from .overlaying import laid_over
from .tree import BLOCK_BYTES, IS_DIRECTORY, IS_MOVED, GapKind, Tree

_MAX_HOPS = 64  # from one hard link to the next
_FEW = 4  # up to this many names are searched one by one


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
    are proven: then no archive is missing, and a name that is called unchanged but did not exist before is one that tar
    was told to leave out, or forgot where directories were renamed. It is not part of the tree, and not a loss.

    *apart* returns the parts of an archive by its number, if tar joined several dumps in it (see `joined`); without it
    they are taken as one.

    Each archive is opened once, and at most two are open at a time, unless one is joined. A member whose path has
    ``..`` in it is a gap, since tar does not extract it.

    Raises:
        TreeTooLarge: names and paths count for more than *limit_bytes*.
        MemberUnreadable: a relevant listing is malformed.
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
    """An archive has to be taken apart first."""


def _unjoined(opened: OpenTable) -> NameTable:
    table = opened()
    if table.is_joined:
        raise _IsJoined
    return table


@define
class _Jobs:
    """
    The directories in which names are wanted, by their paths in the current archive.

    *folders* has their numbers in the tree. *moved* are those that have another path in the later archive, with that
    path. *fresh* are to be examined whether they changed or not.
    """

    folders: dict[bytes, int] = field(factory=dict)
    moved: dict[bytes, bytes] = field(factory=dict)
    fresh: set[bytes] = field(factory=set)


class _NotAllIsSaid(Exception):
    """An archive says nothing of something that the one before it has."""


class _Exact:
    """
    Takes the names of the last archive, then goes backwards for the content of those that are called unchanged.

    *kept* is None if the archives are not completed (see `silence`): then merging ends with `_NotAllIsSaid` if one
    needs to be, which is rare and shows in what differs.
    """

    def __init__(self, draft: TreeDraft, path: Sequence[OpenTable], kept: Kept | None, is_proven: bool) -> None:
        self._draft = draft
        self._path = path
        self._is_completed = kept is not None
        self._kept = kept or NOTHING
        self._is_excused = is_proven  # names that the current archive lacks were left out
        self._links: list[tuple[int, bytes]] = []  # slots with a hard link of the current archive, and its target

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
        last = LastArchive(draft, index, table, self._kept)
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

    def _map_back(self, jobs: _Jobs, origins: DirectoryRenames) -> None:
        """Rekey *jobs* by the paths that the directories had before; names in new directories are gaps."""
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
        """Take the wanted names that the archive at *index* has, and leave in *jobs* those still wanted."""
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
        """Take the wanted names of *folder* from the members *within*, those of the folder *path*."""
        draft, files = self._draft, table.files
        slots = draft.within(folder)
        kind = 0 if draft.path_of(folder) == path else IS_MOVED
        has_unmade = table.has_odd_paths and UNMADE in files.letters[within.start : within.stop]
        is_like = len(within) == len(slots) and not has_unmade
        if is_like and packed_names(files.names, within) == packed_names(draft.texts(), slots):
            self._take_all(index, files, folder, within, kind)
            return
        names = files.names.some(within.start, within.stop)
        positions = files.positions[within.start : within.stop]
        known = None
        if len(names) > _FEW:
            known = dict(zip(draft.texts().some(slots.start, slots.stop), slots, strict=True))
        links, unmade = dict(files.links(within)), dict[int, bytes]()
        for number, name, position in zip(within, names, positions, strict=True):
            slot = known.get(name) if known is not None else draft.find(folder, name)
            if slot is None or draft.values[slot] != WANTED:
                continue
            if has_unmade and files.letters[number] == UNMADE:
                unmade[slot] = name
            else:
                draft.values[slot] = draft.value(index, position)
                draft.kinds[slot] |= kind
                draft.wanted[folder] -= 1
                if number in links:
                    self._links.append((slot, links[number]))
        for slot, name in unmade.items():
            if draft.values[slot] == WANTED:
                draft.lose(folder, slot, name, GapKind.BAD_TARGET)

    def _take_all(self, index: int, files: Files, folder: int, within: range, kind: int) -> None:
        """Take the wanted names of a folder if the archive has all its names, once each, in the same order."""
        draft = self._draft
        slots = draft.within(folder)
        values, have = values_of(draft, index, files, within), draft.values[slots.start : slots.stop]
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
            return  # same names, and those called here were taken: the wanted ones are called unchanged
        draft = self._draft
        for listing in table.listings(path):
            marks = dumpdir_of(table.position(path) * BLOCK_BYTES, listing).names
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
        for path in odd_paths(table):
            if split(path)[0] in folders:
                self._draft.gap_at_odd(path)

    def _follow(self, index: int, table: NameTable, folder_of: Callable[[bytes], int | None]) -> None:
        """
        Give every hard link of one archive the content of its target, which is in the same archive; a link without a
        target is a gap.
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
        The target of a hard link whose path has other content by now: the last member there that is not a link. If none
        exists, the link's own *value*.
        """
        letters = table.files.letters
        found = [number for number in table.files.at(path) if letters[number] not in (HARD_LINK, UNMADE)]
        if not found or (table.has_odd_paths and is_odd(path)):
            return value
        return self._draft.value(index, table.files.positions[found[-1]])
