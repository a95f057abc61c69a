"""
The headers of every answer for browsers and caches, made by the application or by the protocol that refuses a head.

The rule: an answer is of its declared type and not a page, may not be framed, embedded or read by another site, and is
not cached; unless it says otherwise itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def missing_in(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """The headers that an answer with *headers*, their names in lower case, does not have yet."""
    said = {name for name, _ in headers}
    return (header for header in _HEADERS if header[0] not in said)
