"""A server whose catalog was lost while it was stopped: the next start says so, and has everything."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.archives import make_targz
from tests.support.server import live_server

CONTENT = make_targz({"a": b"content"})
NAMES = [f"a{number}.tar.gz" for number in range(4)]
SAID = "WARNING catalog lacked archives of the store, which are entered now"


@frozen
class Stopped:
    """The data directory of a stopped server, and a copy of its catalog from when it held the first two."""

    data: Path
    older: Path

    @property
    def catalog(self) -> Path:
        return self.data / "catalog.sqlite"

    def lose(self) -> None:
        for file in self.data.glob("catalog.sqlite*"):
            file.unlink()


def url_of(name: str) -> str:
    return f"/api/v1/profiles/p/archives/FULL/{name}"


@pytest.fixture
def stopped(tmp_path: Path) -> Stopped:
    data = tmp_path / "data"
    older = tmp_path / "older.sqlite"
    for some in (NAMES[:2], NAMES[2:]):
        with live_server(data) as server, server.client() as client:
            for name in some:
                client.put(url_of(name), content=CONTENT).raise_for_status()
        if not older.exists():
            shutil.copy(data / "catalog.sqlite", older)
    return Stopped(data, older)


def _emptied(stopped: Stopped) -> None:
    stopped.lose()
    stopped.catalog.touch()


def _older(stopped: Stopped) -> None:
    stopped.lose()
    shutil.copy(stopped.older, stopped.catalog)


@pytest.mark.parametrize(("how", "lacked"), [(Stopped.lose, 4), (_emptied, 4), (_older, 2)])
def test_what_a_catalog_lost_is_there_after_a_start(
    stopped: Stopped, how: Callable[[Stopped], None], lacked: int
) -> None:
    """Deleted, emptied or restored from an older copy; reported once, and not again at the next start."""
    how(stopped)
    for is_first in (True, False):
        log = stopped.data.with_name("data.log")
        before = log.read_text()
        with live_server(stopped.data) as server, server.client() as client:
            listed = client.get("/api/v1/archives").json()["archives"]
            assert sorted(archive["name"] for archive in listed) == NAMES
            assert all(client.get(url_of(name)).content == CONTENT for name in NAMES)
        new = log.read_text().removeprefix(before)
        assert (f"{SAID} archives={lacked}\n" in new) is is_first
        assert (SAID in new) is is_first


def test_what_was_read_right_is_known_again_from_the_evidence(stopped: Stopped) -> None:
    """A scrub's results outlive the catalog; what was never read stays so."""
    command = [sys.executable, "-m", "tarkeep", "scrub", "--data", str(stopped.data)]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    with live_server(stopped.data) as server, server.client() as client:
        client.put(url_of("unread.tar.gz"), content=CONTENT).raise_for_status()
        read = [client.head(url_of(name)).headers["Tarkeep-Verified-At"] for name in NAMES]
    stopped.lose()

    with live_server(stopped.data) as server, server.client() as client:
        known = [client.head(url_of(name)).headers["Tarkeep-Verified-At"] for name in NAMES]
        assert all(
            again <= first for again, first in zip(known, read, strict=True)
        )  # one line tells of many, since when
        assert "Tarkeep-Verified-At" not in client.head(url_of("unread.tar.gz")).headers
    assert "taken from the evidence archives_read=4 drills=0" in stopped.data.with_name("data.log").read_text()


MANGLED = [
    "DELETE FROM archives",
    "DELETE FROM archives WHERE seq = 1",
    "DELETE FROM archives WHERE seq = 4",
    "DELETE FROM totals",
    "DELETE FROM links",
    "DELETE FROM links WHERE seq = 3",
    "UPDATE totals SET archives = archives + 1",
    "UPDATE totals SET size_bytes = size_bytes + 1",
]


@pytest.mark.parametrize("statement", MANGLED)
def test_a_catalog_that_does_not_agree_with_itself_is_mended_at_a_start(stopped: Stopped, statement: str) -> None:
    """Rows that are gone from one table and are counted in another: the start reports it, and everything is there."""
    with sqlite3.connect(stopped.catalog) as database:
        database.execute(statement)
    log = stopped.data.with_name("data.log")
    before = log.read_text()

    with live_server(stopped.data) as server, server.client() as client:
        listed = client.get("/api/v1/archives").json()["archives"]
        assert sorted(archive["name"] for archive in listed) == NAMES
        assert client.get("/stats").json()["total"]["files"] == 4
        assert len(client.get("/api/v1/profiles/p/points").json()["points"]) == 4
    told = log.read_text().removeprefix(before)
    assert "WARNING catalog's sums are not those of its entries; it is made anew" in told


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE archives SET state = 'x' WHERE seq = 2",
        "UPDATE archives SET type = 'x' WHERE seq = 2",
        "UPDATE archives SET received_us = 9223372036854775807 WHERE seq = 2",
        "UPDATE links SET standing = 'x', link = 'x'",
        "UPDATE archives SET claimed = 1 WHERE seq = 2",
    ],
)
def test_rows_that_were_never_written_are_told_with_what_to_do(stopped: Stopped, statement: str) -> None:
    """By the start or by each route that reads them; never as a fault of the program; removing the catalog helps."""
    with live_server(stopped.data) as server, server.client() as client:  # makes links and standings
        routes = ["/list", "/stats", "/api/v1/archives", "/api/v1/profiles", "/api/v1/profiles/p/points"]
        assert [client.get(route).status_code for route in routes] == [200] * len(routes)
    with sqlite3.connect(stopped.catalog) as database:
        database.execute(statement)
    log = stopped.data.with_name("data.log")
    before = log.read_text()
    told: set[int] = set()
    with suppress(AssertionError), live_server(stopped.data) as server, server.client() as client:  # it may not start
        told.update(client.get(route).status_code for route in routes)
    assert told <= {200, 503}
    said = log.read_text().removeprefix(before)
    assert "remove its file, if it has one, and run tarkeep rebuild" in said or told == {200}
    assert "Traceback" not in log.read_text()
    stopped.lose()
    with live_server(stopped.data) as server, server.client() as client:
        assert [client.get(route).status_code for route in routes] == [200] * len(routes)


