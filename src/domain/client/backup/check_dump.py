"""
Checking a dump right after it was made: whether the server has what the directory has.

GNU tar decides by times and inodes what has changed, and is sometimes wrong: it calls a changed file unchanged if the
clock was ahead, or splits a group of hard links. Nobody notices before a restore. So the directory is compared with the
server's tree, name by name, and files byte by byte: some, or all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from attrs import define, field, frozen

from ...errors.client import FolderUnusable
from ...identity.archive_id import ArchiveId
from ..ports.chains import RemoteChains
from ..ports.dumping import DumpSource, Unreadable
from ..ports.live_tree import LiveEntry, LiveTree
from .missed import MissedName, compare, groups_of

_DIRECTORY = "directory"

SAMPLE = 50
"""So many files are compared byte by byte, if not all are."""

SAMPLE_BYTES = 16 << 20
"""No larger ones."""

LINKED_BYTES = 64 << 20
"""Hard links only show in a tar of all their names: if not everything is compared, in one of at most so many bytes."""


@frozen
class StoredFile:
    """A file in a tar of the server at *path*, with its bytes; *link* is the other name of it that came before."""

    path: bytes
    blocks: Iterator[bytes] = field(repr=False)
    link: bytes | None = None


@frozen
class Checked:
    """
    What the check of the point *id* found. *missed* was there before the dump began, *moved* changed since.

    *contents* counts the files that were compared byte by byte, *links_left* the files with several names of which it
    was not compared whether they have them in the backup.
    """

    id: ArchiveId
    names: int
    contents: int
    missed: tuple[MissedName, ...] = ()
    moved: tuple[bytes, ...] = field(default=(), repr=False)
    links_left: int = 0


@frozen
class CheckDump:
    """
    Compare a directory with the dump of it that was just stored.

    *files_of* gives each file of a profile's point at or below a path, in the order of the server's tar. *draw* takes
    so many of some paths.
    """

    chains: RemoteChains
    live: LiveTree
    files_of: Callable[[str, str, bytes], Iterable[StoredFile]]
    draw: Callable[[Sequence[bytes], int], Sequence[bytes]]

    def __call__(
        self,
        id: ArchiveId,
        source: DumpSource,
        began_ns: int,
        unreadable: Iterable[Unreadable] = (),
        *,
        is_thorough: bool = False,
    ) -> Checked:
        """
        Check the dump *id* of *source*, which began at *began_ns* (see `LiveTree.now_ns`). *unreadable* could not be
        read, and names that the server knows to lack are told by it: these are passed over. *is_thorough* compares all
        files byte by byte.

        Raises:
            DumpFailed: what is in the directory cannot be found out.
            ServerUnreachable, Refused, Unauthorized: from the server.
        """
        root = source.directory.rstrip("/").rpartition("/")[2].encode(errors="surrogateescape")
        gaps = (name.path for name in self.chains.gaps(id.profile, id.label, root) if not name.is_given)
        passed = frozenset([*gaps, *(one.path.rstrip(b"/") for one in unreadable)])
        there = self.chains.tree(id.profile, id.label, root, recursive=True, allow_gaps=True)
        here = list(self.live.entries(source))
        found = compare(there, here, began_ns, passed)
        files = {entry.path: entry for entry in here if entry.type != _DIRECTORY}
        linked = groups_of((entry.path, entry.inode) for entry in files.values())
        wanted = [root] if is_thorough else self._wanted(files, found.same, linked, root)
        reading = _Reading(self.live, source, began_ns, frozenset(found.same))
        for path in wanted:
            for file in self.files_of(id.profile, id.label, path):
                reading.take(file, is_alone=path == file.path)
        left = reading.compare_links(linked, began_ns, files)
        missed = sorted((*found.missed, *reading.missed), key=lambda one: one.path)
        return Checked(id, found.names, reading.contents, tuple(missed), (*found.moved, *reading.moved), left)

    def _wanted(
        self,
        files: Mapping[bytes, LiveEntry],
        same: Sequence[bytes],
        linked: Mapping[bytes, frozenset[bytes]],
        root: bytes,
    ) -> list[bytes]:
        """
        The paths to read: folders with hard links, if they are small, and some files. Half of these are those that
        changed last: what tar gets wrong is seldom old.
        """
        folders: list[bytes] = []
        left_bytes = LINKED_BYTES
        for folder in sorted({_folder_of(group, root) for group in linked.values()}):
            if any(folder == one or folder.startswith(one + b"/") for one in folders):
                continue
            size_bytes = sum(entry.size_bytes for path, entry in files.items() if path.startswith(folder + b"/"))
            if size_bytes <= left_bytes:
                left_bytes -= size_bytes
                folders.append(folder)
        small = [files[path] for path in same if 0 < files[path].size_bytes <= SAMPLE_BYTES]
        others = [entry for entry in small if not any(entry.path.startswith(folder + b"/") for folder in folders)]
        newest = [one.path for one in sorted(others, key=lambda one: (-one.changed_ns, one.path))[: SAMPLE // 2]]
        rest = sorted({entry.path for entry in others} - set(newest))
        return [*folders, *newest, *self.draw(rest, min(SAMPLE - len(newest), len(rest)))]


@define
class _Reading:
    """Files as they come from the server, held against those of the directory."""

    live: LiveTree
    source: DumpSource
    began_ns: int
    same: frozenset[bytes]
    contents: int = 0
    missed: list[MissedName] = field(factory=list)
    moved: list[bytes] = field(factory=list)
    _file_of: dict[bytes, bytes] = field(factory=dict)

    def take(self, file: StoredFile, *, is_alone: bool) -> None:
        """
        Compare *file*, byte by byte if it is no other name of one that came before. One that came alone does not show
        its other names.
        """
        path = file.path
        if not is_alone:
            self._file_of[path] = path if file.link is None else self._file_of.get(file.link, file.link)
        if file.link is not None or path not in self.same:
            return
        is_same = self._is_same(path, file.blocks)
        entry = self.live.entry(self.source, path)
        if entry is None or entry.changed_ns >= self.began_ns:
            self.moved.append(path)
            return
        self.contents += 1
        if not is_same:
            self.missed.append(MissedName(path, "has other bytes in the backup"))

    def compare_links(
        self, linked: Mapping[bytes, frozenset[bytes]], began_ns: int, files: Mapping[bytes, LiveEntry]
    ) -> int:
        """Compare which names are one file. Returns the number of files of which not all names came."""
        there = groups_of(self._file_of.items())
        known = {one.path for one in self.missed} | set(self.moved)
        for path in sorted(self._file_of.keys() & files.keys()):
            alone = frozenset((path,))
            group, stored = linked.get(path, alone), there.get(path, alone)
            if group == stored or path in known or not group <= self._file_of.keys():
                continue
            if any(files[name].changed_ns >= began_ns for name in group):
                self.moved.append(path)
            else:
                self.missed.append(MissedName(path, "has other hard links in the backup"))
        return len({group for group in linked.values() if not group <= self._file_of.keys()})

    def _is_same(self, path: bytes, there: Iterator[bytes]) -> bool:
        try:
            return _are_equal(self.live.blocks(self.source, path), there)
        except FolderUnusable:
            return False


def _folder_of(group: Iterable[bytes], root: bytes) -> bytes:
    """The folder that holds all names of *group*, at some depth."""
    parts = [path.split(b"/")[:-1] for path in group]
    common = takewhile(lambda names: len(set(names)) == 1, zip(*parts, strict=False))
    return b"/".join(names[0] for names in common) or root


def _are_equal(here: Iterator[bytes], there: Iterator[bytes]) -> bool:
    """Whether both give the same bytes, in blocks of any length."""
    left, right = b"", b""
    while True:
        left, right = left or next(here, b""), right or next(there, b"")
        if not left or not right:
            return not left and not right
        length = min(len(left), len(right))
        if left[:length] != right[:length]:
            return False
        left, right = left[length:], right[length:]
