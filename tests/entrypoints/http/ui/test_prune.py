"""The page of a plan: its reasons, other rules on the same archives, and carrying it out."""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.http.ui.toml import retention_table
from tarkeep.entrypoints.settings.retention import policy_of
from tests.support.archives import make_targz
from tests.support.site import Site, open_site

POLICY = 'keep_last = 2\nminimum_points = 0\nminimum_fulls = 0\nminimum_age = "0d"\nlargest_share = 1.0\n'
PAGE = "/ui/p/laptop/prune"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Of six FULLs two are kept."""
    with open_site(tmp_path / "data", f"[laptop.retention]\n{POLICY}") as site:
        for number in range(5):
            site.put(f"laptop/archives/FULL/full_{number}.tar.gz", make_targz({"a": b"%d\n" % number}))
        site.come_in(site.token(Scope.LIST, Scope.PRUNE))
        yield site


def text(page: httpx2.Response) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", page.text))


def plan_of(page: httpx2.Response) -> str:
    found = re.search(r'name="plan" value="(\w{64})"', page.text)
    assert found is not None
    return found[1]


def stored(site: Site) -> int:
    headers = {"Authorization": f"Bearer {site.token(Scope.LIST)}"}
    archives: list[object] = site.browser.get("/api/v1/archives?profile=laptop", headers=headers).json()["archives"]
    return len(archives)


def test_a_plan_is_shown_with_every_reason(site: Site) -> None:
    page = site.browser.get(PAGE)

    assert re.search(r"\b2 kept \(2 points\), 4 would go to the trash, \d+ B\.\s+✓\s+ready", text(page))
    assert re.findall(r"point (\d) of keep_last = 2\s+\(alone: \d+ B\)", text(page)) == ["1", "2"]
    assert "point 1 of keep_last = 2" in text(page)
    assert text(page).count("no rule reaches back to it") == 4
    assert re.search(r"keep_last = 2\s+alone: \d+ B", text(page))
    assert "2 pruned" not in text(page)
    assert "4 would go" in text(page)
    only = site.browser.get(f"{PAGE}?show=gone").text
    assert (only.count("<b>go</b>"), only.count(">keep<")) == (4, 0)
    assert stored(site) == 6


def test_other_rules_are_tried_on_the_same_archives(site: Site) -> None:
    page = site.browser.get(f"{PAGE}?keep_last=5&keep_daily=&keep_yearly=1y")

    assert "5 kept (5 points), 1 would go to the trash" in text(page)
    assert "These are not the rules in force." in text(page)
    assert 'name="keep_last" value="5"' in page.text
    assert 'name="keep_yearly" value="1y"' in page.text
    assert 'name="plan"' not in page.text  # nothing but the plan of the rules in force is carried out
    toml = re.search(r"<code>(\[laptop.*?)</code>", page.text, re.DOTALL)
    assert toml is not None
    assert tomllib.loads(html.unescape(toml[1]))["laptop"]["retention"] == {
        "keep_last": 5,
        "keep_yearly": "1y",
        "minimum_points": 0,
        "minimum_fulls": 0,
        "minimum_age": "0d",
        "largest_share": 1.0,
    }
    assert "4 would go to the trash" in text(site.browser.get(PAGE))


@pytest.mark.parametrize("wrong", ["keep_daily=often", "keep_last=0&keep_daily=", "keep_daily=3&prefer_full=dayly"])
def test_what_is_no_policy_is_said_beside_the_present_plan(site: Site, wrong: str) -> None:
    page = site.browser.get(f"{PAGE}?{wrong}")

    assert "That is no policy: " in page.text
    assert "4 would go to the trash" in text(page)


def test_a_plan_is_carried_out_by_a_token_and_the_profile_typed(site: Site) -> None:
    plan, pruner = plan_of(site.browser.get(PAGE)), site.token(Scope.PRUNE)

    for fields, status, why in [
        ({"profile": "laptop", "token": ""}, 403, "needs a token in the form"),
        ({"profile": "laptop", "token": site.token(Scope.LIST, Scope.ADMIN)}, 403, "with the scope prune"),
        ({"profile": "laptop", "token": site.token(Scope.PRUNE, profiles=("web-*",))}, 403, "not for the profile"),
        ({"profile": "labtop", "token": pruner}, 400, "must be typed: laptop, not 'labtop'"),
        ({"profile": "laptop", "token": pruner, "plan": "0" * 64}, 409, "laptop"),
        ({"profile": "laptop", "token": pruner, "plan": "no"}, 400, "64 hexadecimal digits"),
    ]:
        sent = site.send(PAGE, f"{PAGE}/apply", **{"plan": plan, **fields})
        assert (sent.status_code, why in text(sent)) == (status, True), text(sent)
        assert pruner not in sent.text
    assert stored(site) == 6

    done = site.send(PAGE, f"{PAGE}/apply", plan=plan, profile="laptop", token=pruner)

    assert done.headers["Location"] == f"{PAGE}?done=pruned"
    assert stored(site) == 2
    assert "can be brought back" in site.browser.get(done.headers["Location"]).text
    lines = [line for line in (site.data / "audit.log").read_text().splitlines() if "moved to the trash" in line]
    assert len(lines) == 4
    assert all(f'"{pruner.split("_")[1]}"' in line for line in lines)


def test_much_at_once_must_be_meant(tmp_path: Path) -> None:
    with open_site(tmp_path / "data", f"[laptop.retention]\n{POLICY.replace('1.0', '0.25')}") as site:
        for number in range(5):
            site.put(f"laptop/archives/FULL/full_{number}.tar.gz", make_targz({"a": b"%d\n" % number}))
        pruner = site.token(Scope.LIST, Scope.PRUNE)
        site.come_in(pruner)
        page = site.browser.get(PAGE)
        assert "Paused: 4 archives of 6 would go at once" in text(page)
        fields = {"plan": plan_of(page), "profile": "laptop", "token": pruner}

        assert site.send(PAGE, f"{PAGE}/apply", **fields).status_code == 409
        assert stored(site) == 6
        assert site.send(PAGE, f"{PAGE}/apply", **fields, approved="yes").status_code == 303
        assert stored(site) == 2


def test_a_profile_without_rules_gets_some_to_begin_with(tmp_path: Path) -> None:
    with open_site(tmp_path / "data") as site:
        site.come_in(site.token(Scope.LIST))
        page = site.browser.get(PAGE)
        tried = site.browser.get(f"{PAGE}?keep_daily=1")

    assert "Nothing of this profile is ever pruned" in text(page)
    assert "[laptop.retention]\nkeep_daily = 14\nkeep_weekly = 8\nkeep_monthly = 12" in html.unescape(page.text)
    assert "These are not the rules in force" in text(tried)
    assert "Carry it out" not in text(tried)


@pytest.mark.parametrize("profile", ["laptop", "web.1", "42", "a-b_c"])
def test_a_table_says_what_the_policy_says(profile: str) -> None:
    stated = {"keep_daily": 14, "keep_monthly": "1y", "keep_last": "all", "prefer_full": "never", "brake": False}
    policy = policy_of(stated)

    table = tomllib.loads(retention_table(profile, policy.settings()))

    assert policy_of(table[profile]["retention"]) == policy
