"""Pages ask for themselves again, and get nothing while nothing has changed."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.watched import Watched

OWN = {"Sec-Fetch-Site": "same-origin"}
ASKED_AGAIN = {"HX-Request": "true"}


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx2.Client, Tarkeep]]:
    storage = StorageSettings(data=tmp_path_factory.mktemp("refreshing") / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, tarkeep):
        send(client, "laptop", "a")
        yield client, tarkeep


def send(client: httpx2.Client, profile: str, name: str) -> None:
    path = f"/api/v1/profiles/{profile}/archives/FULL/{name}.tar.gz"
    client.put(path, content=make_targz({name: b"x\n"})).raise_for_status()


def refreshed_from(page: httpx2.Response) -> str:
    found = re.search(r'hx-get="([^"]*)"', page.text)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize("page", ["/ui/", "/ui/?find=lap&light=green&start=0", "/ui/p/laptop"])
def test_nothing_is_sent_while_nothing_has_changed(served: tuple[httpx2.Client, Tarkeep], page: str) -> None:
    """The query is carried along, and another archive is a change."""
    client, _ = served
    where = refreshed_from(client.get(page))
    assert where.startswith(page)

    first, second = (client.get(where, headers=ASKED_AGAIN) for _ in range(2))
    assert (first.status_code, first.content, second.status_code) == (204, b"", 204)
    send(client, "laptop", "b")
    third = client.get(where, headers=ASKED_AGAIN)

    assert third.status_code == 200
    assert refreshed_from(third) != where


def test_another_profile_does_not_change_the_page_of_this_one(served: tuple[httpx2.Client, Tarkeep]) -> None:
    client, _ = served
    fleet, profile = (refreshed_from(client.get(page)) for page in ("/ui/", "/ui/p/laptop"))
    send(client, "web-1", "a")

    assert client.get(fleet).status_code == 200
    assert client.get(profile).status_code == 204


def test_when_it_was_looked_at_is_told_though_nothing_has_changed() -> None:
    """So that a page which stays as it is does not look old. That the jobs stand still is a change."""
    watched = Watched()
    watched.receive("a")
    for _ in range(2):  # the first is too soon after the start
        watched.look()
    tarkeep = watched.tarkeep
    before = tarkeep.mark_changes(with_server=True)
    watched.look()
    after = tarkeep.mark_changes(with_server=True)

    assert before.word == after.word
    assert before.looked_at is not None
    assert after.looked_at is not None
    assert before.looked_at < after.looked_at
    watched.clock.advance(timedelta(minutes=6))
    assert tarkeep.mark_changes(with_server=True).word != after.word


def test_who_is_not_let_in_any_more_gets_the_whole_page_anew(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A part of a page cannot show the form for a token."""
    storage = StorageSettings(data=tmp_path_factory.mktemp("out") / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        tokens = open_tokens(storage)
        made = tokens.make(frozenset({Scope.LIST}), ("*",))
        client.post("/ui/login", data={"token": made.text}, headers=OWN)
        where = refreshed_from(client.get("/ui/"))
        assert client.get(where, headers=ASKED_AGAIN).status_code == 204

        tokens.revoke(made.token.id)

        answer = client.get(where, headers=ASKED_AGAIN)
        assert (answer.status_code, answer.headers["HX-Refresh"], answer.content) == (401, "true", b"")


def test_pages_and_what_they_load_are_packed(served: tuple[httpx2.Client, Tarkeep]) -> None:
    """The first visit is at most 6 requests and 80 KB; what is downloaded is sent as it is."""
    client, _ = served
    page = client.get("/ui/")
    names = sorted(set(re.findall(r'(?:href|src)="(/ui/static/[^"]*)"', page.text)))
    sizes = {}
    for name in ("/ui/", *names):
        with client.stream("GET", name, headers={"Accept-Encoding": "br, gzip;q=0.8"}) as answer:
            packed = b"".join(answer.iter_raw())
        with client.stream("GET", name, headers={"Accept-Encoding": "gzip;q=0, identity"}) as answer:
            plain = b"".join(answer.iter_raw())
        assert "Accept-Encoding" in answer.headers["Vary"]
        if answer.headers["Content-Type"].startswith(("text/html", "text/css", "text/javascript")):
            assert gzip.decompress(packed) == plain or name == "/ui/"
        sizes[name] = len(packed)

    assert len(sizes) <= 6
    assert sum(sizes.values()) <= 80_000
    assert sum(size for name, size in sizes.items() if name.endswith(".js")) <= 20_000
    assert sum(size for name, size in sizes.items() if name.endswith(".css")) <= 12_000
    download = client.get("/ui/p/laptop/restore.tar", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in download.headers
