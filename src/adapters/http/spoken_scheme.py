"""
Whether a server speaks http or https: looked at where it did not answer in the one that its address says.

What a server answers to the other one says little: some close the connection, some send an alert of TLS, some a page.
So it is tried whether it would shake hands.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing

from ...domain.client.address import ServerAddress

_SECONDS = 5.0


def wrong_scheme(server: ServerAddress, cause: BaseException) -> str | None:
    """What is wrong with the scheme of *server*, where that may be the *cause* of its silence; None if nothing is."""
    if server.scheme == "https":
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS and _speaks_http(server):
            return f"{server.url} does not speak https, but http; without TLS its address begins with http://"
        return None
    if isinstance(cause, http.client.HTTPException | ConnectionError) and not isinstance(cause, ConnectionRefusedError):
        return says_https(server)
    return None


def says_https(server: ServerAddress) -> str | None:
    """What is wrong where *server* is addressed by http and would shake hands for https; None if it would not."""
    if not _speaks_https(server):
        return None
    return f"{server.url} speaks https, not http; its address begins with https://"


# what OpenSSL calls an answer that is no TLS
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
