"""
Request bodies on their way from the event loop to the thread of a use case.

A use case is synchronous and pulls blocks from an iterator; the event loop pushes what arrives. A small bounded queue
between them keeps either from running ahead by more than a few blocks, so memory stays flat whatever the body's size.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from attrs import frozen
from starlette.types import Message, Receive

from ....domain.errors.content import UploadInterrupted
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.counted import counted
from ..answers.problems import Problem

BLOCK_BYTES = 1 << 20  # large enough that hashing, inflating and writing a block outweigh handing it over
BLOCKS_WAITING = 3  # with the two beside each, 8 MiB per upload; four each are no faster and cost 5 MiB more
HURRIED_SECONDS = 1.0  # a connection this silent is taken for dead when another request waits for what it holds

Result = TypeVar("Result")


class BodyPipe:
    """
    A bounded queue with an asynchronous end that puts and a blocking end that iterates.

    The putting end closes it with `end` or `fail`; the iterating end leaves with `abandon`, after which blocks that are
    put are dropped.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, depth: int = BLOCKS_WAITING) -> None:
        self._loop = loop
        self._depth = depth
        self._blocks: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._room: asyncio.Event = asyncio.Event()
        self._room.set()
        self._ended = False
        self._error: TarkeepError | Problem | None = None
        self.abandoned = False

    async def put(self, block: bytes) -> None:
        """Queue *block*, waiting while the queue is full."""
        await self._room.wait()
        with self._changed:
            if self.abandoned:
                return
            self._blocks.append(block)
            if len(self._blocks) >= self._depth:
                self._room.clear()
            self._changed.notify()

    def end(self) -> None:
        """Mark the body as complete."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def fail(self, error: TarkeepError | Problem) -> None:
        """Raise *error* at the iterating end, after the queued blocks: a resumable upload keeps those."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def abandon(self) -> None:
        """Stop taking blocks."""
        with self._changed:
            self.abandoned = True
            self._blocks.clear()
        self._make_room()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                while not (self._blocks or self._ended or self._error):
                    self._changed.wait()
                if not self._blocks:
                    if self._error is not None:
                        raise self._error
                    return
                was_full = len(self._blocks) >= self._depth
                block = self._blocks.popleft()
            if was_full:
                self._make_room()
            yield block

    def _make_room(self) -> None:
        self._loop.call_soon_threadsafe(self._room.set)


@frozen
class MinimumRate:
    """The lowest rate accepted: *bytes_per_second*, averaged over any *window_seconds* of waiting for the client."""

    bytes_per_second: int
    window_seconds: float


class Patience:
    """
    How long a client may pause, and how slowly it may send.

    The pause is shorter once another request waits for what it holds. Only time in which the server waits for the
    client counts, so a client is never too slow because it had to wait for the server.
    """

    def __init__(self, seconds: float, slowest: MinimumRate) -> None:
        self.seconds = seconds
        self.is_hurried = False
        self._slowest = slowest
        self._waited_seconds = 0.0  # in the current window, and the bytes that arrived in it
        self._came_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.Timeout | None = None

    def note(self, count_bytes: int) -> None:
        """
        Count bytes that arrived.

        Raises:
            Problem: too few arrived in the time spent waiting.
        """
        self._came_bytes += count_bytes
        if self._waited_seconds < self._slowest.window_seconds:
            return
        if self._came_bytes < self._slowest.bytes_per_second * self._waited_seconds:
            detail = (
                f"only {counted(self._came_bytes, 'byte')} of the body came in {self._waited_seconds:.0f} s, the least "
                f"is {self._slowest.bytes_per_second} bytes/s (setting min_body_rate)"
            )
            raise Problem(408, "request-timeout", detail)
        self._waited_seconds = 0.0
        self._came_bytes = 0

    def hurry(self) -> None:
        """Reduce the pause that the client may make to a moment. For any thread."""
        with suppress(RuntimeError):  # the loop has ended, and with it the request
            self._loop.call_soon_threadsafe(self._hurry)

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """A context around waiting for the client; raises TimeoutError when that lasts too long."""
        began = self._loop.time()
        async with asyncio.timeout(self.seconds) as self._pause:
            yield
        self._waited_seconds += self._loop.time() - began

    def _hurry(self) -> None:
        self.is_hurried = True
        self.seconds = min(self.seconds, HURRIED_SECONDS)
        if self._pause is not None and not self._pause.expired():
            sooner = self._loop.time() + self.seconds
            when = self._pause.when()
            if when is None or when > sooner:
                with suppress(RuntimeError):  # this pause is over, the next one begins hurried
                    self._pause.reschedule(sooner)


