"""
Every route of the pages by every scope, for a profile of one's own and for a foreign one.

The cells are made from the router, as those of the API are: a new page is in them by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.http.app import routes
from tarkeep.entrypoints.http.edge.access import Access, Where, access_table
from tarkeep.entrypoints.http.ui.routes import pages
from tests.entrypoints.http.edge.test_guard import request
from tests.support.site import OWN, Site, form_token, open_site, without_form_tokens

OWN_PROFILE, FOREIGN, UNKNOWN = "web-1", "laptop", "unknown"
VALUES = {"type": "FULL", "name": "a.tar.gz", "path": "a", "job": "scrub", "id": "none"}
GUARDED = {key: access for key, access in access_table(pages()).items() if not access.is_open}
POSTS = sorted(path for method, path in access_table(pages()) if method == "POST")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("matrix") / "data") as site:
        yield site


@pytest.fixture(scope="module")
def sessions(site: Site) -> dict[str, dict[str, str]]:
    """The cookies of sessions by scope and pattern of profiles, and of one that may do everything with its own."""
    found = {}
    for scopes in ([scope] for scope in Scope):
        for profiles in ("web-*", "*"):
            site.come_in(site.token(*scopes, profiles=(profiles,)))
            found[f"{scopes[0].value} {profiles}"] = dict(site.browser.cookies)
    site.come_in(site.token(*Scope, profiles=("web-*",)))
    found["everything"] = dict(site.browser.cookies)
    site.browser.cookies.clear()
    return found


def ask(site: Site, cookies: dict[str, str], method: str, path: str, profile: str, **headers: str) -> httpx2.Response:
    target = re.sub(r"\{(\w+)(:path)?\}", lambda found: {**VALUES, "profile": profile}[found[1]], path)
    site.browser.cookies.clear()
    site.browser.cookies.update(cookies)
    sent = {**OWN, **headers}
    data = {"form_token": "0" * 64} if method == "POST" else None
    answer = site.browser.request(method, target, headers=sent, data=data, follow_redirects=False)
    site.browser.cookies.clear()
    return answer


def opens(access: Access, scope: Scope) -> bool:
    return not access.scopes or scope in access.scopes


@pytest.mark.parametrize("scope", list(Scope), ids=lambda scope: scope.value)
@pytest.mark.parametrize(("method", "path"), sorted(GUARDED))
def test_a_scope_opens_its_pages_and_no_others(
    site: Site, sessions: dict[str, dict[str, str]], method: str, path: str, scope: Scope
) -> None:
    """A form is judged before it is read; one that is let in fails here by its form token alone."""
    access = GUARDED[method, path]
    everywhere = "*" if access.profile is Where.EVERY else "web-*"
    answer = ask(site, sessions[f"{scope.value} {everywhere}"], method, path, OWN_PROFILE)

    assert answer.status_code < 500
    if not opens(access, scope):
        assert answer.status_code == 403
    elif method != "POST":
        assert answer.status_code in (200, 302, 303, 404), answer.text
    else:
        assert "an earlier session" in answer.text  # as far as the form token, which is wrong


def told(answer: httpx2.Response, name: str) -> tuple[int, str]:
    return answer.status_code, without_form_tokens(answer).replace(name, "NAME")


@pytest.mark.parametrize(
    ("method", "path"), [key for key, access in sorted(GUARDED.items()) if access.profile is Where.PATH]
)
def test_a_foreign_profile_is_told_like_none(
    site: Site, sessions: dict[str, dict[str, str]], method: str, path: str
) -> None:
    """By somebody who may do everything with other profiles."""
    foreign = ask(site, sessions["everything"], method, path, FOREIGN)

    assert foreign.status_code == 404
    assert told(foreign, FOREIGN) == told(ask(site, sessions["everything"], method, path, UNKNOWN), UNKNOWN)


@pytest.mark.parametrize(
    ("method", "path"), [key for key, access in sorted(GUARDED.items()) if access.profile is Where.EVERY]
)
def test_what_concerns_all_profiles_is_for_those_who_see_all(
    site: Site, sessions: dict[str, dict[str, str]], method: str, path: str
) -> None:
    assert ask(site, sessions["everything"], method, path, OWN_PROFILE).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [key for key, access in sorted(GUARDED.items()) if access.profile is Where.HANDLER]
)
def test_nothing_foreign_is_on_a_page_about_many(
    site: Site, sessions: dict[str, dict[str, str]], method: str, path: str
) -> None:
    """Neither a name nor a count of it."""
    text = ask(site, sessions["everything"], method, path, OWN_PROFILE).text

    assert FOREIGN not in text
    assert not re.search(r"\b2 (profiles|archives)\b", text)


@pytest.mark.parametrize(("method", "path"), sorted(GUARDED))
def test_nobody_comes_in_without_a_session(site: Site, method: str, path: str) -> None:
    """Nor with a token in the header, nor with a session that there never was."""
    bearer = {"Authorization": f"Bearer {site.token(*Scope)}"}
    for cookies, headers in (({}, {}), ({}, bearer), ({"tarkeep-session": "x" * 43}, {})):
        answer = ask(site, cookies, method, path, OWN_PROFILE, **headers)

        if method == "POST":
            assert answer.status_code == 401
        else:
            assert (answer.status_code, answer.headers["Location"][:10]) == (303, "/ui/login?")


@pytest.mark.parametrize("path", POSTS)
def test_a_form_that_no_page_of_the_session_sent_is_refused(site: Site, path: str) -> None:
    """By its origin, or by its form token: none, a wrong one, or that of another session."""
    site.come_in(site.token(*Scope))
    others = form_token(site.browser.get("/ui/"))
    site.come_in(site.token(*Scope))
    right = form_token(site.browser.get("/ui/"))
    target = re.sub(r"\{(\w+)(:path)?\}", lambda found: {**VALUES, "profile": OWN_PROFILE}[found[1]], path)
    foreign: tuple[dict[str, str], ...] = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    )
    tokens = () if path == "/ui/login" else ("", "0" * 64, others, right[:-2])
    for headers, token in [(one, right) for one in foreign] + [(OWN, token) for token in tokens]:
        answer = site.browser.post(target, data={"form_token": token}, headers=headers, follow_redirects=False)
        assert answer.status_code == 403, (headers, token)
    kind = {"Content-Type": "text/plain"}
    answer = site.browser.post(target, content=f"form_token={right}", headers={**OWN, **kind}, follow_redirects=False)
    assert answer.status_code == 400


@pytest.mark.parametrize(("method", "path"), sorted(access_table(routes())))
def test_the_api_never_looks_at_a_session(
    site: Site, sessions: dict[str, dict[str, str]], method: str, path: str
) -> None:
    """Whoever has come in to the pages is nobody there."""
    asked = request(method, path, OWN_PROFILE, "none")
    answers = []
    for cookies in ({}, sessions["everything"]):
        site.browser.cookies.clear()
        site.browser.cookies.update(cookies)
        answer = site.browser.request(method, asked.target, headers=asked.headers, content=asked.content)
        answers.append((answer.status_code, re.sub(r'"(request_id|free_bytes)":("[^"]*"|\d+)', "", answer.text)))
    site.browser.cookies.clear()

    assert answers[0] == answers[1]
    assert answers[0][0] == (200 if path == "/healthz" else 401)
