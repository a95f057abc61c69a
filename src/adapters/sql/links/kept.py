"""The links of the SQL catalog: storing and finding them. `changes` invalidates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from attrs import frozen
from sqlalchemy import (
    ColumnElement,
    Subquery,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from ....domain.archives.archive import AHEAD, BackupArchive
from ....domain.chains.kept_links import LinkState, NewLink, PlacedPage
from ....domain.chains.neighbours import Neighbours, order
from ....domain.chains.standing import PlacedArchive, Standing, way_to
from ....domain.identity.archive_id import ArchiveId, BackupType
from ...cursors import after_place, read_place
from ..engine import is_one_of
from ..rows import (
    ARCHIVE,
    Query,
    Rows,
    Values,
    archive_of,
    identity,
    kept_archive,
    may_exist,
    microseconds,
    one_more,
)
from ..schema import LEFT_BEHIND, LISTED_LINK, PENDING_LINK, UNSETTLED_LINK, archives, asked, linked_profiles, links
from ..statements import Transaction
from .changes import (
    MANY,
    SINCE,
    apply_again,
    changed_since,
    forget_all,
    forget_standings_behind,
    hashed,
    moment_key,
    named,
    placed_key,
    position,
    these,
    version_of,
)
from .texts import link_text, place_of, standing_text

_Result = TypeVar("_Result")

_ALL_TYPES = tuple(BackupType)
_BEHIND_ALL = b"\xff" * 17
_MICROSECOND = timedelta(microseconds=1)


class SqlLinks:
    """`KeptLinks` in a database; the part of `SqlCatalog` that handles them."""

    def _all(self, statement: Query, values: Values) -> Rows:
        raise NotImplementedError

    def _write(self, work: Callable[[Transaction], _Result], of: str) -> _Result:
        raise NotImplementedError

    def link_state(self, profile: str) -> LinkState:
        rows = self._all(_STATE, {"of_profile": profile}) if may_exist(profile) else []
        if not rows:
            return LinkState(0, None, has_pending=False, has_unsettled=False)
        version, rules, has_pending, has_unsettled = rows[0]
        return LinkState(version, rules, bool(has_pending), bool(has_unsettled))

    def neighbours(self, profile: str) -> Neighbours:
        return _SqlNeighbours(profile, self._all)

    def entries(self, profile: str) -> list[BackupArchive]:
        rows = self._all(_ENTRIES, {"of_profile": profile}) if may_exist(profile) else []
        return [kept_archive(tuple(row)) for row in rows]

    def pending(self, profile: str, limit: int) -> list[PlacedArchive]:
        return self._placed(_PENDING, {"of_profile": profile, "limit": limit}) if may_exist(profile) else []

    def unsettled(self, profile: str, limit: int) -> list[PlacedArchive]:
        return self._placed(_UNSETTLED, {"of_profile": profile, "limit": limit}) if may_exist(profile) else []

    def forget_links(self, profile: str, rules: str) -> None:
        def forget(transaction: Transaction) -> None:
            forget_all(transaction, profile)
            transaction.run(_SET_RULES, {"of_profile": profile, "rules": rules})

        self._write(forget, profile)

    def keep_links(self, profile: str, version: int, rules: str, new_links: Sequence[NewLink]) -> None:
        def keep(transaction: Transaction) -> None:
            ids = {new.archive for new in new_links}
            parents = {new.link.parent for new in new_links if new.link is not None and new.link.parent is not None}
            rows = _rows_of(transaction, profile, ids | parents)
            known = [new for new in new_links if new.archive in rows]
            if again := [rows[new.archive] for new in known if new.is_another]:
                forget_standings_behind(transaction, again)
            if known:
                transaction.run(_FORGET_ASKED, these([rows[new.archive] for new in known]))
            transaction.run_each(_KEEP_LINK, [_link_values(new, rows, version) for new in known])
            keys: list[Values] = [
                {"profile": profile, "key": key, "seq": rows[new.archive]}
                for new in known
                for key in {hashed(key) for key in new.asked.keys}
            ]
            transaction.run_each(_ASK, keys)
            self._catch_up(transaction, profile, version)
            transaction.run(_SET_RULES, {"of_profile": profile, "rules": rules})

        self._write(keep, profile)

    def keep_standings(self, profile: str, version: int, standings: Mapping[ArchiveId, Standing]) -> None:
        def keep(transaction: Transaction) -> None:
            rows = _rows_of(transaction, profile, standings)
            values: list[Values] = [
                {
                    "sought": rows[id],
                    "version": version,
                    "standing": standing_text(standing),
                    "is_restorable": standing.is_restorable,
                }
                for id, standing in standings.items()
                if id in rows
            ]
            transaction.run_each(_KEEP_STANDING, values)
            self._catch_up(transaction, profile, version)

        self._write(keep, profile)

    def _catch_up(self, transaction: Transaction, profile: str, version: int) -> None:
        """Apply the changes since *version* to the links just stored."""
        if version_of(transaction, profile) != version:
            for change in changed_since(transaction, profile, version):
                apply_again(transaction, change)

    def placed(self, ids: Iterable[ArchiveId]) -> dict[ArchiveId, PlacedArchive]:
        wanted = set(ids)
        if len(wanted) > MANY:
            profile = next(iter(wanted)).profile
            return {id: one for one in self._every_place(profile) if (id := one.archive.id) in wanted}
        found = [one for id in wanted for one in self._placed(_PLACED, identity(id))]
        return {one.archive.id: one for one in found}

    def _every_place(self, profile: str) -> Iterator[PlacedArchive]:
        cursor = None
        while True:
            page = self.places(profile, cursor=cursor, limit=10_000)
            yield from page.places
            cursor = page.next_cursor
            if cursor is None:
                return

    def places(self, profile: str, *, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        after = b"" if cursor is None else read_place(cursor)
        place: Values = {"of_profile": profile, "after": after, "limit": one_more(limit)}
        found = self._placed(_PLACES, place) if may_exist(profile) else []
        if len(found) <= limit:
            return PlacedPage(tuple(found), None)
        return PlacedPage(tuple(found[:limit]), after_place(position(found[limit - 1].archive)))

    def path(self, id: ArchiveId) -> list[PlacedArchive]:
        found = {one.archive.id: one for one in self._placed(_PATH, identity(id))}
        return way_to(id, found.get)

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
        if not types or not may_exist(profile):
            return None
        end = _BEHIND_ALL
        if before is not None:
            end = placed_key(microseconds(before))
        if until is not None:
            end = min(end, placed_key(microseconds(until) + 1))
        statement = _newest(tuple(types), is_restorable, has_snapshot, not_ahead)
        found = self._placed(statement, {"of_profile": profile, "before": end})
        return found[0] if found else None

    def _placed(self, statement: Query, values: Values) -> list[PlacedArchive]:
        return [place_of(tuple(row)) for row in self._all(statement, values)]


@frozen
class _SqlNeighbours:
    """`Neighbours` by lookup, one query for each question."""

    profile: str
    _all: Callable[[Query, Values], Rows]

    def named(self, id: ArchiveId) -> BackupArchive | None:
        found = self._archives(_NAMED, identity(id))
        return found[0] if found else None

    def leaving(self, snapshot: str) -> Sequence[BackupArchive]:
        found = self._archives(_LEAVING, {"of_profile": self.profile, "snapshot": snapshot})
        return sorted(found, key=order)

    def newest_before(self, child: BackupArchive, types: Sequence[BackupType]) -> BackupArchive | None:
        found = self._archives(_newest_archive(tuple(types)), {"of_profile": self.profile, "before": position(child)})
        return found[0] if found else None

    def before(self, child: BackupArchive, limit: int) -> Sequence[BackupArchive]:
        return self._archives(_BEFORE, {"of_profile": self.profile, "before": position(child), "limit": limit})

    def removed_between(
        self, parent: BackupArchive, child: BackupArchive, types: Sequence[BackupType]
    ) -> BackupArchive | None:
        between: Values = {"of_profile": self.profile, "after": position(parent), "before": position(child)}
        found = self._archives(_removed_between(tuple(types)), between)
        return found[0] if found else None

    def _archives(self, statement: Query, values: Values) -> list[BackupArchive]:
        return [archive_of(row) for row in self._all(statement, values)]


def _link_values(new: NewLink, rows: Mapping[ArchiveId, int], version: int) -> Values:
    link, standing = new.link, new.standing
    since = new.asked.since
    return {
        "sought": rows[new.archive],
        "version": version,
        "is_pending": not new.is_certain,
        "parent": None if link is None or link.parent is None else rows.get(link.parent),
        "link": None if link is None else link_text(link),
        "standing": None if standing is None else standing_text(standing),
        "is_restorable": None if standing is None else standing.is_restorable,
        **{column.name: moment_key(since[type]) if type in since else None for type, column in SINCE.items()},
    }


def _rows_of(transaction: Transaction, profile: str, ids: Iterable[ArchiveId]) -> dict[ArchiveId, int]:
    """The rows of those *ids* that have an entry."""
    wanted = set(ids)
    if len(wanted) <= MANY:
        return {id: seq for id in wanted for (seq,) in transaction.rows(_ROW, identity(id))}
    rows = transaction.rows(_ROWS, {"of_profile": profile})
    return {id: seq for seq, at in rows if (id := ArchiveId(profile, *named(at))) in wanted}


# -- statements ------------------------------------------------------------------------------------------------------

_a, _l = archives.c, links.c
_of_profile = _l.profile == bindparam("of_profile")
# Stated twice: once as in the condition of the index, and once as SQLite looks it up there.
_is_pending = (PENDING_LINK, _l.is_pending.is_(true()))
_of_identity = (_a.type == bindparam("type"), _a.name == bindparam("name"), _a.profile == bindparam("profile"))
_PLACE = (*ARCHIVE, _l.link, _l.standing)
_both = links.join(archives, archives.c.seq == links.c.seq)

_STATE = select(
    linked_profiles.c.version,
    linked_profiles.c.rules,
    exists(select(_l.seq).where(_of_profile, *_is_pending)),
    exists(select(_l.seq).where(_of_profile, UNSETTLED_LINK)),
).where(linked_profiles.c.profile == bindparam("of_profile"))
_SET_RULES = (
    update(linked_profiles)
    .where(linked_profiles.c.profile == bindparam("of_profile"))
    .values(rules=bindparam("rules", type_=linked_profiles.c.rules.type))
)
_ROW = select(_a.seq).where(*_of_identity, ~_a.claimed)
_ROWS = select(_l.seq, _l.position).where(_of_profile)

_ENTRIES = select(*ARCHIVE).select_from(_both).where(_of_profile)
_PENDING = (
    select(*_PLACE)
    .select_from(_both)
    .where(_of_profile, *_is_pending)
    .order_by(_l.position.desc())
    .limit(bindparam("limit"))
)
_UNSETTLED = (
    select(*_PLACE)
    .select_from(_both)
    .where(_of_profile, UNSETTLED_LINK, _l.link.is_not(None))
    .order_by(_l.position)
    .limit(bindparam("limit"))
)
_PLACED = select(*_PLACE).select_from(_both).where(*_of_identity, LISTED_LINK)
_PLACES = (
    select(*_PLACE)
    .select_from(_both)
    .where(_of_profile, _l.position > bindparam("after"), LISTED_LINK)
    .order_by(_l.position)
    .limit(bindparam("limit"))
)

_KEEP_LINK = update(links).where(_l.seq == bindparam("sought"), _l.changed <= bindparam("version"))
_KEEP_STANDING = update(links).where(
    _l.seq == bindparam("sought"), _l.changed <= bindparam("version"), _l.link.is_not(None)
)
_FORGET_ASKED = delete(asked).where(is_one_of(asked.c.seq, "rows"))
_ASK = insert(asked).inline()


def _path() -> Query:
    start = select(_a.seq).where(*_of_identity, ~_a.claimed).cte("way", recursive=True)
    further = links.alias("further")
    way = start.union(select(further.c.parent).where(further.c.seq == start.c.seq, further.c.parent.is_not(None)))
    found = way.join(links, _l.seq == way.c.seq).join(archives, _a.seq == _l.seq)
    return select(*_PLACE).select_from(found).where(LISTED_LINK)


_PATH = _path()

_NAMED = select(*ARCHIVE).where(*_of_identity, ~_a.claimed)
_LEAVING = select(*ARCHIVE).where(
    _a.profile == bindparam("of_profile"), _a.snapshot_after == bindparam("snapshot"), LEFT_BEHIND
)
_BEFORE = (
    select(*ARCHIVE)
    .select_from(_both)
    .where(_of_profile, _l.position < bindparam("before"), LISTED_LINK)
    .order_by(_l.position.desc())
    .limit(bindparam("limit"))
)


@cache
def _newest(types: tuple[BackupType, ...], is_restorable: bool, has_snapshot: bool, not_ahead: bool) -> Query:
    filters: list[ColumnElement[bool]] = []
    if is_restorable:
        filters.append(_l.is_restorable)
    if has_snapshot:
        filters.append(_a.has_snapshot)
    if not_ahead:
        filters.append(_a.taken_us - _a.received_us <= literal(AHEAD // _MICROSECOND))
    return _newest_of(_PLACE, types, filters)


@cache
def _removed_between(types: tuple[BackupType, ...]) -> Query:
    return (
        select(*ARCHIVE)
        .select_from(_both)
        .where(
            _of_profile,
            _l.position > bindparam("after"),
            _l.position < bindparam("before"),
            ~_l.is_listed,
            or_(*(_l.type == literal(type.value) for type in types)),
        )
        .order_by(_l.position.desc())
        .limit(literal(1))
    )


@cache
def _newest_archive(types: tuple[BackupType, ...]) -> Query:
    return _newest_of(ARCHIVE, types, ())


def _newest_of(
    columns: Sequence[ColumnElement[Any]], types: Sequence[BackupType], filters: Sequence[ColumnElement[bool]]
) -> Query:
    """The last archive before a position: looked up by index for each type, then the last of these."""
    lasts = union_all(*(select(one.c.seq, one.c.position) for one in (_last_of(type, filters) for type in types)))
    each = lasts.subquery("lasts")
    last = select(each.c.seq).order_by(each.c.position.desc()).limit(literal(1)).scalar_subquery()
    return select(*columns).select_from(_both).where(_l.seq == last)


def _last_of(type: BackupType, filters: Sequence[ColumnElement[bool]]) -> Subquery:
    found = select(_l.seq, _l.position).where(
        _of_profile, _l.type == literal(type.value), _l.position < bindparam("before"), LISTED_LINK, *filters
    )
    if filters:
        found = found.select_from(_both)
    return found.order_by(_l.position.desc()).limit(literal(1)).subquery(f"last_{type.value}")
