"""
Whatever stands in the query of a page or in the field of a form, a page answers it, with a status that says who erred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote_from_bytes, urlencode

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.http.edge.access import access_table
from tarkeep.entrypoints.http.ui.routes import pages
from tests.support.site import OWN, Site, form_token, open_site, without_form_tokens

ARCHIVE = "/ui/p/laptop/FULL/a.tar.gz"
ASKED = {
    "/ui/": "find light start seen done",
    "/ui/login": "to",
    "/ui/upkeep": "done",
    "/ui/storage": "",
    "/ui/log": "profile who did below",
    "/ui/settings": "profile",
    "/ui/tokens": "profile scope note days",
    "/ui/p/{profile}": "start seen",
    "/ui/p/{profile}/prune": "start show keep_daily keep_last prefer_full",
    "/ui/p/{profile}/tree": "at path file find after allow_gaps",
    "/ui/p/{profile}/{type}/{name}": "after",
    "/ui/p/{profile}/restore.tar": "at path allow_gaps",
    "/ui/p/{profile}/restore.tar.gz": "at",
    "/ui/p/{profile}/archives/{type}/{name}": "",
    "/ui/p/{profile}/archives/{type}/{name}/members/{path:path}": "",
}
"""What each page is asked for by its query, beside what `BESIDE` says."""
BESIDE = {"/ui/tokens": "profile=laptop&scope=push"}
FIELDS = {
    "/ui/login": "token to",
    "/ui/upkeep/jobs/{job}/run": "",
    "/ui/upkeep/trash/{profile}/{type}/{name}/undelete": "",
    "/ui/settings/channels/{name}/test": "",
    "/ui/tokens/{id}/revoke": "token",
    "/ui/p/{profile}/prune/apply": "plan profile approved token",
    "/ui/p/{profile}/brake": "to token",
    "/ui/p/{profile}/{type}/{name}/hold": "name reason until",
    "/ui/p/{profile}/{type}/{name}/release": "name token",
    "/ui/p/{profile}/{type}/{name}/lock": "until",
    "/ui/p/{profile}/{type}/{name}/scrub": "",
    "/ui/logout": "",
}
"""The fields of each form, beside the token for forms."""
WRONG = (
    *(b"", b"-1", b"99999999", b"9" * 5000, b"NaN", "\u0663\u00b2".encode(), b"\xff", b"a\nb", b"//[", b"/ui/\xff"),
    *(b"../..", b"\\", b"FULL/", b"2026-13-45", b"9999-12-31T23:59:59-23:59", "<b>\u202e\U0001f4a9".encode()),
)
VALUES = {"profile": "laptop", "type": "FULL", "name": "a.tar.gz", "path": "a", "job": "none", "id": "none"}
PAIRS = [(page, name) for page, names in ASKED.items() for name in names.split()]
FORM_PAIRS = [(form, name) for form, names in FIELDS.items() for name in [*names.split(), "form_token"]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("wrong") / "data") as site:
        site.come_in(site.token(*Scope))
        yield site


def at(path: str) -> str:
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: VALUES[found[1]], path)


def is_answered(answer: httpx2.Response) -> bool:
    """By a page, by the way to one, or by what was asked for to be downloaded."""
    if answer.status_code < 400:
        return True
    return answer.status_code < 500 and answer.text.count("<h1") == 1 and "/ui/" in answer.text


def test_each_page_and_form_is_tried() -> None:
    """One that is added to the router is added here, too."""
    table = access_table(pages())
    assert set(ASKED) == {path for method, path in table if method == "GET"} - {"/ui/static/{name}"}
    assert set(FIELDS) == {path for method, path in table if method == "POST"}


@pytest.mark.parametrize(("page", "name"), PAIRS)
def test_a_wrong_value_in_a_query_is_said_on_a_page(site: Site, page: str, name: str) -> None:
    for value in WRONG:
        query = "&".join([*filter(None, [BESIDE.get(page)]), f"{name}={quote_from_bytes(value, safe='')}"])
        answer = site.browser.get(f"{at(page)}?{query}", headers=OWN, follow_redirects=False)
        assert is_answered(answer), (value, answer.status_code, answer.text[-1000:])


@pytest.mark.parametrize(("form", "name"), FORM_PAIRS)
def test_a_wrong_value_in_a_form_is_said_on_a_page(site: Site, form: str, name: str) -> None:
    """Whoever shows a right token in it meanwhile."""
    cookies, right = dict(site.browser.cookies), form_token(site.browser.get("/ui/storage"))
    token = site.token(*Scope)
    for value in WRONG:
        if name == "token" and value:
            value = token.encode() + value  # an empty one is not counted as wrong
        fields = {field: text for field, text in (("form_token", right), ("token", token)) if field != name}
        site.browser.cookies.clear()
        site.browser.cookies.update(cookies)
        answer = site.browser.post(
            at(form),
            content=f"{urlencode(fields)}&{name}={quote_from_bytes(value, safe='')}",
            headers={**OWN, "Content-Type": "application/x-www-form-urlencoded"},
            follow_redirects=False,
        )
        assert is_answered(answer), (value, answer.status_code, answer.text[-1000:])
    site.browser.cookies.clear()
    site.browser.cookies.update(cookies)


@pytest.mark.parametrize(
    ("path", "said", "back"),
    [
        ("/ui/?start=100", "There are no more profiles.", "/ui/"),
        ("/ui/p/laptop?start=100", "There are no older points.", "/ui/p/laptop"),
        ("/ui/p/laptop/prune?start=100", "There are no older archives.", "/ui/p/laptop/prune"),
        ("/ui/p/laptop/tree?after=z", "There are no more names.", "/ui/p/laptop/tree"),
        (f"{ARCHIVE}?after=99999", "There are no more members.", f"{ARCHIVE}#members"),
    ],
)
def test_beyond_the_last_page_is_the_way_back(site: Site, path: str, said: str, back: str) -> None:
    page = site.browser.get(path)

    assert page.status_code == 200
    assert f'{said} <a href="{back}">' in page.text


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/ui/log?profile=no+such", "/ui/log"),
        ("/ui/p/laptop/tree?find=a%5Cb", "/ui/p/laptop/tree"),
        ("/ui/p/laptop/FULL/b.tar.gz", "/ui/p/laptop"),
        ("/ui/p/laptop/archives/FULL/b.tar.gz", "/ui/p/laptop"),
        ("/ui/p/laptop/FULL/a.tar.gz/nothing", ARCHIVE),
    ],
)
def test_a_refusal_leads_to_the_nearest_page(site: Site, path: str, way: str) -> None:
    page = site.browser.get(path)

    assert page.status_code in (400, 404)
    assert f'<a href="{way}">' in page.text
    assert site.browser.get(way).status_code == 200


def test_a_folder_is_named_in_one_way(site: Site) -> None:
    """However many slashes somebody types."""
    one, other = (site.browser.get(f"/ui/p/laptop/tree?path={path}") for path in ("a", "//a//"))

    assert without_form_tokens(one) == without_form_tokens(other)
