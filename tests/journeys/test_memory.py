"""
What many bodies and many readers at once cost the server in memory: the loads by which ``docs/promises.md`` states it.

Bounds are those of the promise; what was measured lies well below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.archives import make_targz
from tests.support.crowd import Caller, archive_path, at_once, peak_bytes
from tests.support.server import LiveServer, live_server

MIB = 1 << 20
SNAPSHOTS = 12
SNAPSHOT_BYTES = 60 * MIB


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path / "data", environment={"MALLOC_ARENA_MAX": "2"}) as running:
        yield running


def test_snapshot_files_pass_through_and_are_never_held_whole(server: LiveServer) -> None:
    """Twelve of 60 MB at once, and their twelve readers, cost the server what small blocks of them do."""
    content = bytes(range(256)) * (SNAPSHOT_BYTES // 256)

    def place(number: int) -> str:
        return archive_path("laptop", f"full-{number}.tar.gz")

    def send(caller: Caller, number: int) -> int:
        return caller.ask("PUT", place(number) + "/snapshot", content).status

    def fetch(caller: Caller, number: int) -> str:
        return hashlib.sha256(caller.ask("GET", place(number) + "/snapshot").body).hexdigest()

    with closing(Caller(server)) as caller:
        for number in range(SNAPSHOTS):
            assert caller.ask("PUT", place(number), make_targz({"number": b"%d" % number})).is_success
    assert at_once(server, SNAPSHOTS, send) == [201] * SNAPSHOTS
    assert at_once(server, SNAPSHOTS, fetch) == [hashlib.sha256(content).hexdigest()] * SNAPSHOTS
    peak = peak_bytes(server.process.pid)
    assert peak < 256 * MIB, f"{peak / MIB:.0f} MiB"
