"""
Pages of the SQL catalog: archives in order of receipt, of all profiles, of one, or of several.

"Several" may be thousands, and no index has them in order together. So a page is first looked for among the next
archives of all profiles, where it most likely is. If few of those are of the profiles asked for, their archives are
merged instead: one query finds the first archives of each profile, further queries find more of the profiles that
need them. Either way the cost grows with the page and the profiles asked for, not with the number of archives stored.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from itertools import chain, product
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec
from attrs import frozen
from sqlalchemy import ColumnElement, Executable, Select, bindparam, select, tuple_

from ...domain.archives.archive import is_dated_ahead
from ...domain.identity.archive_id import BackupType
from ...domain.ports.catalog import ArchivePage, ListedArchive, ListedPage
from ...domain.retention.arrival import Arrival
from ..cursors import after_time, read_time
from .engine import first_of_each, is_one_of
from .rows import ARCHIVE, KINDS, STATES, TYPES, Values, archive_of, as_written, may_exist, one_more, time_of
from .schema import LISTED, archives

Place: TypeAlias = tuple[int, int]
"""When an archive was received, in microseconds, and its number."""

Rows: TypeAlias = Sequence[tuple[Any, ...]]

FEW = 4
"""So few profiles are merged without a look: most of the next archives of all profiles would be of others."""

_START = (-(2**63), 0)
_PROFILE = 2  # its column in all rows below, after those of the position
_encode = msgspec.json.encode


@frozen
class SqlPages:
    """Pages by way of *all*, which runs a query on a database of *dialect* and fetches every row."""

    all: Callable[[Executable, Values], Rows]
    dialect: str

    def page(
        self,
        profile: str | None,
        profiles: Collection[str] | None,
        type: BackupType | None,
        cursor: str | None,
        limit: int,
    ) -> ArchivePage:
        rows, following = self._cut(_WHOLE, _Wanted.of(profile, profiles, type), cursor, limit)
        return ArchivePage(tuple(archive_of(row[_PROFILE:]) for row in rows), following)

    def arrivals(self, profile: str, type: BackupType | None, limit: int) -> list[Arrival]:
        """As `Catalog.arrivals`."""
        if limit < 1 or not may_exist(profile):
            return []
        rows = self.all(_ARRIVALS[type is not None], {"limit": limit, **_Wanted(profile, type).values})
        with as_written():
            return [_arrival(row) for row in rows]

    def listed(
        self,
        profile: str | None,
        profiles: Collection[str] | None,
        type: BackupType | None,
        cursor: str | None,
        limit: int,
    ) -> ListedPage:
        rows, following = self._cut(_SHORT, _Wanted.of(profile, profiles, type), cursor, limit)
        types, states = TYPES, STATES
        with as_written():
            found = tuple(
                ListedArchive(profile, types[type], name, size_bytes, md5, sha256, time_of(received_us), states[state])
                for received_us, _, profile, type, name, size_bytes, md5, sha256, state in rows
            )
        return ListedPage(found, following)

    def _cut(self, shape: _Shape, wanted: _Wanted, cursor: str | None, limit: int) -> tuple[Rows, str | None]:
        place, count = _START if cursor is None else read_time(cursor), one_more(limit)
        if not isinstance(wanted.profiles, frozenset):
            rows = self._next(shape, wanted, place, count) if may_exist(wanted.profiles) else []
        else:
            rows = self._of_some(shape, wanted, wanted.profiles, place, count)
        return rows[:limit], after_time(*rows[limit - 1][:2]) if len(rows) > limit else None

    def _next(self, shape: _Shape, wanted: _Wanted, place: Place, count: int) -> Rows:
        """The next *count* rows of one profile or of all."""
        values: Values = {"received_us": place[0], "seq": place[1], "limit": count, **wanted.values}
        return self.all(shape.pages["profile" in values, "type" in values], values)

    def _of_some(
        self, shape: _Shape, wanted: _Wanted, profiles: frozenset[str], place: Place, count: int
    ) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        everybody = _Wanted(None, wanted.type)
        while len(profiles) > FEW:
            rows = self._next(shape, everybody, place, 2 * count)
            theirs = [row for row in rows if row[_PROFILE] in profiles]
            found += theirs
            if len(found) >= count or len(rows) < 2 * count:
                return found[:count]
            place = rows[-1][:2]
            if 8 * len(theirs) < len(rows):
                break
        if profiles:
            places = self._merged(wanted, profiles, place, count - len(found))
            rows = self.all(shape.at, {"seqs": _encode([seq for _, seq in places]).decode()})
            found += sorted(rows, key=itemgetter(0, 1))
        return found

    def _merged(self, wanted: _Wanted, profiles: frozenset[str], start: Place, count: int) -> list[Place]:
        """The positions of the next *count* archives of *profiles*, in order."""
        query = first_of_each(self.dialect, LISTED.text, by_type=wanted.type is not None)
        places: dict[str, list[Place]] = {}
        asked, each = sorted(profiles), max(1, min(count, 2 * count // len(profiles)))
        while True:
            values: Values = {"received_us": start[0], "seq": start[1], "limit": each, **wanted.values}
            values["profiles"] = _encode(asked).decode()
            for profile in asked:
                places[profile] = []
            for profile, received_us, seq in self.all(query, values):
                places[profile].append((received_us, seq))
            for profile in asked:
                places[profile].sort()
            first = heapq.nsmallest(count, chain.from_iterable(places.values()))
            asked = [
                profile
                for profile in asked
                if len(places[profile]) == each and (len(first) < count or places[profile][-1] < first[-1])
            ]
            if not asked:
                return first
            each = min(4 * each, count)


@frozen
class _Wanted:
    """The filter: all profiles (None), one or several, and the type."""

    profiles: str | frozenset[str] | None
    type: BackupType | None

    @classmethod
    def of(cls, profile: str | None, profiles: Collection[str] | None, type: BackupType | None) -> _Wanted:
        if profiles is None:
            return cls(profile, type)
        some = frozenset(profiles)
        if profile is not None:
            some &= {profile}
        return cls(next(iter(some)) if len(some) == 1 else some, type)

    @property
    def values(self) -> Values:
        values: Values = {}
        if isinstance(self.profiles, str):
            values["profile"] = self.profiles
        if self.type is not None:
            values["type"] = self.type.value
        return values


# -- statements ------------------------------------------------------------------------------------------------------

_a = archives.c


@frozen
class _Shape:
    """The statements that select certain columns: pages by their filters, and rows by their numbers."""

    pages: dict[tuple[bool, bool], Select[*tuple[Any, ...]]]
    at: Select[*tuple[Any, ...]]

    @classmethod
    def of(cls, *columns: ColumnElement[Any]) -> _Shape:
        rows = select(_a.received_us, _a.seq, *columns).where(LISTED)
        # The fixed columns stay outside the row comparison: inside it, no index finds the position. SQLite looks up
        # only the time and skips entries of the same microsecond one by one, within the index.
        beyond = tuple_(_a.received_us, _a.seq) > tuple_(bindparam("received_us"), bindparam("seq"))
        filters = (_a.profile == bindparam("profile"), _a.type == bindparam("type"))
        return cls(
            {
                (by_profile, by_type): rows.where(*filters[:1] * by_profile, *filters[1:] * by_type, beyond)
                .order_by(_a.received_us, _a.seq)
                .limit(bindparam("limit"))
                for by_profile, by_type in product((False, True), repeat=2)
            },
            rows.where(is_one_of(_a.seq, "seqs")),
        )


_ARRIVALS = tuple(
    select(
        _a.type,
        _a.name,
        _a.received_us,
        _a.taken_us,
        _a.size_bytes,
        _a.sha256,
        _a.kind,
        _a.members,
        _a.unpacked_bytes,
        _a.listed,
        _a.unchanged,
        _a.roots,
        _a.snapshot_after,
    )
    .where(LISTED, _a.profile == bindparam("profile"), *[_a.type == bindparam("type")] * by_type)
    .order_by(_a.received_us.desc(), _a.seq.desc())
    .limit(bindparam("limit"))
    for by_type in (False, True)
)


def _arrival(row: Sequence[Any]) -> Arrival:
    type, name, received_us, taken_us, size, sha256, kind, members, unpacked, listed, unchanged, roots, left = row
    received_at, taken_at = time_of(received_us), time_of(taken_us)
    return Arrival(
        TYPES[type],
        name,
        received_at,
        received_at if is_dated_ahead(taken_at, received_at) else taken_at,
        size,
        sha256,
        None if kind is None else KINDS[kind],
        members or 0,
        unpacked or 0,
        listed,
        unchanged,
        () if roots is None else tuple(msgspec.json.decode(roots)),
        left,
    )


_WHOLE = _Shape.of(*ARCHIVE)
_SHORT = _Shape.of(_a.profile, _a.type, _a.name, _a.size_bytes, _a.md5, _a.sha256, _a.state)
