"""What `tarkeep backup` does when it is to back up other files than the last time: a FULL, and a line that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.machine import Machine
from tests.support.trees import described, write


@pytest.fixture
def home(machine: Machine) -> Machine:
    write(machine.tree, {"letter": b"dear", "disk.iso": b"precious", "folder/b": b"b"})
    return machine


def backed_up(home: Machine, profile: str, *options: str, code: int = 0) -> dict[str, object]:
    """What a backup said of the archive that it stored."""
    ran = home.run("backup", profile, str(home.tree), *options, "--json")
    assert ran.returncode == code, ran.stderr
    [told] = [line for line in map(json.loads, ran.stdout.splitlines()) if line.get("status") == "stored"]
    return dict(told)


def test_what_is_excluded_no_more_is_backed_up_at_once(home: Machine, profile: str) -> None:
    """Though to tar it has not changed; a machine that lost everything knows it, too."""
    backed_up(home, profile, "--exclude", "*.iso", "--exclude", "*.tmp")
    kept = backed_up(home, profile, "--exclude", "*.tmp", "--exclude", "*.iso")
    write(home.tree, {"disk.iso": b"changed"})
    ran = home.run("backup", profile, str(home.tree))

    assert kept["type"] == "INC"
    assert ran.returncode == 0
    assert (
        f", on top of nothing: what is excluded has changed since INC/{kept['name']} (no longer *.iso, *.tmp): this is "
        "a FULL, so that what was excluded is backed up\n" in ran.stdout
    )
    assert home.run("restore", profile, "--into", "back", "--check").returncode == 0
    assert described(home.home / "back" / "document") == described(home.tree)


def test_by_option_by_table_and_by_list_is_the_same(home: Machine, profile: str) -> None:
    """As are one slash at the end, and a link to the directory."""
    config, listed = home.home / ".config" / "tarkeep" / "config.toml", home.home / "list"
    listed.write_text("*.iso\n")
    config.parent.mkdir(parents=True)
    types = [backed_up(home, profile, "--exclude", "*.iso", "--one-file-system")["type"]]
    types.append(backed_up(home, profile, "--exclude-from", str(listed), "--one-file-system")["type"])
    config.write_text(f'[backup.{profile}]\ndirectory = "{home.tree}/"\nexclude = ["*.iso"]\none_file_system = true\n')
    ran = home.run("backup", "--all", "--json")
    (home.home / "link").symlink_to(home.tree)
    linked = home.run("backup", profile, str(home.home / "link"), "--json")

    assert types == ["FULL", "INC"]
    assert all(json.loads(one.stdout.splitlines()[0])["type"] == "INC" for one in (ran, linked)), linked.stdout


def test_a_dump_that_is_told_its_type_says_what_it_lacks_and_ends_with_3(home: Machine, profile: str) -> None:
    """Its point says so, and so does the next dump that is told its type; auto makes a FULL."""
    backed_up(home, profile)
    first = home.run("backup", profile, str(home.tree), "--type", "inc", "--exclude", "*.iso")
    planned = home.run("backup", profile, str(home.tree), "--type", "inc", "--exclude", "*.iso", "-n")
    second = backed_up(home, profile, "--type", "inc", "--exclude", "*.iso", code=3)
    points = home.run("points", profile)
    last = backed_up(home, profile, "--exclude", "*.iso")

    [line] = first.stderr.splitlines()
    assert first.returncode == 3
    assert "what is excluded has changed since FULL/" in line
    assert ": what is excluded now is restored from it as it was; a FULL puts it right" in line
    assert line.endswith(" (tarkeep backup --type full)")
    assert planned.returncode == 0
    assert "is not whole itself" in planned.stderr
    assert "is not whole itself" in str(second["not_whole"])
    assert points.stdout.count("note: ") == 2
    assert (last["type"], last["not_whole"]) == ("FULL", None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--one-file-system"], "the dump stays in the file system of its directory now, and did not for FULL/"),
        (["--xattrs"], "extended attributes are kept now, and were not for FULL/"),
        (["--acls"], "access control lists are kept now, and were not for FULL/"),
    ],
)
def test_options_that_decide_what_is_kept_count(home: Machine, profile: str, options: list[str], words: str) -> None:
    """Holes that are left out are as good as those that are not, so --sparse does not."""
    backed_up(home, profile)
    told = backed_up(home, profile, *options)

    assert told["type"] == "FULL"
    assert str(told["reason"]).startswith(words)
    assert backed_up(home, profile, *options, "--sparse")["type"] == "INC"


def test_a_directory_of_another_name_is_dumped_whole(home: Machine, profile: str, tmp_path: Path) -> None:
    """tar would not come from the one to the other."""
    backed_up(home, profile)
    renamed = home.home / "letters"
    home.tree.rename(renamed)
    ran = home.run("backup", profile, str(renamed))

    assert ran.returncode == 0
    assert "on top of nothing: the directory is called letters and was document for FULL/" in ran.stdout
    assert home.run("restore", profile, "--into", str(tmp_path / "back"), "--check").returncode == 0
    assert described(tmp_path / "back" / "letters") == described(renamed)
