"""
`tarkeep backup --check`: what GNU tar itself misses is noticed, and put right by the next dump.

tar compares times with that of the dump before. So a machine whose clock was ahead then makes it miss whatever changes,
without a word; `Ahead` is a tar on such a machine. The rest is real.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import Machine
from tests.support.trees import write

# The second line of a snapshot file begins with the time of the dump.
_AHEAD = """#!/bin/sh
tar "$@"
status=$?
for argument; do
  case $argument in
    --listed-incremental=*) python3 -c '
import pathlib, sys
file = pathlib.Path(sys.argv[1])
first, rest = file.read_bytes().split(b"\\n", 1)
seconds, rest = rest.split(b"\\0", 1)
file.write_bytes(first + b"\\n" + str(int(seconds) + 3600).encode() + b"\\0" + rest)
' "${argument#*=}" ;;
  esac
done
exit $status
"""


@pytest.fixture
def home(machine: Machine) -> Machine:
    write(machine.tree, {"letter": b"dear", "folder/b": b"old", "left.tmp": b"left out"})
    (machine.tree / "folder" / "link").symlink_to("b")
    (machine.tree / "other").hardlink_to(machine.tree / "letter")
    os.mkfifo(machine.tree / "pipe")
    return machine


def program(home: Machine, name: str, script: str) -> str:
    file = home.home / name
    file.write_text(script)
    file.chmod(0o755)
    return str(file)


def lines(out: str, status: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, out.splitlines()) if line.get("status") == status]


def backed_up(home: Machine, profile: str, *more: str) -> tuple[int, dict[str, Any], dict[str, Any] | None]:
    """The exit code, what is said of the archive, and of the check."""
    ran = home.run("backup", profile, str(home.tree), "--exclude", "*.tmp", "--json", *more)
    (stored,), checked = lines(ran.stdout, "stored"), lines(ran.stdout, "checked")
    return ran.returncode, stored, checked[0] if checked else None


def missed(checked: dict[str, Any] | None) -> dict[str, str]:
    assert checked is not None
    return {one["path"]: one["what"] for one in checked["missed"]}


@pytest.mark.parametrize("how", ["--check", "--check-all"])
def test_a_good_dump_has_everything(home: Machine, profile: str, how: str) -> None:
    """What is excluded, and sockets, are no difference; each FULL and INC is compared with the tree as it is."""
    os.chdir(home.tree)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("sock")
    os.chdir("/")

    code, first, checked = backed_up(home, profile, how)
    write(home.tree, {"folder/new": b"new"})
    (home.tree / "folder" / "b").unlink()
    later, second, again = backed_up(home, profile, how)

    assert (code, later, first["type"], second["type"]) == (0, 0, "FULL", "INC")
    assert checked is not None
    assert again is not None
    assert (checked["missed"], checked["moved"], again["missed"], again["moved"]) == ([], [], [], [])
    assert (checked["compared"], checked["contents"], checked["links_left"]) == (6, 2, 0)
    assert (again["compared"], again["contents"]) == (6, 2)


def test_what_tar_calls_unchanged_is_named_and_the_next_dump_is_full(home: Machine, profile: str) -> None:
    """Of the same size, and with its time set back: only its bytes tell."""
    backed_up(home, profile, "--tar", program(home, "ahead", _AHEAD))
    file = home.tree / "folder" / "b"
    status = file.stat()
    file.write_bytes(b"new")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    code, stored, checked = backed_up(home, profile, "--check")
    again, full, good = backed_up(home, profile, "--check")
    last, inc, _ = backed_up(home, profile)

    assert (code, stored["type"], stored["restorable"]) == (13, "INC", True)
    assert missed(checked) == {"document/folder/b": "has other bytes in the backup"}
    assert (again, full["type"], missed(good)) == (0, "FULL", {})
    assert f"the check of INC/{stored['name']} found that tar had missed 1 name: this is a FULL" in full["reason"]
    assert (last, inc["type"]) == (0, "INC")
    assert home.run("restore", profile, "--into", "back").returncode == 0
    assert (home.home / "back" / "document" / "folder" / "b").read_bytes() == b"new"


def test_a_group_of_hard_links_that_tar_splits_is_named(home: Machine, profile: str) -> None:
    """The new name comes as a file of its own."""
    backed_up(home, profile, "--tar", program(home, "ahead", _AHEAD))
    (home.tree / "third").hardlink_to(home.tree / "letter")

    code, _, checked = backed_up(home, profile, "--check")

    assert code == 13
    what = "has other hard links in the backup"
    assert missed(checked) == dict.fromkeys(("document/letter", "document/other", "document/third"), what)


def test_a_mode_that_tar_does_not_see_is_named(home: Machine, profile: str) -> None:
    backed_up(home, profile, "--tar", program(home, "ahead", _AHEAD))
    (home.tree / "folder" / "b").chmod(0o600)

    ran = home.run("backup", profile, str(home.tree), "--exclude", "*.tmp", "--check")

    assert ran.returncode == 13
    assert "document/folder/b has the mode 0600, and 0644 in the backup" in ran.stderr
    assert "tar missed 1 name; the next dump of the type auto is a FULL" in ran.stdout


def test_a_file_that_is_replaced_within_the_same_second_is_noticed(home: Machine, profile: str) -> None:
    """By another one with its size and its time, moved over it: for a tar that only looks at whole seconds."""
    backed_up(home, profile, "--tar", program(home, "ahead", _AHEAD))
    file, new = home.tree / "folder" / "b", home.tree / "folder" / "b.new"
    status = file.stat()
    new.write_bytes(b"two")
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(file)

    code, _, checked = backed_up(home, profile, "--check")

    assert (code, missed(checked)) == (13, {"document/folder/b": "has other bytes in the backup"})


def test_what_changes_during_the_dump_was_not_missed(home: Machine, profile: str) -> None:
    """A tar that changes, removes and adds files when it has read them."""
    script = '#!/bin/sh\ntar "$@"; status=$?\n'
    script += (
        f"case \"$*\" in *--file=-*) cd '{home.tree}'; echo other >letter; rm -f folder/b; echo x >folder/x;; esac\n"
    )
    busy = program(home, "busy", script + "exit $status\n")

    code, _, checked = backed_up(home, profile, "--tar", busy, "--check-all")

    assert (code, missed(checked)) == (0, {})
    assert checked is not None
    # its folder's time changed with it, and the other name of the letter
    changed = {"document/folder", "document/folder/b", "document/folder/x", "document/letter", "document/other"}
    assert set(checked["moved"]) == changed


def test_the_settings_check_once_a_week(home: Machine, profile: str) -> None:
    folder = home.home / ".config" / "tarkeep"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f"[backup.{profile}]\ndirectory = '{home.tree}'\ncheck = 'weekly'\n")

    first = home.run("backup", profile, "--json")
    second = home.run("backup", profile, "--json")
    (folder / "config.toml").write_text(f"[backup.{profile}]\ndirectory = '{home.tree}'\ncheck = 'always'\n")
    third = home.run("backup", profile, "--json")
    (folder / "config.toml").write_text(f"[backup.{profile}]\ndirectory = '{home.tree}'\ncheck = 'monthly'\n")
    wrong = home.run("backup", profile, "--json")

    assert [len(lines(ran.stdout, "checked")) for ran in (first, second, third)] == [1, 0, 1]
    assert (wrong.returncode, "check" in wrong.stderr) == (2, True)


def test_a_file_that_could_not_be_read_is_not_reported_twice(home: Machine, profile: str) -> None:
    """The dump told of it, and the next one tries again."""
    from tests.support.weak_tar import weak_tar

    (home.tree / "folder" / "b").chmod(0)
    code, _, checked = backed_up(home, profile, "--tar", weak_tar(home.home), "--check")
    assert (code, missed(checked)) == (3, {})


def test_a_large_group_of_links_is_left_to_the_thorough_check(home: Machine, profile: str) -> None:
    """And it is said so."""
    large = home.tree / "large"
    with large.open("wb") as file:
        file.truncate(65 << 20)
    Path(home.tree / "same").hardlink_to(large)

    _, _, checked = backed_up(home, profile, "--check", "--level", "1")
    code, _, thorough = backed_up(home, profile, "--check-all")

    assert checked is not None
    assert thorough is not None
    assert (checked["links_left"], thorough["links_left"], code) == (2, 0, 0)
    assert (missed(checked), missed(thorough)) == ({}, {})
