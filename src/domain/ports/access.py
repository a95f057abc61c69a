"""The store of tokens, the sessions of browsers, and the log of writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from ..access.audit import AuditEntry, AuditReport
from ..access.sessions import Session
from ..access.tokens import Keyring, Token


class TokenStore(Protocol):
    """
    All tokens of a server.

    Several processes may share them: the server reads them, and commands make and revoke them. When `add` or `revoke`
    returns, its effect survives a power cut, and `keyring` in every process has it within a second.
    """

    def keyring(self) -> Keyring:
        """
        Every token, revoked ones too. Cheap: the server calls it with each request.

        Raises:
            BackendUnavailable: the tokens cannot be read; then no request may be admitted.
        """

    def add(self, token: Token) -> None:
        """
        Add *token*; from then on no `keyring` is open.

        Raises:
            ValueError: a token with its id exists.
        """

    def revoke(self, id: str, at: datetime) -> Token:
        """
        Revoke the token *id* as of *at*, unless it is revoked already. Returns the token as it is then.

        Raises:
            TokenNotFound: no token has that id.
        """

    def note_use(self, id: str, at: datetime) -> None:
        """Note that a token was used, to the minute. The note is in memory only until `keep_uses`. Never raises."""

    def keep_uses(self) -> None:
        """Save the noted uses where other processes see them. A failure is no error: uses only inform people."""

    def uses(self) -> dict[str, datetime]:
        """When each token was last used, by its id, to the minute; a token with no known use is absent."""


class SessionTable(Protocol):
    """
    The sessions of browsers, by the digests of their secrets.

    When `add` or `end` returns, its effect is seen by every process that shares the table. Times are kept to the
    microsecond.
    """

    def add(self, session: Session) -> None:
        """Add *session*."""

    def find(self, sha256: str) -> Session | None:
        """The session with that digest; None if it was never added, or has ended."""

    def note_use(self, sha256: str, at: datetime) -> None:
        """Note that the session was used; nothing happens if it has ended."""

    def end(self, sha256: str) -> None:
        """End the session, if it has not ended."""

    def sweep(self, begun_before: datetime, used_before: datetime) -> None:
        """End each session that was begun before the one, or last used before the other."""


class AuditLog(Protocol):
    """The log of writes. Several processes may add to it."""

    def append(self, entry: AuditEntry) -> None:
        """Add *entry*, chained to the line before. When this returns, the entry survives a power cut."""

    def check(self, noted: str | None = None) -> AuditReport:
        """Check the whole log, as `audit.check` does, with this server's key."""

    def has(self, result: str) -> bool:
        """Whether a line of the log has that *result*. Cost may grow with the log."""

    def newest(self, what: str, beginnings: tuple[str, ...]) -> AuditEntry | None:
        """
        What the newest line about *what* says whose result begins with one of *beginnings*; None without one.

        Torn and damaged lines are passed over. Cost may grow with the log.
        """

    def newest_first(
        self, below: str | None = None, containing: bytes = b"", *, most_bytes: int | None = None
    ) -> Iterator[bytes]:
        """
        The lines as they are, each without its newline, the newest first; only those that contain the bytes
        *containing*, which have no newline, and only those before the line with the digest *below*: none if no line
        has it. A line that is being added now may be missing.

        Once about *most_bytes* were looked through, the next line that does not contain those bytes is given as the
        last one: so far it was. Without such a line all were looked through.

        Cost: grows with what is looked through, some 500 ms per gigabyte, and with what is taken. A line *below* which
        is one of the last two that somebody took is found at once, another one by looking for it.

        Raises:
            BackendUnavailable: the log cannot be read.
        """
