"""Whether a page fits: on every screen without scrolling sideways, and on paper with all that it shows."""

from __future__ import annotations

from tests.browser.reader import NARROW, WIDE, ZOOMED, Reader

WIDTHS = (WIDE, 720, NARROW, ZOOMED)
PAPER = 718
"""The width in CSS pixels of a sheet of A4 within the margins that browsers leave."""

_SIDEWAYS = """() => {
    const root = document.scrollingElement;
    return root.scrollWidth <= root.clientWidth ? "" : [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > root.clientWidth + 1)
        .map((one) => one.outerHTML.slice(0, 120)).slice(-1)[0];
}"""
"""What makes the page scroll sideways; empty if it does not."""
_CUT_OFF = """() => [...document.querySelectorAll("main *")]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).overflowX !== "visible" && one.clientWidth > 2)
    .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML.slice(0, 120))"""
"""What would have to be scrolled, which nobody can on paper."""
_CRUSHED = """() => [...document.querySelectorAll("main th, main td")]
    .filter((one) => one.checkVisibility() && one.textContent.trim().length > 3)
    .map((one) => [one, one.getBoundingClientRect().width]).filter(([, width]) => 2 < width && width < 32)
    .map(([one]) => one.outerHTML.slice(0, 120))"""
"""Words of which each letter has a line of its own."""
_COLOURS = """() => [document.body, ...document.querySelectorAll("main, table, li, code")]
    .map((one) => getComputedStyle(one)).map((style) => [style.color, style.backgroundColor])"""
_USELESS = "header, form, button, input, .skip, nav.lights"
_LIGHT = ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)", "rgb(245, 246, 247)")


def assert_it_fits(reader: Reader) -> None:
    """On a phone, at 400 percent on a desk, and between, nothing scrolls sideways but boxes that are meant to."""
    for width in WIDTHS:
        reader.page.set_viewport_size({"width": width, "height": 800})
        assert reader.page.evaluate(_SIDEWAYS) == "", (reader.page.url, width)
        assert reader.page.evaluate(_CRUSHED) == [], (reader.page.url, width)


def assert_it_prints(reader: Reader) -> None:
    """Whole, on white, without what only a browser has; also for somebody who likes a dark screen."""
    reader.page.emulate_media(media="print", color_scheme="dark")
    reader.page.set_viewport_size({"width": PAPER, "height": 1000})
    assert reader.page.evaluate(_SIDEWAYS) == "", reader.page.url
    assert reader.page.evaluate(_CUT_OFF) == [], reader.page.url
    assert reader.page.locator(_USELESS).locator("visible=true").count() == 0, reader.page.url
    assert {background for _, background in reader.page.evaluate(_COLOURS)} <= {*_LIGHT}, reader.page.url
    reader.page.emulate_media(media="screen", color_scheme="light")
