"""From a directory to the server and back, with the commands as users run them and the machine's own tar."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.domain.client.backup.dump_rule import DumpRule
from tarkeep.domain.client.ports.dumping import DumpSource
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.entrypoints.wiring.client import open_client
from tarkeep.entrypoints.wiring.client_dumps import dumping, restoring
from tests.support.cutting_proxy import CuttingProxy
from tests.support.machine import MIB, Machine, store
from tests.support.server import LiveServer, live_server
from tests.support.trees import described, write

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("backup") / "data") as running:
        yield running


@pytest.fixture
def profile() -> str:
    return f"laptop-{next(_numbers)}"


@pytest.fixture
def machine(server: LiveServer, tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "home", server.url)
    made.home.mkdir()
    write(made.tree, {"letter": b"dear", "folder/b": b"b", "folder/gone": b"gone", "odd\x1b\udcff": b"odd"})
    return made


def backed_up(machine: Machine, profile: str, *options: str) -> str:
    """Back up, and return the name of the stored archive."""
    ran = machine.run("backup", profile, str(machine.tree), *options, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    [told] = [line for line in map(json.loads, ran.stdout.splitlines()) if line.get("status") == "stored"]
    return str(told["name"])


def stored_names(server: LiveServer, profile: str) -> list[str]:
    with server.client() as client:
        page = client.get("/api/v1/archives", params={"profile": profile}).json()
        return [archive["name"] for archive in page["archives"]]


def staged(server: LiveServer) -> list[Path]:
    return list((server.data / "staging").glob("*.part"))


def fake_tar(machine: Machine, end: str) -> str:
    """A GNU tar that does its work and then runs *end*."""
    program = machine.home / "tar"
    program.write_text(f'#!/bin/sh\ntar "$@" || exit\n[ "$1" = --version ] || {{ {end}; }}\n')
    program.chmod(0o755)
    return str(program)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_every_point_gives_the_tree_of_its_time(machine: Machine, profile: str) -> None:
    """FULL, INC, DIFF and another INC; by name, and the latest; and the server agrees with the restored tree."""
    trees = {}
    trees[backed_up(machine, profile)] = described(machine.tree)
    write(machine.tree, {"letter": b"changed", "folder/gone": None, "new/c": b"c"})
    trees[backed_up(machine, profile)] = described(machine.tree)
    (machine.tree / "folder").rename(machine.tree / "renamed")
    os.link(machine.tree / "letter", machine.tree / "hard")
    (machine.tree / "soft").symlink_to("/etc/passwd")
    trees[backed_up(machine, profile, "--type", "diff")] = described(machine.tree)
    write(machine.tree, {"renamed/b": b"bb"})
    (machine.tree / "renamed").chmod(0o700)
    trees[backed_up(machine, profile)] = described(machine.tree)

    assert [name.partition("_")[0] for name in trees] == ["full", "inc", "diff", "inc"]
    for name, tree in trees.items():
        ran = machine.run("restore", profile, "--into", name, "--at", name, "--check")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "all the same" in ran.stdout
        assert described(machine.home / name / "document") == tree
        assert not (machine.home / f"{name}.tarkeep-work").exists()
    for options in ((), ("--merged",)):
        into = f"newest{'-'.join(options)}"
        assert machine.run("restore", profile, "--into", into, "--check", *options).returncode == 0
        assert described(machine.home / into / "document") == described(machine.tree)
    shown = machine.run("points", profile).stdout
    assert shown.count(" proven ") == 3  # a FULL has nothing to prove
    assert "4 of 4 points can be restored" in shown


def test_a_machine_installed_anew_goes_on_with_the_chain(machine: Machine, profile: str, tmp_path: Path) -> None:
    """It has no file from the old machine."""
    backed_up(machine, profile)
    again = Machine(tmp_path / "new", machine.url)
    again.home.mkdir()
    shutil.move(machine.tree, again.tree)
    shutil.rmtree(machine.home)
    write(again.tree, {"letter": b"changed"})

    assert backed_up(again, profile).startswith("inc_")
    assert again.run("restore", profile, "--into", "back", "--check").returncode == 0
    assert described(again.home / "back" / "document") == described(again.tree)


def test_looking_inside(machine: Machine, profile: str) -> None:
    """The tree, a name, a history, the bytes of one file; and restoring one file."""
    full = backed_up(machine, profile)
    write(machine.tree, {"letter": b"changed"})
    backed_up(machine, profile)

    assert machine.run("ls", profile).stdout == "document/\n"
    listed = machine.run("ls", profile, "document").stdout.splitlines()
    assert listed == ["document/folder/", "document/letter", r"document/odd\x1b\xff"]
    assert " 4.0 B " in machine.run("ls", profile, "document/letter", "-l", "--at", full).stdout
    assert machine.run("find", profile, "gon").stdout == "document/folder/gone\n"
    assert machine.run("find", profile, "odd*", "-0").stdout == "document/odd\x1b\udcff\0"
    history = machine.run("history", profile, "document/letter").stdout.splitlines()
    assert len(history) == 2
    assert full in history[0]
    assert " changed " in history[1]
    assert machine.run("cat", profile, "document/letter").stdout == "changed"
    assert machine.run("cat", profile, "document/letter", "--at", full).stdout == "dear"
    assert machine.run("cat", profile, r"document/odd\x1b\xff").stdout == "odd"
    missing = machine.run("cat", profile, "document/none")
    assert missing.returncode == 10
    assert "there is no document/none" in missing.stderr
    for path, compared in (("document/folder/b", "1 name compared"), ("document/folder", "2 names compared")):
        ran = machine.run("restore", profile, "--into", "one", "--path", path, "--check", "--overwrite")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert compared in ran.stdout
    assert described(machine.home / "one" / "document" / "folder") == described(machine.tree / "folder")


def test_a_broken_line_costs_nothing(machine: Machine, server: LiveServer, profile: str) -> None:
    """A dump is made only once, and a restore continues."""
    write(machine.tree, {"noise": noise(24 * MIB)})
    with CuttingProxy(server.host_and_port, [9 * MIB, 8 * MIB]) as proxy:
        ran = machine.run("backup", profile, str(machine.tree), environment={"SERVER_URL": proxy.url})
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr.count("again in") == 2

    assert machine.run("restore", profile, "--into", "back", "--check").returncode == 0
    assert described(machine.home / "back" / "document") == described(machine.tree)


@pytest.mark.parametrize("size", [1, 24 * MIB], ids=["small", "large"])
def test_a_tar_that_fails_leaves_nothing_there(machine: Machine, server: LiveServer, profile: str, size: int) -> None:
    """Neither an archive nor an upload, and tar's messages are shown."""
    write(machine.tree, {"noise": noise(size)})
    ran = machine.run("backup", profile, str(machine.tree), "--tar", fake_tar(machine, 'echo "tar: oh no" >&2; exit 2'))

    assert ran.returncode == 1
    assert "tar ended with 2: oh no; nothing of this dump was stored" in ran.stderr
    assert stored_names(server, profile) == []
    assert staged(server) == []


