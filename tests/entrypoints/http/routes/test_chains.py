"""
Chains over HTTP, as stories of requests over archives that GNU tar made with --listed-incremental.

The three servers of conftest.py answer alike; tests that need a process or a real connection run on the live one.
"""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import SNAPSHOT, make_targz
from tests.support.dumper import Dumper, change, code, digest, named, settled
from tests.support.histories import History
from tests.support.raw_http import RawConnection, request
from tests.support.server import LiveServer, in_process, live_server
from tests.support.tus import BYTES, TUS, UPLOADS, described

# -- what restores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posix", [False, True], ids=["gnu", "posix"])
def test_a_proven_chain_restores_at_every_point(laptop: Dumper, posix: bool) -> None:
    """FULL, INC, INC, DIFF: all proven, each point's path is minimal, and restore.tar is the directory of that time."""
    full = laptop.back_up("FULL", posix=posix)
    change(laptop)
    first = laptop.back_up("INC", posix=posix)
    (laptop.root / "report.txt").unlink()
    second = laptop.back_up("INC", posix=posix)
    (laptop.root / "late.txt").write_text("late\n")
    diff = laptop.back_up("DIFF", posix=posix, on_top_of=full)

    points = laptop.get("points")["points"]
    assert [(point["name"], point["restorable"], point["evidence"], point["fidelity"]) for point in points] == [
        (dump.name, True, "proven", "exact") for dump in (full, first, second, diff)
    ]
    assert [point["path"] for point in points] == [[0], [0, 1], [0, 1, 2], [0, 3]]
    assert laptop.get("points", paths="full")["points"] == points
    whole = [laptop.client.get(point["url"]).json()["path"] for point in points]
    assert [[step["name"] for step in path] for path in whole] == [
        [points[at]["name"] for at in point["path"]] for point in points
    ]
    assert [point["link"]["parent"] for point in points] == [None, named(full), named(first), named(full)]
    assert points[3]["path_size"] == len(full.content) + len(diff.content)
    (chain,) = laptop.get("chains")["chains"]
    assert (chain["base"], chain["restorable"], len(chain["archives"])) == (named(full), 4, 4)
    for dump in (full, first, second, diff):
        assert laptop.restored(at=dump.name) == dump.live
    assert gzip.decompress(laptop.client.get(laptop.url + "/restore.tar.gz").content) == (
        laptop.client.get(laptop.url + "/restore.tar").content
    )


def test_at_names_a_moment_or_an_archive(laptop: Dumper) -> None:
    """A day means its end, a time any archive taken by then, in any zone; an archive itself; nothing the latest."""
    full = laptop.back_up("FULL")  # taken on 2026-11-01 at 02:00 UTC, as its name says
    change(laptop)
    inc = laptop.back_up("INC")

    asked = {
        "2026-11-01": full,
        "2026-11-01T02:00:00Z": full,
        "2026-11-02T02:59:59+01:00": full,
        "2026-11-02T03:00:00+01:00": inc,
        "2026-11-02T02:00": inc,
        "2026-11-02": inc,
        "latest": inc,
        "": inc,
        full.name: full,
        f"full/{full.name}": full,
    }
    assert {at: laptop.get("plan", at=at)["point"] for at in asked} == {at: named(dump) for at, dump in asked.items()}
    assert code(laptop.client.get(laptop.url + "/plan?at=2026-10-31")) == (404, "not-found")
    assert laptop.get("tree", at="2026-11-01")["point"] == named(full)


def test_a_gap_is_told_and_closed_by_the_late_arrival(laptop: Dumper) -> None:
    """Without its parent an INC does not restore, and the answer names points that do; with the parent, all is well."""
    full = laptop.back_up("FULL")
    change(laptop)
    missing = laptop.dump("INC")
    (laptop.root / "post" / "one.txt").write_text("rewritten\n")
    last = laptop.back_up("INC")

    answer = laptop.client.get(laptop.url + "/restore.tar")
    assert code(answer) == (409, "not-restorable")
    assert (answer.json()["point"], answer.json()["nearest"]) == (named(last), [named(full)])
    assert laptop.points()[last.name]["link"]["evidence"] == "orphan"
    assert laptop.points()[last.name]["obstacles"][0]["code"] == "missing-parent"
    assert laptop.get("chains")["orphans"] == [named(last)]

    assert laptop.put(missing).status_code == 201
    assert laptop.points()[last.name]["path"] == [0, 1, 2]
    assert laptop.restored() == last.live


