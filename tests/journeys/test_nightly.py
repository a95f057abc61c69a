"""
examples/systemd/tarkeep-nightly as its unit runs it: against a real server, with a place for pings that the test owns.

systemd itself is played by the test: it takes the commands, the path and the settings from the shipped files, and tells
``ExecStopPost`` how the run ended, as systemd.exec(5) describes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define, field

from tests.support.server import LiveServer, live_server

SYSTEMD = Path(__file__).parents[2] / "examples" / "systemd"
DEAD_URL = "http://127.0.0.1:1"
WEDNESDAY, SUNDAY = 3, 7


@define
class Pings:
    """A web server that remembers the paths it was asked for, and answers with *status*."""

    paths: list[str] = field(factory=list)
    status: int = 200
    url: str = ""

    @contextmanager
    def served(self) -> Iterator[Pings]:
        pings = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pings.paths.append(self.path)
                self.send_response(pings.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
            thread = threading.Thread(target=web.serve_forever, args=(0.01,))
            thread.start()
            self.url = f"http://127.0.0.1:{web.server_port}/abc"
            try:
                yield self
            finally:
                web.shutdown()
                thread.join()


@define
class Laptop:
    """A machine with a tree to back up, on which the example is installed."""

    home: Path
    pings: Pings
    server_url: str
    nights: int = 0
    settings: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for folder in (self.bin, self.state, self.tree / "sub"):
            folder.mkdir(parents=True)
        (self.bin / "tarkeep").symlink_to(Path(sys.executable).with_name("tarkeep"))
        (self.bin / "tarkeep-nightly").symlink_to(SYSTEMD / "tarkeep-nightly")
        self.program("date", 'if [ "$1" = +%u ]; then echo "$WEEKDAY"; else echo "$STAMP"; fi')
        for name in ("kept", "changed", "removed", "sub/renamed", "sub/-dash"):
            (self.tree / name).write_text(f"first {name}")
        (self.tree / "sub/link").symlink_to("../kept")

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def tree(self) -> Path:
        return self.home / "my tree"

    def program(self, name: str, *lines: str) -> None:
        """A program of the test's own, found before the machine's."""
        (self.bin / name).write_text("\n".join(["#!/bin/sh", *lines, ""]))
        (self.bin / name).chmod(0o755)

    def snapshot(self) -> bytes:
        return (self.state / "snapshot").read_bytes()

    def run(self, weekday: int = WEDNESDAY) -> subprocess.CompletedProcess[str]:
        """One night, from ExecStartPre to ExecStopPost; the main command's end."""
        environment = self._begun(weekday)
        main = subprocess.run(
            self._command("ExecStart"), env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        self._end(environment, main.returncode)
        return main

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """A night in the middle of which something happens; it must be over at the end."""
        environment = self._begun(WEDNESDAY)
        with subprocess.Popen(
            self._command("ExecStart"), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        ) as main:
            yield main
        self._end(environment, main.returncode)

    def _begun(self, weekday: int) -> dict[str, str]:
        self.nights += 1
        environment = self._environment() | {
            "WEEKDAY": str(weekday),
            "STAMP": f"2026-11-{self.nights:02}_02-00-00",
        }
        subprocess.run(self._command("ExecStartPre"), env=environment, check=True, capture_output=True, timeout=120)
        return environment

    def _end(self, environment: dict[str, str], status: int) -> None:
        result = "success" if status == 0 else "exit-code" if status > 0 else "signal"
        subprocess.run(
            self._command("ExecStopPost"),
            env=environment | {"SERVICE_RESULT": result},
            check=True,
            capture_output=True,
            timeout=120,
        )

    def _command(self, key: str) -> list[str]:
        return [word.replace("/opt/tarkeep/bin", str(self.bin)) for word in shlex.split(directive(key).lstrip("-"))]

    def _environment(self) -> dict[str, str]:
        lines = re.findall(r"^#?([A-Z_]+)=(.*)$", (SYSTEMD / "tarkeep-nightly.env").read_text(), re.MULTILINE)
        shipped = dict(lines)
        settings = {
            "TREE": str(self.tree),
            "PROFILE": "laptop",
            "TARKEEP_SERVER": self.server_url,
            "PING_URL": self.pings.url,
        }
        assert shipped.keys() == settings.keys()
        path = directive("Environment").removeprefix("PATH=").replace("/opt/tarkeep/bin", str(self.bin))
        return {
            "PATH": path,
            "STATE_DIRECTORY": str(self.state),
            "TARKEEP_RETRIES": "1",
            "NO_PROXY": "*",
            **settings,
            **self.settings,
        }


def directive(key: str) -> str:
    """The one value of *key* in the unit."""
    (value,) = re.findall(rf"^{key}=(.*)$", (SYSTEMD / "tarkeep-nightly.service").read_text(), re.MULTILINE)
    return str(value)


def contents(root: Path) -> dict[str, str]:
    """What a tree holds, by path below *root*."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def stored(server: LiveServer) -> list[str]:
    """The laptop's archives on the server, as TYPE/NAME, oldest first."""
    with server.client() as client:
        found = client.get("/api/v1/archives", params={"profile": "laptop"}).json()["archives"]
    return sorted((f"{each['type']}/{each['name']}" for each in found), key=lambda place: place.partition("_")[2])


def restored(server: LiveServer, folder: Path, archives: list[str]) -> dict[str, str]:
    """What *archives* give, unpacked in order by tar alone."""
    folder.mkdir()
    for archive in archives:
        with server.client() as client:
            content = client.get(f"/api/v1/profiles/laptop/archives/{archive}").content
        unpacked = subprocess.run(
            ["tar", "-xz", "--listed-incremental=/dev/null", "-C", str(folder)], input=content, capture_output=True
        )
        assert (unpacked.returncode, unpacked.stderr) == (0, b"")
    return contents(folder / "my tree")


def change(tree: Path, night: int) -> None:
    (tree / "changed").write_text(f"changed in night {night}")
    (tree / f"new {night}").write_text("new")
    (tree / "sub" / f"from {night}").mkdir()
    (tree / "sub" / f"from {night}" / "file").write_text("deep")


@pytest.fixture
def pings() -> Iterator[Pings]:
    with Pings().served() as pings:
        yield pings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path / "data") as running:
        yield running


