"""What pages show of what was sent, as a browser without script gets it."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tarkeep.entrypoints.http.ui.rendering import POLICY
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.server import in_process

HOSTILE = "<b>&\"' \u202e\x07.txt"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A browser at an open server that has two profiles."""
    data = tmp_path_factory.mktemp("pages") / "data"
    data.mkdir()
    (data / "notify.toml").write_text('channels = "none"\n')
    storage = StorageSettings(data=data, reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        content = make_targz({"letters/one.txt": b"first\n", f"letters/{HOSTILE}": b"odd\n", "top.txt": b"top\n"})
        for profile in ("laptop", "web-1"):
            client.put(f"/api/v1/profiles/{profile}/archives/FULL/a.tar.gz", content=content).raise_for_status()
        client.headers["Accept"] = "text/html,application/xhtml+xml"
        yield client


def links(page: httpx2.Response) -> dict[str, str]:
    """Where the links of *page* lead, by their texts."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    return {html.unescape(re.sub(r"<[^>]*>", "", text)).strip(): html.unescape(to) for to, text in found}


def test_from_the_address_of_the_server_to_a_file(browser: httpx2.Client) -> None:
    """The way that somebody goes who wants one file back: fleet, profile, point, folder, file."""
    fleet = browser.get("/", follow_redirects=True)
    assert "Everything is fine with 2 profiles." in fleet.text
    profile = browser.get(links(fleet)["laptop"])
    point = browser.get(links(profile)["look inside"])
    folder = browser.get(links(point)["letters/"])
    assert "one.txt" in folder.text
    got = re.search(r'href="([^"]*one\.txt)"', folder.text)
    assert got is not None
    assert browser.get(got[1]).content == b"first\n"


def test_what_is_broken_is_told_with_what_to_do(tmp_path: Path) -> None:
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        for name in ("a", "b"):
            path = f"/api/v1/profiles/{name}/archives/FULL/a.tar.gz"
            client.put(path, content=make_targz({name: b"x\n"})).raise_for_status()
        (tmp_path / "data" / "archives" / "b" / "FULL" / "a.tar.gz").write_bytes(b"x")
        assert client.get("/api/v1/profiles/b/restore.tar").status_code >= 400
        fleet, profile = client.get("/ui/").text, client.get("/ui/p/b").text

    assert "1 of 2 profiles needs you." in fleet
    assert fleet.index("/ui/p/b") < fleet.index("/ui/p/a")
    assert "To do: send the same archive again, from wherever there is a copy" in profile
    assert "no: " in profile


def test_what_came_is_a_picture_with_words(browser: httpx2.Client) -> None:
    """For those that see it and those that do not: a strip of 30 days, and a calendar of a year."""
    fleet, profile = browser.get("/ui/").text, browser.get("/ui/p/laptop").text

    assert fleet.count("<title>archives came on 1 of 30 days</title>") == 2
    (strip, *_) = re.findall(r'<svg class="strip".*?</svg>', fleet)
    assert (strip.count("M"), strip.count('class="full"')) == (30, 1)
    year, season = re.findall(r'<svg class="calendar.*?</svg>', profile)
    assert "In the last year archives came on 1 of 365 days." in year
    assert year.count("<rect") == 365
    assert 78 <= season.count("<rect") <= 84
    assert len(re.findall(r"<title>[0-9-]{10}: 1 FULL</title>", year)) == 1


def test_programs_still_get_the_overview(browser: httpx2.Client) -> None:
    assert browser.get("/", headers={"Accept": "*/*"}).json()["name"] == "Tarkeep"


def test_names_are_shown_and_never_become_markup(browser: httpx2.Client) -> None:
    folder = browser.get("/ui/p/laptop/tree", params={"path": "letters"})

    assert "&lt;b&gt;&amp;&#34;&#39; " in folder.text
    assert "<b>&" not in folder.text
    assert "\u202e" not in folder.text
    assert "\x07" not in folder.text
    (odd,) = [to for to in re.findall(r'href="([^"]*members[^"]*)"', folder.text) if "one.txt" not in to]
    assert browser.get(html.unescape(odd)).content == b"odd\n"


def test_an_archive_shows_what_is_known_of_it(browser: httpx2.Client) -> None:
    archive = browser.get(links(browser.get("/ui/p/laptop"))["FULL/a.tar.gz"])

    assert archive.status_code == 200
    assert "letters/one.txt" in archive.text
    assert "&lt;b&gt;" in archive.text
    whole = browser.get(links(archive)["Download"])
    assert hashlib.sha256(whole.content).hexdigest() in archive.text
    assert "one.txt" not in browser.get(links(archive)["Look inside its point"]).text  # that is one folder further
    assert browser.get("/ui/p/laptop/FULL/b.tar.gz").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/ui/", "/ui/login", "/ui/p/laptop", "/ui/p/laptop/FULL/a.tar.gz", "/ui/p/laptop/tree", "/ui/p/nobody", "/ui/no"],
)
def test_every_page_forbids_what_it_does_not_bring_along(browser: httpx2.Client, path: str) -> None:
    page = browser.get(path)

    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"  # nobody comes back to it after its reader has logged out
    assert page.text.count("<h1") == 1
    assert not re.search(r"<script(?! src)|\son\w+=|\sstyle=", page.text)


def test_profiles_are_found_by_a_part_of_their_name(browser: httpx2.Client) -> None:
    assert "laptop" not in (found := browser.get("/ui/?find=web").text)
    assert "web-1" in found
    assert "No profile" in browser.get("/ui/?find=nothing").text


@pytest.mark.parametrize("path", ["/ui/p/nobody", "/ui/p/laptop/tree?path=no", "/ui/no", "/ui/?light=blue"])
def test_errors_are_pages(browser: httpx2.Client, path: str) -> None:
    page = browser.get(path)

    assert page.status_code in (400, 404)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/ui/" in links(page).values()


def test_static_files_are_kept_by_browsers(browser: httpx2.Client) -> None:
    sheet = re.search(r'rel="stylesheet" href="([^"]*)"', browser.get("/ui/").text)
    assert sheet is not None
    answer = browser.get(sheet[1])
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "immutable" in answer.headers["Cache-Control"]
    assert browser.get("/ui/static/tarkeep.css").status_code == 404


def test_an_empty_server_says_how_to_begin(tmp_path: Path) -> None:
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        page = client.get("/ui/").text

    assert re.search(r'class="sentence yellow".*Nothing is stored yet\.', page)  # since nobody would be told
    assert "curl -T - http://127.0.0.1/api/v1/profiles/laptop/archives/FULL/first.tar.gz" in html.unescape(page)


def test_templates_have_no_script_or_style_of_their_own() -> None:
    """Nor what htmx would evaluate, such as filters of triggers, nor a value that is not escaped."""
    folder = Path(__file__).parents[4] / "src" / "entrypoints" / "http" / "ui" / "templates"
    templates = list(folder.rglob("*.html"))
    assert len(templates) > 5
    for template in templates:
        text = template.read_text()
        markup = re.sub(r"\{%.*?%\}", "", text)
        assert not re.search(r"\sstyle\s*=|\son\w+\s*=|<script(?! src)|<style|<iframe|<base\b", markup), template.name
        assert not re.search(r"hx-on|hx-(vals|headers|confirm|vars)|js:|javascript:", text), template.name
        assert not re.search(r'hx-trigger="[^"]*\[', text), template.name
        assert not re.search(r"\|\s*safe|autoescape|\|\s*(attr|map|xmlattr|tojson)", text), template.name
