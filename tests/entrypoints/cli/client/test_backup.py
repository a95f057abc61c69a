"""What `tarkeep backup` does about files that it cannot read, servers that take less, and tokens that may do less."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.machine import MIB, Machine
from tests.support.raw_http import request, talk
from tests.support.server import LiveServer, live_server
from tests.support.trees import write
from tests.support.weak_tar import weak_tar


@pytest.fixture
def home(machine: Machine) -> Machine:
    write(machine.tree, {"letter": b"dear", "folder/b": b"b", "secret": b"s"})
    return machine


def told(out: str) -> dict[str, object]:
    """What a backup said in JSON of the archive that it stored."""
    (line,) = [line for line in map(json.loads, out.splitlines()) if line.get("status") == "stored"]
    return dict(line)


def test_a_backup_without_unreadable_files_says_which_and_ends_with_3(home: Machine, profile: str) -> None:
    """Errors first; the archive is stored, its point names what is missing, and so does a restore."""
    (home.tree / "secret").chmod(0)
    weak = weak_tar(home.home)
    ran = home.run("backup", profile, str(home.tree), "--tar", weak)
    points = home.run("points", profile)
    planned = home.run("restore", profile, "--into", "back", "--dry-run")

    assert ran.returncode == 3
    first, second = ran.stderr.splitlines()
    assert "stored without 1 file or directory that could not be read; the next dump tries again" in first
    assert second == "tarkeep:   document/secret: Permission denied"
    assert "files: 2 new, 0 changed, 0 unchanged, 0 deleted, 1 not readable; 10.0 KB read, " in ran.stdout
    assert "    note: document/secret could not be read: Permission denied" in points.stdout
    assert "document/secret could not be read: Permission denied" in planned.stderr

    (home.tree / "secret").chmod(0o600)
    again = home.run("backup", profile, str(home.tree), "--tar", weak, "--json")
    line = told(again.stdout)
    assert (again.returncode, again.stderr) == (0, "")
    assert (line["new"], line["changed"], line["unchanged"], line["deleted"]) == (1, 0, 2, 0)
    assert (line["unreadable"], line["point"]) == ([], f"INC/{line['name']}")
    assert home.run("restore", profile, "--into", "back", "--check").returncode == 0
    assert (home.home / "back" / "document" / "secret").read_bytes() == b"s"


def test_a_damaged_snapshot_file_costs_no_night(home: Machine, live: LiveServer, profile: str) -> None:
    """The dump is planned anew in the same run, and says so."""
    home.run("backup", profile, str(home.tree))
    full = told(home.run("backup", profile, str(home.tree), "--type", "full", "--json").stdout)
    last = told(home.run("backup", profile, str(home.tree), "--json").stdout)
    kept = live.data / "archives" / profile / "INC" / f"{last['name']}.snar"
    kept.chmod(0o600)
    kept.write_bytes(bytes(reversed(kept.read_bytes())))

    ran = home.run("backup", profile, str(home.tree), "--json")
    assert ran.returncode == 0, ran.stderr
    assert told(ran.stdout)["parent"] == full["point"]
    line = ran.stderr.splitlines()[-1]
    assert f"the snapshot file of {profile}/INC/{last['name']} cannot be continued from: it is damaged or lost" in line
    assert line.endswith(f"; planned anew, on top of {full['point']}")
    assert home.run("points", profile).returncode == 0


def test_strict_stores_nothing_without_a_file(home: Machine, profile: str) -> None:
    """By option, and by the table of the profile."""
    (home.tree / "secret").chmod(0)
    weak = weak_tar(home.home)
    config = home.home / ".config" / "tarkeep" / "config.toml"
    by_option = home.run("backup", profile, str(home.tree), "--tar", weak, "--strict")
    config.parent.mkdir(parents=True)
    config.write_text(f'[backup.{profile}]\ndirectory = "{home.tree}"\ntar = "{weak}"\nstrict = true\n')
    by_table = home.run("backup", "--all")

    assert (by_option.returncode, by_table.returncode) == (1, 1)
    assert "tar ended with 2: document/secret: Cannot open: Permission denied; nothing of this" in by_option.stderr
    assert home.run("points", profile).returncode == 10


def test_what_is_asked_of_tar_is_shown_beforehand(home: Machine, profile: str) -> None:
    """Holes, attributes and access lists are kept where that is wanted."""
    ran = home.run("backup", profile, str(home.tree), "--sparse", "--xattrs", "--acls", "-n")

    assert "--sparse --xattrs --acls" in ran.stdout
    assert " --sparse" not in home.run("backup", profile, str(home.tree), "-n").stdout


@contextmanager
def with_token(machine: Machine, tmp_path: Path, *options: str, scopes: Iterable[Scope]) -> Iterator[Machine]:
    """The machine with a token for a server that wants one."""
    with live_server(tmp_path / "strict", *options) as server:
        made = open_tokens(StorageSettings(data=server.data)).make(frozenset(scopes), ("laptop",))
        token = tmp_path / "token"
        token.write_text(made.text)
        config = machine.home / ".config" / "tarkeep" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'token_file = "{token}"\n')
        yield Machine(machine.home, server.url)


def test_a_token_that_may_not_do_all_is_refused_on_the_first_night(home: Machine, tmp_path: Path) -> None:
    """Before tar starts, and with the line that makes the right one; also where the profile is another's."""
    (home.home / "tar").write_text("#!/bin/sh\ntouch started\n")
    (home.home / "tar").chmod(0o755)
    with with_token(home, tmp_path, scopes=[Scope.PUSH, Scope.LIST]) as machine:
        lacking = machine.run("backup", "laptop", str(home.tree), "--tar", "./tar")
        foreign = machine.run("backup", "other", str(home.tree), "--tar", "./tar")

    assert (lacking.returncode, foreign.returncode) == (12, 12)
    assert "needs the scopes push, list and pull for laptop, and this token has only push and list" in lacking.stderr
    assert "tarkeep token create --scope push --scope list --scope pull --profile laptop" in lacking.stderr
    assert "for other, and this token has none of them" in foreign.stderr
    assert not (home.home / "started").exists()


