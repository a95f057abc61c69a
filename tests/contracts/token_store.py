"""What a `TokenStore` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from attrs import evolve

from tarkeep.domain.access.tokens import Scope, Token
from tarkeep.domain.errors.access import TokenNotFound
from tarkeep.domain.ports.access import TokenStore

NOW = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)


def token(id: str = "aaaaaaaa") -> Token:
    return Token(id, "0" * 64, frozenset({Scope.PUSH}), ("laptop",), NOW)


class TokenStoreContract:
    """A subclass gives the fixture *another*: each call gives the token store of one more process."""

    def test_it_is_open_until_the_first_token(self, another: Callable[[], TokenStore]) -> None:
        """Also for a process that looked before; and it stays so, whatever happens to that token."""
        server, command = another(), another()
        assert server.keyring().is_open

        command.add(token())
        assert not server.keyring().is_open
        command.revoke("aaaaaaaa", NOW)

        assert not server.keyring().is_open
        assert not another().keyring().is_open

    def test_a_token_is_kept_in_every_detail(self, another: Callable[[], TokenStore]) -> None:
        """With all its fields, at once and in every process."""
        networks = ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")
        kept = [
            token(),
            evolve(token("bbbbbbbb"), scopes=frozenset(Scope), profiles=("web-*", "db-[0-9]"), note="été"),
            evolve(token("cccccccc"), expires_at=NOW + timedelta(days=1), networks=networks),
        ]
        keeper, other = another(), another()
        for one in kept:
            keeper.add(one)

        for asked in (keeper, other, another()):
            assert asked.keyring().tokens == {one.id: one for one in kept}

    def test_no_two_tokens_have_one_id(self, another: Callable[[], TokenStore]) -> None:
        """The second is refused and the first stays."""
        another().add(token())

        with pytest.raises(ValueError, match="aaaaaaaa"):
            another().add(evolve(token(), sha256="1" * 64))

        assert another().keyring().tokens["aaaaaaaa"] == token()

    def test_a_revoked_token_is_known_as_that_at_once(self, another: Callable[[], TokenStore]) -> None:
        """In every process; the time of the first revocation counts."""
        server, command = another(), another()
        command.add(token())
        assert server.keyring().tokens["aaaaaaaa"].revoked_at is None

        first = command.revoke("aaaaaaaa", NOW)
        again = another().revoke("aaaaaaaa", NOW + timedelta(hours=1))

        assert first == again == server.keyring().tokens["aaaaaaaa"]
        assert first.revoked_at == NOW

    def test_what_is_not_there_cannot_be_revoked(self, another: Callable[[], TokenStore]) -> None:
        """And the attempt changes nothing."""
        with pytest.raises(TokenNotFound):
            another().revoke("aaaaaaaa", NOW)

        assert another().keyring().is_open

    def test_uses_are_reported_to_the_minute(self, another: Callable[[], TokenStore]) -> None:
        """The last use of each token, in every process after `keep_uses`; a later one keeps those of other tokens."""
        server = another()
        server.add(token())
        server.note_use("aaaaaaaa", NOW)
        server.note_use("bbbbbbbb", NOW)
        server.keep_uses()
        server.note_use("bbbbbbbb", NOW + timedelta(minutes=5))
        server.keep_uses()

        minute = NOW.replace(second=0, microsecond=0)
        assert server.uses() == another().uses() == {"aaaaaaaa": minute, "bbbbbbbb": minute + timedelta(minutes=5)}
