"""What happens while a push runs: files that change, other pushes, and interrupts."""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS
from tests.support.archives import make_targz
from tests.support.machine import LARGE, MIB, Machine, keep_the_tree, stored
from tests.support.remotes import remote_at
from tests.support.server import LiveServer, live_server
from tests.support.stub_server import Answer, stub_server

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
        assert "it is not a regular file" in ran.stderr
    for command in ("push", "verify", "status"):
        ran = machine.run(*command.split(), profile)
        assert ran.returncode not in (0, 130)
        assert ran.stderr.count("it is not a regular file") == 2


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
    assert ("it gave no data for 10 s" if file == "pipe" else "it is larger than") in ran.stderr


def test_a_settings_file_may_be_a_pipe_of_the_shell(machine: Machine, live: LiveServer) -> None:
    """As --config <(...) gives it."""
    line = 'unset SERVER_URL; exec "$@" --config <(sleep 0.1; echo "server = \\"$URL\\"")'
    ran = machine.run("stats", environment={"URL": live.url}, prefix=("bash", "-c", line, "bash"))

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_an_interrupt_is_one_line_that_says_how_to_go_on(machine: Machine, profile: str, command: str) -> None:
    """130 from whatever it waits for, with what is left, and not a traceback of where it was."""
    keep_the_tree(machine)
    with stub_server(Answer(200)) as stub:
        stub.silent = frozenset({"GET", "POST", "PUT"})
        waiting = machine.begin(
            *command.split(), *machine.about(command, profile), environment={"SERVER_URL": stub.url}
        )
        assert stub.is_waited_for.wait(60)
        waiting.send_signal(2)
        out, told = waiting.communicate(timeout=60)

    assert (waiting.returncode, out) == (130, "")
    (line,) = told.splitlines()
    assert line.startswith("tarkeep: interrupted; ")
    assert "run the same command again" in line


def test_an_interrupt_is_the_json_summary_too(machine: Machine) -> None:
    """A program that reads the lines is told as well."""
    with stub_server(Answer(200)) as stub:
        stub.silent = frozenset({"GET"})
        waiting = machine.begin("stats", "--json", environment={"SERVER_URL": stub.url})
        assert stub.is_waited_for.wait(60)
        waiting.send_signal(2)
        out, _ = waiting.communicate(timeout=60)

    summary = json.loads(out)
    assert (summary["summary"], summary["exit_code"]) == (True, 130)
    assert summary["error"].startswith("interrupted")


def test_an_interrupt_ends_what_nothing_else_can(machine: Machine) -> None:
    """The main thread may be in a call of the system that does not come back, such as a look-up of a name."""
    code = (
        "from tarkeep.entrypoints.cli import process\n"
        "process.begin([]); process.get_to_work()\n"
        "import ctypes\n"
        "system, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
        "system.pthread_mutex_lock(lock)\n"
        "print(hex(ctypes.addressof(lock)), flush=True)\n"
        "system.pthread_mutex_lock(lock)\n"
    )
    stuck = subprocess.Popen(
        [machine.command[0], "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert stuck.stdout is not None
    lock = stuck.stdout.readline().strip()
    while lock not in Path(f"/proc/{stuck.pid}/syscall").read_text():  # what it waits for in the kernel
        assert stuck.poll() is None
    stuck.send_signal(2)
    _, told = stuck.communicate(timeout=60)

    assert stuck.returncode == 130
    assert told == "tarkeep: interrupted; nothing was changed; run the same command again\n"


def test_an_interrupt_that_python_could_not_raise_comes_again(machine: Machine) -> None:
    """While an object is thrown away, Python writes an exception down and goes on as if nothing had been."""
    code = (
        "import os, signal, sys, time\n"
        "from tarkeep.entrypoints.cli import process\n"
        "process.begin([]); process.get_to_work()\n"
        "class Thing:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n"
        "    Thing(); time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('raised')\n"
    )
    ran = subprocess.run([machine.command[0], "-c", code], capture_output=True, text=True, timeout=50)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "raised\n", "")


def test_what_is_said_of_a_push_is_so_when_its_token_is_revoked(machine: Machine, tmp_path: Path) -> None:
    """Whether the server lets it end or not: stored is 0, and anything else is not stored."""
    machine.keep("FULL", "full_1.tar.gz", LARGE)
    with live_server(tmp_path / "data") as server:
        data = ["--data", str(server.data)]

        def token_for(*scopes: str) -> str:
            options = [option for scope in scopes for option in ("--scope", scope)]
            return machine.run("token", "create", *options, "--profile", "p", *data).stdout.strip()

        token, see = token_for("push", "verify"), token_for("list")
        before = held(server)
        environment = {"SERVER_URL": server.url, "TARKEEP_TOKEN": token}
        slow = machine.begin("push", "p", "--limit-rate", "4M", environment=environment)
        wait_for_bytes(server, before, slow)
        machine.run("token", "revoke", token.split("_")[1], *data)
        _, told = slow.communicate(timeout=100)
        there = machine.run("list", "p", environment={"SERVER_URL": server.url, "TARKEEP_TOKEN": see}).stdout

    assert (slow.returncode == 0) == ("full_1.tar.gz" in there), told


def test_the_answer_to_the_last_bytes_says_all(machine: Machine) -> None:
    """What the server said is what is told, whatever it answers to another request."""
    archive = {
        "profile": "p",
        "type": "FULL",
        "name": "a.tar.gz",
        "size": 5,
        "md5": "a" * 32,
        "sha256": "b" * 64,
        "received_at": "2026-11-23T12:00:00Z",
        "taken_at": "2026-11-23T12:00:00Z",
        "kind": None,
        "state": "stored",
    }
    body = json.dumps({"offset": 5, "archive": archive}).encode()
    with stub_server(Answer(401, b"{}")) as stub, remote_at(stub.url) as remote:
        stub.first = [Answer(200, body, {"Tarkeep-Archive": "/there"})]
        progress = remote.append(f"{stub.url}/api/v1/uploads/1", 0, [b"12345"], 5)

    assert progress.stored is not None
    assert progress.stored.digests.sha256 == "b" * 64
    assert stub.asked[0]["prefer"] == "return=representation"
    assert len(stub.asked) == 1


@pytest.mark.parametrize("command", [["--version"], ["help"], ["stats"]])
def test_an_interrupt_in_the_last_moment_is_one_line_too(machine: Machine, command: list[str]) -> None:
    """When all is done, and whoever reads what it says does not read."""
    ours, theirs = os.pipe()
    filled = os.write(theirs, bytes(fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)))
    ending = subprocess.Popen(
        [*machine.command, *command], stdout=theirs, stderr=subprocess.PIPE, text=True, env=machine.environment()
    )
    os.close(theirs)
    while not Path(f"/proc/{ending.pid}/syscall").read_text().startswith("1 0x1 "):  # write to standard output
        assert ending.poll() is None
    ending.send_signal(2)
    _, told = ending.communicate(timeout=60)
    with os.fdopen(ours, "rb") as pipe:
        assert pipe.read() == bytes(filled)

    assert ending.returncode == 130
    (line,) = told.splitlines()
    assert line.startswith("tarkeep: interrupted")
