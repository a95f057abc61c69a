"""Every error that a client can get has its status and code, reveals no secret, and closes a request not fully read."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from tarkeep.adapters.filesystem.archive_sums import MemorySums
from tarkeep.adapters.filesystem.seek_indexes import MemorySeekIndexes
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.memory.sessions import MemorySessionTable
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.arrival_table import MemoryArrivalTable
from tarkeep.adapters.memory.upkeep.scrub_table import MemoryScrubTable
from tarkeep.adapters.memory.upkeep.status_table import MemoryStatusTable
from tarkeep.adapters.memory.upkeep.usage_table import MemoryUsageTable
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.adapters.process.clock_and_ids import RandomIds, SystemClock
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.adapters.process.name_locks import ProcessNameLocks
from tarkeep.adapters.process.upload_locks import ProcessUploadLocks
from tarkeep.adapters.targz.gzip_writer import gzipped
from tarkeep.adapters.targz.inspector import TargzInspector
from tarkeep.adapters.targz.unpacker import TargzUnpacker
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.store import ArchiveStore
from tarkeep.domain.ports.system import NameLocks
from tarkeep.entrypoints import http
from tarkeep.entrypoints.http.answers import problems
from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.jobs import ScrubPlan
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep, assemble, reading
from tests.entrypoints.http.answers.error_rows import (
    FAULT_ROWS,
    GOOD,
    OPTIONS,
    PLACE,
    PUT_NEW,
    ROWS,
    STORED,
    STORED_PLACE,
    FaultRow,
    Row,
    put_stored,
)
from tests.support.assembled import figures_of
from tests.support.faulty import Fault, FaultyCatalog, FaultyStore, NamesAlwaysHeld
from tests.support.raw_http import Answer, parse_answers, receive_to_end, request
from tests.support.server import LiveServer, in_process, live_server

SECRET = re.compile(r"Traceback|\.py\b|SELECT|INSERT|sqlite|/srv|/tmp|/archives/|staging|0x[0-9a-f]{6,}")
# covered by tests of this file that are not rows of a table; the last ones by test_resumable_uploads, _access, _quotas
# and test_retention, test_jobs and test_drills
ALSO_HERE = {
    (500, "archive-corrupt"),
    (400, "upload-interrupted"),
    (409, "name-conflict"),
    (503, "shutting-down"),
    (423, "upload-locked"),
    (401, "unauthorized"),
    (507, "quota-exceeded"),
    (403, "insufficient-scope"),
    (409, "plan-changed"),
    (409, "prune-paused"),
    (409, "not-in-trash"),
    (409, "locked"),
    (409, "marks-unreadable"),
    (409, "hold-exists"),
    (409, "over-already"),
    (409, "job-running"),
    (409, "no-policy"),
    (409, "too-long"),
    (410, "removed"),
    (422, "report-invalid"),
    (503, "evidence-not-written"),
}
# Starlette raises only 404 and 405 for our routes; this is for other HTTPExceptions that a later version may raise
NEVER_MET = {"bad-request"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A real server with small limits and little patience, and a few archives in it."""
    with live_server(tmp_path_factory.mktemp("strict") / "data", *OPTIONS) as server:
        put_stored(server.host_and_port)
        yield server


def seen(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


def check(answer: Answer, status: int, code: str) -> dict[str, object]:
    """The members of an answer that must be a problem of *status* and *code*, whole and without secrets."""
    assert answer.headers["content-type"] == "application/problem+json"
    members = answer.problem
    assert (answer.status, members["code"]) == (status, code), members
    assert members["type"] == "about:blank"
    assert members["status"] == status
    assert members["title"] == ("Error" if status == 460 else HTTPStatus(status).phrase)  # which tus made up
    assert isinstance(members["detail"], str)
    assert members["detail"]
    assert members["error"] == members["detail"]
    assert members["request_id"] == answer.headers.get("x-request-id", "")
    assert not SECRET.search(answer.body.decode()), members
    assert "server" not in answer.headers
    return members


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}: {row.what}")
def test_each_error_on_the_wire(strict: LiveServer, row: Row) -> None:
    """Status, code, form, extras, headers and the fate of the connection are those of the table."""
    answer = row.ask(strict.host_and_port)

    members = check(answer, row.status, row.code)
    assert row.closes is None or answer.closes == row.closes
    assert set(row.members) <= members.keys()
    assert set(row.headers) <= answer.headers.keys()


def test_the_server_survives_its_table(strict: LiveServer) -> None:
    """After errors of every kind it still stores, nothing is left in staging, and its log shows no bug."""
    quick = [row for row in ROWS if row.status not in (408, 413)]
    for row in quick:
        row.ask(strict.host_and_port)
    with strict.client() as client:
        answer = client.put(PLACE + "after-all.tar.gz", content=GOOD)

    assert answer.status_code in (200, 201)
    assert [path for path in (strict.data / "staging").iterdir() if path.suffix != ".upload"] == []
    assert "Traceback" not in strict.log.read_text()


