"""
Comparing what a client has with what the server holds.

Pure: it takes two sorted inventories and yields names, every name of either side in exactly one bucket of its type, in
batches, because there may be millions. "Local" is the client, "remote" the server, as in the clients of the original
server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from attrs import frozen

from ..errors.archives import DuplicateEntry
from ..identity.archive_id import BackupType


class InventoryEntry(NamedTuple):
    """
    One archive of one side: its identity within the compared scope, and what that side knows of its bytes.

    *size_bytes* and the digests (lower-case hex) are None where unknown. *is_damaged* says that this side has lost the
    bytes that the digests describe. A plain tuple, because there may be millions.
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
    UNVERIFIED = "unverified"  # the same name, but no digest that both sides know
    DAMAGED = "damaged"  # the server received these bytes, as far as it can tell, and knows its copy to be damaged
    PRUNED = "pruned"  # the server had these bytes, and removed them by the profile's policy

    @property
    def issue(self) -> str | None:
        """What is wrong with an archive in this bucket, to put before its name; None if nothing is wrong."""
        return _ISSUES.get(self)


_ISSUES = {
    Bucket.MISSING_REMOTE: "Missing on remote",
    Bucket.EXTRA_REMOTE: "Extra on remote",
    Bucket.DIFFERING: "Differs from remote",
    Bucket.UNVERIFIED: "Not verified, no digest given",
    Bucket.DAMAGED: "Damaged on remote, send it again",
}
NOT_THERE = (Bucket.MISSING_REMOTE, Bucket.PRUNED)
_RANK = {type: rank for rank, type in enumerate(BackupType)}

JUDGED_AT_ONCE = 1000
_UNKNOWN: Mapping[str, str] = MappingProxyType({})


class Judged(NamedTuple):
    """Some names of one type, in order, that belong in one bucket; later batches may add names to it."""

    type: BackupType
    bucket: Bucket
    names: list[str]
    damage: Mapping[str, str] = _UNKNOWN  # in one word, how the damage of a name shows, where that is known


class Batches:
    """Collects names by type and bucket, and returns them in batches."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[BackupType, Bucket], list[str]] = {}

    def add(self, type: BackupType, bucket: Bucket, name: str) -> Judged | None:
        """Add *name*; return its batch if that is now full."""
        names = self._gathered.setdefault((type, bucket), [])
        names.append(name)
        if len(names) < JUDGED_AT_ONCE:
            return None
        return Judged(type, bucket, self._gathered.pop((type, bucket)))

    def rest(self) -> Iterator[Judged]:
        """The batches that are not full yet."""
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
    pruned: tuple[str, ...] = ()
    damage: Mapping[str, str] = _UNKNOWN
    """How the damage of some of the *damaged* shows, in one word, see `LastChecked`."""

    @property
    def is_synchronized(self) -> bool:
        return not (self.missing_remote or self.extra_remote or self.differing or self.unverified or self.damaged)


@frozen
class SyncReport:
    """The comparison of two inventories: a `TypeReport` for each of the three types, in order."""

    types: Mapping[BackupType, TypeReport]

    @property
    def is_synchronized(self) -> bool:
        return all(report.is_synchronized for report in self.types.values())

    def places(self) -> dict[tuple[BackupType, str], Bucket]:
        """The bucket of every name, for many lookups."""
        return {
            (type, name): bucket
            for type, report in self.types.items()
            for bucket in Bucket
            for name in getattr(report, bucket.value)
        }

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> SyncReport:
        """Collect all of *judged* in memory."""
        names: dict[tuple[BackupType, Bucket], list[str]] = {}
        shows: dict[BackupType, dict[str, str]] = {type: {} for type in BackupType}
        for type, bucket, some, damage in judged:
            names.setdefault((type, bucket), []).extend(some)
            shows[type].update(damage)
        counts = {place: len(found) for place, found in names.items()}
        return cls(
            {
                type: TypeReport(
                    type,
                    sum(counts.get((type, bucket), 0) for bucket in Bucket if bucket is not Bucket.EXTRA_REMOTE),
                    sum(counts.get((type, bucket), 0) for bucket in Bucket if bucket not in NOT_THERE),
                    **{bucket.value: tuple(names.get((type, bucket), ())) for bucket in Bucket},
                    damage=shows[type],
                )
                for type in BackupType
            }
        )


Pruned: TypeAlias = Callable[[BackupType, Sequence[InventoryEntry]], Collection[str]]
"""The names of those entries of a type, which only the client has, whose bytes the server had and removed."""


def _nothing_pruned(_type: BackupType, _entries: Sequence[InventoryEntry]) -> Collection[str]:
    return ()


def pair(
    here: Iterable[InventoryEntry], there: Iterable[InventoryEntry], pruned: Pruned = _nothing_pruned
) -> Iterator[Judged]:
    """
    Sort every archive known to either side into exactly one bucket.

    *here* is the catalog (remote), *there* the client's claim (local), each sorted by type in the order of
    `BackupType`, then by name. Archives are paired by identity, never by digest: two archives with equal bytes are
    still two. If several profiles of *here* have one type and name, they count as one archive: preferably an undamaged
    one with the client's bytes. *pruned* is asked about archives that only the client has.

    Raises:
        DuplicateEntry: a name occurs twice in one type of *there*; raised during iteration.

    Cost: O(n) time, and memory for `JUDGED_AT_ONCE` names of each bucket.
    """
    batches, lacking = Batches(), list[InventoryEntry]()
    for entry, bucket in _each_judged(here, there):
        if bucket is Bucket.MISSING_REMOTE:
            if lacking and (len(lacking) == JUDGED_AT_ONCE or lacking[0].type is not entry.type):
                yield from missing(lacking, pruned)
                lacking = []
            lacking.append(entry)
            continue
        full = batches.add(entry.type, bucket, entry.name)
        if full is not None:
            yield full
    if lacking:
        yield from missing(lacking, pruned)
    yield from batches.rest()


def missing(entries: Sequence[InventoryEntry], pruned: Pruned) -> Iterator[Judged]:
    """Sort *entries*, at least one, all of one type and the client's alone, by whether the server had them."""
    type = entries[0].type
    gone = pruned(type, entries)
    if lacking := [entry.name for entry in entries if entry.name not in gone]:
        yield Judged(type, Bucket.MISSING_REMOTE, lacking)
    if removed := [entry.name for entry in entries if entry.name in gone]:
        yield Judged(type, Bucket.PRUNED, removed)


