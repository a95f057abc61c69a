"""
The contract and the server agree.

Three angles: what the document lists against what the code has (routes, codes, names, the page for people); answers of
known requests against the document, good ones and bad ones; and schemathesis, which makes hundreds of requests of its
own from the document, valid and invalid, and judges every answer.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import jsonschema_rs
import msgspec
import pytest
import schemathesis
from attrs import field, frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from tarkeep.domain.access.tokens import OPEN_SCOPES, Scope
from tarkeep.domain.errors.access import EvidenceNotFound, EvidenceNotWritten, NotAuthenticated, ScopeMissing
from tarkeep.domain.errors.archives import (
    AlreadyPublished,
    AmbiguousName,
    AmbiguousType,
    ArchiveCorrupt,
    ArchiveNotFound,
    ArchiveProtected,
    ClaimLost,
    DuplicateEntry,
    NameConflict,
    ProfileNotFound,
    ReceiveInProgress,
    SnapshotConflict,
    SnapshotNotFound,
)
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, QuotaExceeded, ReadOnly
from tarkeep.domain.errors.content import (
    EmptyArchive,
    ExpandsTooFar,
    GzipDamaged,
    MemberUnreadable,
    NotAGzip,
    NotATar,
    TooLarge,
    UploadInterrupted,
)
from tarkeep.domain.errors.drills import DrillNotFound, ReportInvalid
from tarkeep.domain.errors.jobs import JobNotFound, JobRunning
from tarkeep.domain.errors.restoring import (
    MemberNotFound,
    ParentMismatch,
    PathNotFound,
    PointNotFound,
    PointNotRestorable,
)
from tarkeep.domain.errors.retention import (
    ArchiveRemoved,
    HoldExists,
    HoldNotFound,
    LockEarlier,
    MarksUnreadable,
    NoRetentionPolicy,
    NotInTrash,
    PlanChanged,
    PrunePaused,
    SimulationTooLong,
    TimeIsOver,
)
from tarkeep.domain.errors.uploads import (
    BeyondLength,
    ChecksumMismatch,
    LengthMismatch,
    NotAppendable,
    OffsetMismatch,
    PartsUnusable,
    StagedBytesMissing,
    TooManyUploads,
    UploadGone,
    UploadLocked,
    UploadNotFound,
)
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.invalid import DigestMismatch, InvalidDigest, InvalidName, InvalidType
from tarkeep.domain.identity.naming import ARCHIVE_NAME_MAX_BYTES, check_archive_name, check_profile
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.http.answers import problems
from tarkeep.entrypoints.http.app import routes
from tarkeep.entrypoints.http.edge.access import access_table
from tarkeep.entrypoints.http.requests import tus_headers
from tarkeep.entrypoints.http.routes import archives as v1
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.archives import NOON, SNAPSHOT, make_targz
from tests.support.server import LiveServer, live_server

ROOT = Path(__file__).parents[2].parent.parent
HTTP_SOURCES = Path(v1.__file__).parents[1]
DOCUMENT: dict[str, Any] = v1.openapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
CONTRACT = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config())  # defaults, ignoring files around
FULL = "full_2025-11-21_09-07-19.tar.gz"  # the archive of the examples in the document
CONTENT = make_targz({"documents/a.txt": b"first\n"})
OTHER_CONTENT = make_targz({"documents/a.txt": b"second\n"})
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def operations() -> dict[str, tuple[str, str]]:
    """Method and path of every operation, by its id."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def validator(name: str) -> jsonschema_rs.Validator:
    """For one of the document's schemas."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


# -- the document against the code -----------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1() -> None:
    """The whole is valid by the schema that the OpenAPI initiative publishes for 3.1, each schema in it by its own."""
    parameters = DOCUMENT["components"]["parameters"].values()

    assert DOCUMENT["openapi"].startswith("3.1.")
    CONTRACT.validate()
    for schema in [*SCHEMAS.values(), *(parameter["schema"] for parameter in parameters)]:
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_the_document_lists_the_routes_that_there_are() -> None:
    """Every method and path of the router is described, and nothing else."""
    routed = {(method, path.replace(":path}", "}")) for method, path in access_table(routes())}
    implied = {(method, path) for method, path in routed if method == "HEAD"} - set(operations().values())
    assert set(operations().values()) == routed - implied
    assert {path for _, path in implied} <= {path for method, path in operations().values() if method == "GET"}


def documented_codes() -> set[tuple[int, str]]:
    return {
        (int(name.removeprefix("Problem")), variant["properties"]["code"]["const"])
        for name, schema in SCHEMAS.items()
        for variant in schema.get("oneOf", ())
    }


def test_the_document_lists_the_codes_that_there_are() -> None:
    """Every status and code that the sources can answer with is described, and nothing else."""
    raised = set(problems._TABLE.values())
    computed = []
    for source in HTTP_SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                status, code = node.args[:2]
                if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                    raised.add((int(str(status.value)), str(code.value)))
                else:
                    computed.append(ast.unparse(status))

    assert documented_codes() == raised
    # the table's own, and the one for what the framework raises besides 404 and 405, which is nothing on these routes
    assert sorted(computed) == ["error.status_code", "status"]


def test_every_route_names_its_codes() -> None:
    """A code that a route lists belongs to the status it lists it for, and every code is listed by some route."""
    listed = set()
    for _, item in sorted(DOCUMENT["paths"].items()):
        for operation in (part for method, part in item.items() if method != "parameters"):
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
                schema = response.get("content", {}).get("application/problem+json", {}).get("schema")
                if schema is not None:
                    listed |= {(int(status), code) for code in codes_of(schema)}

    # that one is for methods that are not listed
    assert listed == documented_codes() - {(405, "method-not-allowed")}


def test_every_route_but_health_says_that_it_may_want_a_token() -> None:
    """With the answers without one, without the scope, and after too many wrong ones."""
    for path, item in DOCUMENT["paths"].items():
        for operation in (part for method, part in item.items() if method != "parameters"):
            assert (path == "/healthz") is (operation.get("security") == [])
            assert (path == "/healthz") or {"401", "403", "429"} <= operation["responses"].keys(), path


def codes_of(schema: dict[str, Any]) -> list[str]:
    if "properties" in schema:
        codes: list[str] = schema["properties"]["code"]["enum"]
        return codes
    name = schema["$ref"].rpartition("/")[2]
    return [variant["properties"]["code"]["const"] for variant in SCHEMAS[name]["oneOf"]]


ID = ArchiveId("laptop", BackupType.FULL, FULL)
EVERY_ERROR = [
    NotAuthenticated("this token is revoked"),
    ScopeMissing(("push", "list")),
    InvalidName("profile", "..", "must start with a letter or digit"),
    InvalidType("WEEKLY"),
    InvalidDigest("md5", "x"),
    DigestMismatch("sha256", SHA256, SHA256[::-1]),
    DuplicateEntry("local", BackupType.FULL, FULL),
    EmptyArchive(),
    NotAGzip(0),
    GzipDamaged(20, "cut"),
    NotATar(512, "cut"),
    TooLarge(1),
    ExpandsTooFar("max_members", 1),
    UploadInterrupted(5),
    UploadNotFound("x"),
    UploadGone("x", "it expired"),
    StagedBytesMissing("x"),
    UploadLocked("x"),
    OffsetMismatch("x", 5, 7),
    LengthMismatch(5, 7),
    BeyondLength(5),
    NotAppendable("x"),
    PartsUnusable("no upload is named"),
    ChecksumMismatch("sha1"),
    TooManyUploads(100, "max_open_uploads"),
    NameConflict(ID, SHA256),
    NameConflict(ID, None),
    ReceiveInProgress(ID),
    ClaimLost(ID),
    ArchiveNotFound(str(ID)),
    ProfileNotFound("laptop"),
    AmbiguousName(BackupType.FULL, FULL, ("desktop", "laptop")),
    AmbiguousType(FULL, (BackupType.FULL, BackupType.INC)),
    ParentMismatch(ID, ID, is_stored=False),
    ParentMismatch(ID, None, is_stored=True),
    SnapshotConflict(ID),
    ArchiveProtected(ID, ("hold audit: the audit of 2026",)),
    SnapshotNotFound(ID),
    ArchiveRemoved(str(ID), SHA256),
    ArchiveRemoved(str(ID), SHA256, NOON, SHA256, ("no rule wants it",), NOON),
    ArchiveRemoved(str(ID), SHA256, NOON, SHA256, ("no rule wants it",), NOON, NOON),
    PlanChanged("laptop", SHA256, SHA256[::-1]),
    PrunePaused("laptop", ("9 archives of 10 would go at once",), may_be_approved=True),
    NotInTrash(ID),
    NotInTrash(ID, NOON),
    NoRetentionPolicy("laptop"),
    SimulationTooLong("laptop", 1500, 143),
    TimeIsOver(ID, NOON),
    HoldExists(ID, "audit", "the audit of 2026"),
    HoldNotFound(ID, "audit"),
    LockEarlier(ID, NOON),
    DrillNotFound("x"),
    ReportInvalid(2, "is malformed"),
    EvidenceNotFound("2026-11", ("2026-12",)),
    EvidenceNotFound("2026-11", ()),
    EvidenceNotWritten("the hold x was released", "the server's disk is full"),
    JobNotFound("shred", ("prune", "purge", "scrub")),
    JobRunning("prune", 3),
    MarksUnreadable(ID),
    PointNotFound("latest", None),
    PointNotRestorable(ID, ("its parent is missing",), (ID,)),
    PathNotFound(b"documents/\xff"),
    MemberNotFound(ID, b"documents"),
    MemberUnreadable(512, "its size is no number"),
    ArchiveCorrupt(ID),
    QuotaExceeded("laptop", "bytes", "max_bytes", 10, 8, 5),
    InsufficientStorage(),
    InsufficientStorage(2, 1),
    ReadOnly(),
    CatalogBusy(),
    BackendUnavailable("store"),
    AlreadyPublished(ID),  # has no row of its own: the server is at fault
]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_every_error_is_answered_as_described(error: TarkeepError) -> None:
    """Each error of the domain becomes a problem with the members that its code promises."""
    response = problems.problem_response(problems.problem_of(error), "some-id")

    validator(f"Problem{response.status_code}").validate(json.loads(bytes(response.body)))
    assert response.headers["content-type"] == "application/problem+json"


def test_no_error_is_forgotten_here() -> None:
    """The list above has an error of each class in the table."""
    assert {type(error) for error in EVERY_ERROR} >= set(problems._TABLE)


def described_examples() -> Iterator[tuple[str, object]]:
    for name, schema in SCHEMAS.items():
        for value in schema.get("examples", ()):
            yield name, value


@pytest.mark.parametrize(("name", "value"), list(described_examples()))
def test_examples_are_what_they_are_examples_of(name: str, value: object) -> None:
    """No example in the document contradicts its schema."""
    validator(name).validate(value)


PROFILE_TEXT = st.one_of(st.text("aZ9._-/ ü", max_size=66), st.text(max_size=5))


@settings(derandomize=True, deadline=None)
@given(PROFILE_TEXT)
@example("a" * 64)
@example("a" * 65)
@example("a\n")
@example("a~")
def test_the_pattern_of_profiles_is_the_rule_for_profiles(text: str) -> None:
    """Any text that the document's pattern accepts may name a profile, and no other may."""
    assert validator("ProfileName").is_valid(text) is accepts(check_profile, text)


