"""``tarkeep pull`` against a real server: what is here afterwards, what it says, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cutting_proxy import CuttingProxy, Fault, Kind
from tests.support.machine import LARGE, MIB, Machine, some, store
from tests.support.server import LiveServer

OLD = {
    ("FULL", "a.tar.gz"): some("full"),
    ("INC", "a.tar.gz"): some("inc"),
    ("DIFF", "d.tar.gz"): some("diff"),
}


@pytest.fixture
def filled(live: LiveServer, profile: str) -> str:
    """A profile with three small archives."""
    for (type, name), content in OLD.items():
        store(live, profile, type, name, content)
    return profile


def here(folder: Path) -> dict[tuple[str, str], bytes]:
    return {(file.parent.name, file.name): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_whole_profile_comes_back_once(machine: Machine, filled: str) -> None:
    """Into the backup folder, which need not be there; the second run finds it there."""
    first = machine.run("pull", filled)
    assert (first.returncode, first.stderr) == (0, "")
    assert here(machine.backups) == OLD
    assert "FULL/a.tar.gz: pulled (" in first.stdout
    assert first.stdout.endswith(f"{filled} from {machine.url}: 3 pulled, 0 here already, 0 failed\n")

    second = machine.run("pull", filled)
    assert second.returncode == 0
    assert second.stdout.endswith("0 pulled, 3 here already, 0 failed\n")
    assert machine.run("status", filled).returncode == 0


@pytest.mark.parametrize(
    ("asked", "come"),
    [
        (["a.tar.gz"], [("FULL", "a.tar.gz"), ("INC", "a.tar.gz")]),
        (["INC/a.tar.gz"], [("INC", "a.tar.gz")]),
        (["a.tar.gz", "--type", "full"], [("FULL", "a.tar.gz")]),
        (["--type", "DIFF"], [("DIFF", "d.tar.gz")]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_what_is_named_comes_where_it_is_wanted(
    machine: Machine, filled: str, asked: list[str], come: list[tuple[str, str]]
) -> None:
    """By name, by type and name, by type; below another folder than the backups'."""
    ran = machine.run("pull", filled, *asked, "--into", "back/here")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert here(machine.home / "back" / "here") == {key: OLD[key] for key in come}
    assert not machine.backups.exists()


def test_what_is_not_there_is_told(machine: Machine, filled: str) -> None:
    """10 where nothing of what was named is there, 3 where some is, 10 for a profile that nobody has."""
    nothing = machine.run("pull", filled, "x.tar.gz")
    some_of_it = machine.run("pull", filled, "x.tar.gz", "d.tar.gz")
    nobody = machine.run("pull", "nobody")

    assert (nothing.returncode, some_of_it.returncode, nobody.returncode) == (10, 3, 10)
    assert f"x.tar.gz: not pulled: no archive {filled}/x.tar.gz" in nothing.stderr
    assert "tarkeep list shows what is stored" in nothing.stderr
    assert here(machine.backups) == {("DIFF", "d.tar.gz"): OLD["DIFF", "d.tar.gz"]}
    assert "tarkeep stats shows the profiles" in nobody.stderr


def test_other_bytes_here_stay_until_force_is_said(machine: Machine, filled: str) -> None:
    """The rest comes, the run is partly done, and the way out is told."""
    mine = machine.keep("INC", "a.tar.gz", b"mine")
    ran = machine.run("pull", filled)

    assert ran.returncode == 3
    assert f"{mine} has other bytes than the server\n" in ran.stderr
    assert "what to do: move it away, or replace it with --force\n" in ran.stderr
    assert mine.read_bytes() == b"mine"
    assert machine.run("pull", filled, "--force").returncode == 0
    assert here(machine.backups) == OLD


