"""The adapters of drills keep the contracts of their ports."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.gnu_tar.sandbox import ended
from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.drills import HttpDrills
from tarkeep.adapters.local.drill_room import SandboxedRoom
from tarkeep.domain.client.ports.drilling import DrillRoom, RemoteDrills
from tarkeep.domain.errors.client import SandboxUnusable
from tests.contracts.client.drill_room import DrillRoomContract
from tests.contracts.client.remote_drills import RemoteDrillsContract
from tests.support.require import require
from tests.support.server import LiveServer, live_server

INSIDE = """
id -u; id -g
cat /proc/self/status 2>/dev/null
ls /
touch /usr/here /here 2>/dev/null && echo written
cat /etc/passwd /root/x 2>/dev/null
(exec 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null && echo net
true
"""


def _works(name: str) -> bool:
    return shutil.which(name) is not None


class TestBubblewrap(DrillRoomContract):
    @pytest.fixture
    def room(self, open_folder: Path) -> DrillRoom:
        require("bwrap", _works("bwrap"), "install bubblewrap")
        return SandboxedRoom(open_folder, "bwrap")


class TestUnshare(DrillRoomContract):
    @pytest.fixture
    def room(self, open_folder: Path) -> DrillRoom:
        require("unshare", _works("unshare"), "install util-linux")
        return SandboxedRoom(open_folder, "unshare")


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that nobody can reach: those that pytest makes are closed to others."""
    with tempfile.TemporaryDirectory(prefix="tarkeep-tests-drills-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("name", ["bwrap", "unshare"])
def test_inside_there_is_nothing_but_the_programs_and_the_folder(open_folder: Path, name: str) -> None:
    """As nobody, without network and without the files of the machine."""
    require(name, _works(name), f"install {name}")
    room = SandboxedRoom(open_folder, name)
    with room.opened():
        assert room._sandbox is not None
        program = room._sandbox.started(["/bin/bash", "-c", INSIDE], 20)
        said, _ = program.communicate(timeout=20)

    lines = said.decode().split()
    assert lines[:2] == ["65534", "65534"]
    assert "scratch" in lines
    assert not {"home", "root", "etc", "proc", "tmp", "written", "net"} & set(lines)
    assert list(open_folder.iterdir()) == []


def test_if_nothing_works_it_is_told_why(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("tarkeep.adapters.local.drill_room._version", lambda: "tar (GNU tar) 1.34")

    told = "bwrap is not installed; unshare is not installed"
    with pytest.raises(SandboxUnusable, match=told), SandboxedRoom(open_folder).opened():
        pass
    assert list(open_folder.iterdir()) == []


def test_a_program_in_it_does_not_outlive_it(open_folder: Path) -> None:
    require("bwrap", _works("bwrap"), "install bubblewrap")
    room = SandboxedRoom(open_folder, "bwrap")
    with room.opened():
        assert room._sandbox is not None
        program = room._sandbox.started(["/bin/sleep", "4711.25"], 20)
        ended(program)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4711.25" not in running


class TestHttpDrills(RemoteDrillsContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[LiveServer]:
        with live_server(tmp_path / "data") as running:
            yield running

    @pytest.fixture
    def drills(self, server: LiveServer) -> Iterator[RemoteDrills]:
        with closing(HttpConnection(server.url)) as connection:
            yield HttpDrills(connection)

    @pytest.fixture
    def lay(self, server: LiveServer) -> Callable[[str, bytes], None]:
        def put(profile: str, content: bytes) -> None:
            with server.client() as client:
                client.put(f"/api/v1/profiles/{profile}/archives/FULL/a.tar.gz", content=content).raise_for_status()

        return put
