"""Who is admitted, and what a principal sees: pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.access.tokens import (
    ANONYMOUS,
    Admission,
    Keyring,
    Principal,
    Scope,
    Token,
    admit,
    is_within,
    token_digest,
    token_id,
    token_text,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TEXT = token_text(b"12345", bytes(range(32)))
TOKEN = Token(token_id(TEXT) or "", token_digest(TEXT), frozenset({Scope.PUSH}), ("web-*",), NOW)


def keyring(*tokens: Token) -> Keyring:
    return Keyring({token.id: token for token in tokens}, is_open=False)


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=32, max_size=32))
def test_a_token_contains_its_id(id: bytes, secret: bytes) -> None:
    """And it fits into a header, a URL and a double click."""
    text = token_text(id, secret)

    assert text.startswith(f"tk_{token_id(text)}_")
    assert text.isascii()
    assert text.replace("_", "").isalnum()


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567_ "))
def test_a_mistyped_token_is_recognized_without_a_look_up(at: int, character: str) -> None:
    """Changing any one character makes it invalid."""
    mistyped = TEXT[:at] + character + TEXT[at + 1 :]

    assert token_id(mistyped) == (TOKEN.id if mistyped == TEXT else None)


@pytest.mark.parametrize("text", ["", "tk_", TEXT[:-1], TEXT + "a", TEXT.upper(), f" {TEXT}", f"{TEXT}\n", "é" * 70])
def test_other_text_is_not_a_token(text: str) -> None:
    """Cut off, too long, or something else."""
    assert token_id(text) is None
    assert admit(keyring(TOKEN), text, "127.0.0.1", NOW).verdict is Admission.MALFORMED


def test_without_tokens_every_client_is_admitted() -> None:
    """With harmless scopes only, never for removing or administering; a presented token is ignored."""
    for presented in (None, TEXT, "nonsense"):
        decision = admit(Keyring({}, is_open=True), presented, "127.0.0.1", NOW)
        assert decision.principal is ANONYMOUS

    assert ANONYMOUS.scopes == {Scope.PUSH, Scope.PULL, Scope.LIST, Scope.VERIFY, Scope.METRICS, Scope.DRILL}
    assert ANONYMOUS.sees("anything")


@pytest.mark.parametrize(
    ("token", "address", "verdict"),
    [
        (TOKEN, "192.0.2.1", Admission.ADMITTED),
        (evolve(TOKEN, expires_at=NOW + timedelta(seconds=1)), "192.0.2.1", Admission.ADMITTED),
        (evolve(TOKEN, expires_at=NOW), "192.0.2.1", Admission.EXPIRED),
        (evolve(TOKEN, revoked_at=NOW), "192.0.2.1", Admission.REVOKED),
        (evolve(TOKEN, networks=(ip_network("10.0.0.0/8"),)), "10.1.2.3", Admission.ADMITTED),
        (evolve(TOKEN, networks=(ip_network("10.0.0.0/8"),)), "::ffff:10.1.2.3", Admission.ADMITTED),
        (evolve(TOKEN, networks=(ip_network("10.0.0.0/8"),)), "192.0.2.1", Admission.ELSEWHERE),
        (evolve(TOKEN, networks=(ip_network("10.0.0.0/8"),)), "", Admission.ELSEWHERE),
        (evolve(TOKEN, sha256="0" * 64), "192.0.2.1", Admission.UNKNOWN),
        # the state of a token is revealed only to a client with its secret
        (evolve(TOKEN, sha256="0" * 64, revoked_at=NOW, expires_at=NOW), "192.0.2.1", Admission.UNKNOWN),
        (evolve(TOKEN, id="other"), "192.0.2.1", Admission.UNKNOWN),
    ],
)
def test_a_token_admits_while_and_where_it_is_valid(token: Token, address: str, verdict: Admission) -> None:
    """Each reason by itself."""
    decision = admit(keyring(token), TEXT, address, NOW)

    assert decision.verdict is verdict
    assert (decision.principal is not None) is (verdict is Admission.ADMITTED)


def test_once_tokens_exist_every_client_needs_one() -> None:
    """Even if none of them is valid any more."""
    for ring in (keyring(TOKEN), keyring(evolve(TOKEN, revoked_at=NOW)), keyring()):
        assert admit(ring, None, "127.0.0.1", NOW).verdict is Admission.MISSING


@pytest.mark.parametrize(
    ("patterns", "profile", "sees"),
    [
        (("*",), "anything", True),
        (("web-*",), "web-1", True),
        (("web-*",), "db-1", False),
        (("web-*",), "Web-1", False),
        (("laptop", "db-[0-9]"), "db-7", True),
        (("laptop",), "laptop2", False),
    ],
)
def test_a_principal_sees_profiles_that_match_a_pattern(patterns: tuple[str, ...], profile: str, sees: bool) -> None:
    """As with the patterns of profile rules: whole names, case-sensitive."""
    assert Principal("a", frozenset(Scope), patterns).sees(profile) is sees


def test_an_only_profile_is_a_plain_name() -> None:
    """It allows looking up everything at once."""
    assert Principal("a", frozenset(Scope), ("laptop",)).only_profile == "laptop"
    for patterns in (("*",), ("web-?",), ("a", "b"), ("[ab]",)):
        assert Principal("a", frozenset(Scope), patterns).only_profile is None


@pytest.mark.parametrize("pattern", ["", "a/b", "a b", "é", "x" * 101])
def test_a_token_for_nothing_cannot_exist(pattern: str) -> None:
    """Without a scope, without a pattern, or with one that matches no name."""
    with pytest.raises(ValueError, match="pattern"):
        evolve(TOKEN, profiles=(pattern,))
    with pytest.raises(ValueError, match="pattern"):
        evolve(TOKEN, profiles=())
    with pytest.raises(ValueError, match="scope"):
        evolve(TOKEN, scopes=frozenset())


def test_text_that_is_not_an_address_is_in_no_network() -> None:
    """Such as the name of a client in a test."""
    assert not is_within("testclient", [ip_network("0.0.0.0/0"), ip_network("::/0")])
