"""
Chains that attack files beside the directory they are restored into never reach them, in any way of restoring.

Each is stored as a FULL and INCs on a real server and restored in all four ways: by the script of the plan, by
`tarkeep restore`, by GNU tar from restore.tar, and by `tarkeep restore --merged`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.hostile_chains import HostileChain, hostile_chain, link, make_outside, surroundings
from tests.support.hostile_tars import TARS
from tests.support.machine import Machine
from tests.support.server import LiveServer, live_server
from tests.support.tars import END, member

SHARDS = 8
USUALLY, AT_LENGTH = 32, 240
_OF_HARM = ("link", "symlink", "outwards", "upwards", "absolute", "directory", "rename", "listing", "path", "name")
_LARGE = ("million", "000", "MB", "TB", "bomb", "flood")
SUITE = [name for name in TARS if any(word in name for word in _OF_HARM) and not any(word in name for word in _LARGE)]


class Box:
    """A folder with a server's data, the home of a client, a target, and files that no restore may touch."""

    def __init__(self, folder: Path, server: LiveServer) -> None:
        self.folder = folder
        self.outside = folder / "outside"
        self.target = folder / "target"
        self.machine = Machine(folder / "home", server.url)
        self.client = httpx2.Client(base_url=server.url, trust_env=False, timeout=120)
        self.restored = 0

    def around(self) -> dict[str, tuple[object, ...]]:
        return surroundings(self.folder, ["data", "data.log", "home", "target", "target.tarkeep-work"])

    def store(self, profile: str, chain: HostileChain) -> str:
        """Store the chain. Returns the name of the last accepted archive."""
        last = ""
        for number, archive in enumerate(chain.archives):
            type = "INC" if number else "FULL"
            name = f"{type}/{type.lower()}_2026-11-0{number + 1}_00-00-00.tar.gz"
            answer = self.client.put(f"/api/v1/profiles/{profile}/archives/{name}", content=archive)
            assert answer.status_code in (201, 413, 422), answer.text
            last = name if answer.status_code == 201 else last
        return last

    def restore_in_every_way(self, profile: str, at: str, recipe: str) -> None:
        before = self.around()
        for way in (self._by_script, self._by_client, self._by_tar, self._by_client_merged):
            self.target.mkdir()
            try:
                self.restored += way(profile, at)
            finally:
                shutil.rmtree(self.target)
                shutil.rmtree(f"{self.target}.tarkeep-work", ignore_errors=True)
            assert self.around() == before, (recipe, way.__name__)

    def _by_script(self, profile: str, at: str) -> bool:
        answer = self.client.get(f"/api/v1/profiles/{profile}/plan", params={"format": "sh", "at": at})
        if answer.status_code != 200:
            assert answer.status_code == 409, answer.text
            return False
        script = self.machine.home / "restore.sh"
        script.write_text(answer.text)
        environment = {**os.environ, "NO_PROXY": "127.0.0.1", "TMPDIR": str(self.machine.home)}
        done = subprocess.run(["sh", script, self.target], capture_output=True, check=False, env=environment)
        return done.returncode in (0, 3)

    def _by_client(self, profile: str, at: str, *options: str) -> bool:
        ran = self.machine.run("restore", profile, "--into", str(self.target), "--at", at, *options)
        assert ran.returncode in (0, 1, 3, 10), ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.returncode in (0, 3)

    def _by_client_merged(self, profile: str, at: str) -> bool:
        return self._by_client(profile, at, "--merged")

    def _by_tar(self, profile: str, at: str) -> bool:
        answer = self.client.get(f"/api/v1/profiles/{profile}/restore.tar", params={"at": at})
        if answer.status_code != 200:
            return False
        command = ["tar", "--extract", "--preserve-permissions", "--file=-"]
        done = subprocess.run(command, input=answer.content, cwd=self.target, capture_output=True, check=False)
        return done.returncode == 0


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    for name in ("outside", "home"):
        (folder / name).mkdir()
    make_outside(folder / "outside")
    with live_server(folder / "data", environment={"HOME": str(folder / "home")}, cwd=folder / "home") as server:
        box = Box(folder, server)
        with box.client:
            yield box


def tried(box: Box, seeds: range) -> None:
    """Store and restore every chain; most must be restored in some way, or the test proves nothing."""
    restored = box.restored
    for seed in seeds:
        chain = hostile_chain(seed, bytes(box.outside))
        at = box.store(f"chain-{seed}", chain)
        if at:
            box.restore_in_every_way(f"chain-{seed}", at, f"{seed}: {chain.recipe}")
    assert box.restored - restored > len(seeds)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_chains_write_nothing_beside_their_directory(box: Box, shard: int) -> None:
    """A few of them."""
    tried(box, range(shard, USUALLY, SHARDS))


@pytest.mark.hostile
@pytest.mark.parametrize("shard", range(SHARDS))
def test_many_chains_write_nothing_beside_their_directory(box: Box, shard: int) -> None:
    """208 more."""
    tried(box, range(USUALLY + shard, AT_LENGTH, SHARDS))


@pytest.mark.hostile
@pytest.mark.parametrize("name", SUITE)
def test_hostile_tars_behind_each_other_write_nothing_beside_their_directory(box: Box, name: str) -> None:
    """Each of those with odd names, links or listings, after itself, and after links to the paths it names."""
    tar = TARS[name]()
    links = b"".join(link(path, bytes(box.outside)) for path in (b"a", b"c", b"d", b"outside"))
    first = links + member(b"keep", b"x") + END
    profile = "suite-" + "".join(letter if letter.isalnum() else "-" for letter in name)[:50]
    for number, tars in enumerate(((tar, tar), (first, tar))):
        chain = HostileChain(tars, is_exact=False, recipe=name)
        at = box.store(f"{profile}-{number}", chain)
        if at:
            box.restore_in_every_way(f"{profile}-{number}", at, name)
