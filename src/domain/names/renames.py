"""Where directories were before: what GNU tar's rename records mean."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ..tar.dumpdirs import Rename
from ..tar.paths import Directories, canonical, is_placeable, join, split
from .dump_table import Meant, ToldRename, entries_meant

MAX_STEPS = 1000
"""The most renames of one archive that are left to tar: checking them costs the square of their number."""


class DirectoryRenames:
    """
    Where the directories of an archive's tree were in the tree before it.

    *renames* are those of the archive, *earlier* those of the archive before it, which tar may write again. *now* gives
    its directories, *before* those of the archive before it; they are read only if there are renames, and None if they
    cannot be read. *uncertain* are renamed directories that may have been either of several.

    Paths are canonical. A directory kept its name below its parent's old place, unless a rename says otherwise.
    """

    def __init__(
        self,
        renames: Sequence[Rename],
        earlier: Sequence[Rename] = (),
        now: Directories | None = None,
        before: Directories | None = None,
    ) -> None:
        self._steps, self._is_readable = _steps(renames)
        # If a directory takes a name that another one had, tar's snapshot file keeps that name with the inode of the
        # other. So the next dump names a circle by where its directories were before the last dump, and writes the
        # same renames again if nothing happened since; and if the other directory gets that name back, tar writes
        # nothing.
        told = dict(_meant(_steps(earlier)[0]))
        self._stood = {old: new for new, old in told.items() if old in told}
        self._now = now
        meant = _meant(self._steps)
        found: Sequence[Meant | None] = [None] * len(meant)
        if meant and now is not None and before is not None and self.is_plausible:
            found = entries_meant([ToldRename(*one) for one in meant], now(), self._entries(before))
        self._entry = {of.now: of.before for of in found if of is not None}
        self.uncertain = tuple(of.now for of in found if of is not None and not of.is_certain)
        self._renamed = {new: old for (new, old), of in zip(meant, found, strict=True) if of is None}
        self._known: dict[bytes, bytes | None] = {b"": b"", **self._entry}
        self._before = dict(self._known)
        self._moved_from: set[bytes] = set()
        self._moved_from = {was for new in (*self._entry, *self._renamed) if (was := self._told(new)) is not None}
        self._before = dict(self._known)  # some look-ups happened before it was known which names had become free

    def _entries(self, before: Directories) -> Sequence[bytes]:
        """The names that the directories had in tar's snapshot file."""
        if not self._stood:
            return before()
        stood = {new: old for old, new in self._stood.items()}
        return sorted({_with_prefix(path, stood) for path in before()})

    @property
    def is_trivial(self) -> bool:
        """Whether no directory changed its name."""
        return not self._renamed and not self._entry and not self._stood

    @property
    def moved_from(self) -> frozenset[bytes]:
        """The paths that renamed directories had before."""
        return frozenset(self._since(path) for path in self._moved_from)

    @property
    def is_plausible(self) -> bool:
        """Whether the renames are few and shallow enough to be left to tar."""
        return self._is_readable and len(self._steps) <= MAX_STEPS

    @property
    def concerned(self) -> frozenset[bytes]:
        """Every path that is the old or the new one of a rename."""
        told = {path for step in self._steps for path in step if path}
        were = map(self._since, self._entry.values())
        return frozenset(told.union(self._entry, were, self._stood, self._stood.values()) - {b""})

    def before(self, directory: bytes) -> bytes | None:
        """Where *directory* was before; None if it is new at the place of one that was moved away."""
        told = self._told(directory)
        if told is None:
            return None
        since = self._since(told)
        if since == told or told != directory or self._now is None:
            return since
        now = self._now()
        is_named = _is_among(now, directory)
        has_stayed = since not in self._stood and _is_among(now, since) and since not in self._entry
        return since if is_named and not has_stayed else told

    def _told(self, directory: bytes) -> bytes | None:
        """Where it was, in the names of tar's snapshot file."""
        if not self._renamed and not self._entry:
            return directory
        # Climb to a directory whose place is known, then come down: recursion would fail at 1,000 levels.
        climbed: dict[bytes, None] = {}
        at = directory
        while at not in self._before:
            if at in climbed:  # renames that contain each other, which tar never writes
                return None
            climbed[at] = None
            at = split(self._renamed.get(at, at))[0]
        before = self._before[at]
        for passed in reversed(climbed):
            if passed in self._renamed:
                # In a rename, the parent has its new name: tar has already carried out the parent's own rename.
                was = join(before, split(self._renamed[passed])[1]) if before is not None else None
            else:
                was = join(before, split(passed)[1]) if before is not None else None
                if was in self._moved_from:
                    was = None
            before = self._before[passed] = was
        return before

    def _since(self, path: bytes) -> bytes:
        """Map *path* from the names of tar's snapshot file to those of the tree before."""
        return _with_prefix(path, self._stood)


def _is_among(paths: Sequence[bytes], path: bytes) -> bool:
    place = bisect_left(paths, path)
    return place < len(paths) and paths[place] == path


def _with_prefix(path: bytes, others: Mapping[bytes, bytes]) -> bytes:
    """*path*, with another name for it or for the nearest directory above it that has one in *others*."""
    above, below = path, b""
    while above and others:
        if above in others:
            return others[above] + below
        above, name = split(above)
        below = b"/" + name + below
    return path


_Step: TypeAlias = tuple[bytes | None, bytes | None]
"""An old path and a new one; None is the temporary one."""


def _steps(renames: Sequence[Rename]) -> tuple[list[_Step], bool]:
    """*renames* with canonical paths, and whether all could be used."""
    steps = [
        (canonical(rename.old) if rename.old else None, canonical(rename.new) if rename.new else None)
        for rename in renames
        if is_placeable(rename.old) and is_placeable(rename.new)
    ]
    return steps, len(steps) == len(renames)


def _meant(steps: Iterable[_Step]) -> list[tuple[bytes, bytes]]:
    """The net effect of the steps: the new name of each directory, and the old one."""
    renamed: list[tuple[bytes, bytes]] = []
    aside = b""  # the directory that waits under the temporary name
    for old, new in steps:
        if new is None:
            aside = old or b""
        else:
            renamed.append((new, aside if old is None else old))
    return renamed
