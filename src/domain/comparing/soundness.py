"""
Whether tar may be trusted to take one archive's tree to the next one's.

The tree of the earlier archive is what its listings name. In that the later one is extracted, by the model of
`extraction`, and what comes out is held against what the later one's listings name: the same names, directories where
they say so, and where they say "unchanged" the very file that was there before, wherever renames took it. Names that
the earlier archive lacks are nobody's: `fitting` judges these.

Nothing is known here of any rename that tar carries out wrongly; it follows. Where no directory was renamed nothing
can go wrong but at the top: what no listing is above of is not removed before something of another kind is extracted.
What the later archive says nothing of stays in both. One at the top that was renamed is another matter: tar leaves it
where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from attrs import define, field, frozen

from ..names.columns import dumpdir_of
from ..names.dump_table import tops
from ..names.name_table import NameTable, mark_of
from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Dumpdir, Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.members import MemberType
from ..tar.paths import join, split
from .extraction import Extraction, Folder, Leaf
from .silence import strays

MAX_NAMES = 1_000_000
"""Beside and below renamed directories; tar is not trusted with more, since following takes 300 bytes for each."""

_BEFORE, _NEW = 0, 1

_Nodes: TypeAlias = dict[bytes, dict[bytes, Folder | Leaf]]


def is_carried_out(child: NameTable, parent: NameTable, origins: DirectoryRenames) -> bool:
    """
    Tar, extracting *child* over the tree of *parent*, comes to the tree of *child*.

    *origins* tells where the directories of *child* were in *parent*.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: without renames, a step for each directory; with them, that of all names beside and below what was renamed.
    """
    if not origins.is_plausible or _is_in_the_way(child, parent):
        return False
    if origins.is_trivial:
        return True
    if any(top in origins.moved_from and not _is_listed_above(top, child) for top in _tops(parent)):
        return False
    trial = _Trial(_Concerned.by(origins.concerned, _first(child)))
    return trial.goes_well(child, parent, origins)


def _is_in_the_way(child: NameTable, parent: NameTable) -> bool:
    """A directory of *child* at the top is a file in *parent*, or a file that no listing names is a directory there."""
    for top in _tops(child):
        if parent.files.at(top) or (parent.row(top) is None and mark_of(parent, top) in (Mark.HERE, Mark.UNCHANGED)):
            return True
    return any(parent.row(join(folder, name)) is not None for folder, names in strays(child) for name in names)


def _tops(table: NameTable) -> Iterator[bytes]:
    """The directories with a listing that are in no other one."""
    return tops(path for path in table.directories() if (row := table.row(path)) is not None and row.listed)


def _is_listed_above(path: bytes, table: NameTable) -> bool:
    """*path*, or a directory above it, has a listing in *table*."""
    while True:
        row = table.row(path)
        if row is not None and row.listed:
            return True
        if not path:
            return False
        path = split(path)[0]


def _first(table: NameTable) -> bytes:
    """The first directory of the tar: its listing tells of all renames."""
    paths = table.directories()
    return min(zip(table.positions(), paths, strict=True), default=(0, b""))[1]


@frozen
class _Concerned:
    """
    Which directories renames have to do with: those renamed, those below them, those above, by themselves, and the one
    whose listing tells of them.
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
    """There is more to follow than is followed."""


@define
class _Trial:
    """One archive extracted over the tree of another, as far as renames have to do with it."""

    concerned: _Concerned
    tried: Extraction = field(factory=Extraction)
    _names: int = 0

    def goes_well(self, child: NameTable, parent: NameTable, origins: DirectoryRenames) -> bool:
        """Tar comes to the tree of *child*, and there is no more to it than is followed."""
        try:
            before = self._begin(parent)
            links = self._extract(child)
        except _TooMuch:
            return False
        if self.tried.failed or not self._has_moved(child, parent, origins):
            return False
        return self._is_as_told(child, origins, before, links)

    def _has_moved(self, child: NameTable, parent: NameTable, origins: DirectoryRenames) -> bool:
        """What is said to be renamed and is not listed where it is now, as by another name, is there all the same."""
        for now in origins.concerned:
            was = origins.before(now)
            if was in (None, now) or child.row(now) is not None or parent.row(was) is None:
                continue
            if not isinstance(self.tried.find(now), Folder):
                return False
        return True

    def _begin(self, parent: NameTable) -> _Nodes:
        """Make the tree of *parent*; what is in it, by directory and name, before anything moves."""
        nodes: _Nodes = {}
        for path in parent.directories():  # which they are, whatever the listings above them say
            if path in self.concerned:
                self.tried.make(path)
        for path, listing in self._listings(parent):
            folder = self.tried.find(path)
            assert isinstance(folder, Folder)
            for name, mark in listing.names.items():
                if mark is Mark.DIRECTORY:
                    if parent.row(join(path, name)) is None:
                        continue  # by its name alone tar makes none
                    folder.names.setdefault(name, Folder())
                elif name not in folder.names:
                    folder.names[name] = Leaf(MemberType.FILE, _BEFORE, 0)
                nodes.setdefault(path, {})[name] = folder.names[name]
        return nodes

    def _listings(self, table: NameTable) -> Iterator[tuple[bytes, Dumpdir]]:
        """The listings of the directories that are concerned; of one that has several, in their order."""
        for path in table.directories():
            if path in self.concerned:
                for raw in table.listings(path):
                    listing = dumpdir_of(table.position(path) * BLOCK_BYTES, raw)
                    self._count(len(listing.names))
                    yield path, listing

    def _extract(self, child: NameTable) -> set[bytes]:
        """Extract the members of *child* that are concerned, in their order; the paths of its hard links."""
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
        """The position of each, its number among the files, -1 of a directory, and its path."""
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

    def _is_as_told(self, child: NameTable, origins: DirectoryRenames, before: _Nodes, links: set[bytes]) -> bool:
        """What came out is what the listings of *child* name."""
        named: dict[bytes, dict[bytes, Mark]] = {}
        for path, listing in self._listings(child):
            named.setdefault(path, {}).update(listing.names)
        taken: set[bytes] = set()
        for path, names in named.items():
            folder = self.tried.find(path)
            if not isinstance(folder, Folder) or not folder.names.keys() <= names.keys():
                return False
            was = origins.before(path)
            had = before.get(was, {}) if was is not None and was not in taken else {}
            if was is not None:
                taken.add(was)
            for name, mark in names.items():
                node = folder.names.get(name)
                if mark is Mark.DIRECTORY:
                    is_there = isinstance(node, Folder) or (node is None and join(path, name) not in self.concerned)
                    if not is_there:
                        return False
                elif isinstance(node, Folder):
                    # one that tar did not look into stays as it was
                    if join(path, name) not in named and (mark is not Mark.UNCHANGED or node is not had.get(name)):
                        return False
                elif mark is Mark.UNCHANGED and join(path, name) not in links and node is not had.get(name):
                    return False
        return True

    def _count(self, names: int) -> None:
        self._names += names
        if self._names > MAX_NAMES:
            raise _TooMuch
