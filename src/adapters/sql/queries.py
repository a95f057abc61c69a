"""The queries of the catalog, each built once."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import msgspec
from sqlalchemy import bindparam, delete, func, literal, select, update

from ...domain.identity.archive_id import BackupType
from .engine import is_one_of
from .rows import ARCHIVE, Values
from .schema import (
    LISTED,
    archives,
    asked,
    broken,
    linked_profiles,
    links,
    profile_status,
    totals,
)

_a = archives.c


_of_profile = _a.profile == bindparam("profile")


_of_type = _a.type == bindparam("type")


_of_name = _a.name == bindparam("name")


FIND = select(*ARCHIVE).where(_of_type, _of_name, _of_profile, LISTED)


NAMED_IN = select(*ARCHIVE).where(_of_type, _of_name, is_one_of(_a.profile, "profiles"), LISTED).order_by(_a.profile)


NAMED = select(*ARCHIVE).where(_of_type, _of_name, LISTED).order_by(_a.profile)


WITHOUT_SNAPSHOT = select(_a.name).where(_of_profile, _of_type, _a.has_snapshot.is_not(True), LISTED)


ENTRY = select(_a.seq, *ARCHIVE).where(_of_type, _of_name, _of_profile, ~_a.claimed)


MARK = update(archives).where(_a.seq == bindparam("sought_seq"))


FORGET_EVERYTHING = [
    delete(table) for table in (archives, totals, links, asked, linked_profiles, broken, profile_status)
]


LAST_SEQ = select(func.coalesce(func.max(_a.seq), 0))


# Not summed up by the database: GROUP BY would make it scan a whole index.
ENTERED = select(
    _a.seq, _a.profile, _a.type, _a.size_bytes, _a.state, _a.name, _a.taken_us, _a.received_us, _a.snapshot_after
).where(_a.seq > bindparam("last"))


_newest_us = (
    select(_a.received_us)
    .where(_a.profile == totals.c.profile, _a.type == totals.c.type, LISTED)
    .order_by(_a.received_us.desc(), _a.seq.desc())
    .limit(literal(1))
    .scalar_subquery()
)


TOTALS = (
    select(totals.c.profile, totals.c.type, totals.c.archives, totals.c.size_bytes, _newest_us)
    .where(totals.c.archives > 0)
    .order_by(totals.c.profile, totals.c.type)
)


COUNTED = select(_a.profile, _a.type, func.count(), func.sum(_a.size_bytes)).where(LISTED).group_by(_a.profile, _a.type)


WITHOUT_LINK = (
    select(_a.seq)
    .outerjoin_from(archives, links, links.c.seq == _a.seq)
    .where(~_a.claimed, links.c.seq.is_(None))
    .limit(literal(1))
)


TOLD = select(totals.c.profile, totals.c.type, totals.c.archives, totals.c.size_bytes).where(
    (totals.c.archives != literal(0)) | (totals.c.size_bytes != literal(0))
)


# Without the newest archive of each, which costs ten times as much.
HELD = (
    select(totals.c.profile, func.sum(totals.c.archives), func.sum(totals.c.size_bytes))
    .where(totals.c.archives > literal(0))
    .group_by(totals.c.profile)
)


TOTALS_IN = TOTALS.where(is_one_of(totals.c.profile, "profiles"))


# Not grouped by type, which would require sorting the rows.
SUMS = select(
    *(
        func.sum(column).filter(totals.c.type == literal(type.value))
        for type in BackupType
        for column in (totals.c.archives, totals.c.size_bytes)
    )
)


SUMS_IN = SUMS.where(is_one_of(totals.c.profile, "profiles"))


PROFILES_SINCE = (
    select(totals.c.number, totals.c.profile).where(totals.c.number > bindparam("mark")).order_by(totals.c.number)
)


def those(profiles: Collection[str]) -> Values:
    return {"profiles": msgspec.json.encode(list(profiles)).decode()}


@lru_cache(64)
def in_order(profiles: frozenset[str]) -> str:
    """A JSON array, sorted: looking up thousands of neighbouring keys in order takes a fourth less time."""
    return msgspec.json.encode(sorted(profiles)).decode()
