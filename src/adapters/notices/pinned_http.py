"""
Requests to addresses that an operator stated, each in five seconds altogether.

The rule: the name is resolved once, every address of it is checked, and the connection goes to one of those that were
checked: a name that is resolved differently a moment later reaches nothing else. No redirect is followed.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ...domain.errors.notices import NotDelivered

SECONDS = 5.0

_Address: TypeAlias = tuple[Any, Any, int, str, Any]


def send(
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    allow_private: bool,
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> None:
    """
    POST *body* to *url*, or GET it without one; returns if the answer is 2xx.

    Raises:
        NotDelivered: it is not, or there is none in *seconds*, or an address is private and *allow_private* is false.
    """
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    deadline = time.monotonic() + seconds
    plain = connected(host, parts.port or (443 if is_secure else 80), allow_private, deadline)
    # a socket's own timeout begins anew with each byte; this one ends the whole exchange
    ended, used = threading.Event(), [plain]
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (used, ended))
    timer.daemon = True
    timer.start()
    try:
        if is_secure:
            secured = (context or ssl.create_default_context()).wrap_socket(
                plain, server_hostname=host, do_handshake_on_connect=False
            )
            used.append(secured)  # the first one has given its descriptor away
            secured.do_handshake()
        connection = HTTPConnection(host, parts.port)
        connection.sock = used[-1]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {"Host": parts.netloc, "User-Agent": "tarkeep", "Connection": "close"}
        connection.request("GET" if body is None else "POST", path, body, {**own, **headers})
        with closing(connection.getresponse()) as answer:
            _check(answer)
    except (OSError, HTTPException, ValueError) as error:
        if ended.is_set() or isinstance(error, TimeoutError):  # whichever comes first
            raise NotDelivered(f"{host} did not answer in {seconds:.0f} s") from None
        raise NotDelivered(f"{host}: {_reason(error)}") from None
    finally:
        timer.cancel()
        for each in used:
            each.close()


def _cut(used: list[socket.socket], ended: threading.Event) -> None:
    ended.set()
    with suppress(OSError):  # it is closed
        socket.socket.shutdown(used[-1], socket.SHUT_RDWR)  # TLS must not be used by two threads at a time


def _check(answer: HTTPResponse) -> None:
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        raise ValueError(f"it answered {answer.status}, and redirects are not followed: state the address they lead to")
    raise ValueError(f"it answered {answer.status}")


def _resolved(host: str, port: int, deadline: float) -> list[_Address]:
    """Ask in a thread of its own: the resolver of the system takes as long as it likes, and cannot be told to end."""
    answers = SimpleQueue[list[_Address] | OSError | UnicodeError]()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty:
        raise NotDelivered(f"{host} was not resolved in time: the name servers do not answer") from None
    if isinstance(answer, list):
        return answer
    raise NotDelivered(f"{host} cannot be resolved: {_reason(answer)}") from None


def connected(host: str, port: int, allow_private: bool, deadline: float) -> socket.socket:
    """
    A connection to one of the addresses of *host*, made before *deadline*, on the clock of `time.monotonic`.

    Raises:
        NotDelivered: there is none, or an address is private and *allow_private* is false.
    """
    found = _resolved(host, port, deadline)
    for *_, place in found:
        if not allow_private and not _is_public(str(place[0])):
            raise NotDelivered(
                f"{host} is at {place[0]}, which is not a public address; allow_private = true lets notices go there"
            )
    reason = "it has no address"
    for family, kind, protocol, _, place in found:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(place)
        except OSError as error:
            sock.close()
            reason = _reason(error)
        else:
            return sock
    raise NotDelivered(f"{host}: {reason}")


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
