"""
Small requests to 127.0.0.1, timed, each on a connection of its own as curl would make it.

`http.client` and nothing above it: no proxies from the environment, no retries, no redirects.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping

from attrs import frozen


@frozen
class Reply:
    """Status, body, and the seconds from before connecting until the last byte of the body."""

    status: int
    body: bytes
    seconds: float


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = 120,
) -> Reply:
    """
    One request.

    Raises:
        OSError, http.client.HTTPException: the reply is missing or incomplete.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    begin = time.perf_counter()
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
        return Reply(response.status, content, time.perf_counter() - begin)
    finally:
        connection.close()


def is_ready(port: int, path: str) -> bool:
    """Whether *path* answers 200; a server that does not listen yet is not ready."""
    try:
        return ask(port, path, timeout_seconds=5).status == 200
    except (OSError, http.client.HTTPException):
        return False
