"""The client as people and scripts run it: exit codes, what it prints where, and what is stored afterwards."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing

import pytest

from tarkeep.adapters.local.archive_folder import described
from tarkeep.domain.client.ports.local_archives import version_of
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS
from tests.support.archives import make_targz
from tests.support.cutting_proxy import CuttingProxy
from tests.support.machine import LARGE, MIB, Machine, keep_the_tree, some, stored
from tests.support.server import LiveServer
from tests.support.stub_server import Answer, stub_server


def parts(server: LiveServer) -> set[str]:
    return {part.name for part in (server.data / "staging").glob("*.part")}


def test_push_sends_the_newest_of_each_type_once(machine: Machine, live: LiveServer) -> None:
    """The first run stores them, the second finds them there; older ones stay until --all is said."""
    machine.keep("FULL", "full_old.tar.gz", some("old"), age_seconds=9000)
    machine.keep("FULL", "full_new.tar.gz", some("new"))
    machine.keep("INC", "inc_1.tar.gz", some("inc"))

    first = machine.run("push", "newest")
    assert (first.returncode, first.stderr) == (0, "")
    assert "FULL/full_new.tar.gz: stored (" in first.stdout
    assert "2 stored, 0 stored already, 0 failed" in first.stdout
    assert stored(live, "newest", "FULL", "full_old.tar.gz") is None

    second = machine.run("push", "newest", "--all")
    assert "1 stored, 2 stored already, 0 failed" in second.stdout
    assert stored(live, "newest", "FULL", "full_old.tar.gz") == some("old")


def test_a_large_archive_goes_as_a_resumable_upload(machine: Machine, live: LiveServer) -> None:
    """And is stored like any other."""
    machine.keep("FULL", "large.tar.gz", LARGE)

    assert machine.run("push", "large").returncode == 0
    assert stored(live, "large", "FULL", "large.tar.gz") == LARGE


def test_push_goes_on_over_cuts(machine: Machine, live: LiveServer) -> None:
    """Each cut costs a message and a pause, and no byte that the server has."""
    machine.keep("FULL", "cut.tar.gz", LARGE)
    with CuttingProxy(live.host_and_port, [3 * MIB, 5 * MIB, 2 * MIB]) as proxy:
        ran = machine.run("push", "cut", environment={"SERVER_URL": proxy.url})

    assert ran.returncode == 0, ran.stderr
    assert proxy.made_cuts == 3
    assert ran.stderr.count("again in") == 3
    assert stored(live, "cut", "FULL", "cut.tar.gz") == LARGE


def test_a_later_run_goes_on_where_the_last_one_gave_up(machine: Machine, live: LiveServer) -> None:
    """The upload's address is remembered, and the digest is right though the file's head is not sent again."""
    machine.keep("FULL", "later.tar.gz", LARGE)
    before = parts(live)
    with CuttingProxy(live.host_and_port, [4 * MIB] * 4) as proxy:
        gave_up = machine.run("push", "later", "--retries", "1", environment={"SERVER_URL": proxy.url})
        assert proxy.made_cuts >= 1
        assert gave_up.returncode in (0, 14), gave_up.stderr
        again = machine.run("push", "later", "--retries", "4", environment={"SERVER_URL": proxy.url})

    assert again.returncode == 0, again.stderr
    assert stored(live, "later", "FULL", "later.tar.gz") == LARGE
    assert parts(live) == before


@pytest.mark.parametrize("size", [0, 100_000, 12 * MIB], ids=["tiny", "small", "large"])
def test_push_takes_standard_input(machine: Machine, live: LiveServer, size: int) -> None:
    """Short and long, of a length that nobody knows beforehand."""
    content = make_targz({"noise": random.Random(size).randbytes(size)})
    name = f"stream-{size}.tar.gz"

    ran = machine.run("push", "stream", "-", "--name", name, "--type", "full", stdin=content)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stored(live, "stream", "FULL", name) == content


def test_standard_input_survives_cuts(machine: Machine, live: LiveServer) -> None:
    """What cannot be read again is kept until the server has it."""
    with CuttingProxy(live.host_and_port, [9 * MIB, MIB]) as proxy:
        ran = machine.run(
            *("push", "streamcut", "-", "--name", "s.tar.gz", "--type", "INC"),
            stdin=LARGE,
            environment={"SERVER_URL": proxy.url},
        )

    assert ran.returncode == 0, ran.stderr
    assert proxy.made_cuts == 2
    assert stored(live, "streamcut", "INC", "s.tar.gz") == LARGE


def test_what_is_no_archive_is_refused_in_the_servers_words(machine: Machine) -> None:
    """Alone it is a failure, beside good ones the run is partly done; other bytes under a name are a conflict."""
    machine.keep("FULL", "junk.tar.gz", b"junk")
    alone = machine.run("push", "junk")
    assert alone.returncode == 1
    assert "FULL/junk.tar.gz: not stored: not gzip data at byte 0" in alone.stderr

    machine.keep("INC", "good.tar.gz", some("good"))
    assert machine.run("push", "junk").returncode == 3
    machine.keep("INC", "good.tar.gz", some("other"), age_seconds=50)
    conflict = machine.run("push", "junk", str(machine.backups / "INC" / "good.tar.gz"))
    assert conflict.returncode == 1
    assert "other bytes are stored under this name" in conflict.stderr


def test_json_says_the_same_for_programs(machine: Machine) -> None:
    """One object a line, the summary last, nothing else on standard output."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    lines = [json.loads(line) for line in machine.run("push", "json", "--json").stdout.splitlines()]

    assert [line["status"] for line in lines[:-1]] == ["sent"]
    nothing = dict.fromkeys(("repaired", "already-there", "pruned", "conflict", "failed", "unfinished", "unusable"), 0)
    assert lines[-1] == {"summary": True, "sent": 1, **nothing}
    verified = [json.loads(line) for line in machine.run("verify", "json", "--json").stdout.splitlines()]
    assert verified[0] == {"status": "synced", "type": "FULL", "name": "a.tar.gz"}
    assert verified[-1]["synchronized"] is True
    listed = [json.loads(line) for line in machine.run("list", "json", "--json").stdout.splitlines()]
    assert [(one["type"], one["name"], one["size"]) for one in listed[:-1]] == [("FULL", "a.tar.gz", len(some("a")))]
    assert listed[-1] == {"summary": True, "archives": 1, "size": len(some("a"))}


