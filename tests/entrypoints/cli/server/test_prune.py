"""``tarkeep prune``, ``trash``, ``hold``, ``lock`` and ``rules``: beside a running server, and without one."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen

from tarkeep.entrypoints.cli.server.prune import carried_out
from tarkeep.entrypoints.cli.terminal.output import Output
from tarkeep.entrypoints.http.edge import host_socket
from tarkeep.entrypoints.http.host_door import HostRefused
from tests.support.archives import make_targz
from tests.support.server import LiveServer, live_server

RULES = """
[laptop.retention]
keep_last = 2
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = 1.0
"""
CONTENT = make_targz({"documents/a.txt": b"first\n"})


@frozen
class Host:
    """The server's host: commands run on its data directory."""

    data: Path
    rules: Path

    def tarkeep(
        self, *words: str, code: int = 0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
        ran = subprocess.run(
            [sys.executable, "-m", "tarkeep", *words],
            env={**clean, "TARKEEP_DATA": str(self.data), "TARKEEP_PROFILES": str(self.rules), "TZ": "UTC"}
            | dict(environment or {}),
            cwd=self.data.parent,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran


@pytest.fixture(params=["served", "opened"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A profile with four FULLs, of which two are to go; a server runs, or has been stopped."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)
    with live_server(host.data, "--profiles", str(host.rules)) as server:
        fill(server)
        if request.param == "served":
            yield host
            return
    yield host


def fill(server: LiveServer) -> None:
    with server.client() as client:
        for name in "abcd":
            url = f"/api/v1/profiles/laptop/archives/FULL/{name}.tar.gz"
            client.put(url, content=CONTENT).raise_for_status()


def test_a_plan_is_shown_carried_out_and_undone(host: Host) -> None:
    shown = host.tarkeep("prune", "plan", "laptop").stdout.splitlines()
    assert [line.split()[:2] for line in shown[:4]] == [
        ["goes", "FULL/a.tar.gz"],
        ["goes", "FULL/b.tar.gz"],
        ["kept", "FULL/c.tar.gz"],
        ["kept", "FULL/d.tar.gz"],
    ]
    assert shown[3].endswith("point 1 of keep_last = 2")
    assert shown[4].startswith("laptop: 2 of 4 archives would go")
    command = shown[5].removeprefix("to carry it out: tarkeep ").split()

    done = host.tarkeep(*command).stdout
    assert "FULL/a.tar.gz" in done
    assert "laptop: 2 archives" in done
    again = host.tarkeep(*command, code=1)
    assert "is out of date" in again.stderr
    assert "tarkeep prune plan laptop shows the present one" in again.stderr
    assert host.tarkeep("prune", "apply", "laptop").stdout == "laptop: nothing to remove, 2 kept\n"

    listed = host.tarkeep("trash", "list", "laptop").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["laptop/FULL/a.tar.gz", "laptop/FULL/b.tar.gz"]
    back = host.tarkeep("trash", "undelete", "laptop", "FULL/a.tar.gz").stdout
    assert back == "brought back  FULL/a.tar.gz\nlaptop: 1 archive brought back\n"
    host.tarkeep("trash", "undelete", "laptop", "FULL/a.tar.gz", code=1)
    host.tarkeep("trash", "undelete", "laptop", "FULL/none.tar.gz", code=10)


def test_programs_get_json(host: Host) -> None:
    plan = json.loads(host.tarkeep("prune", "plan", "laptop", "--json").stdout)
    assert plan["removes"]["archives"] == 2

    applied = json.loads(host.tarkeep("prune", "apply", "laptop", "--plan", plan["plan"], "--json").stdout)
    assert applied["plan"] == plan["plan"]
    lines = host.tarkeep("trash", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a.tar.gz", "b.tar.gz"]


def test_programs_get_refusals_as_json(host: Host) -> None:
    """As the HTTP interface gives them; people read the sentence on standard error all the same."""
    host.tarkeep("prune", "apply", "laptop")
    laptop = ("laptop", "FULL/a.tar.gz")
    for code, words, exit in (
        ("not-found", ("prune", "plan", "nobody"), 10),
        ("not-found", ("prune", "apply", "nobody"), 10),
        ("plan-changed", ("prune", "apply", "laptop", "--plan", "0" * 64), 1),
        ("not-in-trash", ("trash", "undelete", "laptop", "FULL/c.tar.gz"), 1),
        ("removed", ("hold", "add", *laptop, "--id", "audit", "--reason", "tax audit"), 10),
        ("removed", ("hold", "list", *laptop), 10),
        ("removed", ("lock", *laptop, "--until", "2099-12-31"), 10),
        ("not-found", ("hold", "release", "laptop", "FULL/c.tar.gz", "--id", "audit"), 10),
    ):
        ran = host.tarkeep(*words, "--json", code=exit)
        told = json.loads(ran.stdout)
        assert told["code"] == code
        assert told["detail"] in ran.stderr
    held = host.tarkeep("hold", "add", "laptop", "FULL/c.tar.gz", "--id", "audit", "--reason", "tax audit", "--json")
    assert json.loads(held.stdout)["holds"][0]["id"] == "audit"
    assert json.loads(host.tarkeep("clock", "accept", "--json").stdout)["doubt"] == ""


def test_who_holds_what_is_in_the_trash_is_told_how_to_bring_it_back(host: Host) -> None:
    host.tarkeep("prune", "apply", "laptop")

    said = host.tarkeep("hold", "list", "laptop", "FULL/a.tar.gz", code=10).stderr

    assert "was removed by the retention policy" in said
    assert "if it is still in the trash: tarkeep trash undelete laptop FULL/a.tar.gz" in said


def test_the_coming_time_is_simulated(host: Host, tmp_path: Path) -> None:
    picture = tmp_path / "coming.svg"
    words = ("prune", "simulate", "laptop", "--days", "30", "--every", "FULL=1d")

    shown = host.tarkeep(*words, "--svg", str(picture)).stdout.splitlines()
    assert shown[-2].startswith("without keep_last, ")
    assert shown[-1].startswith("laptop: after 30 days 2 points in 2 archives, ")
    assert picture.read_text().startswith("<svg ")
    days = json.loads(host.tarkeep(*words, "--json").stdout)["days"]
    assert [day["archives"] for day in days[-3:]] == [2, 2, 2]
    assert json.loads(host.tarkeep(*words, "--json").stdout)["days"] == days
    weekly = host.tarkeep("prune", "simulate", "laptop", "--days", "30", "--every", "FULL=0 2 * * 0", "--json").stdout
    assert sum(day["removed"] for day in json.loads(weekly)["days"][1:]) in (4, 5)
    refused = host.tarkeep("prune", "simulate", "laptop", "--every", "FULL=0 25 * * 0", code=2).stderr
    assert "is not a cron line: bad hour" in refused
    assert "is not a type and a span" in host.tarkeep("prune", "simulate", "laptop", "--every", "7d", code=2).stderr
    assert "not a span" in host.tarkeep("prune", "simulate", "laptop", "--every", "FULL=x", code=2).stderr


def test_much_at_once_wants_an_approval(host: Host, tmp_path: Path) -> None:
    """The rules of a running server are read again by SIGHUP; so this one begins with others."""
    rules = tmp_path / "strict.toml"
    rules.write_text(RULES.replace("1.0", "0.1").replace("keep_last = 2", "keep_last = 1"))
    data = tmp_path / "other"
    with live_server(data, "--profiles", str(rules)) as server:
        fill(server)
        with server.client() as client:
            client.put("/api/v1/profiles/laptop/archives/FULL/e.tar.gz", content=CONTENT).raise_for_status()
        strict = Host(data, rules)

        assert "paused: 4 archives of 5 would go" in strict.tarkeep("prune", "plan", "laptop", code=15).stdout
        refused = strict.tarkeep("prune", "apply", "laptop", code=15).stderr
        advice = refused.rpartition("; tarkeep ")[2].split()
        assert advice[:3] == ["prune", "approve", "laptop"]
        assert "4 archives" in strict.tarkeep(*advice).stdout


def test_holds_and_locks_keep_archives(host: Host) -> None:
    held = host.tarkeep("hold", "add", "laptop", "FULL/a.tar.gz", "--id", "audit", "--reason", "tax audit").stdout
    assert held == "FULL/a.tar.gz: hold audit: tax audit\n"
    locked = host.tarkeep("lock", "laptop", "FULL/b.tar.gz", "--until", "2099-12-31").stdout
    assert locked == "FULL/b.tar.gz: locked until 2099-12-31T23:59:59Z\n"
    assert "can only be made longer" in (
        host.tarkeep("lock", "laptop", "FULL/b.tar.gz", "--until", "2098-12-31", code=1).stderr
    )
    assert host.tarkeep("prune", "apply", "laptop").stdout == "laptop: nothing to remove, 4 kept\n"

    released = host.tarkeep("hold", "release", "laptop", "FULL/a.tar.gz", "--id", "audit").stdout
    assert released == "FULL/a.tar.gz: no holds and no lock\n"
    host.tarkeep("hold", "release", "laptop", "FULL/a.tar.gz", "--id", "audit", code=10)
    assert "1 archive" in host.tarkeep("prune", "apply", "laptop").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("prune", "plan", "nobody"), 10, "no profile nobody"),
        (("prune", "apply", "laptop", "--plan", "12345"), 2, "at least 8 digits"),
        (("prune", "plan", "../x"), 2, "profile"),
        (("trash", "undelete", "laptop", "a.tar.gz"), 2, "TYPE/NAME"),
        (("hold", "add", "laptop", "FULL/a.tar.gz", "--id", "a b", "--reason", "x"), 2, "letters, digits and hyphens"),
        (("lock", "laptop", "FULL/a.tar.gz", "--until", "soon"), 2, "not a time"),
    ],
)
def test_what_is_wrong_is_said(host: Host, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in host.tarkeep(*words, code=code).stderr


def test_a_missing_data_directory_is_said_and_none_is_made(tmp_path: Path) -> None:
    nowhere = Host(tmp_path / "nowhere", tmp_path / "rules.toml")
    nowhere.rules.write_text(RULES)

    assert "there is no data directory" in nowhere.tarkeep("prune", "plan", "laptop", code=2).stderr
    assert not nowhere.data.exists()


def test_the_socket_is_for_the_servers_user_alone(tmp_path: Path) -> None:
    """Its mode, however long its path is; it goes with the server, and that of a killed one is replaced."""
    data = tmp_path / ("long" * 25) / "data"
    data.parent.mkdir()
    with live_server(data) as server:
        assert stat.S_IMODE((data / host_socket.NAME).stat().st_mode) == 0o600
        host_socket.connected(data).close()
        server.kill()
    assert (data / host_socket.NAME).exists()
    with live_server(data):
        host_socket.connected(data).close()
    assert not (data / host_socket.NAME).exists()


def test_no_token_is_needed_by_the_socket_and_none_is_spared_elsewhere(tmp_path: Path) -> None:
    """Nothing that a client can send makes its request one of the host."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)
    with live_server(host.data, "--profiles", str(host.rules)) as server:
        fill(server)
        host.tarkeep("token", "create", "--scope", "list", "--profile", "*")
        with server.client() as client:
            for headers in ({}, {"Host": f"/{host_socket.NAME}"}, {"Forwarded": f"for={host_socket.NAME}"}):
                assert client.get("/api/v1/profiles/laptop/prune", headers=headers).status_code in (400, 401)
        assert "2 archives" in host.tarkeep("prune", "apply", "laptop").stdout


def test_a_clock_in_doubt_stops_removing_until_it_is_accepted(host: Host) -> None:
    """As after a start long ago: a running server reads the note at each look, too."""
    (host.data / "clock.json").write_text(json.dumps({"seen_at": "2026-01-01T00:00:00Z", "doubt": "it jumped"}))

    assert "paused: " in host.tarkeep("prune", "plan", "laptop", code=15).stdout
    assert "nothing was removed" in host.tarkeep("prune", "apply", "laptop", code=15).stderr

    assert "is trusted from now on" in host.tarkeep("clock", "accept").stdout
    assert "2 archives" in host.tarkeep("prune", "apply", "laptop").stdout


def test_rules_are_checked_and_shown(tmp_path: Path) -> None:
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text('["web-*"]\ntime_zone = "Europe/Paris"\n["web-*".retention]\nkeep_daily = 7\n')

    assert host.tarkeep("rules", "check", "rules.toml").stdout == (
        "rules.toml: 1 pattern of profiles, 1 with a retention policy\n"
    )
    shown = host.tarkeep("rules", "show", "web-1").stdout
    assert shown.startswith(f'web-1: ["web-*"] in {host.rules}\n')
    assert "retention.keep_daily        7" in shown
    assert "no pattern of" in host.tarkeep("rules", "show", "db").stdout


def test_rules_of_a_mistyped_data_directory_are_not_the_defaults(tmp_path: Path) -> None:
    """A directory without a file of rules has the defaults; one that is none of Tarkeep's has no rules at all."""
    with live_server(tmp_path / "data"):
        pass
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}

    def shown(data: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tarkeep", "rules", "show", "laptop", "--data", str(data)]
        return subprocess.run(command, env=clean, cwd=tmp_path, capture_output=True, text=True)

    assert "the defaults" in shown(tmp_path / "data").stdout
    wrong = shown(tmp_path / "dta")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "there is no data directory" in wrong.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("keep_dayly = 7", '["web-*".retention] there is no retention setting keep_dayly; did you mean keep_daily?'),
        ("keep_daily = 0", '["web-*".retention] at least one rule must keep something, such as keep_daily'),
        ("", '["web-*".retention] at least one rule must keep something, such as keep_daily'),
        ('keep_daily = "7 days"', "keep_daily: '7 days' is not a span of time such as 36h, 14d, 8w, 6m (months) or 2y"),
        ("keep_daily = -1", 'keep_daily must be a number from 0 on, a span such as "14d" or "all", not -1'),
        ('keep_last = "14d"', 'keep_last must be a number from 0 on or "all", not '),
        ("keep_within = 7", 'keep_within must be a span of time such as "14d", not 7'),
        ("keep_last = 1\nminimum_points = true", "minimum_points must be a number from 0 on, not True"),
        ("keep_last = 1\nlargest_share = 2", "largest_share must be a number between 0 and 1, not 2"),
        ("keep_last = 1\nbrake = 1", "brake must be true or false, not 1"),
        (
            'keep_last = 1\nprefer_full = "always"',
            "prefer_full must be hourly, daily, weekly, monthly, quarterly, yearly or never",
        ),
        ('keep_last = 1\nprefer_full = "weakly"', "not 'weakly'; did you mean weekly?"),
        ("keep_secondly = 1", "The rules are keep_last, keep_within, keep_hourly, keep_daily"),
    ],
)
def test_a_mistake_in_a_policy_names_file_table_and_setting(tmp_path: Path, table: str, said: str) -> None:
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(f'["web-*".retention]\n{table}\n')

    refused = host.tarkeep("rules", "check", "rules.toml", code=2).stderr

    assert "rules.toml" in refused
    assert said in refused


def test_the_brake_is_shown_and_released(tmp_path: Path) -> None:
    """Beside a running server, and without one."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)
    with live_server(host.data, "--profiles", str(host.rules)) as server, server.client() as client:
        for name, count in (("a", 300), ("b", 100), ("c", 0)):
            content = make_targz(
                {f"documents/{number}.txt": b"text\n" for number in range(count)} | {"documents/x": b""}
            )
            client.put(f"/api/v1/profiles/laptop/archives/FULL/{name}.tar.gz", content=content).raise_for_status()

        shown = host.tarkeep("brake", "show", "laptop", code=15).stdout
        assert "FULL/b.tar.gz: at least 200 files of 301 are gone" in shown
        assert "tarkeep brake release laptop --to FULL/c.tar.gz" in shown
        planned = host.tarkeep("prune", "plan", "laptop", code=15).stdout
        assert "tarkeep brake show laptop" in planned
        assert (
            "still stopped by 1 archive"
            in host.tarkeep("brake", "release", "laptop", "--to", "FULL/b.tar.gz", code=15).stdout
        )

    assert json.loads(host.tarkeep("brake", "show", "laptop", "--json", code=15).stdout)["suspicious"]
    done = host.tarkeep("brake", "release", "laptop", "--to", "FULL/c.tar.gz").stdout
    assert done == "trusted  FULL/c.tar.gz\nlaptop: pruning goes on\n"
    assert host.tarkeep("brake", "show", "laptop").stdout == "laptop: nothing is suspicious\n"
    damaged = host.data / "archives/laptop/FULL/a.tar.gz.marks"
    damaged.write_bytes(b"")
    shown = host.tarkeep("brake", "show", "laptop", code=15).stdout
    assert "FULL/a.tar.gz: its marks cannot be read, and may say that it is suspicious" in shown
    assert "mend or remove the file laptop/FULL/a.tar.gz.marks" in shown
    damaged.unlink()
    host.tarkeep("brake", "release", "laptop", "--to", "FULL/none.tar.gz", code=10)
    host.tarkeep("brake", "show", "nobody", code=10)


def test_a_client_that_asks_for_a_removed_point_is_told_how_it_comes_back(tmp_path: Path) -> None:
    """In words of the command line; once its bytes are gone for good, no way back is promised."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES + 'trash_for = "0d"\n')
    with live_server(host.data, "--profiles", str(host.rules)) as server:
        fill(server)
        host.tarkeep("prune", "apply", "laptop")
        client = {"TARKEEP_SERVER": str(server.url), "TARKEEP_PROFILE": "laptop"}
        at = ("--at", "FULL/a.tar.gz")
        for words in (("restore", "laptop", "--into", "there", *at), ("ls", "laptop", *at)):
            told = host.tarkeep(*words, code=10, environment=client).stderr
            assert "laptop/FULL/a.tar.gz was removed by the retention policy of its profile on 20" in told
            assert "no rule reaches back to it; it is in the trash until" in told
            assert "tarkeep trash undelete laptop FULL/a.tar.gz on the server brings it back" in told
            assert "POST" not in told
        host.tarkeep("job", "run", "purge", "--wait")

        told = host.tarkeep("ls", "laptop", *at, code=10, environment=client).stderr
        assert "its bytes were removed for good on 20" in told
        assert "undelete" not in told


def test_programs_get_the_rules_as_json(tmp_path: Path) -> None:
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)

    checked = json.loads(host.tarkeep("rules", "check", "rules.toml", "--json").stdout)
    assert checked["patterns"] == [{"pattern": "laptop", "has_retention": True}]
    shown = json.loads(host.tarkeep("rules", "show", "laptop", "--json").stdout)
    assert (shown["pattern"], shown["retention"]["keep_last"], shown["max_bytes"]) == ("laptop", 2, None)


