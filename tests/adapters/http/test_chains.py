"""A server's answers about chains, parsed as in the contract; and the requests for them, to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from attrs import astuple, frozen

from tarkeep.adapters.http.chains import HttpChains
from tarkeep.adapters.http.remote import HttpRemote
from tarkeep.domain.archives.archive import Lineage
from tarkeep.domain.client.ports.chains import (
    Base,
    PointDetail,
    RemoteTreeEntry,
    RemoteVersion,
    RestoreStep,
    StoredPoint,
)
from tarkeep.domain.errors.client import NotRestorable, ParentMoved, Refused, RemoteNotFound, ServerUnreachable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.contracts.client.remote_chains import RemoteChainsContract
from tests.support.remotes import remote_at
from tests.support.stub_server import Answer, StubServer, stub_server

FULL = ArchiveId("laptop", BackupType.FULL, "full_1.tar.gz")
INC = ArchiveId("laptop", BackupType.INC, "inc 2.tar.gz")
FULL_REF = {"type": "FULL", "name": "full_1.tar.gz"}
INC_REF = {"type": "INC", "name": "inc 2.tar.gz"}
AT = "2026-11-24T02:00:00Z"
MOMENT = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
SHA256 = "ab" * 32


class TestHttpChains(RemoteChainsContract):
    """With a real server behind it."""


@frozen
class Asked:
    """A stub server, and the adapter that talks to it."""

    stub: StubServer
    chains: HttpChains

    @property
    def remote(self) -> HttpRemote:
        return HttpRemote(self.chains.connection)


@pytest.fixture
def asked() -> Iterator[Asked]:
    with stub_server(Answer(200)) as stub, remote_at(stub.url) as remote:
        yield Asked(stub, HttpChains(remote.connection))


def fields_of(error: TarkeepError) -> tuple[object, ...]:
    """The fields of *error*: two errors are never equal."""
    return astuple(error)  # type: ignore[arg-type]  # all but the base are attrs classes


def says(told: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(told).encode())


POINT = {
    **FULL_REF,
    "size": 10,
    "taken_at": AT,
    "received_at": AT,
    "kind": "incremental",
    "state": "stored",
    "restorable": True,
    "fidelity": "exact",
    "evidence": None,
    "link": {"parent": None, "evidence": None, "reason": "it is full"},
    "path": [0],
    "path_size": 10,
    "has_snapshot": True,
    "obstacles": [],
    "doubts": [],
}
SECOND = {
    **POINT,
    **INC_REF,
    "restorable": False,
    "evidence": "proven",
    "link": {"parent": FULL_REF, "evidence": "proven", "reason": "by digest"},
    "path": [0, 1],
    "path_size": 15,
    "has_snapshot": False,
    "obstacles": [{"code": "damaged", "detail": "its bytes are wrong", "archive": FULL_REF}],
    "doubts": [{"code": "other-roots", "detail": "it begins elsewhere"}],
}


def test_points_are_read_as_servers_without_pages_tell_them(asked: Asked) -> None:
    """By the lengths of their paths, and obstacles as sentences."""
    asked.stub.answer = says({"profile": "laptop", "points": [POINT, SECOND]})
    first, second = asked.chains.points("laptop")

    assert asked.stub.lines == ["GET /api/v1/profiles/laptop/points?limit=1000"]
    assert first == StoredPoint(
        FULL,
        10,
        MOMENT,
        MOMENT,
        "incremental",
        "stored",
        True,
        "exact",
        None,
        None,
        None,
        "it is full",
        1,
        10,
        True,
    )
    assert (second.id, second.parent, second.length, second.link_evidence) == (INC, FULL, 2, "proven")
    assert (second.is_restorable, second.has_snapshot, second.path_bytes) == (False, False, 15)
    assert second.obstacles == ("FULL/full_1.tar.gz: its bytes are wrong",)
    assert second.doubts == ("it begins elsewhere",)


def test_points_are_read_page_by_page(asked: Asked) -> None:
    """Until there is no cursor; each has the length of its path."""
    first = {**{name: told for name, told in POINT.items() if name != "path"}, "length": 1}
    asked.stub.first = [
        says({"points": [first], "next_cursor": "there"}),
        says({"points": [{**first, **INC_REF, "length": 2}], "next_cursor": None}),
    ]

    assert [(point.id, point.length) for point in asked.chains.points("laptop")] == [(FULL, 1), (INC, 2)]
    assert asked.stub.lines == [
        "GET /api/v1/profiles/laptop/points?limit=1000",
        "GET /api/v1/profiles/laptop/points?limit=1000&cursor=there",
    ]


def test_a_point_is_told_alone(asked: Asked) -> None:
    """With doubts about itself only, and the names that are in no archive, which an older server does not send."""
    doubts = [
        {"code": "unchanged-in-full", "detail": "names are elsewhere", "archive": FULL_REF},
        {"code": "not-archived", "detail": "2 names are nowhere", "archive": INC_REF},
        {"code": "other-roots", "detail": "it begins elsewhere"},
    ]
    told = {**SECOND, "doubts": doubts}
    asked.stub.first = [
        says({**told, "not_archived": {"count": 12, "names": ["src/x.tmp", r"src/\xff"]}}),
        says({**told, "obstacles": []}),
        says({"code": "not-found", "detail": "no such archive is stored"}, 404),
    ]
    own = (("not-archived", "2 names are nowhere"), ("other-roots", "it begins elsewhere"))

    obstacles = ("FULL/full_1.tar.gz: its bytes are wrong",)
    assert asked.chains.detail(INC) == PointDetail(INC, "exact", obstacles, own, (b"src/x.tmp", b"src/\xff"), 12)
    assert asked.chains.detail(INC) == PointDetail(INC, "exact", (), own)
    with pytest.raises(RemoteNotFound):
        asked.chains.detail(INC)
    assert set(asked.stub.lines) == {"GET /api/v1/profiles/laptop/points/INC/inc%202.tar.gz"}


def test_a_base_is_asked_for_with_its_snapshot(asked: Asked) -> None:
    """None means that a FULL is due."""
    asked.stub.first = [
        says(
            {
                "type": "INC",
                "parent": INC_REF,
                "taken_at": AT,
                "received_at": AT,
                "snapshot": {"sha256": SHA256, "size": 3, "url": "/x"},
                "chain_length": 2,
            }
        ),
        says({"code": "not-found", "detail": "make a FULL"}, 404),
    ]

    assert asked.chains.base("laptop", BackupType.INC) == Base(INC, MOMENT, SHA256, 2)
    assert asked.chains.base("laptop", BackupType.DIFF) is None
    assert asked.stub.lines == [
        "GET /api/v1/profiles/laptop/base?type=INC&snapshot=true",
        "GET /api/v1/profiles/laptop/base?type=DIFF&snapshot=true",
    ]


def test_snapshot_files_come_and_go_as_they_are(asked: Asked) -> None:
    """Byte for byte, at the archive's own address."""
    content = b"GNU tar-1.34-2\n1\x002\x00\xff"
    asked.stub.first = [Answer(200, content, {"Content-Type": "application/octet-stream"})]

    assert asked.chains.snapshot(INC) == content
    asked.chains.put_snapshot(INC, content)
    address = "/api/v1/profiles/laptop/archives/INC/inc%202.tar.gz/snapshot"
    assert asked.stub.lines == [f"GET {address}", f"PUT {address}"]
    assert asked.stub.bodies[1] == content


