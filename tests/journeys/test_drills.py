"""
Restore drills from end to end: a server, the command, real archives of GNU tar, and trees that are spoilt on the way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, evolve

from tarkeep.adapters.gnu_tar.members import TarMembers
from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.drills import HttpDrills
from tarkeep.adapters.local.drill_room import SandboxedRoom
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.client.drills.run_drill import ONCE, DrillWatch, RunDrill
from tarkeep.domain.client.ports.drilling import DrillVerdict, DueDrill
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.drills.manifest import ManifestLine
from tarkeep.domain.errors.client import Refused, ServerUnreachable
from tarkeep.domain.identity.archive_id import BackupType
from tests.support.archives import make_targz
from tests.support.harm import flip
from tests.support.require import require
from tests.support.server import LiveServer, live_server

NAMES = 13


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder that nobody can reach: those that pytest makes are closed to others."""
    require("bwrap", shutil.which("bwrap") is not None, "install bubblewrap")
    with tempfile.TemporaryDirectory(prefix="tarkeep-tests-drills-") as made:
        Path(made).chmod(0o755)
        yield Path(made)
        assert list(Path(made).iterdir()) == []


def grown(tree: Path) -> None:
    """A tree with one of everything."""
    (tree / "folder" / "deep").mkdir(parents=True)
    (tree / "folder" / "file").write_bytes(b"some content\n")
    (tree / "folder" / "deep" / "gone").write_bytes(b"x")
    (tree / "large").write_bytes(os.urandom(3 << 20))
    os.link(tree / "large", tree / "folder" / "same")
    (tree / "link").symlink_to("folder/file")
    (tree / "out").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    (tree / os.fsdecode(b"n\xffme\n")).write_bytes(b"")
    with (tree / "sparse").open("wb") as file:
        file.truncate(5 << 20)
        file.seek(3 << 20)
        file.write(b"in the middle")
    (tree / "folder" / "file").chmod(0o640)
    (tree / "large").chmod(0o4755)
    (tree / "closed").mkdir(mode=0o500)


def changed(tree: Path) -> None:
    time.sleep(1.1)  # tar sees changes by the second where a file system keeps no more
    (tree / "folder" / "deep" / "gone").unlink()
    (tree / "folder" / "deep" / "new").write_bytes(b"new\n")
    (tree / "folder").rename(tree / "renamed")
    (tree / "link").unlink()
    (tree / "link").symlink_to("renamed/file")


