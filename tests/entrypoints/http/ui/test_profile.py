"""The page of a profile: calendar, chains, points in pages, empty states, and after an attack."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.dumper import Dumper
from tests.support.histories import History
from tests.support.server import in_process
from tests.support.site import Site, open_site

RULES = "[laptop.retention]\nkeep_daily = 14\n"
PAGE = "/ui/p/laptop"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path / "data", RULES) as site:
        site.come_in(site.token(*Scope))
        yield site


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[httpx2.Client]:
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        yield client


def test_chains_are_a_picture_of_links_with_words(browser: httpx2.Client, tmp_path: Path) -> None:
    machine = Dumper(browser, "laptop", History(tmp_path))
    for number, type in enumerate(["FULL", "INC", "INC"]):
        (machine.root / f"{number}.txt").write_text("x")
        machine.back_up(type)
    full = machine.dump("FULL", "full_2026-12-01_02-00-00.tar.gz")
    machine.put(machine.dump("INC", "inc_2026-12-02_02-00-00.tar.gz", on_top_of=full))

    page = browser.get(PAGE).text
    (picture,) = re.findall(r'<svg class="chains".*?</svg>', page)

    assert 'role="group" aria-label="4 archives in 2 chains"' in picture
    assert picture.count('<a class="node') == 4
    assert picture.count('<path class="link"') == 2
    assert "INC/inc_2026-11-02_02-00-00.tar.gz builds on FULL/full_2026-11-01_02-00-00.tar.gz (proven)" in picture
    assert "lacks what it builds on; it does not restore" in picture
    (broken,) = re.findall(r'<a class="node broken" href="([^"]*)"', picture)
    assert broken == f"{PAGE}/INC/inc_2026-12-02_02-00-00.tar.gz"
    assert browser.get(broken).status_code == 200


def test_a_new_profile_says_what_is_not_known_yet(browser: httpx2.Client) -> None:
    browser.put("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", content=make_targz({"a": b"a\n"}))

    page = browser.get(PAGE).text

    assert "5 more archives, then a schedule is learnt" in page
    assert "Nothing of this profile is ever pruned" in page
    assert "tarkeep drill run laptop --server http://127.0.0.1" in page
    assert "Suspicious archives" not in page


def test_points_come_in_pages_with_what_protects_them(site: Site) -> None:
    for number in range(120):
        site.put(f"laptop/archives/FULL/full_{number:03}.tar.gz", make_targz({"a": b"%d\n" % number}))
    site.send(f"{PAGE}/FULL/a.tar.gz", f"{PAGE}/FULL/a.tar.gz/hold", name="tax", reason="tax <audit>")

    first = site.browser.get(PAGE)
    assert "Points 1 to 100 of 121." in first.text
    assert "Newer points" not in first.text
    older = re.search(r'href="([^"]*)">Older points', first.text)
    assert older is not None
    second = site.browser.get(html.unescape(older[1])).text
    assert "Points 101 to 121 of 121." in second
    assert "hold tax: tax &lt;audit&gt;" in second
    names = [re.findall(r'<th scope="row"><a href="[^"]*/FULL/([^"]*)"', page) for page in (first.text, second)]
    assert len(set(names[0] + names[1])) == 121


def test_after_an_attack_the_last_clean_point_is_named_and_the_brake_released(tmp_path: Path) -> None:
    with open_site(tmp_path / "data", "[office.retention]\nkeep_daily = 14\n") as site:
        names = [f"documents/report{number}.txt" for number in range(300)]
        for name, files in (("full_3", names), ("full_9", names[:100])):
            site.put(f"office/archives/FULL/{name}.tar.gz", make_targz(dict.fromkeys(files, b"text\n")))
        site.come_in(site.token(Scope.LIST, Scope.ADMIN))
        page = site.browser.get("/ui/p/office").text
        assert "Suspicious archives" in page
        assert "at least 200 files of 300 are gone" in page
        clean = re.search(r'last point before them is <a href="([^"]*)"', page)
        assert clean is not None
        assert clean[1] == "/ui/p/office/FULL/full_3.tar.gz"
        assert f'href="{clean[1]}#keep"' in page
        assert "It was suspicious when it arrived" in site.browser.get("/ui/p/office/FULL/full_9.tar.gz").text
        release = {"to": "FULL/full_9.tar.gz"}

        refused = site.send("/ui/p/office", "/ui/p/office/brake", **release, token=site.token(Scope.LIST))
        assert refused.status_code == 403
        assert "this needs a token with the scope admin" in refused.text
        assert "Suspicious archives" in refused.text

        done = site.send("/ui/p/office", "/ui/p/office/brake", **release, token=site.token(Scope.ADMIN))
        assert done.headers["Location"] == "/ui/p/office?done=brake_released"
        after = site.browser.get(done.headers["Location"]).text
        assert "pruning goes on" in after
        assert "Suspicious archives" not in after


def test_a_brake_is_not_released_for_nothing(site: Site) -> None:
    wrong = site.send(PAGE, f"{PAGE}/brake", to="no", token=site.token(Scope.ADMIN))

    assert wrong.status_code == 400
    assert "That was not done: to must be the last archive" in wrong.text
