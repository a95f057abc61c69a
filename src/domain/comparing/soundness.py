"""
Whether tar turns one archive's tree into the next one's.

The tree of the earlier archive is what its listings name. The later archive is extracted over that, by the model of
`extraction`, and the result is compared with what the later listings name: the same names, directories where they say
so, and where they say "unchanged" the same file as before, wherever renames took it. Names that the earlier archive
lacks are not judged here, but by `fitting`.

No rule here names the renames that tar gets wrong; the model shows them. If no directory was renamed, things can go
wrong at the top: tar does not remove what no listing covers before it extracts something of another kind. And they go
wrong where a listing above a directory does not name the way down to it, as after ``--transform``: tar then removes it
(see `cut_off`). What the later archive says nothing of stays in both. A renamed directory at the top is an exception:
tar leaves it where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from attrs import define, field, frozen

from ..names.columns import dumpdir_of
from ..names.dump_table import tops
from ..names.footprints import shown
from ..names.name_table import NameTable, mark_of
from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Dumpdir, Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.members import MemberType
from ..tar.paths import join, split
from .cut_off import cut_off
from .extraction import Extraction, Folder, Leaf
from .silence import strays

MAX_NAMES = 1_000_000
"""How many names beside and below renamed directories are followed, at 300 bytes each; beyond that tar is not used."""

_BEFORE, _NEW = 0, 1

_Nodes: TypeAlias = dict[bytes, dict[bytes, Folder | Leaf]]


def why_unsound(child: NameTable, parent: NameTable, origins: DirectoryRenames) -> str:
    """
    Why tar, extracting *child* over the tree of *parent*, does not produce the tree of *child*, as a clause; empty if
    it does.

    *origins* says where the directories of *child* were in *parent*.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: without renames, a step for each directory; with them, that of all names beside and below renamed directories.
    """
    if not origins.is_plausible:
        return "it renames more directories than are followed, or some whose paths are too long"
    if found := _in_the_way(child, parent) or cut_off(child, parent, origins):
        return found
    if origins.is_trivial:
        return ""
    for top in _tops(parent):
        if top in origins.moved_from and not _is_listed_above(top, child):
            return f"tar would leave {_told(top)} where it was, which was renamed at the top"
    trial = _Trial(_Concerned.by(origins.concerned, _first(child)))
    return trial.goes_wrong(child, parent, origins)


def _told(path: bytes) -> str:
    return shown(path) or "the top directory"


def _in_the_way(child: NameTable, parent: NameTable) -> str:
    """The clause about a top directory that is a file in *parent*, or an unlisted file that is a directory there."""
    for top in _tops(child):
        if parent.files.at(top) or (parent.row(top) is None and mark_of(parent, top) in (Mark.HERE, Mark.UNCHANGED)):
            return f"tar would not replace the file {_told(top)} by the directory that it is now"
    for folder, names in strays(child):
        for name in names:
            if parent.row(path := join(folder, name)) is not None:
                return f"tar would not replace the directory {_told(path)} by the file that it is now"
    return ""


def _tops(table: NameTable) -> Iterator[bytes]:
    """The directories with a listing that no other directory with a listing contains."""
    return tops(path for path in table.directories() if (row := table.row(path)) is not None and row.listed)


def _is_listed_above(path: bytes, table: NameTable) -> bool:
    """Whether *path*, or a directory above it, has a listing in *table*."""
    while True:
        row = table.row(path)
        if row is not None and row.listed:
            return True
        if not path:
            return False
        path = split(path)[0]


def _first(table: NameTable) -> bytes:
    """The first directory of the tar, whose listing has all renames."""
    paths = table.directories()
    return min(zip(table.positions(), paths, strict=True), default=(0, b""))[1]


@frozen
class _Concerned:
    """
    The directories that renames affect: those renamed, those below them, those directly above, and the one whose
    listing has the renames.
    """

    at: frozenset[bytes]
    above: frozenset[bytes]

    @classmethod
    def by(cls, at: frozenset[bytes], telling: bytes) -> _Concerned:
        above = {b"", telling}
        for path in at:
            over = split(path)[0]
            while over not in above:
                above.add(over)
                over = split(over)[0]
        return cls(at, frozenset(above))

    def __contains__(self, path: bytes) -> bool:
        if path in self.above:
            return True
        while path:
            if path in self.at:
                return True
            path = split(path)[0]
        return False


class _TooMuch(Exception):
    """The renames affect more names than are followed."""


@define
class _Trial:
    """One archive extracted over the tree of another, restricted to what renames affect."""

    concerned: _Concerned
    tried: Extraction = field(factory=Extraction)
    _names: int = 0

    def goes_wrong(self, child: NameTable, parent: NameTable, origins: DirectoryRenames) -> str:
        """Why tar does not produce the tree of *child*, as a clause; empty if it does."""
        try:
            before = self._begin(parent)
            links = self._extract(child)
        except _TooMuch:
            return f"more than {MAX_NAMES} names are beside or below the directories that it renames"
        if self.tried.failed:
            return f"tar would fail at {self.tried.failures[0]}"
        found = self._not_moved(child, parent, origins) or self._not_as_told(child, origins, before, links)
        return f"after its renames of directories, {found}" if found else ""

    def _not_moved(self, child: NameTable, parent: NameTable, origins: DirectoryRenames) -> str:
        """
        The clause about a renamed directory that is not at its new path, even if *child* has no member for it there.
        """
        for now in origins.concerned:
            was = origins.before(now)
            if was in (None, now) or child.row(now) is not None or parent.row(was) is None:
                continue
            if not isinstance(self.tried.find(now), Folder):
                return f"{_told(now)} would not be there"
        return ""

    def _begin(self, parent: NameTable) -> _Nodes:
        """Make the tree of *parent*; return what is in it, by directory and name, before anything moves."""
        nodes: _Nodes = {}
        for path in parent.directories():  # these are directories, whatever the listings above them say
            if path in self.concerned:
                self.tried.make(path)
        for path, listing in self._listings(parent):
            folder = self.tried.find(path)
            assert isinstance(folder, Folder)
            for name, mark in listing.names.items():
                if mark is Mark.DIRECTORY:
                    if parent.row(join(path, name)) is None:
                        continue  # a name in a listing alone makes tar create nothing
                    folder.names.setdefault(name, Folder())
                elif name not in folder.names:
                    folder.names[name] = Leaf(MemberType.FILE, _BEFORE, 0)
                nodes.setdefault(path, {})[name] = folder.names[name]
        return nodes

    def _listings(self, table: NameTable) -> Iterator[tuple[bytes, Dumpdir]]:
        """The listings of the affected directories; if one has several, in their order."""
        for path in table.directories():
            if path in self.concerned:
                for raw in table.listings(path):
                    listing = dumpdir_of(table.position(path) * BLOCK_BYTES, raw)
                    self._count(len(listing.names))
                    yield path, listing

    def _extract(self, child: NameTable) -> set[bytes]:
        """Extract the affected members of *child*, in their order; return the paths of its hard links."""
        members = sorted(self._members(child))
        targets = dict(child.files.links(range(len(child.files))))
        links = set()
        for position, number, path in members:
            if number < 0:
                listings = child.listings(path)
                for raw in listings:
                    self.tried.make(path, dumpdir_of(position * BLOCK_BYTES, raw))
                if not listings:
                    self.tried.make(path)
            elif number in targets and split(targets[number])[0] in self.concerned:
                self.tried.link(path, targets[number], silently=True)
                links.add(path)
            else:
                self.tried.place(path, Leaf(MemberType.FILE, _NEW, position))
        return links

    def _members(self, child: NameTable) -> Iterator[tuple[int, int, bytes]]:
        """The position of each, its number among the files, -1 for a directory, and its path."""
        files = child.files
        for number, folder in enumerate(files.folders):
            if folder in self.concerned:
                within = range(files.firsts[number], files.firsts[number + 1])
                self._count(len(within))
                for file, name in zip(within, files.names.some(within.start, within.stop), strict=True):
                    yield files.positions[file], file, join(folder, name)
        for path in child.directories():
            if path in self.concerned:
                yield child.position(path), -1, path

    def _not_as_told(self, child: NameTable, origins: DirectoryRenames, before: _Nodes, links: set[bytes]) -> str:
        """The clause about the first difference of the result from what the listings of *child* name."""
        named: dict[bytes, dict[bytes, Mark]] = {}
        for path, listing in self._listings(child):
            named.setdefault(path, {}).update(listing.names)
        taken: set[bytes] = set()
        for path, names in named.items():
            folder = self.tried.find(path)
            if not isinstance(folder, Folder):
                return f"{_told(path)} would not be there"
            if more := folder.names.keys() - names.keys():
                return f"{_told(join(path, min(more)))} would still be there"
            was = origins.before(path)
            had = before.get(was, {}) if was is not None and was not in taken else {}
            if was is not None:
                taken.add(was)
            for name, mark in names.items():
                node, whole = folder.names.get(name), join(path, name)
                if mark is Mark.DIRECTORY:
                    is_there = isinstance(node, Folder) or (node is None and whole not in self.concerned)
                    if not is_there:
                        return f"{_told(whole)} would not be there"
                elif isinstance(node, Folder):
                    # a directory that tar skipped stays as it was
                    if whole not in named and (mark is not Mark.UNCHANGED or node is not had.get(name)):
                        return f"{_told(whole)} would be another directory"
                elif mark is Mark.UNCHANGED and whole not in links and node is not had.get(name):
                    return f"{_told(whole)} would be missing, or another file"
        return ""

    def _count(self, names: int) -> None:
        self._names += names
        if self._names > MAX_NAMES:
            raise _TooMuch
