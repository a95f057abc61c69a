"""Answers that are made while they are sent: how far they run ahead of who reads them, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from attrs import define, field
from starlette.types import Message

from tarkeep.domain.errors import ArchiveCorrupt
from tarkeep.entrypoints.http.download import AT_ONCE_BYTES, QUICK_SECONDS, StreamedResponse
from tests.support.archives import make_archive

BLOCK = bytes(AT_ONCE_BYTES // 4)


@define
class Reader:
    """
    The other end of a response: it takes what is sent at once, or once `slow_seconds` have passed on the loop's clock.

    As uvicorn does, it makes the server wait before the next message, not after the one that it has no room for.
    """

    loop: asyncio.AbstractEventLoop
    slow_seconds: float = 0.0
    made: int = 0
    taken: int = 0
    furthest_ahead: int = 0
    is_over: bool = False
    _waits: bool = field(default=False, init=False)

    @contextmanager
    def blocks(self, count: int, error: Exception | None = None) -> Iterator[Iterator[bytes]]:
        def make() -> Iterator[bytes]:
            for _ in range(count):
                self.made += 1
                self.furthest_ahead = max(self.furthest_ahead, self.made - self.taken)
                yield BLOCK
            if error is not None:
                raise error

        yield make()

    async def send(self, message: Message) -> None:
        if self._waits:
            await asyncio.sleep(self.slow_seconds)
            self.taken += 1
            self._waits = False
        if message.get("body"):
            self._waits = self.slow_seconds > 0
            self.taken += not self._waits
        self.is_over = message["type"] == "http.response.body" and not message["more_body"]

    async def receive(self) -> Message:
        return await asyncio.Future()


async def answered(reader: Reader, count: int, error: Exception | None = None) -> None:
    with ThreadPoolExecutor(1) as executor:
        response = StreamedResponse(reader.blocks(count, error), executor, "application/gzip")
        await response({"type": "http"}, reader.receive, reader.send)


def test_of_who_reads_slowly_no_block_is_made_before_the_one_before_is_taken() -> None:
    """After the first few, which are made before anybody knows."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop(), slow_seconds=QUICK_SECONDS * 1.2)
        await answered(reader, 5)
        return reader

    reader = asyncio.run(run())

    assert (reader.made, reader.is_over) == (5, True)
    assert reader.furthest_ahead == 1


def test_of_who_reads_quickly_several_blocks_are_made_at_once_and_no_more() -> None:
    """As many as are worth the change of threads."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop())
        await answered(reader, 100)
        return reader

    reader = asyncio.run(run())

    assert (reader.made, reader.taken, reader.is_over) == (100, 100, True)
    assert reader.furthest_ahead == 4


def test_an_error_in_the_middle_leaves_the_answer_without_an_end() -> None:
    """What came before it may have been sent; the server then cuts the connection."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop())
        with pytest.raises(ArchiveCorrupt):
            await answered(reader, 10, ArchiveCorrupt(make_archive().id))
        return reader

    reader = asyncio.run(run())

    assert not reader.is_over