def test_plain_archives_are_an_overlay(client: httpx2.Client, profile: str) -> None:
    """Without listings deletions are unknown: the point is an overlay, the plan warns, deleted files are there."""
    place = f"/api/v1/profiles/{profile}"
    client.put(f"{place}/archives/FULL/full_2026-11-01.tar.gz", content=make_targz({"a": b"1", "gone": b"1"}))
    client.put(f"{place}/archives/INC/inc_2026-11-02.tar.gz", content=make_targz({"a": b"2"}))

    plan = client.get(f"{place}/plan").json()
    restored = client.get(f"{place}/restore.tar")
    with tarfile.open(fileobj=io.BytesIO(restored.content)) as opened:
        content = {one.name: opened.extractfile(one).read() for one in opened if one.isfile()}  # type: ignore[union-attr]

    assert plan["fidelity"] == "overlay"
    assert len(plan["warnings"]) == 1
    assert [step["incremental"] for step in plan["steps"]] == [False, False]
    assert restored.headers["tarkeep-fidelity"] == "overlay"
    assert content == {"a": b"2", "gone": b"1"}


# -- notes ------------------------------------------------------------------------------------------------------------


def test_what_its_sender_says_of_an_archive_stands_by_its_point(laptop: Dumper) -> None:
    """Sent with a PUT, or with the last bytes of a resumable upload, when it often is first known; plans repeat it."""
    full = laptop.dump("FULL")
    notes = ["root/secret could not be read: Permission denied", "ärger, \\xff, 100 %"]
    assert laptop.put(full, Tarkeep_Notes=",".join(map(quote, notes))).status_code == 201
    change(laptop)
    inc = laptop.dump("INC")
    said = {"filename": inc.name, "profile": laptop.profile, "type": "INC", "parent": f"FULL/{full.name}"}
    begun = laptop.client.post(
        UPLOADS, headers={**TUS, "Upload-Metadata": described(**said), "Upload-Defer-Length": "1"}
    )
    upload = begun.headers["location"]
    half = len(inc.content) // 2
    for start, stop, headers in ((0, half, {}), (half, len(inc.content), {"Tarkeep-Notes": "short of time"})):
        headers = {**BYTES, "Upload-Offset": str(start), "Upload-Length": str(len(inc.content)), **headers}
        assert laptop.client.patch(upload, headers=headers, content=inc.content[start:stop]).status_code == 204

    points = laptop.points()
    assert [points[dump.name]["notes"] for dump in (full, inc)] == [notes, ["short of time"]]
    assert [line for line in laptop.get("plan")["warnings"] if line.startswith("noted of")] == [
        *(f"noted of FULL/{full.name}: {note}" for note in notes),
        f"noted of INC/{inc.name}: short of time",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("a%0ab", "invalid-encoding"),
        ("a%ffb", "invalid-encoding"),
        ("x" * 1001, "invalid-parameter"),
        (",".join("x" * 201), "invalid-parameter"),
        (",".join(["x" * 900] * 10), "invalid-parameter"),
    ],
    ids=["a line end", "no UTF-8", "too long", "too many", "too much"],
)
def test_notes_that_no_archive_may_have_are_refused(laptop: Dumper, said: str, why: str) -> None:
    """Before anything is stored."""
    assert code(laptop.put(laptop.dump("FULL"), Tarkeep_Notes=said)) == (400, why)
    assert laptop.client.get(laptop.url + "/points").status_code == 404


# -- what is said of the parent --------------------------------------------------------------------------------------


def test_a_wrong_parent_is_refused_with_the_right_one(laptop: Dumper) -> None:
    """By header, form field and tus metadata alike: 409 with the expected one; the right one counts as declared."""
    full = laptop.back_up("FULL")
    change(laptop)
    inc = laptop.dump("INC")
    wrong = "INC/none.tar.gz"
    about = {"filename": inc.name, "profile": laptop.profile, "type": "INC", "parent": wrong}
    form = {"type": "INC", "profile": laptop.profile, "parent": wrong}
    file = {"file": (inc.name, inc.content)}

    answers = [
        laptop.put(inc, proven=False, Tarkeep_Parent=wrong),
        laptop.client.post("/upload", data=form, files=file),
        laptop.client.post(
            UPLOADS,
            headers={**TUS, "Upload-Length": str(len(inc.content)), "Upload-Metadata": described(**about)},
        ),
    ]
    assert [(*code(answer), answer.json()["expected"]) for answer in answers] == [
        (409, "parent-mismatch", named(full))
    ] * 3

    right = {**form, "parent": f"FULL/{full.name}", "taken_at": "2026-11-02T05:00:00+01:00"}
    assert laptop.client.post("/upload", data=right, files=file).status_code == 201
    point = laptop.points()[inc.name]
    assert (point["evidence"], point["taken_at"]) == ("declared", "2026-11-02T04:00:00Z")
    assert (
        laptop.put(inc, proven=False, Tarkeep_Parent=wrong).json()["outcome"] == "duplicate"
    )  # a retry of what is here


