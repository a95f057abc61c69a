"""
Layer 2. Each storage call of a request fails in turn: the answer is true, and nothing is left.

strace makes the K-th call of a kind fail, in whichever thread; K grows until no such call is left, so that no
place is forgotten, and strace's log shows the injected faults. ``write`` is left to the lossy file system, because
the server writes to sockets, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.faults.changes import DONE, EVIDENCE_FAILED, FILES, POLICY, RUN_FAILED, WORDS, authorized, forget_gone, ready
from tests.faults.changes import send_again as ask_again
from tests.faults.forked import NO_JOB_SOON
from tests.faults.load import not_logged
from tests.faults.sites import OF_STORE, Attempt, attempt, send_again, staged, target_of
from tests.faults.ways import BEGINNING, WAYS, Way, address, fresh_name, push, some_archive
from tests.support.server import LiveServer, live_server
from tests.support.strace import attached, calls, require_strace, thread_of_jobs
from tests.support.tus import create, patch

pytestmark = pytest.mark.faults

CHANGING = ("openat", "pwrite64", "fsync", "fdatasync", "mkdir", "mkdirat", "linkat", "rename")
FAILS = {
    "ENOSPC": CHANGING,
    "EDQUOT": CHANGING,
    "EROFS": (*CHANGING, "fchmod", "unlink", "unlinkat"),
    "EMFILE": ("openat",),
    "EIO": (*CHANGING, "fchmod", "unlink", "unlinkat"),
}
CHANGES_FAIL: dict[str, tuple[str, ...]] = {
    error: tuple(call for call in (*made, "renameat") if call != "openat") for error, made in FAILS.items()
} | {"EMFILE": ("openat",)}
"""The same for moves, marks and purges. They open many directories, which fails in the same way with each error."""
REACHED = [
    ("fsync", "archives/profile/TYPE"),
    ("fsync", "catalog.sqlite-wal"),
    ("pwrite64", "catalog.sqlite-wal"),
    ("linkat", "archives/.gz"),
]
STORED = (200, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    require_strace(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder / "data", environment=NO_JOB_SOON) as running:
        yield running


@pytest.fixture(scope="module")
def changing_server(folder: Path) -> Iterator[LiveServer]:
    """One whose profiles have a policy."""
    rules = folder / "rules.toml"
    rules.write_text(POLICY)
    with live_server(folder / "changed", "--profiles", str(rules), environment=NO_JOB_SOON) as running:
        yield running


@pytest.mark.parametrize("error", FAILS)
@pytest.mark.parametrize("way", BEGINNING, ids=lambda way: way.word)
def test_a_call_that_fails_is_told_and_leaves_nothing(server: LiveServer, tmp_path: Path, way: Way, error: str) -> None:
    """Whichever it is: the exact status, all of the archive or none of it, no residue, and then it is accepted."""
    fired: Counter[tuple[str, str]] = Counter()
    with server.client() as client:
        for call in FAILS[error]:
            for which in count(1):
                before = staged(server.data)
                log = tmp_path / f"{call}-{which}.log"
                tried = attempt(client, way)
                with attached(server.process, log, f"--trace={call}", f"--inject={call}:error={error}:when={which}"):
                    answer = tried.send(client)
                failed = [found for found in calls(log) if found.is_injected]
                if not failed:
                    assert answer.is_success
                    break
                target = target_of(failed[0], server.data)
                assert target is not None, failed
                # the count is per thread: the same K may have fired in several
                fired.update((call, str(target_of(found, server.data))) for found in failed)

                code = "" if answer.is_success else answer.json()["code"]
                told = (200 if answer.is_success else answer.status_code, code)
                assert told in expected(error, call, target), failed
                check(client, server.data, tried, answer.is_success)
                may_stay = tried.way.word == "tus" and not answer.is_success  # the upload goes on
                misses_a_sweep = call == "unlink" and answer.is_success
                assert may_stay or misses_a_sweep or staged(server.data) <= before, failed
                again = send_again(client, tried)
                assert again.is_success, (failed, again.text)
                check(client, server.data, tried, True)
                assert misses_a_sweep or staged(server.data) <= before, failed
    assert still_open(server) == []
    assert {call for call, _ in fired} == set(FAILS[error])
    assert all(fired[reached] for reached in REACHED if reached[0] in FAILS[error])


@pytest.mark.parametrize("error", FAILS)
def test_an_upload_that_cannot_be_begun_leaves_nothing(server: LiveServer, tmp_path: Path, error: str) -> None:
    """Whichever call fails at its creation: the exact status, no journal, and then it can be begun and sent."""
    fired: Counter[tuple[str, str]] = Counter()
    content = some_archive(1)
    with server.client() as client:
        for call in FAILS[error]:
            for which in count(1):
                before = set((server.data / "staging").iterdir())
                log = tmp_path / f"{call}-{which}.log"
                with attached(server.process, log, f"--trace={call}", f"--inject={call}:error={error}:when={which}"):
                    answer = create(client, len(content), "begun", fresh_name())
                failed = [found for found in calls(log) if found.is_injected]
                if not failed:
                    assert answer.status_code == 201
                    break
                target = target_of(failed[0], server.data)
                fired[call, str(target)] += 1
                assert (answer.status_code, answer.json()["code"]) == OF_STORE[error], failed
                assert set((server.data / "staging").iterdir()) == before, failed
            name = fresh_name()
            place = create(client, len(content), "begun", name).headers["location"]
            assert patch(client, place, 0, content).is_success
            assert client.get(address("begun", name)).content == content
    begun = {"openat": "staging/.upload", "fdatasync": "staging/.upload", "fsync": "staging"}
    assert set(fired) >= {point for point in begun.items() if point[0] in FAILS[error]}


@pytest.mark.parametrize("call", ["openat", "write", "fdatasync"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.word)
def test_a_log_of_writes_that_fails_is_told_in_the_log_of_the_server(
    server: LiveServer, tmp_path: Path, way: Way, call: str
) -> None:
    """A stored archive is acknowledged all the same, and the next line continues the chain of those written."""
    path, log = server.data / "audit.log", tmp_path / "strace.log"
    with server.client() as client:
        assert push(client, way, "logged", fresh_name(), some_archive(1)).is_success
        for error in ("ENOSPC", "EIO"):
            tried, following = attempt(client, way), attempt(client, way)
            with attached(server.process, log, f"--trace-path={path}", f"--inject={call}:error={error}"):
                assert tried.send(client).is_success
            assert [found for found in calls(log) if found.is_injected and found.name == call]
            check(client, server.data, tried, True)
            told = [line for line in server.log.read_text().splitlines() if tried.name in line and "ERROR" in line]
            assert ["not in the audit log" in line for line in told] == [True]

            assert following.send(client).is_success
            assert not_logged(server.data, [following]) == []
    assert still_open(server) == []


@pytest.mark.parametrize("error", FAILS)
@pytest.mark.parametrize("word", WORDS)
def test_a_call_that_fails_leaves_an_archive_whole_in_one_place(
    changing_server: LiveServer, tmp_path: Path, word: str, error: str
) -> None:
    """Whichever it is: if the change is not acknowledged, the archive is where it was or goes, and can be asked for."""
    server, fired = changing_server, Counter[str]()
    thread = thread_of_jobs(server.process) if word == "purge" else None
    with server.client() as client:
        authorized(client, server.data)
        for call in CHANGES_FAIL[error]:
            for which in count(1):
                before = staged(server.data)
                log = tmp_path / f"{call}-{which}.log"
                forget_gone(server.data)
                tried = ready(client, word)
                point = f"{call}:error={error}:when={which}"
                with attached(server.process, log, f"--trace={call}", f"--inject={point}", thread=thread):
                    answer = tried.send(client)
                failed = [found for found in calls(log) if found.is_injected]
                if not failed:
                    assert answer.is_success, answer.text
                    break
                fired[call] += 1
                if not answer.is_success:
                    told = RUN_FAILED if word == "purge" else EVIDENCE_FAILED
                    assert answer.told in (OF_STORE[error], OF_STORE["EIO"], told), failed
                state = tried.state(client, server.data, is_halfway=not answer.is_success)
                assert state == DONE[word] or not answer.is_success, failed
                ask_again(client, server.data, tried)
                assert tried.files(server.data) == FILES[DONE[word]], failed
                assert staged(server.data) <= before, failed
    assert still_open(server) == []
    assert sum(fired.values()) > len(fired) > 0


def expected(error: str, call: str, target: str) -> set[tuple[int, str]]:
    """The right answers if *call* on *target* fails."""
    if target.startswith("members") or target == "data":
        return {STORED}  # a cache, or SQLite making durable the name of a journal that is empty between transactions
    if target == "audit.log":
        return {STORED}  # and the server's own log has it
    if target.startswith("catalog"):
        # SQLite recovers from some, and a failed end is made up for once the archive is published
        is_full = error == "ENOSPC" and call == "pwrite64"
        return {STORED, OF_STORE["ENOSPC" if is_full else "EIO"]}
    if call == "unlink":
        return {STORED, OF_STORE[error]}  # a name that could not be removed after publishing does not matter
    return {OF_STORE[error]}


def check(client: httpx2.Client, data: Path, tried: Attempt, is_acknowledged: bool) -> None:
    """All of the archive is there, or, if it was not acknowledged, nothing."""
    stored = tried.stored(client)
    assert stored == tried.content or (stored is None and not is_acknowledged)
    assert tried.files(data) == ([] if stored is None else [tried.name, f"{tried.name}.json"])


def still_open(server: LiveServer) -> list[str]:
    """The files of archives, and of the log of writes, that the server has open."""
    opened = []
    for path in Path("/proc", str(server.process.pid), "fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that ends just now
            opened.append(str(path.readlink()))
    ours = tuple(f"{server.data}/{part}" for part in ("staging", "archives", "audit.log"))
    return [name for name in opened if name.startswith(ours)]
