"""
Giving up a server that keeps a connection busy: whatever it sends, nothing waits for it longer than stated.

The time-out of a socket is for each byte: a server that sends one now and then, in the head of an answer or in the
framing of its body, would hold a thread for ever. So a thread beside it looks at the clock, and shuts the connections
down.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TypeAlias

import urllib3
from attrs import define, field
from urllib3.connection import HTTPConnection, HTTPSConnection

_LOOK_SECONDS = 1.0

Within: TypeAlias = Callable[[float], AbstractContextManager[None]]
"""A context in which connections are shut down after so many seconds."""


def without_limit(_seconds: float) -> AbstractContextManager[None]:
    """For connections that nobody watches."""
    return nullcontext()


@define(eq=False)
class Deadline:
    """The deadline of one thread, which shuts down the connections of *manager*, made from now on."""

    manager: urllib3.PoolManager
    _made: deque[HTTPConnection] = field(factory=lambda: deque(maxlen=4))
    _until: float | None = None
    _is_over: threading.Event = field(factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[Within]:
        """Watch until the end of the context."""
        self._note_connections()
        thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
        thread.start()
        try:
            yield self.within
        finally:
            self._is_over.set()
            thread.join()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Shut everything down if this context takes longer."""
        self._until = time.monotonic() + seconds
        try:
            yield
        finally:
            self._until = None

    def _note_connections(self) -> None:
        made = self._made

        class Noted(HTTPConnection):
            def connect(self) -> None:
                made.append(self)
                super().connect()

        class NotedTls(HTTPSConnection):
            def connect(self) -> None:
                made.append(self)
                super().connect()

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Noted

        class TlsPool(urllib3.HTTPSConnectionPool):
            ConnectionCls = NotedTls

        self.manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            until = self._until
            if until is not None and time.monotonic() > until:
                for connection in list(self._made):
                    if connection.sock is not None:
                        with suppress(OSError):
                            connection.sock.shutdown(socket.SHUT_RDWR)
