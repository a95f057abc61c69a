"""What `tarkeep backup` says of the dump that it has stored, by what the server and tar make of it."""

from __future__ import annotations

import json

import pytest

from tests.support.machine import Machine
from tests.support.trees import described, write


@pytest.fixture
def home(machine: Machine) -> Machine:
    write(machine.tree, {"current/one": b"1", "next/two": b"2", "letter": b"dear"})
    return machine


def rename_so_that_tar_forgets(home: Machine) -> None:
    """What was current lies in the place of what was next, and GNU tar 1.34 takes the one for the other."""
    tree = home.tree
    (tree / "current").rename(tree / "aside")
    (tree / "next").rename(tree / "current")
    (tree / "aside").rename(tree / "current" / "next")


def kept(home: Machine) -> dict[bytes, object]:
    """The directory as it is to come back."""
    return {path: look for path, look in described(home.tree).items() if not path.endswith(b".tmp")}


def stored(out: str) -> list[dict[str, object]]:
    """What a backup said in JSON of the archives that it stored."""
    return [line for line in map(json.loads, out.splitlines()) if line.get("status") == "stored"]


def test_an_excluded_file_and_a_renamed_folder_make_a_point_that_restores(home: Machine, profile: str) -> None:
    """What is left out on purpose is told, and is no fault of the dump, nor of the nights after it."""
    options = ("--exclude", "*.tmp", "--exclude", "*.sock")
    write(home.tree, {"old.tmp": b"x"})
    first = home.run("backup", profile, str(home.tree), *options)
    (home.tree / "current").rename(home.tree / "former")
    write(home.tree, {"x.tmp": b"x", "former/y.tmp": b"y"})
    ran = home.run("backup", profile, str(home.tree), *options)
    again = home.run("backup", profile, str(home.tree), *options, "--json")

    assert (first.returncode, first.stderr) == (0, "")
    assert "doubt: names in it are said to be elsewhere (document/old.tmp): they were excluded from" in first.stdout
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "not archived, since left out: 2 new names, such as document/x.tmp, document/former/y.tmp\n" in ran.stdout
    [told] = stored(again.stdout)
    assert (again.returncode, told["type"], told["restorable"], told["forgotten"]) == (0, "INC", True, [])
    for way in ((), ("--merged",)):
        into = f"back{len(way)}"
        assert home.run("restore", profile, "--into", into, "--check", *way).returncode == 0
        assert described(home.home / into / "document") == kept(home)


def test_what_tar_forgets_is_in_a_full_at_once(home: Machine, profile: str) -> None:
    """Both dumps are told; the night ends well, since the newest point has all."""
    home.run("backup", profile, str(home.tree), "--exclude", "*.tmp")
    rename_so_that_tar_forgets(home)
    write(home.tree, {"x.tmp": b"x"})
    ran = home.run("backup", profile, str(home.tree), "--exclude", "*.tmp", "--json")

    lacking, full = stored(ran.stdout)
    assert ran.returncode == 0
    assert (lacking["type"], lacking["restorable"], full["type"]) == ("INC", True, "FULL")
    assert (lacking["forgotten"], lacking["left_out"]) == (["document/current/next/one"], ["document/x.tmp"])
    assert full["reason"] == f"INC/{lacking['name']} lacks files: this is a FULL, so that all of it is backed up"
    [line] = ran.stderr.splitlines()
    assert line == (
        f"tarkeep: {profile}/INC/{lacking['name']}: stored, but tar mistook renamed directories for each other, so "
        "that it lacks files that have not changed, such as document/current/next/one"
    )
    assert home.run("restore", profile, "--into", "back", "--check").returncode == 0
    assert described(home.home / "back" / "document") == kept(home)


def test_a_dump_that_is_told_its_type_ends_with_3_where_tar_forgets(home: Machine, profile: str) -> None:
    """Nothing is built on it without a word: told its type a dump says that it lacks the same, auto makes a FULL."""
    home.run("backup", profile, str(home.tree))
    rename_so_that_tar_forgets(home)
    first = home.run("backup", profile, str(home.tree), "--type", "inc", "--json")
    second = home.run("backup", profile, str(home.tree), "--type", "inc")
    last = home.run("backup", profile, str(home.tree), "--json")

    assert (first.returncode, second.returncode, last.returncode) == (3, 3, 0)
    [told] = stored(first.stdout)
    assert "lacks files that have not changed, such as document/current/next/one" in first.stderr
    assert f"tar has left files out of INC/{told['name']}, having mistaken renamed directories" in second.stderr
    assert "for each other: it lacks them, too; a FULL puts it right (tarkeep backup --type full)" in second.stderr
    [full] = stored(last.stdout)
    assert full["type"] == "FULL"
    assert str(full["reason"]).startswith("INC/inc_")
    assert "is not whole itself: this is a FULL" in str(full["reason"])


def test_a_verdict_that_nobody_gives_is_told(home: Machine, profile: str) -> None:
    """The archive is stored, and the exit code does not say that it is good."""
    weak = home.home / "tar"
    weak.write_text('#!/bin/sh\ncase "$*" in *--no-recursion*) exit 64;; esac\nexec tar "$@"\n')
    weak.chmod(0o755)
    options = ("--exclude", "*.tmp", "--tar", str(weak))
    home.run("backup", profile, str(home.tree), *options)
    write(home.tree, {"x.tmp": b"x"})
    ran = home.run("backup", profile, str(home.tree), *options)

    assert ran.returncode == 3
    assert ": stored, but the server did not say whether it restores: tar ended with 64" in ran.stderr
    assert "2 of 2 points can be restored" in home.run("points", profile).stdout
