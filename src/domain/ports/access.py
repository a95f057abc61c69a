"""The tokens there are, and the log of writes."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from ..access.audit import AuditEntry, AuditReport
from ..access.tokens import Keyring, Token


class TokenStore(Protocol):
    """
    The tokens that there are.

    Several processes may share them: a server that asks, and commands that make and revoke. When `add` or `revoke`
    returns, its effect survives a power cut, and every `keyring` of any process has it within a second.
    """

    def keyring(self) -> Keyring:
        """
        Every token, revoked ones too. Cheap: asked with each request.

        Raises:
            BackendUnavailable: they cannot be read; then nobody is to be let in.
        """

    def add(self, token: Token) -> None:
        """
        Enter *token*; from then on no `keyring` is open.

        Raises:
            ValueError: there is one with its id.
        """

    def revoke(self, id: str, at: datetime) -> Token:
        """
        Let *id* be revoked since *at*, unless it is already; the token as it is then.

        Raises:
            TokenNotFound: no token has that id.
        """

    def note_use(self, id: str, at: datetime) -> None:
        """Note that a token was used; kept to the minute, and only in memory until `keep_uses`. Never raises."""

    def keep_uses(self) -> None:
        """Keep what was noted where other processes see it. A loss is no error: it is for people."""

    def uses(self) -> dict[str, datetime]:
        """When each token was last used, by its id, as far as known; times to the minute."""


class AuditLog(Protocol):
    """The log of writes, to which several processes may add."""

    def append(self, entry: AuditEntry) -> None:
        """Add *entry*, chained to the line before. When this returns it survives a power cut."""

    def check(self, noted: str | None = None) -> AuditReport:
        """Check the whole log, as `audit.check` does, with the key that is here."""

    def has(self, result: str) -> bool:
        """Whether a line tells that *result*. Cost may grow with the log."""
