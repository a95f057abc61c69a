"""Figures of profiles from the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from attrs import frozen
from sqlalchemy import bindparam, case, func, literal, select, true, union

from ....domain.archives.archive import ArchiveState
from ....domain.drills.drill import DrillKind, DrillOutcome
from ....domain.watching.figures import ProfileFigures
from ..links.texts import length_of
from ..rows import Query, Rows, Values, as_written, time_of
from ..schema import LISTED, PENDING_LINK, UNSETTLED_LINK, archives, drills, linked_profiles, links, totals
from .scrub_rows import KNOWN, KNOWN_RIGHT_US


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


@frozen
class SqlFigures:
    """`Figures` from a database, by the queries of its catalog."""

    _all: _Read

    def of_profiles(self) -> list[ProfileFigures]:
        restorable = {profile: tuple(its) for profile, *its in self._all(_RESTORABLE, {})}
        drilled = {profile: tuple(its) for profile, *its in self._all(_DRILLED, {})}
        checked = {profile: tuple(its) for profile, *its in self._all(_CHECKED, {})}
        with as_written():
            return [
                _figures(
                    row,
                    checked.get(row[0], (0, None)),
                    restorable.get(row[0], (None, None)),
                    drilled.get(row[0], (None, None)),
                )
                for row in self._all(_HELD, {})
            ]

    def unsettled(self, limit: int) -> list[str]:
        return [profile for (profile,) in self._all(_OPEN, {"limit": limit})]


class _Report(msgspec.Struct):
    seconds: float


class _Told(msgspec.Struct):
    """What is wanted of the text of a drill, see `drill_rows`; reading all of it takes ten times as long."""

    folders: list[str]
    report: _Report


def _figures(
    held: Sequence[Any], checked: Sequence[Any], restorable: Sequence[Any], drilled: Sequence[Any]
) -> ProfileFigures:
    profile, version, count, size_bytes, received_us = held
    damaged, right_us = checked
    restorable_us, standing = restorable
    drilled_us, text = drilled
    told = None if text is None else _told.decode(text)
    return ProfileFigures(
        profile,
        version or 0,
        int(count),
        int(size_bytes),
        int(damaged),
        time_of(received_us),
        None if restorable_us is None else time_of(restorable_us),
        None if standing is None else length_of(standing),
        None if right_us is None else time_of(right_us),
        None if drilled_us is None else time_of(drilled_us),
        None if told is None or told.folders else told.report.seconds,
    )


_told = msgspec.json.Decoder(_Told)
_a, _l, _t = archives.c, links.c, totals.c
_both = links.join(archives, _a.seq == _l.seq)
_is_pending = (PENDING_LINK, _l.is_pending.is_(true()))

_newest_us = (
    select(_a.received_us)
    .where(_a.profile == _t.profile, LISTED)
    .order_by(_a.received_us.desc(), _a.seq.desc())
    .limit(literal(1))
    .correlate(totals)
    .scalar_subquery()
)
_sums = (
    select(
        _t.profile,
        func.sum(_t.archives).label("archives"),
        func.sum(_t.size_bytes).label("size_bytes"),
        func.min(_newest_us).label("received_us"),  # the same for each type
    )
    .where(_t.archives > literal(0))
    .group_by(_t.profile)
    .subquery("sums")
)
_HELD = (
    select(_sums.c.profile, linked_profiles.c.version, _sums.c.archives, _sums.c.size_bytes, _sums.c.received_us)
    .select_from(_sums.outerjoin(linked_profiles, linked_profiles.c.profile == _sums.c.profile))
    .where(_sums.c.received_us.is_not(None))
    .order_by(_sums.c.profile)
)

_is_damaged = _a.state == literal(ArchiveState.DAMAGED.value)
_CHECKED = (
    select(
        _a.profile,
        func.sum(case((_is_damaged, literal(1)), else_=literal(0))),
        func.min(case((_is_damaged, None), else_=KNOWN_RIGHT_US)),
    )
    .select_from(KNOWN)
    .where(LISTED)
    .group_by(_a.profile)
)

_profiles = select(_t.profile).where(_t.archives > literal(0)).distinct().subquery()
_newest_restorable = (
    select(_a.seq)
    .select_from(_both)
    .where(_a.profile == _profiles.c.profile, LISTED, _l.is_restorable)
    .order_by(_a.received_us.desc(), _a.seq.desc())
    .limit(literal(1))
    .correlate(_profiles)
    .scalar_subquery()
)
_newest = select(_newest_restorable.label("seq")).select_from(_profiles).subquery("newest")
_RESTORABLE = select(_a.profile, _a.received_us, _l.standing).select_from(
    _newest.join(archives, _a.seq == _newest.c.seq).join(links, _l.seq == _a.seq)
)

_newest_equal = (
    select(drills.c.number)
    .where(
        drills.c.profile == _profiles.c.profile,
        drills.c.kind == literal(DrillKind.DRILL.value),
        drills.c.outcome == literal(DrillOutcome.EQUAL.value),
    )
    .order_by(drills.c.number.desc())
    .limit(literal(1))
    .correlate(_profiles)
    .scalar_subquery()
)
_last_drills = select(_newest_equal.label("number")).select_from(_profiles).subquery("last_drills")
_DRILLED = select(drills.c.profile, drills.c.ended_us, drills.c.told).select_from(
    _last_drills.join(drills, drills.c.number == _last_drills.c.number)
)

_open = union(select(_l.profile).where(*_is_pending), select(_l.profile).where(UNSETTLED_LINK)).subquery("open")
_OPEN = select(_open.c.profile).limit(bindparam("limit"))
