"""
Comparing what a client has with what the server holds.

Pure: two inventories in, one report out, in which every name of either side stands in exactly one bucket of its type.
"Local" is the client, "remote" the server, as in the words of the original's clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from .archives import BackupType
from .errors import DuplicateEntry


@frozen
class InventoryEntry:
    """
    One archive of one side: its identity within the compared scope, and what that side knows of its bytes.

    *size_bytes* and the digests (lower-case hex) are None where unknown. *is_damaged* says that what that side stores
    is known not to be these bytes any more; the digests are of what it was.
    """

    type: BackupType
    name: str
    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    is_damaged: bool = False


@frozen
class TypeReport:
    """
    The buckets of one type, each a tuple of names in order; every name of either side is in exactly one.

    *synced* same bytes by digest; *missing_remote* only the client has it; *extra_remote* only the server has it;
    *differing* the same name with another digest or size; *unverified* the same name, and no digest that both sides
    know; *damaged* the server had these bytes, as far as can be told, and knows that it has them no more: sent again
    they are repaired.
    """

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

    def issues(self) -> Iterator[str]:
        """One readable line per name that is not synced."""
        for label, names in (
            ("Missing on remote", self.missing_remote),
            ("Extra on remote", self.extra_remote),
            ("Differs from remote", self.differing),
            ("Not verified, no digest given", self.unverified),
            ("Damaged on remote, send it again", self.damaged),
        ):
            for name in names:
                yield f"{label}: {self.type.value}/{name}"


@frozen
class SyncReport:
    """The comparison of two inventories: one `TypeReport` for each of the three types, in their order."""

    types: Mapping[BackupType, TypeReport]

    @property
    def is_synchronized(self) -> bool:
        return all(report.is_synchronized for report in self.types.values())

    def issues(self) -> list[str]:
        """One readable line per problem, type by type."""
        return [line for report in self.types.values() for line in report.issues()]


def compare(here: Iterable[InventoryEntry], there: Iterable[InventoryEntry]) -> SyncReport:
    """
    Sort every archive known to either side into exactly one bucket of a report.

    *here* is the catalog (remote), *there* the client's claim (local); each name at most once per type and side, any
    order. Archives are paired by identity, never by digest: two archives with equal bytes are still two. An entry
    without a digest the other side knows is *differing* (by size) or *unverified*, never *synced*. One that is damaged
    here is *damaged* unless the client has other bytes than it was, which sending would not repair.

    Raises:
        DuplicateEntry: a name occurs twice in one type of one side.

    Cost: O(n log n) time (the buckets are sorted) and O(n) memory in the number of entries.
    """
    remote = _by_type(here, "remote")
    local = _by_type(there, "local")
    return SyncReport({type: _compare_type(type, remote[type], local[type]) for type in BackupType})


def _by_type(entries: Iterable[InventoryEntry], side: str) -> dict[BackupType, dict[str, InventoryEntry]]:
    sorted_in: dict[BackupType, dict[str, InventoryEntry]] = {type: {} for type in BackupType}
    for entry in entries:
        names = sorted_in[entry.type]
        if entry.name in names:
            raise DuplicateEntry(side, entry.type, entry.name)
        names[entry.name] = entry
    return sorted_in


def _compare_type(type: BackupType, remote: dict[str, InventoryEntry], local: dict[str, InventoryEntry]) -> TypeReport:
    synced: list[str] = []
    differing: list[str] = []
    unverified: list[str] = []
    damaged: list[str] = []
    for name, mine in local.items():
        theirs = remote.get(name)
        if theirs is None:
            continue
        verdict = same_bytes(mine, theirs)
        if verdict is False:
            differing.append(name)
        elif theirs.is_damaged:
            damaged.append(name)
        else:
            (synced if verdict else unverified).append(name)
    return TypeReport(
        type=type,
        local_count=len(local),
        remote_count=len(remote),
        synced=tuple(sorted(synced)),
        missing_remote=tuple(sorted(local.keys() - remote.keys())),
        extra_remote=tuple(sorted(remote.keys() - local.keys())),
        differing=tuple(sorted(differing)),
        unverified=tuple(sorted(unverified)),
        damaged=tuple(sorted(damaged)),
    )


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
