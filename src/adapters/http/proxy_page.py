"""
The page with which a proxy before the server refuses a request: recognised as the proxy's, with advice on its settings.

A Tarkeep server refuses in JSON with a code. A page with one of these statuses, or JSON of another shape, comes from a
proxy in between, whose limits and rules are not the server's.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...domain.text.paths import printable

_WHAT_TO_SET: Mapping[int, str] = {
    401: "it wants a login of its own, which goes into the address: https://NAME:PASSWORD@HOST",
    403: "its rules must let the methods GET, HEAD, POST, PUT, PATCH and DELETE through from here",
    405: "its rules must let the methods GET, HEAD, POST, PUT, PATCH and DELETE through",
    407: "it wants a login of its own, which goes into the address: https://NAME:PASSWORD@HOST",
    411: "it must accept bodies of unknown length (nginx: proxy_request_buffering off)",
    413: (
        "its limit for a body must go (nginx: client_max_body_size 0; Apache: LimitRequestBody 0; caddy: no max_size "
        "in request_body)"
    ),
    502: "it cannot reach the server behind it",
    504: "the server behind it was silent for too long (nginx: proxy_read_timeout and proxy_send_timeout 10m)",
}


def said_by_proxy(status: int, software: str | None, url: str) -> str | None:
    """
    The sentence for a *status* without a message of the server at *url*; None for a status that means nothing here.

    *software* is the name in the answer's header ``Server``.
    """
    what = _WHAT_TO_SET.get(status)
    if what is None:
        return None
    name = f", {printable(software)[:40]}" if software else ""
    return f"a proxy before {url} answered {status}{name}, not the Tarkeep server: {what}"