def test_an_interrupted_backup_leaves_nothing_anywhere(machine: Machine, server: LiveServer, profile: str) -> None:
    """No snapshot file and no tar here, no upload on the server."""
    write(machine.tree, {"noise": noise(24 * MIB)})
    temporary = machine.home / "temporary"
    temporary.mkdir()
    command = ("backup", profile, str(machine.tree), "--limit-rate", "1M")
    running = machine.begin(*command, environment={"TMPDIR": str(temporary)})
    while not staged(server):
        assert running.poll() is None
    running.terminate()
    _, told = running.communicate(timeout=60)

    assert running.returncode == 130, told
    assert list(temporary.iterdir()) == []
    assert staged(server) == []
    assert stored_names(server, profile) == []


def test_files_that_changed_are_reported_and_stored(machine: Machine, profile: str) -> None:
    """With tar's own messages, exit code 0, and in JSON."""
    tar = fake_tar(machine, 'echo "tar: x: file changed as we read it" >&2; exit 1')
    ran = machine.run("backup", profile, str(machine.tree), "--tar", tar, "--json")
    [told] = [line for line in map(json.loads, ran.stdout.splitlines()) if line.get("status") == "stored"]

    assert ran.returncode == 0
    assert "files changed while it read them" in ran.stderr
    assert "  x: file changed as we read it" in ran.stderr
    assert (told["clean"], told["warnings"], told["snapshot"]) == (False, ["x: file changed as we read it"], "stored")


