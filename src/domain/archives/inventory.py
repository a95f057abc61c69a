"""
Comparing what a client has with what the server holds.

Pure: two inventories in, in order, and out come names, every name of either side in exactly one bucket of its type; in
batches, because there may be millions. "Local" is the client, "remote" the server, as in the words of the original's
clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import groupby
from typing import NamedTuple

from attrs import frozen

from ..errors.archives import DuplicateEntry
from ..identity.archive_id import BackupType


class InventoryEntry(NamedTuple):
    """
    One archive of one side: its identity within the compared scope, and what that side knows of its bytes.

    *size_bytes* and the digests (lower-case hex) are None where unknown. *is_damaged* says that what that side stores
    is known not to be these bytes any more; the digests are of what it was. A plain tuple, because there may be
    millions.
    """

    type: BackupType
    name: str
    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    is_damaged: bool = False


class Bucket(Enum):
    """Where an archive of either side belongs; the value is the word of the API."""

    SYNCED = "synced"  # same bytes by digest
    MISSING_REMOTE = "missing_remote"  # only the client has it
    EXTRA_REMOTE = "extra_remote"  # only the server has it
    DIFFERING = "differing"  # the same name with another digest or size
    UNVERIFIED = "unverified"  # the same name, and no digest that both sides know
    DAMAGED = "damaged"  # the server had these bytes, as far as can be told, and knows that it has them no more

    @property
    def issue(self) -> str | None:
        """What is wrong with an archive there, before its name; None where nothing is."""
        return _ISSUES.get(self)


_ISSUES = {
    Bucket.MISSING_REMOTE: "Missing on remote",
    Bucket.EXTRA_REMOTE: "Extra on remote",
    Bucket.DIFFERING: "Differs from remote",
    Bucket.UNVERIFIED: "Not verified, no digest given",
    Bucket.DAMAGED: "Damaged on remote, send it again",
}
_RANK = {type: rank for rank, type in enumerate(BackupType)}

JUDGED_AT_ONCE = 1000


class Judged(NamedTuple):
    """Some names of one type, in order, that belong into one bucket; further ones of it come later."""

    type: BackupType
    bucket: Bucket
    names: list[str]


class Batches:
    """Gathers names by type and bucket, and gives them in batches."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[BackupType, Bucket], list[str]] = {}

    def add(self, type: BackupType, bucket: Bucket, name: str) -> Judged | None:
        """Take *name*; the batch if it is full with it."""
        names = self._gathered.setdefault((type, bucket), [])
        names.append(name)
        if len(names) < JUDGED_AT_ONCE:
            return None
        return Judged(type, bucket, self._gathered.pop((type, bucket)))

    def rest(self) -> Iterator[Judged]:
        """The batches that are not full."""
        for (type, bucket), names in self._gathered.items():
            yield Judged(type, bucket, names)
        self._gathered.clear()


@frozen
class TypeReport:
    """The buckets of one type, each a tuple of names in order; every name of either side is in exactly one."""

    type: BackupType
    local_count: int
    remote_count: int
    synced: tuple[str, ...] = ()
    missing_remote: tuple[str, ...] = ()
    extra_remote: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def is_synchronized(self) -> bool:
        return not (self.missing_remote or self.extra_remote or self.differing or self.unverified or self.damaged)


@frozen
class SyncReport:
    """The comparison of two inventories: one `TypeReport` for each of the three types, in their order."""

    types: Mapping[BackupType, TypeReport]

    @property
    def is_synchronized(self) -> bool:
        return all(report.is_synchronized for report in self.types.values())

    def places(self) -> dict[tuple[BackupType, str], Bucket]:
        """The bucket of every name, for looking up many."""
        return {
            (type, name): bucket
            for type, report in self.types.items()
            for bucket in Bucket
            for name in getattr(report, bucket.value)
        }

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> SyncReport:
        """All of *judged* in memory."""
        names: dict[tuple[BackupType, Bucket], list[str]] = {}
        for type, bucket, some in judged:
            names.setdefault((type, bucket), []).extend(some)
        counts = {place: len(found) for place, found in names.items()}
        return cls(
            {
                type: TypeReport(
                    type,
                    sum(counts.get((type, bucket), 0) for bucket in Bucket if bucket is not Bucket.EXTRA_REMOTE),
                    sum(counts.get((type, bucket), 0) for bucket in Bucket if bucket is not Bucket.MISSING_REMOTE),
                    **{bucket.value: tuple(names.get((type, bucket), ())) for bucket in Bucket},
                )
                for type in BackupType
            }
        )


