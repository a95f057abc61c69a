"""
Restores that end early: one line says what is left and how to continue, and the same command does continue.

A wrapper program makes tar stop half-way, and waits until it is ended; so the cut is always in the same place.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import Machine, store
from tests.support.require import require
from tests.support.server import LiveServer, live_server
from tests.support.trees import described, write

_numbers = itertools.count(1)
GO_ON = "run the same command again to continue"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("cut") / "data") as running:
        yield running


@pytest.fixture
def profile() -> str:
    return f"cut-{next(_numbers)}"


@pytest.fixture
def machine(server: LiveServer, tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "home", server.url)
    made.home.mkdir()
    files = {f"folder/{number}": b"%d" % number * 500 for number in range(200)}
    write(made.tree, {"letter": b"dear", "sub/a": b"a", "gone": b"gone", **files})
    (made.tree / "link").symlink_to("/nowhere/at/all")
    return made


def back_up(machine: Machine, profile: str) -> None:
    ran = machine.run("backup", profile, str(machine.tree))
    assert ran.returncode == 0, ran.stderr


class StoppingTar:
    """A tar that extracts half of its input at its *nth* extraction, and waits."""

    def __init__(self, machine: Machine, nth: int = 1) -> None:
        self.program = machine.home / "stopping-tar"
        self.is_there = machine.home / "half-way"
        self.program.write_text(
            f"""#!/bin/sh
