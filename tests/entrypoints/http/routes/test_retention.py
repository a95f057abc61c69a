"""The routes for retention: what a plan, the trash and marks look like on the wire, to whom, and in the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.retention import simulation
from tarkeep.entrypoints.http.app import routes
from tarkeep.entrypoints.http.routes.archives import BELOW_AN_ARCHIVE
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.tus import create, patch

POLICY = """
["laptop".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = {share}
"""
CONTENT = make_targz({"documents/a.txt": b"first\n"})


@frozen
class Desk:
    """A server with a policy, and clients with tokens."""

    client: httpx2.Client
    data: Path
    tokens: Tokens

    def token(self, *scopes: Scope, profile: str = "*") -> dict[str, str]:
        made = self.tokens.make(frozenset(scopes or Scope), (profile,))
        return {"Authorization": f"Bearer {made.text}"}

    def send(self, *names: str, profile: str = "laptop") -> None:
        for name in names:
            url = f"/api/v1/profiles/{profile}/archives/FULL/{name}"
            self.client.put(url, content=CONTENT, headers=self.token()).raise_for_status()

    def plan(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get("/api/v1/profiles/laptop/prune", headers=self.token()).json()
        return answer

    def prune(self, last: str = "prune", plan: str | None = None) -> httpx2.Response:
        body = {"plan": plan or self.plan()["plan"]}
        return self.client.post(f"/api/v1/profiles/laptop/{last}", json=body, headers=self.token())


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    (tmp_path / "rules.toml").write_text(POLICY.format(share=getattr(request, "param", 1.0)))
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, profiles=tmp_path / "rules.toml")
    with in_process(storage, ServerSettings(), address="127.0.0.1") as (client, _):
        yield Desk(client, tmp_path / "data", open_tokens(storage))


def test_a_plan_has_a_decision_with_reasons_for_every_archive(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")

    plan = desk.plan()

    assert plan["verdict"] == "ready"
    assert plan["policy"]["keep_last"] == 1
    assert plan["removes"] == {"archives": 1, "size": len(CONTENT)}
    assert [(one["name"], one["kept"], one["reasons"]) for one in plan["decisions"]] == [
        ("a.tar.gz", False, [{"code": "out-of-reach", "detail": "no rule reaches back to it"}]),
        ("b.tar.gz", True, [{"code": "rule", "detail": "point 1 of keep_last = 1"}]),
    ]


def test_every_removal_is_in_the_audit_log_with_plan_and_reasons(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz", "c.tar.gz")
    plan = desk.plan()["plan"]
    assert desk.prune().json()["applied"] is True
    url = "/api/v1/profiles/laptop/archives/FULL/a.tar.gz/undelete"
    desk.client.post(url, headers=desk.token()).raise_for_status()

    lines = [json.loads(line) for line in (desk.data / "audit.log").read_text().splitlines()]
    lines = [line for line in lines if line["what"].startswith("laptop/")][-3:]
    told = [(line["what"], line["result"]) for line in lines]

    assert told == [
        ("laptop/FULL/b.tar.gz", f"moved to the trash by plan {plan[:12]}: no rule reaches back to it"),
        ("laptop/FULL/a.tar.gz", f"moved to the trash by plan {plan[:12]}: no rule reaches back to it"),
        ("laptop/FULL/a.tar.gz", "brought back from the trash"),
    ]
    assert all(line["who"] for line in lines)


@pytest.mark.parametrize("way", ["put", "original", "upload"])
def test_what_comes_back_with_a_receive_is_in_the_audit_log(desk: Desk, way: str) -> None:
    """By whichever way the same bytes are sent again."""
    desk.send("a.tar.gz", "b.tar.gz")
    desk.prune().raise_for_status()
    desk.client.headers.update(desk.token())

    if way == "put":
        desk.send("a.tar.gz")
    elif way == "original":
        files, fields = {"file": ("a.tar.gz", CONTENT)}, {"profile": "laptop", "type": "FULL"}
        desk.client.post("/upload", files=files, data=fields).raise_for_status()
    else:
        made = create(desk.client, len(CONTENT), "laptop", "a.tar.gz")
        assert patch(desk.client, made.headers["location"], 0, CONTENT).is_success

    lines = [json.loads(line) for line in (desk.data / "audit.log").read_text().splitlines()]
    told = [line["result"] for line in lines if line["what"] == "laptop/FULL/a.tar.gz"]
    assert told[-1].partition("; ")[2] == "brought back from the trash: laptop/FULL/a.tar.gz"


@pytest.mark.parametrize("desk", [0.25], indirect=True)
def test_much_at_once_is_paused_until_it_is_approved(desk: Desk) -> None:
    desk.send(*(f"{letter}.tar.gz" for letter in "abcde"))
    assert desk.plan()["verdict"] == "paused"

    paused = desk.prune()

    assert (paused.status_code, paused.json()["code"], paused.json()["approvable"]) == (409, "prune-paused", True)
    assert desk.prune("prune/approve").status_code == 200
    assert desk.plan()["verdict"] == "nothing"


def test_the_trash_shows_only_what_its_reader_may_see(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")
    desk.prune().raise_for_status()

    def names(**options: str) -> list[str]:
        answer = desk.client.get("/api/v1/trash", headers=desk.token(Scope.LIST, **options))
        return [archive["name"] for archive in answer.json()["archives"]]

    assert names() == names(profile="laptop") == ["a.tar.gz"]
    assert names(profile="desktop") == []


def test_marks_that_cannot_be_read_are_shown_as_such(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")
    (desk.data / "archives" / "laptop" / "FULL" / "a.tar.gz.marks").write_bytes(b"rot")
    url = "/api/v1/profiles/laptop/archives/FULL/a.tar.gz"

    assert desk.client.get(url + "/marks", headers=desk.token()).json()["readable"] is False
    refused = desk.client.put(url + "/holds/audit", json={"reason": "audit"}, headers=desk.token())
    assert (refused.status_code, refused.json()["code"]) == (409, "marks-unreadable")
    assert desk.plan()["verdict"] == "nothing"


def test_the_original_routes_know_what_was_pruned(desk: Desk) -> None:
    """`SYNCHRONIZED` is not disturbed, and a script that asks before it sends learns that it need not."""
    desk.send("a.tar.gz", "b.tar.gz")
    desk.prune().raise_for_status()
    inventory = {"profile": "laptop", "local_backups": {"FULL": [{"name": "a.tar.gz"}, {"name": "b.tar.gz"}]}}

    report = desk.client.post("/verify", json=inventory, headers=desk.token()).json()

    assert report["verification"]["FULL"]["pruned"] == ["a.tar.gz"]
    assert report["issues"] == ["Not verified, no digest given: FULL/b.tar.gz"]
    head = desk.client.head("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", headers=desk.token())
    assert (head.status_code, len(head.headers["etag"])) == (410, 66)


def test_what_would_not_protect_is_refused(desk: Desk) -> None:
    """A hold or a lock whose time is over, and a hold that would take the place of another one."""
    desk.send("a.tar.gz")
    url = "/api/v1/profiles/laptop/archives/FULL/a.tar.gz"
    holding = [
        desk.client.put(url + "/holds/audit", json=body, headers=desk.token())
        for body in (
            {"reason": "the audit of 2026"},
            {"reason": "another reason"},
            {"reason": "the audit of 2026", "until": "2020-01-01T00:00:00Z"},
        )
    ]
    locking = desk.client.put(url + "/lock", json={"until": "2020-01-01T00:00:00Z"}, headers=desk.token())

    assert [one.status_code for one in (*holding, locking)] == [200, 409, 409, 409]
    assert [one.json()["code"] for one in (*holding[1:], locking)] == ["hold-exists", "over-already", "over-already"]


def test_without_a_policy_nothing_is_simulated(desk: Desk) -> None:
    desk.send("a.tar.gz", profile="desktop")

    answer = desk.client.post("/api/v1/profiles/desktop/prune/simulate", json={"days": 9}, headers=desk.token())

    assert (answer.status_code, answer.json()["code"]) == (409, "no-policy")


def test_what_would_be_kept_is_simulated(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes; there is a line for each day, and the last archive is kept on each."""
    monkeypatch.setattr(simulation, "MOST_PLANNED", 5_000)
    desk.send("a.tar.gz")

    body = {"days": 3, "every": {"FULL": "1d"}}
    answer = desk.client.post("/api/v1/profiles/laptop/prune/simulate", json=body, headers=desk.token())

    assert answer.status_code == 200
    assert [day["points"] for day in answer.json()["days"]] == [1, 1, 1]
    body = {"days": 1500, "every": {"INC": "1h"}}  # each builds on the one before
    answer = desk.client.post("/api/v1/profiles/laptop/prune/simulate", json=body, headers=desk.token())
    assert (answer.status_code, answer.json()["code"]) == (409, "too-long")
    assert desk.client.get("/api/v1/trash", headers=desk.token()).json()["archives"] == []


def test_the_brake_is_shown_and_released(desk: Desk) -> None:
    """With why; and each release is in the audit log."""
    names = [f"documents/report{number}.txt" for number in range(300)]
    url = "/api/v1/profiles/laptop"
    for name, files in (("a", names), ("b", names[:100])):
        content = make_targz(dict.fromkeys(files, b"text\n"))
        path = f"{url}/archives/FULL/{name}.tar.gz"
        desk.client.put(path, content=content, headers=desk.token()).raise_for_status()

    shown = desk.client.get(url + "/brake", headers=desk.token()).json()
    marks = desk.client.get(url + "/archives/FULL/b.tar.gz/marks", headers=desk.token()).json()
    [suspicious] = shown["suspicious"]
    assert (suspicious["type"], suspicious["name"]) == ("FULL", "b.tar.gz")
    assert suspicious["signs"] == [{"code": "gone", "weight": 2, "detail": "at least 200 files of 300 are gone"}]
    assert marks["suspicion"]["signs"] == suspicious["signs"]
    paused = desk.prune()
    assert (paused.json()["code"], paused.json()["approvable"]) == ("prune-paused", False)

    assert desk.client.delete(url + "/brake", headers=desk.token()).json()["code"] == "invalid-parameter"
    released = desk.client.delete(url + "/brake?to=FULL/b.tar.gz", headers=desk.token()).json()
    assert [one["name"] for one in released["released"]] == ["b.tar.gz"]
    assert released["braked_by"] == []
    assert desk.client.get(url + "/brake", headers=desk.token()).json()["suspicious"] == []
    lines = [json.loads(line) for line in (desk.data / "audit.log").read_text().splitlines()]
    assert [line["result"] for line in lines if line["what"] == "laptop/FULL/b.tar.gz"][-1:] == [
        "trusted, the brake is released"
    ]
    assert desk.prune().status_code == 200


def test_damaged_marks_stop_pruning_until_their_file_is_mended(desk: Desk) -> None:
    """They are told apart from what is suspicious, and no release takes them away."""
    url = "/api/v1/profiles/laptop"
    path = f"{url}/archives/FULL/a.tar.gz"
    desk.client.put(path, content=make_targz(), headers=desk.token()).raise_for_status()
    file = desk.data / "archives/laptop/FULL/a.tar.gz.marks"
    file.write_bytes(b"{}")

    shown = desk.client.get(url + "/brake", headers=desk.token()).json()
    assert (shown["suspicious"], [one["name"] for one in shown["unreadable"]]) == ([], ["a.tar.gz"])
    [pause] = desk.client.get(url + "/prune", headers=desk.token()).json()["pauses"]
    assert pause["code"] == "brake"
    assert "FULL/a.tar.gz.marks" in pause["detail"]
    released = desk.client.delete(url + "/brake?to=FULL/a.tar.gz", headers=desk.token()).json()
    assert (released["released"], [one["name"] for one in released["braked_by"]]) == ([], ["a.tar.gz"])

    file.unlink()

    assert desk.client.get(url + "/brake", headers=desk.token()).json()["unreadable"] == []


AT = (
    "restore.tar?at=FULL/a.tar.gz",
    "restore.tar.gz?at=a.tar.gz",
    "plan?at=FULL/a.tar.gz",
    "plan?at=FULL/a.tar.gz&format=sh",
    "tree?at=FULL/a.tar.gz",
    "find?name=a*&at=FULL/a.tar.gz",
    "gaps?at=FULL/a.tar.gz",
    "points/FULL/a.tar.gz",
    "archives/FULL/a.tar.gz",
    "archives/FULL/a.tar.gz/members",
    "archives/FULL/a.tar.gz/snapshot",
)


@pytest.mark.parametrize("path", AT)
def test_whoever_asks_for_a_removed_point_learns_when_and_why_it_went(desk: Desk, path: str) -> None:
    """And how it comes back, as long as it can; by every route that takes an archive."""
    desk.send("a.tar.gz", "b.tar.gz")
    plan = desk.plan()["plan"]
    desk.prune().raise_for_status()
    desk.client.headers.update(desk.token())

    answer = desk.client.get(f"/api/v1/profiles/laptop/{path}")

    assert answer.status_code == 410, answer.text
    told = answer.json()
    assert (told["code"], told["archive"], told["plan"]) == ("removed", "laptop/FULL/a.tar.gz", plan)
    assert (told["reasons"], told["purged_at"]) == (["no rule reaches back to it"], None)
    assert told["removed_at"] < told["keep_until"]
    assert f"plan {plan[:12]}: no rule reaches back to it; it is in the trash until" in told["detail"]
    assert "POST .../undelete brings it back" in told["detail"]


def test_a_snapshot_file_for_a_removed_archive_is_refused_likewise(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")
    desk.prune().raise_for_status()
    url = "/api/v1/profiles/laptop/archives/FULL/a.tar.gz/snapshot"

    answer = desk.client.put(url, content=b"snapshot", headers=desk.token())

    assert (answer.status_code, answer.json()["code"]) == (410, "removed")


def test_what_was_never_there_is_not_called_removed(desk: Desk) -> None:
    desk.send("a.tar.gz")
    answer = desk.client.get("/api/v1/profiles/laptop/restore.tar?at=FULL/none.tar.gz", headers=desk.token())

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "a.tar.gz", "a%20b", ""])
def test_a_bad_id_of_a_hold_is_called_that(desk: Desk, method: str, id: str) -> None:
    """A slash in it makes it no name of an archive; and who may only push learns nothing else."""
    url = f"/api/v1/profiles/laptop/archives/FULL/a.tar.gz/holds/{id}"

    refused = desk.client.request(method, url, json={"reason": "audit"}, headers=desk.token())
    pushing = desk.client.request(method, url, json={"reason": "audit"}, headers=desk.token(Scope.PUSH))

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-parameter"), refused.text
    assert refused.json()["detail"].startswith("a hold is named by 1 to 64 letters, digits and hyphens, not '")
    assert pushing.status_code == 403


def test_below_an_archive_is_what_there_is(desk: Desk) -> None:
    """A path that goes on behind an archive's name, and is none of the routes, is told which there are."""
    routed = {route.path.partition("/archives/{type}/{name}/")[2] for route in routes()} - {""}
    said = {re.sub(r"\{(path|hold):path\}", lambda found: {"hold": "ID"}.get(found[1], "PATH"), one) for one in routed}
    told = desk.client.get("/api/v1/profiles/laptop/archives/FULL/a.tar.gz/lock/x", headers=desk.token())

    assert set(re.split(", | or ", BELOW_AN_ARCHIVE)) == said
    assert (told.status_code, told.json()["code"]) == (400, "invalid-name")
    assert told.json()["detail"].endswith(f"has a slash in it; what an archive has below it is {BELOW_AN_ARCHIVE}")