@pytest.fixture
def laptop(tmp_path: Path, pings: Pings, server: LiveServer) -> Laptop:
    return Laptop(tmp_path / "laptop", pings, server.url)


def test_the_nights_of_a_week_restore_to_the_tree(laptop: Laptop, server: LiveServer, tmp_path: Path) -> None:
    """The first night makes a FULL, the next ones INCs, Sunday a FULL again; what is gone from the tree stays gone."""
    first = laptop.run()
    change(laptop.tree, 1)
    (laptop.tree / "removed").unlink()
    laptop.run()
    change(laptop.tree, 2)
    (laptop.tree / "sub").rename(laptop.tree / "moved")
    (laptop.tree / "moved/renamed").rename(laptop.tree / "moved/again")
    (laptop.tree / "sub").mkdir()
    last = laptop.run()
    before_sunday = stored(server)
    in_order = restored(server, tmp_path / "week", before_sunday)
    laptop.run(SUNDAY)
    everything = stored(server)
    from_sunday = restored(server, tmp_path / "sunday", everything[3:])

    assert (first.returncode, first.stderr, last.returncode) == (0, "", 0)
    assert first.stdout.startswith("FULL/full_2026-11-01_02-00-00.tar.gz: stored")
    assert [place.partition("_")[0] for place in everything] == ["FULL/full", "INC/inc", "INC/inc", "FULL/full"]
    assert in_order == contents(laptop.tree) == from_sunday
    assert "removed" not in in_order
    assert laptop.pings.paths == ["/abc/start", "/abc"] * 4
    assert list(laptop.state.rglob("*.tar.gz")) == []


