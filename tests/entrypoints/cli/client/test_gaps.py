"""The client where not all of a point can be given back: what it restores, what it says, and how it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import define

from tests.support.dumper import Dump, Dumper, Seen, extracted
from tests.support.harm import cut, flip
from tests.support.histories import History
from tests.support.machine import Machine
from tests.support.server import LiveServer
from tests.support.tar_oracle import look_at

IN_ONE = {b"root/one", b"root/d/new-one"}


@define
class Chain:
    """Four dumps on a real server, and a machine that restores them."""

    machine: Machine
    profile: str
    dumps: list[Dump]
    archives: Path

    def file(self, number: int) -> Path:
        return self.archives / self.dumps[number].type / self.dumps[number].name

    @property
    def into(self) -> Path:
        return self.machine.home / "back"

    @property
    def beside(self) -> Path:
        return self.machine.home / "back.tarkeep-gaps"

    def restore(self, *options: str) -> tuple[int, Seen, str]:
        """How it ends, what is there, and what was said."""
        ran = self.machine.run("restore", self.profile, "--into", str(self.into), *options)
        return ran.returncode, look_at(self.into) if self.into.exists() else {}, ran.stderr


def made(machine: Dumper, *, files: int, missing: int | None = None) -> list[Dump]:
    """The dumps, all of which are stored but that number *missing*."""
    root = machine.root
    (root / "d").mkdir()
    for name in ("full", "one", "two", "three", "d/full"):
        (root / name).write_text(f"{name} as of the full\n")
    dumps = [machine.dump("FULL")]
    for name in ("one", "two", "three"):
        (root / name).write_text(f"{name} changed\n")
        for number in range(files if name == "one" else 1):
            (root / f"d/new-{name}{number or ''}").write_text(f"new by {name}\n")
        dumps.append(machine.dump("INC"))
    for number, dump in enumerate(dumps):
        if number != missing:
            assert machine.put(dump).status_code == 201
    return dumps


@pytest.fixture
def chain(live: LiveServer, machine: Machine, profile: str, tmp_path: Path) -> Iterator[Chain]:
    (tmp_path / "source").mkdir()
    with live.client() as client:
        dumper = Dumper(client, profile, History(tmp_path / "source"))
        yield Chain(machine, profile, made(dumper, files=1), live.data / "archives" / profile)


def without(seen: Seen, names: set[bytes]) -> Seen:
    return {path: what for path, what in seen.items() if path not in names}


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["rotten", "cut", "gone"])
@pytest.mark.parametrize("options", [(), ("--merged",)], ids=["", "merged"])
def test_all_but_what_is_in_it_comes_back(chain: Chain, harm: Callable[[Path], None], options: tuple[str, ...]) -> None:
    """In one go, whether that it is damaged was known before or shows on the way; each name is told, and 3."""
    harm(chain.file(1))

    code, seen, said = chain.restore("--allow-gaps", *options)

    assert (code, seen) == (3, without(chain.dumps[-1].live, IN_ONE))
    for path in IN_ONE:
        assert f"{path.decode()} cannot be restored: its content is in INC/{chain.dumps[1].name}" in said
    assert "2 names could not be restored; everything else was restored" in said
    assert not chain.beside.exists()
    assert chain.restore("--overwrite", "--allow-gaps", "--check")[0] == 3


def test_who_does_not_ask_for_it_is_told_of_it(chain: Chain) -> None:
    """The refusal says how many names would lack; the listing, the dry run and the points agree."""
    chain.file(1).unlink()
    chain.restore("--dry-run", "--allow-gaps")  # finds out

    code, seen, said = chain.restore()

    assert (code, seen) == (1, {})
    assert "tarkeep restore --allow-gaps restores it anyway: 2 names are missing" in said
    assert "tarkeep restore --allow-gaps" in chain.machine.run("points", chain.profile).stderr
    listed = chain.machine.run("ls", chain.profile, "--recursive", "--null")
    assert "2 names cannot be restored" in listed.stderr
    assert set(os.fsencode(listed.stdout).split(b"\0")) >= IN_ONE
    code, seen, said = chain.restore("--dry-run", "--allow-gaps")
    assert (code, seen) == (3, {})
    assert "2 names cannot be restored; everything else can be" in said


def test_a_part_that_lies_elsewhere_is_given_as_ever(chain: Chain) -> None:
    """And one that does not is refused, or given without what is in it."""
    chain.file(1).unlink()
    chain.restore("--dry-run", "--allow-gaps")
    live = chain.dumps[-1].live

    code, seen, said = chain.restore("--path", "root/full")
    assert (code, seen[b"root/full"], said) == (0, live[b"root/full"], "")
    code, _, said = chain.restore("--path", "root/d", "--overwrite")
    assert code == 1
    assert "restores it anyway: 1 name is missing" in said
    assert chain.restore("--path", "root/d", "--overwrite", "--dry-run")[0] == 1
    code, seen, said = chain.restore("--path", "root/d", "--overwrite", "--allow-gaps", "--check")
    assert code == 3
    assert {path for path in seen if path.startswith(b"root/d/")} == {
        b"root/d/full",
        b"root/d/new-two",
        b"root/d/new-three",
    }
    assert "1 name could not be restored" in said
    assert chain.restore("--path", "root/d", "--allow-gaps", "--dry-run")[0] == 3


def test_names_that_are_many_are_in_a_file_beside(
    live: LiveServer, machine: Machine, profile: str, tmp_path: Path
) -> None:
    """Twenty are said, all are there, with why; a program gets every one as a line."""
    (tmp_path / "source").mkdir()
    with live.client() as client:
        dumper = Dumper(client, profile, History(tmp_path / "source"))
        chain = Chain(machine, profile, made(dumper, files=1500), live.data / "archives" / profile)
    chain.file(1).unlink()

    code, seen, said = chain.restore("--allow-gaps")
    lacking = chain.dumps[-1].live.keys() - seen.keys()

    assert (code, len(lacking)) == (3, 1501)
    assert seen == without(chain.dumps[-1].live, lacking)
    assert said.count("cannot be restored: ") == 20
    assert "1481 more names that are missing or may be out of date" in said
    assert f"1501 names could not be restored; everything else was restored; {chain.beside} names all" in said
    lines = chain.beside.read_bytes().splitlines()
    assert {line.partition(b"\t")[0] for line in lines} == lacking
    assert len(lines) == 1501

    ran = machine.run("restore", profile, "--into", str(tmp_path / "again"), "--allow-gaps", "--json")
    told: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {os.fsencode(line["path"]) for line in told if line.get("status") == "lacking"} == lacking
    assert told[-1]["exit_code"] == 3


def test_what_is_older_than_a_missing_archive_is_told(
    live: LiveServer, machine: Machine, profile: str, tmp_path: Path
) -> None:
    """It is given as it was, and counted apart."""
    (tmp_path / "source").mkdir()
    with live.client() as client:
        dumps = made(Dumper(client, profile, History(tmp_path / "source")), files=1, missing=1)
    chain = Chain(machine, profile, dumps, live.data / "archives" / profile)

    refused = chain.restore()
    assert refused[:2] == (1, {})
    assert "1 name is missing, 3 names may be out of date" in refused[2]
    assert machine.run("ls", profile).returncode == 1
    listed = machine.run("ls", profile, "--allow-gaps", "--recursive")
    assert listed.returncode == 0
    assert "1 name cannot be restored and 3 names may be out of date" in listed.stderr

    code, seen, said = chain.restore("--allow-gaps", "--check")
    assert code == 3
    assert seen == without(dumps[-1].live, {b"root/d/new-one"}) | {b"root/one": ("file", b"one as of the full\n")}
    assert "root/d/new-one cannot be restored: its content is in no stored archive" in said
    assert "root/one may be out of date: its content is that of FULL/" in said
    assert "1 name could not be restored and 3 names may be out of date; everything else was restored" in said


def test_rot_met_in_the_middle_breaks_the_tar_off_and_the_client_begins_anew(
    live: LiveServer, machine: Machine, profile: str, tmp_path: Path
) -> None:
    """With ``allow_gaps`` too no tar ends cleanly then; what was extracted gives way to what is whole."""
    (tmp_path / "source").mkdir()
    with live.client() as client:
        dumper = Dumper(client, profile, History(tmp_path / "source"))
        for name in ("a", "b"):
            (dumper.root / name).write_bytes(os.urandom(3 << 20))
        dumps = [dumper.back_up("FULL")]
        for name in ("b", "c"):
            (dumper.root / name).write_bytes(os.urandom(3 << 20))
            dumps.append(dumper.back_up("INC"))
        chain = Chain(machine, profile, dumps, live.data / "archives" / profile)
        content = bytearray(chain.file(1).read_bytes())
        content[-1000] ^= 16
        chain.file(1).chmod(0o600)
        chain.file(1).write_bytes(content)

        code, seen, said = chain.restore("--merged", "--allow-gaps")
        assert "the restore begins anew" in said
        assert (code, seen) == (3, without(dumps[-1].live, {b"root/b"}))
        assert "1 name could not be restored" in said

        content = bytearray(chain.file(0).read_bytes())
        content[-1000] ^= 16
        chain.file(0).chmod(0o600)
        chain.file(0).write_bytes(content)
        with client.stream("GET", f"{dumper.url}/restore.tar?allow_gaps=1") as answer:
            assert (answer.status_code, answer.headers["Tarkeep-Gaps"]) == (200, "1")
            with pytest.raises(httpx2.RemoteProtocolError):
                answer.read()
        tar = client.get(f"{dumper.url}/restore.tar?allow_gaps=1")
        assert tar.headers["Tarkeep-Gaps"] == "2"
        assert extracted(tar.content, tmp_path / "rest") == without(dumps[-1].live, {b"root/a", b"root/b"})