def test_the_pattern_of_archive_names_is_the_rule_for_archive_names() -> None:
    """Likewise for names, by every character of the basic plane, at the beginning and further on, and by length."""
    # not assigned (Cn): the two sides may know different versions of Unicode; surrogates (Cs) are not text
    characters = [char for char in map(chr, range(0x10000)) if unicodedata.category(char) not in ("Cn", "Cs")]
    names = [name for char in characters for name in (f"{char}.tar.gz", f"a{char}b.tar.gz")]
    names += ["a" * length + ".tar.gz" for length in (0, 1, 193, 194)]
    names += ["a.tar.gz\n", "a.tar.GZ", "a.tar", "é" * 96 + ".tar.gz", "é" * 97 + ".tar.gz", "e\u0301.tar.gz"]
    pattern = validator("ArchiveName")

    differing = [
        name
        for name in names
        if (pattern.is_valid(name) and said_in_words(name)) is not accepts(check_archive_name, name)
    ]
    assert differing == []


def said_in_words(name: str) -> bool:
    """Rules that a pattern cannot express, and the document states beside it: bytes count, and normal form C."""
    return len(name.encode()) <= ARCHIVE_NAME_MAX_BYTES and unicodedata.is_normalized("NFC", name)


def accepts(rule: Callable[[str], str], text: str) -> bool:
    try:
        rule(text)
    except InvalidName:
        return False
    return True