def test_what_could_not_be_sent_goes_out_first_the_next_night(
    laptop: Laptop, server: LiveServer, tmp_path: Path
) -> None:
    """Without a server the night fails, says so and moves nothing on; with one the chain goes on, complete."""
    laptop.run()
    snapshot = laptop.snapshot()
    change(laptop.tree, 2)
    laptop.server_url = DEAD_URL
    failed = laptop.run()
    after_failure = laptop.snapshot()
    change(laptop.tree, 3)
    laptop.server_url = server.url
    good = laptop.run()

    assert (failed.returncode, good.returncode) == (14, 0), (failed, good)
    assert after_failure == snapshot != laptop.snapshot()
    assert laptop.pings.paths == ["/abc/start", "/abc", "/abc/start", "/abc/fail", "/abc/start", "/abc"]
    archives = stored(server)
    assert [place.partition("/")[0] for place in archives] == ["FULL", "INC", "INC"]
    assert restored(server, tmp_path / "back", archives) == contents(laptop.tree)


def test_an_archive_whose_acknowledgement_was_lost_is_not_sent_twice(
    laptop: Laptop, server: LiveServer, tmp_path: Path
) -> None:
    """The server has it, the machine does not know: the next night finds out, and builds on it."""
    laptop.run()
    change(laptop.tree, 2)
    laptop.server_url = DEAD_URL
    laptop.run()
    (pending,) = (laptop.state / "pending" / "INC").iterdir()
    with server.client() as client:
        client.put(f"/api/v1/profiles/laptop/archives/INC/{pending.name}", content=pending.read_bytes())
    change(laptop.tree, 3)
    laptop.server_url = server.url
    good = laptop.run()

    assert good.returncode == 0
    assert f"INC/{pending.name}: stored already" in good.stdout
    assert restored(server, tmp_path / "back", stored(server)) == contents(laptop.tree)


@pytest.mark.parametrize("trouble", ["killed", "no tree", "a link for a tree", "no profile"])
def test_a_night_without_an_archive_is_a_failure(laptop: Laptop, server: LiveServer, trouble: str) -> None:
    """tar killed, or nothing that it could read: nothing is sent, nothing moves on, the failure is told."""
    laptop.run()
    snapshot = laptop.snapshot()
    if trouble == "killed":
        laptop.program("tar", f'{shutil.which("tar")} "$@"', "kill -9 $$")
    elif trouble == "no profile":
        laptop.settings["PROFILE"] = ""
    else:
        laptop.tree.rename(laptop.home / "elsewhere")
        if trouble == "a link for a tree":
            laptop.tree.symlink_to("elsewhere")

    failed = laptop.run()

    assert failed.returncode != 0
    assert failed.stderr != ""
    assert laptop.pings.paths[2:] == ["/abc/start", "/abc/fail"]
    assert laptop.snapshot() == snapshot
    assert len(stored(server)) == 1


def test_a_night_that_is_killed_is_told_and_loses_nothing(laptop: Laptop, server: LiveServer, tmp_path: Path) -> None:
    """SIGKILL for everything while the server keeps the client waiting."""
    laptop.run()
    snapshot = laptop.snapshot()
    change(laptop.tree, 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        laptop.server_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with laptop.running() as night, silent.accept()[0]:
            os.killpg(night.pid, signal.SIGKILL)
    after = laptop.snapshot()
    laptop.server_url = server.url
    laptop.run()

    assert night.returncode == -signal.SIGKILL
    assert laptop.pings.paths == ["/abc/start", "/abc", "/abc/start", "/abc/fail", "/abc/start", "/abc"]
    assert after == snapshot
    assert restored(server, tmp_path / "back", stored(server)) == contents(laptop.tree)


def test_a_file_that_changed_under_tar_costs_no_night(laptop: Laptop, server: LiveServer) -> None:
    """tar then ends with 1; the archive is whole, and the next one has the file again."""
    laptop.program("tar", f'{shutil.which("tar")} "$@"', "exit 1")

    assert laptop.run().returncode == 0
    assert len(stored(server)) == 1


@pytest.mark.parametrize("trouble", ["no url", "nobody there", "refused"])
def test_pings_never_cost_a_backup(laptop: Laptop, server: LiveServer, trouble: str) -> None:
    """Not asked for, not answered or answered with an error: the archive is stored and the run a success."""
    if trouble == "refused":
        laptop.pings.status = 404
    else:
        laptop.settings["PING_URL"] = "" if trouble == "no url" else DEAD_URL

    run = laptop.run()

    assert run.returncode == 0
    assert len(stored(server)) == 1
    assert laptop.pings.paths == (["/abc/start", "/abc"] if trouble == "refused" else [])
