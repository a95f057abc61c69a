"""Each command on a page is one that there is, with options that it takes; each address is one that is answered."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.routing import Match

from tarkeep.entrypoints.http.app import routes
from tests.browser.every_page import PAGES, path_of
from tests.browser.filled import ordinary_site

_SHOWN = re.compile(r'class="command"><code>(.*?)</code>', re.DOTALL)
_ENDS = {"|", "&&", ";"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Every command of every page, by one page that shows it."""
    with ordinary_site(tmp_path_factory.mktemp("site")) as site:
        with httpx2.Client(base_url=site.url, follow_redirects=True) as browser:
            own = {"Sec-Fetch-Site": "same-origin"}
            browser.post("/ui/login", data={"token": site.make_token()}, headers=own).raise_for_status()
            pages = {page: browser.get(path_of(page, site)).text for page in PAGES}
        yield {unescape(text): page for page, html in pages.items() for text in _SHOWN.findall(html)}


def parts_of(command: str) -> Iterator[list[str]]:
    """The programs that a line runs, each with its words."""
    words: list[str] = []
    for word in shlex.split(command):
        if word in _ENDS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def test_each_is_a_command_that_takes_its_options(shown: dict[str, str], tmp_path: Path) -> None:
    calls = [words[1:] for line in shown for words in parts_of(line) if words[0] == "tarkeep"]
    assert len(calls) > 20
    helps: dict[tuple[str, ...], str] = {}
    for call in calls:
        options = [word.partition("=")[0] for word in call if word.startswith("--")]
        for words in (tuple(call[:2]), tuple(call[:1])):  # of two words, such as ``drill run``, or of one
            if words not in helps:
                command = [sys.executable, "-m", "tarkeep", *words, "--help"]
                told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
                helps[words] = told.stdout if f"Usage: tarkeep {' '.join(words)}" in told.stdout else ""
            if helps[words]:
                break
        assert helps[words], call
        assert [option for option in options if option not in helps[words]] == [], call


def test_each_address_is_one_that_is_answered(shown: dict[str, str]) -> None:
    urls = [word for line in shown for words in parts_of(line) if words[0] == "curl" for word in words if "://" in word]
    assert len(urls) > 5
    for url in urls:
        scope = {"type": "http", "method": "GET", "path": urlsplit(url).path}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes()), url
