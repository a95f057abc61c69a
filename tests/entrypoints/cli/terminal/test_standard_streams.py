"""
Standard streams that are closed, full, or read by nobody: no command ends in a traceback, and none stops its work.

A command whose purpose is what it prints ends as others do: quietly with 141, where a closed pipe would have killed
it, or with 1 and the reason. One that has work to do does it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS, WITHOUT_OUTPUT
from tests.support.machine import Machine, keep_the_tree, some, store, stored
from tests.support.server import LiveServer

FULL = ("sh", "-c", 'exec "$@" >/dev/full', "sh")
CLOSED = ("sh", "-c", 'exec "$@" >&-', "sh")
UNREAD = ("sh", "-c", '{ "$@"; echo "$?" >&2; } | true', "sh")
ALL_CLOSED = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
ERRORS_FULL = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh")


def told(text: str) -> str:
    """*text*, which is an error if it is one of the program's own."""
    assert "Traceback" not in text
    assert "bug in tarkeep" not in text
    return text


@pytest.fixture
def ready(machine: Machine, profile: str) -> Machine:
    """A machine whose tree is stored."""
    keep_the_tree(machine)
    assert machine.run("push", profile).returncode == 0
    return machine


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_a_full_disk_under_standard_output_is_told(ready: Machine, profile: str, command: str) -> None:
    """With 1 where all that was asked for is output, with 3 where there was work, which is done."""
    ran = ready.run(*command.split(), *ready.about(command, profile), prefix=FULL)

    assert ran.returncode == (3 if command in WITHOUT_OUTPUT else 1)
    assert "standard output cannot be written: No space left on device" in told(ran.stderr)


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_a_closed_standard_output_is_no_reason_to_fail_at_work(ready: Machine, profile: str, command: str) -> None:
    """Whoever closed it wants no words; but one that was asked for them has failed."""
    ran = ready.run(*command.split(), *ready.about(command, profile), prefix=CLOSED)

    assert ran.returncode == (0 if command in WITHOUT_OUTPUT else 1), ran.stderr
    said = "standard output cannot be written: Bad file descriptor"
    assert (said in told(ran.stderr)) == (command not in WITHOUT_OUTPUT)


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(ready: Machine, profile: str, command: str) -> None:
    """With 141, as a closed pipe ends others; and it does not end work."""
    ran = ready.run(*command.split(), *ready.about(command, profile), prefix=UNREAD)

    assert told(ran.stderr).splitlines() == ["0" if command in WITHOUT_OUTPUT else "141"]


def test_a_push_whose_reader_has_gone_sends_everything(machine: Machine, live: LiveServer, profile: str) -> None:
    """push | head must not be how archives are left out."""
    for number in range(6):
        machine.keep("INC", f"inc_{number}.tar.gz", some(str(number)))
    machine.run("push", profile, "--all", "--jobs", "1", prefix=UNREAD)

    assert all(stored(live, profile, "INC", f"inc_{number}.tar.gz") for number in range(6))


@pytest.mark.parametrize("command", ["push", "backup", "stats", "verify"])
@pytest.mark.parametrize("prefix", [ALL_CLOSED, ERRORS_FULL], ids=["all closed", "errors full"])
def test_without_standard_error_the_exit_code_is_right(
    ready: Machine, profile: str, command: str, prefix: tuple[str, ...]
) -> None:
    """Nobody can be told that it is lost; so nothing is."""
    about = ready.about(command, profile)
    good = ready.run(*command.split(), *about, prefix=prefix).returncode
    bad = ready.run(*command.split(), *about, "--server", "http://:1", prefix=prefix).returncode

    assert good == (1 if prefix is ALL_CLOSED and command not in WITHOUT_OUTPUT else 0)
    assert bad == 2


def test_no_file_gets_the_number_of_a_closed_stream(ready: Machine, profile: str) -> None:
    """What the client remembers must not become where its errors are written."""
    ready.run("status", profile, prefix=ALL_CLOSED)
    ready.run("status", profile, "--server", "http://127.0.0.1:1", "--retries", "1", prefix=ALL_CLOSED)

    for file in (ready.home / ".local" / "state" / "tarkeep").iterdir():
        assert b"no answer" not in file.read_bytes()


def test_a_closed_standard_input_is_told(machine: Machine, live: LiveServer, profile: str) -> None:
    """And nothing is stored, not even an empty archive."""
    about = ("push", profile, "-", "--name", "a.tar.gz", "--type", "FULL")
    ran = machine.run(*about, prefix=("sh", "-c", 'exec "$@" <&-', "sh"))

    assert ran.returncode == 1
    assert "standard input cannot be used: it is closed" in told(ran.stderr)
    assert stored(live, profile, "FULL", "a.tar.gz") is None


def test_a_pipe_that_does_not_block_is_read_to_its_end(machine: Machine, live: LiveServer, profile: str) -> None:
    """No data at the moment is no end: half an archive would look like one."""
    content = some("from tar")
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    process = subprocess.Popen(
        [*machine.command, "push", profile, "-", "--name", "a.tar.gz", "--type", "FULL"],
        stdin=ours,
        env=machine.environment(),
        stderr=subprocess.PIPE,
    )
    os.close(ours)
    for at in range(0, len(content), 50):
        os.write(theirs, content[at : at + 50])
    os.close(theirs)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert stored(live, profile, "FULL", "a.tar.gz") == content


def test_a_pipe_that_does_not_block_gets_everything(machine: Machine, live: LiveServer, profile: str) -> None:
    """A terminal or pipe that somebody else made so."""
    content = os.urandom(1 << 20)
    keep_the_tree(machine, content)
    machine.run("push", profile)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    process = subprocess.Popen(
        [*machine.command, "cat", profile, "document/letter"],
        stdout=theirs,
        env=machine.environment(),
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        assert pipe.read() == content
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["push", "--help"], ["completion", "bash"], ["token", "list"]]
)
def test_asking_with_a_full_disk_is_told(machine: Machine, arguments: list[str]) -> None:
    """Whoever prints it."""
    machine.run("token", "create", "--scope", "push", "--profile", "x")
    ran = machine.run(*arguments, prefix=FULL)

    assert ran.returncode == 1
    assert "No space left on device" in told(ran.stderr)


def test_a_token_that_could_not_be_shown_does_not_count(machine: Machine) -> None:
    """It exists nowhere but on the output that is lost."""
    ran = machine.run("token", "create", "--scope", "push", "--profile", "x", prefix=FULL)

    assert ran.returncode == 1
    assert "revoked" in machine.run("token", "list").stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_what_a_terminal_has_no_sign_for_is_escaped(
    machine: Machine, live: LiveServer, profile: str, encoding: str
) -> None:
    """A name in another script is no reason to fail."""
    store(live, profile, "FULL", "full_\u0142\u00e9.tar.gz", some("a"))
    ran = subprocess.run(
        [*machine.command, "list", profile],
        env=machine.environment({"PYTHONIOENCODING": encoding}),
        capture_output=True,
        check=True,
    )

    shown = {"ascii": r"full_\u0142\xe9.tar.gz", "latin-1": "full_\\u0142\u00e9.tar.gz"}
    assert shown.get(encoding, "full_\u0142\u00e9.tar.gz") in ran.stdout.decode(encoding)


def test_the_results_of_a_command_are_whole_lines(ready: Machine, profile: str, tmp_path: Path) -> None:
    """What is written into a file stands there when the command has ended."""
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([*ready.command, "list", profile], env=ready.environment(), stdout=out, check=True)

    assert (tmp_path / "out").read_text().endswith("full_tree.tar.gz\n")