@define
class Home:
    """A server with two archives of a real tree."""

    server: LiveServer
    scratch: Path

    def command(self, *words: str) -> tuple[int, str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
        ran = subprocess.run(
            [sys.executable, "-m", "tarkeep", *words, "--server", self.server.url],
            capture_output=True,
            text=True,
            env=clean,
            check=False,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def drill(self, *words: str) -> tuple[int, str, str]:
        return self.command("drill", "run", "laptop", "--scratch", str(self.scratch), *words)

    def told(self, *words: str) -> dict[str, object]:
        code, out, _ = self.drill("--json", *words)
        told: dict[str, object] = json.loads(out.splitlines()[-1])
        assert told["exit_code"] == code
        return told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, scratch: Path) -> Iterator[Home]:
    tmp_path = tmp_path_factory.mktemp("drills")
    tree, snapshot = tmp_path / "tree", tmp_path / "snapshot"
    tree.mkdir()
    with live_server(tmp_path / "data") as server, server.client() as client:
        for number, step in enumerate((grown, changed)):
            step(tree)
            type = ("FULL", "INC")[number]
            name = f"{type.lower()}_2026-11-0{number + 1}_00-00-00.tar.gz"
            file = tmp_path / name
            subprocess.run(
                [
                    *("tar", "--create", "--gzip", "--sparse", "--format=posix", f"--file={file}"),
                    *(f"--listed-incremental={snapshot}", "--directory", str(tree), "."),
                ],
                check=True,
                capture_output=True,
            )
            url = f"/api/v1/profiles/laptop/archives/{type}/{name}"
            client.put(url, content=file.read_bytes()).raise_for_status()
        yield Home(server, scratch)


@pytest.mark.parametrize("sandbox", ["bwrap", "unshare", "none"])
def test_points_are_restored_in_both_ways_and_are_equal(home: Home, sandbox: str) -> None:
    """The newest and any other, archive after archive and as one tar; whatever keeps tar inside."""
    seen = [home.told("--sandbox", sandbox) for _ in range(4)]

    assert [one["outcome"] for one in seen] == ["equal"] * 4
    assert {one["way"] for one in seen} == {"plan", "restore.tar"}
    assert all(one["names"] == one["expected"] for one in seen)
    assert [one["names"] for one in seen if one["type"] == "INC"][:2] == [NAMES, NAMES]


def test_what_is_due_is_drilled_once(home: Home) -> None:
    """Then nothing is until half the time is over."""
    words = ("drill", "run", "--scratch", str(home.scratch))
    assert home.drill()[0] == 0
    code, out, _ = home.command(*words)

    assert (code, out) == (0, "no profile is due for a drill\n")
    code, out, _ = home.command("drill", "list")
    assert code == 0
    assert out.splitlines()[0].split()[2:4] == ["drill", "equal"]
    assert out.splitlines()[-1].endswith("and 0 rehearsals")


def flipped(tree: Path) -> None:
    file = tree / "large"
    found = file.lstat()
    content = bytearray(file.read_bytes())
    content[1 << 20] ^= 1
    file.write_bytes(content)
    file.chmod(found.st_mode & 0o7777)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def replaced_link(tree: Path) -> None:
    link = tree / "link"
    found, above = link.lstat(), tree.lstat()
    link.unlink()
    link.symlink_to("large")
    os.utime(link, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
    os.utime(tree, ns=(above.st_atime_ns, above.st_mtime_ns))


def split_link(tree: Path) -> None:
    file, above = tree / "renamed" / "same", (tree / "renamed").lstat()
    copy = file.with_name("copy")
    shutil.copy2(file, copy)
    copy.rename(file)
    os.utime(file.parent, ns=(above.st_atime_ns, above.st_mtime_ns))


def removed(tree: Path) -> None:
    above = tree.lstat()
    (tree / "pipe").unlink()
    os.utime(tree, ns=(above.st_atime_ns, above.st_mtime_ns))


def added(tree: Path) -> None:
    above = (tree / "renamed").lstat()
    (tree / "renamed" / "more").write_bytes(b"")
    os.utime(tree / "renamed", ns=(above.st_atime_ns, above.st_mtime_ns))


@define(eq=False)
class SpoiltRoom(SandboxedRoom):
    """A room in which *spoil* changes what was restored of the drill; the trial chain is left alone."""

    spoil: Callable[[Path], None] = lambda _tree: None
    _times: int = 0

    def lines(self) -> Iterator[ManifestLine]:
        self._times += 1
        if self._times > 2 and (self._place / "tree" / "renamed").exists():  # the newest point
            self.spoil(self._place / "tree")
        return super().lines()


@pytest.mark.parametrize(
    ("spoil", "differing"),
    [
        (lambda _tree: None, {}),
        (flipped, {b"large": "has other contents", b"renamed/same": "has other contents"}),
        (lambda tree: (tree / "renamed" / "file").chmod(0o644), {b"renamed/file": "has the mode 0644, had 0640"}),
        (lambda tree: (tree / "renamed").chmod(0o700), {b"renamed": "has the mode 0700, had 0755"}),
        (lambda tree: os.utime(tree / "sparse", ns=(1, 1)), {b"sparse": "has another time"}),
        (replaced_link, {b"link": "points elsewhere"}),
        (split_link, {b"large": "is not the hard link it was", b"renamed/same": "is not the hard link it was"}),
        (removed, {b"pipe": "is missing"}),
        (added, {b"renamed/more": "is not in the backup"}),
        (lambda tree: os.truncate(tree / "renamed" / "deep" / "new", 0), None),
    ],
    ids=["nothing", "byte", "mode", "mode-of-folder", "time", "target", "link", "missing", "extra", "emptied"],
)
def test_each_change_of_what_was_restored_is_found(
    home: Home, spoil: Callable[[Path], None], differing: dict[bytes, str] | None
) -> None:
    """Byte, mode, time, link, a name too few, a name too many: found, and nothing else."""

    def run() -> DrillVerdict:
        with closing(HttpConnection(home.server.url)) as connection:
            room = SpoiltRoom(home.scratch, "bwrap", spoil=spoil)
            drill = RunDrill(HttpDrills(connection), room, TarMembers(), HashlibHasher(), time.monotonic)
            verdict = drill("laptop")
            assert verdict is not None
            return verdict

    seen = set()
    for _turn in range(4):
        verdict = run()
        if verdict.point.type is not BackupType.INC:
            assert verdict.is_equal
            continue
        seen.add(verdict.way)
        if differing is not None:
            assert dict(verdict.differences) == differing
        assert verdict.outcome == ("equal" if differing == {} else "different")
    assert seen == {"plan", "restore.tar"}


def test_damage_is_no_difference(tmp_path: Path, scratch: Path) -> None:
    """Of a stored archive that is damaged nothing can be judged, and the server knows of it."""
    with live_server(tmp_path / "data") as server, server.client() as client:
        url = "/api/v1/profiles/laptop/archives/FULL/full.tar.gz"
        client.put(url, content=make_targz({"a": os.urandom(1 << 20)})).raise_for_status()
        flip(server.data / "archives" / "laptop" / "FULL" / "full.tar.gz")

        code, out, err = Home(server, scratch).drill()

        assert code in (1, 14), (out, err)
        assert [one["state"] for one in client.get("/api/v1/archives").json()["archives"]] == ["damaged"]
        outcomes = {one["outcome"] for one in client.get("/api/v1/drills").json()["drills"]}
        assert not outcomes & {"equal", "different"}


def test_a_report_of_nothing_is_no_success(home: Home) -> None:
    """Names that were not compared were not found."""
    with home.server.client() as client:
        due = client.get("/api/v1/drills/due?profile=laptop").json()["drill"]
        answer = client.post(f"/api/v1/drills/{due['id']}/report", content=b'{"names": 0, "seconds": 1}\n')

    assert answer.status_code == 200
    assert answer.json()["outcome"] == "different"
    assert answer.json()["different"] == answer.json()["expected"] > 0


def test_a_large_tree_is_restored_in_part(tmp_path: Path, scratch: Path) -> None:
    """Random folders, up to the limit, and their share is told."""
    tree = tmp_path / "tree"
    for number in range(6):
        (tree / f"f{number}" / "in").mkdir(parents=True)
        (tree / f"f{number}" / "in" / "file").write_bytes(os.urandom(100_000))
        os.link(tree / f"f{number}" / "in" / "file", tree / f"f{number}" / "same")
    file = tmp_path / "full.tar.gz"
    snapshot = tmp_path / "snapshot"
    subprocess.run(
        ["tar", "-czf", str(file), "-g", str(snapshot), "-C", str(tmp_path), "tree"], check=True, capture_output=True
    )
    with live_server(tmp_path / "data", "--drill-bytes", "250K") as server, server.client() as client:
        url = "/api/v1/profiles/laptop/archives/FULL/full.tar.gz"
        client.put(url, content=file.read_bytes()).raise_for_status()
        home = Home(server, scratch)
        for _ in range(3):
            told = home.told()
            assert told["outcome"] == "equal"
            assert told["way"] == "restore.tar"
            share = told["share"]
            assert isinstance(share, float)
            assert 0 < share <= 250 / 600


def test_a_server_that_starts_is_waited_for(scratch: Path) -> None:
    """Connections that are refused, and a server that is not ready, are tried again, as by the other commands."""
    waited: list[float] = []

    class Starting(HttpDrills):
        def due(self, profile: str | None = None) -> DueDrill | None:
            if not waited:
                raise ServerUnreachable("there", "connection refused", is_unreachable=True)
            if len(waited) == 1:
                raise Refused("starting", "the server starts", is_transient=True, pause_seconds=3.0)
            return None

    told: list[str] = []
    watch = DrillWatch(retries=lambda error, _pause: told.append(str(error)))
    with closing(HttpConnection("http://127.0.0.1:1")) as connection:
        room = SandboxedRoom(scratch, "bwrap")
        retrying = Retrying(2, waited.append, lambda: 0.5)
        drill = RunDrill(Starting(connection), room, TarMembers(), HashlibHasher(), time.monotonic, retrying)

        assert drill(None, watch) is None
        assert (waited, len(told)) == ([1.0, 3.0], 2)
        waited.clear()
        with pytest.raises(ServerUnreachable):
            evolve(drill, retrying=ONCE)()
