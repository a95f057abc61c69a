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


def test_when_did_this_file_change_or_vanish(site: Site, come_in: Reading, way: Way) -> None:
    """And that version of it, please."""
    with come_in(site, way) as reader:
        reader.open("/ui/p/laptop/tree?path=root")
        assert "gone.txt" not in reader.text
        reader.follow("report.txt")
        assert reader.sees("Its versions")
        assert len(re.findall(r"(?:changed|appeared), ", reader.text)) == len(REPORTS)
        reader.open(f"/ui/p/laptop/tree?path=root&at={site.laptop[4].type.value}/{site.laptop[4].name}")
        assert reader.download("Get gone.txt") == b"not for long\n"
        assert reader.download("Get report.txt") == REPORTS[3].encode()
        reader.check()


def test_why_is_it_kept_what_goes_and_what_if(site: Site, come_in: Reading, way: Way) -> None:
    """Without anything being removed by looking at it."""
    with come_in(site, way) as reader:
        reader.open("/ui/p/laptop")
        reader.follow("What is kept, why, and what goes next")
        assert reader.sees(re.compile(r"\d+ kept \(|All is kept"))
        assert reader.sees(re.compile("daily 20"))
        reader.fill("daily", "1")
        reader.send("Show")

        assert reader.sees("These are not the rules in force.")
        reader.check()


def test_who_held_and_who_released(site: Site, come_in: Reading, way: Way) -> None:
    """An auditor finds both in the log, with the token that did it, whose proof was asked for."""
    proof, name = site.make_token(Scope.ADMIN), f"audit-{way.name.lower()}"
    with come_in(site, way) as reader:
        reader.open("/ui/p/mail")
        reader.follow("FULL/only.tar.gz", within="table")
        reader.fill("Name of the hold", name)
        reader.fill("Reason", "tax audit")
        reader.send("Hold it")
        assert reader.sees("The archive is held")
        reader.fill("A token with admin", proof, within=f"form:has(input[value={name}])")
        reader.send(f"Release {name}")
        assert reader.sees("The hold is released")
        reader.follow("Log", within="header")
        reader.fill("Token, or", proof.split("_")[1])
        reader.send("Find")

        assert reader.sees(re.compile(f"released.*{name}|{name}.*released"))
        reader.check()


def test_when_is_the_disk_full_and_who_grows(site: Site, come_in: Reading, way: Way) -> None:
    with come_in(site, way) as reader:
        reader.open("/ui/")
        reader.follow("Storage", within="header")

        assert reader.comes_to("/ui/storage")
        assert reader.sees(re.compile(r"\d.* of \d.* used\."))
        assert reader.page.locator("main tbody th").count() >= 6
        reader.check()


def test_revoke_one_now(site: Site, come_in: Reading, way: Way) -> None:
    """Its session ends with it."""
    victim, proof = site.make_token(Scope.LIST), site.make_token(Scope.ADMIN)
    id = victim.split("_")[1]
    with come_in(site, way) as reader, come_in(site, token=victim) as other:
        other.open("/ui/")
        assert other.comes_to("/ui/")
        reader.open("/ui/tokens")
        assert reader.sees(id)
        reader.unfold(id)
        reader.fill("A token with admin", proof, within=f"form[action*='{id}']")
        reader.send(f"Revoke {id}")
        assert reader.comes_to("/ui/tokens")
        other.page.reload()

        assert other.comes_to("/ui/login")
        reader.check()
        other.check()


def test_what_is_suspicious_and_the_last_clean_point(site: Site, come_in: Reading, way: Way) -> None:
    """Which somebody who was attacked holds at once."""
    with come_in(site, way) as reader:
        reader.open("/ui/p/db-1")
        assert reader.sees(re.compile("files of .* are gone"))
        reader.follow("Hold it")
        reader.fill("Name of the hold", f"clean-{way.name.lower()}")
        reader.fill("Reason", "before the attack")
        reader.send("Hold it")

        assert reader.sees("The archive is held")
        reader.check()