[ "$1" = --extract ] || exec tar "$@"
echo x >>"$0.calls"
[ "$(wc -l <"$0.calls")" = {nth} ] || exec tar "$@"
head -c ${{HALF:-30000}} | tar "$@" 2>/dev/null
touch '{self.is_there}'
exec sleep 1000
"""
        )
        self.program.chmod(0o755)


def cut(machine: Machine, tar: StoppingTar, *command: str, signalled: int = signal.SIGINT) -> str:
    """Run *command* until tar is half-way, and interrupt it. Returns its output."""
    running = machine.begin(*command, "--tar", str(tar.program))
    while not tar.is_there.exists():
        assert running.poll() is None, running.communicate()
    running.send_signal(signalled)
    told, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert told == ""
    assert len(said.splitlines()) == 1, said
    return str(said)


def restored(machine: Machine, *command: str, code: int = 0) -> str:
    ran = machine.run(*command)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("nth", [1, 2, 3], ids=["FULL", "INC", "INC with renames"])
def test_the_same_command_goes_on_where_tar_was_cut(
    machine: Machine, profile: str, nth: int, signalled: signal.Signals
) -> None:
    """For any archive of the chain; the rest is reported, and in the end no part is left."""
    back_up(machine, profile)
    write(machine.tree, {"gone": None, "letter": b"changed", "folder/7": None, "new/b": b"b" * 50_000})
    (machine.tree / "folder" / "8").unlink()
    (machine.tree / "folder" / "8").symlink_to("/nowhere/else")
    back_up(machine, profile)
    (machine.tree / "sub").rename(machine.tree / "moved")
    write(machine.tree, {"moved/c": b"c" * 50_000})
    back_up(machine, profile)
    command = ("restore", profile, "--into", "back", "--check")

    said = cut(machine, StoppingTar(machine, nth), *command, signalled=signalled)

    into = machine.home / "back"
    assert said == (
        f"tarkeep: interrupted; {into} holds a part of it, {into}.tarkeep-work the archives: {GO_ON}, or remove both\n"
    )
    assert list(into.iterdir())
    told = restored(machine, *command)
    assert "all the same" in told
    assert ("it is emptied, and begins anew" in told) is (nth == 3)
    assert described(into / "document") == described(machine.tree)
    assert not Path(f"{into}.tarkeep-work").exists()


def test_another_point_begins_anew(machine: Machine, profile: str) -> None:
    """The tree of the last request is restored, with nothing of the other one."""
    back_up(machine, profile)
    command = ("restore", profile, "--into", "back")
    cut(machine, StoppingTar(machine), *command)
    shutil.rmtree(machine.tree / "folder")
    write(machine.tree, {"letter": b"changed"})
    back_up(machine, profile)

    told = restored(machine, *command, "--check")

    assert "it is emptied, and begins anew" in told
    assert described(machine.home / "back" / "document") == described(machine.tree)


def test_what_is_not_of_the_restore_is_never_removed(machine: Machine, profile: str) -> None:
    """The error names it, and after it is moved the restore continues; another directory of that name is unrelated."""
    back_up(machine, profile)
    command = ("restore", profile, "--into", "back")
    cut(machine, StoppingTar(machine), *command)
    into = machine.home / "back"
    (into / "notes").write_text("mine")

    refused = restored(machine, *command, code=1)
    assert "it contains notes besides the part of an interrupted restore" in refused
    into.rename(machine.home / "kept")
    write(into, {"document/letter": b"another"})
    refused = restored(machine, *command, code=1)
    assert "is not empty" in refused
    assert (into / "document" / "letter").read_bytes() == b"another"
    assert (machine.home / "kept" / "notes").read_text() == "mine"


@pytest.mark.parametrize("nth", [1, 2], ids=["goes on", "begins anew"])
@pytest.mark.parametrize("options", [(), ("--merged",), ("--path", "document/folder")], ids=["all", "merged", "one"])
def test_foreign_files_in_a_folder_of_the_restore_are_never_removed(
    machine: Machine, profile: str, options: tuple[str, ...], nth: int
) -> None:
    """At any depth, whether the directory would be emptied or tar would remove files that an archive does not list."""
    back_up(machine, profile)
    if nth == 2:
        (machine.tree / "folder").rename(machine.tree / "renamed")
        (machine.tree / "renamed").rename(machine.tree / "folder")
        (machine.tree / "sub").rename(machine.tree / "moved")
        write(machine.tree, {"moved/c": os.urandom(90_000), "folder/1000": os.urandom(90_000)})
        back_up(machine, profile)
    command = ("restore", profile, "--into", "back", *options)
    cut(machine, StoppingTar(machine, 1 if options else nth), *command)
    mine = machine.home / "back" / "document" / "folder" / "mine"
    mine.write_text("precious")

    refused = restored(machine, *command, code=1)
    assert "it contains document/folder/mine besides the part of an interrupted restore" in refused
    assert mine.read_text() == "precious"
    mine.rename(machine.home / "mine")
    assert "all the same" in restored(machine, *command, "--check")


def test_where_nothing_came_nothing_is_left_and_nothing_else_is_said(machine: Machine, profile: str) -> None:
    """Neither the directory nor the folder beside it, nor a part of an archive; existing files stay."""
    back_up(machine, profile)
    write(machine.home, {"full/mine": b"mine", "file": b"mine"})
    links = machine.home / "links"
    links.mkdir()
    (links / "document").symlink_to(machine.home)
    before = {path.name for path in machine.home.iterdir()}

    for code, *options in (
        (10, "--into", "back", "--path", "nosuch"),
        (10, "--into", "new/back", "--path", "document/nosuch"),
        (1, "--into", "full"),
        (1, "--into", "full", "--merged"),
        (1, "--into", "file"),
        (1, "--into", "links", "--overwrite", "--merged"),
        (1, "--into", "links", "--overwrite", "--path", "document/folder"),
    ):
        said = restored(machine, "restore", profile, *map(str, options), code=int(code))
        assert "holds a part" not in said
        assert GO_ON not in said
        assert "--merged into a new directory" not in said
        assert {path.name for path in machine.home.iterdir()} == before


@pytest.mark.parametrize("options", [("--merged",), ("--path", "document/folder")], ids=["merged", "one folder"])
def test_what_the_server_puts_together_begins_anew(machine: Machine, profile: str, options: tuple[str, ...]) -> None:
    """With the same command."""
    back_up(machine, profile)
    command = ("restore", profile, "--into", "back", *options)

    said = cut(machine, StoppingTar(machine), *command)

    into = machine.home / "back"
    assert f"{into} holds a part of it, {into}.tarkeep-work says so: {GO_ON}, or remove both" in said
    assert "all the same" in restored(machine, *command, "--check")
    assert not Path(f"{into}.tarkeep-work").exists()


def test_over_what_is_there_the_same_command_goes_on(machine: Machine, profile: str) -> None:
    """And no message asks to remove files that existed before."""
    back_up(machine, profile)
    into = machine.home / "back"
    write(into, {"mine": b"mine", "document/letter": b"old"})
    command = ("restore", profile, "--into", "back", "--overwrite")

    said = cut(machine, StoppingTar(machine), *command)

    assert said.endswith(f"the archives: {GO_ON}\n")
    restored(machine, *command)
    assert described(into / "document") == described(machine.tree)
    assert (into / "mine").read_bytes() == b"mine"


def test_links_that_are_there_are_not_gone_through(machine: Machine, profile: str) -> None:
    """Any link, when restoring over existing files, with the whole plan or with a tar that the server makes."""
    back_up(machine, profile)
    outside = machine.home / "outside"
    write(outside, {"1": b"mine", "other": b"mine"})
    write(machine.home / "back", {"document/letter": b"old"})
    (machine.home / "back" / "document" / "folder").symlink_to(outside)

    for options in ((), ("--merged",), ("--path", "document/folder")):
        told = restored(machine, "restore", profile, "--into", "back", "--overwrite", *options, code=1)
        assert "document/folder is a directory in the place of a link" in told
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"1": b"mine", "other": b"mine"}


def test_a_failing_tar_is_reported_with_what_is_left(machine: Machine, profile: str) -> None:
    """And the same command continues, here with a working tar."""
    back_up(machine, profile)
    program = machine.home / "tar"
    program.write_text('#!/bin/sh\n[ "$1" = --extract ] || exec tar "$@"\necho "tar: no space" >&2; exit 2\n')
    program.chmod(0o755)
    ran = machine.run("restore", profile, "--into", "back", "--tar", str(program))

    into = machine.home / "back"
    assert ran.returncode == 1
    first, second = ran.stderr.splitlines()
    assert "tar ended with 2" in first
    assert second == (f"tarkeep: {into} holds a part of it, {into}.tarkeep-work the archives: {GO_ON}, or remove both")
    restored(machine, "restore", profile, "--into", "back", "--check")


def test_a_cut_download_is_reported_with_what_is_left(machine: Machine, server: LiveServer, profile: str) -> None:
    """No file was restored, and the downloaded bytes are kept."""
    write(machine.tree, {"noise": os.urandom(3 << 20)})
    back_up(machine, profile)
    running = machine.begin("restore", profile, "--into", "back", "--limit-rate", "1M")
    work = machine.home / "back.tarkeep-work"
    while not list(work.glob("*.part")):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)

    assert running.returncode == 130
    assert said == (
        f"tarkeep: interrupted; nothing was restored yet; what has come is kept in {work}: {GO_ON}, or remove it\n"
    )
    assert work.stat().st_mode & 0o777 == 0o700
    assert "all the same" in restored(machine, "restore", profile, "--into", "back", "--check")


def test_a_json_summary_reports_it_as_well(machine: Machine, profile: str) -> None:
    """The JSON summary has the exit code."""
    back_up(machine, profile)
    tar = StoppingTar(machine)
    running = machine.begin("restore", profile, "--into", "back", "--json", "--tar", str(tar.program))
    while not tar.is_there.exists():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=60)

    summary = json.loads(told.splitlines()[-1])
    assert (running.returncode, summary["summary"], summary["exit_code"]) == (130, True, 130)
    assert GO_ON in summary["error"]


def test_what_lies_in_the_work_folder_is_looked_at_again(machine: Machine, profile: str) -> None:
    """A byte that has changed in it is found, and the archive is downloaded again."""
    back_up(machine, profile)
    command = ("restore", profile, "--into", "back", "--check")
    cut(machine, StoppingTar(machine), *command)
    (kept,) = (machine.home / "back.tarkeep-work").glob("*.tar.gz")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    its = kept.stat()
    kept.write_bytes(content)
    os.utime(kept, ns=(its.st_atime_ns, its.st_mtime_ns))

    assert "all the same" in restored(machine, *command)


def test_attributes_come_back(machine: Machine, server: LiveServer, profile: str) -> None:
    """With every way of restoring."""
    try:
        os.setxattr(machine.tree / "letter", "user.colour", b"green")
    except OSError:
        require("xattrs", False, "run this on a file system with extended attributes")
    command = ["tar", "-cz", "--format=posix", "--xattrs", "-C", str(machine.home), "document"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    store(server, profile, "FULL", "full_2026-01-01_00-00-00.tar.gz", content)

    for number, options in enumerate(((), ("--merged",), ("--path", "document"))):
        restored(machine, "restore", profile, "--into", f"back-{number}", *options)
        assert os.getxattr(machine.home / f"back-{number}" / "document" / "letter", "user.colour") == b"green"


def test_beside_the_root_there_is_nothing(machine: Machine, profile: str) -> None:
    """To restore a whole machine, the user must name a place for the archives."""
    ran = machine.run("restore", profile, "--into", "/", "--overwrite", "--dry-run")

    assert ran.returncode == 2
    assert "give a folder for the archives with --work" in ran.stderr
