"""The bridge from the event loop to the thread of a use case: an event at one end is known at the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from starlette.types import Message, Receive

from tarkeep.domain.errors.content import UploadInterrupted
from tarkeep.entrypoints.http.answers.problems import Problem
from tarkeep.entrypoints.http.edge.body import Incoming, MinimumRate, Patience, Result, with_body

SLOWEST = MinimumRate(bytes_per_second=100, window_seconds=20)


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop with a simulated clock."""

    skipped_seconds = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_seconds


async def received(receive: Receive, work: Callable[[Iterator[bytes]], Result], executor: Executor) -> Result:
    return await with_body(Incoming(receive, Patience(60, SLOWEST)), work, executor=executor)


def received_at_intervals(chunks: Sequence[tuple[float, int]]) -> bytes:
    """The body made of chunks, each given by the seconds since the one before and its size in bytes."""
    loop = SkippingLoop()
    coming = iter(chunks)
    left = len(chunks)

    async def receive() -> Message:
        nonlocal left
        seconds, size = next(coming)
        left -= 1
        loop.skipped_seconds += seconds
        return {"type": "http.request", "body": b"x" * size, "more_body": left > 0}

    with asyncio.Runner(loop_factory=lambda: loop) as runner, ThreadPoolExecutor(1) as executor:
        return runner.run(received(receive, b"".join, executor))


def test_a_body_that_cannot_be_read_ends_the_work_too() -> None:
    """A fault of the server while reading must not leave a thread waiting for blocks that never arrive."""
    ended = threading.Event()

    def work(blocks: Iterator[bytes]) -> None:
        try:
            list(blocks)
        except UploadInterrupted:
            ended.set()
            raise

    async def receive() -> Message:
        raise RuntimeError("a fault")

    executor = ThreadPoolExecutor(1)
    with pytest.raises(RuntimeError, match="a fault"):
        asyncio.run(received(receive, work, executor))

    assert ended.wait(30)
    executor.shutdown()


def test_blocks_come_out_as_they_went_in() -> None:
    """Many small messages, more than the queue holds, in order and complete."""
    messages: list[Message] = [
        {"type": "http.request", "body": bytes([number]) * 700_000, "more_body": number < 19} for number in range(20)
    ]
    content = b"".join(message["body"] for message in messages)

    async def receive() -> Message:
        return messages.pop(0)

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(asyncio.wait_for(received(receive, b"".join, executor), 60)) == content


def test_a_body_that_trickles_is_given_up() -> None:
    """A byte every five seconds is never silent for long, and yet the body is ended when the first window is over."""
    with pytest.raises(Problem, match=r"only 4 bytes of the body came in 20 s, the least is 100 bytes/s") as given_up:
        received_at_intervals([(5.1, 1)] * 100)

    assert (given_up.value.status, given_up.value.code) == (408, "request-timeout")


def test_a_body_that_came_fast_may_not_trickle_afterwards() -> None:
    """Bytes in earlier windows are no credit for later ones."""
    with pytest.raises(Problem, match=r"only [45] bytes"):
        received_at_intervals([(1, 1_000_000)] * 30 + [(5, 1)] * 100)


@pytest.mark.parametrize(
    "chunks",
    [
        [(1.0, 110)] * 300,
        [(19.0, 1)] + [(1.0, 3000), (25.0, 3000)] * 10,
        [(5.0, 1)] * 3,
        [(0.0, 1)] * 2000,
    ],
    ids=["just fast enough", "long pauses", "over before the window is", "single bytes, quickly"],
)
def test_a_slow_but_honest_body_is_taken(chunks: list[tuple[float, int]]) -> None:
    """A client that sends at the lowest accepted rate, in any pieces, succeeds."""
    assert len(received_at_intervals(chunks)) == sum(size for _, size in chunks)