def test_a_pull_goes_on_over_cuts(machine: Machine, live: LiveServer, profile: str) -> None:
    """Each costs a message, and no byte twice."""
    store(live, profile, "FULL", "large.tar.gz", LARGE)
    with CuttingProxy(
        live.host_and_port, [Fault(Kind.CUT, size, of_answers=True) for size in (3 * MIB, 5 * MIB)]
    ) as proxy:
        ran = machine.run("pull", profile, environment={"SERVER_URL": proxy.url})

    assert ran.returncode == 0, ran.stderr
    assert proxy.made_cuts == 2
    assert ran.stderr.count("FULL/large.tar.gz: no answer from") == 2
    assert ran.stderr.count("again in") == 2
    assert here(machine.backups) == {("FULL", "large.tar.gz"): LARGE}
    assert proxy.passed_back_bytes < len(LARGE) + 3 * MIB  # what a cut takes with it is on the way, not on the disk


def test_a_killed_pull_is_gone_on_with(machine: Machine, live: LiveServer, profile: str) -> None:
    """What had arrived is not sent again, and its bytes are looked at."""
    store(live, profile, "FULL", "large.tar.gz", LARGE)
    part = machine.backups / "FULL" / "large.tar.gz.part"
    killed = machine.begin("pull", profile, "--limit-rate", "4M")
    while not part.exists() or part.stat().st_size < MIB:
        assert killed.poll() is None
    killed.kill()
    killed.communicate(timeout=60)
    arrived = part.stat().st_size
    assert not part.with_suffix("").exists()
    status = machine.run("status", profile)
    assert f"unfinished download: {part}" in status.stdout

    with CuttingProxy(live.host_and_port, []) as proxy:
        ran = machine.run("pull", profile, environment={"SERVER_URL": proxy.url})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert here(machine.backups) == {("FULL", "large.tar.gz"): LARGE}
    assert proxy.passed_back_bytes < len(LARGE) - arrived + MIB // 2


def test_an_interrupted_pull_says_how_to_go_on(machine: Machine, live: LiveServer, profile: str) -> None:
    """130, what had arrived is kept, and the same command again ends it."""
    store(live, profile, "FULL", "large.tar.gz", LARGE)
    part = machine.backups / "FULL" / "large.tar.gz.part"
    slow = machine.begin("pull", profile, "--limit-rate", "1M", "--json")
    while not part.exists() or part.stat().st_size < MIB:
        assert slow.poll() is None
    slow.send_signal(2)
    said, told = slow.communicate(timeout=60)

    assert slow.returncode == 130
    assert "interrupted; what has been transferred is kept; run the same command again to continue" in told
    assert json.loads(said.splitlines()[-1])["unfinished"] == 1
    assert part.stat().st_size >= MIB
    assert machine.run("pull", profile).returncode == 0
    assert here(machine.backups) == {("FULL", "large.tar.gz"): LARGE}


def test_wrong_bytes_of_the_server_get_no_name(machine: Machine, live: LiveServer, profile: str) -> None:
    """Whatever the server's disk has done to them."""
    store(live, profile, "FULL", "a.tar.gz", some("right"))
    file = live.data / "archives" / profile / "FULL" / "a.tar.gz"
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    ran = machine.run("pull", profile)

    assert ran.returncode == 1
    assert f"the stored bytes of {profile}/FULL/a.tar.gz are damaged" in ran.stderr
    assert here(machine.backups) == {}


def test_json_says_the_same_for_programs(machine: Machine, filled: str) -> None:
    """A line for each archive and each name that is not there, the summary last."""
    machine.keep("INC", "a.tar.gz", b"mine")
    ran = machine.run("pull", filled, "a.tar.gz", "d.tar.gz", "x.tar.gz", "--json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]

    assert ran.returncode == 3
    assert {(line["name"], line["status"]) for line in lines[:-1]} == {
        ("x.tar.gz", "not-there"),
        ("a.tar.gz", "pulled"),
        ("a.tar.gz", "conflict"),
        ("d.tar.gz", "pulled"),
    }
    assert lines[-1] == {
        "summary": True,
        "pulled": 2,
        "already-here": 0,
        "conflict": 1,
        "failed": 0,
        "not-there": 1,
        "unfinished": 0,
    }