def test_the_page_for_people_says_what_the_document_says() -> None:
    """docs/http-api.md is what scripts/make_http_api.py makes of the document."""
    script = runpy.run_path(str(ROOT / "scripts" / "make_http_api.py"))

    assert (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8") == script["Page"](DOCUMENT).text()


# -- answers of a running server against the document ----------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with low limits that holds the archive of the examples, another of its name, and a damaged one."""
    data = tmp_path_factory.mktemp("contract") / "data"
    limits = ("--max-upload-bytes", "64K", "--max-inventory-bytes", "64K", "--max-snapshot-bytes", "1K")
    rules = data.with_name("rules.toml")
    rules.write_text("[odd]\nallow_opaque = true\n")
    with live_server(data, *limits, "--profiles", str(rules)) as running:
        with running.client() as client:
            for profile, type in (("laptop", "FULL"), ("laptop", "INC"), ("desktop", "INC"), ("broken", "FULL")):
                url = f"/api/v1/profiles/{profile}/archives/{type}/{FULL}"
                assert client.put(url, content=CONTENT).status_code == 201
            assert client.put("/api/v1/profiles/odd/archives/FULL/" + FULL, content=b"sealed").status_code == 201
            kept = "/api/v1/profiles/desktop/archives/INC/" + FULL + "/snapshot"
            assert client.put(kept, content=SNAPSHOT).status_code == 201
        (data / "archives" / "broken" / "FULL" / FULL).unlink()
        yield running


RETENTION = """
["*".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = 1.0
"""


@frozen
class Pruning:
    """A server with a policy, and a token with every scope for it."""

    server: LiveServer
    token: str

    @contextmanager
    def client(self) -> Iterator[httpx2.Client]:
        with self.server.client() as client:
            client.headers["Authorization"] = f"Bearer {self.token}"
            yield client


@pytest.fixture(scope="module")
def pruning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pruning]:
    """A server with a policy, to be asked with a token: of two profiles one archive would go, of two one has gone."""
    data = tmp_path_factory.mktemp("pruning") / "data"
    data.with_name("rules.toml").write_text(RETENTION)
    with live_server(data, "--profiles", str(data.with_name("rules.toml"))) as running:
        with running.client() as client:
            for profile in ("applied", "approved", "removed", "undeleted"):
                for name in (FULL, NEW):
                    url = f"/api/v1/profiles/{profile}/archives/FULL/{name}"
                    client.put(url, content=CONTENT).raise_for_status()
        made = open_tokens(StorageSettings(data=data)).make(frozenset(Scope), ("*",))
        with running.client() as client:
            client.headers["Authorization"] = f"Bearer {made.text}"
            for profile in ("removed", "undeleted"):
                url = f"/api/v1/profiles/{profile}/prune"
                client.post(url, json={"plan": client.get(url).json()["plan"]}).raise_for_status()
            url = f"/api/v1/profiles/undeleted/archives/FULL/{NEW}"
            client.put(url + "/lock", json={"until": "2033-01-01T00:00:00Z"}).raise_for_status()
            client.put(url + "/holds/audit", json={"reason": "tax audit"}).raise_for_status()
        yield Pruning(running, made.text)


@frozen
class Request:
    """
    A request to an operation of the document, and the answer that is expected: a status, for errors with a code.

    *prunes*: it is for the server with a policy; ``PLAN`` in its content stands for the digest of the present plan, and
    ``DRILL`` in its path for the id of a drill that is under way.
    """

    operation: str
    status: int
    code: str | None = None
    path: dict[str, str] = field(factory=dict)
    query: dict[str, str] = field(factory=dict)
    headers: dict[str, str] = field(factory=dict)
    content: bytes | None = None
    form: dict[str, str] = field(factory=dict)
    file: tuple[str, bytes] | None = None
    prunes: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.status} {self.code or ''}".strip()


def archive(type: str = "FULL", name: str = FULL, profile: str = "laptop") -> dict[str, str]:
    return {"profile": profile, "type": type, "name": name}


INVENTORY = msgspec.json.encode(
    {"profile": "laptop", "local_backups": {"full": [{"name": FULL, "size": len(CONTENT), "sha256": SHA256}]}}
)
LINE = msgspec.json.encode({"type": "FULL", "name": FULL, "size": len(CONTENT), "md5": ""})
NDJSON = {"Content-Type": "application/x-ndjson"}
TAG = {"If-None-Match": f'"{SHA256}"'}
NEW = "full_2025-11-22_09-07-19.tar.gz"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
CUT_FORM = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{NEW}"\r\n\r\n'.encode() + CONTENT

LAPTOP = {"profile": "laptop"}
KEPT = archive("INC", profile="desktop")
ORPHAN = {"profile": "desktop"}  # its only archive is an INC
FILE = {**archive(), "path": "documents/a.txt"}
FILE_TAG = {"If-None-Match": f'"{SHA256}-512"'}
PLAN = b'{"plan": "PLAN"}'
CRON, OFTEN = b'{"days": 30, "every": {"full": "0 2 * * 0"}}', b'{"days": 3, "every": {"inc": "* * * * *"}}'
SHORT, OTHER_PLAN = b'{"plan": "x"}', msgspec.json.encode({"plan": SHA256})
REMOVED = {"profile": "removed"}
HELD = {**archive(name=NEW, profile="removed"), "hold": "audit"}
UNDELETED = {"profile": "undeleted"}
LOCKED = archive(name=NEW, profile="undeleted")
DRILL, REPORT = "DRILL", b'{"names": 0, "seconds": 1, "error": "the disk is full"}\n'
MONTH = "MONTH"
PARENT = {"Tarkeep-Parent": f"FULL/{NEW}"}

