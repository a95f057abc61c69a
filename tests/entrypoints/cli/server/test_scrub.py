"""``tarkeep scrub``: beside a running server, and without one."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tarkeep.entrypoints.http.host_door import ServedDoor
from tests.entrypoints.cli.server.test_prune import CONTENT, Host
from tests.support.archives import make_targz
from tests.support.server import LiveServer, live_server

ARCHIVE = "/api/v1/profiles/laptop/archives/FULL/a.tar.gz"


def flip(file: Path, at: int = 30) -> None:
    """Change one bit of the file, like a failing disk."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)


def put(server: LiveServer, profile: str = "laptop") -> dict[str, object]:
    with server.client() as client:
        answer = client.put(ARCHIVE.replace("laptop", profile), content=CONTENT).raise_for_status()
        told: dict[str, object] = answer.json()
        return told


def listed(client: httpx2.Client) -> tuple[str, str | None, str | None]:
    """What the list of archives says of the only one."""
    (archive,) = client.get("/api/v1/archives").json()["archives"]
    return archive["state"], archive["verified_at"], archive["damage"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text("")
    return host


@pytest.fixture(params=["served", "opened"])
def filled(request: pytest.FixtureRequest, host: Host) -> Iterator[Host]:
    """Two profiles with an archive each; a server runs, or has been stopped."""
    with live_server(host.data, "--profiles", str(host.rules)) as server:
        put(server)
        put(server, "desktop")
        if request.param == "served":
            yield host
            return
    yield host


def test_everything_is_read_or_one_profile(filled: Host) -> None:
    assert filled.tarkeep("scrub").stdout == "2 archives read again\n"
    assert filled.tarkeep("scrub", "laptop").stdout == "1 archive read again\n"
    told = json.loads(filled.tarkeep("scrub", "--json").stdout)
    assert (told["job"], told["run"], told["outcome"], told["counts"]["checked"]) == ("scrub", 3, "done", 2)
    assert "no profile nobody" in filled.tarkeep("scrub", "nobody", code=10).stderr


def test_damage_is_told_with_an_exit_code_of_its_own(filled: Host) -> None:
    flip(filled.data / "archives/laptop/FULL/a.tar.gz")

    first, second = filled.tarkeep("scrub", code=13).stdout.splitlines()
    assert first == "2 archives read again, 1 damaged"
    assert second.startswith("laptop: FULL/a.tar.gz is damaged: its bytes are not what was received, they have the")
    assert second.endswith("; send the same archive again to repair it")
    assert filled.tarkeep("scrub", "desktop").stdout == "1 archive read again\n"
    assert json.loads(filled.tarkeep("scrub", "--json", code=13).stdout)["counts"]["damaged"] == 1


def test_what_was_made_right_is_told_as_partly_right(filled: Host) -> None:
    sidecar = filled.data / "archives/laptop/FULL/a.tar.gz.json"
    before = sidecar.read_bytes()
    flip(sidecar)

    assert "its side-car cannot be read, and was made anew" in filled.tarkeep("scrub", code=3).stdout
    assert sidecar.read_bytes() == before
    assert filled.tarkeep("scrub").stdout == "2 archives read again\n"


def test_a_damaged_archive_restores_nothing_until_it_is_sent_again(host: Host) -> None:
    """From one flipped bit to the repair: nobody is given wrong bytes, and clients are asked for the right ones."""
    with live_server(host.data, "--profiles", str(host.rules)) as server, server.client() as client:
        put(server)
        flip(host.data / "archives/laptop/FULL/a.tar.gz")
        assert client.get("/api/v1/profiles/laptop/points").json()["points"][0]["restorable"]

        host.tarkeep("scrub", code=13)

        assert not client.get("/api/v1/profiles/laptop/points").json()["points"][0]["restorable"]
        refused = client.get(ARCHIVE)
        assert (refused.status_code, refused.json()["code"]) == (500, "archive-corrupt")
        assert refused.json()["damage"] == "digest"
        assert listed(client) == ("damaged", None, "digest")
        assert "FULL/a.tar.gz (digest)" in host.tarkeep("check", code=13).stdout
        put(server)
        assert client.get(ARCHIVE).content == CONTENT
        assert listed(client) == ("stored", None, None)
        assert client.get("/api/v1/profiles/laptop/points").json()["points"][0]["restorable"]
        assert host.tarkeep("scrub").stdout == "1 archive read again\n"
        state, verified_at, damage = listed(client)
        assert (state, damage) == ("stored", None)
        assert verified_at is not None
        assert client.head(ARCHIVE).headers["Tarkeep-Verified-At"] == verified_at


def test_after_a_kill_the_next_server_goes_on_with_what_was_not_read(host: Host) -> None:
    """By itself, without being asked; what was read before is not read again."""
    noise = [make_targz({f"{number}": os.urandom(200_000)}) for number in range(4)]
    slowly = ("--profiles", str(host.rules), "--scrub-rate", "400K")
    with live_server(host.data, *slowly) as server, server.client() as client:
        for number, content in enumerate(noise):
            client.put(ARCHIVE.replace("a.tar", f"{number}.tar"), content=content).raise_for_status()
        ServedDoor(host.data).ask("POST", "/api/v1/scrub")
        eventually(lambda: 0 < read_so_far(host) < 4)
        server.kill()
    read = read_so_far(host)

    with live_server(host.data, "--profiles", str(host.rules)) as server, server.client() as client:

        def runs() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = client.get("/api/v1/jobs/scrub/runs").json()["runs"]
            return found

        eventually(lambda: runs()[0]["outcome"] not in ("running", "interrupted"))
        last, first = runs()

    assert (first["outcome"], last["cause"], last["outcome"]) == ("interrupted", "continued", "done")
    assert last["counts"]["checked"] == 4 - read < 4
    assert read_so_far(host) == 4


def read_so_far(host: Host) -> int:
    """How many archives were found right, as the catalog's file says."""
    with closing(sqlite3.connect(f"file:{host.data / 'catalog.sqlite'}?mode=ro", uri=True, timeout=60)) as database:
        ((count,),) = database.execute("SELECT count(*) FROM checks WHERE verified_us IS NOT NULL")
    return int(count)


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for it, a minute at most."""
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it has not happened within a minute")
