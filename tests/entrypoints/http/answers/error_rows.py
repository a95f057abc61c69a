"""
The table behind `test_error_table`: for every error that a client can get, a request that causes it.

Rows on the wire run against a real server with small limits and short patience; rows with a fault run in this process
over memory adapters that fail at a named call.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
from collections.abc import Callable

from attrs import field, frozen

from tarkeep.domain.errors.archives import ArchiveProtected
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, ReadOnly
from tarkeep.domain.errors.settings import FormatUnknown
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.archives import digests_of, make_targz
from tests.support.faulty import Fault
from tests.support.forms import NAME, field_part, file_part, form, form_headers
from tests.support.raw_http import Answer, RawConnection, request, talk

Address = tuple[str, int]
Ask = Callable[[Address], Answer]

LIMIT_BYTES = 65_536
MAX_OPEN = 4
OPTIONS = (
    *("--max-upload-bytes", str(LIMIT_BYTES), "--max-inventory-bytes", "2000", "--max-uploads", "1"),
    *("--upload-wait-seconds", "1", "--max-open-uploads-per-client", "4"),
    *("--header-seconds", "2", "--body-seconds", "3", "--max-unpacked-bytes", "1M", "--max-members", "50"),
    *("--max-snapshot-bytes", "1000"),
)
GOOD = make_targz({"hello.txt": b"good\n"})
STORED = make_targz({"hello.txt": b"stored\n"})
PLACE = "/api/v1/profiles/table/archives/FULL/"
STORED_PLACE = PLACE + "stored.tar.gz"
PROFILE = "/api/v1/profiles/table"
ORPHAN = "/api/v1/profiles/orphan"  # its only archive is an INC
NAMES_SEVERAL = "both.tar.gz"
NDJSON = {"Content-Type": "application/x-ndjson"}


@frozen
class Row:
    """
    *ask* is answered with *status* and *code*; *members* are the extras.

    *closes*: whether the connection must close; None if that depends on how much of the body was read by then.
    """

    status: int
    code: str
    what: str
    ask: Ask
    closes: bool | None = False
    members: tuple[str, ...] = field(default=())
    headers: tuple[str, ...] = field(default=())


@frozen
class FaultRow:
    """With *fault* in an adapter, *method* on *target* is answered with *status* and *code*."""

    status: int
    code: str
    fault: Fault
    method: str
    target: str
    part: str = "catalog"


def put_stored(address: Address) -> None:
    """Store what some rows need: archives, one name in two profiles, one in two types, and a snapshot file."""
    places = [STORED_PLACE, PLACE + "twice.tar.gz", PLACE.replace("/table/", "/other/") + "twice.tar.gz"]
    places += [PLACE + NAMES_SEVERAL, PLACE.replace("/FULL/", "/INC/") + NAMES_SEVERAL]
    for place in (*places, f"{ORPHAN}/archives/INC/orphan.tar.gz"):
        assert exchange(address, request("PUT", place, body=STORED)).status in (200, 201)
    assert exchange(address, request("PUT", STORED_PLACE + "/snapshot", body=b"GNU tar-1.34-2\n")).status in (200, 201)


def exchange(address: Address, payload: bytes) -> Answer:
    with RawConnection(address) as connection:
        return connection.exchange(payload)


def sends(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Ask:
    return lambda address: exchange(address, request(method, target, headers, body))


def gets(target: str, **headers: str) -> Ask:
    return sends("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})


def puts(body: bytes, name: str = "new.tar.gz", **headers: str) -> Ask:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return sends("PUT", PLACE + name, {"Content-Length": str(len(body)), **named}, body)


def keeps(body: bytes, place: str = STORED_PLACE, **headers: str) -> Ask:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return sends("PUT", place + "/snapshot", {"Content-Length": str(len(body)), **named}, body)


def posts_form(*parts: bytes, closed: bool = True) -> Ask:
    return sends("POST", "/upload", form_headers(), form(*parts, closed=closed))


def posts_raw_form(body: bytes) -> Ask:
    return sends("POST", "/upload", form_headers(), body)


def verifies(body: object, target: str = "/verify", headers: dict[str, str] | None = None) -> Ask:
    return sends("POST", target, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def says(payload: bytes) -> Ask:
    """Send bytes that get one answer, after which the connection is closed."""

    def ask(address: Address) -> Answer:
        (answer,) = talk(address, payload)
        return answer

    return ask


def chunked(size: int, target: str, method: str = "PUT") -> bytes:
    """A request with a chunked body of *size* zero bytes, its last chunk missing."""
    block = b"%x\r\n%s\r\n" % (1 << 16, bytes(1 << 16))
    return request(method, target, {"Transfer-Encoding": "chunked"}) + block * (size >> 16)


def while_another_uploads(address: Address) -> Answer:
    """PUT while a first upload is being received, as the server's 100 Continue shows."""
    with socket.create_connection(address, timeout=20) as first:
        first.sendall(request("PUT", PLACE + "first.tar.gz", {"Expect": "100-continue", "Content-Length": "9"}))
        assert first.recv(100).startswith(b"HTTP/1.1 100 ")
        return puts(GOOD)(address)


