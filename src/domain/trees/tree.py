"""
The tree of names at a restore point: its names, and which member of which archive has each.

A tree holds names and, for each, the position of a member, not the member: numbers in columns, so that a million names
take some forty megabytes. The caller, which has the archives, maps positions back to members. `merging` describes how a
tree is merged from the archives of a path.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from enum import Enum
from fnmatch import translate

from attrs import field, frozen

from ..names.packed_texts import Texts
from ..tar.paths import canonical, join, split

BLOCK_BYTES = 512

# Values of a name that are not positions of a member, which are numbers from 0 on.
IMPLIED = -3
"""In `Tree.values`: a directory without a member, one above the members."""

IS_DIRECTORY, IS_MOVED = 1, 2
"""In `Tree.kinds`: the name is a directory; its member stands under another path in the archive."""


class GapKind(Enum):
    """Why a name has no content."""

    # the point is not restorable
    MISSING = "missing"  # called unchanged, but absent before
    WAS_DIRECTORY = "was-directory"  # called an unchanged file, but a directory before
    # everything else restores; tar also complains of these and goes on
    IN_THE_WAY = "in-the-way"  # tar cannot extract it over what is there
    NO_TARGET = "no-target"  # a hard link without a target
    TOO_DEEP = "too-deep"  # longer or deeper than any path that tar could extract
    UPWARDS = "upwards"  # has .. in its path
    NO_NAME = "no-name"  # not a directory, and its path is empty
    BAD_TARGET = "bad-target"  # a symbolic link whose target is empty or too long
    # no archive ever had these
    NOT_ARCHIVED = "not-archived"  # listed but not stored: a socket, or a file that vanished or could not be read
    LEFT_OUT = "left-out"  # listed since the first archive but in none: excluded
    # names of the tree, if not all of its archives can be read (see `lacks`)
    DAMAGED = "damaged"  # its content is in an archive whose stored bytes are damaged
    UNCERTAIN = "uncertain"  # its content is in an archive before a missing one

    @property
    def is_loss(self) -> bool:
        """Whether an archive that should have it is not in the path: more than this name may be wrong."""
        return self in (GapKind.MISSING, GapKind.WAS_DIRECTORY)

    @property
    def is_in_vain(self) -> bool:
        """Whether an archive has it, but it cannot be extracted."""
        return self in _IN_VAIN


_IN_VAIN = frozenset(
    (
        GapKind.IN_THE_WAY,
        GapKind.NO_TARGET,
        GapKind.TOO_DEEP,
        GapKind.UPWARDS,
        GapKind.NO_NAME,
        GapKind.BAD_TARGET,
    )
)


@frozen
class Gap:
    """A name that should be in the tree but cannot be restored."""

    path: bytes
    kind: GapKind


@frozen
class Entry:
    """
    One name of a tree.

    *archive* is an index in the path and *at* the position of the name's own member there; both None for a directory
    above all members. *content_archive* and *content_at* are those of the member with the content: the same ones, or
    for a hard link those of its target.
    """

    path: bytes
    is_directory: bool
    archive: int | None
    at: int | None
    content_archive: int | None
    content_at: int | None

    @property
    def name(self) -> bytes:
        return split(self.path)[1]


@frozen
class Taken:
    """
    The members that a tree takes from one archive, except directories.

    *positions*, ascending, are of members that are wanted once and under their own path. *elsewhere* has the positions
    of all others with the paths at which these belong, ascending: the first path gets the file, all others are hard
    links to it.
    """

    positions: Sequence[int]
    elsewhere: Mapping[int, Sequence[bytes]]

    def __bool__(self) -> bool:
        return bool(self.positions or self.elsewhere)

    def without(self, positions: Set[int]) -> Taken:
        """The same, except for the members at *positions*."""
        return Taken(
            array("Q", [at for at in self.positions if at not in positions]),
            {at: paths for at, paths in self.elsewhere.items() if at not in positions},
        )


@frozen(eq=False)
class Tree:
    """
    The names at a point. Paths are canonical (see `listings`), b"" is the root.

    *folders* are the paths of all directories, ascending, the root first; the names in folder n are those from
    ``firsts[n]`` to ``firsts[n + 1]``, ascending. For each name *values* has ``position // 512 * archives + archive``,
    or `IMPLIED`, *kinds* says what it is, and *contents*, if the tree has hard links, has the value of the member with
    the content. *root* is the value of the root.

    *gaps* are names without content; *losses* counts those that keep the point from being restored.
    """

    archives: int
    folders: Texts = field(repr=False)
    firsts: Sequence[int] = field(repr=False)
    names: Texts = field(repr=False)
    values: array[int] = field(repr=False)
    kinds: bytearray = field(repr=False)
    root: int
    contents: array[int] | None = field(repr=False)
    gaps: tuple[Gap, ...]
    losses: int

    def __len__(self) -> int:
        """The number of names, not counting the root."""
        return len(self.values)

    def entry(self, path: bytes) -> Entry | None:
        """The name at *path*, given in any form, or None."""
        path = canonical(path)
        if not path:
            return self._told(path, self.root, self.root, is_directory=True)
        directory, name = split(path)
        within = self._within(directory)
        slot = self.names.find(name, within.start, within.stop) if within is not None else None
        return self._entry(path, slot) if slot is not None else None

    def list(self, directory: bytes, limit: int, after: bytes | None = None) -> tuple[Entry, ...] | None:
        """
        Up to *limit* names in *directory*, in order of their bytes, those behind the name *after*.

        None if the directory does not exist. Cost: proportional to what is listed.
        """
        directory = canonical(directory)
        within = self._within(directory)
        if within is None:
            return None
        start = within.start if after is None else self._behind(after, within)
        return tuple(self._entries(directory, range(start, min(start + limit, within.stop))))

    def search(self, pattern: bytes, below: bytes = b"", after: bytes | None = None) -> Iterator[Entry]:
        """
        The matching names, ordered by directory path, those behind the path *after*.

        A pattern with ``*``, ``?`` or ``[`` is a glob for the whole name, or for the whole path if it has a slash;
        any other is searched as a part of the name, or of the path if it has a slash. Cost: proportional to the names
        behind *after*.
        """
        is_path = b"/" in pattern
        is_glob = any(special in pattern for special in b"*?[")
        matches: Callable[[bytes], object]
        if is_glob:
            matches = re.compile(translate(pattern.decode("latin-1")).encode("latin-1"), re.DOTALL).match
        else:
            matches = re.compile(re.escape(pattern)).search
        for directory, within in self._folders_behind(canonical(below), after):
            if not pattern:
                yield from self._entries(directory, within)
                continue
            packed = self.names.packed(within.start, within.stop)
            if not is_glob and not is_path and pattern not in packed:  # no name has a NUL, so no match spans two
                continue
            for slot, name in zip(within, packed.split(b"\0"), strict=False):
                if matches(join(directory, name) if is_path else name):
                    yield self._entry(join(directory, name), slot)

    def directories(self) -> Iterator[Entry]:
        """All directories with a member, each behind the one it is in; the root first, if it has one."""
        for path, value in self._directory_values():
            if value >= 0:
                yield self._told(path, value, value, is_directory=True)

    def taken(self, below: bytes = b"") -> Sequence[Taken]:
        """
        The members of each archive of the path for names at and below the path *below*, except directories.

        Members that are not included do not belong in the tree. Cost: proportional to these names.
        """
        positions: Sequence[array[int]] = [array("Q") for _ in range(self.archives)]
        elsewhere: Sequence[dict[int, list[bytes]]] = [{} for _ in range(self.archives)]
        linked_to = self._linked_to()
        for directory, within in self._folders_at(canonical(below)):
            for slot in within:
                value, kind = self.values[slot], self.kinds[slot]
                if kind & IS_DIRECTORY:
                    continue
                content = value if self.contents is None else self.contents[slot]
                at = content // self.archives * BLOCK_BYTES
                if kind & IS_MOVED or content != value or value in linked_to:
                    path = join(directory, self.names[slot])
                    elsewhere[content % self.archives].setdefault(at, []).append(path)
                else:
                    positions[content % self.archives].append(at)
        return [
            Taken(array("Q", sorted(own)), {at: sorted(paths) for at, paths in others.items()})
            for own, others in zip(positions, elsewhere, strict=True)
        ]

    def kept_in(
        self, archives: Set[int], directories_of: Set[int], below: bytes = b"", after: bytes | None = None
    ) -> Iterator[tuple[bytes, int, bool]]:
        """
        The names at and below *below* whose content is in one of *archives*, and the directories whose members are in
        one of *directories_of*: each with the number of the archive, and whether it is a directory. Ordered by
        directory path, those behind the path *after*.
        """
        contents = self.values if self.contents is None else self.contents
        folders = self._folders_at(below) if after is None else self._folders_behind(below, after)
        for directory, within in folders:
            for slot in within:
                content = contents[slot]
                is_directory = bool(self.kinds[slot] & IS_DIRECTORY)
                number = content % self.archives
                if content >= 0 and number in (directories_of if is_directory else archives):
                    yield join(directory, self.names[slot]), number, is_directory

    def directory_places(self, below: bytes = b"") -> Sequence[Mapping[int, bytes]]:
        """
        For each archive of the path, the positions of directories' members with the paths of these directories, for
        those at and below *below*. Cost: proportional to these.
        """
        found: Sequence[dict[int, bytes]] = [{} for _ in range(self.archives)]
        for path, value in self._directory_values(canonical(below)):
            if value >= 0:
                found[value % self.archives][value // self.archives * BLOCK_BYTES] = path
        return found

    def filled(self, below: bytes = b"") -> Set[bytes]:
        """The directories at and below *below* that are not empty."""
        below = canonical(below)
        return {directory for directory, within in self._folders_behind(below, None) if within}

    def _linked_to(self) -> set[int]:
        if self.contents is None:
            return set()
        return {content for content, value in zip(self.contents, self.values, strict=True) if content != value}

    def _directory_values(self, below: bytes = b"") -> Iterator[tuple[bytes, int]]:
        """The directories at and below *below* with their values, each behind the one it is in."""
        if not below:
            yield b"", self.root
        for directory, within in self._folders_at(below):
            kinds = self.kinds[within.start : within.stop]
            if any(kinds):  # most directories have only files
                for slot, kind in zip(within, kinds, strict=True):
                    if kind & IS_DIRECTORY:
                        yield join(directory, self.names[slot]), self.values[slot]

    def _within(self, directory: bytes) -> range | None:
        """The names in *directory*, None if it does not exist."""
        number = self.folders.find(directory)
        return range(self.firsts[number], self.firsts[number + 1]) if number is not None else None

    def _behind(self, name: bytes, within: range) -> int:
        """The first of these names that is behind *name*."""
        slot = self.names.place(name, within.start, within.stop)
        return slot + (slot < within.stop and self.names[slot] == name)

    def _folders_at(self, below: bytes) -> Iterator[tuple[bytes, range]]:
        """The directories at and below the path *below*, with their names."""
        if below:
            directory, name = split(below)
            within = self._within(directory)
            slot = None if within is None else self.names.find(name, within.start, within.stop)
            if slot is not None:
                yield directory, range(slot, slot + 1)
        yield from self._folders_behind(below, None)

    def _folders_behind(self, below: bytes, after: bytes | None) -> Iterator[tuple[bytes, range]]:
        """The directories from *below* on with their names, those behind the path *after*."""
        first, name = (b"", None) if after is None else split(after)
        stops = [(self.folders.place(below), 1), (self.folders.place(below + b"/"), None)] if below else [(0, None)]
        for start, count in stops:
            stop = self.folders.place(below + b"0") if below else len(self.folders)  # 0 is the byte after a slash
            if count is not None:
                stop = start + (start < len(self.folders) and self.folders[start] == below)
            begin = max(start, self.folders.place(first)) if first else start
            for number in range(begin, stop):
                directory = self.folders[number]
                within = range(self.firsts[number], self.firsts[number + 1])
                if name is not None and directory == first:
                    within = range(self._behind(name, within), within.stop)
                yield directory, within

    def _entries(self, directory: bytes, within: range) -> Iterator[Entry]:
        for slot, name in zip(within, self.names.some(within.start, within.stop), strict=True):
            yield self._entry(join(directory, name), slot)

    def _entry(self, path: bytes, slot: int) -> Entry:
        value = self.values[slot]
        content = value if self.contents is None else self.contents[slot]
        return self._told(path, value, content, is_directory=bool(self.kinds[slot] & IS_DIRECTORY))

    def _told(self, path: bytes, value: int, content: int, *, is_directory: bool) -> Entry:
        if value < 0:
            return Entry(path, is_directory, None, None, None, None)
        own, other = divmod(value, self.archives), divmod(content, self.archives)
        return Entry(path, is_directory, own[1], own[0] * BLOCK_BYTES, other[1], other[0] * BLOCK_BYTES)
