"""Answers that are made while they are sent: how far they run ahead of their reader, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from attrs import define, field
from starlette.testclient import TestClient
from starlette.types import Message

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import ListedPage
from tarkeep.entrypoints.http.answers.download import AT_ONCE_BYTES, CUT, QUICK_SECONDS, StreamedResponse
from tarkeep.entrypoints.http.app import create_app
from tests.support.archives import make_archive
from tests.support.assembled import InMemory

BLOCK = bytes(AT_ONCE_BYTES // 4)


@define
class Reader:
    """
    The other end of a response: it takes each message at once, or after `slow_seconds` on the loop's clock.

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
    """Except the first few, which are made before the reader's speed is known."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop(), slow_seconds=QUICK_SECONDS * 1.2)
        await answered(reader, 5)
        return reader

    reader = asyncio.run(run())

    assert (reader.made, reader.is_over) == (5, True)
    assert reader.furthest_ahead == 1


def test_of_who_reads_quickly_several_blocks_are_made_at_once_and_no_more() -> None:
    """As many as are worth a switch of threads."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop())
        await answered(reader, 100)
        return reader

    reader = asyncio.run(run())

    assert (reader.made, reader.taken, reader.is_over) == (100, 100, True)
    assert reader.furthest_ahead == 4


def test_an_error_in_the_middle_leaves_the_answer_without_an_end() -> None:
    """Earlier blocks may have been sent; the server then cuts the connection."""

    async def run() -> Reader:
        reader = Reader(asyncio.get_running_loop())
        with pytest.raises(ArchiveCorrupt):
            await answered(reader, 10, ArchiveCorrupt(make_archive().id))
        return reader

    reader = asyncio.run(run())

    assert not reader.is_over


# -- lists -----------------------------------------------------------------------------------------------------------


class FailingCatalog(MemoryCatalog):
    """It gives the first *whole* pages of a list, and fails at the next."""

    def __init__(self, whole: int) -> None:
        super().__init__()
        self.whole = whole

    def listed(self, **asked: Any) -> ListedPage:
        if not self.whole:
            raise BackendUnavailable("catalog")
        self.whole -= 1
        return super().listed(**asked)


@pytest.mark.parametrize("path", ["/list", "/list/FULL"])
def test_a_list_that_cannot_be_finished_has_no_end(path: str) -> None:
    """Its first page has been sent by then, and the client must not take that for the whole list."""
    messages, cut = asked_of(FailingCatalog(1), path)

    assert messages[0]["status"] == 200
    assert b'"999.tar.gz"' in b"".join(message.get("body", b"") for message in messages)
    assert all(message["more_body"] for message in messages[1:])
    assert cut == [True]


@pytest.mark.parametrize("path", ["/list", "/list/FULL"])
def test_a_list_that_cannot_be_begun_is_refused(path: str) -> None:
    """Like any request while the catalog is unavailable."""
    messages, cut = asked_of(FailingCatalog(0), path)

    assert messages[0]["status"] == 503
    assert cut == []


def asked_of(catalog: MemoryCatalog, path: str) -> tuple[list[Message], list[bool]]:
    """The messages sent for a request of *path* with 1,500 archives in *catalog*, and whether it was cut off."""
    catalog.adopt([make_archive(f"{number}.tar.gz") for number in range(1500)])
    messages: list[Message] = []
    cut: list[bool] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return await asyncio.Future()

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }
    scope |= {"headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "http_version": "1.1"}
    scope[CUT] = lambda: cut.append(True)
    with closing(create_app(InMemory(catalog=catalog).tarkeep)) as app:
        asyncio.run(app(scope, receive, send))
    return messages, cut


@pytest.mark.parametrize("path", ["/list", "/list/INC", "/list?type=inc", "/list?profile=web"])
def test_a_long_list_is_one_json_text(path: str) -> None:
    """With several pages in some types and none in others; a HEAD has no body."""
    memory = InMemory()
    memory.catalog.adopt(
        [
            make_archive(f"{number}.tar.gz", profile=profile, type=type)
            for type in (BackupType.FULL, BackupType.INC)
            for profile, count in (("web", 1200), ("db", 900))
            for number in range(count)
        ]
    )
    with closing(create_app(memory.tarkeep)) as app, TestClient(app, "http://127.0.0.1") as client:
        answer, head = client.get(path), client.head(path)

    told = answer.json()
    lists = told["backups"] if isinstance(told["backups"], dict) else {"INC": told["backups"]}
    wanted = {"web"} if "web" in path else {"web", "db"}
    for type in lists:
        is_asked = type != "DIFF" and ("inc" not in path.lower() or type == "INC")
        count = sum({"web": 1200, "db": 900}[profile] for profile in wanted) if is_asked else 0
        assert len({(archive["profile"], archive["name"]) for archive in lists[type]}) == len(lists[type]) == count
        assert all(archive["type"] == type and archive["profile"] in wanted for archive in lists[type])
    assert told.get("total_count", told.get("count")) == sum(map(len, lists.values()))
    assert answer.content.endswith(b"}\n")
    assert (head.status_code, head.content) == (200, b"")
