"""
``safe`` means safe: what is damaged there, and what cannot be looked at here, is told by every command that compares.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.harm import put_instead
from tests.support.machine import LARGE, Machine, shorten, some, stored
from tests.support.server import LiveServer

COMPARING = (("verify",), ("status",), ("push", "--all"))


def test_what_is_damaged_there_is_not_in_sync(machine: Machine, live: LiveServer, profile: str) -> None:
    """verify and status say so with 13, and it is not among what may be deleted here."""
    machine.keep("FULL", "damaged.tar.gz", some("damaged"))
    whole = machine.keep("INC", "whole.tar.gz", some("whole"))
    machine.run("push", profile)
    shorten(live, profile, "FULL", "damaged.tar.gz")

    verified = machine.run("verify", profile)
    assert verified.returncode == 13
    assert verified.stdout.splitlines() == [
        "damaged there    FULL/damaged.tar.gz; its file there has another length",
        f"{machine.url}: 1 synced, 1 damaged there",
    ]
    status = machine.run("status", profile)
    assert status.returncode == 13
    assert "damaged there: FULL/damaged.tar.gz" in status.stdout
    assert machine.run("verify", profile, "--safe-to-delete").stdout.splitlines() == [str(whole)]
    lines = [json.loads(line) for line in machine.run("verify", profile, "--json").stdout.splitlines()]
    assert {"status": "damaged", "type": "FULL", "name": "damaged.tar.gz", "damage": "length"} in lines
    assert (lines[-1]["synchronized"], lines[-1]["damaged"]) == (False, 1)


@pytest.mark.parametrize("content", [some("repaired"), LARGE], ids=["whole", "resumable"])
def test_push_sends_again_what_is_damaged_there(
    machine: Machine, live: LiveServer, profile: str, content: bytes
) -> None:
    """It says repaired, once; whichever way an archive of its size takes."""
    machine.keep("FULL", "a.tar.gz", content)
    machine.run("push", profile)
    shorten(live, profile, "FULL", "a.tar.gz")

    pushed = machine.run("push", profile, "--all")
    assert (pushed.returncode, pushed.stderr) == (0, "")
    first = pushed.stdout.splitlines()[0]
    assert first.startswith("FULL/a.tar.gz: repaired (")
    assert first.endswith("); its file there had another length")
    assert ": 0 stored, 1 repaired, 0 stored already, 0 failed" in pushed.stdout
    assert stored(live, profile, "FULL", "a.tar.gz") == content
    again = machine.run("push", profile, "--all", "--json")
    assert json.loads(again.stdout.splitlines()[0])["status"] == "already-there"
    assert machine.run("verify", profile).returncode == 0


def test_other_bytes_than_the_damaged_ones_are_a_conflict(machine: Machine, live: LiveServer, profile: str) -> None:
    """Sending them would repair nothing."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    machine.run("push", profile)
    shorten(live, profile, "FULL", "a.tar.gz")
    machine.keep("FULL", "a.tar.gz", some("b"))

    assert "differing        FULL/a.tar.gz" in machine.run("verify", profile).stdout
    pushed = machine.run("push", profile)
    assert pushed.returncode == 1
    assert "other bytes are stored under this name" in pushed.stderr


@pytest.mark.parametrize(
    ("place", "how"),
    [
        ("INC", "dead link"),
        ("INC", "loop"),
        ("INC", "file"),
        ("INC/b.tar.gz", "dead link"),
        ("INC/b.tar.gz", "loop"),
        ("INC/b.tar.gz", "folder"),
        ("INC/b.tar.gz", "pipe"),
    ],
)
def test_what_cannot_be_looked_at_is_not_nothing(machine: Machine, profile: str, place: str, how: str) -> None:
    """Each comparing command names it and does not end with 0; what can be looked at is pushed all the same."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    _spoil(machine.backups / place, how)

    for command, *options in COMPARING:
        ran = machine.run(command, profile, *options)
        assert ran.returncode == {"push": 3, "verify": 13, "status": 13}[command]
        assert f"{machine.backups / place} cannot be used: " in ran.stderr
        assert "Traceback" not in ran.stderr
    status = machine.run("status", profile).stdout
    assert status.splitlines()[-1] == f"1 could not be read here; all others are safe on {machine.url}"
    deletable = machine.run("verify", profile, "--safe-to-delete")
    assert (deletable.returncode, deletable.stdout) == (3, f"{machine.backups}/FULL/a.tar.gz\n")
    lines = [json.loads(line) for line in machine.run("verify", profile, "--json").stdout.splitlines()]
    assert {"path": str(machine.backups / place), "status": "unusable"}.items() <= lines[0].items()
    assert lines[-1]["unusable"] == 1


def test_nothing_but_what_cannot_be_looked_at_is_a_failure(machine: Machine, profile: str) -> None:
    """There is something to send, and it is not sent."""
    machine.backups.mkdir()
    _spoil(machine.backups / "INC", "dead link")

    ran = machine.run("push", profile)
    assert ran.returncode == 1
    assert f"{machine.backups}/INC cannot be used" in ran.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; run the tests as an ordinary user")
@pytest.mark.parametrize("mode", [0o000, 0o644])
def test_a_folder_that_may_not_be_read_is_not_empty(machine: Machine, profile: str, mode: int) -> None:
    """Neither one whose names cannot be had nor one whose archives cannot."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    folder = machine.keep("INC", "b.tar.gz", some("b")).parent
    folder.chmod(mode)
    try:
        for command, *options in COMPARING:
            ran = machine.run(command, profile, *options)
            assert ran.returncode in (3, 13)
            assert str(folder) in ran.stderr
    finally:
        folder.chmod(0o700)


def test_other_bytes_with_the_size_and_times_of_those_before_are_seen(machine: Machine, profile: str) -> None:
    """Written over them, as cp -p does; and the right ones again are in sync again."""
    file = machine.keep("FULL", "a.tar.gz", some("a"))
    its, right = file.stat(), file.read_bytes()

    def put(content: bytes) -> None:
        file.write_bytes(content)
        os.utime(file, ns=(its.st_atime_ns, its.st_mtime_ns))

    assert machine.run("push", profile).returncode == 0
    put(right[:-1] + bytes([right[-1] ^ 1]))
    assert machine.run("verify", profile).returncode == 13
    assert machine.run("verify", profile, "--safe-to-delete").stdout == ""
    put(right)
    assert machine.run("verify", profile).returncode == 0


def _spoil(path: Path, how: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    put_instead(path, how)
