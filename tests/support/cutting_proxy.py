"""A bad line: a proxy that cuts connections after a number of bytes, from the client or to it, that a test decides."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class CuttingProxy:
    """
    Passes connections on to a server, cutting each of the first *cuts* after that many bytes from the client.

    *cuts_back* are the same of bytes to the client, of which *passed_back_bytes* counts all.
    """

    def __init__(self, server: tuple[str, int], cuts: list[int], cuts_back: list[int] | None = None) -> None:
        self.made_cuts = 0
        self.passed_back_bytes = 0
        self._cuts_back = cuts_back or []
        self._server = server
        self._cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._listener.getsockname()[:2])

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            passing = threading.Thread(target=self._pass_on, args=(client,))
            self._threads.append(passing)
            passing.start()

    def _pass_on(self, client: socket.socket) -> None:
        # closed only when neither thread uses them any more: a number that is free is soon somebody else's
        with client, socket.create_connection(self._server) as upstream:
            back = threading.Thread(target=self._back, args=(upstream, client))
            back.start()
            self._forth(client, upstream)
            back.join()

    def _forth(self, client: socket.socket, upstream: socket.socket) -> None:
        passed = 0
        try:
            while data := client.recv(65536):
                upstream.sendall(data)
                passed += len(data)
                if self._cuts and passed >= self._cuts[0]:
                    self._cuts.pop(0)
                    self.made_cuts += 1
                    break
        except OSError:
            pass
        self._end(client, upstream)

    def _back(self, upstream: socket.socket, client: socket.socket) -> None:
        passed = 0
        try:
            while data := upstream.recv(65536):
                client.sendall(data)
                passed += len(data)
                self.passed_back_bytes += len(data)
                if self._cuts_back and passed >= self._cuts_back[0]:
                    self._cuts_back.pop(0)
                    self.made_cuts += 1
                    break
        except OSError:
            pass
        self._end(client, upstream)

    def _end(self, *connections: socket.socket) -> None:
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
