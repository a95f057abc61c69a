"""Coming in by a browser: a token is shown once, and a session stands for it from then on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from ...access.sessions import IDLE, LASTS, SECRET_BYTES, Session, session_digest
from ...access.tokens import ANONYMOUS, Admission, Decision, admit_by
from ...ports.access import SessionTable, TokenStore
from ...ports.system import Clock
from .tokens import Authenticate

_NOTED_EVERY = timedelta(minutes=1)


@frozen
class BegunSession:
    """A decision about a token; if its holder is admitted, the *secret* of the new session, which is kept nowhere."""

    decision: Decision
    secret: str | None = None


@frozen
class BeginSession:
    """Begin a session for whoever has a token. *random_bytes* gives that many unpredictable bytes."""

    authenticate: Authenticate
    sessions: SessionTable
    clock: Clock
    random_bytes: Callable[[int], bytes]

    def __call__(self, presented: str, address: str) -> BegunSession:
        """
        Without a secret if the token *presented* from *address* does not admit, or if the server needs none.

        Raises:
            BackendUnavailable: the tokens cannot be read.
        """
        decision = self.authenticate(presented, address)
        if decision.principal is None or decision.principal.token is None:
            return BegunSession(decision)
        now = self.clock.now()
        self.sessions.sweep(now - LASTS, now - IDLE)
        secret = base64.urlsafe_b64encode(self.random_bytes(SECRET_BYTES)).decode().rstrip("=")
        self.sessions.add(Session(session_digest(secret), decision.principal.token, now, now))
        return BegunSession(decision, secret)


@frozen
class Recognise:
    """Decide about a request of a browser, by the secret of its session."""

    token_store: TokenStore
    sessions: SessionTable
    clock: Clock

    def __call__(self, secret: str | None, address: str) -> Decision:
        """
        As its token would be admitted now; missing, if there is no such session or it is over.

        Raises:
            BackendUnavailable: the tokens or the sessions cannot be read, so no request is admitted.
        """
        keyring = self.token_store.keyring()
        if keyring.is_open:
            return Decision(Admission.ADMITTED, ANONYMOUS)
        if not secret:
            return Decision(Admission.MISSING)
        now, digest = self.clock.now(), session_digest(secret)
        session = self.sessions.find(digest)
        token = None if session is None else keyring.tokens.get(session.token)
        if session is None or token is None or session.is_over(now):
            return Decision(Admission.MISSING)
        decision = admit_by(token, address, now)
        if decision.principal is not None and now - session.used_at >= _NOTED_EVERY:
            self.sessions.note_use(digest, now)
            self.token_store.note_use(token.id, now)
        return decision


@frozen
class EndSession:
    """End the session of a browser."""

    sessions: SessionTable

    def __call__(self, secret: str) -> None:
        """End it, if it has not ended."""
        self.sessions.end(session_digest(secret))