def test_a_wrong_parent_costs_no_byte_of_the_body(live: LiveServer, profile: str) -> None:
    """A client that waits for 100 Continue gets 409 instead, and has sent nothing."""
    target = f"/api/v1/profiles/{profile}/archives/INC/a.tar.gz"
    headers = {"Content-Length": "1000000", "Expect": "100-continue", "Tarkeep-Parent": "FULL/none.tar.gz"}
    with RawConnection(live.host_and_port) as connection:
        answer = connection.exchange(request("PUT", target, headers))

    assert (answer.status, answer.problem["code"], answer.closes) == (409, "parent-mismatch", True)


def test_lineage_may_come_with_a_resumable_upload(laptop: Dumper) -> None:
    """The same keys in Upload-Metadata prove the chain."""
    laptop.back_up("FULL")
    change(laptop)
    inc = laptop.dump("INC")
    about = {"filename": inc.name, "profile": laptop.profile, "type": "INC"}
    about |= {"snapshot_before": inc.before or "", "snapshot_after": inc.after}
    created = laptop.client.post(
        UPLOADS,
        headers={
            **TUS,
            "Upload-Length": str(len(inc.content)),
            "Upload-Metadata": described(**about),
            "Content-Type": "application/offset+octet-stream",
        },
        content=inc.content,
    )

    assert created.status_code == 201
    assert laptop.points()[inc.name]["evidence"] == "proven"


# -- custody of snapshot files ---------------------------------------------------------------------------------------


def test_the_next_dump_continues_from_the_kept_snapshot(laptop: Dumper) -> None:
    """Kept once, never replaced, returned unchanged; base names it, and only a dump from it is proven."""
    full = laptop.dump("FULL")
    assert laptop.put(full, proven=False).status_code == 201
    assert laptop.get("base")["snapshot"] is None
    assert code(laptop.client.get(laptop.url + "/base?snapshot=true")) == (404, "not-found")

    kept = laptop.client.put(laptop.archive(full) + "/snapshot", content=full.snapshot)
    again = laptop.client.put(laptop.archive(full) + "/snapshot", content=full.snapshot)
    other = laptop.client.put(laptop.archive(full) + "/snapshot", content=SNAPSHOT)
    assert (kept.status_code, again.status_code, code(other)) == (201, 200, (409, "name-conflict"))
    assert kept.headers["location"] == laptop.archive(full) + "/snapshot"

    base = laptop.get("base", type="inc", snapshot="true")
    back = laptop.client.get(base["snapshot"]["url"])
    assert (base["parent"], base["chain_length"]) == (named(full), 1)
    assert (back.content, digest(back.content)) == (full.snapshot, base["snapshot"]["sha256"])

    change(laptop)
    inc = laptop.dump("INC", on_top_of=full)
    assert inc.before == base["snapshot"]["sha256"]
    assert laptop.put(inc).status_code == 201
    assert laptop.points()[inc.name]["evidence"] == "proven"
    assert laptop.points()[full.name]["has_snapshot"] is True


def test_a_snapshot_that_was_announced_must_be_that(laptop: Dumper) -> None:
    """If its digest was sent with the archive, the bytes must match; a file for no archive is not kept."""
    full = laptop.back_up("FULL")

    wrong = laptop.client.put(laptop.archive(full) + "/snapshot", content=SNAPSHOT)
    right = laptop.client.put(laptop.archive(full) + "/snapshot", content=full.snapshot)
    nowhere = laptop.client.put(f"{laptop.url}/archives/FULL/none.tar.gz/snapshot", content=full.snapshot)

    assert (code(wrong), right.status_code, code(nowhere)) == ((400, "digest-mismatch"), 201, (404, "not-found"))


