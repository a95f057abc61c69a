"""
The same requests to this server and to npm's ``@tus/server``: every difference is explained, or is a fault.

A story is a list of requests about uploads that it names itself; some are written by hand, the others are drawn from
seeds. The status and the header fields of tus are compared. If one server obeys and the other refuses, the story ends
there: further requests about that upload could not be compared.
"""

from __future__ import annotations

import base64
import hashlib
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path

import httpx2
import pytest
from attrs import Factory, frozen

from tests.support.archives import make_targz
from tests.support.server import live_server

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
CONTENT = make_targz({"noise": random.Random(3).randbytes(2000)})
MAX_BYTES = 1 << 20
STORIES_DRAWN = 80

COMPARED = (
    "Location",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Metadata",
    "Upload-Concat",
    "Upload-Expires",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Cache-Control",
)
OPAQUE = ("Location", "Upload-Expires")  # each server has its own values: only their presence is compared


@frozen
class Step:
    """A request. *label* is its name in the table; *upload* is the upload it is about, "" for the collection."""

    label: str
    method: str
    upload: str = ""
    headers: dict[str, str] = Factory(dict)
    body: bytes | None = None
    creates: str = ""


Story = list[Step]
Seen = dict[str, str]
Difference = tuple[str, str, str, str]
"""The request, the field that differs, this server's value and the other's; "-" is no value."""

_ALL_OF_IT = "every answer tells all of where the upload stands, so that no HEAD is needed after it"
_VERSION = "Tus-Resumable: of a version that is not supported the answer MUST be 412 and MUST include Tus-Version"
_MEDIA_TYPE = "PATCH: with another Content-Type the server SHOULD return 415"
_NO_CHECKSUM = "its file store does not have the extension, and ignores the field"
_NO_CONCATENATION = "its file store does not have the extension"
_OWN_EXTENSIONS = "what this server has besides"

# the request (* is any), field, this server's value, the other's value, and why; quotations: tus 1.0.0
EXPLAINED = [
    ("*", "Cache-Control", "no-store", "-", "only HEAD must have it; but no answer that tells an offset may be cached"),
    ("*", "Upload-Length", "all", "-", _ALL_OF_IT),
    ("*", "Upload-Metadata", "as sent", "-", _ALL_OF_IT),
    ("*deferred*", "Upload-Defer-Length", "1", "-", _ALL_OF_IT),
    ("create*", "Upload-Offset", "0", "-", _ALL_OF_IT),
    ("ask*", "Upload-Expires", "given", "-", _ALL_OF_IT),
    ("* another version*", "status", "412", "400", _VERSION),
    ("* another version*", "Tus-Version", "1.0.0", "-", _VERSION),
    ("* without a version", "Tus-Version", "1.0.0", "-", _VERSION),
    ("ask without a version", "status", "200", "412", "curl alone may ask where it is to go on, and knows no tus"),
    ("* a deleted upload", "status", "410", "404", "Termination: 404 or 410, and it is known that there was one"),
    ("patch of another type*", "status", "415", "400", _MEDIA_TYPE),
    ("patch without a type", "status", "415", "403", _MEDIA_TYPE),
    ("patch without an offset", "status", "400", "403", "no status is named; 403 would mean that nobody may do this"),
    (
        "declare the length again",
        "status",
        "204",
        "400",
        "Upload-Length MUST NOT change, and it did not: a retry is harmless",
    ),
    ("patch by another name", "status", "204", "400", "X-HTTP-Method-Override MUST be taken for the method"),
    ("create with length 0", "status", "422", "201", "an archive of no bytes is none"),
    (
        "create without metadata",
        "status",
        "400",
        "201",
        "it says which archive this is; without it nothing can be stored",
    ),
    ("create partial", "status", "201", "501", _NO_CONCATENATION),
    ("create final of nothing", "status", "400", "501", _NO_CONCATENATION),
    ("patch with a wrong checksum", "status", "460", "204", _NO_CHECKSUM),
    ("patch with an unknown checksum", "status", "400", "204", _NO_CHECKSUM),
    ("options*", "Tus-Checksum-Algorithm", "sha1,sha256,md5", "-", _OWN_EXTENSIONS),
    (
        "options*",
        "Tus-Extension",
        "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation",
        "creation,creation-with-upload,creation-defer-length,termination,expiration",
        _OWN_EXTENSIONS,
    ),
]

