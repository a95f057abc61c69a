"""Forms that change something: who may send them, what comes of it, and what is said of a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.site import OWN, Site, form_token, open_site

PAGE = "/ui/p/laptop/FULL/a.tar.gz"
EMPTY = {"name": "", "reason": "", "until": ""}
AUDIT = {"name": "tax", "reason": "tax audit"}


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site") / "data") as site:
        yield site


def marks(site: Site) -> str:
    headers = {"Authorization": f"Bearer {site.token(Scope.LIST)}"}
    return site.browser.get("/api/v1/profiles/laptop/archives/FULL/a.tar.gz/marks", headers=headers).text


def log(site: Site) -> str:
    return "".join(file.read_text() for file in sorted(site.data.rglob("audit*.log*")))


def test_a_hold_is_made_in_the_name_of_the_session(site: Site) -> None:
    token = site.token(Scope.LIST, Scope.PRUNE)
    site.come_in(token)

    sent = site.send(PAGE, f"{PAGE}/hold", **AUDIT, until="2033-01-01")

    assert (sent.status_code, sent.headers["Location"]) == (303, f"{PAGE}?done=held")
    page = site.browser.get(sent.headers["Location"]).text
    assert "The archive is held" in page
    assert "tax audit" in page
    assert '"until":"2033-01-01T00:00:00Z"' in marks(site)
    assert re.search(rf'"{token.split("_")[1]}".*held by tax: tax audit', log(site))


def test_what_was_typed_is_kept_and_the_reason_said(site: Site) -> None:
    site.come_in(site.token(Scope.LIST, Scope.PRUNE))

    sent = site.send(PAGE, f"{PAGE}/hold", name="tax", reason="tax <audit>", until="2001-01-01")

    assert sent.status_code == 409
    assert 'role="alert">✕ That was not done: ' in sent.text
    assert 'value="tax &lt;audit&gt;"' in sent.text
    assert 'value="2001-01-01"' in sent.text
    assert '"holds":[]' in marks(site)


@pytest.mark.parametrize("fields", [EMPTY, {**AUDIT, "name": "no word"}, {**AUDIT, "until": "soon"}])
def test_a_form_with_nonsense_is_answered_by_its_page(site: Site, fields: dict[str, str]) -> None:
    site.come_in(site.token(Scope.LIST, Scope.PRUNE))

    sent = site.send(PAGE, f"{PAGE}/hold", **fields)

    assert sent.status_code == 400
    assert "That was not done" in sent.text
    assert sent.text.count("<h1") == 1


def test_a_session_without_the_scope_changes_nothing(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))

    assert "Hold it" not in site.browser.get(PAGE).text
    assert site.send(PAGE, f"{PAGE}/hold", **AUDIT).status_code == 403
    assert site.send(PAGE, f"{PAGE}/lock", until="2033-01-01").status_code == 403
    assert site.send(PAGE, f"{PAGE}/scrub").status_code == 403
    assert '"holds":[],"locked_until":null' in marks(site)


@pytest.mark.parametrize("action", ["hold", "lock", "scrub", "release"])
def test_a_form_must_come_from_a_page_of_the_session(site: Site, action: str) -> None:
    token = site.token(Scope.LIST, Scope.PRUNE, Scope.ADMIN)
    site.come_in(token)
    fields = {**AUDIT, "until": "2033-01-01", "token": token}
    foreign = {"Sec-Fetch-Site": "cross-site"}

    assert site.browser.post(f"{PAGE}/{action}", data=fields, headers=OWN).status_code == 403
    assert (
        site.browser.post(f"{PAGE}/{action}", data={**fields, "form_token": "ab" * 32}, headers=OWN).status_code == 403
    )
    assert site.browser.post(f"{PAGE}/{action}", data=fields, headers=foreign).status_code == 403
    assert '"holds":[],"locked_until":null' in marks(site)


def test_a_form_from_an_earlier_session_is_shown_again(site: Site) -> None:
    """With what was typed, so that it is sent once more and no more: another tab came in anew meanwhile."""
    token = site.token(Scope.LIST, Scope.PRUNE)
    site.come_in(token)
    fields = {"form_token": form_token(site.browser.get(PAGE)), **AUDIT}
    site.come_in(token)

    sent = site.browser.post(f"{PAGE}/hold", data=fields, headers=OWN)

    assert (sent.status_code, "That was not done: the page was from an earlier session" in sent.text) == (403, True)
    assert 'value="tax audit"' in sent.text
    assert '"holds":[]' in marks(site)
    again = site.browser.post(f"{PAGE}/hold", data={**fields, "form_token": form_token(sent)}, headers=OWN)
    assert "The archive is held" in again.text


def test_a_form_shows_its_page_only_to_those_who_may_see_it(site: Site) -> None:
    """Somebody who may hold archives and not look at them is told what was wrong, and nothing of the archive."""
    site.come_in(site.token(Scope.PRUNE))
    outside = site.browser.get(PAGE)
    assert outside.status_code == 403

    data = {"form_token": form_token(outside), **EMPTY}
    sent = site.browser.post(f"{PAGE}/hold", data=data, headers=OWN)

    assert (sent.status_code, "a hold is named by" in sent.text.lower()) == (400, True)
    assert "SHA-256" not in sent.text


def test_a_release_needs_a_token_in_the_form_and_is_done_in_its_name(site: Site) -> None:
    """Not even a session of an administrator is enough: its browser may have been left open."""
    everything = site.token(*Scope)
    site.come_in(everything)
    site.send(PAGE, f"{PAGE}/hold", **AUDIT)

    for token, why in [
        ("", "this needs a token in the form, and there was none"),
        ("tk_wrong", "this token is malformed"),
        (site.token(Scope.LIST, Scope.PRUNE), "this needs a token with the scope admin"),
        (site.token(Scope.ADMIN, profiles=("web-*",)), "is not for the profile laptop"),
    ]:
        sent = site.send(PAGE, f"{PAGE}/release", name="tax", token=token)
        assert sent.status_code == 403
        assert why in sent.text
        assert not token or token not in sent.text
    assert "tax audit" in marks(site)

    administrator = site.token(Scope.ADMIN, profiles=("lap*",))
    sent = site.send(PAGE, f"{PAGE}/release", name="tax", token=administrator)

    assert sent.headers["Location"] == f"{PAGE}?done=released"
    assert "tax audit" not in marks(site)
    assert re.search(rf'"{administrator.split("_")[1]}".*hold tax released', log(site))
    assert administrator.split("_")[2] not in log(site)


def test_wrong_tokens_in_forms_are_counted_as_those_in_headers(site: Site) -> None:
    site.come_in(site.token(*Scope))

    answers = [site.send(PAGE, f"{PAGE}/release", name="tax", token="tk_wrong") for _ in range(35)]

    assert {answer.status_code for answer in answers} == {403, 429}
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert "too many wrong tokens" in answers[-1].text


def test_archives_are_locked_and_read_again(site: Site) -> None:
    site.come_in(site.token(*Scope))

    assert site.send(PAGE, f"{PAGE}/lock", until="2033-01-01").headers["Location"] == f"{PAGE}?done=locked"
    assert site.send(PAGE, f"{PAGE}/scrub").headers["Location"] == f"{PAGE}?done=scrub_asked"

    assert '"locked_until":"2033-01-01T00:00:00Z"' in marks(site)
    assert "That was not done" in site.send(PAGE, f"{PAGE}/lock", until="2032-01-01").text


def test_an_address_says_only_what_is_on_the_list(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))

    assert 'class="done"' not in site.browser.get(f"{PAGE}?done=<b>everything").text
    assert 'role="status">✓ The hold is released.' in site.browser.get(f"{PAGE}?done=released").text


def test_a_server_without_tokens_shows_the_commands(tmp_path_factory: pytest.TempPathFactory) -> None:
    storage = StorageSettings(data=tmp_path_factory.mktemp("open") / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        client.put("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", content=make_targz({"a": b"a\n"}))
        page = client.get(PAGE).text
        sent = [client.post(f"{PAGE}/{action}", data=AUDIT, headers=OWN) for action in ("hold", "lock", "release")]

    assert "<form" not in page
    assert "tarkeep hold add laptop FULL/a.tar.gz --id NAME --reason WHY" in page
    assert {answer.status_code for answer in sent} == {403}
    assert "its pages change nothing" in sent[2].text