def test_rebuilding_the_catalog_gives_chains_back(tmp_path: Path) -> None:
    """What `tarkeep rebuild` makes of the store answers points, base, plan and snapshot as before."""
    data = tmp_path / "data"
    with live_server(data) as server, server.client() as client:
        machine = settled(Dumper(client, "laptop", History(tmp_path)))
        full = machine.back_up("FULL")
        change(machine)
        inc = machine.back_up("INC")
        client.put(machine.archive(inc) + "/snapshot", content=inc.snapshot).raise_for_status()
        asked = ("points", "base", "plan", "tree?recursive=true", "chains")
        before = {what: client.get(f"{machine.url}/{what}").json() for what in asked}
    for file in data.glob("catalog.sqlite*"):
        file.unlink()
    command = [sys.executable, "-m", "tarkeep", "rebuild", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with live_server(data) as server, server.client() as client:
        after = {what: client.get(f"{machine.url}/{what}").json() for what in asked}
        kept = client.get(machine.archive(inc) + "/snapshot").content
        machine.client = client
        assert machine.restored(at=full.name) == full.live

    assert after == before
    assert kept == inc.snapshot


# -- rules of profiles -----------------------------------------------------------------------------------------------


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[httpx2.Client]:
    """A server where profiles named sealed-... may hold unreadable archives, and paris-... use their time zone."""
    rules = tmp_path / "profiles.toml"
    rules.write_text('["sealed-*"]\nallow_opaque = true\n\n["paris-*"]\ntime_zone = "Europe/Paris"\n')
    with in_process(StorageSettings(store="memory:", catalog="memory:", profiles=rules)) as (client, _):
        yield client


def test_what_cannot_be_read_is_taken_where_a_rule_allows_it(ruled: httpx2.Client) -> None:
    """By PUT and by form; other profiles refuse it; a cut gzip is refused everywhere. It is no point that restores."""
    sealed = b"-----BEGIN AGE ENCRYPTED FILE-----\n" * 40
    cut = make_targz({"a": random.Random(1).randbytes(4096)})[:-100]
    form = {"file": ("form.tar.gz", sealed)}

    answers = {
        "here": ruled.put("/api/v1/profiles/sealed-1/archives/FULL/a.tar.gz", content=sealed),
        "form": ruled.post("/upload", data={"profile": "sealed-1"}, files=form),
        "elsewhere": ruled.put("/api/v1/profiles/other/archives/FULL/a.tar.gz", content=sealed),
        "elsewhere by form": ruled.post("/upload", data={"profile": "other"}, files=form),
        "cut": ruled.put("/api/v1/profiles/sealed-1/archives/FULL/cut.tar.gz", content=cut),
        "cut by form": ruled.post("/upload", data={"profile": "sealed-1"}, files={"file": ("cut.tar.gz", cut)}),
    }
    statuses = {what: (answer.status_code, answer.json().get("code")) for what, answer in answers.items()}
    point = ruled.get("/api/v1/profiles/sealed-1/points").json()["points"][0]
    refused = ruled.get("/api/v1/profiles/sealed-1/restore.tar?at=a.tar.gz")
    members = ruled.get("/api/v1/profiles/sealed-1/archives/FULL/a.tar.gz/members")

    assert statuses == {
        "here": (201, None),
        "form": (201, None),
        "elsewhere": (422, "not-a-gzip"),
        "elsewhere by form": (422, "not-a-gzip"),
        "cut": (422, "gzip-damaged"),
        "cut by form": (422, "gzip-damaged"),
    }
    assert (point["kind"], point["fidelity"], point["restorable"]) == ("opaque", "opaque", False)
    assert code(refused) == (409, "not-restorable")
    assert code(members) == (422, "not-a-gzip")
    assert ruled.get("/api/v1/profiles/sealed-1/archives/FULL/a.tar.gz").content == sealed


def test_times_in_names_are_those_of_the_profile(ruled: httpx2.Client) -> None:
    """The same name is an hour earlier in Paris in winter, unless it says Z; elsewhere it is UTC."""
    names = ("full_2026-11-24_02-00-00.tar.gz", "full_2026-11-25T02-00-00Z.tar.gz")
    taken = {}
    for profile in ("paris-1", "utc"):
        for name in names:
            ruled.put(f"/api/v1/profiles/{profile}/archives/FULL/{name}", content=make_targz())
        points = ruled.get(f"/api/v1/profiles/{profile}/points").json()["points"]
        taken[profile] = [point["taken_at"] for point in points]

    assert taken == {
        "paris-1": ["2026-11-24T01:00:00Z", "2026-11-25T02:00:00Z"],
        "utc": ["2026-11-24T02:00:00Z", "2026-11-25T02:00:00Z"],
    }
