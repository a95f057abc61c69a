"""The folders of the last archive of a point, which names everything in the tree."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..comparing.silence import Kept
from ..names.columns import HARD_LINK, UNMADE, dumpdir_of
from ..names.name_table import Files, NameTable, is_odd
from ..names.packed_texts import Texts
from ..tar.dumpdirs import Mark
from ..tar.paths import DIRECTORY_BYTES, is_placeable, join, split
from .draft import WANTED, TreeDraft
from .tree import BLOCK_BYTES, IMPLIED, IS_DIRECTORY, GapKind

PROMISED = -1  # a listing says that it is in the current archive


LISTED = {Mark.UNCHANGED: WANTED, Mark.HERE: PROMISED, Mark.DIRECTORY: IMPLIED}


class LastArchive:
    """The folders of the last archive, whose names are those of the tree."""

    def __init__(self, draft: TreeDraft, index: int, table: NameTable, kept: Kept) -> None:
        self._draft = draft
        self._index = index
        self._table = table
        self._kept = kept.folders
        self._members = dict(zip(table.directories(), table.positions(), strict=True))
        self._files = dict(zip(table.files.folders, map(range, *bounds_of(table.files)), strict=True))
        self._below: dict[bytes, list[bytes]] = {}  # directories in directories
        self._known: set[bytes] = {b""}

    def paths(self) -> list[bytes]:
        """All directories of the tree, ascending."""
        table = self._table
        table.renames  # noqa: B018  # raises for a malformed listing, whether it matters or not
        for path in odd_paths(table) if table.has_odd_paths else ():
            self._draft.gap_at_odd(path)
        for path in (*self._members, *folders_of_files(table)):
            if not (table.has_odd_paths and is_odd(path)):
                self._add(path)
        return sorted(self._known)

    def _add(self, path: bytes) -> None:
        """Note the directory *path* with all above it."""
        while path not in self._known:
            self._draft.hold(len(path))
            self._known.add(path)
            above, name = split(path)
            self._below.setdefault(above, []).append(name)
            path = above

    def value_of_root(self) -> int:
        return self._value(b"")

    def _value(self, path: bytes) -> int:
        """The value of the directory *path*."""
        if path in self._kept:
            folder = self._kept[path]
            return self._draft.value(folder.archive, folder.position) if folder.position >= 0 else IMPLIED
        return self._draft.value(self._index, self._members[path]) if path in self._members else IMPLIED

    def take(self, path: bytes) -> tuple[int, list[tuple[int, bytes]]]:
        """Add the folder *path* to the tree; return its number and, by slot, the paths that hard links are to."""
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
        """Add a folder if all its files are called unchanged, or all are called here and are; else return None."""
        draft, files = self._draft, self._table.files
        packed = uniform_kind(listing, b"Y" if within else b"N")
        if packed is None or (within and packed_names(files.names, within) != packed):
            return None
        names = packed.split(b"\0")[:-1]
        if not all(map(bytes.__lt__, names, names[1:])) or b"." in names or b".." in names:
            return None
        values = values_of(draft, self._index, files, within) if within else array("q", (WANTED,)) * len(names)
        return draft.add(path, names, packed, values, bytes(len(names)))

    def _take_any(self, path: bytes, listings: Sequence[bytes], within: range) -> tuple[int, list[tuple[int, bytes]]]:
        draft, table, files = self._draft, self._table, self._table.files
        found: dict[bytes, int] = {}
        for listing in listings:
            for name, mark in dumpdir_of(self._members[path] * BLOCK_BYTES, listing).names.items():
                if mark is Mark.DIRECTORY or name not in found:
                    found[name] = LISTED[mark]
        below = self._below.get(path, ())
        positions = {name: self._members[at] for name in below if (at := join(path, name)) in self._members}
        for name in below:
            found[name] = self._value(join(path, name))
        links: dict[bytes, int] = {}
        unmade: set[bytes] = set()
        for number, name in zip(within, files.names.some(within.start, within.stop), strict=True):
            if table.has_odd_paths and is_odd(join(path, name)):
                continue
            if files.letters[number] == UNMADE:
                unmade.add(name)
                continue
            if files.positions[number] > positions.get(name, -1):  # the later of two members counts
                found[name] = draft.value(self._index, files.positions[number])
                if files.letters[number] == HARD_LINK:
                    links[name] = number
                else:
                    links.pop(name, None)
                unmade.discard(name)
        for name in unmade:
            draft.gap_unmade(join(path, name))
            if found.get(name) == PROMISED:
                del found[name]
        is_below = set(below)
        for name in [name for name, value in found.items() if value == PROMISED]:
            del found[name]
            draft.gap(join(path, name), GapKind.NOT_ARCHIVED)
        for name in [name for name, value in found.items() if value == IMPLIED and name not in is_below]:
            del found[name]  # a directory in the listing alone: no member for it here or in an earlier archive
            draft.hold(DIRECTORY_BYTES)
            whole = join(path, name)
            draft.gap(whole, GapKind.NOT_ARCHIVED if is_placeable(whole) else GapKind.TOO_DEEP)
        names = sorted(found)
        kinds = bytes(IS_DIRECTORY * (name in is_below) for name in names)
        folder = draft.add(path, names, b"".join(name + b"\0" for name in names), array_of(found, names), kinds)
        start = draft.firsts[folder]
        targets = {number: to for number in links.values() for _, to in files.links(range(number, number + 1))}
        return folder, [(start + slot, targets[links[name]]) for slot, name in enumerate(names) if name in links]


def bounds_of(files: Files) -> tuple[Sequence[int], Sequence[int]]:
    """Where the files of each folder begin and end."""
    firsts = files.firsts[:]
    return firsts[:-1], firsts[1:]


def array_of(found: Mapping[bytes, int], names: Iterable[bytes]) -> array[int]:
    return array("q", map(found.__getitem__, names))


def values_of(draft: TreeDraft, index: int, files: Files, within: range) -> array[int]:
    archives = draft.archives
    return array("q", [at * archives + index for at in files.positions[within.start : within.stop]])


def packed_names(names: Texts, within: range) -> bytes:
    return names.packed(within.start, within.stop)


def uniform_kind(listing: bytes, letter: bytes) -> bytes | None:
    """The packed names of a listing in which all have this letter; None for any other listing, or an odd one."""
    if listing[:1] != letter or listing[-2:] != b"\0\0" or b"/" in listing:
        return None
    packed = (b"\0" + listing).replace(b"\0" + letter, b"\0")
    if len(packed) - 1 != len(listing) - (listing.count(b"\0") - 1):
        return None
    return packed[1:-1]


def folders_of_files(table: NameTable) -> Iterator[bytes]:
    """The folders that have files, except odd ones."""
    files = table.files
    if not table.has_odd_paths:
        yield from files.folders
        return
    for number, folder in enumerate(files.folders):
        names = files.names.some(files.firsts[number], files.firsts[number + 1])
        if not all(is_odd(join(folder, name)) for name in names):
            yield folder


def odd_paths(table: NameTable) -> Iterator[bytes]:
    """The paths of all members that are odd (see `is_odd`)."""
    yield from filter(is_odd, table.directories())
    files = table.files
    for number, folder in enumerate(files.folders):
        for name in files.names.some(files.firsts[number], files.firsts[number + 1]):
            if is_odd(path := join(folder, name)):
                yield path
