"""
Layer 1. The order in which a running server makes an archive durable, seen from outside, for every route.

Only this order decides what a power cut may take: the bytes and the side-car are on the disk before they have
names, the names before the catalog says so, and all of it, with the line in the log of writes, before any answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from attrs import define, field

from tests.faults.forked import NO_JOB_SOON
from tests.faults.ways import WAYS, Way, fresh_name, push, some_archive
from tests.support.server import LiveServer, live_server
from tests.support.strace import Call, attached, calls, require_strace

pytestmark = pytest.mark.faults

TRACED = (
    "--trace=fsync,fdatasync,linkat,rename,renameat,renameat2,mkdirat,pwrite64,ftruncate,write,writev,sendto,sendmsg"
)

VERBS = {
    "fsync": "sync",
    "fdatasync": "sync",
    "linkat": "link",
    "mkdirat": "make",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
}
NEW_PROFILE = ["make profile", "make type", "sync profile", "sync archives"]
STORED = {
    "multipart": ["sync bytes", "sync side-car", "commit"],
    "put": ["sync bytes", "sync side-car", "commit"],
    "tus": ["sync staging", "sync journal", "sync journal", "sync bytes", "sync side-car", "commit"],
}
PUBLISHED = ["link side-car", "link archive", "sync type", "commit"]
LOGGED = ["write log", "sync log", "answer"]
ANSWERED = {"multipart": LOGGED, "put": LOGGED, "tus": ["sync journal", *LOGGED]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("order")
    require_strace(folder)
    with live_server(folder / "data", environment=NO_JOB_SOON) as running:
        yield running


@define
class Steps:
    """
    Calls as steps of receiving an archive, in the order in which they took effect.

    All changes to the catalog's files between two other steps are one ``commit``, if at the end every changed file
    was synced after its last change; otherwise a step names the file that was not.
    """

    data: Path
    steps: list[str] = field(factory=list)
    _unsynced: dict[str, bool] = field(factory=dict)

    def add(self, call: Call) -> None:
        path = Path(call.path)
        if path.name.startswith("catalog.sqlite"):
            self._unsynced[path.name] = call.name not in ("fsync", "fdatasync")
            return
        if path == self.data:
            return  # SQLite makes the name of its journal durable
        step = self._step(call, path)
        if step:
            self._end_commit()
            self.steps.append(step)

    def _end_commit(self) -> None:
        if self._unsynced:
            unsynced = sorted(name for name, is_unsynced in self._unsynced.items() if is_unsynced)
            self.steps.append(f"commit without syncing {unsynced}" if unsynced else "commit")
            self._unsynced.clear()

    def _step(self, call: Call, path: Path) -> str | None:
        if "socket:" in call.path:
            return "answer" if '"HTTP/1.1 2' in call.arguments else None
        if call.name == "write":  # other writes are only required to be synced afterwards
            return "write log" if path == self.data / "audit.log" else None
        if call.name in VERBS and not path.is_relative_to(self.data / "members"):  # a cache
            return f"{VERBS[call.name]} {self._what(path)}"
        return None

    def _what(self, path: Path) -> str:
        match path.relative_to(self.data).parts:
            case ["staging"]:
                return "staging"
            case ["staging", name]:
                return {".part": "bytes", ".json": "side-car", ".upload": "journal"}[Path(name).suffix]
            case ["audit.log"]:
                return "log"
            case ["archives"]:
                return "archives"
            case ["archives", _]:
                return "profile"
            case ["archives", _, _]:
                return "type"
            case ["archives", _, _, name]:
                return "side-car" if name.endswith(".json") else "archive"
        raise AssertionError(f"nothing is expected to be done to {path}")


def steps_of(log: Path, data: Path) -> list[str]:
    """The steps; a call counts when it has ended, but the answer as soon as it begins."""
    done = [call for call in calls(log) if not call.has_failed]
    steps = Steps(data)
    for call in sorted(done, key=lambda call: call.began if "socket:" in call.path else call.ended):
        steps.add(call)
    return steps.steps


def see_through(client: httpx2.Client) -> None:
    """Get one more answer, which is no success: a call under way when strace detaches has no end in its log."""
    assert client.get("/no-such-page").is_client_error


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.word)
def test_nothing_is_answered_before_everything_is_durable(server: LiveServer, tmp_path: Path, way: Way) -> None:
    """Into an existing profile: bytes, side-car, claim, links, directory, entry, and only then the answer."""
    log = tmp_path / "strace.log"
    content = some_archive(1)
    with server.client() as client:
        assert push(client, way, "laptop", fresh_name(), some_archive(2)).is_success
        name = fresh_name()
        place = way.begin(client, "laptop", name, content)
        with attached(server.process, log, TRACED):
            answer = way.send(client, place, "laptop", name, content)
            see_through(client)

    assert answer.is_success
    assert steps_of(log, server.data) == STORED[way.word] + PUBLISHED + ANSWERED[way.word]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.word)
def test_new_directories_are_durable_before_anything_is_linked_into_them(
    server: LiveServer, tmp_path: Path, way: Way
) -> None:
    """The first archive of a profile makes two directories, and their names are synced, too."""
    log = tmp_path / "strace.log"
    content = some_archive(1)
    with server.client() as client:
        name = fresh_name()
        profile = f"new-{way.word}"
        place = way.begin(client, profile, name, content)
        with attached(server.process, log, TRACED):
            answer = way.send(client, place, profile, name, content)
            see_through(client)

    assert answer.is_success
    assert steps_of(log, server.data) == STORED[way.word] + NEW_PROFILE + PUBLISHED + ANSWERED[way.word]
