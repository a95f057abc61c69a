"""Resumable uploads by hand: the requests of tests, and their checks afterwards."""

from __future__ import annotations

import base64
import random

import httpx2

from tests.support.archives import make_targz

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
UPLOADS = "/api/v1/uploads"
MIB = 1 << 20


def content(size: int, seed: int = 0) -> bytes:
    """A .tar.gz of about *size* bytes that do not compress."""
    return make_targz({"noise": random.Random(seed).randbytes(size)})


def described(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


_numbers = iter(range(1_000_000))


def new_name() -> str:
    return f"upload-{next(_numbers)}.tar.gz"


def create(client: httpx2.Client, length: int | None, profile: str, name: str, **headers: str) -> httpx2.Response:
    """The request that begins an upload."""
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    about = {"Upload-Metadata": described(filename=name, profile=profile, type="FULL")}
    return client.post(UPLOADS, headers={**TUS, **size, **about, **headers})


def begin(client: httpx2.Client, length: int | None, name: str, profile: str = "laptop", **headers: str) -> str:
    answer = create(client, length, profile, name, **headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def patch(client: httpx2.Client, upload: str, offset: int, body: bytes, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.patch(upload, content=body, headers={**BYTES, "Upload-Offset": str(offset), **named})


def offset_of(client: httpx2.Client, upload: str) -> int:
    answer = client.head(upload)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def is_stored(client: httpx2.Client, name: str, expected: bytes) -> bool:
    answer = client.get(f"/api/v1/profiles/laptop/archives/FULL/{name}")
    return answer.status_code == 200 and answer.content == expected
