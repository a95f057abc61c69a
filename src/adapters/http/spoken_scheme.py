"""
Finds out whether a server speaks http or https, after it did not answer in the scheme of its address.

A server's reaction to the other scheme says little: some close the connection, some send a TLS alert, some a page. So a
TLS handshake is tried.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing

from ...domain.client.address import ServerAddress

_SECONDS = 5.0


def wrong_scheme(server: ServerAddress, cause: BaseException) -> str | None:
    """The mistake in the scheme of *server*, if that may be the *cause* of the failure; otherwise None."""
    if server.scheme == "https":
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS and _speaks_http(server):
            return f"{server.url} does not speak https, but http; without TLS its address begins with http://"
        return None
    if isinstance(cause, http.client.HTTPException | ConnectionError) and not isinstance(cause, ConnectionRefusedError):
        return says_https(server)
    return None


def says_https(server: ServerAddress) -> str | None:
    """The mistake, if *server* is addressed by http and answers a TLS handshake; otherwise None."""
    if not _speaks_https(server):
        return None
    return f"{server.url} speaks https, not http; its address begins with https://"


# OpenSSL's names for an answer that is not TLS
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")


def _speaks_https(server: ServerAddress) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent
    try:
        with (
            socket.create_connection((server.host, server.port), _SECONDS) as line,
            context.wrap_socket(line, server_hostname=server.host),
        ):
            return True
    except (OSError, ValueError):
        return False


def _speaks_http(server: ServerAddress) -> bool:
    try:
        with closing(http.client.HTTPConnection(server.host, server.port, timeout=_SECONDS)) as line:
            line.request("GET", "/healthz")
            line.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    return True
