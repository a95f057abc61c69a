"""What happens while a push runs: files that change, other pushes, and interrupts."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.archives import make_targz
from tests.support.machine import LARGE, MIB, Machine, stored
from tests.support.server import LiveServer

SMALLER = make_targz({"noise": random.Random(2).randbytes(6 * MIB)})  # goes as a whole, not as a resumable upload


def held(server: LiveServer) -> int:
    """How many bytes of unfinished uploads the server has on its disk."""
    found = 0
    for path in (server.data / "staging").rglob("*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def wait_for_bytes(server: LiveServer, before: int, process: subprocess.Popen[str]) -> None:
    while held(server) < before + MIB:
        assert process.poll() is None, process.communicate()


def shortened(file: Path) -> None:
    os.truncate(file, MIB)


def grown(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.rename(file)


@pytest.mark.parametrize("content", [LARGE, SMALLER], ids=["resumable", "whole"])
@pytest.mark.parametrize("change", [shortened, grown, replaced])
def test_a_file_that_changes_is_noticed_at_once(
    machine: Machine, live: LiveServer, profile: str, content: bytes, change: Callable[[Path], None]
) -> None:
    """1 with the reason, without another try; the server keeps nothing, and the next push sends what is there then."""
    file = machine.keep("FULL", "full_1.tar.gz", content)
    before = held(live)
    slow = machine.begin("push", profile, "--limit-rate", "2M")
    wait_for_bytes(live, before, slow)
    change(file)
    _, told = slow.communicate(timeout=60)

    assert slow.returncode == 1, told
    assert "full_1.tar.gz changed while it was read" in told
    assert "again in" not in told
    assert stored(live, profile, "FULL", "full_1.tar.gz") is None
    while held(live) > before + 64 * 1024:  # dropped by the client, or by the server when the line broke; but a note
        assert live.process.poll() is None
    file.write_bytes(content)
    assert machine.run("push", profile).returncode == 0
    assert stored(live, profile, "FULL", "full_1.tar.gz") == content


@pytest.mark.parametrize("content", [LARGE, SMALLER], ids=["resumable", "whole"])
def test_two_pushes_of_one_archive_both_end_well(
    machine: Machine, live: LiveServer, profile: str, content: bytes
) -> None:
    """Whichever of them the server takes the bytes from in the end."""
    machine.keep("FULL", "full_1.tar.gz", content)
    before = held(live)
    first = machine.begin("push", profile, "--limit-rate", "3M")
    wait_for_bytes(live, before, first)
    second = machine.begin("push", profile, "--limit-rate", "3M")
    told = [process.communicate(timeout=100) for process in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], told
    assert stored(live, profile, "FULL", "full_1.tar.gz") == content


def test_pipes_and_devices_are_refused(machine: Machine, profile: str) -> None:
    """At once, in the place of an archive; a pipe is read by its own sign."""
    folder = machine.backups / "FULL"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "full_1.tar.gz")
    (folder / "full_2.tar.gz").symlink_to("/dev/zero")
    for arguments in (["FULL/full_1.tar.gz"], ["FULL/full_2.tar.gz"]):
        ran = machine.run("push", profile, f"backups/{arguments[0]}")
        assert ran.returncode == 1
        assert "it is no plain file" in ran.stderr
    for command in ("push", "verify", "status"):
        ran = machine.run(command, profile)
        assert ran.returncode not in (0, 130)
        assert ran.stderr.count("it is no plain file") == 2


@pytest.mark.parametrize("option", ["--config", "--token-file", "--cacert"])
@pytest.mark.parametrize("file", ["/dev/zero", "pipe"])
def test_settings_files_that_have_no_end_are_refused(machine: Machine, option: str, file: str) -> None:
    """A device is given up when it is larger than any settings, a pipe when nobody writes into it."""
    os.mkfifo(machine.home / "pipe")
    if file == "pipe":  # somebody holds it open and says nothing; one whose writer has gone is at its end
        held_open = os.open(machine.home / "pipe", os.O_RDWR)
    ran = machine.run("stats", option, file, environment={"SERVER_URL": "https://127.0.0.1:1"})
    if file == "pipe":
        os.close(held_open)

    assert ran.returncode == 2
    assert ("nothing came out of it for 10 s" if file == "pipe" else "it is larger than") in ran.stderr


def test_a_settings_file_may_be_a_pipe_of_the_shell(machine: Machine, live: LiveServer) -> None:
    """As --config <(...) gives it."""
    line = 'unset SERVER_URL; exec "$@" --config <(sleep 0.1; echo "server = \\"$URL\\"")'
    ran = machine.run("stats", environment={"URL": live.url}, prefix=("bash", "-c", line, "bash"))

    assert ran.returncode == 0, ran.stderr
