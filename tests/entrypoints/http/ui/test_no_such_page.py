"""Addresses that are no pages, and pages of what is not there: said to whoever is in, and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.site import OWN, Site, open_site

POLICY = 'keep_last = 1\nminimum_points = 0\nminimum_fulls = 0\nminimum_age = "0d"\nlargest_share = 1.0\n'
NOWHERE = (
    "/ui/nothing",
    "/ui/p",
    "/ui/p/laptop/none/of/these",
    "/ui/p/laptop/restore.zip",
    "/ui/upkeep/jobs",
    "/ui/login/again",
    "/ui/" + "x" * 3000,
    "/ui/p/laptop/" + "y/" * 1000 + "z",
    "/ui/..%2f..%2fetc",
    "/ui/%E2%80%AE",
)
NOT_THERE = (
    ("/ui/p/nobody", 404, "No profile nobody."),
    ("/ui/p/nobody/prune", 404, "No profile nobody."),
    ("/ui/p/nobody/tree", 404, "No profile nobody."),
    ("/ui/p/%20", 400, "profile"),
    ("/ui/p/laptop/HALF/a.tar.gz", 400, "use FULL, INC or DIFF"),
    ("/ui/p/laptop/FULL/b.tar.gz", 404, "No archive laptop/FULL/b.tar.gz."),
    ("/ui/p/laptop/FULL/b", 400, "b"),
    ("/ui/p/laptop/tree?at=FULL/b.tar.gz", 404, "b.tar.gz"),
    ("/ui/p/laptop/tree?at=yesterday", 400, "at"),
    ("/ui/p/laptop/tree?at=1999-01-01", 404, "1999-01-01"),
    ("/ui/?start=x", 400, "Start"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("nowhere") / "data", f"[gone.retention]\n{POLICY}") as site:
        site.come_in(site.token(*Scope))
        yield site


def leads_on(page: httpx2.Response) -> list[str]:
    """Where the navigation of a page leads."""
    nav = re.search(r'<nav aria-label="Pages">.*?</nav>', page.text, re.DOTALL)
    return re.findall(r'href="([^"]+)"', nav[0]) if nav is not None else []


@pytest.mark.parametrize("path", NOWHERE)
def test_a_mistyped_address_is_a_page_that_leads_on(site: Site, path: str) -> None:
    page = site.browser.get(path)

    assert (page.status_code, "There is no page at this address." in page.text) == (404, True)
    assert "/ui/upkeep" in leads_on(page)
    assert "Log out" in page.text


@pytest.mark.parametrize(("path", "status", "said"), NOT_THERE)
def test_what_is_not_there_is_said_on_a_page_that_leads_on(site: Site, path: str, status: int, said: str) -> None:
    page = site.browser.get(path)

    assert (page.status_code, said in page.text) == (status, True), page.text
    assert "/ui/upkeep" in leads_on(page)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_nobody_outside_is_told_which_pages_there_are(site: Site, method: str) -> None:
    """Whatever the address: the form for a token, or that one has to come in."""
    cookies = dict(site.browser.cookies)
    site.browser.cookies.clear()
    known, *others = (
        site.browser.request(method, path, headers=OWN, follow_redirects=False)
        for path in ("/ui/upkeep", "/ui/p/laptop", "/ui/upkeep/jobs/x/run", *NOWHERE, *(one[0] for one in NOT_THERE))
    )
    site.browser.cookies.update(cookies)

    for asked in others:
        assert (asked.status_code, asked.text) == (known.status_code, known.text)
        assert asked.headers.keys() == known.headers.keys()
        if method in ("GET", "HEAD"):
            assert asked.headers["Location"].startswith("/ui/login?to=%2Fui%2F")


def test_an_archive_that_was_pruned_is_said_to_be_in_the_trash(site: Site) -> None:
    for number in range(2):
        site.put(f"gone/archives/FULL/{number}.tar.gz", make_targz({"a": b"%d\n" % number}))
    plan = re.search(r'name="plan" value="(\w{64})"', site.browser.get("/ui/p/gone/prune").text)
    assert plan is not None
    done = site.send(
        "/ui/p/gone/prune", "/ui/p/gone/prune/apply", plan=plan[1], profile="gone", token=site.token(Scope.PRUNE)
    )
    assert done.status_code == 303

    for path in ("/ui/p/gone/FULL/0.tar.gz", "/ui/p/gone/tree?at=FULL/0.tar.gz"):
        page = site.browser.get(path)
        assert (page.status_code, "trash" in page.text) == (410, True), page.text
        assert "/ui/upkeep" in leads_on(page)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/ui/upkeep/jobs/scrub/run", "/ui/upkeep"),
        ("/ui/tokens/x/revoke", "/ui/tokens"),
        ("/ui/p/laptop/brake", "/ui/p/laptop"),
        ("/ui/p/laptop/prune/apply", "/ui/p/laptop/prune"),
        ("/ui/p/laptop/FULL/a.tar.gz/hold", "/ui/p/laptop/FULL/a.tar.gz"),
    ],
)
def test_the_address_of_a_form_leads_to_its_page(site: Site, path: str, page: str) -> None:
    """Somebody who opens the address again at which a form was refused."""
    answer = site.browser.get(path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert f'<a href="{page}">Back to the page</a>' in answer.text
    assert "/ui/upkeep" in leads_on(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_takes_nothing(site: Site, method: str) -> None:
    answer = site.browser.request(method, "/ui/upkeep", headers=OWN)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "/ui/upkeep" in leads_on(answer)


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ("/ui", "/ui/"),
        ("/ui//", "/ui/"),
        ("/ui/upkeep/", "/ui/upkeep"),
        ("/ui/p/laptop///?start=1", "/ui/p/laptop?start=1"),
        ("/ui/nothing/", "/ui/nothing"),
    ],
)
def test_a_slash_too_many_is_left_out(site: Site, asked: str, right: str) -> None:
    """For everybody, and whatever the address: that says nothing of what there is."""
    cookies = dict(site.browser.cookies)
    for some in ({}, cookies):
        site.browser.cookies.clear()
        site.browser.cookies.update(some)
        answer = site.browser.get(asked, follow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (308, right)


def test_a_browser_is_never_made_to_ask_for_a_password(site: Site) -> None:
    """It would for Basic, whoever polls or sends a form after the end of the session; a page takes no password."""
    cookies = dict(site.browser.cookies)
    site.browser.cookies.clear()
    for headers in ({**OWN, "HX-Request": "true"}, OWN):
        for method in ("GET", "POST"):
            answer = site.browser.request(method, "/ui/logout", headers=headers, follow_redirects=False)
            assert "WWW-Authenticate" not in answer.headers
    assert "Log in" in answer.text
    site.browser.cookies.update(cookies)


def test_an_open_server_has_no_form_for_a_token_to_lead_to(tmp_path_factory: pytest.TempPathFactory) -> None:
    storage = StorageSettings(data=tmp_path_factory.mktemp("open") / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        page = client.get("/ui/nothing", follow_redirects=False)

        assert page.status_code == 404
        assert "/ui/upkeep" in leads_on(page)