def stalls(address: Address) -> Answer:
    with RawConnection(address) as connection:
        return connection.exchange(request("PUT", PLACE + "stalled.tar.gz", {"Content-Length": "1000"}) + b"\x1f\x8b")


UPLOADS = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def begins(length: int = 10, parent: bytes = b"", **headers: str) -> bytes:
    said = UPLOAD_NAMES | ({"parent": parent, "filename": b"child.tar.gz"} if parent else {})
    described = ",".join(f"{name} {b64(value)}" for name, value in said.items())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request("POST", UPLOADS, {**TUS, "Upload-Length": str(length), "Upload-Metadata": described, **named})


UPLOAD_NAMES = {"filename": b"row.tar.gz", "profile": b"table", "type": b"FULL"}


def goes_on(method: str, headers: dict[str, str], body: bytes = b"", begun: bytes | None = None) -> Ask:
    """Begin an upload, and send a request about it; it is abandoned afterwards."""

    def ask(address: Address) -> Answer:
        upload = exchange(address, begun or begins()).headers["location"]
        try:
            return exchange(address, request(method, upload, headers, body))
        finally:
            exchange(address, request("DELETE", upload, TUS))

    return ask


def asks_what_was_given_up(address: Address) -> Answer:
    upload = exchange(address, begins()).headers["location"]
    assert exchange(address, request("DELETE", upload, TUS)).status == 204
    return gets(upload)(address)


def appends_to_a_concatenation(address: Address) -> Answer:
    whole = make_targz({"final.txt": b"final\n"})
    part = exchange(address, begins(len(whole), Upload_Concat="partial")).headers["location"]
    exchange(address, request("PATCH", part, {**BYTES, "Upload-Offset": "0"}, whole))
    final = exchange(address, begins_final(part)).headers["location"]
    return exchange(address, request("PATCH", final, {**BYTES, "Upload-Offset": str(len(whole))}, b"x"))


def begins_final(parts: str) -> bytes:
    described = ",".join(f"{name} {b64(value)}" for name, value in UPLOAD_NAMES.items())
    return request("POST", UPLOADS, {**TUS, "Upload-Concat": f"final;{parts}", "Upload-Metadata": described})


def begins_too_many(address: Address) -> Answer:
    begun = [exchange(address, begins()) for _ in range(MAX_OPEN + 1)]
    for answer in begun[:-1]:
        exchange(address, request("DELETE", answer.headers["location"], TUS))
    return begun[-1]


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def local(**entry: object) -> dict[str, object]:
    return {"local_backups": {"FULL": [{"name": "a.tar.gz", **entry}]}}


FILE = file_part(GOOD)
ZEROS = gzip.compress(bytes(4 << 20))
FRAMING, ENCODING, PARTS = "bad-request-framing", "invalid-encoding", "multipart-parts"
NO_HOST = b"GET /healthz HTTP/1.1\r\n\r\n"
TWO_HOSTS = b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
SMUGGLED = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

