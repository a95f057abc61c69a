"""The links of the in-memory catalog: kept in dictionaries, as the SQL catalog keeps them in tables."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from struct import Struct
from threading import RLock
from typing import TypeAlias

from attrs import Factory, define, frozen

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.chains.kept_links import LinkState, NewLink, PlacedPage
from ...domain.chains.link import Link
from ...domain.chains.neighbours import Asked, Neighbours, keys_of, moment, order
from ...domain.chains.standing import PlacedArchive, Standing, way_to
from ...domain.identity.archive_id import ArchiveId, BackupType
from ..cursors import after_place, read_place

_Order: TypeAlias = tuple[datetime, datetime, ArchiveId]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = Struct(">qq")
_NOTHING_ASKED = Asked()
_ALL_TYPES = tuple(BackupType)


@define
class _Row:
    archive: BackupArchive
    changed: int
    is_pending: bool = True
    link: Link | None = None
    asked: Asked = _NOTHING_ASKED
    standing: Standing | None = None

    def forget(self) -> None:
        self.is_pending, self.link, self.asked, self.standing = True, None, _NOTHING_ASKED, None

    @property
    def is_listed(self) -> bool:
        return self.archive.state is not ArchiveState.TRASHED

    @property
    def placed(self) -> PlacedArchive:
        return PlacedArchive(self.archive, self.link, self.standing)


@define
class _Profile:
    """The rows of one profile, and the order of those that are listed."""

    version: int = 0
    rules: str | None = None
    rows: dict[ArchiveId, _Row] = Factory(dict)
    listed: list[_Order] = Factory(list)
    children: dict[ArchiveId, set[ArchiveId]] = Factory(dict)
    asking: dict[str, set[ArchiveId]] = Factory(dict)
    settled: set[ArchiveId] = Factory(set)  # archives whose links asked about others

    def in_order(self) -> list[_Row]:
        return [self.rows[id] for _, _, id in self.listed]

    def change(self, archive: BackupArchive) -> None:
        self.version += 1
        row = self.rows.get(archive.id)
        keys = set(keys_of(archive))
        if row is None:
            row = self.rows[archive.id] = _Row(archive, self.version)
        else:
            keys.update(keys_of(row.archive))
            if row.is_listed:
                self.listed.remove(order(row.archive))
            row.archive, row.changed = archive, self.version
            self.let_go(archive.id)
        if row.is_listed:
            insort(self.listed, order(archive))
        self.forget_behind(archive, keys)

    def forget_behind(self, archive: BackupArchive, keys: Iterable[str]) -> None:
        touched = {id for key in keys for id in self.asking.get(key, ())}
        for id in self.settled:
            row = self.rows[id]
            if row.is_listed and row.asked.is_touched_by(archive, moment(row.archive)):
                touched.add(id)
        self.forget_standings_behind(archive.id)
        for id in touched - {archive.id}:
            self.let_go(id)
            self.forget_standings_behind(id)

    def let_go(self, id: ArchiveId) -> None:
        row = self.rows[id]
        self.settled.discard(id)
        for key in row.asked.keys:
            self.asking[key].discard(id)
        if row.link is not None and row.link.parent is not None:
            self.children[row.link.parent].discard(id)
        row.forget()

    def forget_standings_behind(self, id: ArchiveId) -> None:
        waiting = [id]
        while waiting:
            for child in self.children.get(waiting.pop(), ()):
                if self.rows[child].standing is not None:
                    self.rows[child].standing = None
                    waiting.append(child)

    def keep(self, new: NewLink) -> None:
        self.let_go(new.archive)
        row = self.rows[new.archive]
        row.is_pending, row.link, row.asked, row.standing = not new.is_certain, new.link, new.asked, new.standing
        self.settled.add(new.archive)
        for key in new.asked.keys:
            self.asking.setdefault(key, set()).add(new.archive)
        if new.link is not None and new.link.parent is not None:
            self.children.setdefault(new.link.parent, set()).add(new.archive)

    def inspect_staged(self, version: int) -> None:
        for row in [row for row in self.rows.values() if row.changed > version]:
            self.forget_behind(row.archive, keys_of(row.archive))


class MemoryLinks:
    """`KeptLinks` in this process's memory; the part of `MemoryCatalog` that handles them."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._linked: dict[str, _Profile] = {}

    def _changed(self, archive: BackupArchive) -> None:
        """*archive* is new or has changed."""
        self._linked.setdefault(archive.id.profile, _Profile()).change(archive)

    def _let_go(self, id: ArchiveId) -> None:
        """The entry of *id*, which is not listed, is removed."""
        known = self._linked[id.profile]
        known.let_go(id)
        del known.rows[id]

    def _versions(self) -> dict[str, int]:
        with self._lock:
            return {profile: known.version for profile, known in self._linked.items() if known.listed}

    def link_state(self, profile: str) -> LinkState:
        with self._lock:
            known = self._profile(profile)
            return LinkState(
                known.version,
                known.rules,
                has_pending=any(row.is_pending for row in known.rows.values()),
                has_unsettled=any(row.is_listed and row.standing is None for row in known.rows.values()),
            )

    def _profile(self, profile: str) -> _Profile:
        return self._linked.get(profile, _Profile())

    def neighbours(self, profile: str) -> Neighbours:
        return _MemoryNeighbours(self, profile)

    def pending(self, profile: str, limit: int) -> list[PlacedArchive]:
        with self._lock:
            rows = [row for row in self._profile(profile).rows.values() if row.is_pending]
            rows.sort(key=lambda row: order(row.archive), reverse=True)
            return [row.placed for row in rows[:limit]]

    def forget_links(self, profile: str, rules: str) -> None:
        with self._lock:
            known = self._profile(profile)
            for id in known.rows:
                known.let_go(id)
            known.rules = rules

    def keep_links(self, profile: str, version: int, rules: str, links: Sequence[NewLink]) -> None:
        with self._lock:
            known = self._profile(profile)
            for new in links:
                row = known.rows.get(new.archive)
                if row is not None and row.changed <= version:
                    if new.is_another:
                        known.forget_standings_behind(new.archive)
                    known.keep(new)
            known.inspect_staged(version)
            known.rules = rules

    def unsettled(self, profile: str, limit: int) -> list[PlacedArchive]:
        with self._lock:
            rows = self._profile(profile).in_order()
            return [row.placed for row in rows if row.link is not None and row.standing is None][:limit]

    def keep_standings(self, profile: str, version: int, standings: Mapping[ArchiveId, Standing]) -> None:
        with self._lock:
            known = self._profile(profile)
            for id, standing in standings.items():
                row = known.rows.get(id)
                if row is not None and row.changed <= version and row.link is not None:
                    row.standing = standing
            known.inspect_staged(version)

    def entries(self, profile: str) -> list[BackupArchive]:
        with self._lock:
            return [row.archive for row in self._profile(profile).rows.values()]

    def placed(self, ids: Iterable[ArchiveId]) -> dict[ArchiveId, PlacedArchive]:
        with self._lock:
            rows = {id: self._profile(id.profile).rows.get(id) for id in ids}
            return {id: row.placed for id, row in rows.items() if row is not None and row.is_listed}

    def places(self, profile: str, *, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        with self._lock:
            known = self._profile(profile)
            start = 0 if cursor is None else bisect_right(known.listed, _read(profile, cursor))
            found = [known.rows[id].placed for _, _, id in known.listed[start : start + limit + 1]]
        more = len(found) > limit
        return PlacedPage(tuple(found[:limit]), _cursor(found[limit - 1].archive) if more else None)

    def path(self, id: ArchiveId) -> list[PlacedArchive]:
        with self._lock:
            rows = self._profile(id.profile).rows
            return way_to(id, lambda at: rows[at].placed if at in rows and rows[at].is_listed else None)

    def newest_place(
        self,
        profile: str,
        *,
        types: Sequence[BackupType] = _ALL_TYPES,
        until: datetime | None = None,
        before: datetime | None = None,
        is_restorable: bool = False,
        has_snapshot: bool = False,
        not_ahead: bool = False,
    ) -> PlacedArchive | None:
        with self._lock:
            for row in reversed(self._profile(profile).in_order()):
                placed_at = row.archive.placed_at
                if (
                    row.archive.id.type in types
                    and (until is None or placed_at <= until)
                    and (before is None or placed_at < before)
                    and (row.archive.has_snapshot or not has_snapshot)
                    and not (not_ahead and row.archive.is_dated_ahead)
                    and (not is_restorable or (row.standing is not None and row.standing.is_restorable))
                ):
                    return row.placed
            return None


@frozen
class _MemoryNeighbours:
    """`Neighbours` at the time of each call."""

    _links: MemoryLinks
    _profile: str

    def named(self, id: ArchiveId) -> BackupArchive | None:
        with self._links._lock:
            row = self._now.rows.get(id)
            return None if row is None else row.archive

    def leaving(self, snapshot: str) -> Sequence[BackupArchive]:
        with self._links._lock:
            archives = [row.archive for row in self._now.rows.values()]
        return sorted((one for one in archives if one.lineage.snapshot_after == snapshot), key=order)

    def newest_before(self, child: BackupArchive, types: Sequence[BackupType]) -> BackupArchive | None:
        with self._links._lock:
            return next((archive for archive in self._before(child) if archive.id.type in types), None)

    def before(self, child: BackupArchive, limit: int) -> Sequence[BackupArchive]:
        with self._links._lock:
            return list(islice(self._before(child), limit))

    def removed_between(
        self, parent: BackupArchive, child: BackupArchive, types: Sequence[BackupType]
    ) -> BackupArchive | None:
        with self._links._lock:
            archives = [row.archive for row in self._now.rows.values() if not row.is_listed]
        between = [one for one in archives if one.id.type in types and order(parent) < order(one) < order(child)]
        return max(between, key=order, default=None)

    @property
    def _now(self) -> _Profile:
        return self._links._profile(self._profile)

    def _before(self, child: BackupArchive) -> Iterator[BackupArchive]:
        known = self._now
        for at in range(bisect_left(known.listed, order(child)) - 1, -1, -1):
            yield known.rows[known.listed[at][2]].archive


def _cursor(archive: BackupArchive) -> str:
    taken, received = ((one - _EPOCH) // _MICROSECOND for one in moment(archive))
    return after_place(_PLACE.pack(taken, received) + archive.id.label.encode())


def _read(profile: str, cursor: str) -> _Order:
    position = read_place(cursor)
    type, _, name = position[_PLACE.size :].decode().partition("/")
    try:
        taken, received = (_EPOCH + one * _MICROSECOND for one in _PLACE.unpack_from(position))
    except OverflowError:
        raise ValueError("not a cursor of this catalog") from None
    return taken, received, ArchiveId(profile, BackupType(type), name)
