"""
A model of GNU tar extracting archives one after the other, over names and without a disk.

It follows tar 1.34 (`extract.c`, `incremen.c` and `misc.c` there) run as ``tar -x``, with ``--listed-incremental=
/dev/null`` for incremental archives, in an empty directory that no other process changes. The rules:

* A member takes its place at once and replaces what is there, except a directory that is not empty: that stays, and the
  member is not extracted. Missing directories above it are made.
* Before tar makes a directory with a listing, it carries out the renames in the listing, one by one. If one fails, it
  stops there, and removes nothing.
* Then it removes what was in the directory *before the renames*, still exists, and is not in the listing, is a
  directory where the listing has a file (``Y``), or something else where it has a directory (``D``). Names that are
  called unchanged (``N``) stay, whatever their type.
* A hard link takes what its target is at that moment. One to a missing target is not extracted, and neither, without
  any message, is one whose place is taken by a directory that is not empty.

Symbolic links are leaves here: tar follows those in the middle of a path, and `footprints` refuses chains where that
may happen. The model leaves out modes, owners and times.
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
"""How many failures are described; all are counted."""


@define(eq=False)
class Leaf:
    """A node that is not a directory. Hard links are one leaf under several names."""

    type: MemberType
    archive: int
    at: int


@define(eq=False)
class Folder:
    """A directory and what is in it, in order of creation."""

    names: dict[bytes, Node] = field(factory=dict)


Node: TypeAlias = Leaf | Folder


@frozen
class ExtractedAt:
    """A type, and the member it came from, by archive and position; a directory has no member."""

    type: MemberType
    archive: int = -1
    at: int = -1


class Extraction:
    """
    A directory in which archives are extracted, *top*; empty at first.

    *failed* counts what tar would complain of, and exit with 2; the first *failures* are described.
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
                self._fail(path, "it is a symbolic link to an impossible target")
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
        """The node at the canonical *path*."""
        at: Node = self.top
        for name in path.split(b"/") if path else ():
            if isinstance(at, Leaf) or name not in at.names:
                return None
            at = at.names[name]
        return at

    # -- members, by canonical paths ---------------------------------------------------------------------------------

    def make(self, path: bytes, listing: Dumpdir | None = None) -> None:
        """Extract a directory, after carrying out its *listing*."""
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
                raise _Failed(f"it is a hard link to {path_text(target)}, which does not exist")
            is_taken = isinstance(there, Folder) and bool(there.names)
            if there is linked or (is_taken and silently):
                return
            if isinstance(linked, Folder):  # the kernel reports this only where the name is free
                if there is not None and not is_taken:
                    self._remove(path)
                raise _Failed(f"it is a hard link to {path_text(target)}, which is a directory")
            self._place(path, linked)

    def _place(self, path: bytes, leaf: Leaf) -> None:
        if not path:
            raise _Failed("its place is taken by the top directory itself")
        folder, name = self._parent(path)
        there = folder.names.get(name)
        if isinstance(there, Folder) and there.names:
            raise _Failed("its place is taken by a directory that is not empty")
        folder.names[name] = leaf

    # -- listings ----------------------------------------------------------------------------------------------------

    def _purge(self, path: bytes, listing: Dumpdir) -> None:
        """Carry out *listing* in the directory *path*: its renames, then its removals."""
        there = self.find(path)
        if there is None:
            return
        if isinstance(there, Leaf):
            self._fail(path, "it is not a directory yet, though it has a listing")
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
        """Whether all succeeded; tar stops at the first that fails."""
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
            raise _Failed("the directory for its temporary name does not exist")
        self._temporaries += 1
        name = b"tar.%06d" % self._temporaries  # tar uses six random letters
        folder.names[name] = Folder()
        return join(within, name)

    def _rename(self, old: bytes, new: bytes) -> None:
        if not old or not new:
            raise _Failed("the top directory has no name within itself")
        moved = self.find(old)
        if moved is None:
            self._parent(new)
            raise _Failed("it does not exist")
        if new == old:
            return
        if new.startswith(old + b"/"):
            raise _Failed("it would be inside itself")
        folder, name = self._parent(new)
        there = folder.names.get(name)
        if isinstance(moved, Folder):
            if isinstance(there, Leaf):
                raise _Failed("a file already has its new name")
            if there is not None and there.names:
                raise _Failed("a directory that is not empty already has its new name")
        elif isinstance(there, Folder):
            raise _Failed("a directory already has its new name")
        self._remove(old)
        folder.names[name] = moved

    # -- paths -------------------------------------------------------------------------------------------------------

    def _parent(self, path: bytes) -> tuple[Folder, bytes]:
        """The directory of *path*, created with those above it where missing, and the name in it."""
        above, last = split(path)
        at = self.top
        for name in above.split(b"/") if above else ():
            there = at.names.setdefault(name, Folder())
            if isinstance(there, Leaf):
                raise _Failed("something above it is not a directory")
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
    """Something cannot be extracted; tar continues with the next member."""


def _told(rename: Rename) -> str:
    return f"{path_text(rename.old) or 'a directory with a temporary name'}"


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