def test_a_plan_is_read_in_order(asked: Asked) -> None:
    """The requested time is sent as it was given."""
    step = {"size": 10, "sha256": SHA256, "url": "/x"}
    told = {
        "profile": "laptop",
        "at": "2026-11-24 02:00",
        "point": INC_REF,
        "taken_at": AT,
        "fidelity": "overlay",
        "evidence": "inferred",
        "size": 15,
        "steps": [{**FULL_REF, **step, "incremental": True}, {**INC_REF, **step, "incremental": False}],
        "warnings": ["deletions are unknown"],
        "sound": False,
    }
    asked.stub.answer = says(told)
    plan = asked.chains.plan("laptop", "2026-11-24 02:00")

    assert asked.stub.lines == ["GET /api/v1/profiles/laptop/plan?at=2026-11-24+02%3A00&steps=full"]
    assert plan.steps == (RestoreStep(FULL, 10, SHA256, True), RestoreStep(INC, 10, SHA256, False))
    assert (plan.point, plan.taken_at, plan.fidelity, plan.warnings) == (
        INC,
        MOMENT,
        "overlay",
        ("deletions are unknown",),
    )
    assert not plan.is_exact
    assert not plan.is_sound


ENTRY = {
    "type": "file",
    "size": 3,
    "mtime": "2026-11-24T02:00:00.123456789Z",
    "mode": "0644",
    "uid": 1000,
    "gid": 1000,
    "uname": "me",
    "gname": "us",
    "link": "",
    "archive": FULL_REF,
}


