"""What is true of every page: for everybody, on every screen, and as its headers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tarkeep.entrypoints.http.ui.lights import SHAPES
from tests.browser.conftest import Reading
from tests.browser.every_page import PAGES, SERVER_PAGES, path_of
from tests.browser.filled import Site
from tests.browser.fitting import assert_it_fits, assert_it_prints
from tests.browser.reader import NARROW, WIDE, Reader, Way

_RUN_AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
_UNSEEN = """() => [...document.querySelectorAll("a, button, input, select, summary, [tabindex], .scrolls")]
    .filter((one) => {
        one.focus();
        const style = getComputedStyle(one);
        const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
        return document.activeElement === one && !isSeen;
    }).map((one) => one.outerHTML.slice(0, 120))"""
_MOVING = """() => document.getAnimations().length + [...document.querySelectorAll("*")]
    .filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"""
_TOO_SMALL = """() => [...document.querySelectorAll("button, input, select, textarea, summary, .button")]
    .filter((one) => one.checkVisibility()).map((one) => [one.outerHTML, one.getBoundingClientRect()])
    .filter(([, box]) => box.width && Math.min(box.width, box.height) < 24).map(([html]) => html.slice(0, 120))"""


def assert_axe_finds_nothing(reader: Reader, axe: Path) -> None:
    """In both schemes, and on a narrow screen."""
    reader.page.add_script_tag(path=axe)
    for scheme, width in (("light", WIDE), ("dark", WIDE), ("light", NARROW)):
        reader.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type, unused-ignore]
        reader.page.set_viewport_size({"width": width, "height": 800})
        found: list[dict[str, Any]] = reader.page.evaluate(_RUN_AXE)
        told = [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:300]}" for one in found]
        assert told == [], (scheme, width)


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(site: Site, come_in: Reading, axe: Path, page: str) -> None:
    with come_in(site, bypasses_policy=True) as reader:
        reader.open(path_of(page, site))
        assert_axe_finds_nothing(reader, axe)


@pytest.mark.parametrize("path", SERVER_PAGES)
def test_axe_finds_nothing_on_an_empty_server(empty: Site, come_in: Reading, axe: Path, path: str) -> None:
    with come_in(empty, bypasses_policy=True) as reader:
        reader.open(path)
        assert_axe_finds_nothing(reader, axe)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_everybody(site: Site, come_in: Reading, page: str) -> None:
    """
    It fits on every screen and on paper. What is to be hit has 24 pixels each way, what has the focus is seen. Who
    wants nothing to move gets that, and lights are told apart by their shapes where colours are taken away.
    """
    with come_in(site) as reader:
        reader.open(path_of(page, site))
        assert_it_prints(reader)
        assert_it_fits(reader)
        assert reader.page.evaluate(_TOO_SMALL) == []
        reader.page.keyboard.press("Tab")  # from now on the browser knows somebody without a mouse
        assert reader.page.evaluate(_UNSEEN) == []
        reader.page.emulate_media(reduced_motion="reduce", forced_colors="active")
        assert reader.page.evaluate(_MOVING) == 0
        lights: list[str] = reader.page.locator(".light").all_inner_texts()
        assert {light.split()[0] for light in lights} <= set(SHAPES.values())
        reader.check()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_no_script(site: Site, come_in: Reading, page: str) -> None:
    """It has one heading, says which page it is, and offers nothing that only a script can do."""
    with come_in(site, Way.PLAIN) as reader:
        reader.open(path_of(page, site))
        assert reader.page.locator("h1").count() == 1
        assert reader.page.locator("h1").is_visible()
        assert reader.page.title().endswith("Tarkeep")
        assert reader.page.locator("copy-line button:visible").count() == 0
        reader.check()


def test_a_page_cannot_be_framed(site: Site, come_in: Reading) -> None:
    """Not even by a page of this server."""
    with come_in(site) as reader:
        reader.open("/ui/login")
        reader.page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {src: '/ui/'}))")
        reader.page.wait_for_function("window.frames.length === 1")
        frame = reader.page.frames[-1]
        frame.wait_for_load_state()
        assert "Everything" not in frame.content()
        assert "profiles" not in frame.content()
        assert any("frame" in wrong for wrong in reader.wrong)


@pytest.mark.parametrize("way", [Way.SCRIPT, Way.PLAIN])
def test_a_link_in_a_mail_leads_to_the_page(site: Site, come_in: Reading, way: Way) -> None:
    """Though the cookie does not come with what another site began."""
    with come_in(site, way) as reader:
        mail = f'<a href="{site.url}/ui/p/laptop">your backup</a>'
        reader.page.route("http://mail.example/", lambda route: route.fulfill(body=mail, content_type="text/html"))
        reader.page.goto("http://mail.example/")
        reader.follow("your backup")

        assert reader.sees("Points it can be brought back to")