def test_verify_tells_differences_by_its_exit_code(machine: Machine) -> None:
    """13 while something local is not there or differs; what only the server has is told and is no failure."""
    machine.keep("FULL", "one.tar.gz", some("one"))
    machine.run("push", "differ")
    assert machine.run("verify", "differ").returncode == 0
    machine.keep("INC", "two.tar.gz", some("two"))

    missing = machine.run("verify", "differ")
    assert missing.returncode == 13
    assert "missing there    INC/two.tar.gz" in missing.stdout
    (machine.backups / "INC" / "two.tar.gz").unlink()
    (machine.backups / "FULL" / "one.tar.gz").unlink()
    extra = machine.run("verify", "differ")
    assert extra.returncode == 0
    assert "only there       FULL/one.tar.gz" in extra.stdout


def test_verify_reads_again_only_what_changed_or_when_told_to(machine: Machine) -> None:
    """Bytes that rot on the disk, behind all times of the file, are not seen by the memory, and are by --full."""
    file = machine.keep("FULL", "sly.tar.gz", some("aaa"))
    machine.run("push", "sly")
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    with closing(sqlite3.connect(machine.home / ".local/state/tarkeep/client.sqlite", isolation_level=None)) as memory:
        version = version_of(described(file, BackupType.FULL))
        assert memory.execute("UPDATE digest SET version=?", (version,)).rowcount == 1

    assert machine.run("verify", "sly").returncode == 0
    full = machine.run("verify", "sly", "--full")
    assert full.returncode == 13
    assert "other bytes than before" in full.stderr


def test_safe_to_delete_names_exactly_what_is_stored(machine: Machine) -> None:
    """Paths of archives that the server has with the same SHA-256, and nothing else."""
    safe = machine.keep("FULL", "safe.tar.gz", some("safe"))
    machine.run("push", "safe")
    machine.keep("INC", "unsent.tar.gz", some("unsent"))

    assert machine.run("verify", "safe", "--safe-to-delete").stdout.splitlines() == [str(safe)]


