"""`RemoteStore` over HTTP for a test, with its own connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.remote import HttpRemote


@contextmanager
def remote_at(url: str, token: str | None = None) -> Iterator[HttpRemote]:
    """The server at *url*, closed in the end."""
    with closing(HttpConnection(url, token)) as connection:
        yield HttpRemote(connection)