def test_a_tree_comes_page_by_page(asked: Asked) -> None:
    """Paths are bytes, times keep their nanoseconds, and the cursor is sent back as it came."""
    asked.stub.first = [
        says({"entries": [{**ENTRY, "name": r"latin-\xe9"}], "next_cursor": "a/b="}),
        says(
            {
                "entries": [
                    {**ENTRY, "name": "x", "type": "symlink", "link": r"\\t", "mtime": "1969-12-31T23:59:59.5Z"}
                ],
                "next_cursor": None,
            }
        ),
    ]
    first, second = asked.chains.tree("laptop", "latest", b"d/\xff")

    assert first == RemoteTreeEntry(
        b"d/\xff/latin-\xe9", "file", 3, 1_795_485_600_123_456_789, 0o644, 1000, 1000, "me", "us", b"", FULL
    )
    assert (second.path, second.link, second.mtime_ns) == (b"d/\xff/x", b"\\t", -500_000_000)
    base = "GET /api/v1/profiles/laptop/tree?at=latest&path=d%2F%5Cxff"
    assert asked.stub.lines == [f"{base}&limit=1000", f"{base}&limit=1000&cursor=a%2Fb%3D"]


def test_a_whole_tree_and_what_was_found_have_paths(asked: Asked) -> None:
    """From the root on."""
    asked.stub.answer = says({"entries": [{**ENTRY, "path": "d/a"}], "next_cursor": None})

    assert [entry.path for entry in asked.chains.tree("laptop", "latest", recursive=True)] == [b"d/a"]
    assert [entry.path for entry in asked.chains.find("laptop", "latest", "*.jpg")] == [b"d/a"]
    assert asked.stub.lines == [
        "GET /api/v1/profiles/laptop/tree?at=latest&path=&recursive=true&limit=1000",
        "GET /api/v1/profiles/laptop/find?at=latest&name=%2A.jpg&limit=1000",
    ]


def test_what_no_archive_tells_of_a_directory_is_unknown(asked: Asked) -> None:
    """Not as the start of the epoch, and not as without permissions."""
    untold = dict.fromkeys(("mode", "uid", "gid", "uname", "gname", "mtime", "link", "archive"))
    told = {**untold, "path": "d", "type": "directory", "size": 0}
    asked.stub.answer = says({"entries": [told], "next_cursor": None})

    [entry] = asked.chains.tree("laptop", "latest")
    assert entry == RemoteTreeEntry(b"d", "directory", 0, None, None, None, None, "", "", b"", None)


def test_a_history_is_read(asked: Asked) -> None:
    """Unknown facts about a version are None."""
    versions = [
        {"archive": FULL_REF, "taken_at": AT, "event": "added", "type": "file", "size": 3, "mtime": AT},
        {"archive": INC_REF, "taken_at": AT, "event": "renamed", "renamed_to": r"b\xff"},
    ]
    asked.stub.answer = says({"profile": "laptop", "path": "a", "versions": versions})

    assert asked.chains.history("laptop", b"a") == [
        RemoteVersion(FULL, MOMENT, "added", "file", 3, 1_795_485_600_000_000_000, None),
        RemoteVersion(INC, MOMENT, "renamed", None, None, None, b"b\xff"),
    ]


