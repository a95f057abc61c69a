"""
What schemathesis needs to make requests to Tarkeep that are valid beyond their schema.

A schema says what a request looks like. It cannot say that bytes are a real ``.tar.gz``, that a digest is the digest of
these bytes, that a cursor came from this server, or that no name occurs twice in an inventory. These hooks make valid
data valid in those respects too, so that the server has no reason to refuse it. Data meant to be invalid is left alone.

Loaded by schemathesis itself, which runs in a process of its own; see tests/entrypoints/http/routes/test_openapi.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import unicodedata
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import schemathesis
from hypothesis import strategies as st

from tests.support.archives import SNAPSHOT, make_targz

# includes the archive stored at the beginning: names are drawn from the server's responses
ARCHIVES = st.just(make_targz({"documents/a.txt": b"first\n"})) | st.dictionaries(
    st.sampled_from(["a.txt", "b.txt", "documents/c.txt"]), st.binary(max_size=64), min_size=1
).map(make_targz)
BOUNDARY = "tarkeep-contract-test"


@st.composite
def archive_names(draw: st.DrawFn) -> str:
    """Any name that the rules allow; short enough to stay below 200 bytes in any script."""
    letters = st.characters(categories=["L", "Nd"])
    others = st.one_of(st.characters(categories=["L", "M", "Nd"]), st.sampled_from(" ._+@=,()-"))
    name = draw(letters) + draw(st.text(others, max_size=30)) + ".tar.gz"
    return unicodedata.normalize("NFC", name)


def inventory_lines() -> st.SearchStrategy[bytes]:
    """Inventories as NDJSON, no name twice in a type."""
    entry = st.fixed_dictionaries(
        {"type": st.sampled_from(["FULL", "inc", "Diff"]), "name": st.text(max_size=20)},
        optional={
            "size": st.none() | st.integers(min_value=0),
            "md5": st.none() | st.just("") | st.text("0123456789abcdefABCDEF", min_size=32, max_size=32),
            "sha256": st.none() | st.just("") | st.text("0123456789abcdefABCDEF", min_size=64, max_size=64),
            "more": st.booleans(),
        },
    )
    entries = st.lists(entry, max_size=5, unique_by=lambda one: (one["type"], one["name"]))
    return entries.map(lambda all: "".join(json.dumps(one) + "\n" for one in all).encode())


def moments() -> st.SearchStrategy[str]:
    """Times with their zone."""
    return st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)


def points() -> st.SearchStrategy[str]:
    """Values of `at`: nothing, a word, a day, a time, or an archive with or without its type."""
    days = st.dates(date(1980, 1, 1), date(2100, 1, 1)).map(date.isoformat)
    return st.one_of(st.sampled_from(["", "latest", "b.tar.gz", "full/c.tar.gz"]), days, moments(), parents())


def parents() -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(["FULL", "Inc", "diff"]), archive_names()).map("/".join)


def notes() -> st.SearchStrategy[str]:
    """Lines of plain writing, percent-encoded."""
    return st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30).map(quote)


def paths() -> st.SearchStrategy[str]:
    """Paths as text: those in the archives, and any others, including bytes that are not text."""
    part = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\\ufffd")
    escaped = st.sampled_from(["\\\\", "\\xff", "\\x0A"])
    return st.sampled_from(["documents", "./documents/", "documents/a.txt"]) | st.lists(
        part | escaped, min_size=1, max_size=9
    ).map("".join)


schemathesis.openapi.format("tarkeep-at", points())
schemathesis.openapi.format("tarkeep-parent", parents())
schemathesis.openapi.format("tarkeep-stated-time", moments())
schemathesis.openapi.format("tarkeep-notes", st.lists(notes(), max_size=3).map(",".join))
schemathesis.openapi.format("tarkeep-path", paths())
# no dots, no doubled slashes: clients normalise them in a URL's path, which leads to another route
schemathesis.openapi.format("tarkeep-member", st.sampled_from(["documents/a.txt", "documents", "b/\\xff"]))
schemathesis.openapi.media_type("application/octet-stream", st.just(SNAPSHOT) | st.binary(min_size=1, max_size=64))
schemathesis.openapi.media_type("application/gzip", ARCHIVES)
schemathesis.openapi.media_type("application/x-ndjson", inventory_lines())
schemathesis.openapi.format("tarkeep-archive-name", archive_names())
schemathesis.openapi.format("tarkeep-cursor", st.just(os.environ["TARKEEP_CURSOR"]))
schemathesis.openapi.format("tarkeep-point-cursor", st.just(os.environ["TARKEEP_POINT_CURSOR"]))


@schemathesis.serializer("multipart/form-data")
def form(context: schemathesis.SerializationContext, fields: object) -> bytes:
    """A form as curl sends it, with a name for the file: a schema cannot describe file names."""
    if not isinstance(fields, dict):
        return fields if isinstance(fields, bytes) else str(fields).encode()
    lines = []
    for name, value in fields.items():
        content = value if isinstance(value, bytes) else str(value).encode()
        filename = ""
        if name == "file":
            filename = f'; filename="{hashlib.sha256(content).hexdigest()}.tar.gz"'
        elif name in ("md5", "sha256") and content and is_meant_to_be_valid(context.case):
            content = hashlib.new(name, fields["file"]).hexdigest().encode()
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{quote(name)}"{filename}\r\n\r\n'
        lines += [head.encode(), content, b"\r\n"]
    return b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, object]) -> None:
    """Name the boundary; in valid requests, also declare the true digests and name every archive once."""
    if case.media_type == "multipart/form-data":
        case.headers.setdefault("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    if not is_meant_to_be_valid(case):
        return
    if isinstance(case.body, bytes):
        md5, sha256 = hashlib.md5(case.body), hashlib.sha256(case.body)
        true = {
            "Repr-Digest": f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:",
            "X-Checksum-Sha256": sha256.hexdigest(),
            "Content-MD5": base64.b64encode(md5.digest()).decode(),
        }
        case.headers.update({name: digest for name, digest in true.items() if name in case.headers})
        # an archive that was stored with a snapshot file does not accept a drawn one
        case.headers.pop("Tarkeep-Snapshot-After", None)
    elif isinstance(case.body, dict) and "local_backups" in case.body:
        body: Any = dict(case.body)
        body["local_backups"] = each_named_once(body["local_backups"])
        case.body = body


def each_named_once(inventory: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    named = set()
    kept: dict[str, list[dict[str, Any]]] = {}
    for type, archives in inventory.items():
        kept[type] = []
        for archive in archives:
            if (type.upper(), archive["name"]) not in named:
                named.add((type.upper(), archive["name"]))
                kept[type].append(archive)
    return kept


def is_meant_to_be_valid(case: schemathesis.Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive
