"""
examples/systemd/tarkeep-backup.service as systemd runs it: with a real server, and a server for pings that belongs to
the test.

The test plays systemd: it takes commands, variables and settings from the shipped files, and passes the result of the
run to ``ExecStopPost``, as systemd.exec(5) describes.
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


@define
class Pings:
    """A web server that remembers the requested paths, and answers with *status*."""

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
    settings: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        for folder in (self.bin, self.tree / "sub", self.home / "etc" / "tarkeep"):
            folder.mkdir(parents=True)
        (self.bin / "tarkeep").symlink_to(Path(sys.executable).with_name("tarkeep"))
        for name in ("kept", "changed", "removed", "sub/renamed", "sub/-dash"):
            (self.tree / name).write_text(f"first {name}")
        (self.tree / "sub/link").symlink_to("../kept")

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def state(self) -> Path:
        return self.home / "state" / "tarkeep-backup"

    @property
    def tree(self) -> Path:
        return self.home / "my tree"

    def program(self, name: str, *lines: str) -> None:
        """A program of the test, found before the machine's."""
        (self.bin / name).write_text("\n".join(["#!/bin/sh", *lines, ""]))
        (self.bin / name).chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        """One night, from ExecStartPre to ExecStopPost. Returns the result of the main command."""
        environment = self._begun()
        main = subprocess.run(
            self._command("ExecStart"), env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        self._end(environment, main.returncode)
        return main

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """A night that the test interrupts; it must be over at the end."""
        environment = self._begun()
        with subprocess.Popen(
            self._command("ExecStart"), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        ) as main:
            yield main
        self._end(environment, main.returncode)

    def _begun(self) -> dict[str, str]:
        self._configure()
        self.state.mkdir(parents=True, exist_ok=True)
        environment = self._environment()
        subprocess.run(self._command("ExecStartPre"), env=environment, check=False, capture_output=True, timeout=120)
        return environment

    def _end(self, environment: dict[str, str], status: int) -> None:
        result = "success" if status == 0 else "exit-code" if status > 0 else "signal"
        subprocess.run(
            self._command("ExecStopPost"),
            env=environment | {"SERVICE_RESULT": result},
            check=False,
            capture_output=True,
            timeout=120,
        )

    def _configure(self) -> None:
        """The shipped settings, adapted to this machine; the original lines must still be in them."""
        text = (SYSTEMD / "config.toml").read_text()
        for shipped, own in {
            'server = "http://127.0.0.1:5000"': f'server = "{self.server_url}"\nretries = 1',
            'directory = "/home/document"': f'directory = "{self.tree}"',
            'spool = "/var/lib/tarkeep-backup/': f'spool = "{self.state}/',
        }.items():
            assert shipped in text
            text = text.replace(shipped, own)
        (self.home / "etc" / "tarkeep" / "config.toml").write_text("\n".join([text, *self.settings, ""]))

    def _command(self, key: str) -> list[str]:
        line = directives(key)[0].lstrip("-").replace("$$", "$")
        return [word.replace("/opt/tarkeep/bin", str(self.bin)) for word in shlex.split(line)]

    def _environment(self) -> dict[str, str]:
        variables = dict(word.split("=", 1) for line in directives("Environment") for word in shlex.split(line))
        assert variables.pop("XDG_CONFIG_HOME") == "/etc"
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(self.home / "etc"),
            "NO_PROXY": "*",
            **{name: value.replace("%S", str(self.home / "state")) for name, value in variables.items()},
            **({"PING_URL": self.pings.url} if self.pings.url else {}),
        }


def directives(key: str) -> list[str]:
    """The values of *key* in the unit."""
    return re.findall(rf"^{key}=(.*)$", (SYSTEMD / "tarkeep-backup.service").read_text(), re.MULTILINE)


def contents(root: Path) -> dict[str, str]:
    """The contents of a tree, by path below *root*."""
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
    """The tree from *archives*, extracted in order by tar alone."""
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
    """The first night makes a FULL, the next ones INCs, then a FULL again; deleted files stay deleted."""
    laptop.settings.append("max_chain = 3")
    first = laptop.run()
    change(laptop.tree, 1)
    (laptop.tree / "removed").unlink()
    laptop.run()
    change(laptop.tree, 2)
    (laptop.tree / "sub").rename(laptop.tree / "moved")
    (laptop.tree / "moved/renamed").rename(laptop.tree / "moved/again")
    (laptop.tree / "sub").mkdir()
    last = laptop.run()
    before_full = stored(server)
    in_order = restored(server, tmp_path / "week", before_full)
    laptop.run()
    everything = stored(server)
    from_full = restored(server, tmp_path / "full", everything[3:])

    assert (first.returncode, last.returncode) == (0, 0), first.stderr
    assert [place.partition("_")[0] for place in everything] == ["FULL/full", "INC/inc", "INC/inc", "FULL/full"]
    assert in_order == contents(laptop.tree) == from_full
    assert "removed" not in in_order
    assert laptop.pings.paths == ["/abc/start", "/abc"] * 4
    assert list(laptop.state.rglob("*.tar.gz")) == []


def test_what_could_not_be_sent_goes_out_first_the_next_night(
    laptop: Laptop, server: LiveServer, tmp_path: Path
) -> None:
    """The line breaks when tar has finished: the dump waits, this is reported, and the chain continues, complete."""
    laptop.run()
    change(laptop.tree, 2)
    laptop.program("tar", f'[ "$1" != --create ] || kill -9 {server.process.pid}', f'exec {shutil.which("tar")} "$@"')
    failed = laptop.run()
    server.process.wait(60)
    waiting = [path.name for path in laptop.state.rglob("*.tar.gz")]
    (laptop.bin / "tar").unlink()
    change(laptop.tree, 3)
    with live_server(server.data) as again:
        laptop.server_url = again.url
        good = laptop.run()
        archives = stored(again)
        back = restored(again, tmp_path / "back", archives)

    assert (failed.returncode, good.returncode) == (14, 0), (failed, good)
    assert len(waiting) == 1
    assert laptop.pings.paths == ["/abc/start", "/abc", "/abc/start", "/abc/fail", "/abc/start", "/abc"]
    assert [place.partition("/")[0] for place in archives] == ["FULL", "INC", "INC"]
    assert archives[1] == f"INC/{waiting[0]}"
    assert back == contents(laptop.tree)


@pytest.mark.parametrize("trouble", ["killed", "no tree", "no server"])
def test_a_night_without_an_archive_is_a_failure(laptop: Laptop, server: LiveServer, trouble: str) -> None:
    """With tar killed, no readable file, or no server: no archive is stored, and the failure is reported."""
    laptop.run()
    if trouble == "killed":
        laptop.program("tar", f'{shutil.which("tar")} "$@"', "kill -9 $$")
    elif trouble == "no server":
        laptop.server_url = DEAD_URL
    else:
        laptop.tree.rename(laptop.home / "elsewhere")

    failed = laptop.run()

    assert failed.returncode != 0
    assert failed.stderr != ""
    assert laptop.pings.paths[2:] == ["/abc/start", "/abc/fail"]
    assert len(stored(server)) == 1


def test_a_killed_night_is_reported_and_loses_nothing(laptop: Laptop, server: LiveServer, tmp_path: Path) -> None:
    """SIGKILL for all processes while the server keeps the client waiting."""
    laptop.run()
    change(laptop.tree, 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        laptop.server_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with laptop.running() as night, silent.accept()[0]:
            os.killpg(night.pid, signal.SIGKILL)
    laptop.server_url = server.url
    laptop.run()

    assert night.returncode == -signal.SIGKILL
    assert laptop.pings.paths == ["/abc/start", "/abc", "/abc/start", "/abc/fail", "/abc/start", "/abc"]
    assert restored(server, tmp_path / "back", stored(server)) == contents(laptop.tree)


def test_a_file_that_changed_under_tar_costs_no_night(laptop: Laptop, server: LiveServer) -> None:
    """tar then exits with 1; the archive is whole, and the next one has the file again."""
    laptop.program("tar", f'{shutil.which("tar")} "$@"', 'status=$?; [ "$1" = --create ] || exit $status', "exit 1")

    assert laptop.run().returncode == 0
    assert len(stored(server)) == 1


@pytest.mark.parametrize("trouble", ["no url", "nobody there", "refused"])
def test_pings_never_cost_a_backup(laptop: Laptop, server: LiveServer, trouble: str) -> None:
    """Without pings, without an answer, or with an error: the archive is stored and the run succeeds."""
    if trouble == "refused":
        laptop.pings.status = 404
    else:
        laptop.pings.url = "" if trouble == "no url" else DEAD_URL

    run = laptop.run()

    assert run.returncode == 0
    assert len(stored(server)) == 1
    assert laptop.pings.paths == (["/abc/start", "/abc"] if trouble == "refused" else [])
