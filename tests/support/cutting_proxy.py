"""
A bad line: a proxy that breaks connections after a number of bytes set by the test.

It cuts them (both ends read the end), resets them (both ends read ECONNRESET), or stalls: the connection stays open and
nothing passes either way, until one end gives up or the test releases it. A stall is cut when one end gives up.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum

from attrs import define, field, frozen

_BLOCK_BYTES = 65536
_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: closing sends RST


class Kind(Enum):
    """How a connection breaks."""

    CUT = "cut"
    STALL = "stall"
    RESET = "reset"


@frozen
class Fault:
    """Break a connection after *after_bytes* have passed from the client, or, with *answers*, to the client."""

    kind: Kind
    after_bytes: int
    of_answers: bool = False

    @classmethod
    def drawn(cls, rng: random.Random, kind: Kind, count: int, below_bytes: int) -> list[Fault]:
        """*count* faults of *kind* at up to *below_bytes* from the client, one in four in the answers instead."""
        # an idle server notices a stalled response late, so stalls affect only what it waits for
        answers = [kind is not Kind.STALL and rng.randrange(4) == 0 for _ in range(count)]
        # a quarter of a kilobyte is about the size of a response head
        return [cls(kind, rng.randrange(256 if answer else below_bytes), answer) for answer in answers]


class CuttingProxy:
    """
    Passes connections on to *server*, and makes each of *faults* once, in order.

    A fault is made on the first connection that passes enough bytes; a bare number is a cut after that many bytes from
    the client. *made_cuts* counts faults of all kinds, *passed_back_bytes* all bytes sent to clients.
    """

    def __init__(self, server: tuple[str, int], faults: Sequence[Fault | int]) -> None:
        self.made_cuts = 0
        self.passed_back_bytes = 0
        self.has_stalled = threading.Event()
        self._server = server
        self._faults = [fault if isinstance(fault, Fault) else Fault(Kind.CUT, fault) for fault in faults]
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.host_and_port)

    def release(self) -> None:
        """Let stalled connections continue."""
        for line in list(self._lines):
            line.release()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(30)
        for line in list(self._lines):
            line.cut()
        for thread in self._threads[1:]:
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
        # closed only when neither thread uses them: another thread may soon get a freed descriptor
        with client, socket.create_connection(self._server) as upstream, _Line(client, upstream) as line:
            self._lines.append(line)
            back = threading.Thread(target=self._move, args=(line, upstream, client, True))
            back.start()
            self._move(line, client, upstream, False)
            back.join()
            self._lines.remove(line)

    def _move(self, line: _Line, source: socket.socket, target: socket.socket, answers: bool) -> None:
        passed = 0
        try:
            while data := source.recv(_BLOCK_BYTES):
                line.wait_while_stalled()
                while (fault := self._due(passed + len(data), answers)) is not None:
                    head = max(0, fault.after_bytes - passed)
                    target.sendall(data[:head])
                    passed, data = passed + head, data[head:]
                    self._make(fault.kind, line)
                target.sendall(data)
                passed += len(data)
                self.passed_back_bytes += len(data) if answers else 0
        except OSError:
            pass
        line.cut()

    def _make(self, kind: Kind, line: _Line) -> None:
        if kind is Kind.STALL:
            self.has_stalled.set()
            line.stall()
            return
        if kind is Kind.RESET:
            line.reset()
        raise ConnectionAbortedError

    def _due(self, passed: int, answers: bool) -> Fault | None:
        with self._lock:
            fault = self._faults[0] if self._faults else None
            if fault is None or fault.of_answers != answers or fault.after_bytes > passed:
                return None
            self.made_cuts += 1
            return self._faults.pop(0)


@define(eq=False)
class _Line:
    """The two connections of one client, which break together."""

    client: socket.socket
    upstream: socket.socket
    _moving: threading.Event = field(factory=threading.Event, init=False)
    _is_over: bool = field(default=False, init=False)
    _wake: tuple[socket.socket, socket.socket] = field(factory=socket.socketpair, init=False)

    def __enter__(self) -> _Line:
        self._moving.set()
        return self

    def __exit__(self, *_error: object) -> None:
        for end in self._wake:
            end.close()

    def wait_while_stalled(self) -> None:
        """Raises ConnectionAbortedError when the line is over."""
        self._moving.wait()
        if self._is_over:
            raise ConnectionAbortedError

    def stall(self) -> None:
        """Until released. Raises ConnectionAbortedError when one end has hung up, or the line is over."""
        self._moving.clear()
        waiting = select.poll()
        for end in (self.client, self.upstream):
            waiting.register(end, select.POLLRDHUP)  # pending data does not matter
        waiting.register(self._wake[0], select.POLLIN)
        woken_by = [number for number, _ in waiting.poll()]
        if self._is_over or woken_by != [self._wake[0].fileno()]:
            raise ConnectionAbortedError
        self._wake[0].recv(1)
        self._moving.set()

    def release(self) -> None:
        if not self._moving.is_set():
            self._wake[1].send(b"x")

    def cut(self) -> None:
        self._end(socket.SHUT_RDWR)

    def reset(self) -> None:
        for end in (self.client, self.upstream):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
        # sends nothing, but wakes the threads that read, after which closing resets
        self._end(socket.SHUT_RD)

    def _end(self, how: int) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._moving.set()
        with suppress(OSError):  # when both ways end at once, the other may have closed everything by now
            self._wake[1].send(b"x")
        for end in (self.client, self.upstream):
            with suppress(OSError):
                end.shutdown(how)