def _each_judged(
    here: Iterable[InventoryEntry], there: Iterable[InventoryEntry]
) -> Iterator[tuple[InventoryEntry, Bucket]]:
    local = once_each(there)
    mine = next(local, None)
    for place, stored in groupby(here, _place):
        while mine is not None and _place(mine) < place:
            yield mine, Bucket.MISSING_REMOTE
            mine = next(local, None)
        if mine is not None and _place(mine) == place:
            yield mine, bucket_of(mine, _best(mine, stored))
            mine = next(local, None)
        else:
            yield next(stored), Bucket.EXTRA_REMOTE
    while mine is not None:
        yield mine, Bucket.MISSING_REMOTE
        mine = next(local, None)


def once_each(local: Iterable[InventoryEntry]) -> Iterator[InventoryEntry]:
    """
    *local*, which is sorted, unchanged.

    Raises:
        DuplicateEntry: a name repeats within its type.
    """
    before: tuple[BackupType, str] | None = None
    for entry in local:
        if before == entry[:2]:
            raise DuplicateEntry("local", entry.type, entry.name)
        before = entry[:2]
        yield entry


def bucket_of(mine: InventoryEntry, theirs: InventoryEntry) -> Bucket:
    """
    The bucket of an archive that both sides have, by what the client (*mine*) and the catalog (*theirs*) know of it.

    Without a digest that both know it is *differing* (by size) or *unverified*, never *synced*. An archive that is
    damaged on the server is *damaged*, unless the client has other bytes, which would not repair it.
    """
    verdict = same_bytes(mine, theirs)
    if verdict is False:
        return Bucket.DIFFERING
    if theirs.is_damaged:
        return Bucket.DAMAGED
    return Bucket.SYNCED if verdict else Bucket.UNVERIFIED


def _best(mine: InventoryEntry, stored: Iterator[InventoryEntry]) -> InventoryEntry:
    """Of *stored*, which share a name, one with the client's bytes, undamaged if possible; else the first."""
    chosen = next(stored)
    for entry in stored:
        if same_bytes(mine, entry) and (chosen.is_damaged or not same_bytes(mine, chosen)):
            chosen = entry
    return chosen


def _place(entry: InventoryEntry) -> tuple[int, str]:
    return _RANK[entry.type], entry.name


def same_bytes(one: InventoryEntry, other: InventoryEntry) -> bool | None:
    """Whether two entries describe the same bytes; None where they do not say enough."""
    if one.size_bytes is not None and other.size_bytes is not None and one.size_bytes != other.size_bytes:
        return False
    verdict = None
    for mine, theirs in ((one.sha256, other.sha256), (one.md5, other.md5)):
        if mine is not None and theirs is not None:
            if mine != theirs:
                return False
            verdict = True
    return verdict
