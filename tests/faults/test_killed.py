"""
Layer 2, continued. The server is killed at each call that a request makes of the storage.

strace sends SIGKILL at the K-th call of a kind; K goes up until there is none left.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

import httpx2
import pytest

from tests.faults.forked import ForkedServer, forked_server
from tests.faults.load import Told, lost
from tests.faults.sites import Attempt, attempt
from tests.faults.ways import WAYS, Way
from tests.support.strace import attached, require_strace

pytestmark = pytest.mark.faults

CALLS = (
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "fchmod",
    "fsync",
    "fdatasync",
    "mkdirat",
    "linkat",
    "rename",
    "unlink",
    "unlinkat",
)
STRIDE = {"pwrite64": 13}  # SQLite alone writes so, page by page


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.word)
def test_killed_at_any_call_the_next_process_has_all_that_was_acknowledged(tmp_path: Path, way: Way) -> None:
    """No acknowledged archive is lost; the one that was coming in is whole or not there, and is taken then."""
    require_strace(tmp_path)
    data, log, trace = tmp_path / "data", tmp_path / "server.log", tmp_path / "strace.log"
    told = Told()
    for call in CALLS:
        for which in count(1, STRIDE.get(call, 1)):
            with forked_server(data, log) as server, server.client() as client:
                told.check(client, data, Random(way.word))
                warm = attempt(client, way)  # what a process does only once, such as connecting, is behind it
                assert warm.send(client).is_success
                tried = attempt(client, way)
                was_killed, was_answered = send_to(server, client, tried, f"{call}:signal=SIGKILL:when={which}", trace)
            told.acknowledged.append(warm)
            (told.acknowledged if was_answered else told.unknown).append(tried)
            if not was_killed:
                break
        assert which > 1, f"{call} was never made"
    with forked_server(data, log) as server, server.client() as client:
        told.check(client, data, Random(way.word))
        assert lost(client, told.acknowledged) == []


def send_to(server: ForkedServer, client: httpx2.Client, tried: Attempt, point: str, trace: Path) -> tuple[bool, bool]:
    """Send *tried* to a server that is killed at *point*, if it gets there: whether it was, and whether it answered."""
    was_answered = False
    with attached(server, trace, f"--trace={point.partition(':')[0]}", f"--inject={point}"):
        try:
            was_answered = tried.send(client).is_success
            client.get("/healthz")
        except httpx2.TransportError:
            server.wait(60)
            assert "killed by SIGKILL" in trace.read_text()
            return True, was_answered
    return False, was_answered
