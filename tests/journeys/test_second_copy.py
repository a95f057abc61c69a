"""Two real servers: the second has what the first has, whatever breaks, and restores when the first is gone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.http.host_door import HostRefused, ServedDoor
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.archives import make_targz
from tests.support.cutting_proxy import CuttingProxy, Fault, Kind
from tests.support.harm import cut, flip
from tests.support.server import LiveServer, live_server

QUIET = {"TARKEEP_JOB_WATCH": "off", "TARKEEP_JOB_SCRUB": "off", "TARKEEP_JOB_REHEARSE": "off"}


@frozen
class First:
    """The first server, with a token that lists and pulls."""

    server: LiveServer
    token: str

    def put(self, profile: str, name: str, content: bytes, type: str = "FULL", **headers: str) -> None:
        made = open_tokens(StorageSettings(data=self.server.data)).make(frozenset({Scope.PUSH}), ("*",)).text
        url = f"/api/v1/profiles/{profile}/archives/{type}/{name}.tar.gz"
        with self.server.client() as client:
            client.put(url, content=content, headers={"Authorization": f"Bearer {made}", **headers}).raise_for_status()


@contextmanager
def first_server(data: Path) -> Iterator[First]:
    with live_server(data, environment=QUIET) as server:
        made = open_tokens(StorageSettings(data=data)).make(frozenset({Scope.LIST, Scope.PULL}), ("*",))
        yield First(server, made.text)


def second_server(data: Path) -> Any:
    return live_server(data, environment=QUIET)


def copy(second: LiveServer, url: str, token: str) -> dict[str, Any]:
    """What a run on the second server comes to."""
    return ended(second, ServedDoor(second.data).ask("POST", "/api/v1/replicate", {"from": url, "token": token}))


def ended(second: LiveServer, run: dict[str, Any]) -> dict[str, Any]:
    door = ServedDoor(second.data)
    while run["outcome"] == "running":
        time.sleep(0.05)
        target = f"/api/v1/jobs/{run['job']}/runs?limit=1&before={run['run'] + 1}"
        run = door.ask("GET", target)["runs"][0]
    return run


def listed(server: LiveServer, token: str = "") -> list[dict[str, Any]]:
    """Everything that a server says of its archives but when they were copied or read."""
    found: list[dict[str, Any]] = []
    with server.client() as client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        target = "/api/v1/archives?limit=1000"
        page = client.get(target, headers=headers).raise_for_status().json()
        found += page["archives"]
    assert page["next_cursor"] is None
    return [{name: one[name] for name in one if name not in ("copied_at", "verified_at")} for one in found]


def fill(first: First, count: int, size: int = 60_000) -> None:
    rng = random.Random(7)
    for number in range(count):
        first.put(f"web-{number % 3}", f"f{number:03}", make_targz({"noise": rng.randbytes(size)}))


def test_inventories_are_equal_whatever_breaks(tmp_path: Path) -> None:
    """The second server is killed within an archive, then the line is cut in heads and bodies; nothing comes twice."""
    with first_server(tmp_path / "one") as first:
        fill(first, 18)
        cuts = [Fault(Kind.CUT, at, of_answers=True) for at in (90, 20_000, 200_000, 30_000, 500, 50_000)]
        stall = Fault(Kind.STALL, 150_000, of_answers=True)
        with (
            second_server(tmp_path / "two") as second,
            CuttingProxy(first.server.host_and_port, [stall]) as line,
        ):
            door = ServedDoor(second.data)
            door.ask("POST", "/api/v1/replicate", {"from": line.url, "token": first.token})
            assert line.has_stalled.wait(60)
            with pytest.raises(HostRefused, match="run"):  # two runs at once
                door.ask("POST", "/api/v1/replicate", {"from": line.url, "token": first.token})
            second.kill()
        with second_server(tmp_path / "two") as second:
            here = len(listed(second))
            with CuttingProxy(first.server.host_and_port, cuts) as line:
                told = copy(second, line.url, first.token)
                assert line.made_cuts > 3
            assert 0 < here < 18
            assert told["counts"]["copied"] + here == 18
            last = copy(second, first.server.url, first.token)
            assert (last["problems"], last["waits"], last["counts"]["archives"]) == ([], [], 18)
            assert listed(second) == listed(first.server, first.token)
            again = copy(second, first.server.url, first.token)
            assert (again["outcome"], again["counts"]["copied"]) == ("nothing", 0)
            staged = [one for one in (second.data / "staging").rglob("*") if one.is_file()]
            assert not staged
        for file in (tmp_path / "one" / "archives").rglob("*.tar.gz"):
            assert (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes() == file.read_bytes()


def zero(file: Path) -> None:
    size = file.stat().st_size
    file.chmod(0o600)
    file.write_bytes(bytes(size))


def test_fifty_of_fifty_damaged_archives_are_healed(tmp_path: Path) -> None:
    """Flipped, cut, zeroed and missing files come back bit for bit, and the evidence has each repair."""
    with first_server(tmp_path / "one") as first, second_server(tmp_path / "two") as second:
        fill(first, 50, 3000)
        assert copy(second, first.server.url, first.token)["counts"]["copied"] == 50
        files = sorted((second.data / "archives").rglob("*.tar.gz"))
        before = {file: hashlib.sha256(file.read_bytes()).digest() for file in files}
        for number, file in enumerate(files):
            (flip, cut, zero, Path.unlink)[number % 4](file)

        found = ended(second, ServedDoor(second.data).ask("POST", "/api/v1/scrub"))
        assert found["counts"]["damaged"] == 50
        assert {one["state"] for one in listed(second)} == {"damaged"}
        told = copy(second, first.server.url, first.token)
        assert (told["counts"]["healed"], told["problems"]) == (50, [])
        assert {file: hashlib.sha256(file.read_bytes()).digest() for file in files} == before
        assert listed(second) == listed(first.server, first.token)
        lines = [
            json.loads(line)
            for file in (second.data / "evidence").glob("*.jsonl")
            for line in file.read_text().splitlines()
        ]
        assert sum(line["kind"] == "repaired" for line in lines) == 50
        assert ended(second, ServedDoor(second.data).ask("POST", "/api/v1/scrub"))["counts"]["damaged"] == 0


def test_a_chain_restores_when_the_first_server_is_gone(tmp_path: Path) -> None:
    """A FULL and two INC of GNU tar with snapshot files: the second restores each night as the first did."""
    tree, snapshot = tmp_path / "tree", tmp_path / "snar"
    tree.mkdir()
    trees: list[dict[str, bytes]] = []
    with first_server(tmp_path / "one") as first, second_server(tmp_path / "two") as second:
        before = ""
        for night in range(3):
            (tree / f"night-{night}").write_bytes(os.urandom(3000))
            (tree / "changing").write_bytes(os.urandom(500 + night))
            if night == 2:
                (tree / "night-0").unlink()
            packed = tmp_path / "dump.tar.gz"
            command = ["tar", "-czf", str(packed), f"--listed-incremental={snapshot}", "-C", str(tmp_path), "tree"]
            subprocess.run(command, check=True)
            after = hashlib.sha256(snapshot.read_bytes()).hexdigest()
            lineage = {"Tarkeep-Snapshot-After": after} | ({"Tarkeep-Snapshot-Before": before} if before else {})
            first.put("web", f"night-{night}", packed.read_bytes(), "INC" if night else "FULL", **lineage)
            before = after
            trees.append({file.name: file.read_bytes() for file in tree.iterdir()})
        assert copy(second, first.server.url, first.token)["counts"]["copied"] == 3
        assert listed(second) == listed(first.server, first.token)
        first.server.kill()

        for night in range(3):
            into = tmp_path / f"back-{night}"
            at = f"{'INC' if night else 'FULL'}/night-{night}.tar.gz"
            restore = [sys.executable, "-m", "tarkeep", "restore", "web", "--at", at, "--into", str(into)]
            clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
            subprocess.run([*restore, "--server", second.url], check=True, env=clean, capture_output=True)
            (restored,) = list(into.rglob("changing"))
            assert {file.name: file.read_bytes() for file in restored.parent.iterdir()} == trees[night]


def test_whoever_is_not_on_the_host_names_no_server(tmp_path: Path) -> None:
    """An open server, or one with any token, connects to no address that a client names."""
    with second_server(tmp_path / "two") as second, second.client() as client:
        every = open_tokens(StorageSettings(data=second.data)).make(frozenset(Scope), ("*",)).text
        headers = {"Authorization": f"Bearer {every}"}
        answer: httpx2.Response = client.post("/api/v1/replicate", json={"from": "http://127.0.0.1:9"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-request")
