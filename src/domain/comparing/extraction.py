"""
What GNU tar makes of archives that it extracts one after the other: a model of it, over names and without a disk.

It follows tar 1.34 (`extract.c`, `incremen.c` and `misc.c` there) run as ``tar -x``, with ``--listed-incremental=
/dev/null`` where archives are incremental, in an empty directory in which nobody else works. What counts:

* A member is put in its place at once. What has its place goes, except a directory that is not empty: that one stays,
  and the member is not extracted. Directories above it that are missing are made.
* Before a directory with a listing is made, tar carries out the renames that the listing tells of, one by one. Where
  one cannot be carried out it stops there, and removes nothing.
* Then it removes what was in the directory *before the renames*, is still there, and is not in the listing, is a
  directory where the listing has a file (``Y``), or something else where it has a directory (``D``). Names that are
  called unchanged (``N``) stay, whatever they are.
* A hard link takes what its target is at that moment. One to nothing is not extracted, and neither, without a word, is
  one in whose place a directory with something in it stands.

Symbolic links are leaves here: tar follows those in the middle of a path, and `footprints` refuses chains where that
may happen. Modes, owners and times are no part of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from attrs import define, field, frozen

from ..tar.dumpdirs import Dumpdir, Mark, Rename
from ..tar.members import Member, MemberType
from ..tar.paths import canonical, is_target, join, split
from ..text.paths import path_text

FAILURES_NAMED = 20
"""The first failures are told; all are counted."""


@define(eq=False)
class Leaf:
    """What is no directory. Hard links are one leaf under several names."""

    type: MemberType
    archive: int
    at: int


@define(eq=False)
class Folder:
    """A directory and what is in it, in the order of its making."""

    names: dict[bytes, Node] = field(factory=dict)


Node: TypeAlias = Leaf | Folder


@frozen
class ExtractedAt:
    """What is under a name: its type, and the member it came from, by archive and position; a directory of none."""

    type: MemberType
    archive: int = -1
    at: int = -1


class Extraction:
    """
    A directory in which archives are extracted, *top*; empty at first.

    *failed* counts what tar would complain of, and end with 2; the first *failures* are told.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.failed = 0
        self.top = Folder()
        self._archives = 0
        self._temporaries = 0

    def extract(self, members: Iterable[Member], *, incremental: bool) -> None:
        """Extract the next archive, with *members* in the order of its tar."""
        for member in members:
            path = canonical(member.path)
            if b".." in member.path.split(b"/"):
                self._fail(path, "its name leads upwards")
            elif member.type is MemberType.SYMLINK and not is_target(member.link):
                self._fail(path, "it is a symbolic link to what none can be to")
            elif member.type is MemberType.DIRECTORY:
                self.make(path, member.listing if incremental else None)
            elif member.type is MemberType.HARD_LINK:
                self.link(path, canonical(member.link), silently=incremental)
            else:
                self.place(path, Leaf(member.type, self._archives, member.at))
        self._archives += 1

    def tree(self) -> dict[bytes, ExtractedAt]:
        """Everything by its path, canonical, without the directory itself."""
        return dict(_below(b"", self.top))

    def find(self, path: bytes) -> Node | None:
        """What is at the canonical *path*."""
        at: Node = self.top
        for name in path.split(b"/") if path else ():
            if isinstance(at, Leaf) or name not in at.names:
                return None
            at = at.names[name]
        return at

    # -- members, by canonical paths ---------------------------------------------------------------------------------

    def make(self, path: bytes, listing: Dumpdir | None = None) -> None:
        """Extract a directory, after what its *listing* tells of was carried out."""
        if listing is not None:
            self._purge(path, listing)
        if not path:
            return
        with self._failing(path):
            folder, name = self._parent(path)
            if not isinstance(folder.names.get(name), Folder):
                folder.names[name] = Folder()

    def place(self, path: bytes, leaf: Leaf) -> None:
        """Extract *leaf*."""
        with self._failing(path):
            self._place(path, leaf)

    def link(self, path: bytes, target: bytes, *, silently: bool) -> None:
        """Extract a hard link to *target*; *silently* fails one whose place is taken in an incremental archive."""
        with self._failing(path):
            linked, there = self.find(target), self.find(path)
            if linked is None:
                self._parent(path)
                raise _Failed(f"it is a hard link to {path_text(target)}, which is not there")
            is_taken = isinstance(there, Folder) and bool(there.names)
            if there is linked or (is_taken and silently):
                return
            if isinstance(linked, Folder):  # which the kernel says only where the name is free
                if there is not None and not is_taken:
                    self._remove(path)
                raise _Failed(f"it is a hard link to {path_text(target)}, which is a directory")
            self._place(path, linked)

    def _place(self, path: bytes, leaf: Leaf) -> None:
        if not path:
            raise _Failed("the directory itself has its place")
        folder, name = self._parent(path)
        there = folder.names.get(name)
        if isinstance(there, Folder) and there.names:
            raise _Failed("a directory that is not empty has its place")
        folder.names[name] = leaf

    # -- listings ----------------------------------------------------------------------------------------------------

    def _purge(self, path: bytes, listing: Dumpdir) -> None:
        """Carry out what *listing* tells of the directory *path*: renames, and what is gone."""
        there = self.find(path)
        if there is None:
            return
        if isinstance(there, Leaf):
            self._fail(path, "it is no directory yet, though it has a listing")
            return
        before = list(there.names)
        if not self._rename_all(path, listing):
            return
        for name in before:
            there = self.find(join(path, name))
            if there is None:
                continue
            mark, is_folder = listing.names.get(name), isinstance(there, Folder)
            if mark is None or mark is (Mark.HERE if is_folder else Mark.DIRECTORY):
                self._remove(join(path, name))

    def _rename_all(self, path: bytes, listing: Dumpdir) -> bool:
        """Whether all went well; tar goes no further where one did not."""
        temporaries = iter(listing.temporaries)
        temporary = b""
        for rename in listing.renames:
            try:
                if not rename.new:  # a circle begins, whose temporary name was announced before
                    temporary = self._make_temporary(canonical(next(temporaries, b"")))
                old = canonical(rename.old) if rename.old else temporary
                self._rename(old, canonical(rename.new) if rename.new else temporary)
            except _Failed as failed:
                self._fail(path, f"{_told(rename)} cannot be renamed: {failed}")
                return False
        return True

    def _make_temporary(self, within: bytes) -> bytes:
        folder = self.find(within)
        if not isinstance(folder, Folder):
            raise _Failed("there is no directory for its temporary name")
        self._temporaries += 1
        name = b"tar.%06d" % self._temporaries  # of tar, six letters by chance
        folder.names[name] = Folder()
        return join(within, name)

    def _rename(self, old: bytes, new: bytes) -> None:
        if not old or not new:
            raise _Failed("the directory in which all is extracted has no name there")
        moved = self.find(old)
        if moved is None:
            self._parent(new)
            raise _Failed("it is not there")
        if new == old:
            return
        if new.startswith(old + b"/"):
            raise _Failed("it would be inside itself")
        folder, name = self._parent(new)
        there = folder.names.get(name)
        if isinstance(moved, Folder):
            if isinstance(there, Leaf):
                raise _Failed("a file has its new name")
            if there is not None and there.names:
                raise _Failed("a directory that is not empty has its new name")
        elif isinstance(there, Folder):
            raise _Failed("a directory has its new name")
        self._remove(old)
        folder.names[name] = moved

    # -- paths -------------------------------------------------------------------------------------------------------

    def _parent(self, path: bytes) -> tuple[Folder, bytes]:
        """The directory of *path*, made with those above it where they are missing, and the name in it."""
        above, last = split(path)
        at = self.top
        for name in above.split(b"/") if above else ():
            there = at.names.setdefault(name, Folder())
            if isinstance(there, Leaf):
                raise _Failed("what is above it is no directory")
            at = there
        return at, last

    def _remove(self, path: bytes) -> None:
        folder, name = self._parent(path)
        del folder.names[name]

    @contextmanager
    def _failing(self, path: bytes) -> Iterator[None]:
        try:
            yield
        except _Failed as failed:
            self._fail(path, str(failed))

    def _fail(self, path: bytes, why: str) -> None:
        self.failed += 1
        if len(self.failures) < FAILURES_NAMED:
            self.failures.append(f"{path_text(path)}: {why}")


class _Failed(Exception):
    """Something cannot be extracted, and tar goes on to the next."""


def _told(rename: Rename) -> str:
    return f"{path_text(rename.old) or 'what has a temporary name'}"


def _below(path: bytes, folder: Folder) -> Iterator[tuple[bytes, ExtractedAt]]:
    waiting = [(path, folder)]
    while waiting:
        above, at = waiting.pop()
        for name, node in at.names.items():
            under = join(above, name)
            if isinstance(node, Folder):
                yield under, ExtractedAt(MemberType.DIRECTORY)
                waiting.append((under, node))
            else:
                yield under, ExtractedAt(node.type, node.archive, node.at)
