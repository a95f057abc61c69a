"""
The server's memory for many bodies and many readers at once: the loads by which ``docs/promises.md`` states it.

The bounds are those of the promise; measured values are well below.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.archives import make_tar, make_targz
from tests.support.crowd import (
    Caller,
    archive_path,
    at_once,
    falls_below,
    forget_peak,
    peak_bytes,
    settled_bytes,
    slow_readers,
)
from tests.support.server import LiveServer, live_server

MIB = 1 << 20
SNAPSHOTS = 12
SNAPSHOT_BYTES = 60 * MIB
READERS = 60
INVENTORY_ENTRIES = 450_000
AHEAD_BYTES = 32 * MIB  # lent to one of the readers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path / "data", environment={"MALLOC_ARENA_MAX": "2"}) as running:
        yield running


def test_snapshot_files_pass_through_and_are_never_held_whole(server: LiveServer) -> None:
    """Twelve of 60 MB at once, and their twelve readers, cost the server as much as small blocks of them."""
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


def test_inventories_are_compared_in_pieces(server: LiveServer) -> None:
    """Two of 30 MB at once, one by each family of routes, cost as much as a few thousand of their entries."""
    entries = ",".join(
        f'{{"name":"f{number:09}.tar.gz","size":{number},"md5":"{number:032x}"}}' for number in range(INVENTORY_ENTRIES)
    )
    body = f'{{"local_backups":{{"FULL":[{entries}]}}}}'.encode()
    assert len(body) > 30 * MIB

    def compare(caller: Caller, number: int) -> tuple[int, int]:
        reply = caller.ask("POST", ("/verify", "/api/v1/verify")[number], body)
        report = json.loads(reply.body)
        told = report["verification"] if number == 0 else report["types"]
        return reply.status, len(told["FULL"]["missing_remote"])

    before = settled_bytes(server.process.pid)
    forget_peak(server.process.pid)
    assert at_once(server, 2, compare) == [(200, INVENTORY_ENTRIES)] * 2
    grown = peak_bytes(server.process.pid) - before
    assert grown < 128 * MIB, f"{grown / MIB:.0f} MiB"
    assert not list((server.data / "staging").iterdir())


@pytest.mark.parametrize(
    ("what", "each_bytes"),
    [
        ("archives/FULL/full.tar.gz", 1 * MIB),
        ("restore.tar", 2 * MIB),
        ("restore.tar.gz", 5 * MIB // 2),
    ],
)
def test_readers_that_do_not_read_on_hold_little_and_leave_nothing(
    server: LiveServer, what: str, each_bytes: int
) -> None:
    """All have stopped in the middle of something large; their memory is freed when they leave."""
    noise = random.Random(1)
    content = {f"d/{number}": noise.randbytes(400_000) + b"text" * 150_000 for number in range(40)}
    with closing(Caller(server)) as caller:
        place = archive_path("laptop", "full.tar.gz")
        assert caller.ask("PUT", place, gzip.compress(make_tar(content), 1)).is_success
        for _ in range(3):
            assert caller.ask("GET", f"/api/v1/profiles/laptop/{what}").is_success
    pid = server.process.pid
    before = settled_bytes(pid)
    with slow_readers(server.host_and_port, f"/api/v1/profiles/laptop/{what}", READERS):
        held = settled_bytes(pid) - before

    assert held < AHEAD_BYTES + READERS * each_bytes, f"{(held - AHEAD_BYTES) / READERS / MIB:.1f} MiB each"
    assert falls_below(pid, before + 40 * MIB)
