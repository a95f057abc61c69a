"""``tarkeep status`` against a real server: one screen that answers whether everything local is safe there."""

from __future__ import annotations

import json
import re

from tests.support.machine import LARGE, MIB, Machine, some, store
from tests.support.server import LiveServer
from tests.support.stub_server import Answer, stub_server


def test_everything_safe_is_0_and_one_screen(machine: Machine, profile: str) -> None:
    """Counts and ages of both sides, and the verdict last."""
    machine.keep("FULL", "full_1.tar.gz", some("1"), age_seconds=3 * 86400)
    machine.keep("INC", "inc_1.tar.gz", some("2"), age_seconds=2 * 3600)
    machine.run("push", profile)

    ran = machine.run("status", profile)
    assert (ran.returncode, ran.stderr) == (0, "")
    full, inc, diff = ran.stdout.splitlines()[:3]
    assert re.fullmatch(r"FULL +1 here +newest 3 days ago +1 safe +1 stored +newest (just now|1 minute ago)", full)
    assert re.fullmatch(r"INC +1 here +newest 2 hours ago +1 safe +1 stored +newest (just now|1 minute ago)", inc)
    assert re.fullmatch(r"DIFF +0 here +0 safe +0 stored", diff)
    assert ran.stdout.splitlines()[-1] == f"everything local is safe on {machine.url}"


def test_what_is_missing_is_13_with_what_to_run(machine: Machine, profile: str) -> None:
    """And running it makes it 0. A few names are shown, the others counted."""
    for number in range(7):
        machine.keep("INC", f"inc_{number}.tar.gz", some(str(number)))

    before = machine.run("status", profile)
    assert before.returncode == 13
    assert before.stdout.count("missing there: INC/inc_") == 5
    assert "missing there: and 2 more" in before.stdout
    assert before.stdout.splitlines()[-1] == (
        f"7 of 7 local archives are not safe on {machine.url}; run: tarkeep push {profile} --all"
    )
    machine.run("push", profile, "--all")
    assert machine.run("status", profile).returncode == 0


def test_other_bytes_are_13_with_what_to_do(machine: Machine, live: LiveServer, profile: str) -> None:
    """Pushing would not help."""
    machine.keep("FULL", "a.tar.gz", some("mine"))
    store(live, profile, "FULL", "a.tar.gz", some("theirs"))

    ran = machine.run("status", profile)
    assert ran.returncode == 13
    assert "other bytes are there under this name: FULL/a.tar.gz" in ran.stdout
    assert "rename what differs and push it" in ran.stdout


def test_what_is_safe_for_another_profile_counts_without_one(machine: Machine, live: LiveServer, profile: str) -> None:
    """The bytes are stored, whoever sent them; with a profile only its own count."""
    content = some(profile)
    machine.keep("FULL", f"{profile}.tar.gz", content)
    store(live, f"{profile}-other", "FULL", f"{profile}.tar.gz", content)

    assert machine.run("status").returncode == 0
    assert machine.run("status", profile).returncode == 13


def test_an_unfinished_upload_is_told_until_it_is_finished(machine: Machine, live: LiveServer, profile: str) -> None:
    """With how much of it is there."""
    machine.keep("FULL", "large.tar.gz", LARGE)
    before = set((live.data / "staging").glob("*.part"))
    cut = machine.begin("push", profile, "--limit-rate", "1M")
    while not any(part.stat().st_size > MIB for part in set((live.data / "staging").glob("*.part")) - before):
        assert cut.poll() is None
    cut.send_signal(2)
    cut.communicate(timeout=60)

    ran = machine.run("status", profile)
    assert ran.returncode == 13
    assert f"unfinished upload: FULL/large.tar.gz of {profile}, " in ran.stdout
    assert machine.run("push", profile).returncode == 0
    assert "unfinished" not in machine.run("status", profile).stdout


def test_nothing_here_is_nothing_to_lose(machine: Machine, live: LiveServer, profile: str) -> None:
    """But a folder that is not there is told: it may be a typing mistake."""
    missing = machine.run("status", profile)
    assert missing.returncode == 1
    assert "there is no such folder; set --backup-dir or BACKUP_DIR" in missing.stderr
    machine.backups.mkdir()
    store(live, profile, "FULL", "a.tar.gz", some("a"))

    ran = machine.run("status", profile)
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == f"there is no local archive that could be safe on {machine.url}"


def test_a_profile_that_nobody_knows_is_told(machine: Machine, live: LiveServer, profile: str) -> None:
    """10 where there is nothing to look at at all; on a first night 13 as ever, with a word in case it is a slip."""
    store(live, f"{profile}-laptop", "FULL", "a.tar.gz", some("a"))
    machine.backups.mkdir()
    slip = f"{profile}-lapto"
    nothing = {command: machine.run(command, slip) for command in ("status", "verify")}
    machine.keep("FULL", "a.tar.gz", some("a"))
    first = {command: machine.run(command, slip) for command in ("status", "verify")}

    for ran in nothing.values():
        assert (ran.returncode, ran.stdout) == (10, "")
        assert f"no profile {slip}; tarkeep stats shows the profiles" in ran.stderr
    for ran in first.values():
        assert ran.returncode == 13
        assert f"nothing of a profile {slip} is stored yet" in ran.stderr
    assert f"did you mean {profile}-laptop?" in first["status"].stderr
    assert "tarkeep stats shows the existing profiles" in first["verify"].stderr


def test_no_server_is_14_and_a_closed_door_12(machine: Machine, profile: str) -> None:
    """Never a verdict that nobody can give."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    gone = machine.run("status", profile, "--retries", "1", environment={"SERVER_URL": "http://127.0.0.1:1"})
    with stub_server(Answer(401, b'{"code": "unauthorized", "detail": "no token"}')) as stub:
        closed = machine.run("status", profile, environment={"SERVER_URL": stub.url})

    assert (gone.returncode, closed.returncode) == (14, 12)
    assert "safe" not in gone.stdout + closed.stdout


def test_json_says_the_same_for_programs(machine: Machine, profile: str) -> None:
    """A line for each type and each archive that is not safe, the verdict last."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    machine.run("push", profile)
    machine.keep("INC", "b.tar.gz", some("b"))

    lines = [json.loads(line) for line in machine.run("status", profile, "--json").stdout.splitlines()]
    by_type = {line["type"]: line for line in lines if "local" in line and "type" in line}
    assert (by_type["FULL"]["safe"], by_type["INC"]["missing"]) == (1, 1)
    assert by_type["FULL"]["newest_stored"] == "a.tar.gz"
    assert {"type": "INC", "name": "b.tar.gz", "status": "missing"} in lines
    assert lines[-1] == {
        "summary": True,
        "safe": False,
        "local": 2,
        "unsafe": 1,
        "unusable": 0,
        "server": machine.url,
    }
