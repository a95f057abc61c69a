"""
What every answer says to browsers and caches, whoever makes it: the application, or the protocol that refuses a head.

The rule: an answer is what its type says and no page, may be framed, embedded and read by no other site, and is kept by
no cache; unless it says otherwise itself.
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
    """Those that an answer with *headers*, their names in lower case, does not have yet."""
    said = {name for name, _ in headers}
    return (header for header in _HEADERS if header[0] not in said)
