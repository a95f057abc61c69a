"""
Claims on identities, in the table of the entries: one unique constraint makes an identity taken by either.

Each claim has a token, and each statement that changes one looks for it. So nobody ends a claim that another server
took over, however late he comes; and a statement may be repeated when its answer was lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import bindparam, delete, func, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.archives.archive import ArchiveState, BackupArchive
from ....domain.archives.totals import Sums
from ....domain.errors.archives import ClaimLost
from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.catalog import (
    AlreadyStored,
    Claimed,
    ClaimedElsewhere,
    ClaimOutcome,
    Holding,
    Judge,
    TakenClaim,
    admits_all,
)
from ..counts import add_to_totals
from ..entry import entry_of
from ..links.changes import LinkChanges, change_of
from ..rows import (
    ARCHIVE,
    Query,
    Rows,
    Values,
    archive_of,
    id_of,
    identity,
    may_exist,
    microseconds,
    sought,
    values_of,
)
from ..schema import EVERYBODY, OPEN_CLAIM, archives, totals
from ..statements import Transaction
from ..upkeep.arrival_rows import SqlArrivalTable
from .database_clock import DatabaseClock

_Result = TypeVar("_Result")

_TOKEN_BYTES = 16


class SqlClaims:
    """The claims of a `Catalog` in a database; the part of `SqlCatalog` that handles them."""

    _links: LinkChanges
    arrived: SqlArrivalTable
    _claim_if_free: Any

    def _all(self, statement: Any, values: Values) -> Rows:
        raise NotImplementedError

    def _write_surely(self, work: Callable[[Transaction], _Result], of: str) -> _Result:
        raise NotImplementedError

    def claim(self, archive: BackupArchive, lease: timedelta, judge: Judge = admits_all) -> ClaimOutcome:
        token = secrets.token_hex(_TOKEN_BYTES)
        values = values_of(archive, claimed=True) | {"claim_token": token, "lease_us": _length(lease)}

        def enter(transaction: Transaction) -> ClaimOutcome:
            if transaction.run(self._claim_if_free, values) == 1:
                if judge is not admits_all:
                    judge(_held(transaction.rows, archive.id.profile, token))
                return Claimed(token)
            ((claimed, holder, *row),) = transaction.rows(_HOLDER, identity(archive.id))
            if not claimed:
                return AlreadyStored(archive_of(row))
            return Claimed(token) if holder == token else ClaimedElsewhere()

        return self._write_surely(enter, archive.id.profile)

    def renew(self, id: ArchiveId, token: str, lease: timedelta) -> None:
        values = sought(id) | {"sought_token": token, "lease_us": _length(lease)}
        if not self._write_surely(lambda transaction: transaction.run(_RENEW, values), id.profile):
            raise ClaimLost(id)

    def confirm(self, archive: BackupArchive, token: str) -> None:
        values = values_of(archive, claimed=False) | sought(archive.id) | {"sought_token": token}

        def turn_into_entry(transaction: Transaction) -> None:
            confirmed = transaction.rows(_CONFIRM, values)
            if not confirmed:
                if entry_of(transaction, archive.id)[1] != archive:
                    raise ClaimLost(archive.id)
                return
            ((seq,),) = confirmed
            self._links.came(transaction, [change_of(seq, archive)])
            received_us = microseconds(archive.received_at)
            self.arrived.came(
                transaction, [(archive.id.profile, archive.id.type.value, archive.size_bytes, received_us)]
            )
            if archive.state is not ArchiveState.TRASHED:
                add_to_totals(transaction, archive.id.profile, archive.id.type.value, 1, archive.size_bytes)

        self._write_surely(turn_into_entry, archive.id.profile)

    def release(self, id: ArchiveId, token: str) -> None:
        values = sought(id) | {"sought_token": token}
        tries = 0

        def give_up(transaction: Transaction) -> None:
            nonlocal tries
            tries += 1
            # at a later try it may be gone because the first one had its effect
            if not transaction.run(_RELEASE, values) and tries == 1:
                raise ClaimLost(id)

        self._write_surely(give_up, id.profile)

    def holding(self, profile: str) -> Holding:
        return _held(self._all, profile) if may_exist(profile) else Holding(Sums(0, 0), {})

    def open_claims(self) -> list[BackupArchive]:
        return [archive_of(row) for row in self._all(_OPEN_CLAIMS, {})]

    def take_over(
        self, limit: int, lease: timedelta, *, id: ArchiveId | None = None, whatever_lease: bool = False
    ) -> list[TakenClaim]:
        token = secrets.token_hex(_TOKEN_BYTES)
        values: Values = {"claim_token": token, "lease_us": _length(lease), "limit": limit, "whatever": whatever_lease}
        statement = _TAKE_ALL
        if id is not None:
            statement, values = _TAKE_ONE, values | sought(id)

        def take(transaction: Transaction) -> list[TakenClaim]:
            transaction.run(statement, values)
            # asked for anew: if the answer of the first try was lost, some are ours already
            return [TakenClaim(archive_of(row), token) for row in transaction.rows(_OURS, {"sought_token": token})]

        return self._write_surely(take, EVERYBODY if id is None else id.profile)


def claiming(dialect: str) -> Any:
    """The statement that enters a claim unless the identity is taken."""
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(archives)
    # inline: the row's number is not needed
    return insert.values(claim_until_us=_LEASED).on_conflict_do_nothing().inline()


def _held(rows_of: Callable[[Query, Values], Rows], profile: str, but: str = "") -> Holding:
    """What *profile* holds, but for the claim with that token. Claims first: one may become an entry meanwhile."""
    claims = rows_of(_CLAIMS_OF, {"of_profile": profile})
    ((archives, size_bytes),) = rows_of(_STORED_OF, {"of_profile": profile})
    return Holding(
        Sums(int(archives), int(size_bytes)),
        {id_of(profile, type, name): size for type, name, size, token in claims if token is None or token != but},
    )


def _length(lease: timedelta) -> int:
    return lease // timedelta(microseconds=1)


_a = archives.c
_LEASED = DatabaseClock() + bindparam("lease_us", type_=_a.claim_until_us.type)
_of_identity = (
    _a.type == bindparam("sought_type"),
    _a.name == bindparam("sought_name"),
    _a.profile == bindparam("sought_profile"),
)
_is_ours = (_a.claimed, _a.claim_token == bindparam("sought_token"))

_HOLDER = select(_a.claimed, _a.claim_token, *ARCHIVE).where(
    _a.type == bindparam("type"), _a.name == bindparam("name"), _a.profile == bindparam("profile")
)
_CLAIMS_OF = select(_a.type, _a.name, _a.size_bytes, _a.claim_token).where(
    OPEN_CLAIM, _a.profile == bindparam("of_profile")
)
_STORED_OF = select(
    func.coalesce(func.sum(totals.c.archives), 0), func.coalesce(func.sum(totals.c.size_bytes), 0)
).where(totals.c.profile == bindparam("of_profile"))
_OPEN_CLAIMS = select(*ARCHIVE).where(OPEN_CLAIM).order_by(_a.profile, _a.type, _a.name)
_RENEW = update(archives).where(*_of_identity, *_is_ours).values(claim_until_us=_LEASED)
_CONFIRM = (
    update(archives)
    .where(*_of_identity, *_is_ours)
    .values(claim_token=literal(None), claim_until_us=literal(None))
    .returning(_a.seq)
)
_RELEASE = delete(archives).where(*_of_identity, *_is_ours)
_OURS = select(*ARCHIVE).where(OPEN_CLAIM, _a.claim_token == bindparam("sought_token"))

# A claim of before there were leases has none, and nobody who could hold it.
_has_ended = func.coalesce(_a.claim_until_us, literal(0)) <= DatabaseClock()
_is_free = or_(_has_ended, bindparam("whatever", type_=_a.claimed.type) == true())


def _taking(*which: Any) -> Any:
    # SQLite has no FOR UPDATE and leaves it out; it has one writer at a time
    free = (
        select(_a.seq)
        .where(OPEN_CLAIM, _is_free, *which)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return update(archives).where(_a.seq.in_(free)).values(claim_until_us=_LEASED)


_TAKE_ALL = _taking()
_TAKE_ONE = _taking(*_of_identity)