STORIES = [
    # one server answers all of them, in any order: each request that stores uses a name of its own; another one those
    # about retention
    Request("overview", 200),
    Request("upload", 201, file=("original.tar.gz", CONTENT), form={"type": "inc", "sha256": SHA256, "note": "x"}),
    Request("upload", 201, file=(FULL, CONTENT), form={"profile": "laptop"}),
    Request("upload", 400, "invalid-name", file=("archive.zip", CONTENT)),
    Request("upload", 400, "invalid-type", file=(NEW, CONTENT), form={"type": "WEEKLY"}),
    Request("upload", 400, "invalid-encoding", file=(NEW, CONTENT), form={"profile": "a\0b"}),
    Request("upload", 400, "digest-invalid", file=(NEW, CONTENT), form={"md5": "x"}),
    Request("upload", 400, "digest-mismatch", file=(NEW, CONTENT), form={"md5": "0" * 32}),
    Request("upload", 400, "multipart-malformed", content=b"{}", headers={"Content-Type": "application/json"}),
    Request("upload", 400, "multipart-incomplete", content=CUT_FORM, headers=FORM),
    Request("upload", 400, "multipart-parts", content=b"--b--\r\n", headers=FORM),
    Request("upload", 400, "invalid-parameter", file=(NEW, CONTENT), form={"parent": NEW}),
    Request("upload", 409, "name-conflict", file=(FULL, OTHER_CONTENT), form={"profile": "laptop"}),
    Request("upload", 409, "parent-mismatch", file=(NEW, CONTENT), form={"type": "inc", "parent": f"FULL/{NEW}"}),
    Request("upload", 413, "too-large", file=(NEW, CONTENT + bytes(64 << 10))),
    Request("upload", 422, "not-a-gzip", file=(NEW, b"plain text")),
    Request("listAll", 200),
    Request("listAll", 200, query={"type": "inc", "profile": "laptop"}),
    Request("listType", 200, path={"type": "Full"}),
    Request("listType", 404, "not-found", path={"type": "FULL/x"}),
    Request("download", 200, path=archive(), query={"profile": "laptop"}),
    Request("download", 206, path=archive(), query={"profile": "laptop"}, headers={"Range": "bytes=0-9"}),
    Request("download", 304, path=archive(), query={"profile": "laptop"}, headers=TAG),
    Request("download", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("download", 409, "ambiguous-profile", path=archive("INC")),
    Request("download", 500, "archive-corrupt", path=archive(), query={"profile": "broken"}),
    Request("verify", 200, content=INVENTORY),
    Request("verify", 400, "invalid-json", content=b"{"),
    Request("verify", 413, "too-large", content=b" " * (65 << 10)),
    Request("verify", 422, "validation-failed", content=b'{"local_backups": {"FULL": [{"name": 1}]}}'),
    Request("verify", 422, "validation-failed", content=b'{"local_backups": {"INC": [{"name":"a"},{"name":"a"}]}}'),
    Request("statistics", 200),
    Request("putArchive", 201, path=archive("DIFF", "größe 1.tar.gz"), content=CONTENT),
    Request("putArchive", 200, path=archive(), content=CONTENT),
    Request("putArchive", 400, "invalid-parameter", path=archive(), headers={"Content-Range": "bytes 5-9/10"}),
    Request("putArchive", 400, "invalid-name", path=archive(name="a.zip"), content=CONTENT),
    Request("putArchive", 400, "digest-invalid", path=archive(), headers={"Content-MD5": "x"}, content=CONTENT),
    Request("putArchive", 400, "digest-unsupported", path=archive(), headers={"Repr-Digest": "sha-512=:AAAA:"}),
    Request(
        "putArchive",
        400,
        "digest-mismatch",
        path=archive(name=NEW),
        headers={"X-Checksum-Sha256": "0" * 64},
        content=CONTENT,
    ),
    Request("putArchive", 404, "not-found", path=archive(profile="a/b")),
    Request("putArchive", 409, "name-conflict", path=archive(), content=OTHER_CONTENT),
    Request("putArchive", 409, "parent-mismatch", path=archive("INC", NEW), headers=PARENT, content=CONTENT),
    Request("putArchive", 400, "invalid-name", path=archive(), headers={"Tarkeep-Parent": "INC/x"}, content=CONTENT),
    Request("putArchive", 400, "invalid-parameter", path=archive(), headers={"Tarkeep-Taken-At": "now"}, content=b""),
    Request("putArchive", 413, "too-large", path=archive(name=NEW), content=CONTENT + bytes(64 << 10)),
    Request("putArchive", 413, "too-large", path=archive(name=NEW), content=bytes(2 << 20)),
    Request("putArchive", 422, "empty-archive", path=archive(name=NEW), content=b""),
    Request("putArchive", 422, "not-a-gzip", path=archive(name=NEW), content=b"plain text"),
    Request("putArchive", 422, "gzip-damaged", path=archive(name=NEW), content=CONTENT[:-9]),
    Request("putArchive", 422, "not-a-tar", path=archive(name=NEW), content=gzip.compress(b"x" * 600)),
    Request("getArchive", 200, path=archive()),
    Request("getArchive", 206, path=archive(), headers={"Range": "bytes=-10", "If-Range": f'"{SHA256}"'}),
    Request("getArchive", 304, path=archive(), headers=TAG),
    Request("getArchive", 400, "invalid-type", path=archive("WEEKLY")),
    Request("getArchive", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("getArchive", 412, "precondition-failed", path=archive(), headers={"If-Match": '"other"'}),
    Request("getArchive", 416, "range-not-satisfiable", path=archive(), headers={"Range": "bytes=99999-"}),
    Request("getArchive", 500, "archive-corrupt", path=archive(profile="broken")),
    Request("headArchive", 200, path=archive()),
    Request("headArchive", 304, path=archive(), headers=TAG),
    Request("headArchive", 404, path=archive(name="none.tar.gz")),
    Request("listArchives", 200, query={"limit": "1"}),
    Request("listArchives", 400, "invalid-parameter", query={"limit": "0"}),
    Request("listArchives", 400, "invalid-parameter", query={"cursor": "x"}),
    Request("listProfiles", 200),
    Request("showProfile", 200, path={"profile": "laptop"}),
    Request("showProfile", 400, "invalid-name", path={"profile": "-"}),
    Request("showProfile", 404, "not-found", path={"profile": "nobody"}),
    Request("listPoints", 200, path=LAPTOP),
    Request("listPoints", 200, path=ORPHAN),
    Request("listPoints", 200, path={"profile": "odd"}),
    Request("listPoints", 200, path=LAPTOP, query={"limit": "1"}),
    Request("listPoints", 200, path=LAPTOP, query={"paths": "full", "limit": "1"}),
    Request("listPoints", 200, path=LAPTOP, query={"paths": "full"}),
    Request("listPoints", 400, "invalid-parameter", path=LAPTOP, query={"paths": "no"}),
    Request("listPoints", 400, "invalid-parameter", path=LAPTOP, query={"limit": "0"}),
    Request("listPoints", 400, "invalid-parameter", path=LAPTOP, query={"cursor": "x"}),
    Request("listPoints", 400, "invalid-name", path={"profile": "-"}),
    Request("listPoints", 404, "not-found", path={"profile": "nobody"}),
    Request("showPoint", 200, path=archive()),
    Request("showPoint", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("plan", 200, path=LAPTOP, query={"steps": "full"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"steps": "no"}),
    Request("listChains", 200, path=LAPTOP),
    Request("listChains", 200, path=ORPHAN),
    Request("listChains", 404, "not-found", path={"profile": "nobody"}),
    Request("plan", 200, path=LAPTOP),
    Request("plan", 200, path=LAPTOP, query={"at": f"FULL/{FULL}"}, headers={"Accept": "text/x-shellscript"}),
    Request("plan", 200, path=LAPTOP, query={"at": "2099-11-24T02:00:00+01:00", "format": "sh"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"at": "yesterday"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"at": "2026-11-31"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"at": "0001-01-01T00:00:00+05:00"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"format": "pdf"}),
    Request("plan", 400, "invalid-type", path=LAPTOP, query={"at": f"WEEKLY/{FULL}"}),
    Request("plan", 400, "invalid-name", path=LAPTOP, query={"at": "FULL/-.tar.gz"}),
    Request("plan", 404, "not-found", path=LAPTOP, query={"at": "2001-01-01"}),
    Request("plan", 404, "not-found", path=LAPTOP, query={"at": NEW}),
    Request("plan", 409, "ambiguous-type", path=LAPTOP, query={"at": FULL}),
    Request("plan", 409, "not-restorable", path=ORPHAN),
    Request("base", 200, path=LAPTOP),
    Request("base", 200, path=LAPTOP, query={"type": "diff", "snapshot": "false"}),
    Request("base", 400, "invalid-type", path=LAPTOP, query={"type": "WEEKLY"}),
    Request("base", 400, "invalid-parameter", path=LAPTOP, query={"snapshot": "maybe"}),
    Request("base", 404, "not-found", path=LAPTOP, query={"snapshot": "true"}),
    Request("base", 404, "not-found", path={"profile": "nobody"}, query={"type": "FULL"}),
    Request("restoreTar", 200, path=LAPTOP),
    Request("restoreTar", 200, path=LAPTOP, query={"path": "documents"}),
    Request("restoreTar", 400, "invalid-parameter", path=LAPTOP, query={"path": "\\x"}),
    Request("restoreTar", 404, "not-found", path=LAPTOP, query={"path": "nowhere"}),
    Request("restoreTar", 409, "not-restorable", path={"profile": "odd"}),
    Request("restoreTarGz", 200, path=LAPTOP),
    Request("restoreTarGz", 404, "not-found", path=LAPTOP, query={"path": "\\xff"}),
    Request("restoreTarGz", 409, "not-restorable", path=ORPHAN),
    Request("gaps", 200, path=LAPTOP),
    Request("gaps", 200, path=ORPHAN, query={"limit": "1"}),
    Request("gaps", 400, "invalid-parameter", path=LAPTOP, query={"format": "sh"}),
    Request("gaps", 404, "not-found", path=LAPTOP, query={"path": "nowhere"}),
    Request("plan", 200, path=ORPHAN, query={"allow_gaps": "1"}),
    Request("plan", 400, "invalid-parameter", path=LAPTOP, query={"allow_gaps": "yes"}),
    Request("restoreTar", 200, path=ORPHAN, query={"allow_gaps": "1"}),
    Request("tree", 200, path=ORPHAN, query={"allow_gaps": "1"}),
    Request("tree", 200, path=LAPTOP),
    Request("tree", 200, path=LAPTOP, query={"path": "documents/", "limit": "1", "cursor": "documents/a"}),
    Request("tree", 200, path=LAPTOP, query={"recursive": "true", "limit": "1"}),
    Request("tree", 400, "invalid-parameter", path=LAPTOP, query={"recursive": "1"}),
    Request("tree", 400, "invalid-parameter", path=LAPTOP, query={"limit": "1001"}),
    Request("tree", 400, "invalid-parameter", path=LAPTOP, query={"cursor": "a\\b"}),
    Request("tree", 404, "not-found", path=LAPTOP, query={"path": "nowhere"}),
    Request("tree", 404, "not-found", path=LAPTOP, query={"path": "nowhere", "recursive": "true"}),
    Request("tree", 409, "not-restorable", path=ORPHAN),
    Request("find", 200, path=LAPTOP, query={"name": "*.txt"}),
    Request("find", 200, path=LAPTOP, query={"name": "[", "limit": "1"}),
    Request("find", 400, "invalid-parameter", path=LAPTOP),
    Request("find", 409, "not-restorable", path=ORPHAN, query={"name": "a"}),
    Request("history", 200, path=LAPTOP, query={"path": "documents/a.txt"}),
    Request("history", 200, path=LAPTOP, query={"path": "documents/\\xff"}),
    Request("history", 400, "invalid-parameter", path=LAPTOP),
    Request("history", 404, "not-found", path={"profile": "nobody"}, query={"path": "a"}),
    Request("putSnapshot", 201, path=archive("INC"), content=SNAPSHOT),
    Request("putSnapshot", 200, path=KEPT, content=SNAPSHOT),
    Request("putSnapshot", 400, "invalid-type", path=archive("WEEKLY"), content=SNAPSHOT),
    Request("putSnapshot", 404, "not-found", path=archive(name="none.tar.gz"), content=SNAPSHOT),
    Request("putSnapshot", 409, "name-conflict", path=KEPT, content=SNAPSHOT + b"2"),
    Request("putSnapshot", 413, "too-large", path=KEPT, content=bytes(1025)),
    Request("putSnapshot", 422, "empty-archive", path=KEPT, content=b""),
    Request("suspectArchive", 200, path=archive()),
    Request("suspectArchive", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("getSnapshot", 200, path=KEPT),
    Request("getSnapshot", 404, "not-found", path=archive()),
    Request("getSnapshot", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("listMembers", 200, path=archive()),
    Request("listMembers", 200, path=archive(), query={"cursor": "99"}),
    Request("listMembers", 400, "invalid-parameter", path=archive(), query={"cursor": "-1"}),
    Request("listMembers", 404, "not-found", path=archive(name="none.tar.gz")),
    Request("listMembers", 422, "not-a-gzip", path=archive(profile="odd")),
    Request("getMember", 200, path=FILE),
    Request("getMember", 206, path=FILE, headers={"Range": "bytes=1-2"}),
    Request("getMember", 304, path=FILE, headers=FILE_TAG),
    Request("getMember", 400, "invalid-parameter", path={**archive(), "path": "a\\"}),
    Request("getMember", 404, "not-found", path={**archive(), "path": "nowhere"}),
    Request("getMember", 412, "precondition-failed", path=FILE, headers={"If-Match": '"other"'}),
    Request("getMember", 416, "range-not-satisfiable", path=FILE, headers={"Range": "bytes=99-"}),
    Request("verifyInventory", 200, content=INVENTORY),
    Request("verifyInventory", 200, content=b"\n" + LINE + b"\n\n", headers=NDJSON, query={"profile": "laptop"}),
    Request("verifyInventory", 200, content=b"", headers=NDJSON),
    Request("verifyInventory", 400, "invalid-json", content=LINE + b"\n{", headers=NDJSON),
    Request("verifyInventory", 400, "invalid-type", content=b'{"type": "WEEKLY", "name": "a"}', headers=NDJSON),
    Request("verifyInventory", 422, "validation-failed", content=b'{"type": "FULL"}', headers=NDJSON),
    Request("verifyInventory", 422, "validation-failed", content=LINE + b"\n" + LINE, headers=NDJSON),
    Request("verifyInventory", 413, "too-large", content=b"\n" * (65 << 10), headers=NDJSON),
    Request("showPrunePlan", 200, path={"profile": "applied"}, prunes=True),
    Request("showPrunePlan", 404, "not-found", path={"profile": "nobody"}, prunes=True),
    Request("applyPrunePlan", 200, path={"profile": "applied"}, content=PLAN, prunes=True),
    Request("applyPrunePlan", 400, "invalid-json", path={"profile": "applied"}, content=b"{}", prunes=True),
    Request("applyPrunePlan", 400, "invalid-parameter", path={"profile": "removed"}, content=SHORT, prunes=True),
    Request("applyPrunePlan", 409, "plan-changed", path={"profile": "removed"}, content=OTHER_PLAN, prunes=True),
    Request("applyPrunePlan", 413, "too-large", path={"profile": "removed"}, content=b" " * (65 << 10), prunes=True),
    Request("approvePrunePlan", 200, path={"profile": "approved"}, content=PLAN, prunes=True),
    Request("approvePrunePlan", 409, "plan-changed", path={"profile": "removed"}, content=OTHER_PLAN, prunes=True),
    Request("simulatePruning", 200, path={"profile": "removed"}, content=b'{"days": 30}', prunes=True),
    Request(
        "simulatePruning",
        200,
        path={"profile": "removed"},
        content=b'{"days": 30, "every": {"inc": "1d"}}',
        prunes=True,
    ),
    Request(
        "simulatePruning", 400, "invalid-parameter", path={"profile": "removed"}, content=b'{"days":0}', prunes=True
    ),
    Request("simulatePruning", 200, path={"profile": "removed"}, content=CRON, prunes=True),
    Request("simulatePruning", 400, "invalid-parameter", path={"profile": "removed"}, content=OFTEN, prunes=True),
    Request("listTrash", 200, prunes=True),
    Request("listTrash", 200, query={"profile": "removed"}, prunes=True),
    Request("undeleteArchive", 404, "not-found", path=archive(name="none.tar.gz", profile="removed"), prunes=True),
    Request("undeleteArchive", 409, "not-in-trash", path=archive(name=NEW, profile="removed"), prunes=True),
    Request("undeleteArchive", 200, path=archive(profile="undeleted"), prunes=True),
    Request("getArchive", 410, "removed", path=archive(profile="removed"), prunes=True),
    Request("headArchive", 410, path=archive(profile="removed"), prunes=True),
    Request("showMarks", 200, path=archive(name=NEW, profile="removed"), prunes=True),
    Request("showMarks", 404, "not-found", path=archive(name="none.tar.gz", profile="removed"), prunes=True),
    Request("showMarks", 410, "removed", path=archive(profile="removed"), prunes=True),
    Request(
        "makeHold", 200, path=HELD, content=b'{"reason": "tax audit", "until": "2033-01-01T00:00:00Z"}', prunes=True
    ),
    Request("makeHold", 400, "invalid-parameter", path=HELD, content=b'{"reason": ""}', prunes=True),
    Request("makeHold", 400, "invalid-parameter", path=HELD, content=b'{"reason": "x", "until": "soon"}', prunes=True),
    Request("releaseHold", 200, path={**LOCKED, "hold": "audit"}, prunes=True),
    Request("releaseHold", 404, "not-found", path={**HELD, "hold": "other"}, prunes=True),
    Request("lockArchive", 200, path=LOCKED, content=b'{"until": "2034-01-01T00:00:00Z"}', prunes=True),
    Request("lockArchive", 409, "locked", path=LOCKED, content=b'{"until": "2032-01-01T00:00:00Z"}', prunes=True),
    Request("showBrake", 200, path=UNDELETED, prunes=True),
    Request("showBrake", 404, "not-found", path={"profile": "nobody"}, prunes=True),
    Request("releaseBrake", 200, path=UNDELETED, query={"to": f"FULL/{NEW}"}, prunes=True),
    Request("releaseBrake", 400, "invalid-parameter", path=UNDELETED, query={"to": "last"}, prunes=True),
    Request("releaseBrake", 404, "not-found", path=UNDELETED, query={"to": "FULL/none.tar.gz"}, prunes=True),
    Request("acceptClock", 200, prunes=True),
    Request("showStatus", 200),
    Request("showEvidence", 200, query={"month": MONTH}, prunes=True),
    Request("showEvidence", 400, "invalid-parameter", query={"month": "2026-13"}),
    Request("showEvidence", 404, "not-found", query={"month": "2020-01"}),
    Request("showMetrics", 200),
    Request("showMetrics", 200, query={"profile": "host*"}),
    Request("showMetrics", 400, "invalid-parameter", query={"profile": "a/b"}),
    Request("showProfileStatus", 200, path=UNDELETED, prunes=True),
    Request("showProfileStatus", 404, "not-found", path={"profile": "nobody"}),
    Request("listJobs", 200),
    Request("runJob", 202, path={"job": "purge"}, prunes=True),
    Request("runJob", 403, "insufficient-scope", path={"job": "purge"}),
    Request("runJob", 404, "not-found", path={"job": "shred"}, prunes=True),
    Request("scrub", 202, query=UNDELETED, prunes=True),
    Request("scrub", 202, prunes=True),
    Request("scrub", 400, "invalid-name", query={"profile": "../x"}, prunes=True),
    Request("scrub", 403, "insufficient-scope"),
    Request("scrub", 404, "not-found", query={"profile": "nobody"}, prunes=True),
    Request("replicate", 403, "foreign-request", content=b'{"from": "http://127.0.0.1:9"}', prunes=True),
    Request("listRuns", 200, path={"job": "purge"}, query={"limit": "1", "before": "9"}, prunes=True),
    Request("listRuns", 400, "invalid-parameter", path={"job": "purge"}, query={"limit": "0"}),
    Request("listRuns", 404, "not-found", path={"job": "shred"}),
    Request("dueDrill", 200, query=LAPTOP),
    Request("dueDrill", 400, "invalid-name", query={"profile": "../x"}),
    Request("dueDrill", 404, "not-found", query={"profile": "nobody"}),
    Request("listDrills", 200, query={"limit": "3"}),
    Request("listDrills", 400, "invalid-parameter", query={"limit": "0"}),
    Request("reportDrill", 200, path={"id": DRILL}, content=REPORT, headers=NDJSON),
    Request("reportDrill", 404, "not-found", path={"id": "none"}, content=REPORT, headers=NDJSON),
    Request("reportDrill", 422, "report-invalid", path={"id": DRILL}, content=b"{}\n", headers=NDJSON),
    Request("alive", 200),
    Request("alive", 400, "bad-request-framing", headers={"Connection": "upgrade", "Upgrade": "websocket"}),
    Request("alive", 431, "headers-too-large", headers={"X-Long": "x" * 40_000}),
    Request("facts", 200, query={"profile": "laptop"}),
    Request("facts", 400, "invalid-name", query={"profile": "../x"}),
    Request("ready", 200),
    Request("description", 200),
    Request("description", 400, "invalid-encoding", query={"x": "\0"}),
]


@pytest.mark.parametrize("request_", STORIES, ids=str)
def test_a_known_request_is_answered_as_described(server: LiveServer, pruning: Pruning, request_: Request) -> None:
    """Status, code, headers and body of the answer to a request whose outcome is known are those described."""
    method, template = operations()[request_.operation]
    with pruning.client() if request_.prunes else server.client() as client:
        content, parameters = request_.content, dict(request_.path)
        if parameters.get("id") == DRILL:
            parameters["id"] = client.get("/api/v1/drills/due?profile=laptop").json()["drill"]["id"]
        path = template.format_map({name: quote(value, safe="/") for name, value in parameters.items()})
        if content == PLAN:
            plan = client.get(f"/api/v1/profiles/{request_.path['profile']}/prune").json()["plan"]
            content = content.replace(b"PLAN", plan.encode())
        query = dict(request_.query)
        if query.get("month") == MONTH:
            query["month"] = min(file.stem for file in (pruning.server.data / "evidence").iterdir())
        request = client.build_request(
            method,
            path,
            params=query,
            headers=request_.headers,
            content=content,
            data=request_.form or None,
            files={"file": request_.file} if request_.file else None,
        )
        request.read()  # so that schemathesis can read it afterwards
        answer = client.send(request)

    code = answer.json()["code"] if answer.status_code >= 400 and method != "HEAD" else None
    assert (answer.status_code, code) == (request_.status, request_.code)
    case = CONTRACT[template][method].Case(path_parameters=parameters)
    # all of schemathesis' checks of answers, but that 500 is never right: for a damaged archive it is what is promised
    case.validate_response(answer, excluded_checks=[not_a_server_error] if request_.status == 500 else None)


def test_every_operation_is_seen_to_succeed() -> None:
    """The requests above cover every operation and each way in which it succeeds."""
    seen = {(request.operation, request.status) for request in STORIES if request.status < 400}

    promised = {
        (operation["operationId"], int(status))
        for path, item in DOCUMENT["paths"].items()
        if not path.startswith(tus_headers.COLLECTION)  # test_resumable_uploads covers tus
        for method, operation in item.items()
        if method != "parameters"
        for status in operation["responses"]
        if int(status) < 400
    }
    # only a command on the host may name another server: tests/journeys/test_second_copy.py does
    assert seen == promised - {("replicate", 202)}


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_another_method_is_answered_with_those_there_are(server: LiveServer, path: str) -> None:
    """405 names every method that is described for the path, and HEAD beside GET."""
    with server.client() as client:
        answer = client.request("TRACE", re.sub(r"{\w+}", "FULL", path))

    described = {method for method, each in operations().values() if each == path}
    allowed = set(answer.headers["allow"].split(", "))
    assert answer.status_code == 405
    assert allowed == described | ({"HEAD"} if "GET" in described else set())
    validator("Problem405").validate(answer.json())


def test_the_document_is_served(server: LiveServer) -> None:
    """/openapi.json is the document in the package, as JSON."""
    with server.client() as client:
        assert client.get("/openapi.json").json() == DOCUMENT


# -- schemathesis ----------------------------------------------------------------------------------------------------


SCOPES: dict[str, list[str] | None] = {
    "no token": None,
    "every scope": [scope.value for scope in Scope],
    "admin": ["admin"],
    "list": ["list"],
}


TRIED = SCOPES if os.environ.get("LOAD") == "full" else {name: SCOPES[name] for name in ("no token", "every scope")}
UNGUESSABLE = {"applyPrunePlan", "approvePrunePlan", "undeleteArchive", "reportDrill", "showEvidence", "replicate"}
"""
These succeed only with the digest of a plan, for what is in the trash, for a drill that is under way, for a month in
which something was proven, or through the socket in the data directory.
"""


@pytest.mark.parametrize("scopes", TRIED.values(), ids=list(TRIED))
def test_schemathesis_finds_no_difference(tmp_path: Path, scopes: list[str] | None) -> None:
    """
    Hundreds of requests made from the document, valid and invalid, are all answered as it says; all checks on.

    Also by a server that requires a token, for one with every scope, for those without; then without a token, too.
    """
    report = tmp_path / "report.ndjson"
    document = tmp_path / "openapi.json"  # from its URL, schemathesis would leave out the operation at that URL
    document.write_bytes(msgspec.json.encode(DOCUMENT))
    rules = tmp_path / "profiles.toml"
    rules.write_text("[laptop.retention]\nkeep_last = 2\n")
    with live_server(tmp_path / "data", "--profiles", str(rules)) as running:
        with running.client() as client:
            for name in (FULL, "b.tar.gz", "c.tar.gz"):
                client.put(f"/api/v1/profiles/laptop/archives/FULL/{name}", content=CONTENT).raise_for_status()
                snapshot = f"/api/v1/profiles/laptop/archives/FULL/{name}/snapshot"
                client.put(snapshot, content=SNAPSHOT).raise_for_status()
            cursor = client.get("/api/v1/archives?limit=1").json()["next_cursor"]
            after_point = client.get("/api/v1/profiles/laptop/points?limit=1").json()["next_cursor"]
        token = []
        if scopes is not None:
            tokens = open_tokens(StorageSettings(data=running.data))
            made = tokens.make(frozenset({Scope.PRUNE}), ("*",))
            with running.client() as client:  # holds that can be released
                for name in (FULL, "b.tar.gz", "c.tar.gz"):
                    client.put(
                        f"/api/v1/profiles/laptop/archives/FULL/{name}/holds/audit",
                        json={"reason": "tax audit"},
                        headers={"Authorization": f"Bearer {made.text}"},
                    ).raise_for_status()
            made = tokens.make(frozenset(map(Scope, scopes)), ("*",))
            token = ["--header", f"Authorization: Bearer {made.text}"]
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
                *("--config-file", str(ROOT / "tests" / "support" / "schemathesis.toml")),
                *("run", str(document), "--url", running.url, "--report-ndjson-path", str(report), *token),
                # their requests are a conversation in headers, which only test_resumable_uploads can hold
                *("--exclude-path-regex", f"^{tus_headers.COLLECTION}"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TARKEEP_CURSOR": cursor,
                "TARKEEP_POINT_CURSOR": after_point,
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=1200,  # a hang ends it; how long it takes is up to the machine
        )

    assert run.returncode == 0, run.stdout + run.stderr
    succeeded, phases = read_report(report)
    asked = {
        name
        for name, (method, path) in operations().items()
        if not path.startswith(tus_headers.COLLECTION) and may_ask(method, path, scopes)
    }
    assert {name for name, statuses in succeeded.items() if statuses} - UNGUESSABLE == asked - UNGUESSABLE
    assert {"examples", "coverage", "fuzzing", "stateful"} <= phases
    if "getArchive" in asked:
        assert succeeded["getArchive"] >= {200, 206}


def may_ask(method: str, path: str, scopes: list[str] | None) -> bool:
    """Whether a token for these *scopes*, None being no token for a server without any, opens a route."""
    rows = {(method, path.replace(":path}", "}")): row for (method, path), row in access_table(routes()).items()}
    row = rows[method, path]
    given = {scope.value for scope in OPEN_SCOPES} if scopes is None else set(scopes)
    return not row.scopes or any(scope.value in given for scope in row.scopes)


def read_report(report: Path) -> tuple[dict[str, set[int]], set[str]]:
    """The statuses below 300 seen by each operation in *report*, and the phases that made requests."""
    ids = {route: name for name, route in operations().items()}
    succeeded: dict[str, set[int]] = defaultdict(set)
    phases = set()
    for line in report.read_text().splitlines():
        finished = json.loads(line).get("ScenarioFinished")
        if finished is None:
            continue
        for key, interaction in finished["recorder"].get("interactions", {}).items():
            case = finished["recorder"]["cases"][key]["value"]
            phases.add(finished["phase"])
            if interaction["response"]["status_code"] < 300:
                succeeded[ids[case["method"], case["path"]]].add(interaction["response"]["status_code"])
    return succeeded, phases
