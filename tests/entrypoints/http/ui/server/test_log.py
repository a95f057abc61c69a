"""The log as a browser shows it: to whom which lines, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tarkeep.domain.access.audit import AuditEntry
from tarkeep.domain.access.tokens import Scope
from tests.support.archives import NOON
from tests.support.site import Site, open_site

SCRIPT = "<script>\u202e\x07"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("log") / "data") as site:
        for number in range(150):
            what = f"web-1/INC/{number:03}.tar.gz"
            site.tokens.audit.append(AuditEntry(NOON, "aaaa", "192.0.2.7", what, None, f"refused: {SCRIPT}"))
        yield site


def rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><bdi>(.*?)</bdi>', page)


def test_an_administrator_sees_every_line_and_the_end_of_the_chain(site: Site) -> None:
    site.come_in(site.token(Scope.ADMIN, profiles=("*",)))
    page = site.browser.get("/ui/log").text

    assert rows(page)[0].startswith("token ")
    assert rows(page)[1] == "web-1/INC/149.tar.gz"
    assert re.search(r"Each of the newest 1\d\d lines follows the one before it", page)
    assert site.tokens.audit.check().last in page
    assert "192.0.2.7" in page
    assert "&lt;script&gt;\\u202e\\x07" in page
    assert SCRIPT not in page


def test_older_lines_follow_page_by_page(site: Site) -> None:
    site.come_in(site.token(Scope.ADMIN))
    seen, at = list[str](), "/ui/log?profile=web-1"
    while at:
        page = site.browser.get(at)
        assert page.status_code == 200
        seen += rows(page.text)
        older = re.search(r'href="([^"]*)">Older', page.text)
        at = older[1].replace("&amp;", "&") if older else ""

    assert seen == [*(f"web-1/INC/{number:03}.tar.gz" for number in range(149, -1, -1)), "web-1/FULL/a.tar.gz"]


def test_others_see_the_lines_of_their_profiles(site: Site) -> None:
    """Nothing of other profiles, of tokens and of addresses, and nothing that changes with them."""
    site.come_in(site.token(Scope.LIST, profiles=("laptop",)))
    before = site.browser.get("/ui/log").text
    assert rows(before) == ["laptop/FULL/a.tar.gz"]
    assert "192.0.2.7" not in before
    assert "127.0.0.1" not in before
    assert "newest 1" not in before

    site.tokens.audit.append(AuditEntry(NOON, "aaaa", "", "web-1/FULL/b.tar.gz", None, "new"))
    after = site.browser.get("/ui/log").text
    assert re.sub(r'value="\w{64}"', "", after) == re.sub(r'value="\w{64}"', "", before)
    site.come_in(site.token(Scope.LIST, Scope.ADMIN, profiles=("laptop",)))
    assert rows(site.browser.get("/ui/log").text) == ["laptop/FULL/a.tar.gz"]


def test_lines_are_found_by_profile_token_and_what_was_done(site: Site) -> None:
    site.come_in(site.token(Scope.ADMIN))

    assert rows(site.browser.get("/ui/log?profile=laptop").text) == ["laptop/FULL/a.tar.gz"]
    assert len(rows(site.browser.get("/ui/log?who=aaaa&did=refused").text)) == 100
    assert "No line fits" in site.browser.get("/ui/log?did=purged").text
    assert "Show all lines" in site.browser.get("/ui/log?did=purged").text
    assert site.browser.get("/ui/log?below=x").status_code == 400
    assert "There are no older lines" in site.browser.get("/ui/log?below=" + "0" * 64).text


def test_a_changed_log_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_site(tmp_path_factory.mktemp("changed") / "data") as site:
        site.come_in(site.token(Scope.ADMIN))
        log = site.data / "audit.log"
        log.write_bytes(log.read_bytes().replace(b"laptop/FULL", b"lapdog/FULL"))

        assert "the log was changed" in site.browser.get("/ui/log").text


def test_pages_lead_where_the_token_may_go(site: Site) -> None:
    def entries() -> list[str]:
        nav = re.search(r"<nav aria-label=\"Pages\">(.*?)</nav>", site.browser.get("/ui/log").text, re.DOTALL)
        assert nav is not None
        return re.findall(r'href="([^"]+)"', nav[1])[1:]

    site.come_in(site.token(Scope.LIST, profiles=("laptop",)))
    for path in entries():
        assert site.browser.get(path).status_code == 200
    site.come_in(site.token(Scope.ADMIN))
    assert "/ui/" not in entries()  # that needs list
    assert '<a href="/ui/log" aria-current="page">Log</a>' in site.browser.get("/ui/log").text
