"""Tokens as a browser shows them, and revoking one."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator

import pytest

from tarkeep.domain.access.tokens import Scope, token_id
from tests.support.site import Site, open_site


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("tokens") / "data") as site:
        yield site


def test_tokens_are_shown_with_what_they_may_do(site: Site) -> None:
    """And never themselves."""
    text = site.token(*Scope)
    odd = site.tokens.make(frozenset({Scope.PUSH}), ("web-*",), note="<b>\u202e of web").token
    gone = site.token(Scope.PULL)
    site.tokens.revoke(gone)
    site.come_in(text)

    page = site.browser.get("/ui/tokens").text

    assert odd.id in page
    assert "&lt;b&gt;\\u202e of web" in page
    assert page.count("may do everything, to all profiles, from anywhere") == 1
    assert "1 token that is over" in page
    assert all(one not in page for one in (text, gone, odd.sha256))


def test_a_token_is_revoked_by_somebody_who_has_one_for_that(site: Site) -> None:
    """The session is not enough, and neither is a token for less."""
    mine, other, weak = site.token(Scope.ADMIN), site.token(Scope.LIST), site.token(Scope.PRUNE)
    partial = site.token(Scope.ADMIN, profiles=("web-*",))
    site.come_in(other)
    assert site.browser.get("/ui/").status_code == 200
    others = dict(site.browser.cookies)
    site.come_in(mine)
    action = f"/ui/tokens/{token_id(other)}/revoke"

    for proof in ("", "tk_wrong", weak, partial):
        refused = site.send("/ui/tokens", action, token=proof)
        assert refused.status_code == 403
        assert "That was not done" in refused.text
    done = site.send("/ui/tokens", action, token=mine)

    assert done.status_code == 303
    assert "The token is revoked" in site.browser.get(done.headers["Location"]).text
    newest = next(iter(site.tokens.audit.newest_first()))
    assert f'"who": "{token_id(mine)}", "address": "' in newest.decode()
    assert f'"what": "token {token_id(other)}"' in newest.decode()
    site.browser.cookies.clear()
    site.browser.cookies.update(others)
    assert site.browser.get("/ui/", follow_redirects=False).status_code == 303


def test_whoever_revokes_their_own_token_is_out(site: Site) -> None:
    mine = site.token(Scope.ADMIN)
    site.come_in(mine)

    done = site.send("/ui/tokens", f"/ui/tokens/{token_id(mine)}/revoke", token=mine)

    assert (
        site.browser.get(done.headers["Location"], follow_redirects=False).headers["Location"].startswith("/ui/login")
    )


def test_a_token_that_is_not_there_is_not_revoked(site: Site) -> None:
    mine = site.token(Scope.ADMIN)
    site.come_in(mine)

    answer = site.send("/ui/tokens", "/ui/tokens/aaaaaaaa/revoke", token=mine)

    assert (answer.status_code, "no token &#39;aaaaaaaa&#39;" in answer.text) == (404, True)


@pytest.mark.parametrize("scopes", [(Scope.LIST, Scope.PRUNE), (Scope.ADMIN,)])
def test_only_for_who_administers_everything(site: Site, scopes: tuple[Scope, ...]) -> None:
    site.come_in(site.token(*scopes, profiles=("web-*",) if Scope.ADMIN in scopes else ("*",)))

    assert site.browser.get("/ui/tokens").status_code == 403
    assert "/ui/tokens" not in site.browser.get("/ui/log").text


def test_the_page_writes_the_command_that_makes_one(site: Site) -> None:
    """Quoted, so that whatever was typed stays a word of it."""
    site.come_in(site.token(Scope.ADMIN))

    query = {"profile": "laptop web-*", "scope": ["push", "list"], "note": "o'brien; $(id)", "days": "090"}
    page = site.browser.get("/ui/tokens", params=query).text

    (line,) = [html.unescape(one) for one in re.findall(r"<code>(tarkeep token create.*?)</code>", page)]
    assert shlex.split(line) == [
        *("tarkeep", "token", "create", "--profile", "laptop", "--profile", "web-*", "--scope", "push"),
        *("--scope", "list", "--note", "o'brien; $(id)", "--expires", "90d"),
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"profile": " ", "scope": "push"}, "Say for which profiles"),
        ({"profile": "a/b", "scope": "push"}, "a/b is no pattern"),
        ({"profile": "laptop", "scope": "everything"}, "Choose at least one"),
        ({"profile": "laptop", "scope": "push", "days": "-1"}, "The number of days"),
    ],
)
def test_what_the_command_lacks_is_told_beside_the_form(site: Site, query: dict[str, str], said: str) -> None:
    site.come_in(site.token(Scope.ADMIN))
    page = site.browser.get("/ui/tokens", params=query)

    assert page.status_code == 200
    assert said in page.text
    assert "tarkeep token create" not in page.text