_names = count()


def about() -> dict[str, str]:
    """Metadata of an archive that is unique to a story."""
    words = {"filename": f"story-{next(_names)}.tar.gz", "profile": "stories", "type": "FULL"}
    return {
        "Upload-Metadata": ",".join(f"{key} {base64.b64encode(word.encode()).decode()}" for key, word in words.items())
    }


def length(size: int = len(CONTENT)) -> dict[str, str]:
    return {"Upload-Length": str(size)}


def create(label: str = "create", *, upload: str = "a", body: bytes | None = None, **given: str) -> Step:
    """A creation with a length, metadata, and additional fields *given*; a value of "" removes a field."""
    fields = {**(TUS if body is None else BYTES), **length(), **about()}
    return Step(label, "POST", "", _with(fields, given), body, creates=upload)


def patch(label: str, offset: int, body: bytes, *, upload: str = "a", **given: str) -> Step:
    return Step(label, "PATCH", upload, _with({**BYTES, "Upload-Offset": str(offset)}, given), body)


def head(label: str = "ask", *, upload: str = "a") -> Step:
    return Step(label, "HEAD", upload, TUS)


def delete(label: str = "delete", *, upload: str = "a") -> Step:
    return Step(label, "DELETE", upload, TUS)


def _with(fields: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    merged = {**fields, **{name.replace("_", "-"): value for name, value in given.items()}}
    return {name: value for name, value in merged.items() if value}


def checksum(body: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"


HALF, REST = CONTENT[:1000], CONTENT[1000:]
DEFERRED = {"Upload_Length": "", "Upload_Defer_Length": "1"}


def by_hand() -> dict[str, Story]:
    """Stories that each go through one part of the protocol."""
    return {
        "options": [
            Step("options", "OPTIONS"),
            Step("options of a version", "OPTIONS", headers={"Tus-Resumable": "0.2.2"}),
        ],
        "whole": [
            create(),
            head(),
            patch("patch", 0, HALF),
            head(),
            patch("patch to the end", 1000, REST),
            head("ask of a finished upload"),
        ],
        "creation refused": [
            create("create without a length", Upload_Length=""),
            create("create with a length and a deferred one", Upload_Defer_Length="1"),
            create("create with a deferred length of 2", Upload_Length="", Upload_Defer_Length="2"),
            create("create with a negative length", Upload_Length="-1"),
            create("create with a length that is no number", Upload_Length="ten"),
            create("create too large", Upload_Length=str(MAX_BYTES + 1)),
            create("create without a version", Tus_Resumable=""),
            create("create with another version", Tus_Resumable="0.2.2"),
            create("create with unreadable metadata", Upload_Metadata="filename ***"),
            create("create with a key twice", Upload_Metadata="filename YQ==,filename YQ=="),
        ],
        "creation without metadata": [create("create without metadata", Upload_Metadata=""), head()],
        "creation of nothing": [create("create with length 0", Upload_Length="0"), head()],
        "creation with some bytes": [
            create("create with bytes", body=HALF),
            head(),
            patch("patch to the end", 1000, REST),
        ],
        "creation with all bytes": [create("create with all bytes", body=CONTENT), head("ask of a finished upload")],
        "creation with too many bytes": [create("create with bytes beyond the length", body=CONTENT + b"x")],
        "creation with a foreign body": [
            create("create with a body of another type", body=b"{}", Content_Type="text/plain"),
            head(),
        ],
        "deferred": [
            create("create deferred", body=None, **DEFERRED),
            head("ask of a deferred upload"),
            patch("patch of a deferred upload", 0, HALF),
            head("ask of a deferred upload"),
            patch("declare a length below the offset", 1000, b"", Upload_Length="999"),
            patch("declare too large a length", 1000, b"", Upload_Length=str(MAX_BYTES + 1)),
            patch("declare the length", 1000, b"", Upload_Length=str(len(CONTENT))),
            head(),
            patch("declare the length again", 1000, b"", Upload_Length=str(len(CONTENT))),
        ],
        "deferred to another": [
            create("create deferred", body=None, **DEFERRED),
            patch("declare the length with bytes", 0, HALF, Upload_Length=str(len(CONTENT))),
            patch("declare another length", 1000, b"", Upload_Length=str(len(CONTENT) + 1)),
            head(),
        ],
        "patch refused": [
            create(),
            patch("patch", 0, HALF),
            patch("patch before the offset", 0, HALF),
            patch("patch behind the offset", 1001, REST),
            patch("patch without an offset", 0, REST, Upload_Offset=""),
            patch("patch at a negative offset", 0, REST, Upload_Offset="-1"),
            patch("patch at an offset that is no number", 0, REST, Upload_Offset="one"),
            patch("patch of another type", 1000, REST, Content_Type="application/octet-stream"),
            patch("patch without a type", 1000, REST, Content_Type=""),
            patch("patch without a version", 1000, REST, Tus_Resumable=""),
            patch("patch with another version", 1000, REST, Tus_Resumable="0.2.2"),
            head(),
            patch("patch beyond the length", 1000, REST + b"x"),
            head("ask after a patch beyond the length"),
        ],
        "patch of nothing": [create(), patch("patch of nothing", 0, b""), head()],
        "patch of the finished": [
            create("create with all bytes", body=CONTENT),
            patch("patch of nothing to a finished upload", len(CONTENT), b""),
            patch("patch beyond the length of a finished upload", len(CONTENT), b"x"),
        ],
        "checksum": [
            create(),
            patch("patch with a right checksum", 0, HALF, Upload_Checksum=checksum(HALF)),
            patch("patch with a wrong checksum", 1000, REST, Upload_Checksum=checksum(HALF)),
            head("ask after a wrong checksum"),
        ],
        "checksum unreadable": [
            create(),
            patch("patch with an unknown checksum", 0, HALF, Upload_Checksum="crc32 AAAAAA=="),
        ],
        "termination": [
            create(),
            patch("patch", 0, HALF),
            delete(),
            head("ask of a deleted upload"),
            patch("patch of a deleted upload", 1000, REST),
            delete("delete a deleted upload"),
        ],
        "termination refused": [create(), Step("delete without a version", "DELETE", "a"), head()],
        "termination of the finished": [
            create("create with all bytes", body=CONTENT),
            delete("delete a finished upload"),
        ],
        "unknown": [
            head("ask of an unknown upload", upload="nobody"),
            patch("patch of an unknown upload", 0, HALF, upload="nobody"),
            delete("delete an unknown upload", upload="nobody"),
        ],
        "ask without a version": [create(), Step("ask without a version", "HEAD", "a")],
        "ask with another version": [
            create(),
            Step("ask with another version", "HEAD", "a", {"Tus-Resumable": "0.2.2"}),
        ],
        "another method": [
            create(),
            Step(
                "patch by another name",
                "POST",
                "a",
                {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
                HALF,
            ),
            head(),
        ],
        "concatenation": [create("create partial", Upload_Concat="partial", Upload_Metadata="")],
        "concatenation of nothing": [create("create final of nothing", Upload_Length="", Upload_Concat="final;")],
        "concatenation unreadable": [create("create with an unknown role", Upload_Concat="whole")],
    }


def drawn(seed: int) -> Story:
    """A random story of one upload."""
    rng = random.Random(seed)
    deferred = rng.random() < 0.3
    sent = rng.choice([0, 0, rng.randrange(1, len(CONTENT))])
    steps = [
        create(
            "create" + " deferred" * deferred + " with bytes" * bool(sent),
            body=CONTENT[:sent] if sent else None,
            **(DEFERRED if deferred else {}),
        )
    ]
    state = ""
    for _ in range(rng.randrange(3, 12)):
        which = " of a deferred upload" * (deferred and not state) + state
        stop = rng.choice([len(CONTENT), rng.randrange(sent, len(CONTENT) + 1)])
        body = CONTENT[sent:stop]
        match rng.randrange(10):
            case 0:
                steps.append(delete("delete" + state))
                state = " of a deleted upload"
            case 1:
                steps.append(
                    patch("patch before the offset" + state, max(0, sent - 1), body) if sent else head("ask" + which)
                )
            case 2:
                steps.append(patch("patch behind the offset" + state, sent + rng.randrange(1, 9), body))
            case 3:
                steps.append(patch("patch of another type" + state, sent, body, Content_Type="text/plain"))
            case 4:
                steps.append(patch("patch with another version" + state, sent, body, Tus_Resumable="1.1.0"))
            case 5 | 6:
                steps.append(head("ask" + which))
            case _ if state:
                steps.append(head("ask" + which))
            case _:
                given = length() if deferred and rng.random() < 0.5 else {}
                deferred = deferred and not given
                ends = stop == len(CONTENT) and not deferred
                label = (
                    "patch"
                    + " to the end" * ends
                    + " with the length" * bool(given)
                    + " of a deferred upload" * deferred
                )
                steps.append(patch(label, sent, body, **given))
                sent, state = stop, " of a finished upload" if ends else ""
    return steps


class Server:
    """A server in the comparison, with the uploads of one story at a time."""

    def __init__(self, client: httpx2.Client, collection: str) -> None:
        self._client = client
        self._collection = collection
        self._uploads: dict[str, str] = {}
        self._metadata: dict[str, str] = {}

    def answer(self, step: Step) -> Seen:
        unknown = f"{self._collection}/00000000-0000-4000-8000-000000000000"
        url = self._uploads.get(step.upload, unknown) if step.upload else self._collection
        answer = self._client.request(step.method, url, headers=step.headers, content=step.body)
        if step.creates and "location" in answer.headers:
            self._uploads[step.creates] = answer.headers["location"]
        sent = step.headers.get("Upload-Metadata")
        if step.creates and sent:
            self._metadata[step.creates] = sent
        words = {str(len(CONTENT)): "all", self._metadata.get(step.creates or step.upload, ""): "as sent"}
        return {"status": str(answer.status_code), **{name: _word(name, answer.headers, words) for name in COMPARED}}


def _word(field: str, headers: httpx2.Headers, words: Mapping[str, str]) -> str:
    value = headers.get(field)
    if value is None:
        return "-"
    return "given" if field in OPAQUE else words.get(value, value)


def differences(story: Sequence[Step], ours: Server, theirs: Server) -> Iterator[Difference]:
    """The differences between the responses of the two servers."""
    parted: set[str] = set()
    for step in story:
        if step.upload in parted:
            continue
        here, there = ours.answer(step), theirs.answer(step)
        if (here["status"] < "300") != (there["status"] < "300"):
            yield step.label, "status", here["status"], there["status"]
            parted |= {step.upload, step.creates} - {""}
        else:
            yield from ((step.label, name, here[name], there[name]) for name in here if here[name] != there[name])


@contextmanager
def tus_server(scripts: Path, folder: Path) -> Iterator[str]:
    command = ["node", str(scripts / "server.js"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def found(tus_js: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Difference, str]:
    """Each difference, with the first story that showed it."""
    folder = tmp_path_factory.mktemp("differences")
    stories = {**by_hand(), **{f"seed {seed}": drawn(seed) for seed in range(STORIES_DRAWN)}}
    seen: dict[Difference, str] = {}
    with (
        live_server(folder / "data", "--max-upload-bytes", str(MAX_BYTES)) as server,
        tus_server(tus_js, folder / "files") as url,
        server.client() as client,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as other,
    ):
        for name, story in stories.items():
            ours, theirs = Server(client, "/api/v1/uploads"), Server(other, "/files")
            for difference in differences(story, ours, theirs):
                seen.setdefault(difference, name)
    return seen


def test_every_difference_is_explained(found: dict[Difference, str]) -> None:
    """Every difference from the other server is in the table; any other one is a fault of one of the two."""
    unexplained = {difference: story for difference, story in found.items() if not any(_explaining(difference))}

    assert unexplained == {}


def test_no_explanation_is_out_of_date(found: dict[Difference, str]) -> None:
    """Every line of the table still describes a difference."""
    needed = {row for difference in found for row in _explaining(difference)}

    assert [row for row in EXPLAINED if row not in needed] == []


def _explaining(difference: Difference) -> Iterator[tuple[str, str, str, str, str]]:
    for row in EXPLAINED:
        if fnmatchcase(difference[0], row[0]) and difference[1:] == row[1:4]:
            yield row