def test_a_point_that_cannot_be_restored_is_never_another(
    machine: Machine, server: LiveServer, profile: str, tmp_path: Path
) -> None:
    """The error has its obstacles, and the nearest restorable points; no file is written."""
    full = backed_up(machine, profile)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("document")
        renamed = "Nletter\0Dx\0Rdocument/nowhere\0Tdocument/x\0\0"
        info.type, info.pax_headers = tarfile.DIRTYPE, {"GNU.dumpdir": renamed}
        tar.addfile(info)
    last = "inc_2099-01-01_00-00-00.tar.gz"  # dated after its receipt, so it is found by name but is not the latest
    store(server, profile, "INC", last, buffer.getvalue())
    ran = machine.run("restore", profile, "--into", "back", "--at", last)

    assert ran.returncode == 1
    assert "cannot be restored" in ran.stderr
    assert f"  FULL/{full}" in ran.stderr
    assert not (machine.home / "back").exists() or not list((machine.home / "back").iterdir())
    assert machine.run("restore", profile, "--into", "back", "--at", full, "--check").returncode == 0


def test_check_reports_the_differences(machine: Machine, profile: str) -> None:
    """With its exit code; --dry-run prevents restoring again."""
    backed_up(machine, profile)
    assert machine.run("restore", profile, "--into", "back").returncode == 0
    write(machine.home / "back" / "document", {"letter": b"other", "more": b"", "folder/b": None})
    ran = machine.run("restore", profile, "--into", "back", "--dry-run", "--check")

    assert ran.returncode == 13
    assert "document/letter has 5 bytes, had 4, has another time" in ran.stdout
    assert "document/folder/b is missing" in ran.stdout
    assert "document/more is not in the backup" in ran.stdout
    assert machine.run("restore", profile, "--into", "back").returncode == 1
    assert machine.run("restore", profile, "--into", "back", "--overwrite", "--check").returncode == 0
    assert described(machine.home / "back" / "document") == described(machine.tree)


def test_all_profiles_of_the_settings_have_their_turn(machine: Machine, server: LiveServer, profile: str) -> None:
    """A failing profile does not delay the others; excluded files are missing."""
    file = machine.home / ".config" / "tarkeep" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'[backup.{profile}-none]\ndirectory = "/nothing/here"\n'
        f'[backup.{profile}]\ndirectory = "{machine.tree}"\nexclude = ["gone"]\n'
        f'[backup.{profile}-other]\ndirectory = "~/document/folder"\nspool = "~/spool"\n'
    )
    ran = machine.run("backup", "--all")

    assert ran.returncode == 3
    assert "2 of 3 profiles backed up" in ran.stdout
    assert f"{profile}-none: setting directory: /nothing/here is not a directory" in ran.stderr
    assert machine.run("ls", profile, "document/folder").stdout == "document/folder/b\n"
    assert machine.run("ls", f"{profile}-other").stdout == "folder/\n"
    assert machine.run("stats").returncode == 0  # other commands ignore the profile tables


# -- histories -------------------------------------------------------------------------------------------------------


