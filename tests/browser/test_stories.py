"""
What people come to the pages for, each in four ways: with script, without, by the keyboard alone, and at 360 px.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tarkeep.domain.access.tokens import Scope
from tests.browser.conftest import Reading
from tests.browser.filled import REPORTS, Site
from tests.browser.reader import Way, reading

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.parametrize("way", list(Way), ids=lambda way: way.value)


def test_is_everything_fine(site: Site, browser: Browser, way: Way) -> None:
    """One sentence, from the address of the server, once somebody has come in."""
    with reading(browser, site.url, way) as reader:
        reader.open("/")
        reader.fill("Token", site.make_token(Scope.LIST))
        reader.send("Come in")

        assert reader.comes_to("/ui/")
        assert re.fullmatch(r"✕ 3 of 6 profiles need you\.", reader.page.inner_text("h1"))
        reader.press("Log out")
        assert reader.comes_to("/ui/login")
        reader.check()


def test_what_is_broken_since_when_and_what_do_i_do(site: Site, come_in: Reading, way: Way) -> None:
    with come_in(site, way) as reader:
        reader.open("/ui/")
        reader.follow(re.compile("needs you"))
        reader.follow("web-3")

        assert reader.sees("1 archive is damaged")
        assert reader.sees("send the same archive again")
        reader.check()


def test_is_mine_safe_and_when_was_it_last(site: Site, come_in: Reading, way: Way) -> None:
    """By somebody whose token shows one profile, and nothing of the others."""
    token = site.make_token(Scope.LIST, Scope.PULL, profiles=("laptop",))
    with come_in(site, way, token=token) as reader:
        reader.open("/ui/")
        assert "Everything is fine." in reader.page.inner_text("h1")
        assert "web-3" not in reader.text
        reader.follow("laptop")
        assert reader.sees("fine")
        assert reader.sees("proven")
        reader.check()


def test_the_folder_as_it_was(site: Site, come_in: Reading, way: Way) -> None:
    """As it was at an archive of some day, as a tar on this machine."""
    with come_in(site, way) as reader:
        reader.open("/ui/p/laptop")
        reader.fill("As it was at", f"{site.laptop[4].type.value}/{site.laptop[4].name}")
        reader.send("Look inside")
        reader.follow("root/")
        assert reader.sees("gone.txt")
        content = reader.download(re.compile(r"\.tar$"))

        assert content[257:262] == b"ustar"
        assert REPORTS[3].encode() in content
        reader.check()


def test_when_did_this_file_vanish_and_give_me_that_version(site: Site, come_in: Reading, way: Way) -> None:
    with come_in(site, way) as reader:
        reader.open(f"/ui/p/laptop/tree?path=root&at={site.laptop[4].type.value}/{site.laptop[4].name}")
        assert reader.download("Get gone.txt") == b"not for long\n"
        assert reader.download("Get report.txt") == REPORTS[3].encode()
        reader.open("/ui/p/laptop/tree?path=root")
        assert "gone.txt" not in reader.text
        reader.check()