def test_a_dump_beyond_the_servers_limit_says_where_it_ended_and_what_to_set(home: Machine, tmp_path: Path) -> None:
    """The limit is known beforehand, so that a line warns of it, and no byte beyond it is sent."""
    write(home.tree, {"noise": random.Random(1).randbytes(12 * MIB)})
    scopes = [Scope.PUSH, Scope.LIST, Scope.PULL]
    with with_token(home, tmp_path, "--max-upload-bytes", "10M", scopes=scopes) as machine:
        planned = machine.run("backup", "laptop", str(home.tree), "-n")
        ran = machine.run("backup", "laptop", str(home.tree))
        points = machine.run("points", "laptop")

    assert (planned.returncode, ran.returncode, points.returncode) == (0, 1, 10)
    warning = "12.0 MB before compression, and the server takes archives of at most 10.0 MB (max_upload_bytes there)"
    assert warning in planned.stderr
    assert warning in ran.stderr
    assert "this dump goes on after byte 10485760, which is the last that the server takes" in ran.stderr
    assert "raise max_upload_bytes on the server" in ran.stderr


def test_by_default_only_a_form_has_a_limit(live: LiveServer) -> None:
    """500 MB by POST /upload, as the original took; what the disk has room for by everything else."""
    size = {"Content-Length": str(502 << 20)}
    with live.client() as client:
        form = {"Content-Type": "multipart/form-data; boundary=x", "Expect": "100-continue", **size}
        (refused,) = talk(live.host_and_port, request("POST", "/upload", form))
        facts = client.get("/api/v1").json()
        about = client.options("/api/v1/uploads")
        described = "filename YS50YXIuZ3o=,profile eA==,type RlVMTA=="
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": size["Content-Length"], "Upload-Metadata": described}
        begun = client.post("/api/v1/uploads", headers=headers)
        client.delete(begun.headers["location"], headers={"Tus-Resumable": "1.0.0"})

    assert (refused.status, refused.code) == (413, "too-large")
    assert "goes on after byte 524288000, which is the last that is taken" in str(refused.problem["detail"])
    assert facts["max_upload_bytes"] is None
    assert "tus-max-size" not in about.headers
    assert begun.status_code == 201
