"""A line to PostgreSQL that may break when a transaction was committed, before its client learns of it."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BLOCK_BYTES = 65536


class LosingProxy:
    """
    Passes connections on to a server. Of the next *losing* commits it breaks the connection, *before* they reach the
    server, or when they have had their effect.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.losing, self.before = 0, False
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(self._server) as server,
            selectors.DefaultSelector() as ready,
            suppress(OSError),
        ):
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    block = key.fileobj.recv(_BLOCK_BYTES)  # type: ignore[union-attr]  # both are sockets
                    if not block:
                        return
                    if key.fileobj is server:
                        client.sendall(block)
                        continue
                    is_lost = self.losing > 0 and b"COMMIT" in block
                    if is_lost:
                        self.losing -= 1
                    if not (is_lost and self.before):
                        server.sendall(block)
                    if is_lost:
                        if not self.before:
                            server.recv(_BLOCK_BYTES)  # it has answered: the transaction is durable
                        return


@contextmanager
def losing_proxy(port: int) -> Iterator[LosingProxy]:
    """A proxy before the server on *port* of this machine."""
    proxy = LosingProxy(("127.0.0.1", port))
    try:
        yield proxy
    finally:
        proxy.close()
