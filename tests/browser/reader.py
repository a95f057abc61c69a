"""
A person at a browser, in one of four ways: with script, without, by the keyboard alone, or on a narrow screen.

What a page must never do is noted meanwhile: an error or a violation of its policy in the console, a request to another
host. Each test ends with `Reader.check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import define, field

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

CHROMIUM = Path("/usr/bin/chromium")
WIDE, NARROW, ZOOMED = 1280, 360, 320
"""Widths in CSS pixels; the last is that of 1280 pixels at 400 percent."""

_HEIGHT = 800
_PATIENCE_MS = 10_000
_MOST_TABS = 400
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


class Way(Enum):
    SCRIPT = "with script"
    PLAIN = "without script"
    KEYBOARD = "by keyboard"
    NARROW = "at 360 px"


@define
class Reader:
    """Somebody who reads pages of the server at *url*. Elements are named as people and screen readers know them."""

    page: Page
    url: str
    way: Way
    wrong: list[str] = field(factory=list)

    def open(self, path: str) -> None:
        """Type an address."""
        self.page.goto(self.url + path)

    def follow(self, name: str | re.Pattern[str], *, within: str = "body") -> None:
        """Follow the first link with that name."""
        self._activate(self._first("link", name, within))

    def press(self, name: str, *, within: str = "body") -> None:
        """Press the first button with that name."""
        self._activate(self._first("button", name, within))

    def fill(self, label: str, text: str, *, within: str = "body") -> None:
        """Write *text* into the first field with that label."""
        target = self.page.locator(within).get_by_label(label).first
        if self.way is Way.KEYBOARD:
            self._reach(target)
            self.page.keyboard.press("Control+A")
            self.page.keyboard.type(text)
        else:
            target.fill(text)

    def unfold(self, text: str) -> None:
        """Open what is folded under the first summary with *text*."""
        self._activate(self.page.locator("summary").filter(has_text=text).first)

    def send(self, button: str, *, within: str = "body") -> None:
        """Send the form whose field was filled last: by Enter at the keyboard, else by its button."""
        if self.way is Way.KEYBOARD:
            with self.page.expect_navigation():
                self.page.keyboard.press("Enter")
        else:
            self.press(button, within=within)

    def download(self, name: str | re.Pattern[str], *, within: str = "body") -> bytes:
        """The content behind the first link with that name."""
        target = self._first("link", name, within)
        with self.page.expect_download() as found:
            self._activate(target)
        return found.value.path().read_bytes()

    def sees(self, text: str | re.Pattern[str]) -> bool:
        """Whether some visible element has *text*; waits a moment for it."""
        target = self.page.locator("body").get_by_text(text).locator("visible=true").first
        try:
            target.wait_for(timeout=5000)
        except Exception as error:
            if type(error).__name__ == "TimeoutError":
                return False
            raise
        return True

    def comes_to(self, path: str) -> bool:
        """Whether a page with *path* is shown in the end, whatever its query; waits for it."""
        self.page.wait_for_url(re.compile(re.escape(self.url + path) + r"(\?.*)?$"))
        return True

    @property
    def text(self) -> str:
        """All that is shown."""
        return self.page.inner_text("body")

    def check(self) -> None:
        """
        Nothing was wrong meanwhile.

        Raises:
            AssertionError: a page did what pages must not do.
        """
        assert self.wrong == []

    def _first(self, role: str, name: str | re.Pattern[str], within: str) -> Locator:
        is_exact = isinstance(name, str)
        return self.page.locator(within).get_by_role(role, name=name, exact=is_exact).first  # type: ignore[arg-type, unused-ignore]

    def _activate(self, target: Locator) -> None:
        if self.way is Way.KEYBOARD:
            self._reach(target)
            self.page.keyboard.press("Enter")
        else:
            target.click()

    def _reach(self, target: Locator) -> None:
        """Go on with Tab until *target* has the focus, as somebody without a mouse does."""
        target.wait_for(state="attached")
        for _ in range(_MOST_TABS):
            if target.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")


@contextmanager
def reading(
    browser: Browser,
    url: str,
    way: Way = Way.SCRIPT,
    *,
    cookie: str = "",
    width: int | None = None,
    zone: str = "Asia/Kolkata",
    bypasses_policy: bool = False,
    **options: object,
) -> Iterator[Reader]:
    """A new browser profile at the server *url*, with the session *cookie*; *options* are more of the context's."""
    width = width or (NARROW if way is Way.NARROW else WIDE)
    context = browser.new_context(
        viewport={"width": width, "height": _HEIGHT},
        java_script_enabled=way is not Way.PLAIN,
        bypass_csp=bypasses_policy,
        timezone_id=zone,
        **options,  # type: ignore[arg-type, unused-ignore]
    )
    try:
        if cookie:
            context.add_cookies([{"name": "tarkeep-session", "value": cookie, "url": f"{url}/ui"}])
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        reader = Reader(page, url, way)
        here = urlsplit(url).netloc

        def asked(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme != "data" and parts.netloc != here:
                reader.wrong.append(f"asked {request.url}")

        def said(message: ConsoleMessage) -> None:
            is_of_page = message.location.get("url") == page.url and _REFUSED.match(message.text)
            if message.type in ("error", "warning") and not is_of_page:  # a page that is refused is no mistake of it
                reader.wrong.append(f"{message.type}: {message.text}")

        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", lambda error: reader.wrong.append(f"uncaught: {error}"))
        yield reader
    finally:
        context.close()
