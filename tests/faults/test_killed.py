"""
Layer 2, continued. The server is killed at each storage call of a request.

strace sends SIGKILL at the K-th call of a kind; K grows until no such call is left.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

import httpx2
import pytest

from tests.faults.changes import POLICY, WORDS, Asked, Change, authorized, forget_gone, ready
from tests.faults.forked import ForkedServer, forked_server
from tests.faults.load import Told, lost
from tests.faults.sites import Attempt, attempt
from tests.faults.ways import BEGINNING, Way, address, fresh_name, some_archive
from tests.support.strace import attached, require_strace, thread_of_jobs
from tests.support.tus import UPLOADS, begin, patch

pytestmark = pytest.mark.faults

CALLS = (
    "openat",
    "write",
    "pwrite64",
    "fchmod",
    "fsync",
    "fdatasync",
    "mkdirat",
    "linkat",
    "rename",
    "unlink",
    "unlinkat",
)

CHANGES_MAKE = {
    "prune": ("write", "pwrite64", "fsync", "fdatasync", "mkdirat", "linkat", "renameat", "unlinkat"),
    "undelete": ("write", "pwrite64", "fsync", "fdatasync", "linkat", "unlinkat"),
    "hold": ("write", "fsync", "fdatasync", "renameat"),
    "purge": ("write", "pwrite64", "fsync", "fdatasync", "renameat", "unlinkat"),
}
"""
The calls by which each change changes something; of purge those in the thread of jobs.

They open many directories besides: a kill there finds the disk as one at the next of these calls does.
"""


@pytest.mark.parametrize("way", BEGINNING, ids=lambda way: way.word)
def test_killed_at_any_call_the_next_process_has_all_that_was_acknowledged(tmp_path: Path, way: Way) -> None:
    """No acknowledged archive is lost; the one being sent is whole or absent, and is then accepted."""
    require_strace(tmp_path)
    data, log, trace = tmp_path / "data", tmp_path / "server.log", tmp_path / "strace.log"
    told = Told()
    # Uploads whose creation was not acknowledged wait until they expire.
    options = ("--max-open-uploads", "100000", "--max-open-uploads-per-client", "100000")
    for call in CALLS:
        for which in count(1):
            with forked_server(data, log, *options) as server, server.client() as client:
                told.check(client, data, Random(way.word))
                warm = attempt(client, way)  # does the work that a process does only once, such as connecting
                assert warm.send(client).is_success
                tried = attempt(client, way)
                was_killed, was_answered = send_to(server, client, tried, f"{call}:signal=SIGKILL:when={which}", trace)
            told.acknowledged.append(warm)
            (told.acknowledged if was_answered else told.unknown).append(tried)
            if not was_killed:
                break
        assert which > 1, f"{call} was never made"
    with forked_server(data, log, *options) as server, server.client() as client:
        told.check(client, data, Random(way.word))
        assert lost(client, told.acknowledged) == []


def test_killed_as_an_upload_is_begun_it_is_there_if_that_was_acknowledged(tmp_path: Path) -> None:
    """Otherwise nothing of it remains; the next process accepts its bytes, or begins another."""
    require_strace(tmp_path)
    data, log, trace = tmp_path / "data", tmp_path / "server.log", tmp_path / "strace.log"
    for call in ("openat", "write", "fdatasync", "fsync"):
        for which in count(1):
            content, name = some_archive(which), fresh_name()
            was_killed, place = True, None
            with forked_server(data, log) as server, server.client() as client:
                begin(client, len(content), fresh_name(), profile="warm")
                before = set((data / "staging").iterdir())
                with attached(server, trace, f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={which}"):
                    try:
                        place = begin(client, len(content), name, profile="begun")
                        client.get("/healthz")
                        was_killed = False
                    except httpx2.TransportError:
                        server.wait(60)
                        assert "killed by SIGKILL" in trace.read_text()
            with forked_server(data, log) as server, server.client() as client:
                begun = {path.stem for path in set((data / "staging").iterdir()) - before}
                assert len(begun) <= 1
                assert place is None or begun == {place.rpartition("/")[2]}
                for id in begun:
                    assert client.head(f"{UPLOADS}/{id}").headers["upload-offset"] == "0"
                place = place or begin(client, len(content), name, profile="begun")
                assert patch(client, place, 0, content).is_success
                assert client.get(address("begun", name)).content == content
            if not was_killed:
                break
        assert which > 1, f"{call} was never made"


@pytest.mark.parametrize(("word", "call"), [(word, call) for word in WORDS for call in CHANGES_MAKE[word]])
def test_killed_at_any_call_an_archive_is_whole_where_it_was_or_where_it_goes(
    tmp_path: Path, word: str, call: str
) -> None:
    """
    In one place alone after the next start; what was acknowledged is so, and the change is made if asked again.

    The log of writes has one line for each removal.
    """
    require_strace(tmp_path)
    data, log, trace, rules = (tmp_path / name for name in ("data", "server.log", "strace.log", "rules.toml"))
    rules.write_text(POLICY)
    asked = Asked()
    for which in count(1):
        with forked_server(data, log, "--profiles", str(rules)) as server, server.client() as client:
            authorized(client, data)
            asked.check(client, data)
            asked.check_lines(data / "audit.log")
            warm = ready(client, word)
            assert warm.send(client).is_success
            if word == "purge":
                asked.made.clear()
                forget_gone(data)
            tried = ready(client, word)
            thread = thread_of_jobs(server) if word == "purge" else None
            point = f"{call}:signal=SIGKILL:when={which}"
            was_killed, was_answered = send_to(server, client, tried, point, trace, thread)
        asked.made += [] if word == "purge" else [warm]
        asked.made += [tried] if was_answered else []
        asked.unknown = None if was_answered else tried
        if not was_killed:
            break
    assert which > 1, f"{call} was never made"


def send_to(
    server: ForkedServer,
    client: httpx2.Client,
    tried: Attempt | Change,
    point: str,
    trace: Path,
    thread: int | None = None,
) -> tuple[bool, bool]:
    """
    Send *tried* to a server that is killed at *point*, if it gets there: whether it was, and whether it answered.

    Only calls of *thread* count, if one is given.
    """
    was_answered = was_killed = False
    with attached(server, trace, f"--trace={point.partition(':')[0]}", f"--inject={point}", thread=thread):
        try:
            was_answered = tried.send(client).is_success
            client.get("/healthz")
        except httpx2.TransportError:
            server.wait(60)
            was_killed = True
    assert not was_killed or "killed by SIGKILL" in trace.read_text()
    return was_killed, was_answered