def test_programs_get_tokens_as_json(tmp_path: Path) -> None:
    """Their texts are not among them."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)
    text = host.tarkeep("token", "create", "--scope", "pull", "--profile", "laptop", "--note", "ann").stdout.strip()

    listed = host.tarkeep("token", "list", "--json").stdout
    token = json.loads(listed)
    assert text not in listed
    assert (token["scopes"], token["profiles"], token["valid"], token["note"]) == (["pull"], ["laptop"], True, "ann")
    revoked = json.loads(host.tarkeep("token", "revoke", token["id"], "--json").stdout)
    assert (revoked["id"], revoked["valid"]) == (token["id"], False)


@pytest.mark.parametrize(
    ("words", "exit", "word", "said"),
    [
        (("prune", "plan", "laptop"), 2, "invalid-setting", "there is no data directory"),
        (("prune", "plan"), 2, "usage-error", "needs PROFILE"),
        (("prune", "plna", "laptop"), 2, "usage-error", "did you mean plan?"),
        (("rules", "check", "none.toml"), 2, "usage-error", "there is no file none.toml"),
        (("list", "--server", "http://127.0.0.1:1"), 14, "server-unreachable", "no answer"),
        (("push", "--bogus"), 2, "usage-error", "there is no option --bogus"),
        (
            ("hold", "add", "laptop", "FULL/a.tar.gz", "--id", "a/b", "--reason", "x"),
            2,
            "usage-error",
            "a hold is named",
        ),
        (("prune", "simulate", "laptop", "--every", "INC=1d", "--every", "INC=2d"), 2, "usage-error", "given twice"),
    ],
)
def test_programs_get_as_json_what_ends_a_command_before_any_request(
    tmp_path: Path, words: tuple[str, ...], exit: int, word: str, said: str
) -> None:
    """One object on standard output; people read the sentence on standard error all the same."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)

    ran = host.tarkeep(*words, "--json", code=exit)

    told = json.loads(ran.stdout)
    assert (told["code"], told["exit_code"]) == (word, exit)
    assert said in told["error"]
    assert told["detail"] in ran.stderr
    assert host.tarkeep(*words, code=exit).stdout == ""


