"""A browser and servers for tests of pages; a worker starts each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.browser.filled import Site, empty_site, ordinary_site
from tests.browser.hostile import hostile_site
from tests.browser.reader import CHROMIUM, Reader, Way, reading
from tests.support.npm import installed
from tests.support.require import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Reading: TypeAlias = Callable[..., AbstractContextManager[Reader]]
"""A reader who has come in to a site, with a token for everything unless another is named."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None  # type: ignore[assignment, unused-ignore]
    require("browser", sync_playwright is not None, "make .venv/.development installs playwright")
    require("browser", CHROMIUM.exists(), "apt install chromium fonts-dejavu-core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Site]:
    """The ordinary server."""
    with ordinary_site(tmp_path_factory.mktemp("ordinary")) as site:
        yield site


@pytest.fixture(scope="package")
def empty(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Site]:
    with empty_site(tmp_path_factory.mktemp("empty")) as site:
        yield site


@pytest.fixture(scope="package")
def hostile(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Site]:
    """The server with the worst names."""
    with hostile_site(tmp_path_factory.mktemp("hostile")) as site:
        yield site


@pytest.fixture(scope="package")
def cookies() -> dict[str, str]:
    """Sessions by server and token, so that few are begun."""
    return {}


@pytest.fixture
def come_in(browser: Browser, cookies: dict[str, str]) -> Reading:
    def begin(
        site: Site, way: Way = Way.SCRIPT, *, token: str = "", **options: object
    ) -> AbstractContextManager[Reader]:
        key = f"{site.url} {token}"
        if key not in cookies:
            cookies[key] = session(site, token or site.make_token())
        return reading(browser, site.url, way, cookie=cookies[key], **options)  # type: ignore[arg-type]

    return begin


def session(site: Site, token: str) -> str:
    """The secret of a session for *token*, as the form for a token begins it."""
    with site.server.client() as client:
        client.post("/ui/login", data={"token": token}, headers={"Sec-Fetch-Site": "same-origin"})
        return str(client.cookies["tarkeep-session"])


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> Path:
    """The script of axe-core."""
    assert pytestconfig.cache is not None
    folder = installed(Path(__file__).parent / "axe", pytestconfig.cache.mkdir("axe"))
    return folder / "node_modules" / "axe-core" / "axe.min.js"
