"""Sessions are never more than their token, and end."""

from __future__ import annotations

import secrets
from datetime import timedelta
from ipaddress import ip_network

import pytest
from attrs import frozen

from tarkeep.adapters.memory.audit_log import MemoryAuditLog
from tarkeep.adapters.memory.sessions import MemorySessionTable
from tarkeep.adapters.memory.tokens import MemoryTokenStore
from tarkeep.domain.access.sessions import IDLE, LASTS
from tarkeep.domain.access.tokens import ANONYMOUS, Admission, Scope
from tarkeep.domain.usecases.access.sessions import BeginSession, EndSession, Recognise
from tarkeep.domain.usecases.access.tokens import Authenticate, MakeToken
from tests.support.clocks import FixedClock

MINUTE = timedelta(minutes=1)
HOME, ELSEWHERE = "10.0.0.7", "192.0.2.1"


@frozen
class Doorway:
    clock: FixedClock
    token_store: MemoryTokenStore
    sessions: MemorySessionTable
    begin: BeginSession
    recognise: Recognise
    end: EndSession

    def token(self, **more: object) -> str:
        make = MakeToken(self.token_store, self.clock, secrets.token_bytes, MemoryAuditLog())
        return make(frozenset({Scope.LIST}), ("*",), **more).text  # type: ignore[arg-type]

    def come_in(self, token: str) -> str:
        secret = self.begin(token, HOME).secret
        assert secret is not None
        return secret

    def verdict(self, secret: str | None, address: str = HOME) -> Admission:
        return self.recognise(secret, address).verdict


@pytest.fixture
def doorway() -> Doorway:
    clock, token_store, sessions = FixedClock(), MemoryTokenStore(), MemorySessionTable()
    begin = BeginSession(Authenticate(token_store, clock), sessions, clock, secrets.token_bytes)
    return Doorway(clock, token_store, sessions, begin, Recognise(token_store, sessions, clock), EndSession(sessions))


def test_a_session_that_is_used_lasts_for_half_a_day(doorway: Doorway) -> None:
    secret = doorway.come_in(doorway.token())

    for _ in range(LASTS // (30 * MINUTE) - 1):
        doorway.clock.advance(30 * MINUTE)
        assert doorway.verdict(secret) is Admission.ADMITTED
    doorway.clock.advance(30 * MINUTE)
    assert doorway.verdict(secret) is Admission.MISSING


def test_one_that_is_not_used_ends_after_an_hour(doorway: Doorway) -> None:
    secret = doorway.come_in(doorway.token())

    doorway.clock.advance(IDLE - MINUTE)
    assert doorway.verdict(secret) is Admission.ADMITTED
    doorway.clock.advance(IDLE - MINUTE)
    assert doorway.verdict(secret) is Admission.ADMITTED
    doorway.clock.advance(IDLE)
    assert doorway.verdict(secret) is Admission.MISSING


def test_it_ends_with_its_token(doorway: Doorway) -> None:
    revoked = doorway.token()
    expiring = doorway.token(expires_at=doorway.clock.now() + MINUTE)
    secrets_ = [doorway.come_in(token) for token in (revoked, expiring)]

    doorway.token_store.revoke(revoked.split("_")[1], doorway.clock.now())
    doorway.clock.advance(MINUTE)

    assert [doorway.verdict(secret) for secret in secrets_] == [Admission.REVOKED, Admission.EXPIRED]


def test_it_is_good_in_the_networks_of_its_token_only(doorway: Doorway) -> None:
    secret = doorway.come_in(doorway.token(networks=(ip_network("10.0.0.0/8"),)))

    assert doorway.verdict(secret) is Admission.ADMITTED
    assert doorway.verdict(secret, ELSEWHERE) is Admission.ELSEWHERE


def test_whoever_has_no_session_is_not_let_in(doorway: Doorway) -> None:
    token = doorway.token()
    secret = doorway.come_in(token)

    assert doorway.begin("tk_wrong", HOME).secret is None
    for wrong in (None, "", token, secret[:-1], secret + "A"):
        assert doorway.verdict(wrong) is Admission.MISSING
    doorway.end(secret)
    assert doorway.verdict(secret) is Admission.MISSING


def test_an_open_server_needs_none(doorway: Doorway) -> None:
    assert doorway.begin("", HOME).secret is None
    assert doorway.recognise(None, HOME).principal is ANONYMOUS


def test_those_that_are_over_are_forgotten(doorway: Doorway) -> None:
    token = doorway.token()
    doorway.come_in(token)
    (kept,) = doorway.sessions._sessions
    doorway.clock.advance(IDLE + MINUTE)

    doorway.come_in(token)

    assert doorway.sessions.find(kept) is None
