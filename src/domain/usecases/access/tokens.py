"""Access by tokens: making and revoking them, and deciding each request by its token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from ...access.audit import HOST, AuditEntry
from ...access.tokens import (
    ID_BYTES,
    OPERATOR,
    SECRET_BYTES,
    Admission,
    Decision,
    Network,
    Principal,
    Scope,
    Token,
    admit,
    token_digest,
    token_id,
    token_text,
)
from ...errors.access import NotAuthenticated
from ...ports.access import AuditLog, TokenStore
from ...ports.system import Clock


@frozen
class MadeToken:
    """A new token: *text* is the token itself, which is stored nowhere; *token* is the stored part."""

    text: str
    token: Token


@frozen
class MakeToken:
    """Make a token. *random_bytes* gives that many unpredictable bytes."""

    token_store: TokenStore
    clock: Clock
    random_bytes: Callable[[int], bytes]
    audit: AuditLog

    def __call__(
        self,
        scopes: frozenset[Scope],
        profiles: tuple[str, ...],
        *,
        note: str = "",
        expires_at: datetime | None = None,
        networks: tuple[Network, ...] = (),
    ) -> MadeToken:
        """
        Raises:
            ValueError: *scopes* or *profiles* is empty, or a pattern is invalid.
        """
        text = token_text(self.random_bytes(ID_BYTES), self.random_bytes(SECRET_BYTES))
        token = Token(
            id=token_id(text) or "",
            sha256=token_digest(text),
            scopes=scopes,
            profiles=profiles,
            created_at=self.clock.now(),
            note=note,
            expires_at=expires_at,
            networks=networks,
        )
        self.token_store.add(token)
        scopes_told = ",".join(scope.value for scope in Scope if scope in scopes)
        what = f"token {token.id} for {scopes_told} in {' '.join(profiles)}"
        self.audit.append(AuditEntry(token.created_at, HOST, "", what, None, "made"))
        return MadeToken(text, token)


@frozen
class ListTokens:
    """Every token with the time of its last use, oldest first."""

    token_store: TokenStore

    def __call__(self) -> list[tuple[Token, datetime | None]]:
        uses = self.token_store.uses()
        tokens = sorted(self.token_store.keyring().tokens.values(), key=lambda token: (token.created_at, token.id))
        return [(token, uses.get(token.id)) for token in tokens]


@frozen
class RevokeToken:
    """Revoke a token."""

    token_store: TokenStore
    clock: Clock
    audit: AuditLog

    def __call__(self, id: str, who: str | None = HOST, address: str = "") -> Token:
        """
        Returns the revoked token; *id* may also be the whole token. Revoking twice is no error.

        *who* revokes it, from which *address*, is for the audit log.

        Raises:
            TokenNotFound: no token has that id.
        """
        now = self.clock.now()
        token = self.token_store.revoke(token_id(id) or id, now)
        self.audit.append(AuditEntry(now, who, address, f"token {token.id}", None, "revoked"))
        return token


@frozen
class Authenticate:
    """Decide about a request with or without a token, and note the use of the token."""

    token_store: TokenStore
    clock: Clock

    def __call__(self, presented: str | None, address: str) -> Decision:
        """
        Raises:
            BackendUnavailable: the tokens cannot be read, so no request is admitted.
        """
        now = self.clock.now()
        decision = admit(self.token_store.keyring(), presented, address, now)
        if decision.principal is not None and decision.principal.token is not None:
            self.token_store.note_use(decision.principal.token, now)
        return decision


@frozen
class Reauthenticate:
    """Judge an admitted principal again: a long request may outlive its token."""

    token_store: TokenStore
    clock: Clock

    def __call__(self, principal: Principal) -> None:
        """
        Raises:
            NotAuthenticated: the token was revoked since then, or has expired.
            BackendUnavailable: the tokens cannot be read.
        """
        if principal.token is None or principal is OPERATOR:
            return
        token = self.token_store.keyring().tokens.get(principal.token)
        if token is None or token.revoked_at is not None:
            raise NotAuthenticated(Admission.REVOKED.value)
        if token.expires_at is not None and token.expires_at <= self.clock.now():
            raise NotAuthenticated(Admission.EXPIRED.value)
