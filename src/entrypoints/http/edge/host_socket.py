"""
The socket in the data directory through which commands on the server's host speak to a running server.

Its file has the mode 0600: whoever can connect could as well open the data directory, and so needs no token and may do
everything. It is a Unix socket rather than a secret in a file: there is no address to reach it by from elsewhere,
nothing to leak, and no certificate to check.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starlette.types import Scope

NAME = "host.sock"
_BACKLOG = 16


def comes_from_host(scope: Scope) -> bool:
    """Whether a request came through the socket: then uvicorn has a path for the server's address, and no port."""
    server = scope.get("server")
    return server is not None and server[1] is None and str(server[0]).endswith(f"/{NAME}")


@contextmanager
def listening(data: Path) -> Iterator[socket.socket]:
    """
    A listening socket in the data directory *data*, whose file is removed at the end.

    Raises:
        OSError: the file system has no sockets.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener, _short(data) as place:
        with suppress(FileNotFoundError):
            Path(place).unlink()  # left by a server that was killed: this process owns the directory
        before = os.umask(0o177)
        try:
            listener.bind(place)
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                Path(place).unlink()


def connected(data: Path) -> socket.socket:
    """
    A connection to the server that serves *data*.

    Raises:
        OSError: no server listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(data) as place:
            connection.connect(place)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _short(data: Path) -> Iterator[str]:
    """A path of the socket that is short enough for the kernel, which takes 107 bytes, wherever *data* is."""
    directory = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{NAME}"
    finally:
        os.close(directory)
