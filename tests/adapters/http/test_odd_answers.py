"""Any wrong value in an answer is reported as an invalid answer, and requests come to an end."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tarkeep.adapters.http.chains import HttpChains
from tarkeep.adapters.http.remote import HttpRemote
from tarkeep.domain.errors.client import Refused
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support.remotes import remote_at
from tests.support.stub_server import Answer, StubServer, stub_server

AT = "2026-11-24T02:00:00Z"
FULL = {"type": "FULL", "name": "full_1.tar.gz"}
ID = ArchiveId("laptop", BackupType.FULL, "full_1.tar.gz")
SHA256, MD5 = "ab" * 32, "ab" * 16
ARCHIVE = {
    **FULL,
    "profile": "laptop",
    "size": 10,
    "md5": MD5,
    "sha256": SHA256,
    "received_at": AT,
    "taken_at": AT,
    "kind": "incremental",
    "members": 3,
    "unpacked_size": 30,
    "state": "stored",
}
POINT = {
    **FULL,
    "size": 10,
    "taken_at": AT,
    "received_at": AT,
    "kind": "incremental",
    "state": "stored",
    "restorable": True,
    "fidelity": "exact",
    "evidence": None,
    "link": {"parent": FULL, "evidence": "proven", "reason": "it is full"},
    "length": 1,
    "path_size": 10,
    "has_snapshot": True,
    "obstacles": [{"code": "damaged", "detail": "its bytes are wrong", "archive": FULL}],
    "doubts": [],
    "notes": ["one"],
}
STEP = {**FULL, "size": 10, "sha256": SHA256, "incremental": True}
PLAN = {
    "point": FULL,
    "taken_at": AT,
    "fidelity": "exact",
    "evidence": None,
    "size": 10,
    "steps": [STEP],
    "sound": True,
    "warnings": [],
}
ENTRY = {
    "path": "a",
    "type": "file",
    "size": 1,
    "mtime": AT,
    "mode": "0644",
    "uid": 0,
    "gid": 0,
    "uname": "root",
    "gname": "root",
    "link": None,
    "archive": FULL,
}
TYPES = {
    type.value: {
        "local_count": 0,
        "remote_count": 0,
        **{name: ["a"] for name in ("synced", "missing_remote", "extra_remote", "differing", "unverified", "damaged")},
    }
    for type in BackupType
}
DOUBT = {"code": "late", "detail": "it is late", "archive": FULL}
DETAIL = {"fidelity": "exact", "obstacles": [], "doubts": [DOUBT], "not_archived": {"count": 1, "names": ["a"]}}
VERSION = {"archive": FULL, "taken_at": AT, "event": "new", "type": "file", "size": 1, "mtime": AT, "renamed_to": "b"}
BASE = {"parent": FULL, "taken_at": AT, "snapshot": {"sha256": SHA256}, "chain_length": 1}
HELD = {"FULL": {"archives": 1, "size": 10, "newest": AT}}
FACTS = {"max_upload_bytes": None, "max_unpacked_bytes": 5, "scopes": ["push"]}


def remote(chains: HttpChains) -> HttpRemote:
    """A remote store on the same connection."""
    return HttpRemote(chains.connection)


Ask = Callable[[HttpChains], object]
ASKED: dict[str, tuple[dict[str, Any], Ask]] = {
    "points": ({"points": [POINT], "next_cursor": None}, lambda to: to.points("laptop")),
    "detail": (DETAIL, lambda to: to.detail(ID)),
    "base": (BASE, lambda to: to.base("laptop", BackupType.INC)),
    "plan": (PLAN, lambda to: to.plan("laptop", "latest")),
    "tree": ({"entries": [ENTRY], "next_cursor": None}, lambda to: list(to.tree("laptop", "latest"))),
    "find": ({"entries": [ENTRY], "next_cursor": None}, lambda to: list(to.find("laptop", "latest", "a"))),
    "history": ({"versions": [VERSION]}, lambda to: to.history("laptop", b"a")),
    "archives": ({"archives": [ARCHIVE], "next_cursor": None}, lambda to: list(HttpRemote(to.connection).archives())),
    "verify": ({"types": TYPES}, lambda to: remote(to).verify("laptop", [])),
    "totals": ({"profiles": [{"profile": "laptop", "types": HELD}]}, lambda to: remote(to).totals()),
    "facts": (FACTS, lambda to: remote(to).facts("laptop")),
    "progress": (
        {"offset": 10, "archive": ARCHIVE},
        lambda to: remote(to).upload_progress("/api/v1/uploads/1"),
    ),
}
ODD: tuple[Any, ...] = ("", "x", "\ud800", "\\", "../..", -1, 2**70, 1.5, True, None, [], [None], [[]], {}, {"a": 1})
DEEP = b"[" * 200_000
NO_TIMES = ("0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "2026-11-24T02:00:00", "yesterday")


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with stub_server(Answer(200)) as stub:
        yield stub


@pytest.fixture
def chains(stub: StubServer) -> Iterator[HttpChains]:
    with remote_at(stub.url) as remote:
        yield HttpChains(remote.connection)


def variants(told: Any) -> Iterator[Any]:
    """*told* with each of its values, at any depth, removed or replaced by each odd one."""
    inside = list(told.items()) if isinstance(told, dict) else list(enumerate(told)) if isinstance(told, list) else []
    for at, value in inside:
        for odd in (*ODD, *(NO_TIMES if value == AT else ())):
            changed = told.copy()
            changed[at] = odd
            yield changed
        if isinstance(told, dict):
            yield {name: kept for name, kept in told.items() if name != at}
        for deeper in variants(value):
            changed = told.copy()
            changed[at] = deeper
            yield changed


@pytest.mark.parametrize("what", ASKED)
def test_no_value_in_an_answer_is_met_later_by_somebody_else(stub: StubServer, chains: HttpChains, what: str) -> None:
    """It is parsed, or refused in one sentence that names the request; no other error escapes."""
    whole, ask = ASKED[what]
    stub.answer = Answer(200, json.dumps(whole).encode())
    ask(chains)
    refused = list[str]()

    for told in variants(whole):
        stub.answer = Answer(200, json.dumps(told).encode())
        stub.first.clear()
        try:
            ask(chains)
        except Refused as error:
            refused.append(error.detail)
    assert len(refused) > 10
    sentence = re.compile(r"the answer to /api/v1[^ ]* is not what it should be: it .+; is (.*) a Tarkeep server\?")
    assert {match[1] if (match := sentence.fullmatch(said)) else said for said in refused} == {stub.url}


@pytest.mark.parametrize("body", [DEEP, b'{"a":' * 100_000, b"", b"null", b"9" * 5000, b"\xff", b"<html>"])
@pytest.mark.parametrize("status", [200, 404, 409, 503])
def test_what_is_no_answer_at_all_is_told(stub: StubServer, chains: HttpChains, body: bytes, status: int) -> None:
    """With any status; even if it is nested deeper than any parser allows."""
    stub.answer = Answer(status, body, {"Retry-After": "9" * 400})
    for what, (_, ask) in ASKED.items():
        if (what, status) == ("facts", 404):  # an older server
            continue
        with pytest.raises(TarkeepError) as error:
            ask(chains)
        assert isinstance(error.value, Refused)
        assert error.value.pause_seconds is None
        assert error.value.is_transient is (status == 503)


@pytest.mark.parametrize(
    "problem",
    [
        {"status": 409, "code": "offset-mismatch", "upload_offset": "x"},
        {"status": 409, "code": "offset-mismatch"},
        {"status": 409, "code": "parent-mismatch", "expected": [1]},
        {"status": 409, "code": "not-restorable", "obstacles": 5},
        {"status": 409, "code": "not-restorable", "obstacles": [{"archive": {}}], "nearest": [1]},
        {"status": 409, "code": ["x"]},
    ],
)
def test_an_odd_refusal_is_told_as_well(stub: StubServer, chains: HttpChains, problem: dict[str, Any]) -> None:
    """Of any kind."""
    stub.answer = Answer(problem["status"], json.dumps({"detail": "no", **problem}).encode())
    for ask in (
        lambda: chains.plan("laptop", "latest"),
        lambda: remote(chains).upload_progress("/api/v1/uploads/1"),
    ):
        with pytest.raises(Refused, match="a Tarkeep server"):
            ask()


@pytest.mark.parametrize("what", ["points", "tree", "find", "archives"])
@pytest.mark.parametrize("how", ["the same", "in turns", "empty for ever"])
def test_pages_end(stub: StubServer, chains: HttpChains, what: str, how: str) -> None:
    """If a cursor is repeated, and if pages stay empty."""
    whole, ask = ASKED[what]
    (name,) = (name for name in whole if name != "next_cursor")
    cursors = {"the same": ["a"] * 9, "in turns": ["a", "b"] * 9, "empty for ever": list(map(str, range(2000)))}[how]
    entries = [] if how == "empty for ever" else whole[name]
    stub.first = [Answer(200, json.dumps({name: entries, "next_cursor": cursor}).encode()) for cursor in cursors]

    with pytest.raises(Refused, match="pages without end"):
        ask(chains)


def test_pages_that_end_are_read_to_their_end(stub: StubServer, chains: HttpChains) -> None:
    """Even with some empty ones, from a server that searches for what a token may see."""
    pages = itertools.chain([[POINT]], [[]] * 20, [[POINT]])
    stub.first = [
        Answer(200, json.dumps({"points": points, "next_cursor": f"after {number}"}).encode())
        for number, points in enumerate(pages)
    ]
    stub.answer = Answer(200, json.dumps({"points": [POINT], "next_cursor": None}).encode())

    assert len(chains.points("laptop")) == 3
