"""Upkeep as a browser shows it: jobs, what was read again, drills, and the trash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.drills.comparison import NameDiffers
from tarkeep.domain.drills.drill import Drill, DrilledArchive, DrillKind, DrillOutcome, DrillReport, DrillWay
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.archives import make_targz
from tests.support.site import Site, open_site

NOW = datetime.now(UTC)
RULES = """
["*".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
largest_share = 1.0
"""
TEMPLATES = Path(__file__).parents[5] / "src" / "entrypoints" / "http" / "ui" / "templates"
HOSTILE = b"<i>\x07\xff"


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("upkeep") / "data", RULES) as site:
        yield site


def drilled(site: Site, profile: str, kind: DrillKind, outcome: DrillOutcome, report: DrillReport) -> None:
    """Enter a drill into the catalog beside the server."""
    id = ArchiveId(profile, BackupType.FULL, "a.tar.gz")
    archive = DrilledArchive(id, "0" * 64, 100, False)
    drill = Drill(f"{profile}{kind.value}", kind, id, 0, DrillWay.MERGED, (archive,), NOW - timedelta(hours=1))
    catalog = SqlCatalog.open(f"sqlite:///{site.data}/catalog.sqlite", busy_seconds=60)
    try:
        catalog.drills.begin(drill)
        catalog.drills.end(drill.ended(outcome, NOW, report))
    finally:
        catalog.close()


def test_an_empty_state_says_what_to_do(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))

    page = site.browser.get("/ui/upkeep").text

    assert "nobody would be told" in page
    assert "No machine has restored a point to prove that it restores." in page
    assert "ExecStart=/opt/tarkeep/bin/tarkeep drill run" in page
    assert "OnCalendar=" in page
    assert "The trash is empty." in page
    assert "Each of 2 archives was found right, or received, within the last 30 days." in page
    assert "No damage is known." in page
    assert "tarkeep evidence export --month" in page
    assert "Run now" not in page  # that needs admin


@pytest.mark.parametrize("unit", ["tarkeep-drill.service", "tarkeep-drill.timer"])
def test_the_units_are_those_of_the_examples(unit: str) -> None:
    examples = Path(__file__).parents[5] / "examples" / "systemd"
    assert (TEMPLATES / unit).read_text() == (examples / unit).read_text()


def test_a_job_is_run_by_who_administers(site: Site) -> None:
    """One that removes something asks for a token; the session is not enough."""
    mine = site.token(Scope.ADMIN, Scope.LIST)
    site.come_in(mine)

    done = site.send("/ui/upkeep", "/ui/upkeep/jobs/scrub/run")
    assert "The job was asked to run" in site.browser.get(done.headers["Location"]).text
    assert '"what": "job scrub"' in next(iter(site.tokens.audit.newest_first())).decode()
    assert site.send("/ui/upkeep", "/ui/upkeep/jobs/prune/run").status_code == 403
    assert site.send("/ui/upkeep", "/ui/upkeep/jobs/prune/run", token=mine).status_code == 303
    assert site.send("/ui/upkeep", "/ui/upkeep/jobs/nothing/run").status_code == 404

    page = site.browser.get("/ui/upkeep").text
    site.come_in(site.token(Scope.LIST))
    assert site.send("/ui/upkeep", "/ui/upkeep/jobs/scrub/run").status_code == 403
    assert page.count("/run") > 4


def test_a_job_that_could_do_nothing_is_not_offered(site: Site) -> None:
    """With what it lacks; what is missing may come while the server runs."""
    site.come_in(site.token(Scope.ADMIN, Scope.LIST))

    page = site.browser.get("/ui/upkeep").text

    for job, lack in (
        ("replicate", "No other server is named as replicate_from."),
        ("deliver", "No channel is named in notify.toml."),
    ):
        assert f"/ui/upkeep/jobs/{job}/run" not in page
        assert lack in page
    for job in ("watch", "prune", "purge", "scrub", "rehearse"):
        assert f"/ui/upkeep/jobs/{job}/run" in page
    drilled(site, "laptop", DrillKind.DRILL, DrillOutcome.EQUAL, DrillReport(1, 1))
    page = site.browser.get("/ui/upkeep").text
    assert "/ui/upkeep/jobs/rehearse/run" not in page
    assert "Some machine runs drills." in page


def test_without_rules_no_prune_is_offered(tmp_path: Path) -> None:
    with open_site(tmp_path / "data") as site:
        site.come_in(site.token(Scope.ADMIN, Scope.LIST))
        page = site.browser.get("/ui/upkeep").text

    assert "/ui/upkeep/jobs/prune/run" not in page
    assert "No rule says what to keep." in page


def test_drills_are_shown_with_their_report(site: Site) -> None:
    differs = NameDiffers(HOSTILE, "its size is 3, and must be 4")
    report = DrillReport(2, 2, 10, 65.0, 1, (differs,), said=("tar: \x1b[31m oh",), tar="tar 1.34")
    drilled(site, "laptop", DrillKind.DRILL, DrillOutcome.DIFFERENT, report)
    drilled(site, "web-1", DrillKind.REHEARSAL, DrillOutcome.EQUAL, DrillReport(1, 1))
    site.come_in(site.token(Scope.LIST))

    page = site.browser.get("/ui/upkeep").text

    assert "1 min 5 s" in page
    assert "&lt;i&gt;\\x07\\xff: its size is 3, and must be 4" in page
    assert "tar: \\x1b[31m oh" in page
    assert "tarkeep-drill.timer" not in page
    site.come_in(site.token(Scope.LIST, profiles=("web-*",)))
    foreign = site.browser.get("/ui/upkeep").text
    assert "laptop" not in foreign
    assert "web-1" in foreign
    assert "No machine has restored a point of the profiles you see" in foreign
    assert "evidence export" not in foreign
    assert "nobody would be told" not in foreign


def test_what_was_removed_is_brought_back(site: Site) -> None:
    site.put("laptop/archives/FULL/b.tar.gz", make_targz({"b": b"b\n"}))
    mine = site.token(Scope.ADMIN, Scope.LIST, Scope.PRUNE)
    headers = {"Authorization": f"Bearer {mine}"}
    plan = site.browser.get("/api/v1/profiles/laptop/prune", headers=headers).json()["plan"]
    site.browser.post("/api/v1/profiles/laptop/prune", json={"plan": plan}, headers=headers).raise_for_status()
    site.come_in(mine)
    page = site.browser.get("/ui/upkeep").text
    assert "laptop/FULL/a.tar.gz" in page
    assert "no rule reaches back to it" in page
    action = re.search(r'action="(/ui/upkeep/trash/[^"]*)"', page)
    assert action is not None

    for profiles in (("web-*",), ("laptop",)):
        site.come_in(site.token(Scope.LIST, Scope.PRUNE, profiles=profiles))
        assert ("laptop/FULL/a.tar.gz" in site.browser.get("/ui/upkeep").text) == (profiles == ("laptop",))
        back = site.send("/ui/upkeep", action[1])
        assert back.status_code == (303 if profiles == ("laptop",) else 404)

    assert "The archive is back" in site.browser.get(back.headers["Location"]).text
    assert "The trash is empty." in site.browser.get("/ui/upkeep").text
    assert "brought back from the trash" in next(iter(site.tokens.audit.newest_first())).decode()
    again = site.send("/ui/upkeep", action[1])
    assert (again.status_code, "That was not done" in again.text) == (409, True)
