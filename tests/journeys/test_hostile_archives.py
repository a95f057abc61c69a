"""
Malicious archives are refused, or kept, shown and restored, within bounds of time, memory and place.

Each is sent to a real server twice, as a FULL and as an INC that is compared with it, and is then requested in every
way.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.support.hostile_tars import ALL, OUTSIDE
from tests.support.machine import Machine
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at

pytestmark = pytest.mark.hostile

GROWTH_BYTES = 256 << 20
# A held name costs 250 bytes at worst, and archives may have many. A tree is given up at 256 MiB of paths, two are
# merged at once, and memory freed by several threads is not returned at once: 550 MB were measured.
GROWTH_OF_MANY_NAMES = {"listing of a million names": 400 << 20, "4,000 names of 500 levels": 640 << 20}
WATCHDOG_SECONDS = 120.0
RESTORED_BYTES = 64 << 20  # the part of a tree to extract; bombs inflate to as much as they hold
OK_OR_REFUSED = {200, 201, 400, 404, 409, 413, 422}


class Box:
    """A server in its own folder, beside files that no archive may touch."""

    def __init__(self, folder: Path, home: Path, server: LiveServer) -> None:
        self.folder = folder
        self.home = home  # of the client
        self.server = server
        self.client = httpx2.Client(base_url=server.url, trust_env=False, timeout=WATCHDOG_SECONDS)
        self.around = self.look_around()

    def look_around(self) -> dict[bytes, tuple[str, bytes]]:
        """Everything in the folder except the data directory and the log, and the paths that archives attack."""
        found = look_at(self.folder)
        assert not (Path("/") / OUTSIDE.decode()).exists()
        return {path: what for path, what in found.items() if path.partition(b"/")[0] not in (b"data", b"data.log")}

    def memory(self, field: str) -> int:
        """A figure of the server's memory, in bytes."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) << 10

    def forget_peak(self) -> None:
        Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    (folder / "outside").mkdir()
    (folder / "outside" / "kept").write_text("kept")
    (folder / "work").mkdir()
    # as in the examples: otherwise each thread of glibc keeps its freed memory
    home = {"HOME": str(folder / "work"), "TMPDIR": str(folder / "work"), "MALLOC_ARENA_MAX": "2"}
    # a server that takes far too much memory must not take the machine along
    limit = ("prlimit", f"--as={6 << 30}")
    with live_server(folder / "data", environment=home, cwd=folder / "work", prefix=limit) as server:
        box = Box(folder, tmp_path_factory.mktemp("home"), server)
        with box.client:
            yield box


def get(box: Box, path: str) -> httpx2.Response:
    answer = box.client.get(path)
    assert answer.status_code in OK_OR_REFUSED, (path, answer.status_code, answer.text[:300])
    assert len(answer.content) < 64 << 20, path
    return answer


def look_everywhere(box: Box, profile: str, places: list[str], content: bytes) -> None:
    """Request everything that the server offers for the archives at *places*."""
    base = f"/api/v1/profiles/{profile}"
    names: list[str] = []
    for place in places:
        with box.client.stream("GET", place) as answer:
            assert answer.read() == content
        at = "at=" + quote("/".join(place.rsplit("/", 2)[1:]))
        cursor = ""
        for _ in range(3):
            page = get(box, f"{place}/members?limit=1000{cursor}")
            names += [member["path"] for member in page.json().get("members", ())]
            following = page.json().get("next_cursor")
            if not following:
                break
            cursor = f"&cursor={following}"
        for question in (
            "tree?",
            "tree?recursive=true&limit=1000&",
            "find?name=*&limit=1000&",
            "find?name=a&",
            "plan?",
        ):
            get(box, f"{base}/{question}{at}")
        get(box, f"{base}/plan?format=sh&{at}")
        restore(box, f"{base}/restore.tar?{at}")
        restore_by_client(box, profile, place)
    for name in [*dict.fromkeys(names[:4]), *names[-1:]]:
        if len(name) < 8_000:
            get(box, f"{base}/history?path={quote(name, safe='')}")
            for place in places:
                read_some(box, f"{place}/members/{quote(name, safe='')}")
    for path in ("points", "chains", "base"):
        get(box, f"{base}/{path}")
    get(box, f"/list?profile={profile}")


def read_some(box: Box, path: str) -> None:
    with box.client.stream("GET", path) as answer:
        assert answer.status_code in OK_OR_REFUSED, path
        for _ in islice(answer.iter_raw(1 << 20), 16):
            pass


def restore(box: Box, path: str) -> None:
    """Let GNU tar extract the beginning of a restored tar, and check that it stays in its directory."""
    target, restored = box.folder / "target", box.folder / "restored.tar"
    with box.client.stream("GET", path) as answer:
        assert answer.status_code in OK_OR_REFUSED, (path, answer.read()[:300])
        if answer.status_code != 200:
            return
        with restored.open("wb") as file:
            for piece in answer.iter_raw(1 << 20):
                file.write(piece)
                if file.tell() > RESTORED_BYTES:
                    break
    target.mkdir()
    try:
        # it may well complain, for example of a file that claims 8 EiB
        subprocess.run(
            ["tar", "--extract", f"--file={restored}", f"--directory={target}"],
            capture_output=True,
            check=False,
            timeout=WATCHDOG_SECONDS,
        )
    finally:
        shutil.rmtree(target)
        restored.unlink()
    assert box.look_around() == box.around


def restore_by_client(box: Box, profile: str, place: str) -> None:
    """Let the client restore the same; it checks the archives before tar extracts them."""
    target = box.folder / "target"
    work = target.with_name("target.tarkeep-work")
    machine = Machine(box.home, box.server.url)
    limit = ("prlimit", f"--fsize={RESTORED_BYTES}")  # per file: a bomb must not fill the disk
    ran = machine.run(
        "restore", profile, "--at", place.rpartition("/archives/")[2], "--into", str(target), prefix=limit
    )
    try:
        assert ran.returncode in (0, 1, 3, 10), (ran.returncode, ran.stderr)
        assert "Traceback" not in ran.stderr
        assert all(line.isprintable() for line in ran.stderr.splitlines())
    finally:
        for folder in (target, work):
            shutil.rmtree(folder, ignore_errors=not folder.exists())
    assert box.look_around() == box.around


@pytest.mark.parametrize("name", ALL)
def test_an_archive_that_means_harm_does_none(box: Box, name: str) -> None:
    """It is accepted or refused in time, memory stays bounded, and no file is written elsewhere."""
    profile = re.sub(r"[^A-Za-z0-9]+", "-", name)[:64]
    places = [f"/api/v1/profiles/{profile}/archives/{type}/hostile.tar.gz" for type in ("FULL", "INC")]
    content = ALL[name]()
    box.forget_peak()
    before = box.memory("VmRSS")

    answers = [box.client.put(place, content=content) for place in places]
    assert {answer.status_code for answer in answers} <= OK_OR_REFUSED, answers[0].text[:300]
    kept = [place for place, answer in zip(places, answers, strict=True) if answer.status_code == 201]
    if kept:
        look_everywhere(box, profile, kept, content)

    growth = box.memory("VmHWM") - before
    assert growth < GROWTH_OF_MANY_NAMES.get(name, GROWTH_BYTES)
    assert box.look_around() == box.around
    assert box.server.process.poll() is None
    assert "Traceback" not in box.server.log.read_text()