ROWS = [
    Row(400, FRAMING, "no Host", says(NO_HOST), closes=True),
    Row(400, FRAMING, "two Hosts", says(TWO_HOSTS), closes=True),
    Row(400, FRAMING, "two lengths", says(SMUGGLED), closes=True),
    Row(400, ENCODING, "NUL in a path", gets("/list/FULL%00")),
    Row(400, ENCODING, "line feed in a path", gets("/download/FULL/a%0Ab.tar.gz")),
    Row(400, ENCODING, "bad UTF-8 in a path", gets("/download/FULL/%ff.tar.gz")),
    Row(400, ENCODING, "surrogate in a path", gets("/download/FULL/%ed%a0%80.tar.gz")),
    Row(400, ENCODING, "bad percent encoding", gets("/list/%zz")),
    Row(400, ENCODING, "control character in a query", gets("/list?profile=%1b")),
    Row(400, ENCODING, "bad UTF-8 in a query", gets("/list?profile=%c3")),
    Row(400, ENCODING, "NUL in a field", posts_form(field_part("profile", "a\0b"), FILE)),
    Row(400, ENCODING, "bad UTF-8 in a field", posts_form(field_part("type", b"\xff"), FILE)),
    Row(400, ENCODING, "tab in a filename", posts_form(file_part(GOOD, "a\tb.tar.gz"))),
    Row(400, ENCODING, "bad UTF-8 in a filename", posts_form(file_part(GOOD, b"a\xff.tar.gz"))),
    Row(400, "invalid-type", "list of no type", gets("/list/WEEKLY")),
    Row(400, "invalid-type", "query with no type", gets("/api/v1/archives?type=WEEKLY")),
    Row(400, "invalid-type", "download of no type", gets("/download/WEEKLY/a.tar.gz")),
    Row(
        400, "invalid-type", "PUT of no type", sends("PUT", PLACE.replace("FULL", "X") + NAME, None, GOOD), closes=True
    ),
    Row(400, "invalid-type", "form with no type", posts_form(field_part("type", "WEEKLY"), FILE)),
    Row(400, "invalid-type", "inventory of no type", verifies({"local_backups": {"WEEKLY": [{"name": "a"}]}})),
    Row(400, "invalid-type", "line of no type", verifies({"name": "a", "type": "W"}, "/api/v1/verify", NDJSON)),
    Row(400, "invalid-name", "PUT of a zip", puts(GOOD, "a.zip"), closes=True, members=("rule", "what")),
    Row(400, "invalid-name", "form with a zip", posts_form(file_part(GOOD, "a.zip")), members=("rule", "what")),
    Row(400, "invalid-name", "form with no name", posts_form(file_part(GOOD, ""))),
    Row(400, "invalid-name", "form with a path", posts_form(file_part(GOOD, "../../a.tar.gz"))),
    Row(400, "invalid-name", "profile in a form", posts_form(FILE, field_part("profile", "../a"))),
    Row(400, "invalid-name", "profile in a path", gets("/api/v1/profiles/-a")),
    Row(400, "invalid-name", "profile in a query", gets("/list?profile=a%20b")),
    Row(400, "invalid-name", "profile of an inventory", verifies({"local_backups": {}, "profile": "a/b"})),
    Row(400, "invalid-parameter", "limit", gets("/api/v1/archives?limit=0")),
    Row(400, "invalid-parameter", "cursor", gets("/api/v1/archives?cursor=AAAA")),
    Row(400, "invalid-parameter", "a part of an archive", puts(GOOD, Content_Range="bytes 0-1/2"), closes=True),
    Row(400, "invalid-parameter", "a time that is none", gets(PROFILE + "/plan?at=yesterday")),
    Row(400, "invalid-parameter", "a day that is none", gets(PROFILE + "/plan?at=2026-02-30")),
    Row(400, "invalid-parameter", "before all times", gets(PROFILE + "/plan?at=0001-01-01T00:00:00%2B05:00")),
    Row(
        400,
        "invalid-parameter",
        "after all times",
        puts(GOOD, Tarkeep_Taken_At="9999-12-31T23:00:00-05:00"),
        closes=True,
    ),
    Row(400, "invalid-parameter", "a time without zone", puts(GOOD, Tarkeep_Taken_At="2026-11-24T02:00"), closes=True),
    Row(400, "invalid-parameter", "a parent without type", puts(GOOD, Tarkeep_Parent="a.tar.gz"), closes=True),
    Row(400, "invalid-parameter", "a bare backslash", gets(PROFILE + "/tree?path=a%5Cb")),
    Row(400, "invalid-parameter", "a cursor with a bare backslash", gets(PROFILE + "/tree?cursor=%5C")),
    Row(400, "invalid-parameter", "a member with a bare backslash", gets(STORED_PLACE + "/members/%5Cx1")),
    Row(400, "invalid-parameter", "a cursor that is no number", gets(STORED_PLACE + "/members?cursor=x")),
    Row(400, "invalid-parameter", "nothing to find", gets(PROFILE + "/find?name=")),
    Row(400, "invalid-parameter", "no path's history", gets(PROFILE + "/history")),
    Row(400, "invalid-parameter", "recursive", gets(PROFILE + "/tree?recursive=yes")),
    Row(400, "invalid-parameter", "format", gets(PROFILE + "/plan?format=pdf")),
    Row(400, "invalid-parameter", "snapshot", gets(PROFILE + "/base?snapshot=1")),
    Row(400, ENCODING, "NUL in a time", gets(PROFILE + "/plan?at=%00")),
    Row(400, ENCODING, "line feed in a path of a tree", gets(PROFILE + "/tree?path=a%0Ab")),
    Row(400, ENCODING, "control character in a parent", puts(GOOD, Tarkeep_Parent="FULL/a%1b.tar.gz"), closes=True),
    Row(400, "invalid-type", "a point of no type", gets(PROFILE + "/plan?at=WEEKLY/a.tar.gz")),
    Row(400, "invalid-type", "a point that is a path", gets(PROFILE + "/plan?at=../FULL/a.tar.gz")),
    Row(400, "invalid-type", "a base of no type", gets(PROFILE + "/base?type=WEEKLY")),
    Row(400, "invalid-name", "a point of no name", gets(PROFILE + "/plan?at=FULL/-.tar.gz")),
    Row(400, "invalid-name", "a parent of no name", puts(GOOD, Tarkeep_Parent="FULL/../a.tar.gz"), closes=True),
    Row(400, "invalid-name", "points of no profile", gets("/api/v1/profiles/-a/points")),
    Row(400, "digest-invalid", "snapshot", puts(GOOD, Tarkeep_Snapshot_Before="xyz"), closes=True),
    Row(400, "invalid-json", "inventory cut off", verifies(b'{"local_backups": {')),
    Row(400, "invalid-json", "inventory of bad UTF-8", verifies(b'{"local_backups": {"FULL": [{"name": "\xff"}]}}')),
    Row(400, "invalid-json", "inventory without end", verifies(b'{"x": ' + b"[" * 1900)),
    Row(400, "invalid-json", "bad line", verifies(b'{"name": \n', "/api/v1/verify", NDJSON)),
    Row(422, "validation-failed", "inventory that is a list", verifies([]), members=("errors",)),
    Row(422, "validation-failed", "name that is a number", verifies(local(name=1)), members=("errors",)),
    Row(422, "validation-failed", "negative size", verifies(local(size=-1)), members=("errors",)),
    Row(422, "validation-failed", "bad digest", verifies(local(md5="xyz")), members=("errors",)),
    Row(422, "validation-failed", "one name twice", verifies({"local_backups": {"FULL": [{"name": "a"}] * 2}})),
    Row(422, "validation-failed", "line without type", verifies({"name": "a"}, "/api/v1/verify", NDJSON)),
    Row(400, "multipart-malformed", "not a form", sends("POST", "/upload", None, GOOD), closes=True),
    Row(400, "multipart-malformed", "no boundary", sends("POST", "/upload", form_headers(""), GOOD), closes=True),
    Row(400, "multipart-malformed", "bare line feeds", posts_raw_form(form(FILE).replace(b"\r\n", b"\n"))),
    Row(400, "multipart-malformed", "part without name", posts_form(b"Content-Type: text/plain\r\n\r\nx")),
    Row(400, "multipart-incomplete", "no closing boundary", posts_form(FILE, closed=False)),
    Row(400, "multipart-incomplete", "nothing at all", sends("POST", "/upload", form_headers())),
    Row(400, PARTS, "no file", posts_form(field_part("type", "FULL"))),
    Row(400, PARTS, "two files", posts_form(FILE, FILE)),
    Row(400, PARTS, "file without filename", posts_form(field_part("file", "x"))),
    Row(400, PARTS, "too many parts", posts_form(*[field_part("x", "y")] * 17, FILE)),
    Row(400, PARTS, "too large a field", posts_form(field_part("x", "y" * 5000), FILE)),
    Row(400, PARTS, "too large a part header", posts_form(field_part("x" * 5000, "y"), FILE)),
    Row(400, PARTS, "a field twice", posts_form(*[field_part("type", "INC")] * 2, FILE)),
    Row(400, "digest-mismatch", "PUT", puts(GOOD, X_Checksum_Sha256="0" * 64), members=("declared", "actual")),
    Row(400, "digest-mismatch", "form", posts_form(FILE, field_part("md5", "0" * 32))),
    Row(400, "digest-invalid", "header", puts(GOOD, Repr_Digest="sha-256=x"), closes=True),
    Row(400, "digest-invalid", "field", posts_form(FILE, field_part("sha256", "xyz"))),
    Row(
        400,
        "digest-invalid",
        "two that differ",
        puts(GOOD, Repr_Digest=f"md5=:{b64(bytes(16))}:", Content_MD5=b64(b"x" * 16)),
        closes=True,
    ),
    Row(
        400,
        "digest-unsupported",
        "sha-512",
        puts(GOOD, Repr_Digest="sha-512=:AAAA:"),
        closes=True,
        members=("supported",),
    ),
    Row(404, "not-found", "no route", gets("/nowhere")),
    Row(404, "not-found", "no route, with a body", sends("POST", "/nowhere", None, GOOD), closes=True),
    Row(400, FRAMING, "strange Host", sends("GET", "/nowhere", {"Host": "["}), closes=True),
    Row(403, "foreign-request", "foreign Host, with a body", puts(GOOD, Host="evil.example"), closes=True),
    Row(404, "not-found", "no archive", gets("/download/FULL/none.tar.gz")),
    Row(404, "not-found", "download of a zip", gets("/download/FULL/a.zip")),
    Row(404, "not-found", "no archive in v1", gets(PLACE + "none.tar.gz")),
    Row(404, "not-found", "no profile", gets("/api/v1/profiles/nobody")),
    Row(404, "not-found", "no points", gets("/api/v1/profiles/nobody/points")),
    Row(404, "not-found", "no point so early", gets(PROFILE + "/plan?at=1970-01-01")),
    Row(404, "not-found", "no point of that name", gets(PROFILE + "/plan?at=none.tar.gz")),
    Row(404, "not-found", "nothing to continue from", gets(PROFILE + "/base?type=FULL")),
    Row(404, "not-found", "no path to restore", gets(PROFILE + "/restore.tar?path=nowhere")),
    Row(404, "not-found", "no path to look at", gets(PROFILE + "/tree?path=nowhere")),
    Row(404, "not-found", "no snapshot file", gets(PLACE + "twice.tar.gz/snapshot")),
    Row(404, "not-found", "no member", gets(STORED_PLACE + "/members/nowhere")),
    Row(404, "not-found", "no archive for a snapshot", keeps(b"x", PLACE + "none.tar.gz")),
    Row(405, "method-not-allowed", "GET of an action", gets("/upload"), headers=("allow",)),
    Row(405, "method-not-allowed", "PUT of members", sends("PUT", STORED_PLACE + "/members"), headers=("allow",)),
    Row(405, "method-not-allowed", "PUT of a member", sends("PUT", STORED_PLACE + "/members/a"), headers=("allow",)),
    Row(405, "method-not-allowed", "DELETE of an archive", sends("DELETE", STORED_PLACE), headers=("allow",)),
    Row(408, "request-timeout", "late head", says(b"GET / HTTP/1.1\r\nHost: a\r\n"), closes=True),
    Row(408, "request-timeout", "silent connection", says(b""), closes=True),
    Row(408, "request-timeout", "stalled body", stalls, closes=True),
    Row(409, "name-conflict", "other bytes", puts(GOOD, "stored.tar.gz"), members=("existing_sha256",)),
    Row(409, "ambiguous-profile", "one name, two profiles", gets("/download/FULL/twice.tar.gz"), members=("profiles",)),
    Row(409, "name-conflict", "another snapshot file", keeps(b"GNU tar-1.34-2\n\n")),
    Row(409, "ambiguous-type", "one name, two types", gets(f"{PROFILE}/plan?at={NAMES_SEVERAL}"), members=("types",)),
    Row(
        409,
        "not-restorable",
        "an INC alone",
        gets(ORPHAN + "/restore.tar"),
        members=("point", "obstacles", "nearest"),
    ),
    Row(
        409,
        "parent-mismatch",
        "no such parent, PUT",
        puts(GOOD, "child.tar.gz", Tarkeep_Parent="FULL/none.tar.gz"),
        closes=True,
        members=("expected",),
    ),
    Row(
        409,
        "parent-mismatch",
        "no such parent, form",
        posts_form(field_part("parent", "FULL/none.tar.gz"), FILE),
        members=("expected",),
    ),
    Row(
        409,
        "parent-mismatch",
        "no such parent, tus",
        lambda at: exchange(at, begins(parent=b"FULL/none.tar.gz")),
        members=("expected",),
    ),
    Row(412, "precondition-failed", "If-Match", gets(STORED_PLACE, If_Match='"x"')),
    Row(
        412,
        "precondition-failed",
        "If-Unmodified-Since",
        gets(STORED_PLACE, If_Unmodified_Since="Thu, 01 Jan 1970 00:00:00 GMT"),
    ),
    Row(413, "too-large", "announced", puts(b"", Content_Length="9999999999"), closes=True, members=("limit",)),
    Row(413, "too-large", "found out", says(chunked(16 << 20, PLACE + NAME)), closes=True, members=("limit",)),
    Row(413, "too-large", "snapshot", keeps(bytes(1001)), closes=True, members=("limit", "setting")),
    Row(413, "too-large", "inventory", verifies(b" " * 2001), closes=True, members=("limit",)),
    Row(413, "too-large", "unpacks too far", puts(ZEROS), members=("limit", "setting")),
    Row(413, "too-large", "too many members", puts(make_targz({f"{n}": b"" for n in range(51)})), members=("setting",)),
    Row(
        416,
        "range-not-satisfiable",
        "beyond the end",
        gets(STORED_PLACE, Range="bytes=9999-"),
        headers=("content-range",),
    ),
    Row(422, "empty-archive", "PUT of nothing", puts(b"")),
    Row(422, "empty-archive", "a snapshot file of nothing", keeps(b"")),
    Row(422, "empty-archive", "form with an empty file", posts_form(file_part(b""))),
    Row(422, "not-a-gzip", "text", puts(b"hello, I am a text file"), members=("offset",)),
    Row(422, "gzip-damaged", "cut", puts(GOOD[:-9]), members=("offset",)),
    Row(422, "gzip-damaged", "wrong sum", puts(GOOD[:-8] + bytes(8)), members=("offset",)),
    Row(422, "not-a-tar", "gzip of a text", puts(gzip.compress(b"hello\n" * 100)), members=("offset",)),
    Row(
        431,
        "headers-too-large",
        "40 KB",
        says(request("GET", "/", {"X": "y" * 40_000})),
        closes=True,
        members=("limit",),
    ),
    Row(
        431,
        "headers-too-large",
        "200 headers",
        says(request("GET", "/", {f"X-{n}": "y" for n in range(200)})),
        closes=True,
    ),
    Row(400, "invalid-parameter", "no length", sends("POST", UPLOADS, TUS)),
    Row(400, "invalid-parameter", "no metadata", sends("POST", UPLOADS, {**TUS, "Upload-Length": "5"})),
    Row(400, "invalid-parameter", "a length that contradicts", goes_on("PUT", {}, b"x" * 11), closes=None),
    Row(
        400,
        "digest-unsupported",
        "crc32",
        goes_on("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Checksum": "crc32 x"}),
    ),
    Row(400, "parts-unusable", "nothing to concatenate", lambda at: exchange(at, begins_final(""))),
    Row(403, "upload-final", "bytes for a concatenation", appends_to_a_concatenation, closes=None),
    Row(404, "not-found", "unknown upload", gets(UPLOADS + "/unknown")),
    Row(
        409,
        "offset-mismatch",
        "another offset",
        goes_on("PATCH", {**BYTES, "Upload-Offset": "5"}, b"x"),
        members=("upload_offset",),
        closes=None,
    ),
    Row(410, "gone", "an upload that was given up", asks_what_was_given_up),
    Row(412, "tus-version", "no version", sends("POST", UPLOADS), headers=("tus-version",)),
    Row(413, "too-large", "longer than allowed", lambda at: exchange(at, begins(LIMIT_BYTES + 1)), members=("limit",)),
    Row(
        413,
        "too-large",
        "beyond its length",
        goes_on("PATCH", {**BYTES, "Upload-Offset": "0"}, b"x" * 11),
        members=("limit",),
        closes=None,
    ),
    Row(
        415,
        "unsupported-media-type",
        "another type",
        goes_on("PATCH", {**TUS, "Upload-Offset": "0"}, b"x"),
        closes=None,
    ),
    Row(422, "empty-archive", "an upload of nothing", lambda at: exchange(at, begins(0))),
    Row(429, "too-many-requests", "too many", begins_too_many, members=("limit", "setting"), headers=("retry-after",)),
    Row(
        460,
        "checksum-mismatch",
        "another checksum",
        goes_on("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Checksum": "sha1 " + b64(bytes(20))}, b"x"),
        closes=None,
    ),
    Row(503, "overloaded", "one upload too many", while_another_uploads, headers=("retry-after",)),
]

