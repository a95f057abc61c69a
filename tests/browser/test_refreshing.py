"""Pages stay up to date by themselves; and end with the token of whoever looks at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tarkeep.domain.access.tokens import Scope
from tests.browser.conftest import Reading
from tests.browser.filled import Site, empty_site
from tests.browser.reader import Reader
from tests.support.archives import make_targz
from tests.support.server import live_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request

TURN = "00:31"
"""A little longer than a page waits before it asks again."""
_MOST_TURNS = 30
_HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
_FOCUSED = "document.activeElement.textContent"


@pytest.fixture
def site(tmp_path: Path, browser: Browser) -> Iterator[Site]:
    """A server of its own, with one profile."""
    with empty_site(tmp_path) as site:
        send(site, "web-1")
        yield site


def send(site: Site, profile: str, name: str = "a") -> None:
    headers = {"Authorization": f"Bearer {site.make_token(Scope.PUSH)}"}
    with site.server.client() as client:
        path = f"/api/v1/profiles/{profile}/archives/FULL/{name}.tar.gz"
        client.put(path, content=make_targz({name: b"x\n"}), headers=headers).raise_for_status()


def is_poll(request: Request) -> bool:
    return "seen=" in request.url


def let_time_pass(reader: Reader) -> int:
    """Until the page has asked again; the status of the answer."""
    with reader.page.expect_response(lambda answer: is_poll(answer.request)) as found:
        reader.page.clock.fast_forward(TURN)
    return found.value.status


def test_an_upload_is_shown_without_reloading(site: Site, come_in: Reading) -> None:
    """The filter is kept, and so is the focus, in the field and in a row."""
    with come_in(site) as reader:
        reader.page.clock.install()
        reader.open("/ui/?find=web")
        reader.page.evaluate("window.isTheSame = true")
        row = reader.page.get_by_role("link", name="web-1", exact=True)
        row.focus()
        send(site, "web-2")
        send(site, "mail")
        let_time_pass(reader)

        assert reader.sees("web-2")
        assert reader.page.get_by_role("link", name="mail", exact=True).count() == 0
        assert reader.sees("all 3")
        assert reader.page.evaluate(_FOCUSED) == "web-1"
        field = reader.page.get_by_label("Find a profile")
        field.fill("web-3, as I was ty")
        send(site, "web-3")
        let_time_pass(reader)
        assert reader.sees("all 4")
        assert field.input_value() == "web-3, as I was ty"
        assert reader.page.evaluate("document.activeElement.id") == "find"
        assert reader.page.evaluate("window.isTheSame")
        reader.check()


def test_an_empty_page_shows_the_first_archive(tmp_path: Path, come_in: Reading) -> None:
    with empty_site(tmp_path) as site, come_in(site) as reader:
        reader.page.clock.install()
        reader.open("/ui/")
        assert reader.sees("Nothing is stored yet.")
        send(site, "laptop")
        let_time_pass(reader)

        assert reader.page.get_by_role("link", name="laptop", exact=True).is_visible()
        reader.check()


@pytest.mark.parametrize("page", ["/ui/", "/ui/p/web-1"])
def test_nothing_is_sent_while_nothing_has_changed(site: Site, come_in: Reading, page: str) -> None:
    """Once the jobs, which have just started, have looked; and the page stays as it is."""
    with come_in(site) as reader:
        reader.page.clock.install()
        reader.open(page)
        answers = []
        while 204 not in answers:
            answers.append(let_time_pass(reader))
            assert len(answers) < _MOST_TURNS

        assert set(answers) <= {200, 204}
        assert reader.page.get_by_text("web-1").first.is_visible()
        reader.check()


def test_nothing_is_asked_while_nobody_looks(site: Site, come_in: Reading) -> None:
    """And at once when somebody looks again."""
    with come_in(site) as reader:
        reader.page.clock.install()
        reader.open("/ui/")
        let_time_pass(reader)
        asked: list[str] = []
        reader.page.on("request", lambda request: asked.append(request.url))
        reader.page.evaluate(_HIDE, True)
        send(site, "web-2")
        for _ in range(5):
            reader.page.clock.fast_forward(TURN)
        reader.page.evaluate("fetch('/ui/login')")  # whatever was asked before that is known by then
        assert [url for url in asked if "seen=" in url] == []

        with reader.page.expect_response(lambda answer: is_poll(answer.request)):
            reader.page.evaluate(_HIDE, False)
        assert reader.sees("web-2")
        reader.check()


def test_a_page_outlives_the_server(site: Site, come_in: Reading) -> None:
    """What it shows is grey while nothing answers, and goes on when the server is there again."""
    with come_in(site) as reader:
        reader.page.clock.install()
        reader.open("/ui/")
        let_time_pass(reader)
        _, port = site.server.host_and_port
        assert site.server.stop() == 0
        for _ in range(11):  # more than five minutes
            with reader.page.expect_event("requestfailed", is_poll):
                reader.page.clock.fast_forward(TURN)
        reader.page.clock.fast_forward("00:06")
        assert reader.sees("This page has had no answer from the server for more than five minutes")
        assert reader.page.get_by_role("link", name="web-1", exact=True).is_visible()

        with live_server(site.server.data, port=port) as again:
            send(Site(again, site.tokens), "web-2")
            let_time_pass(reader)
            assert reader.sees("web-2")
            reader.page.clock.fast_forward("00:06")
            reader.page.get_by_text("This page has had no answer").wait_for(state="hidden")
        # the browser and htmx say in the console that nobody answered
        told = ("net::ERR_CONNECTION_REFUSED", "Failed to fetch", "htmx-request")
        reader.wrong = [wrong for wrong in reader.wrong if not any(words in wrong for words in told)]
        reader.check()


@pytest.mark.parametrize("page", ["/ui/", "/ui/p/web-1"])
def test_an_open_page_ends_when_its_token_is_revoked_on_the_host(site: Site, come_in: Reading, page: str) -> None:
    """By another process, the command; the page leads to the form for a token by itself, and no reload helps."""
    token = site.make_token(Scope.LIST)
    with come_in(site, token=token) as reader:
        reader.page.clock.install()
        reader.open(page)
        assert reader.sees("web-1")
        command = [sys.executable, "-m", "tarkeep", "token", "revoke", token.split("_")[1], "--data"]
        subprocess.run([*command, str(site.server.data)], check=True, capture_output=True)
        with reader.page.expect_navigation(url=lambda url: "/ui/login" in url):
            reader.page.clock.fast_forward(TURN)

        assert "web-1" not in reader.text
        for path in ("/ui/", "/ui/p/web-1", "/ui/p/web-1/restore.tar"):
            reader.open(path)
            assert reader.comes_to("/ui/login")
        reader.wrong = [wrong for wrong in reader.wrong if "the server responded with a status of 401" not in wrong]
        reader.check()