def pair(here: Iterable[InventoryEntry], there: Iterable[InventoryEntry]) -> Iterator[Judged]:
    """
    Sort every archive known to either side into exactly one bucket.

    *here* is the catalog (remote), *there* the client's claim (local), each in order: type by type as `BackupType` has
    them, and by name within. Archives are paired by identity, never by digest: two archives with equal bytes are still
    two. Several of *here* with one type and name, of several profiles, count as one: one with the client's bytes, and
    whole, if there is one.

    Raises:
        DuplicateEntry: a name occurs twice in one type of *there*; while this is iterated.

    Cost: O(n) time, and memory for `JUDGED_AT_ONCE` names of each bucket.
    """
    batches = Batches()
    for type, bucket, name in _each_judged(here, there):
        full = batches.add(type, bucket, name)
        if full is not None:
            yield full
    yield from batches.rest()


def _each_judged(
    here: Iterable[InventoryEntry], there: Iterable[InventoryEntry]
) -> Iterator[tuple[BackupType, Bucket, str]]:
    local = once_each(there)
    mine = next(local, None)
    for place, stored in groupby(here, _place):
        while mine is not None and _place(mine) < place:
            yield mine.type, Bucket.MISSING_REMOTE, mine.name
            mine = next(local, None)
        if mine is not None and _place(mine) == place:
            yield mine.type, bucket_of(mine, _best(mine, stored)), mine.name
            mine = next(local, None)
        else:
            extra = next(stored)
            yield extra.type, Bucket.EXTRA_REMOTE, extra.name
    while mine is not None:
        yield mine.type, Bucket.MISSING_REMOTE, mine.name
        mine = next(local, None)


def once_each(local: Iterable[InventoryEntry]) -> Iterator[InventoryEntry]:
    """
    *local*, which is in order.

    Raises:
        DuplicateEntry: at a name that stood before in the same type.
    """
    before: tuple[BackupType, str] | None = None
    for entry in local:
        if before == entry[:2]:
            raise DuplicateEntry("local", entry.type, entry.name)
        before = entry[:2]
        yield entry


def bucket_of(mine: InventoryEntry, theirs: InventoryEntry) -> Bucket:
    """
    Where an archive belongs that both sides have, by what the client (*mine*) and the catalog (*theirs*) know of it.

    Without a digest that both know it is *differing* (by size) or *unverified*, never *synced*. One that is damaged
    there is *damaged* unless the client has other bytes than it was, which sending would not repair.
    """
    verdict = same_bytes(mine, theirs)
    if verdict is False:
        return Bucket.DIFFERING
    if theirs.is_damaged:
        return Bucket.DAMAGED
    return Bucket.SYNCED if verdict else Bucket.UNVERIFIED


def _best(mine: InventoryEntry, stored: Iterator[InventoryEntry]) -> InventoryEntry:
    """Of *stored*, which share a name, one that has the client's bytes, whole if there is one; else the first."""
    chosen = next(stored)
    for entry in stored:
        if same_bytes(mine, entry) and (chosen.is_damaged or not same_bytes(mine, chosen)):
            chosen = entry
    return chosen


def _place(entry: InventoryEntry) -> tuple[int, str]:
    return _RANK[entry.type], entry.name


def same_bytes(one: InventoryEntry, other: InventoryEntry) -> bool | None:
    """Whether two entries describe the same bytes: yes, no, or None where that cannot be told."""
    if one.size_bytes is not None and other.size_bytes is not None and one.size_bytes != other.size_bytes:
        return False
    verdict = None
    for mine, theirs in ((one.sha256, other.sha256), (one.md5, other.md5)):
        if mine is not None and theirs is not None:
            if mine != theirs:
                return False
            verdict = True
    return verdict
