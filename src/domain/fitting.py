"""
Whether one archive can build on another, as the listings of the two tell.

From one dump to the next hardly a directory changes. So listings are compared as the archives have them, byte for byte,
and only those that differ, or whose directories were renamed, are taken apart: that is a few of thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest

from attrs import define, field

from .chains import Fit, FitVerdict
from .errors import TreeTooLarge
from .listings import DIRECTORY_BYTES, MAX_HELD_BYTES, Origins, is_placeable, join, split
from .members import Listing, Mark, Rename
from .names import ArchiveNames, listing_of, raw_listings

RULE = 1
"""Another number whenever a fit may come out otherwise than before: what was kept of older ones is then worthless."""

EXAMPLES = 10
"""Paths that a fit names at most."""

_RENAMING = (b"R", b"T", b"X")
_FILES = (Mark.HERE, Mark.UNCHANGED)


def fit(child: ArchiveNames, parent: ArchiveNames, is_left_out: Callable[[bytes], bool] | None = None) -> Fit:
    """
    Whether *parent* has every name that *child* calls unchanged, and every directory that it calls renamed.

    The parent is read once, and the child once more where listings differ. One without any listing fits nothing and
    contradicts nothing.

    GNU tar calls unchanged, too, what it saw and was told to leave out (``--exclude`` and the like), so a name that
    is new and left out looks like one that is missing. *is_left_out* tells such paths apart, where a profile says what
    its dumps leave out.

    Raises:
        TreeTooLarge: directories that differ have more names than can be held.
        MemberUnreadable: a listing that matters is malformed.

    Cost: that of reading both, and of what differs; about 100 bytes of memory a directory, and what differs.
    """
    side = _Child.read(child)
    if not side.directories:
        return Fit(FitVerdict.UNKNOWN)
    found = _compared(side, parent)
    return Fit(FitVerdict.UNKNOWN) if found is None else found.judged(child, side.directories, is_left_out)


@define
class _Child:
    """
    The directories of an archive, those of them that call names unchanged with a hash of the names, and its renames.

    A directory that has several listings is held to the last of them that calls anything unchanged.
    """

    directories: set[bytes] = field(factory=set)
    unchanged: dict[bytes, int] = field(factory=dict)
    renames: list[Rename] = field(factory=list)

    @classmethod
    def read(cls, archive: ArchiveNames) -> _Child:
        side = cls()
        held = _Held()
        for position, path, extra in raw_listings(archive()):
            if not is_placeable(path):
                raise TreeTooLarge(MAX_HELD_BYTES)
            side.directories.add(path)
            held.add(len(path) + DIRECTORY_BYTES)
            if _has_unchanged(extra):
                side.unchanged[path] = hash(_names_alone(extra))
            if _has_renames(extra):
                renames = listing_of(position, extra).renames
                held.add(sum(len(rename.old) + len(rename.new) for rename in renames))
                side.renames += renames
        return side


@define
class _Held:
    count_bytes: int = 0

    def add(self, count_bytes: int) -> None:
        self.count_bytes += count_bytes
        if self.count_bytes > MAX_HELD_BYTES:
            raise TreeTooLarge(MAX_HELD_BYTES)


@define
class _Differences:
    """
    The directories of the child that have to be looked into: *other* with the names that the parent has there, as its
    archive has them; *missing* are not in the parent. *moved* are those that were renamed and are not there either.
    """

    missing: set[bytes] = field(factory=set)
    other: dict[bytes, tuple[int, bytes]] = field(factory=dict)
    moved: set[bytes] = field(factory=set)
    is_sound: bool = True
    is_excusable: bool = True

    def judged(self, child: ArchiveNames, directories: set[bytes], is_left_out: Callable[[bytes], bool] | None) -> Fit:
        lacking: dict[bytes, int] = {}
        examples: dict[bytes, list[bytes]] = {}
        if self.missing or self.other:
            for position, path, extra in raw_listings(child()):
                if (path in self.missing or path in self.other) and _has_unchanged(extra):
                    names = self._lacking(path, listing_of(position, extra), directories, is_left_out)
                    lacking[path] = len(names)
                    if len(examples) < EXAMPLES and names:
                        examples[path] = [join(path, name) for name in names[:EXAMPLES]]
        count = sum(lacking.values()) + len(self.moved)
        if not count:
            return Fit(FitVerdict.FITS, is_sound=self.is_sound, is_excusable=self.is_excusable)
        shown = [example for path, some in examples.items() if lacking[path] for example in some]
        shown += nsmallest(EXAMPLES, self.moved)
        return Fit(FitVerdict.CONTRADICTS, count, tuple(shown[:EXAMPLES]), self.is_sound, self.is_excusable)

    def _lacking(
        self, directory: bytes, listing: Listing, directories: set[bytes], is_left_out: Callable[[bytes], bool] | None
    ) -> list[bytes]:
        """The names that *listing*, the child's of *directory*, calls unchanged and the parent does not have."""
        have = listing_of(*self.other[directory]).names if directory in self.other else {}
        return [
            name
            for name, mark in listing.names.items()
            if mark is Mark.UNCHANGED
            and have.get(name) not in _FILES
            # One with a listing of its own is a directory, whatever its parent's says: it was named twice to tar.
            and (path := join(directory, name)) not in directories
            and not (is_left_out is not None and is_left_out(path))
        ]


