"""
Laying archives over each other, as tar extracts them one by one into one directory: names are never deleted.

A member that cannot be extracted is a gap until something is extracted at its path, or a file at a path above it.

Members are taken in the order of the tar, because one may be in the way of another. The first archive, by far the
largest, mostly has no such members: then its folders are taken at once. Folders that are not in use are kept packed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter

from attrs import define, field, frozen

from ..names.columns import DIRECTORY, HARD_LINK, UNMADE
from ..names.name_table import Files, NameTable, OpenTable, is_odd
from ..tar.paths import DIRECTORY_BYTES, NAME_BYTES, join, split
from .draft import TreeDraft
from .tree import IMPLIED, IS_DIRECTORY, GapKind

_OPEN_NAMES = 100_000  # names in unpacked folders before all are packed


def laid_over(draft: TreeDraft, path: Sequence[OpenTable]) -> None:
    """Fill *draft* with the tree after all archives of *path*. Raises like `merging.merge`."""
    overlay = _Overlay(draft)
    for index, opened in enumerate(path):
        overlay.take(index, opened())
    overlay.finish()


@frozen
class _Packed:
    names: bytes  # each followed by a NUL
    values: array[int]

    def opened(self) -> dict[bytes, int]:
        return dict(zip(self.names.split(b"\0"), self.values, strict=False))


@define
class _Folders:
    """The names in each directory, by its path."""

    _packed: dict[bytes, _Packed] = field(factory=dict)
    _opened: dict[bytes, dict[bytes, int]] = field(factory=dict)
    _open_names: int = 0

    def __contains__(self, path: bytes) -> bool:
        return path in self._opened or path in self._packed

    def __iter__(self) -> Iterator[bytes]:
        yield from self._packed
        yield from self._opened

    def get(self, path: bytes) -> dict[bytes, int] | None:
        """The names in *path*, for changing; None if it is not a directory."""
        found = self._opened.get(path)
        if found is None and path in self._packed:
            found = self._opened[path] = self._packed.pop(path).opened()
            self._open_names += len(found)
        return found

    def make(self, path: bytes) -> dict[bytes, int]:
        made: dict[bytes, int] = {}
        self._opened[path] = made
        return made

    def put(self, path: bytes, names: bytes, values: array[int]) -> None:
        self._opened.pop(path, None)
        self._packed[path] = _Packed(names, values)

    def drop(self, path: bytes) -> None:
        self._opened.pop(path, None)
        self._packed.pop(path, None)

    def rest(self, added: int) -> None:
        """Pack the open folders if they have many names; up to *added* names were added since the last call."""
        self._open_names += added
        if self._open_names > _OPEN_NAMES:
            self.pack()

    def pack(self) -> None:
        for path, names in list(self._opened.items()):
            self.put(path, b"".join([name + b"\0" for name in names]), array("q", names.values()))
        self._open_names = 0

    def sorted(self) -> Iterator[tuple[bytes, list[tuple[bytes, int]]]]:
        """All directories with their names and values, ascending. Must be the last call."""
        self.pack()
        for path in sorted(self._packed):
            yield path, sorted(self._packed.pop(path).opened().items())


class _Overlay:
    def __init__(self, draft: TreeDraft) -> None:
        self._draft = draft
        self._folders = _Folders()
        self._folders.make(b"")
        self._unmade: set[bytes] = set()  # paths whose member cannot be made, with nothing laid over them since
        self._gaps: dict[bytes, tuple[GapKind, int]] = {}  # others, likewise, with the step of the member
        self._step = 0
        self._filed: dict[bytes, int] = {}  # the last step that put a file where gaps may be below
        self._links: dict[int, int] = {}  # the value of a hard link -> the value for the member with its content
        self._is_empty = True

    def take(self, index: int, table: NameTable) -> None:
        """Lay an archive over the tree so far."""
        if not (self._is_empty and self._take_at_once(index, table)):
            for at, letter, path, target in _in_order(table):
                if table.has_odd_paths and is_odd(path):
                    self._draft.gap_at_odd(path)
                elif letter == UNMADE:
                    self._unmade.add(path)
                else:
                    self._unmade.discard(path)
                    self._extract(self._draft.value(index, at), letter, path, target)
        self._folders.pack()
        self._is_empty = False

    def finish(self) -> None:
        """Write the result into the draft."""
        draft = self._draft
        draft.let_go()
        for path in sorted(self._unmade):
            draft.gap_unmade(path)
        for path, (kind, step) in self._gaps.items():
            if not self._is_filed_above(path, step):
                draft.gap(path, kind)
        linked: list[tuple[int, int]] = []
        below = self._kids()
        for path, found in self._folders.sorted():
            names = [name for name, _ in found]
            values = array("q", [value for _, value in found])
            kids = below.pop(path, set())
            kinds = bytes(IS_DIRECTORY * (name in kids) for name in names) if kids else bytes(len(names))
            if self._links:
                start = len(draft.values)
                linked += (
                    (start + slot, self._links[value]) for slot, value in enumerate(values) if value in self._links
                )
            draft.add(path, names, b"".join([name + b"\0" for name in names]), values, kinds)
        for slot, content in linked:
            draft.link(slot, content)

    def _kids(self) -> dict[bytes, set[bytes]]:
        below: dict[bytes, set[bytes]] = {}
        for path in self._folders:
            if path:
                above, name = split(path)
                below.setdefault(above, set()).add(name)
        return below

    # -- an archive none of whose members is in the way of another -----------------------------------------------------

    def _take_at_once(self, index: int, table: NameTable) -> bool:
        """Take all of an archive and return True; or take nothing, if the order of its members matters."""
        if table.has_odd_paths:
            return False
        below = self._directories_in(index, table)
        files = table.files
        within = {
            path: range(files.firsts[number], files.firsts[number + 1]) for number, path in enumerate(files.folders)
        }
        for path, numbers in within.items():
            names = files.names.some(numbers.start, numbers.stop)
            if not all(map(bytes.__lt__, names, names[1:])) or not below[path].keys().isdisjoint(names):
                return False
        links = self._links_in(index, table)
        if links is None:
            return False
        self._links = links
        for path, kids in below.items():
            self._put(index, files, path, kids, within.get(path, range(0)))
        return True

    def _directories_in(self, index: int, table: NameTable) -> dict[bytes, dict[bytes, int]]:
        """All directories of an archive and those above, each with the directories in it and their values."""
        below: dict[bytes, dict[bytes, int]] = {b"": {}}
        for path in (*table.directories(), *table.files.folders):
            missing = []
            while path not in below:
                missing.append(path)
                below[path] = {}
                path = split(path)[0]
            for directory in missing:
                self._draft.hold(len(directory))
                above, name = split(directory)
                below[above][name] = IMPLIED
        for path, at in zip(table.directories(), table.positions(), strict=True):
            above, name = split(path)
            if path:
                below[above][name] = self._draft.value(index, at)
            else:
                self._draft.root = self._draft.value(index, at)
        return below

    def _links_in(self, index: int, table: NameTable) -> dict[int, int] | None:
        """The hard links of an archive if each is to a file that stands before it; else None."""
        files = table.files
        links: dict[int, int] = {}
        for number, target in sorted(files.links(range(len(files))), key=lambda link: files.positions[link[0]]):
            to = files.at(target)
            if not to or files.positions[to.start] >= files.positions[number]:
                return None
            content = self._draft.value(index, files.positions[to.start])
            links[self._draft.value(index, files.positions[number])] = links.get(content, content)
        return links

    def _put(self, index: int, files: Files, path: bytes, kids: dict[bytes, int], within: range) -> None:
        draft = self._draft
        values = array("q", [draft.value(index, at) for at in files.positions[within.start : within.stop]])
        packed = files.names.packed(within.start, within.stop)
        self._hold(path, packed, len(values) + len(kids))
        if kids:
            values.extend(kids.values())
            packed += b"".join([name + b"\0" for name in kids])
        self._folders.put(path, packed, values)

    def _hold(self, path: bytes, packed: bytes, count: int) -> None:
        self._draft.hold(len(path) + DIRECTORY_BYTES + len(packed) + NAME_BYTES * count)

    # -- member by member ----------------------------------------------------------------------------------------------

    def _extract(self, value: int, letter: int, path: bytes, target: bytes) -> None:
        draft, folders = self._draft, self._folders
        folders.rest(1)
        self._step += 1
        if not path:
            draft.root = value if letter == DIRECTORY else draft.root
            return
        if (file := self._file_above(path)) is not None:
            self._filed.setdefault(file, 0)
            self._gap(path, GapKind.IN_THE_WAY)
            return
        directory, name = split(path)
        if letter == DIRECTORY:
            self._gaps.pop(path, None)
            self._directory(path)  # replaces a file of this name
            self._directory(directory)[name] = value
            return
        content = value
        if letter == HARD_LINK:
            above, linked_name = split(target)
            linked = (folders.get(above) or {}).get(linked_name, IMPLIED)
            if linked < 0 or target in folders:
                self._gap(path, GapKind.NO_TARGET)
                while directory not in folders:  # the member made none of these, so a file may take the place of one
                    self._filed.setdefault(directory, 0)
                    directory = split(directory)[0]
                return
            content = self._links.get(linked, linked)
        if folders.get(path):
            self._gap(path, GapKind.IN_THE_WAY)  # tar removes only empty directories
            return
        self._gaps.pop(path, None)
        if path in self._filed or path in folders:
            self._filed[path] = self._step
        folders.drop(path)
        names = self._directory(directory)
        if name not in names:
            draft.hold(NAME_BYTES + len(name))
        names[name] = value
        if content != value:
            self._links[value] = content

    def _gap(self, path: bytes, kind: GapKind) -> None:
        self._draft.hold(NAME_BYTES + len(path))
        self._gaps[path] = (kind, self._step)

    def _is_filed_above(self, path: bytes, step: int) -> bool:
        """Whether a file was put somewhere above *path* after *step*."""
        while path and self._filed:
            path = split(path)[0]
            if self._filed.get(path, 0) > step:
                return True
        return False

    def _directory(self, path: bytes) -> dict[bytes, int]:
        """The names in *path*, which becomes a directory with all above it if it is not one yet."""
        found = self._folders.get(path)
        missing = []
        while path not in self._folders:
            self._draft.hold(len(path) + DIRECTORY_BYTES)
            missing.append(path)
            path = split(path)[0]
        for directory in reversed(missing):
            above, name = split(directory)
            self._directory(above).setdefault(name, IMPLIED)
            found = self._folders.make(directory)
        assert found is not None  # it existed, or was made last
        return found

    def _file_above(self, path: bytes) -> bytes | None:
        """The path of the file that is somewhere above *path*; None without one."""
        directory, name = split(path)
        while directory not in self._folders:
            directory, name = split(directory)
        below = join(directory, name)
        return below if below != path and name in (self._folders.get(directory) or {}) else None


def _in_order(table: NameTable) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Position, letter, path and, for a hard link, target of all members, in the order of the tar."""
    directories = sorted(zip(table.positions(), table.directories(), strict=True))
    of_directories = ((at, DIRECTORY, path, b"") for at, path in directories)
    return merge(of_directories, _files_in_order(table.files), key=itemgetter(0))


def _files_in_order(files: Files) -> Iterator[tuple[int, int, bytes, bytes]]:
    within, folder = range(0), b""
    for number in files.order:
        if number not in within:  # members of a folder mostly stand side by side
            place = bisect_right(files.firsts, number) - 1
            within, folder = range(files.firsts[place], files.firsts[place + 1]), files.folders[place]
        letter = files.letters[number]
        target = b""
        if letter == HARD_LINK:
            ((_, target),) = files.links(range(number, number + 1))
        yield files.positions[number], letter, join(folder, files.names[number]), target
