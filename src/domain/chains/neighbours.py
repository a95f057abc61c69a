"""
What a rule for links may ask about the other archives of a profile, and which answers a new archive can change.

A link follows from answers to a few queries. The catalog notes these: a link has to be made anew only if an archive
that was added, removed or changed is part of an answer. Nothing here depends on what the rule makes of the answers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from attrs import define, field, frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..identity.archive_id import ArchiveId, BackupType

Moment: TypeAlias = tuple[datetime, datetime]
"""When an archive was taken, as far as its time is believed, and received. Equal moments are ordered by id."""

EARLIEST: Moment = (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))


def moment(archive: BackupArchive) -> Moment:
    return archive.placed_at, archive.received_at


Order: TypeAlias = tuple[datetime, datetime, ArchiveId]


def order(archive: BackupArchive) -> Order:
    """The sort key of archives within a profile."""
    return archive.placed_at, archive.received_at, archive.id


def sorted_archives(archives: Iterable[BackupArchive]) -> list[BackupArchive]:
    """The archives not in the trash, in the order in which they were taken."""
    kept = [archive for archive in archives if archive.state is not ArchiveState.TRASHED]
    kept.sort(key=order)
    return kept


class Neighbours(Protocol):
    """The archives of one profile, as a rule may query them. Three methods know those in the trash."""

    def named(self, id: ArchiveId) -> BackupArchive | None:
        """The archive with this identity, in the trash or not; None if it does not exist."""

    def leaving(self, snapshot: str) -> Sequence[BackupArchive]:
        """The archives that left the snapshot file with this digest, in the trash or not, in order."""

    def newest_before(self, child: BackupArchive, types: Sequence[BackupType]) -> BackupArchive | None:
        """The last archive of *types* that was taken before *child*."""

    def before(self, child: BackupArchive, limit: int) -> Sequence[BackupArchive]:
        """Up to *limit* archives that were taken before *child*, the nearest first."""

    def removed_between(
        self, parent: BackupArchive, child: BackupArchive, types: Sequence[BackupType]
    ) -> BackupArchive | None:
        """The last archive of *types* in the trash, or gone from it, that was taken between these two."""


# -- what was asked --------------------------------------------------------------------------------------------------


@frozen
class Asked:
    """
    The archives that were part of the answers, or would be if they existed.

    They are those with one of *keys* (see `keys_of`), wherever they are in the order; and those taken before the child,
    of a type in *since* and of that moment or later. This may cover a few more than took part.
    """

    keys: frozenset[str] = frozenset()
    since: Mapping[BackupType, Moment] = field(factory=dict)

    def is_touched_by(self, archive: BackupArchive, child: Moment) -> bool:
        """Whether adding or changing *archive* may change an answer about a child taken at the moment *child*."""
        if not self.keys.isdisjoint(keys_of(archive)):
            return True
        since = self.since.get(archive.id.type)
        return since is not None and since <= moment(archive) <= child


def name_key(id: ArchiveId) -> str:
    return id.label


def snapshot_key(digest: str) -> str:
    return f"snapshot {digest}"


def keys_of(archive: BackupArchive) -> tuple[str, ...]:
    """The keys under which *archive* is part of answers."""
    after = archive.lineage.snapshot_after
    return (name_key(archive.id),) if after is None else (name_key(archive.id), snapshot_key(after))


@define(eq=False)
class NotedNeighbours:
    """`Neighbours` that pass each query on and note it."""

    _among: Neighbours
    _keys: set[str] = field(factory=set, init=False)
    _since: dict[BackupType, Moment] = field(factory=dict, init=False)

    @property
    def asked(self) -> Asked:
        return Asked(frozenset(self._keys), dict(self._since))

    def named(self, id: ArchiveId) -> BackupArchive | None:
        self._keys.add(name_key(id))
        return self._among.named(id)

    def leaving(self, snapshot: str) -> Sequence[BackupArchive]:
        self._keys.add(snapshot_key(snapshot))
        return self._among.leaving(snapshot)

    def newest_before(self, child: BackupArchive, types: Sequence[BackupType]) -> BackupArchive | None:
        found = self._among.newest_before(child, types)
        self._note(types, EARLIEST if found is None else moment(found))
        return found

    def before(self, child: BackupArchive, limit: int) -> Sequence[BackupArchive]:
        found = self._among.before(child, limit)
        self._note(tuple(BackupType), EARLIEST if len(found) < limit else moment(found[-1]))
        return found

    def removed_between(
        self, parent: BackupArchive, child: BackupArchive, types: Sequence[BackupType]
    ) -> BackupArchive | None:
        self._note(types, moment(parent))
        return self._among.removed_between(parent, child, types)

    def _note(self, types: Iterable[BackupType], since: Moment) -> None:
        for type in types:
            self._since[type] = min(since, self._since.get(type, since))


# -- all of a profile at hand ----------------------------------------------------------------------------------------


class ListedNeighbours:
    """`Neighbours` among archives in memory, in any order: tables are made once, and each query is a look-up."""

    def __init__(self, archives: Iterable[BackupArchive]) -> None:
        known = sorted(archives, key=order)
        self._named = {archive.id: archive for archive in known}
        self._leaving: dict[str, list[BackupArchive]] = {}
        for archive in known:
            if archive.lineage.snapshot_after is not None:
                self._leaving.setdefault(archive.lineage.snapshot_after, []).append(archive)
        self._ordered = _Line([archive for archive in known if archive.state is not ArchiveState.TRASHED])
        self._removed = _Line([archive for archive in known if archive.state is ArchiveState.TRASHED])
        self._of_type = {
            type: _Line([archive for archive in self._ordered.archives if archive.id.type is type])
            for type in BackupType
        }

    def named(self, id: ArchiveId) -> BackupArchive | None:
        return self._named.get(id)

    def leaving(self, snapshot: str) -> Sequence[BackupArchive]:
        return self._leaving.get(snapshot, ())

    def newest_before(self, child: BackupArchive, types: Sequence[BackupType]) -> BackupArchive | None:
        own = order(child)
        lines = (self._of_type[type] for type in types)
        before = [line.archives[at - 1] for line in lines if (at := line.count_before(own))]
        return max(before, key=order, default=None)

    def before(self, child: BackupArchive, limit: int) -> Sequence[BackupArchive]:
        at = self._ordered.count_before(order(child))
        return self._ordered.archives[max(0, at - limit) : at][::-1]

    def removed_between(
        self, parent: BackupArchive, child: BackupArchive, types: Sequence[BackupType]
    ) -> BackupArchive | None:
        line = self._removed
        between = line.archives[line.count_before(order(parent)) : line.count_before(order(child))]
        return next((archive for archive in reversed(between) if archive.id.type in types), None)


class _Line:
    """Archives in order, with their keys at hand: to make a key takes longer than to compare two."""

    def __init__(self, archives: Sequence[BackupArchive]) -> None:
        self.archives = archives
        self._keys = [order(archive) for archive in archives]

    def count_before(self, key: Order) -> int:
        """How many of them are before *key*."""
        return bisect_left(self._keys, key)