class Incoming:
    """
    The body of a request as it arrives, read on demand; a client that is too slow is given up.

    It is over when it is complete, or when `error` says why no more will arrive.
    """

    def __init__(self, receive: Receive, patience: Patience) -> None:
        self.error: TarkeepError | Problem | None = None
        self.is_over = False
        self._receive = receive
        self._patience = patience
        self._chunks: list[bytes] = []
        self._held_bytes = 0
        self._received_bytes = 0

    async def wait_for(self, count_bytes: int) -> None:
        """Read until that many bytes are held, or it is over."""
        while self._held_bytes < count_bytes and not self.is_over:
            await self._read()

    def take(self) -> bytes:
        """All bytes held."""
        chunks, self._chunks, self._held_bytes = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def is_lost(self) -> bool:
        """Whether it is over and holds no bytes."""
        return self.error is not None and not self._received_bytes

    @property
    def is_whole(self) -> bool:
        """Whether it arrived completely."""
        return self.is_over and self.error is None

    async def _read(self) -> None:
        message: Message = {"type": "http.disconnect"}
        try:
            async with self._patience.pause():
                message = await self._receive()
        except TimeoutError:
            if not self._patience.is_hurried:
                detail = f"no byte of the body came for {self._patience.seconds:g} s"
                self.error = Problem(408, "request-timeout", detail)
        chunk: bytes = message.get("body", b"")
        if chunk:
            self._chunks.append(chunk)
            self._held_bytes += len(chunk)
            self._received_bytes += len(chunk)
        more = message.get("more_body", False)
        if more:
            try:
                self._patience.note(len(chunk))
            except Problem as too_slow:
                self.error = too_slow
        elif message["type"] == "http.disconnect":
            self.error = self.error or UploadInterrupted(self._received_bytes)
        self.is_over = self.error is not None or not more


async def with_body(incoming: Incoming, work: Callable[[Iterator[bytes]], Result], *, executor: Executor) -> Result:
    """
    Run *work* in a thread of *executor* on the blocks of *incoming*, and return its result.

    Raises:
        Problem: the client paused for longer than is allowed, or sent too slowly.
        UploadInterrupted: the client disconnected.
        Any error of *work*; the rest of the body is then left unread.
    """
    if incoming.is_whole:
        blocks = filter(None, (incoming.take(),))
        return await asyncio.get_running_loop().run_in_executor(executor, work, blocks)
    pipe = BodyPipe(asyncio.get_running_loop())

    def run() -> Result:
        try:
            return work(iter(pipe))
        finally:
            pipe.abandon()

    running = asyncio.get_running_loop().run_in_executor(executor, run)
    pumping = asyncio.create_task(_pump(incoming, pipe))
    try:
        # whichever ends first: a client gets a refusal without having to send another byte
        await asyncio.wait((running, pumping), return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
            pipe.end()
    except (TarkeepError, Problem) as error:
        pipe.fail(error)
    except BaseException:  # the server stops, or failed: the thread must not wait for blocks that will never arrive
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # retrieve an unhandled error
        pipe.fail(UploadInterrupted(0))
        raise
    finally:
        pumping.cancel()
    return await running


async def _pump(incoming: Incoming, pipe: BodyPipe) -> None:
    while not pipe.abandoned:
        await incoming.wait_for(BLOCK_BYTES)
        block = incoming.take()
        if block:
            await pipe.put(block)
        if incoming.error is not None:
            raise incoming.error
        if incoming.is_over:
            return
