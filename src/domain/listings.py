"""
What the listings of one archive say about another: where a directory was before.

GNU tar writes the renames of directories down as steps to carry out. Read here is what it meant by them, which
directory each one was before: the steps it writes for several renames that touch each other may come twice, or in an
order that cannot be carried out, and for a circle of three names they do.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence

from .members import Rename

MAX_PATH_BYTES = 4095
"""Longer paths cannot be given to Linux in one piece, so tar cannot extract them either."""

MAX_LEVELS = 512
"""Every step of a path may cost its length, so the square of this is what a path costs at most."""

MAX_STEPS = 1000
"""Renames of one archive that tar is trusted with: finding out whether it may be costs the square of their number."""

MAX_HELD_BYTES = 128 << 20
"""Of names and paths of directories that are held at once, with what follows: 3 million files of a usual tree."""

NAME_BYTES, DIRECTORY_BYTES = 20, 100
"""What a name and a directory count for beside their own bytes. In memory they take about four times of it all."""


def canonical(path: bytes) -> bytes:
    """
    *path* as tar extracts it: from the root of the archive, without ``.`` and doubled slashes; b"" is the root.

    So ``./a``, ``/a`` and ``a`` are one name.
    """
    if path[:1] in b"./" or b"//" in path or b"/." in path or path[-1:] == b"/":
        return b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    return path


def is_placeable(path: bytes) -> bool:
    """*path* is none that only harm could have made."""
    return len(path) <= MAX_LEVELS or (len(path) <= MAX_PATH_BYTES and path.count(b"/") <= MAX_LEVELS)


def names_bytes(names: Collection[bytes]) -> int:
    """What *names* count for of `MAX_HELD_BYTES`."""
    return sum(map(len, names)) + NAME_BYTES * len(names)


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory and the name in it."""
    directory, _, name = path.rpartition(b"/")
    return directory, name


def join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


class Origins:
    """
    Where the directories of an archive's tree were in the tree before it.

    *renames* are those that the archive tells of, *earlier* those of the archive before it, which tar may tell again.
    Paths are canonical. A directory is where its parent was, under its own name, unless a rename says otherwise.
    """

    def __init__(self, renames: Sequence[Rename], earlier: Sequence[Rename] = ()) -> None:
        self._steps, self._is_readable = _steps(renames)
        self._renamed = _meant(self._steps)
        # Where a directory came to stand under a name that another one had, tar's snapshot file keeps that name with
        # the inode of the other. So the next dump names a circle by where its directories were before the last one,
        # and tells of the same renames again if nothing happened since.
        told = _meant(_steps(earlier)[0])
        were = set(told.values())
        self._stood = {old: new for new, old in told.items() if new in were and old in told}
        self._before: dict[bytes, bytes | None] = {b"": b""}
        self._moved_from: set[bytes] = set()
        if self._renamed:
            self._moved_from = {before for new in self._renamed if (before := self._told(new)) is not None}
            self._before = {b"": b""}  # some were looked up before it was known which names had become free

    @property
    def is_trivial(self) -> bool:
        """No directory changed its name."""
        return not self._renamed and not self._stood

    @property
    def moved_from(self) -> frozenset[bytes]:
        """The paths that renamed directories had before."""
        return frozenset(self._since(path) for path in self._moved_from)

    def is_sound(self, directories: Container[bytes]) -> bool:
        """
        Tar, which carries the steps out one by one, comes to the same for the *directories* of the archive's tree.

        If not, it restores other content than there was, or stops: GNU tar 1.34 does for a circle that a later archive
        tells of again, for a chain of renames in the wrong order, and for a directory that went into a new one at its
        own old name. See `targets` for what more stops it.
        """
        if not self._is_readable or len(self._steps) > MAX_STEPS:
            return False
        if any(old and new.startswith(old + b"/") for old, new in self._steps):
            return False
        names = {*self._renamed, *self._stood, *self._stood.values()}
        return all(self._carried_out(name) == self.before(name) for name in names if name in directories)

    @property
    def targets(self) -> frozenset[bytes]:
        """The paths in the tree before that must be free, or empty directories, for tar to carry the steps out."""
        freed: set[bytes] = set()
        targets = set()
        for old, new in self._steps:
            if new and new not in freed:
                directory, name = split(new)
                before = self.before(directory)
                if before is not None:
                    targets.add(join(before, name))
            freed.add(old)
        return frozenset(targets)

    @property
    def ways(self) -> frozenset[bytes]:
        """
        The paths in the tree before that are above the targets: tar makes those that are missing, and stops at a file.
        """
        above = {new[:at] for _, new in self._steps for at in range(len(new)) if new[at : at + 1] == b"/"}
        return frozenset(before for path in above if (before := self.before(path)))

    def before(self, directory: bytes) -> bytes | None:
        """Where *directory* was before; None if it is new in the place of one that was moved away."""
        told = self._told(directory)
        return self._since(told) if told is not None else None

    def _told(self, directory: bytes) -> bytes | None:
        """Where it was, in the names of tar's snapshot file."""
        if not self._renamed:
            return directory
        # Upwards to one that is known, and down again: recursion would end at 1,000 levels.
        climbed: dict[bytes, None] = {}
        at = directory
        while at not in self._before:
            if at in climbed:  # renames that nest in each other, as no tar writes them
                return None
            climbed[at] = None
            at = split(self._renamed.get(at, at))[0]
        before = self._before[at]
        for passed in reversed(climbed):
            if passed in self._renamed:
                # The parent's name in a rename is that of after: tar has seen to its own rename already.
                was = join(before, split(self._renamed[passed])[1]) if before is not None else None
            else:
                was = join(before, split(passed)[1]) if before is not None else None
                if was in self._moved_from:
                    was = None
            before = self._before[passed] = was
        return before

    def _since(self, path: bytes) -> bytes:
        """*path* in the names of tar's snapshot file -> in those of the tree before."""
        if not self._stood:
            return path
        above, below = path, b""
        while above:
            if above in self._stood:
                return self._stood[above] + below
            above, name = split(above)
            below = b"/" + name + below
        return path

    def _carried_out(self, path: bytes) -> bytes | None:
        """Where *path* was if the steps are carried out as they stand; None if it was not there."""
        for old, new in reversed(self._steps):
            old, new = old or _ASIDE, new or _ASIDE
            if path == new or path.startswith(new + b"/"):
                path = old + path[len(new) :]
            elif path == old or path.startswith(old + b"/"):
                return None
        return path


def _steps(renames: Sequence[Rename]) -> tuple[list[tuple[bytes, bytes]], bool]:
    """*renames* with canonical paths, and whether none had to be left out."""
    steps = [
        (canonical(rename.old), canonical(rename.new))
        for rename in renames
        if is_placeable(rename.old) and is_placeable(rename.new)
    ]
    return steps, len(steps) == len(renames)


_ASIDE = b"\0"  # the temporary name: no name of tar has a NUL


def _meant(steps: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What the steps come to: the new name of a directory -> the old one. An empty name is the temporary one."""
    renamed: dict[bytes, bytes] = {}
    aside = b""  # what waits under the temporary name
    for old, new in steps:
        if not new:
            aside = old
        else:
            renamed[new] = old or aside
    return renamed
