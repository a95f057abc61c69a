"""
The cookie of a session.

Over TLS its name has the prefix ``__Host-``, for which browsers demand Secure, and that no other host has set it. It is
SameSite=Strict: requests from pages of other sites come without it.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

_SECURE, _PLAIN = "__Host-tarkeep", "tarkeep-session"


def session_secret(headers: Headers, scheme: str) -> str | None:
    """The secret of the session in a request's *headers*; None without one."""
    return cookie_parser(headers.get("cookie", "")).get(_SECURE if scheme == "https" else _PLAIN) or None


def session_cookie(secret: str, scheme: str) -> str:
    """The header ``Set-Cookie`` that gives a browser *secret*, or takes it away if that is empty."""
    if scheme == "https":
        return f"{_SECURE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict" + _age(secret)
    return f"{_PLAIN}={secret}; Path=/ui; HttpOnly; SameSite=Strict" + _age(secret)


def _age(secret: str) -> str:
    return "" if secret else "; Max-Age=0"