def test_a_profile_of_which_nothing_is_stored_is_not_found(machine: Machine, profile: str) -> None:
    """By list as by all that look; one that has nothing of a type has just nothing to show."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    machine.run("push", profile)
    unknown = machine.run("list", f"{profile}x")

    assert (unknown.returncode, unknown.stdout) == (10, "")
    assert f"no profile {profile}x; tarkeep stats shows the profiles" in unknown.stderr
    assert machine.run("list", f"{profile}x", "--type", "full").returncode == 10
    assert machine.run("list", profile, "--type", "inc").returncode == 0


def test_stats_counts_by_profile_and_type(machine: Machine) -> None:
    """With the total last."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    machine.run("push", "counted")

    lines = machine.run("stats").stdout.splitlines()
    assert any(line.startswith("counted ") and " FULL " in line for line in lines)
    assert " archives, " in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["push"], 2),
        (["push", "no/slash"], 2),
        (["push", "doc", "--bogus"], 2),
        (["push", "doc", "missing.tar.gz"], 2),
        (["push", "doc", "-"], 2),
        (["push", "doc"], 1),
        (["stats", "--server", "ftp://x"], 2),
        (["stats", "--server", "http://127.0.0.1:1", "--retries", "1"], 14),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_use_has_its_exit_code(machine: Machine, arguments: list[str], code: int) -> None:
    """And a sentence on standard error, and no traceback."""
    ran = machine.run(*arguments)

    assert ran.returncode == code
    assert (ran.stderr or ran.stdout).strip()
    assert "Traceback" not in ran.stderr


def test_settings_come_from_the_clients_own_file(machine: Machine) -> None:
    """An option goes before the environment, that before the file; what is no setting is an error."""
    file = machine.home / ".config" / "tarkeep" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('retries = 1\nserver = "http://127.0.0.1:1"\n')
    assert machine.run("stats").returncode == 0
    assert machine.run("stats", environment={"SERVER_URL": "http://127.0.0.1:1"}).returncode == 14
    file.write_text("bogus = 1\n")
    assert machine.run("stats").returncode != 0


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_the_client_imports_nothing_of_the_server(machine: Machine, profile: str, command: str) -> None:
    """Nor does it make anybody wait for a database."""
    keep_the_tree(machine)
    machine.run("push", profile)
    arguments = ["tarkeep", *command.split(), *machine.about(command, profile)]
    allowed = {"isal"} if command in ("restore", "drill run") else set()  # which look into archives
    code = (
        "import sys, runpy\n"
        f"sys.argv = {arguments!r}\n"
        "try:\n    runpy.run_module('tarkeep', run_name='__main__')\n"
        "except SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "heavy = {'starlette', 'uvicorn', 'sqlalchemy', 'alembic', 'isal', 'tarkeep.entrypoints.http'}\n"
        f"print()\nprint(sorted(heavy & set(sys.modules) - {allowed!r}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=machine.environment(), cwd=machine.home
    )
    assert ran.stdout.splitlines()[-1:] == ["[]"], ran.stderr


def test_an_interrupted_push_says_how_to_go_on(machine: Machine, live: LiveServer) -> None:
    """130, and the same command again ends it."""
    machine.keep("FULL", "slow.tar.gz", LARGE)
    before = parts(live)
    slow = machine.begin("push", "interrupted", "--limit-rate", "1M")
    while parts(live) <= before:
        assert slow.poll() is None
    slow.send_signal(2)
    _, told = slow.communicate(timeout=60)

    assert slow.returncode == 130
    assert "run the same command again" in told
    assert machine.run("push", "interrupted").returncode == 0
    assert stored(live, "interrupted", "FULL", "slow.tar.gz") == LARGE


def test_ctrl_c_does_not_wait_for_a_silent_server(machine: Machine) -> None:
    """The run ends while the server still owes an answer, and says what it did not come to the end with."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    buckets = ("synced", "missing_remote", "extra_remote", "differing", "unverified")
    part = {"local_count": 1, "remote_count": 0, **{bucket: [] for bucket in buckets}}
    nothing_there = json.dumps({"types": dict.fromkeys(("FULL", "INC", "DIFF"), part)}).encode()
    with stub_server(Answer(200, nothing_there)) as stub:
        stub.silent = frozenset({"PUT"})
        waiting = machine.begin("push", "silent", environment={"SERVER_URL": stub.url})
        assert stub.is_waited_for.wait(60)
        waiting.send_signal(2)
        said, told = waiting.communicate(timeout=60)

    assert waiting.returncode == 130
    assert "run the same command again to continue" in told
    assert said.endswith("0 stored, 0 stored already, 0 failed, 1 unfinished\n")


def test_the_archives_here_are_what_tar_reads() -> None:
    """The large one is no accident of the generator."""
    with tarfile.open(fileobj=io.BytesIO(LARGE)) as tar:
        assert tar.getnames() == ["noise"]
