"""
Small histories as values: a machine with a few names, and the incremental archives that GNU tar would make of it.

Time is a counter that every step advances, so a version of a file is identified by its time, and no two are alike.
Renames do not occur; a file may become excluded by pattern, or included again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from attrs import define, evolve, field, frozen

from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.tar.dumpdirs import Mark
from tarkeep.domain.tar.members import Member
from tarkeep.domain.tar.paths import split

from .members import archive, directory, member

SECOND = 10**9
START = datetime(2026, 1, 1, tzinfo=UTC)
FILES = (b"root/a", b"root/b", b"root/d/a", b"root/d/c")

Versions = Mapping[bytes, int]
"""Files by their paths -> the time of their version."""


@frozen(eq=False)
class Dump:
    """
    An archive, its contents by directory, and the dump that it was made after.

    *listings* are marks by the names of each directory, *times* those of the directories, *files* those of the archived
    files.
    """

    archive: BackupArchive
    members: Sequence[Member]
    listings: Mapping[bytes, Mapping[bytes, Mark]]
    times: Mapping[bytes, int]
    files: Versions
    after: Dump | None

    def read(self) -> Sequence[Member]:
        return self.members

    @property
    def is_full(self) -> bool:
        return self.archive.id.type is BackupType.FULL


def over(dump: Dump, tree: Versions) -> dict[bytes, int]:
    """The result of extracting *dump* over *tree*: names called unchanged stay, if they exist."""
    found: dict[bytes, int] = {}
    for folder, names in dump.listings.items():
        for name, mark in names.items():
            path = folder + b"/" + name
            if mark is Mark.HERE:
                found[path] = dump.files[path]
            elif mark is Mark.UNCHANGED and path in tree:
                found[path] = tree[path]
    return found


def truth(dump: Dump) -> dict[bytes, int]:
    """The tree that was archived: that of the dumps that it was really made after."""
    return over(dump, {} if dump.after is None else truth(dump.after))


@define(eq=False)
class Machine:
    """A changing directory ``root``, perhaps with a folder in it."""

    clock: Iterator[int] = field(factory=lambda: count(1))
    files: dict[bytes, int] = field(factory=dict)
    times: dict[bytes, int] = field(factory=dict)
    left_out: set[bytes] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.times[b"root"] = next(self.clock)

    def step(self, rng: random.Random, *, excludes: bool) -> None:
        path = rng.choice(FILES)
        folder = split(path)[0]
        kind = rng.choice(("write", "write", "write", "remove", "remove tree", *["leave out"] * excludes))
        if kind == "write":
            if folder not in self.times:
                self.times[folder] = self.times[b"root"] = next(self.clock)
            if path not in self.files:
                self.times[folder] = next(self.clock)
            self.files[path] = next(self.clock)
        elif kind == "remove" and path in self.files:
            del self.files[path]
            self.times[folder] = next(self.clock)
        elif kind == "remove tree" and folder in self.times and folder != b"root":
            self.files = {other: time for other, time in self.files.items() if split(other)[0] != folder}
            del self.times[folder]
            self.times[b"root"] = next(self.clock)
        elif kind == "leave out":
            self.left_out ^= {path}

    def dump(self, number: int, after: tuple[Dump, int] | None, type: BackupType, name: str) -> tuple[Dump, int]:
        """An archive, and when it was begun; *after* is the dump whose snapshot file it starts from, and its start."""
        now = next(self.clock)
        since = 0 if after is None else after[1]
        known = {} if after is None else after[0].listings
        listings: dict[bytes, dict[bytes, Mark]] = {folder: {} for folder in sorted(self.times)}
        held: dict[bytes, int] = {}
        for path, time in sorted(self.files.items()):
            folder, own = split(path)
            is_here = path not in self.left_out and (folder not in known or time > since)
            listings[folder][own] = Mark.HERE if is_here else Mark.UNCHANGED
            if is_here:
                held[path] = time
        for folder in self.times:
            if folder != b"root":
                listings[b"root"][split(folder)[1]] = Mark.DIRECTORY
        before = None if after is None else after[0]
        return Dump(
            described(number, name, type, listings, before), members_of(listings, self.times, held), listings,
            dict(self.times), held, before,
        ), now  # fmt: skip


def members_of(
    listings: Mapping[bytes, Mapping[bytes, Mark]], times: Mapping[bytes, int], held: Versions
) -> Sequence[Member]:
    """The members of an archive: directories with their listings, then their files."""
    folders = [
        directory(
            folder, " ".join(mark.value.decode() + name.decode() for name, mark in names.items()),
            mtime=times[folder] * SECOND + 1,
        )
        for folder, names in listings.items()
    ]  # fmt: skip
    return archive(*folders, *(member(path, mtime=time * SECOND + 1, size=time) for path, time in held.items()))()


def described(
    number: float, name: str, type: BackupType, listings: Mapping[bytes, Mapping[bytes, Mark]], before: Dump | None
) -> BackupArchive:
    at = START + timedelta(days=number)
    unchanged = any(mark is Mark.UNCHANGED for names in listings.values() for mark in names.values())
    started_from = None if before is None else before.archive.lineage.snapshot_after
    return BackupArchive(
        ArchiveId("p", type, f"{name}.tar.gz"),
        1,
        Digests("0" * 32, hashlib.sha256(name.encode()).hexdigest()),
        at,
        at,
        Contents(Kind.INCREMENTAL, len(listings), 1024, None, unchanged, ("root",)),
        lineage=Lineage(None, started_from, hashlib.sha256(b"snapshot of " + name.encode()).hexdigest()),
    )


def taken_at(dump: Dump, number: float, name: str | None = None) -> Dump:
    """*dump* as if it had been taken on another day, and maybe under another name."""
    at = START + timedelta(days=number)
    id = evolve(dump.archive.id, name=f"{name}.tar.gz" if name else dump.archive.id.name)
    return evolve(dump, archive=evolve(dump.archive, id=id, taken_at=at, received_at=at))


def dumps_of(
    machine: Machine, rng: random.Random, types: Sequence[BackupType], name: str, *, excludes: bool
) -> list[Dump]:
    """A FULL, and one more archive of each of *types*: an INC after the INC or FULL before, a DIFF after the FULL."""
    for _ in range(rng.randrange(3, 9)):
        machine.step(rng, excludes=excludes)
    full = last = machine.dump(0, None, BackupType.FULL, f"{name}0")
    found = [full[0]]
    for number, type in enumerate(types, 1):
        for _ in range(rng.randrange(0, 4)):
            machine.step(rng, excludes=excludes)
        taken = machine.dump(number, full if type is BackupType.DIFF else last, type, f"{name}{number}")
        found.append(taken[0])
        last = last if type is BackupType.DIFF else taken
    return found


# -- what the archives themselves say --------------------------------------------------------------------------------


def possible_trees(dump: Dump, stored: Sequence[Dump]) -> list[dict[bytes, int]]:
    """
    Every tree that *dump* may stand for: the result of each series of *stored* archives in order, a FULL first and
    *dump* last, that the archives do not rule out, if all of them were of one machine.
    """
    return list(_trees(dump, stored[: stored.index(dump)]))


def _trees(dump: Dump, before: Sequence[Dump]) -> Iterator[dict[bytes, int]]:
    if dump.is_full:
        yield over(dump, {})
        return
    for number, parent in enumerate(before):
        if _may_follow(dump, parent, before):
            for tree in _trees(parent, before[:number]):
                if not any(_is_changed(dump, between, tree) for between in before[number + 1 :]):
                    yield over(dump, tree)


def _may_follow(child: Dump, parent: Dump, before: Sequence[Dump]) -> bool:
    """
    The parent has every name that the child calls unchanged and that any archive has; a directory with other names than
    in the parent has a later time, and no directory has an earlier one.
    """
    for folder, names in child.listings.items():
        had = parent.listings.get(folder, {})
        for name, mark in names.items():
            is_lacking = mark is Mark.UNCHANGED and had.get(name, Mark.DIRECTORY) is Mark.DIRECTORY
            if is_lacking and any(folder + b"/" + name in one.files for one in before):
                return False
        if folder in parent.listings and _is_same(child, folder):
            earliest = parent.times[folder] + (names.keys() != had.keys())
            if child.times[folder] < earliest:
                return False
    return True


def _is_same(child: Dump, folder: bytes) -> bool:
    """A name in it is called unchanged; otherwise another folder may have been moved there."""
    below = (names for path, names in child.listings.items() if (path + b"/").startswith(folder + b"/"))
    return any(mark is Mark.UNCHANGED for names in below for mark in names.values())


def _is_changed(child: Dump, between: Dump, tree: Versions) -> bool:
    """A name that the child calls unchanged has another version in *between* than in *tree*."""
    return any(
        child.listings.get(split(path)[0], {}).get(split(path)[1]) is Mark.UNCHANGED
        and tree.get(path) not in (None, time)
        for path, time in between.files.items()
    )