PUT_NEW = ("PUT", PLACE + "new.tar.gz")
HELD = ArchiveId("table", BackupType.FULL, "held.tar.gz")
FAULT_ROWS = [
    FaultRow(507, "insufficient-storage", Fault("write", InsufficientStorage()), *PUT_NEW, part="store"),
    FaultRow(507, "insufficient-storage", Fault("seal", InsufficientStorage(10, 5)), *PUT_NEW, part="store"),
    FaultRow(507, "insufficient-storage", Fault("claim", InsufficientStorage()), *PUT_NEW),
    FaultRow(503, "read-only", Fault("begin", ReadOnly()), *PUT_NEW, part="store"),
    FaultRow(503, "read-only", Fault("claim", ReadOnly()), *PUT_NEW),
    FaultRow(503, "catalog-busy", Fault("claim", CatalogBusy()), *PUT_NEW),
    FaultRow(503, "catalog-busy", Fault("totals", CatalogBusy()), "GET", "/stats"),
    FaultRow(503, "backend-unavailable", Fault("page", BackendUnavailable("catalog")), "GET", "/list"),
    FaultRow(503, "backend-unavailable", Fault("totals", BackendUnavailable("catalog")), "GET", "/readyz"),
    FaultRow(503, "read-only", Fault("begin", ReadOnly()), "GET", "/readyz", part="store"),
    FaultRow(503, "backend-unavailable", Fault("publish", BackendUnavailable("store", "gone")), *PUT_NEW, "store"),
    FaultRow(503, "backend-unavailable", Fault("read", BackendUnavailable("store")), "GET", STORED_PLACE, "store"),
    FaultRow(409, "held", Fault("publish", ArchiveProtected(HELD, ("hold audit: it is needed",))), *PUT_NEW, "store"),
    FaultRow(500, "internal-error", Fault("page", RuntimeError("SELECT * FROM /srv/secret")), "GET", "/list"),
    FaultRow(500, "internal-error", Fault("publish", OSError(5, "I/O error", "/srv/secret")), *PUT_NEW, "store"),
    FaultRow(500, "internal-error", Fault("totals", FormatUnknown("/srv/secret")), "GET", "/stats"),
]
STORED_SHA256 = digests_of(STORED).sha256
