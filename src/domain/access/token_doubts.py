"""Which tokens somebody should look at: those that nobody uses, and those that may do everything. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from .tokens import EVERY_PROFILE, Scope, Token

UNUSED_AFTER = timedelta(days=90)
_NEW_FOR = timedelta(days=1)


class TokenDoubt(Enum):
    """Why somebody should look at a token; the value says so."""

    NEVER_USED = "never used"
    UNUSED = "not used for 90 days"
    EVERYTHING = "may do everything, to all profiles, from anywhere"


def is_over(token: Token, now: datetime) -> bool:
    """Whether *token* is revoked or expired."""
    return token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now)


def doubts_about(token: Token, used_at: datetime | None, now: datetime) -> tuple[TokenDoubt, ...]:
    """
    What is doubtful about *token*, last used at *used_at*, None if never; nothing about one that is over.

    One that was made within a day may still be waiting for its first use.
    """
    if is_over(token, now):
        return ()
    doubts = []
    if used_at is None and now - token.created_at > _NEW_FOR:
        doubts.append(TokenDoubt.NEVER_USED)
    if used_at is not None and now - used_at >= UNUSED_AFTER:
        doubts.append(TokenDoubt.UNUSED)
    if token.scopes >= set(Scope) and EVERY_PROFILE in token.profiles and not token.networks:
        doubts.append(TokenDoubt.EVERYTHING)
    return tuple(doubts)
