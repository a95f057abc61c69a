"""
Tokens in a database, for any number of servers.

The rule: a server looks at most once a second whether the tokens were changed, by their version, so that a revoked one
is refused by all within a second; and if it cannot look, nobody is admitted. A database without tokens admits nobody
either if there were some: by its version, or by what the server noted in its own data directory. Losing the table must
not open a server.

The look runs in a thread of its own. A database that does not answer holds a request up for two seconds at most, and
those that come while it is still not answering not at all: the loop that serves all of them asks for the keyring.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from attrs import define, evolve, field
from sqlalchemy import bindparam, select, update

from ....domain.access.tokens import Keyring, Scope, Token
from ....domain.errors.access import TokenNotFound
from ....domain.errors.capacity import BackendUnavailable
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.times import rfc3339
from ...token_records import record_of, sum_of, token_of
from ..rows import Values, as_written, microseconds, time_of
from ..schema import token_uses, tokens
from ..statements import Transaction
from .tables import SharedTables, changed, version_of

_Result = TypeVar("_Result")

_WHAT = "tokens"
LOOK_SECONDS = 1.0
WAIT_SECONDS = 2.0


@define(eq=False)
class _Look:
    """One look at the table: once it *ended*, what it found, or why it failed."""

    begun: float
    ended: threading.Event = field(factory=threading.Event)
    found: Keyring | None = None
    error: Exception | None = None


@define(eq=False)
class SqlTokenStore:
    """
    `TokenStore` in the database of *tables*.

    *had_tokens* tells whether there were tokens as far as this server noted, and *note_tokens* notes it. *seconds* is a
    clock that only goes forward.
    """

    tables: SharedTables
    had_tokens: Callable[[], bool]
    note_tokens: Callable[[], None]
    seconds: Callable[[], float] = time.monotonic
    _look: _Look | None = field(default=None, init=False)  # the newest
    _known: tuple[int, Keyring] | None = field(default=None, init=False)  # with the version that the tokens are of
    _is_noted: bool = field(default=False, init=False)
    _noted: dict[str, datetime] = field(factory=dict, init=False)
    _has_news: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def keyring(self) -> Keyring:
        look, now = self._current_look(), self.seconds()
        look.ended.wait(0 if now - look.begun > WAIT_SECONDS else WAIT_SECONDS)
        if look.found is not None:
            return look.found
        reason = "its database does not answer" if look.error is None else _reason(look.error)
        raise BackendUnavailable("token table", reason) from look.error

    def add(self, token: Token) -> None:
        def enter(transaction: Transaction) -> None:
            if transaction.rows(_FIND, {"of": token.id}):
                raise ValueError(f"there is a token {token.id}")
            transaction.run(_ADD, _row(token))
            changed(transaction, _WHAT)

        self._change(enter)

    def revoke(self, id: str, at: datetime) -> Token:
        def revoke(transaction: Transaction) -> Token:
            found = transaction.rows(_FIND, {"of": id})
            if not found:
                raise TokenNotFound(id)
            record = _record_of(*found[0])
            if record["revoked_at"] is None:
                record["revoked_at"] = rfc3339(at)
                transaction.run(_REPLACE, {"of": id, **_told(record)})
                changed(transaction, _WHAT)
            return _token_of(record)

        return self._change(revoke)

    def take_over(self, given: Iterable[Token], uses: Mapping[str, datetime]) -> int:
        """
        Add those of the tokens *given* that are not there, and revoke those that are revoked among them; returns how
        many were added. Done again, it changes nothing.
        """
        wanted = list(given)

        def enter(transaction: Transaction) -> int:
            there = {id: (told, sum) for id, told, sum in transaction.rows(_ALL, {})}
            new = [token for token in wanted if token.id not in there]
            transaction.run_each(_ADD, [_row(token) for token in new])
            for token in wanted:
                if token.id in there and token.revoked_at is not None:
                    record = _record_of(*there[token.id])
                    record["revoked_at"] = record["revoked_at"] or rfc3339(token.revoked_at)
                    transaction.run(_REPLACE, {"of": token.id, **_told(record)})
            changed(transaction, _WHAT)
            return len(new)

        if not wanted:
            return 0
        added = self._change(enter)
        self._keep(uses)
        return added

    def note_use(self, id: str, at: datetime) -> None:
        minute = at.replace(second=0, microsecond=0)
        if self._noted.get(id) != minute:
            self._noted[id] = minute
            self._has_news = True

    def keep_uses(self) -> None:
        if not self._has_news:
            return
        self._has_news = False
        with suppress(TarkeepError):
            self._keep(dict(self._noted))

    def uses(self) -> dict[str, datetime]:
        kept: dict[str, datetime] = {}
        with suppress(TarkeepError), as_written():
            kept = {id: time_of(used_us) for id, used_us in self.tables.all(_USES, {})}
        for id, at in dict(self._noted).items():
            kept[id] = max(at, kept.get(id, at))
        return kept

    def _keep(self, uses: Mapping[str, datetime]) -> None:
        def enter(transaction: Transaction) -> None:
            for id, at in uses.items():
                used_us, known = microseconds(at), transaction.rows(_USE, {"of": id})
                if not known:
                    transaction.run(_FIRST_USE, {"id": id, "used_us": used_us})
                elif known[0][0] < used_us:
                    transaction.run(_LATER_USE, {"of": id, "used_us": used_us})

        self.tables.write(enter)

    def _change(self, work: Callable[[Transaction], _Result]) -> _Result:
        self._note()
        result = self.tables.write(work)
        with self._lock:
            self._look = None  # what it found is older than this change
        return result

    def _note(self) -> None:
        if not self._is_noted:
            self.note_tokens()
            self._is_noted = True

    def _current_look(self) -> _Look:
        """The newest look, begun now unless that is not a second ago, or still lasts."""
        with self._lock:
            look, now = self._look, self.seconds()
            if look is not None and (now - look.begun <= LOOK_SECONDS or not look.ended.is_set()):
                return look
            look = self._look = _Look(now)
        threading.Thread(target=self._run, args=[look], name="tokens", daemon=True).start()
        return look

    def _run(self, look: _Look) -> None:
        try:
            version, known = version_of(self.tables, _WHAT), self._known
            if known is None or known[0] != version or not version:  # without any it may be that they are lost
                self._known = None  # in case they cannot be read
                self._known = known = version, self._read(version)
            look.found = known[1]
        except Exception as error:  # whatever it is, nobody is admitted
            look.error = error
        finally:
            look.ended.set()

    def _read(self, version: int) -> Keyring:
        rows = self.tables.all(_ALL, {})
        if rows:
            self._note()
        elif version or self.had_tokens():
            raise BackendUnavailable("token table", "there were some, and the catalog has none of them")
        return Keyring({id: _token_of(_record_of(told, sum)) for id, told, sum in rows}, is_open=not rows)


def _reason(error: Exception) -> str:
    if isinstance(error, BackendUnavailable):
        return error.reason or f"the {error.what} does not answer"
    return str(error) if isinstance(error, TarkeepError) else ""


def _row(token: Token) -> Values:
    return {"id": token.id, **_told(record_of(token))}


def _told(record: Mapping[str, object]) -> Values:
    return {"told": json.dumps(record), "sum": sum_of(record)}


def _record_of(told: str, sum: str) -> dict[str, object]:
    """The record in a row, with members that this version does not know. Raises BackendUnavailable."""
    try:
        record = json.loads(told)
    except ValueError:
        record = None
    if not isinstance(record, dict) or sum_of(record) != sum or "revoked_at" not in record:
        raise BackendUnavailable("token table", "one of the tokens is not what was written")
    return record


def _token_of(record: Mapping[str, object]) -> Token:
    """
    The token of *record*.

    What a newer server lets a token do, and this one does not have, it grants here to nobody, and keeps nobody out: a
    token for nothing else counts as revoked.
    """
    try:
        scopes = record["scopes"]
        known = [scope for scope in scopes if scope in _SCOPES] if isinstance(scopes, list) else scopes
        token = token_of({**record, "scopes": known or [Scope.LIST.value]})
        return token if known else evolve(token, revoked_at=token.revoked_at or token.created_at)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackendUnavailable("token table", "one of the tokens is not as this version writes them") from error


_SCOPES = frozenset(scope.value for scope in Scope)
_t, _u = tokens.c, token_uses.c
_ALL = select(_t.id, _t.told, _t.sum)
_FIND = select(_t.told, _t.sum).where(_t.id == bindparam("of"))
_ADD = tokens.insert().inline()
_REPLACE = update(tokens).where(_t.id == bindparam("of"))
_USES = select(_u.id, _u.used_us)
_USE = select(_u.used_us).where(_u.id == bindparam("of"))
_FIRST_USE = token_uses.insert().inline()
_LATER_USE = update(token_uses).where(_u.id == bindparam("of"))
