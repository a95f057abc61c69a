"""The bridge from the event loop to the thread of a use case: whatever happens at one end is known at the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from starlette.types import Message, Receive

from tarkeep.domain.errors import UploadInterrupted
from tarkeep.entrypoints.http.body import Patience, Result, with_body


async def received(receive: Receive, work: Callable[[Iterator[bytes]], Result], executor: Executor) -> Result:
    return await with_body(receive, work, executor=executor, patience=Patience(60))


def test_a_body_that_cannot_be_read_ends_the_work_too() -> None:
    """A fault of the server while reading must not leave a thread waiting for blocks that never come."""
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