class History:
    """Random changes to a directory."""

    def __init__(self, tree: Path, seed: int) -> None:
        self.tree = tree
        self._random = random.Random(seed)
        self._number = 0

    def change(self) -> None:
        for _ in range(self._random.randint(1, 6)):
            self._random.choice([self._write, self._write, self._remove, self._rename, self._link, self._mode])()

    def _some(self, *, folders: bool) -> Path | None:
        found = [path for path in sorted(self.tree.rglob("*")) if path.is_symlink() or path.is_dir() is folders]
        return self._random.choice(found) if found else None

    def _new(self) -> Path:
        self._number += 1
        folders = [
            self.tree,
            *(path for path in sorted(self.tree.rglob("*")) if path.is_dir() and not path.is_symlink()),
        ]
        return self._random.choice(folders) / self._random.choice(
            [f"n{self._number}", f"ü {self._number}", f"\udcff{self._number}"]
        )

    def _write(self) -> None:
        path = self._some(folders=False) if self._random.random() < 0.4 else None
        if path is None or path.is_symlink():
            path = self._new()
            if self._random.random() < 0.3:
                path.mkdir()
                return
        path.write_bytes(self._random.randbytes(self._random.choice([0, 1, 600, 5000])))

    def _remove(self) -> None:
        folders = self._random.random() < 0.2
        path = self._some(folders=folders)
        if path is not None:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _rename(self) -> None:
        path = self._some(folders=self._random.random() < 0.5)
        new = self._new()
        if path is not None and path not in new.parents:
            path.rename(new)

    def _link(self) -> None:
        path = self._some(folders=False)
        if path is None or path.is_symlink() or self._random.random() < 0.3:
            self._new().symlink_to(self._random.choice(["/etc", "..", "nowhere"]))
        else:
            os.link(path, self._new())

    def _mode(self) -> None:
        path = self._some(folders=self._random.random() < 0.5)
        if path is not None and not path.is_symlink():
            path.chmod(self._random.choice([0o600, 0o644, 0o755, 0o777]) | (0o700 if path.is_dir() else 0))


@given(
    seed=st.integers(0, 1 << 32),
    types=st.lists(st.sampled_from(["INC", "INC", "DIFF", "FULL"]), min_size=1, max_size=4),
)
@settings(max_examples=15, deadline=None)
def test_what_was_backed_up_comes_back(
    server: LiveServer, tmp_path_factory: pytest.TempPathFactory, seed: int, types: list[str]
) -> None:
    """At every point of a random history, with the client's own parts: names, types, contents, modes, times, links."""
    home = tmp_path_factory.mktemp("history")
    profile, tree = f"history-{next(_numbers)}", home / "document"
    tree.mkdir()
    history, now, trees = History(tree, seed), datetime(2026, 11, 24, tzinfo=UTC), {}
    with open_client(server.url, None, home, home / "memory", retries=1) as client:
        for type in ["FULL", *types]:
            history.change()
            now += timedelta(hours=1)
            with dumping(client, profile, tar="tar", compress_jobs=1, level=1, spool=None) as dumps:
                planned = dumps.plan(
                    profile, DumpSource(str(tree)), BackupType(type), DumpRule(), now, lambda _error, _pause: None
                )
                done = dumps.back_up(
                    planned, DumpSource(str(tree)), lambda _position, _moved: None, lambda _error, _pause: None
                )
            trees[done.archive.id] = described(tree)
        for number, (id, expected) in enumerate(trees.items()):
            into = home / f"back-{number}"
            how = restoring(client, into, home / "work", tar="tar")
            restore = how.plan(profile, id.name, lambda _error, _pause: None)
            assert restore.plan.point == id
            how.tree.prepare(may_hold_something=False)
            if not restore.plan.is_sound:
                how.part(profile, id.name, b"", str(into), lambda _count: None)
                assert described(into / "document") == expected
                continue
            with ExitStack() as stack:
                work = stack.enter_context(closing(how.open_work()))
                for archive in restore.archives:
                    how.pull(work)(archive, lambda _position, _moved: None, lambda _error, _pause: None)
                here = [stack.enter_context(closing(work.hold(archive))) for archive in restore.archives]
                how.extract.look(here, lambda *_reached: None)
                how.extract(restore.plan, here, str(into), lambda *_reached: None, lambda _number: None)
            assert described(into / "document") == expected
