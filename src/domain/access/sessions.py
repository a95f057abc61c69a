"""
Sessions: what a browser has instead of a token, once its user has come in with one.

The rule: a session is never more than its token. It has the token's scopes, profiles and networks as they are now, and
it ends with the token, after `LASTS`, or when it was not used for `IDLE`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from attrs import frozen

SECRET_BYTES = 32
LASTS = timedelta(hours=12)
IDLE = timedelta(hours=1)


@frozen
class Session:
    """What the server keeps of a session: the SHA-256 of its secret, and the id of the *token* that began it."""

    sha256: str
    token: str
    begun_at: datetime
    used_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether the session has lasted, or was idle, for too long."""
        return now - self.begun_at >= LASTS or now - self.used_at >= IDLE


def session_digest(secret: str) -> str:
    """The SHA-256 of a session's secret in lower-case hex. Its 256 random bits need no slower hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