def _compared(child: _Child, parent: ArchiveNames) -> _Differences | None:
    """What of *child* is not plainly in *parent*; None if that has no listing."""
    found = _Differences()
    held = _Held()
    needed: dict[bytes, tuple[bytes, int]] = {}
    targets: dict[bytes, set[bytes]] = {}
    ways: dict[bytes, set[bytes]] = {}
    is_empty = True
    for position, at, extra in raw_listings(parent()):
        if is_empty:  # tar writes all renames of an archive into its first listing
            is_empty = False
            earlier = listing_of(position, extra).renames if _has_renames(extra) else ()
            origins = Origins(child.renames, earlier)
            found.moved = set(origins.moved_from)
            found.is_sound = origins.is_sound(child.directories)
            found.is_excusable = origins.is_trivial
            targets = _by_directory(origins.targets)
            ways = _by_directory(origins.targets | origins.ways)
            for directory, names in child.unchanged.items():
                before = origins.before(directory)
                if before is None or before in needed:
                    found.missing.add(directory)
                else:
                    needed[before] = (directory, names)
        found.moved.discard(at)
        if (job := needed.pop(at, None)) is not None and job[1] != hash(_names_alone(extra)):
            held.add(len(extra) + DIRECTORY_BYTES)
            found.other[job[0]] = (position, extra)
        if targets and found.is_sound:
            found.is_sound = not _stands_in_the_way(at, position, extra, targets, ways)
    if is_empty:
        return None
    found.missing.update(directory for directory, _ in needed.values())
    return found


def _stands_in_the_way(
    directory: bytes,
    position: int,
    extra: bytes,
    targets: Mapping[bytes, set[bytes]],
    ways: Mapping[bytes, set[bytes]],
) -> bool:
    """*directory* is one of *targets*, names by their directories, and not empty; or a file in it is one of *ways*."""
    above, name = split(directory)
    is_target, passed = name in targets.get(above, ()), ways.get(directory)
    if not is_target and not passed:
        return False
    have = listing_of(position, extra).names
    if is_target and have:
        return True
    return any(have.get(name, Mark.DIRECTORY) is not Mark.DIRECTORY for name in passed or ())


def _by_directory(paths: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """The names in *paths* by the directories that they are in: looked up once for each listing, not all for each."""
    found: dict[bytes, set[bytes]] = {}
    for path in paths:
        directory, name = split(path)
        found.setdefault(directory, set()).add(name)
    return found


# -- listings as archives have them: a letter, a name and a NUL for each -----------------------------------------------


def _has_unchanged(listing: bytes) -> bool:
    return listing[:1] == b"N" or b"\0N" in listing


def _has_renames(listing: bytes) -> bool:
    return listing[:1] in _RENAMING or any(b"\0" + letter in listing for letter in _RENAMING)


def _names_alone(listing: bytes) -> bytes:
    """*listing*, were all its files unchanged: whatever has the same names is equal."""
    return (b"\0" + listing).replace(b"\0Y", b"\0N")