def test_the_beginning_of_another_plan_is_repeated_as_it_was_given(host: Host) -> None:
    told = host.tarkeep("prune", "apply", "laptop", "--plan", "12345678", "--json", code=1)

    assert json.loads(told.stdout)["code"] == "plan-changed"
    assert "the plan 12345678 of laptop is out of date" in told.stderr


def test_a_server_that_dies_meanwhile_leaves_a_command_that_says_what_is_certain(tmp_path: Path) -> None:
    """Each archive is in one place as a whole; the commands that show where are named."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES)
    with live_server(host.data, "--profiles", str(host.rules)):
        pass
    with host_socket.listening(host.data) as dying:
        ended = threading.Thread(target=_take_and_die, args=(dying,), daemon=True)
        ended.start()
        ran = host.tarkeep("prune", "apply", "laptop", "--plan", "3" * 64, "--json", code=14)

    assert json.loads(ran.stdout)["code"] == "prune-cut-off"
    assert "the server ended while it carried out the plan 333333333333 of laptop" in ran.stderr
    assert "tarkeep prune plan laptop what would still go" in ran.stderr


def _take_and_die(listener: socket.socket) -> None:
    """Answer nobody, as a server that is killed once it was asked."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1 << 16)


@define
class ChangingDoor:
    """A server to whose profile something comes each time between planning and doing it, *changes* times."""

    changes: int
    asked: int = 0

    def ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        if method == "GET":
            return {"plan": f"{self.asked:064}"}
        self.asked += 1
        if self.asked <= self.changes:
            members = {"code": "plan-changed", "plan": f"{self.asked:064}"}
            raise HostRefused(409, "plan-changed", "the plan is out of date", members)
        return {"carried out": body}


def test_the_present_plan_is_whichever_is_present(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever stated none is not bothered with what came meanwhile; whoever did gets that or nothing."""
    output = Output(as_json=False, quiet=False)

    told = carried_out(ChangingDoor(2), "laptop", None, "prune", output)
    assert told == {"carried out": {"plan": f"{2:064}"}}
    assert capsys.readouterr().err.count("the plan is out of date; carrying out the present plan\n") == 2

    for plan, changes in ((f"{0:064}", 1), (None, 3)):
        with pytest.raises(HostRefused, match="out of date"):
            carried_out(ChangingDoor(changes), "laptop", plan, "prune", output)
