"""Coming in with a token: sessions, their cookie, and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tests.support.site import OWN, Site, form_token, open_site, without_form_tokens


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site") / "data") as site:
        yield site


def test_a_page_is_shown_after_coming_in(site: Site) -> None:
    asked = site.browser.get("/ui/p/laptop?x=1", follow_redirects=False)
    assert (asked.status_code, asked.headers["Location"]) == (303, "/ui/login?to=%2Fui%2Fp%2Flaptop%3Fx%3D1")

    data = {"token": site.token(Scope.LIST), "to": "/ui/p/laptop?x=1"}
    came = site.browser.post("/ui/login", data=data, headers=OWN, follow_redirects=False)

    assert (came.status_code, came.headers["Location"]) == (303, "/ui/p/laptop?x=1")
    assert re.fullmatch(r"tarkeep-session=[\w-]{43}; Path=/ui; HttpOnly; SameSite=Strict", came.headers["Set-Cookie"])
    assert site.browser.get("/ui/p/laptop").status_code == 200


@pytest.mark.parametrize("to", ["https://evil.example/ui/", "//evil.example/ui/", "/ui/\\evil", "/api/v1", "/ui/login"])
def test_nobody_is_sent_elsewhere(site: Site, to: str) -> None:
    data = {"token": site.token(Scope.LIST), "to": to}
    came = site.browser.post("/ui/login", data=data, headers=OWN, follow_redirects=False)

    assert came.headers["Location"] == "/ui/"


def test_a_wrong_token_is_told_and_counted(site: Site) -> None:
    answers = [site.come_in("tk_wrong") for _ in range(40)]

    assert {answer.status_code for answer in answers} == {403, 429}
    assert "You were not let in: this token is malformed" in answers[0].text
    assert "Set-Cookie" not in answers[0].headers
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_another_site_cannot_bring_somebody_in(site: Site, headers: dict[str, str]) -> None:
    assert site.come_in(site.token(Scope.LIST), **headers).status_code == 403


def test_an_old_browser_says_its_origin(site: Site) -> None:
    assert (
        site.come_in(site.token(Scope.LIST), **{"Sec-Fetch-Site": "", "Origin": "http://127.0.0.1"}).status_code == 303
    )


def test_a_session_has_what_its_token_has(site: Site) -> None:
    """Scopes and profiles; what is foreign is not told apart from what is not there."""
    site.come_in(site.token(Scope.LIST, profiles=("web-*",)))

    fleet = site.browser.get("/ui/").text
    assert "web-1" in fleet
    assert "laptop" not in fleet
    foreign, unknown = site.browser.get("/ui/p/laptop"), site.browser.get("/ui/p/other1")
    assert foreign.status_code == unknown.status_code == 404
    assert without_form_tokens(foreign).replace("laptop", "other1") == without_form_tokens(unknown)
    assert site.browser.get("/ui/p/web-1/restore.tar").status_code == 403  # that needs pull
    site.come_in(site.token(Scope.PUSH))
    assert site.browser.get("/ui/").status_code == 403


def test_a_revoked_token_ends_its_sessions(site: Site) -> None:
    token = site.token(Scope.LIST)
    site.come_in(token)
    assert site.browser.get("/ui/").status_code == 200

    site.tokens.revoke(token)

    assert site.browser.get("/ui/", follow_redirects=False).headers["Location"].startswith("/ui/login")


def test_the_api_never_looks_at_the_cookie(site: Site) -> None:
    """Nor do pages look at a token in the header: a browser would send it by itself."""
    token = site.token(*Scope)
    site.come_in(token)
    assert site.browser.cookies
    assert site.browser.get("/api/v1/profiles").status_code == 401

    site.browser.cookies.clear()
    answer = site.browser.get("/ui/", headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)
    assert answer.status_code == 303


def test_going_out_needs_a_page_of_the_same_session(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))
    first, second = (form_token(site.browser.get("/ui/")) for _ in range(2))
    assert first != second  # masked anew each time
    for wrong in ("", first[:-1] + ("0" if first[-1] != "0" else "1"), "zz", "ab" * 32):
        assert _go_out(site, wrong).status_code == 403
    assert site.browser.get("/ui/").status_code == 200

    cookies = dict(site.browser.cookies)
    assert _go_out(site, first).headers["Location"] == "/ui/login"

    site.browser.cookies.update(cookies)  # the session is over, not just forgotten
    assert site.browser.get("/ui/", follow_redirects=False).status_code == 303


def test_a_form_of_a_page_has_no_origin(site: Site) -> None:
    """Browsers send "null", since pages tell nobody where somebody was; but they say that it is of this server."""
    site.come_in(site.token(Scope.LIST))
    data = {"form_token": form_token(site.browser.get("/ui/"))}
    for origin_of, status in (({"Sec-Fetch-Site": "cross-site"}, 403), ({}, 403), (OWN, 303)):
        headers = {"Origin": "null", **origin_of}
        assert site.browser.post("/ui/logout", data=data, headers=headers, follow_redirects=False).status_code == status


def test_who_follows_a_link_from_a_mail_asks_again(site: Site) -> None:
    """The browser keeps the cookie back then; a page that asks for itself again brings it."""
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    again = site.browser.get("/ui/p/laptop", headers=link, follow_redirects=False)
    assert '<meta http-equiv="refresh" content="0">' in again.text
    assert "a.tar.gz" not in again.text
    assert site.browser.get("/ui/p/laptop", headers=OWN, follow_redirects=False).status_code == 303
    embedded = {**link, "Sec-Fetch-Dest": "iframe"}
    assert "refresh" not in site.browser.get("/ui/p/laptop", headers=embedded, follow_redirects=False).text


def _go_out(site: Site, token: str) -> httpx2.Response:
    return site.browser.post("/ui/logout", data={"form_token": token}, headers=OWN, follow_redirects=False)