def test_one_tar_is_streamed(asked: Asked) -> None:
    """A stream that ends early raises an error."""
    asked.stub.first = [Answer(200, b"tar", {})]
    with asked.chains.restored("laptop", "latest", b"d/a b") as download:
        assert b"".join(download) == b"tar"
    assert asked.stub.lines == ["GET /api/v1/profiles/laptop/restore.tar?at=latest&path=d%2Fa+b"]

    asked.stub.first = [Answer(200, b"tar", {"Content-Length": "1000"})]
    with asked.chains.restored("laptop", "latest", b"d/a b") as download, pytest.raises(ServerUnreachable):
        b"".join(download)


@pytest.mark.parametrize(
    ("status", "told", "error"),
    [
        (
            409,
            {
                "code": "not-restorable",
                "detail": "it cannot be restored",
                "obstacles": [{"code": "damaged", "detail": "wrong bytes", "archive": FULL_REF}, "or so"],
                "nearest": [{**INC_REF, "taken_at": AT}, FULL_REF],
            },
            NotRestorable(
                "then",
                ("FULL/full_1.tar.gz: wrong bytes", "or so"),
                (f"INC/inc 2.tar.gz of {AT}", "FULL/full_1.tar.gz"),
            ),
        ),
        (404, {"code": "not-found", "detail": "no such point"}, RemoteNotFound("not-found", "no such point")),
        (200, {"surprise": 1}, None),
    ],
)
def test_refusals_are_errors_of_their_own(asked: Asked, status: int, told: object, error: TarkeepError | None) -> None:
    """An answer of another shape is reported, too, with no traceback."""
    asked.stub.answer = says(told, status)

    with pytest.raises(Refused if error is None else type(error)) as raised:
        asked.chains.plan("laptop", "latest")
    assert error is None or fields_of(raised.value) == fields_of(error)


def test_a_refusal_in_place_of_a_stream_is_read(asked: Asked) -> None:
    """It is not a tar and not a snapshot file, whatever the answer was meant to be."""
    asked.stub.answer = says({"code": "not-found", "detail": "there is no d/a in the tree"}, 404)
    for ask in (lambda: asked.chains.restored("laptop", "latest", b"d/a"), lambda: asked.chains.snapshot(FULL)):
        with pytest.raises(RemoteNotFound, match="there is no d/a in the tree"):
            ask()

    asked.stub.answer = says({"code": "not-restorable", "detail": "no", "obstacles": ["damaged"]}, 409)
    with pytest.raises(NotRestorable, match="damaged"):
        asked.chains.restored("laptop", "latest", b"d/a")


def test_what_an_archive_builds_on_is_sent_before_its_bytes(asked: Asked) -> None:
    """As headers of a PUT, as metadata of an upload; a refusal names the expected parent."""
    lineage = Lineage((BackupType.INC, "inc 2.tar.gz"), SHA256, "cd" * 32)
    asked.stub.answer = says({"code": "parent-mismatch", "detail": "no", "expected": FULL_REF}, 409)
    sending: list[Callable[[], object]] = [
        lambda: asked.remote.put(INC, [b"x"], 1, DeclaredDigests(), lineage, MOMENT),
        lambda: asked.remote.create_upload(INC, None, DeclaredDigests(), lineage, MOMENT),
    ]
    for send in sending:
        with pytest.raises(ParentMoved) as refused:
            send()
        assert fields_of(refused.value) == ("no", "FULL/full_1.tar.gz")

    put, created = asked.stub.asked
    assert put["tarkeep-parent"] == "INC/inc%202.tar.gz"
    assert (put["tarkeep-snapshot-before"], put["tarkeep-snapshot-after"]) == (SHA256, "cd" * 32)
    assert put["tarkeep-taken-at"] == "2026-11-24T02:00:00+00:00"
    metadata = dict(pair.split(" ") for pair in created["upload-metadata"].split(","))
    assert set(metadata) == {"filename", "profile", "type", "parent", "snapshot_before", "snapshot_after", "taken_at"}
    assert metadata["parent"] == "SU5DL2luYyAyLnRhci5neg=="