def tarkeep_over(
    store: ArchiveStore | None = None, catalog: Catalog | None = None, names: NameLocks | None = None
) -> Tarkeep:
    store = store or MemoryArchiveStore()
    catalog = catalog or MemoryCatalog()
    hasher = HashlibHasher()
    read = reading(store, catalog, hasher, MemorySums())
    return assemble(
        store=store,
        catalog=catalog,
        hasher=hasher,
        read=read,
        inspector=TargzInspector(),
        looking=TargzInspector(),
        records=MemoryMemberRecords(),
        clock=SystemClock(),
        ids=RandomIds(),
        names=names or ProcessNameLocks(),
        scrub_plan=ScrubPlan(MemoryScrubTable(list)),
        figures=figures_of(catalog),
        statuses=MemoryStatusTable(dict),
        browsers=MemorySessionTable(),
        arrived=MemoryArrivalTable(),
        used=MemoryUsageTable(),
        max_bytes=1 << 20,
        sessions=MemoryUploadSessions(),
        upload_locks=ProcessUploadLocks(),
        unpacker=TargzUnpacker(partial(read, sums_first=True), MemorySeekIndexes()),
        pack=gzipped,
        token_store=None,
    )


def faulty(fault: Fault, part: str) -> Tarkeep:
    if part == "store":
        return tarkeep_over(store=FaultyStore(fault=fault))
    return tarkeep_over(catalog=FaultyCatalog(fault))


@pytest.mark.parametrize("row", FAULT_ROWS, ids=lambda row: f"{row.code}: {row.fault.call}")
def test_each_error_of_a_failing_adapter(row: FaultRow) -> None:
    """An adapter's error gets its own status and code, and 503 says when to come back."""
    with (
        closing(create_app(faulty(row.fault, row.part))) as app,
        TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client,
    ):
        client.put(STORED_PLACE, content=STORED)
        answer = seen(client.request(row.method, row.target, content=GOOD if row.method == "PUT" else None))

    check(answer, row.status, row.code)
    assert ("retry-after" in answer.headers) == (row.status == 503)


def test_a_name_that_is_being_received_is_a_conflict_for_now() -> None:
    """409 with Retry-After if another upload of the name does not end."""
    with (
        closing(create_app(tarkeep_over(names=NamesAlwaysHeld()))) as app,
        TestClient(app, "http://127.0.0.1") as client,
    ):
        answer = seen(client.request(*PUT_NEW, content=GOOD))

    check(answer, 409, "name-conflict")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("harm", ["cut", "grown", "deleted"])
@pytest.mark.parametrize("path", [STORED_PLACE, "/download/FULL/stored.tar.gz"])
def test_stored_bytes_that_changed_are_told_and_repaired(tmp_path: Path, harm: str, path: str) -> None:
    """A file that lost or gained bytes or is gone is 500 archive-corrupt, and the same upload again repairs it."""
    with in_process(StorageSettings(data=tmp_path / "data")) as (client, _):
        client.put(STORED_PLACE, content=STORED)
        (file,) = tmp_path.rglob("stored.tar.gz")
        if harm == "deleted":
            file.unlink()
        else:
            os.truncate(file, len(STORED) + (5 if harm == "grown" else -5))

        first, head = seen(client.get(path)), client.head(path)
        ranged = client.get(path, headers={"Range": "bytes=0-3"})
        state = client.get("/api/v1/archives").json()["archives"][0]["state"]
        repaired = client.put(STORED_PLACE, content=STORED)

        check(first, 500, "archive-corrupt")
        assert (head.status_code, ranged.status_code, state) == (500, 500, "damaged")
        assert (repaired.status_code, repaired.json()["outcome"]) == (200, "repaired")
        assert client.get(path).content == STORED


def test_an_upload_whose_sender_went_away_is_told_to_nobody_else() -> None:
    """The application answers an interrupted upload with a 400 that names it, in case the client still listens."""
    incoming: list[Message] = [
        {"type": "http.request", "body": GOOD[:10], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    place = (PLACE + "cut.tar.gz").encode()
    scope = {"type": "http", "method": "PUT", "path": place.decode(), "raw_path": place, "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost"), (b"content-length", b"100")]}

    async def run() -> None:
        with closing(create_app(tarkeep_over())) as app:
            await app(scope, receive, send)

    asyncio.run(run())

    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["code"] == "upload-interrupted"


def test_an_upload_that_outlives_the_stop_is_told(tmp_path: Path) -> None:
    """A server that is stopped waits its time, then answers 503, ends with 0 and leaves nothing behind."""
    with (
        live_server(tmp_path / "data", "--stop-seconds", "1") as server,
        socket.create_connection(server.host_and_port, timeout=20) as sender,
    ):
        sender.sendall(request("PUT", PLACE + "slow.tar.gz", {"Expect": "100-continue", "Content-Length": "1000"}))
        assert sender.recv(100).startswith(b"HTTP/1.1 100 ")
        status = server.stop()
        (answer,) = parse_answers(receive_to_end(sender))

    assert status == 0
    check(answer, 503, "shutting-down")
    assert "retry-after" in answer.headers
    assert list((server.data / "staging").iterdir()) == []
    assert "Traceback" not in server.log.read_text()


def _literal_problems() -> set[tuple[int | None, str]]:
    """The status (None where computed) and code of every ``Problem(...)`` written in the HTTP package."""
    found = set()
    for file in Path(http.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                status, code = node.args[:2]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    number = status.value if isinstance(status, ast.Constant) else None
                    found.add((number if isinstance(number, int) else None, code.value))
    return found


def test_every_error_the_code_can_answer_with_has_a_row() -> None:
    """No status and code of the table of domain errors, and of no Problem in the HTTP package, goes untested."""
    met = {(row.status, row.code) for row in ROWS} | {(row.status, row.code) for row in FAULT_ROWS} | ALSO_HERE
    codes = {code for _, code in met} | NEVER_MET
    literal = _literal_problems()

    assert len(literal) > 10
    assert set(problems._TABLE.values()) - met == set()
    assert {pair for pair in literal if pair[0] is not None} - met == set()
    assert {code for status, code in literal if status is None} - codes == set()
