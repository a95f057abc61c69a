"""Tokens that somebody should look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from attrs import evolve

from tarkeep.domain.access.token_doubts import TokenDoubt, doubts_about, is_over
from tarkeep.domain.access.tokens import Scope, Token

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN = Token("aaaaaaaa", "0" * 64, frozenset({Scope.PUSH}), ("laptop",), NOW - 200 * DAY)


def test_a_token_in_use_for_one_thing_raises_no_doubt() -> None:
    assert doubts_about(PLAIN, NOW - DAY, NOW) == ()


def test_tokens_that_nobody_uses() -> None:
    """A new one may wait for a day; from then on an unused one is a key that nobody would miss."""
    assert doubts_about(evolve(PLAIN, created_at=NOW - DAY), None, NOW) == ()
    assert doubts_about(PLAIN, None, NOW) == (TokenDoubt.NEVER_USED,)
    assert doubts_about(PLAIN, NOW - 89 * DAY, NOW) == ()
    assert doubts_about(PLAIN, NOW - 90 * DAY, NOW) == (TokenDoubt.UNUSED,)


def test_a_token_for_everything() -> None:
    """A bound in one of the three ways is enough."""
    every = evolve(PLAIN, scopes=frozenset(Scope), profiles=("web-*", "*"))

    assert doubts_about(every, NOW, NOW) == (TokenDoubt.EVERYTHING,)
    assert doubts_about(evolve(every, profiles=("web-*",)), NOW, NOW) == ()
    assert doubts_about(evolve(every, networks=(ip_network("10.0.0.0/8"),)), NOW, NOW) == ()
    assert doubts_about(evolve(every, scopes=frozenset(Scope) - {Scope.ADMIN}), NOW, NOW) == ()


def test_a_token_that_is_over_raises_no_doubt() -> None:
    for over in (evolve(PLAIN, revoked_at=NOW), evolve(PLAIN, expires_at=NOW)):
        assert is_over(over, NOW)
        assert doubts_about(over, None, NOW) == ()
    assert not is_over(evolve(PLAIN, expires_at=NOW + DAY), NOW)
