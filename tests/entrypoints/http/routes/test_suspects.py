"""An archive that a client suspects is read again: once, one at a time, and marked if it is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.entrypoints.http.answers.problems import Problem
from tarkeep.entrypoints.http.suspects import AGAIN_SECONDS, MAX_WAITING, MAX_WAITING_OF_ONE, Suspects
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_archive, make_targz
from tests.support.server import in_process

CONTENT = make_targz({"a": b"content"})
URL = "/api/v1/profiles/p/archives/FULL/a.tar.gz"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[httpx2.Client, Path]]:
    with in_process(StorageSettings(data=tmp_path / "data")) as (client, _):
        client.put(URL, content=CONTENT).raise_for_status()
        yield client, tmp_path / "data" / "archives" / "p" / "FULL" / "a.tar.gz"


def state(client: httpx2.Client) -> str:
    return str(client.get("/api/v1/archives").json()["archives"][0]["state"])


def test_what_is_damaged_is_marked(disk: tuple[httpx2.Client, Path]) -> None:
    """The answer says so; asked again, the server does not read it again, even if it is whole by now."""
    client, file = disk
    file.chmod(0o600)
    file.write_bytes(b"!" + CONTENT[1:])

    assert client.post(URL + "/suspect").json() == {"state": "damaged", "checked": True}
    assert state(client) == "damaged"
    file.write_bytes(CONTENT)
    assert client.post(URL + "/suspect").json() == {"state": "damaged", "checked": True}
    assert client.post(URL.replace("a.tar", "none.tar") + "/suspect").status_code == 404


def test_what_is_whole_stays_so(disk: tuple[httpx2.Client, Path]) -> None:
    """The client was wrong, or its connection was."""
    client, _ = disk

    assert client.post(URL + "/suspect").json() == {"state": "stored", "checked": True}
    assert state(client) == "stored"


def waiting(examine: Callable[[BackupArchive], ArchiveState], now: list[float]) -> Suspects:
    return Suspects(examine, lambda: now[0])


def test_one_is_read_at_a_time_and_few_wait() -> None:
    """Fewer of one principal than of all together; a second request for the same archive waits for the first."""
    go_on, reading, most = threading.Event(), [0], [0]

    def examine(_archive: BackupArchive) -> ArchiveState:
        reading[0] += 1
        most[0] = max(most[0], reading[0])
        go_on.wait(30)
        reading[0] -= 1
        return ArchiveState.STORED

    with closing(waiting(examine, [0.0])) as suspects:
        archives = [make_archive(f"a{number}.tar.gz") for number in range(MAX_WAITING + 1)]
        outcomes = [suspects.ask(archive, "one") for archive in archives[:MAX_WAITING_OF_ONE]]
        assert suspects.ask(archives[0], "another") is outcomes[0]
        with pytest.raises(Problem) as caught:
            suspects.ask(archives[MAX_WAITING_OF_ONE], "one")
        assert caught.value.status == 429
        for number in range(MAX_WAITING_OF_ONE, MAX_WAITING):
            outcomes.append(suspects.ask(archives[number], f"visitor {number}"))
        with pytest.raises(Problem):
            suspects.ask(archives[MAX_WAITING], "somebody else")
        go_on.set()
        assert {outcome.result(30) for outcome in outcomes} == {ArchiveState.STORED}
    assert most == [1]


def test_after_a_while_it_is_read_again() -> None:
    """And at once if it could not be read."""
    now = [0.0]
    read: list[str] = []

    def examine(archive: BackupArchive) -> ArchiveState:
        read.append(archive.id.name)
        if len(read) == 1:
            raise OSError
        return ArchiveState.DAMAGED

    with closing(waiting(examine, now)) as suspects:
        archive = make_archive()
        for seconds in (0.0, 0.0, AGAIN_SECONDS - 1, AGAIN_SECONDS):
            now[0] = seconds
            assert suspects.ask(archive, "one").exception(30) is None or not seconds
    assert len(read) == 3
