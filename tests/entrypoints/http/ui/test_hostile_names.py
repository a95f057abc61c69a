"""Three hundred names with every byte that a name may have, on every page that shows one, and what is got by each."""

from __future__ import annotations

import html
import io
import re
import tarfile
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx2
import pytest

from tarkeep.domain.text.paths import path_text, printable
from tests.support.hostile_names import hostile_names, raw
from tests.support.server import live_server
from tests.support.tars import END, gz, long_name, member

FOLDER = b'<i>folder & "more"\' \xff'
TREE = "/ui/p/laptop/tree"
_OWN = [
    *(b"with %c in it" % byte for byte in range(1, 256) if byte != ord("/")),
    *(b"..", b"...", b"..x", b". .", b" ", b"-rf", b"%2f", b"%2e%2e%2f", b"%00", b"a%0d%0ab", b"&amp;", b"&#60;b&#62;"),
    *(b"<script>alert(1)</script>", b"<img src=x onerror=alert(1)>", b'"><svg onload=alert(1)>', b"' autofocus x='"),
    *(b"</bdi></td></table><h1>", b"{{ 7 * 7 }}", b"{% raw %}", b"javascript:alert(1)", b"?at=x&path=y", b"#top"),
    *(
        b"\xe2\x80\xae fdp.exe",
        b"\xf0\x9f\x92\xa9",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"line\nbreak",
        b"\r\nX: 1",
        b"C:\\x",
    ),
    *(
        b"n" * 255,
        b"\xff" * 255,
        b"\xc3\xa4" * 127,
        b"<" * 255,
        b"tab\there",
        b"\x1b[31mred",
        b"\\377",
        b"a\\",
        b"~",
        b"*",
    ),
]


def names() -> list[bytes]:
    """Names of files in one folder, none twice."""
    drawn = (raw(name) for name, _ in zip(hostile_names(7, "good"), range(300), strict=False))
    fit = (name for name in [*_OWN, *drawn] if 0 < len(name) <= 255 and not {0, ord("/")} & set(name))
    return [name for name in dict.fromkeys(fit) if name not in (b".", b"..")]


def packed(path: bytes, content: bytes) -> bytes:
    return (long_name(path) if len(path) > 99 else b"") + member(path[:99], content)


INJECTED = re.compile(r"i|img|.* (on\w+|style|autofocus)")
NAMES = names()
CONTENTS = {name: b"content %d\n" % number for number, name in enumerate(NAMES)}


class Elements(HTMLParser):
    """The elements of a page, and their attributes but for the values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag} {name}" for name, _ in attrs)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with live_server(tmp_path_factory.mktemp("hostile") / "data") as server, server.client() as client:
        tar = b"".join(packed(FOLDER + b"/" + name, content) for name, content in CONTENTS.items())
        client.put("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", content=gz(tar + END)).raise_for_status()
        tame = b"".join(packed(b"folder/%d" % number, content) for number, content in enumerate(CONTENTS.values()))
        client.put("/api/v1/profiles/tame/archives/FULL/a.tar.gz", content=gz(tame + END)).raise_for_status()
        yield client


def pages_of(browser: httpx2.Client, profile: str, folder: bytes) -> list[str]:
    """All pages of a folder."""
    found, to = list[str](), f"/ui/p/{profile}/tree?{urlencode({'path': path_text(folder)})}"
    while to:
        page = browser.get(to)
        assert page.status_code == 200
        found.append(page.text)
        more = re.search(r'href="([^"]*)"[^>]*>More names', page.text)
        to = html.unescape(more[1]) if more else ""
    return found


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 300


def test_no_name_becomes_markup(browser: httpx2.Client) -> None:
    """A folder of them has no element or attribute that one of numbers does not have; each name is shown, once."""
    hostile, tame = (pages_of(browser, *of) for of in (("laptop", FOLDER), ("tame", b"folder")))
    found, expected = (set().union(*(Elements(page).found for page in pages)) for pages in (hostile, tame))

    assert found <= expected
    text = "".join(hostile)
    for name in NAMES:
        shown = (
            html.escape(printable(path_text(name)), quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        )
        assert f"<bdi>{shown}</bdi>" in text, name
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_each_is_got_by_its_link(browser: httpx2.Client) -> None:
    """With the right bytes, under a name that no header can be made of."""
    got = []
    for page in pages_of(browser, "laptop", FOLDER):
        for to in dict.fromkeys(re.findall(r'href="([^"]*/members/[^"]*)"', page)):
            answer = browser.get(html.unescape(to))
            assert answer.status_code == 200, to
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment")
            got.append(answer.content)

    assert sorted(got) == sorted(CONTENTS.values())


def test_the_folder_is_got_as_it_is(browser: httpx2.Client) -> None:
    page = pages_of(browser, "laptop", FOLDER)[0]
    (to,) = set(re.findall(r'href="([^"]*/restore\.tar\?[^"]*)"', page))
    with tarfile.open(fileobj=io.BytesIO(browser.get(html.unescape(to)).content)) as tar:
        files = [one for one in tar if one.isfile()]
        found = {one.name.encode("utf-8", "surrogateescape"): tar.extractfile(one) for one in files}

        assert {name.rpartition(b"/")[2]: file.read() for name, file in found.items() if file} == CONTENTS


@pytest.mark.parametrize("name", NAMES[::7], ids=lambda name: repr(name)[:40])
def test_what_a_reader_types_is_no_markup_either(browser: httpx2.Client, name: bytes) -> None:
    """Of a path that is not there, of a search, and of a filter."""
    for to, parameter in ((TREE, "path"), (TREE, "find"), (TREE, "at"), ("/ui/", "find"), ("/ui/log", "who")):
        page = browser.get(f"{to}?{urlencode({parameter: path_text(name)})}")

        assert page.status_code < 500
        assert not {one for one in Elements(page.text).found if INJECTED.fullmatch(one)}
