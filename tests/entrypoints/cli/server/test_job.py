"""``tarkeep job``: beside a running server, and without one; and when jobs run in a server that is started."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.jobs.run import RunCause
from tarkeep.domain.ports.upkeep.jobs import JobTable
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.entrypoints.cli.server.test_prune import CONTENT, RULES, Host, fill
from tests.support.server import live_server

_HALF_A_DAY_ON = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
FAR_OFF = {f"TARKEEP_JOB_{job}": _HALF_A_DAY_ON for job in ("PRUNE", "PURGE", "SCRUB")}
"""Settings with which no time of a job comes during a test."""


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


def test_jobs_are_listed_and_run(host: Host) -> None:
    listed = host.tarkeep("job", "list").stdout.splitlines()
    assert [re.split(r"  +", line)[:2] for line in listed] == [
        ["watch", "every 30 s (UTC)"],
        ["deliver", "every 30 s (UTC)"],
        ["prune", "0 4 * * * (UTC)"],
        ["purge", "0 5 * * * (UTC)"],
        ["scrub", "0 1 * * * (UTC)"],
        ["rehearse", "0 2 * * * (UTC)"],
        ["replicate", "off"],
    ]
    assert all(line.endswith("has not run") for line in listed[2:])

    ran = host.tarkeep("job", "run", "prune", "--wait").stdout
    assert ran == "prune run 1: done; 2 archives of 1 profile moved to the trash\n"
    assert len(host.tarkeep("trash", "list").stdout.splitlines()) == 2
    told = json.loads(host.tarkeep("job", "run", "purge", "--wait", "--json").stdout)
    assert (told["job"], told["outcome"], told["cause"], told["who"]) == ("purge", "nothing", "by-hand", "host")

    jobs = [json.loads(line) for line in host.tarkeep("job", "list", "--json").stdout.splitlines()]
    assert [(job["name"], job["last_run"] and job["last_run"]["outcome"]) for job in jobs][2:] == [
        ("prune", "done"),
        ("purge", "nothing"),
        ("scrub", None),
        ("rehearse", None),
        ("replicate", None),
    ]
    assert "done; 2 archives of 1 profile" in host.tarkeep("job", "list").stdout
    unknown = host.tarkeep("job", "run", "shred", code=10).stderr
    known = "watch, deliver, prune, purge, scrub, rehearse, replicate"
    assert f"there is no job shred; the jobs are {known}; tarkeep job" in unknown


def test_what_waits_for_a_person_has_its_own_exit_code(tmp_path: Path) -> None:
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text(RULES.replace("1.0", "0.1").replace("keep_last = 2", "keep_last = 1"))
    with live_server(host.data, "--profiles", str(host.rules)) as server, server.client() as client:
        fill(server)
        client.put("/api/v1/profiles/laptop/archives/FULL/e.tar.gz", content=CONTENT).raise_for_status()
        assert "it has begun; tarkeep job list shows" in host.tarkeep("job", "run", "purge").stdout
        beside = host.tarkeep("job", "run", "prune", "--wait", code=15).stdout

    assert host.tarkeep("job", "run", "prune", code=15).stdout == beside.replace("run 1", "run 2")
    first, second = beside.splitlines()
    assert first == "prune run 1: nothing; nothing was removed of 1 profile; 1 profile waits for a person"
    assert second.startswith("waits for a person: laptop: 4 archives of 5 would go")


# -- at their times --------------------------------------------------------------------------------------------------


def runs_of(client: httpx2.Client, job: str) -> list[tuple[str, str]]:
    """Cause and outcome of each run, the oldest first, once none is under way."""
    while True:
        listed = client.get(f"/api/v1/jobs/{job}/runs").raise_for_status().json()["runs"]
        if not any(run["outcome"] == "running" for run in listed):
            return [(run["cause"], run["outcome"]) for run in reversed(listed)]


def run_by_hand(client: httpx2.Client, data: Path) -> None:
    """Ask for the last job in the order in which they run, and wait: whatever else was due has run then."""
    made = open_tokens(StorageSettings(data=data)).make(frozenset(Scope), ("*",))
    client.headers["Authorization"] = f"Bearer {made.text}"
    client.post("/api/v1/jobs/purge/run").raise_for_status()
    runs_of(client, "purge")


@contextmanager
def started(data: Path) -> Iterator[httpx2.Client]:
    """A client of a server over *data*."""
    rules = str(data.parent / "rules.toml")
    with live_server(data, "--profiles", rules, environment=FAR_OFF) as server, server.client() as client:
        yield client


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[tuple[Path, JobTable]]:
    """The data of a server that has stopped, with four FULLs of which two are to go, and its table of jobs."""
    (tmp_path / "rules.toml").write_text(RULES)
    data = tmp_path / "data"
    with live_server(data, "--profiles", str(tmp_path / "rules.toml"), environment=FAR_OFF) as server:
        fill(server)
    with closing(SqlCatalog.open(f"sqlite:///{data}/catalog.sqlite")) as catalog:
        yield data, catalog.jobs


def test_times_that_came_while_no_server_ran_are_made_up_for_once(stopped: tuple[Path, JobTable]) -> None:
    """At the start, by one run of each job for all of them; a second start finds nothing to make up for."""
    data, table = stopped
    for job, record in table.records().items():
        table.note(job, record.stated, datetime.now(UTC) - timedelta(days=5))

    with started(data) as client:
        while not (pruned := runs_of(client, "prune")) or not (purged := runs_of(client, "purge")):
            pass
        assert pruned == [("missed", "done")]
        assert purged == [("missed", "nothing")]
        assert len(client.get("/api/v1/trash").json()["archives"]) == 2

    with started(data) as client:
        run_by_hand(client, data)
        assert runs_of(client, "prune") == [("missed", "done")]
        assert runs_of(client, "purge") == [("missed", "nothing"), ("by-hand", "nothing")]


def test_a_run_that_a_kill_cut_off_goes_on_at_the_next_start(stopped: tuple[Path, JobTable]) -> None:
    """The table has what a kill leaves, a run without an end; `tests.faults.test_killed` gets there by killing."""
    data, table = stopped
    table.begin("prune", RunCause.SCHEDULED, datetime.now(UTC))

    with started(data) as client:
        run_by_hand(client, data)

        assert runs_of(client, "prune") == [("scheduled", "interrupted"), ("continued", "done")]
        assert runs_of(client, "purge") == [("by-hand", "nothing")]


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("job_prune", "0 25 * * *", "'0 25 * * *' is not a cron line: bad hour; or say off"),
        ("job_purge", "nightly", "'nightly' is not a cron line of five fields"),
        ("drill_every", "monthly", "'monthly' is not a span of time such as 36h, 14d, 8w, 6m (months) or 2y"),
        ("scrub_every", "monthly", "'monthly' is not a span of time such as 36h, 14d, 8w, 6m (months) or 2y"),
        ("scrub_every", "0d", "0d is no time between two reads; give at least 1h"),
        ("scrub_window", "at night", "'at night' is not a part of the day such as 22:00-06:00"),
        ("job_time_zone", "Paris", "'Paris' is not a time zone; use one such as Europe/Paris"),
    ],
)
def test_a_mistake_in_a_time_refuses_the_start(tmp_path: Path, setting: str, value: str, reason: str) -> None:
    """Naming the file or the variable, the setting, and what is wrong."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text("")
    file = tmp_path / "tarkeep.toml"
    file.write_text(f'{setting} = "{value}"\n')

    refused = host.tarkeep("serve", "--port", "0", code=2).stderr
    assert f"setting {setting} in {file.name}: {reason}" in refused
    file.unlink()
    refused = host.tarkeep("serve", "--port", "0", environment={f"TARKEEP_{setting.upper()}": value}, code=2).stderr
    assert f"setting {setting} (variable TARKEEP_{setting.upper()}): {reason}" in refused
