"""The routes for jobs: who may see and run them, what a run says, and what the audit log has of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.server import in_process

POLICY = """
["laptop".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = 1.0
trash_for = "0d"

["desktop".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = 0.25
"""
CONTENT = make_targz({"documents/a.txt": b"first\n"})


@frozen
class Desk:
    """A server with policies and no thread for the times of jobs, and clients with tokens."""

    client: httpx2.Client
    data: Path
    tokens: Tokens
    tarkeep: Tarkeep

    def token(self, *scopes: Scope, profile: str = "*") -> dict[str, str]:
        made = self.tokens.make(frozenset(scopes or Scope), (profile,))
        return {"Authorization": f"Bearer {made.text}"}

    def send(self, profile: str, *names: str) -> None:
        for name in names:
            url = f"/api/v1/profiles/{profile}/archives/FULL/{name}.tar.gz"
            self.client.put(url, content=CONTENT, headers=self.token()).raise_for_status()

    def run(self, job: str) -> dict[str, Any]:
        """Ask for a run, and wait for its end."""
        answer = self.client.post(f"/api/v1/jobs/{job}/run", headers=self.token())
        assert answer.status_code == 202
        asked = answer.json()
        assert (asked["outcome"], asked["cause"]) == ("running", "by-hand")
        while True:
            (run,) = self.runs(job, f"?limit=1&before={asked['run'] + 1}")
            if run["outcome"] != "running":
                return run

    def runs(self, job: str, query: str = "", **headers: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/api/v1/jobs/{job}/runs{query}", headers=headers or self.token())
        found: list[dict[str, Any]] = answer.raise_for_status().json()["runs"]
        return found

    def audited(self) -> list[tuple[str, str, str]]:
        """Author, what and result of each line about a job or an archive that went."""
        lines = [json.loads(line) for line in (self.data / "audit.log").read_text().splitlines()]
        return [(line["who"], line["what"], line["result"]) for line in lines if "job" in line["what"] + line["result"]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "rules.toml").write_text(POLICY)
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, profiles=tmp_path / "rules.toml")
    with in_process(storage, ServerSettings(), address="127.0.0.1") as (client, tarkeep):
        yield Desk(client, tmp_path / "data", open_tokens(storage), tarkeep)


def test_jobs_are_listed_before_they_ran(desk: Desk) -> None:
    jobs = desk.client.get("/api/v1/jobs", headers=desk.token(Scope.LIST)).json()["jobs"]

    assert [(job["name"], job["schedule"], job["time_zone"], job["last_run"]) for job in jobs] == [
        ("watch", "every 30 s", "UTC", None),
        ("deliver", "every 30 s", "UTC", None),
        ("prune", "0 4 * * *", "UTC", None),
        ("purge", "0 5 * * *", "UTC", None),
        ("scrub", "0 1 * * *", "UTC", None),
        ("rehearse", "0 2 * * *", "UTC", None),
        ("replicate", "off", "UTC", None),
    ]
    assert [job["next_at"] and job["next_at"][11:14] for job in jobs][2:] == ["04:", "05:", "01:", "02:", None]


def test_a_run_says_what_it_did_and_the_audit_log_has_every_removal(desk: Desk) -> None:
    desk.send("laptop", "a", "b", "c")
    size = 2 * len(CONTENT)

    pruned, purged, again = desk.run("prune"), desk.run("purge"), desk.run("prune")

    assert (pruned["outcome"], pruned["summary"]) == ("done", "2 archives of 1 profile moved to the trash")
    counts = {"profiles": 1, "removed": 2, "removed_bytes": size, "paused": 0, "problems": 0}
    assert (pruned["counts"], pruned["waits"], pruned["problems"], pruned["error"]) == (counts, [], [], "")
    assert (purged["outcome"], purged["summary"]) == ("done", "2 archives removed for good")
    assert (again["outcome"], again["summary"]) == ("nothing", "nothing to remove in 1 profile")
    plan = desk.audited()[1][2].partition("plan ")[2][:12]
    asked = [line for line in desk.audited() if line[1].startswith("job")]
    assert [line[1:] for line in asked] == [
        ("job prune", "run 1 asked for"),
        ("job purge", "run 1 asked for"),
        ("job prune", "run 2 asked for"),
    ]
    assert [run["who"] for run in desk.runs("prune")] == [asked[2][0], asked[0][0]]
    assert [line for line in desk.audited() if line not in asked] == [
        *(
            ("host", f"laptop/FULL/{name}.tar.gz", f"moved to the trash by the job prune, plan {plan}: {why}")
            for name, why in (("b", "no rule reaches back to it"), ("a", "no rule reaches back to it"))
        ),
        *(
            ("host", f"laptop/FULL/{name}.tar.gz", "removed from the trash for good by the job purge")
            for name in ("a", "b")
        ),
    ]


def test_what_waits_for_a_person_is_told_to_those_who_may_see_the_profile(desk: Desk) -> None:
    desk.send("desktop", "a", "b", "c", "d", "e")

    run = desk.run("prune")

    assert run["outcome"] == "nothing"
    assert run["summary"] == "nothing was removed of 1 profile; 1 profile waits for a person"
    assert [wait["profile"] for wait in run["waits"]] == ["desktop"]
    assert "4 archives of 5 would go" in run["waits"][0]["detail"]
    (other,) = desk.runs("prune", **desk.token(Scope.LIST, profile="lap*"))
    assert other == {**run, "waits": [], "summary": "", "counts": {}}
    (last,) = [
        job["last_run"]
        for job in desk.client.get("/api/v1/jobs", headers=desk.token(Scope.LIST, profile="lap*")).json()["jobs"]
        if job["name"] == "prune"
    ]
    assert last == other


def test_only_an_admin_runs_jobs(desk: Desk) -> None:
    scopes = [scope for scope in Scope if scope is not Scope.ADMIN]
    answer = desk.client.post("/api/v1/jobs/purge/run", headers=desk.token(*scopes))
    assert (answer.status_code, answer.json()["needed_scopes"]) == (403, ["admin"])
    assert desk.client.post("/api/v1/jobs/purge/run", headers=desk.token(Scope.ADMIN)).status_code == 202
    assert desk.client.get("/api/v1/jobs", headers=desk.token(Scope.PUSH)).status_code == 403


def test_a_job_that_runs_is_not_begun_again(desk: Desk) -> None:
    desk.tarkeep.ask_for_run("prune", None)  # nothing has woken the thread

    answer = desk.client.post("/api/v1/jobs/prune/run", headers=desk.token())

    assert (answer.status_code, answer.json()["code"], answer.json()["run"]) == (409, "job-running", 1)
    assert answer.json()["detail"] == "the job prune is running already: its run 1 has not ended"
    assert desk.run("purge")["outcome"] == "nothing"
    assert desk.runs("prune")[0]["outcome"] == "nothing"


def test_a_refused_request_has_the_jobs_looked_at(desk: Desk) -> None:
    """What seems to run may be a run whose end could not be noted: who asks again has it noted at once."""
    desk.tarkeep.ask_for_run("prune", None)  # nothing has woken the thread

    assert desk.client.post("/api/v1/jobs/prune/run", headers=desk.token()).status_code == 409

    while desk.runs("prune")[0]["outcome"] == "running":
        pass
    assert desk.runs("prune")[0]["outcome"] == "nothing"


def test_an_unknown_job_is_none(desk: Desk) -> None:
    for answer in (
        desk.client.post("/api/v1/jobs/shred/run", headers=desk.token()),
        desk.client.get("/api/v1/jobs/shred/runs", headers=desk.token()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert (
            answer.json()["detail"]
            == "there is no job shred; the jobs are watch, deliver, prune, purge, scrub, rehearse, replicate"
        )


def test_runs_are_read_in_pages(desk: Desk) -> None:
    for _ in range(3):
        desk.run("purge")

    assert [run["run"] for run in desk.runs("purge", "?limit=2")] == [3, 2]
    assert [run["run"] for run in desk.runs("purge", "?before=2")] == [1]