def test_a_rebuild_mends_a_catalog_that_lost_its_rows(stopped: Stopped) -> None:
    """It reports them, with a check and without, and is not stopped by it."""
    for check, code in ([], 0), (["--check"], 3):
        with sqlite3.connect(stopped.catalog) as database:
            database.execute("DELETE FROM archives")
        command = [sys.executable, "-m", "tarkeep", "rebuild", *check, "--data", str(stopped.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr.count("Traceback")) == (code, 0)
        assert done.stdout.startswith("4 archives entered into the catalog\n")


def test_an_archive_that_was_renamed_in_the_store_is_noticed(stopped: Stopped) -> None:
    """There are as many files as before, but one is missing: it is not reported safe; the other awaits a rebuild."""
    there = stopped.data / "archives" / "p" / "FULL"
    (there / NAMES[0]).rename(there / "b0.tar.gz")

    with live_server(stopped.data) as server, server.client() as client:
        listed = client.get("/api/v1/archives").json()["archives"]
        assert {a["name"]: a["state"] for a in listed}[NAMES[0]] == "damaged"
    told = stopped.data.with_name("data.log").read_text()
    assert f'damaged archive=p/FULL/{NAMES[0]} found="its file is missing"' in told
    assert "run tarkeep rebuild archive=p/FULL/b0.tar.gz" in told


def test_too_many_are_not_entered_in_passing(stopped: Stopped) -> None:
    """The start is refused with the command that does it, which then does."""
    stopped.lose()
    command = [sys.executable, "-m", "tarkeep"]
    data = ["--data", str(stopped.data)]
    serve = [*command, "serve", "--port", "0", "--max-adopted-archives", "3", *data]

    refused = subprocess.run(serve, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 1
    assert "holds 4 archives that the catalog does not know" in refused.stderr
    assert "run tarkeep rebuild" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = subprocess.run([*command, "rebuild", *data], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "4 archives entered into the catalog\n")
    with live_server(stopped.data, "--max-adopted-archives", "3") as server, server.client() as client:
        assert len(client.get("/api/v1/archives").json()["archives"]) == 4


def test_a_check_on_the_command_line_finds_a_changed_digit(stopped: Stopped) -> None:
    """With and without the catalog; it is repaired, so that the next check ends with 0."""
    for name, is_lost in ((NAMES[0], False), (NAMES[1], True)):
        sidecar = stopped.data / "archives" / "p" / "FULL" / f"{name}.json"
        sidecar.chmod(0o600)
        head, found, tail = sidecar.read_text().partition('"sha256": "')
        sidecar.write_text(head + found + ("0" if tail[0] != "0" else "1") + tail[1:])
        if is_lost:
            stopped.lose()
        command = [sys.executable, "-m", "tarkeep", "rebuild", "--check", "--data", str(stopped.data)]
        found_it, good = (
            subprocess.run(command, capture_output=True, text=True, check=False, timeout=60) for _ in range(2)
        )
        assert found_it.returncode == 3
        assert "side-car was wrong and is mended, the archive is whole" in found_it.stdout
        assert f"p/FULL/{name}" in found_it.stdout
        assert (good.returncode, good.stdout) == (0, "4 archives entered into the catalog\n")


def test_a_check_on_the_command_line_finds_damaged_records(stopped: Stopped) -> None:
    """They are a cache: they are dropped, and the next check ends with 0."""
    (records,) = (path for path in (stopped.data / "members").glob("??/*") if "." not in path.name)
    content = bytearray(records.read_bytes())
    content[len(content) // 2] ^= 1
    records.write_bytes(content)
    command = [sys.executable, "-m", "tarkeep", "rebuild", "--check", "--data", str(stopped.data)]

    found_it, good = (
        subprocess.run(command, capture_output=True, text=True, check=False, timeout=60) for _ in range(2)
    )
    assert found_it.returncode == 3
    assert "records of its members damaged; they were dropped" in found_it.stdout
    assert not records.exists()
    assert (good.returncode, good.stdout) == (0, "4 archives entered into the catalog\n")
