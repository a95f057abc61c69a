"""
Access to every route by every scope, for a profile of one's own and for a foreign one.

The cells are made from the router, so that a route without declared access fails here. Requests about foreign profiles
must be answered word for word like those about profiles that do not exist.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from attrs import evolve, field, frozen
from starlette.testclient import TestClient

from tarkeep.adapters.filesystem.chained.evidence_log import FileEvidenceLog
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.evidence.entry import EvidenceEntry, EvidenceKind, month_of
from tarkeep.domain.usecases.access.tokens import ListTokens, MadeToken, MakeToken, RevokeToken
from tarkeep.entrypoints.http.app import create_app, routes
from tarkeep.entrypoints.http.edge.access import GuardedRoute, Where, access_table
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.access_expected import ARCHIVE, EXPECTED, PROFILE, UPLOAD, WHOLE_ARCHIVE
from tests.support.archives import make_targz
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock
from tests.support.server import in_process
from tests.support.tus import BYTES, TUS, UPLOADS, described

_numbers = itertools.count(1)
NAME = "full_2026-11-20_00-00-00.tar.gz"
OWN, FOREIGN, UNKNOWN = "web-1", "db-1", "db-2"
SNAPSHOT = b"GNU tar-1.34-2\n1700000000\x000\x00"


@cache
def content(profile: str) -> bytes:
    """The archive that a profile has here, with a file that is named after it."""
    return make_targz({f"{profile}.txt": b"first\n"})


CONTENT = content(OWN)
ACCESS = access_table(routes())
ROUTES = sorted(ACCESS)
# a run of a job concerns no profile, has another number each time, and goes on in a thread of its own
ABOUT_PROFILES = [
    route for route in ROUTES if route not in (("POST", "/api/v1/jobs/{job}/run"), ("POST", "/api/v1/scrub"))
]


@frozen
class Served:
    """A server with the same content in two profiles, and its tokens by purpose."""

    client: httpx2.Client
    tarkeep: Tarkeep
    tokens: Tokens

    def token(self, *scopes: Scope, profiles: tuple[str, ...] = ("web-*",)) -> str:
        return self.tokens.make(frozenset(scopes), profiles).text

    def ask(self, token: str | None, request: Request) -> httpx2.Response:
        # every request has an address of its own, so that the limits by address do not matter
        headers = {"X-Forwarded-For": f"2001:db8::{next(_numbers):x}", **request.headers}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        with self.client.stream(request.method, request.target, headers=headers, content=request.content) as response:
            response.read()
        return response


@frozen
class Request:
    method: str
    target: str
    headers: dict[str, str] = field(factory=dict)
    content: bytes | None = None


def metadata(profile: str, name: str) -> str:
    told = {"filename": name, "profile": profile, "type": "FULL"}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())


def form(profile: str, name: str) -> bytes:
    return (
        (
            f'--b\r\nContent-Disposition: form-data; name="profile"\r\n\r\n{profile}\r\n'
            f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        ).encode()
        + content(profile)
        + b"\r\n--b--\r\n"
    )


def inventory(profile: str) -> bytes:
    return json.dumps(
        {"profile": profile, "local_backups": {"FULL": [{"name": NAME, "size": 1, "md5": "0" * 32}]}}
    ).encode()


Made = Callable[[str, str], tuple[str, dict[str, str], bytes | None]]
"""The rest of a request besides its path: query, headers and body, by profile and name."""

MORE: dict[tuple[str, str], Made] = {
    ("POST", "/upload"): lambda profile, name: (
        "",
        {"Content-Type": "multipart/form-data; boundary=b"},
        form(profile, name),
    ),
    ("PUT", WHOLE_ARCHIVE): lambda profile, name: ("", {}, content(profile)),
    ("PUT", ARCHIVE + "/snapshot"): lambda profile, name: ("", {}, SNAPSHOT),
    ("POST", "/verify"): lambda profile, name: ("", {}, inventory(profile)),
    ("POST", "/api/v1/verify"): lambda profile, name: ("", {}, inventory(profile)),
    ("POST", "/api/v1/uploads"): lambda profile, name: (
        "",
        {**TUS, "Upload-Length": "10", "Upload-Metadata": metadata(profile, name)},
        None,
    ),
    ("GET", PROFILE + "/find"): lambda profile, name: ("?name=a", {}, None),
    ("GET", PROFILE + "/history"): lambda profile, name: (f"?path={profile}.txt", {}, None),
}
MORE |= {
    ("POST", PROFILE + last): lambda profile, name: ("", {}, json.dumps({"plan": "0" * 64}).encode())
    for last in ("/prune", "/prune/approve")
}
MORE[("POST", PROFILE + "/prune/simulate")] = lambda profile, name: ("", {}, b'{"days": 3}')
MORE[("PUT", ARCHIVE + "/holds/{hold:path}")] = lambda profile, name: ("", {}, b'{"reason": "tax audit"}')
MORE[("DELETE", PROFILE + "/brake")] = lambda profile, name: (f"?to=FULL/{name}", {}, None)
MORE[("PUT", ARCHIVE + "/lock")] = lambda profile, name: ("", {}, b'{"until": "2033-01-01T00:00:00Z"}')
MORE[("POST", "/api/v1/drills/{id}/report")] = lambda profile, name: ("", {}, b'{"names": 0}\n')
MORE[("GET", "/api/v1/evidence")] = lambda profile, name: (f"?month={month_of(FixedClock().now())}", {}, None)
MORE |= {
    ("GET", path): lambda profile, name: (f"?profile={profile}", {}, None)
    for path in (
        "/list",
        "/list/{type}",
        "/download/{type}/{name:path}",
        "/api/v1/archives",
        "/api/v1/drills",
        "/api/v1/drills/due",
    )
}


def request(method: str, path: str, profile: str, upload: str, name: str = NAME) -> Request:
    """A request of that route about *profile*, or about *upload*."""
    values = {
        "profile": profile,
        "type": "FULL",
        "name": name,
        "path": f"{profile}.txt",
        "upload": upload,
        "hold": "audit",
        "job": "purge",
        "id": upload or "none",
    }
    target = re.sub(r"\{(\w+)(:path)?\}", lambda found: values[found[1]], path)
    key = ("GET", path) if method == "HEAD" else (method, path)
    query, headers, content = MORE[key](profile, name) if key in MORE else ("", TUS, None)
    return Request(method, target + query, headers, content)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    storage = StorageSettings(
        data=tmp_path_factory.mktemp("access") / "data",
        reserve_bytes=0,
        max_open_uploads_per_token=1000,
        job_watch="off",  # what it looks at changes what is told
    )
    settings = ServerSettings(trusted_proxies=("127.0.0.1",))
    with in_process(storage, settings, address="127.0.0.1") as (client, tarkeep):
        tokens = open_tokens(storage)
        served = Served(client, tarkeep, tokens)
        all = served.token(*Scope, profiles=("*",))
        FileEvidenceLog(storage.data).append(EvidenceEntry(FixedClock().now(), EvidenceKind.DAMAGED, {}))
        for profile in (OWN, FOREIGN):
            stored = served.ask(all, request("PUT", WHOLE_ARCHIVE, profile, ""))
            kept = served.ask(all, request("PUT", ARCHIVE + "/snapshot", profile, ""))
            assert (stored.status_code, kept.status_code) == (201, 201), (stored.text, kept.text)
            served.ask(all, request("PUT", ARCHIVE + "/holds/{hold:path}", profile, "")).raise_for_status()
        yield served


@pytest.fixture(scope="module")
def by_scope(served: Served) -> dict[Scope, str]:
    return {scope: served.token(scope) for scope in Scope}


def begun(served: Served, token: str, profile: str = OWN) -> str:
    answer = served.ask(token, request("POST", "/api/v1/uploads", profile, "", name="begun.tar.gz"))
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def told(answer: httpx2.Response, *names: str) -> tuple[int, str]:
    """Status and body, without the parts that differ between any two requests, nor the names they were about."""
    text = re.sub(r'"(request_id|timestamp|free_bytes|seen_at)":("[^"]*"|\d+)', "", answer.text)
    for name in names:
        text = text.replace(name, "NAME")
    return answer.status_code, text


def test_every_route_is_open_to_whom_it_should_be() -> None:
    """As in the second table here; and every route of the application is guarded."""
    assert EXPECTED == ACCESS
    assert all(isinstance(route, GuardedRoute) for route in routes())


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_token_only_health_is_told(served: Served, method: str, path: str) -> None:
    """Nor with a wrong one, for any route; and the answer says how to send a token."""
    for token in (None, "tk_nonsense"):
        answer = served.ask(token, request(method, path, OWN, "none"))

        if path == "/healthz":
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tarkeep", Basic realm="tarkeep"'
            assert method == "HEAD" or answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize("scope", list(Scope), ids=lambda scope: scope.value)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_scope_opens_its_routes_and_no_others(
    served: Served, by_scope: dict[Scope, str], method: str, path: str, scope: Scope
) -> None:
    """In a profile of one's own, with one's own upload."""
    row = ACCESS[method, path]
    token = served.token(scope, profiles=("*",)) if row.profile is Where.EVERY else by_scope[scope]
    upload = begun(served, by_scope[Scope.PUSH]) if "{upload}" in path else ""
    if "{id}" in path:
        due = served.ask(by_scope[Scope.DRILL], request("GET", "/api/v1/drills/due", OWN, ""))
        upload = due.json()["drill"]["id"]
    name = f"{scope.value}-{method}.tar.gz" if (method, path) == ("POST", "/api/v1/uploads") else NAME

    answer = served.ask(token, request(method, path, OWN, upload, name))

    if path == "/api/v1/replicate" and scope in row.scopes:  # no token suffices: it is for the host only
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-request")
    elif row.is_open or not row.scopes or scope in row.scopes:
        assert answer.status_code not in (401, 403, 404), answer.text
        assert answer.status_code < 500
    else:
        assert answer.status_code == 403
        if method != "HEAD":
            assert answer.json()["code"] == "insufficient-scope"
            assert answer.json()["needed_scopes"] == [one.value for one in row.scopes]


@pytest.mark.parametrize(("method", "path"), ABOUT_PROFILES)
def test_what_is_foreign_is_told_like_what_is_not_there(served: Served, method: str, path: str) -> None:
    """For a principal with every scope, in profiles of its own; and nothing is looked up for the request."""
    row, token = ACCESS[method, path], served.token(*Scope)
    theirs, mine = "1" * 32, "2" * 32
    if "{upload}" in path:
        theirs, mine = begun(served, served.token(Scope.PUSH, profiles=("*",)), FOREIGN), begun(served, token)

    foreign = served.ask(token, request(method, path, FOREIGN, theirs))
    unknown = served.ask(token, request(method, path, UNKNOWN, mine[:-1] + "x" if mine[-1] != "x" else mine[:-1] + "y"))

    assert told(foreign, FOREIGN, theirs) == told(unknown, UNKNOWN, mine[:-1] + "x", mine[:-1] + "y")
    if row.profile in (Where.PATH, Where.UPLOAD):
        assert foreign.status_code == 404
    if row.profile not in (Where.NONE, Where.EVERY) and method != "HEAD":
        assert f"{FOREIGN}.txt" not in foreign.text.replace(f"/{FOREIGN}.txt", "")


EVERYWHERE = sorted(route for route, row in ACCESS.items() if row.profile is Where.EVERY)


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
@pytest.mark.parametrize("profiles", [(OWN,), (OWN, FOREIGN), ("*-*", "l*")])
def test_what_concerns_all_profiles_needs_a_token_for_all(
    served: Served, method: str, path: str, profiles: tuple[str, ...]
) -> None:
    """Whoever administers a part could otherwise end what protects the rest, such as the doubt about the clock."""
    answer = served.ask(served.token(*Scope, profiles=profiles), request(method, path, OWN, "none"))

    assert answer.status_code == 403
    if method != "HEAD":
        assert answer.json()["code"] == "insufficient-scope"
        assert "for all profiles" in answer.json()["detail"]


class Noting:
    """Records each use of an adapter's public name, in *noted*; it comes before the adapter among the bases."""

    noted: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_") and threading.current_thread().name != "jobs":  # which look at their own times
            Noting.noted.append(f"{type(self).__mro__[2].__name__}.{name}")
        return super().__getattribute__(name)


class NotingCatalog(Noting, MemoryCatalog):
    pass


class NotingStore(Noting, MemoryArchiveStore):
    pass


class NotingSessions(Noting, MemoryUploadSessions):
    pass


class NotingRecords(Noting, MemoryMemberRecords):
    pass


@pytest.fixture(scope="module")
def noting() -> Iterator[tuple[Served, str, str]]:
    """A server over adapters that record their calls, and a token for everything and one for a part."""
    clock = FixedClock()
    tarkeep = assembled(NotingStore(clock), NotingCatalog(), clock, sessions=NotingSessions(), records=NotingRecords())
    make = MakeToken(tarkeep.token_store, clock, secrets.token_bytes, tarkeep.audit)
    tokens = Tokens(
        make, ListTokens(tarkeep.token_store), RevokeToken(tarkeep.token_store, clock, tarkeep.audit), tarkeep.audit
    )
    with closing(create_app(tarkeep)) as app, TestClient(app, raise_server_exceptions=False) as client:
        served = Served(client, tarkeep, tokens)
        wide = served.token(*Scope, profiles=("*",))
        for profile in (OWN, FOREIGN):
            assert served.ask(wide, request("PUT", WHOLE_ARCHIVE, profile, "")).status_code == 201
            assert served.ask(wide, request("PUT", ARCHIVE + "/snapshot", profile, "")).status_code == 201
        yield served, wide, served.token(*Scope)


@pytest.mark.parametrize(("method", "path"), ABOUT_PROFILES)
def test_nothing_more_is_done_for_what_is_foreign_than_for_what_is_not_there(
    noting: tuple[Served, str, str], method: str, path: str
) -> None:
    """The same calls of store, catalog, uploads and records, so that the response time reveals nothing either."""
    served, wide, narrow = noting
    theirs = begun(served, wide, FOREIGN) if "{upload}" in path else "0" * 32

    def done(token: str, profile: str, upload: str) -> list[str]:
        Noting.noted.clear()
        served.ask(token, request(method, path, profile, upload))
        return Noting.noted.copy()

    done(narrow, UNKNOWN, "0" * len(theirs))  # what is looked up once for all
    foreign, unknown = done(narrow, FOREIGN, theirs), done(narrow, UNKNOWN, "0" * len(theirs))

    assert foreign == unknown
    if ACCESS[method, path].profile is Where.PATH:
        assert foreign == []
        assert done(wide, FOREIGN, theirs) != []


@pytest.mark.parametrize("scope", list(Scope), ids=lambda scope: scope.value)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_missing_scope_is_told_before_anything_of_a_profile(
    served: Served, by_scope: dict[Scope, str], method: str, path: str, scope: Scope
) -> None:
    """A foreign profile is refused like one's own if the scope is missing."""
    row = ACCESS[method, path]
    if row.is_open or not row.scopes or scope in row.scopes:
        return

    answer = served.ask(by_scope[scope], request(method, path, FOREIGN, "none"))

    assert answer.status_code == 403


def test_lists_hold_what_the_token_sees(served: Served) -> None:
    """Archives, totals, profiles and comparisons, without a profile asked for."""
    token = served.token(*Scope)
    asked: dict[str, Any] = {
        path: served.ask(token, Request("GET", path)).json()
        for path in ("/list", "/list/FULL", "/stats", "/api/v1/archives", "/api/v1/profiles")
    }
    compared = served.ask(token, Request("POST", "/verify", content=b'{"local_backups": {}}')).json()

    assert {archive["profile"] for archive in asked["/list"]["backups"]["FULL"]} == {OWN}
    assert {archive["profile"] for archive in asked["/list/FULL"]["backups"]} == {OWN}
    count = asked["/list/FULL"]["count"]
    assert asked["/stats"]["total"]["files"] == asked["/list"]["total_count"] == count
    assert {archive["profile"] for archive in asked["/api/v1/archives"]["archives"]} == {OWN}
    assert [profile["profile"] for profile in asked["/api/v1/profiles"]["profiles"]] == [OWN]
    assert compared["verification"]["FULL"]["remote_count"] == count


def test_pages_tell_nothing_of_what_is_in_between(served: Served) -> None:
    """Each is full except the last, which is not empty, however many foreign archives lie between one's own."""
    wide = served.token(*Scope, profiles=("*",))
    names = [f"page-{number}.tar.gz" for number in range(7)]
    for profile in ("p-1", "q-1", "p-2", "q-2"):
        for name in names:
            served.ask(wide, request("PUT", WHOLE_ARCHIVE, profile, "", name))
    token = served.token(Scope.LIST, profiles=("p-*",))

    pages, target = [], "/api/v1/archives?limit=4"
    while target:
        answer = served.ask(token, Request("GET", target))
        pages.append([archive["name"] for archive in answer.json()["archives"]])
        link = answer.headers.get("Link")
        target = link.partition("<")[2].partition(">")[0] if link else ""

    assert [len(page) for page in pages] == [4, 4, 4, 2]
    assert [name for page in pages for name in page] == names * 2


def test_a_download_without_a_profile_finds_what_the_token_sees(served: Served) -> None:
    """Foreign profiles with that name neither answer nor make it ambiguous."""
    narrow = served.ask(served.token(Scope.PULL), Request("GET", f"/download/FULL/{NAME}"))
    wide = served.ask(served.token(Scope.PULL, profiles=("*",)), Request("GET", f"/download/FULL/{NAME}"))

    assert (narrow.status_code, narrow.content) == (200, CONTENT)
    assert wide.status_code == 409


def test_a_form_for_a_foreign_profile_leaves_nothing(served: Served) -> None:
    """Also where the profile stands behind the file, as curl lines of deployed scripts have it."""
    token = served.token(Scope.PUSH)
    file, profile = b'form-data; name="file"; filename="x.tar.gz"', b'form-data; name="profile"'
    content = b"".join(
        b"--b\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % part
        for part in ((file, CONTENT), (profile, FOREIGN.encode()))
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = served.ask(token, Request("POST", "/upload", headers, content + b"--b--\r\n"))
    without = served.ask(
        token, Request("POST", "/upload", headers, content.replace(b'"profile"', b'"other"') + b"--b--\r\n")
    )

    assert (answer.status_code, answer.json()["detail"]) == (404, f"no profile {FOREIGN}")
    assert (without.status_code, without.json()["detail"]) == (404, "no profile default")


def test_uploads_are_joined_by_whom_they_belong_to(served: Served) -> None:
    """Parts of another token do not exist for it."""
    mine, theirs = served.token(Scope.PUSH), served.token(Scope.PUSH)
    part = served.ask(
        theirs, Request("POST", "/api/v1/uploads", {**TUS, "Upload-Length": "1", "Upload-Concat": "partial"})
    )
    headers = {
        **TUS,
        "Upload-Concat": f"final;{part.headers['Location']}",
        "Upload-Metadata": metadata(OWN, "j.tar.gz"),
    }

    assert served.ask(mine, Request("POST", "/api/v1/uploads", headers)).status_code == 404
    assert served.ask(theirs, Request("POST", "/api/v1/uploads", headers)).status_code == 400  # it is not complete


def test_a_token_may_come_as_password(served: Served) -> None:
    """As curl -u and old clients send it, whatever the user is called."""
    token = served.token(Scope.LIST)
    for user in ("", "anybody"):
        login = base64.b64encode(f"{user}:{token}".encode()).decode()
        assert served.client.get("/list", headers={"Authorization": f"Basic {login}"}).status_code == 200
    for wrong in ("Basic !", "Basic", "Bearer", f"Bearer {token}x", f"Digest {token}", f"Basic {token}"):
        assert served.client.get("/list", headers={"Authorization": wrong}).status_code == 401


def test_a_page_of_another_site_gets_nothing_by_a_password_the_browser_keeps(served: Served) -> None:
    """Browsers send a login with every request of a page; they have no bearer token."""
    token = served.token(Scope.LIST)
    login = {"Authorization": f"Basic {base64.b64encode(f':{token}'.encode()).decode()}"}
    bearer = {"Authorization": f"Bearer {token}"}
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert served.client.get("/list", headers=login | foreign).json()["code"] == "foreign-request"
        assert served.client.get("/list", headers=bearer | foreign).status_code == 200


def test_a_revoked_token_is_out_with_the_next_request(served: Served) -> None:
    """An expired one too, and one from a foreign network; its holder gets the reason."""
    made = served.tokens.make(frozenset({Scope.LIST}), ("*",))
    assert served.ask(made.text, Request("GET", "/list")).status_code == 200

    served.tokens.revoke(made.token.id)

    answer = served.ask(made.text, Request("GET", "/list"))
    assert (answer.status_code, answer.json()["detail"]) == (401, "this token is revoked")


def sent_while_revoked(
    served: Served, made: MadeToken, path: str, about: dict[str, str], body: bytes
) -> httpx2.Response:
    """The answer to a body whose last byte arrives after its token was revoked."""

    def blocks() -> Iterator[bytes]:
        yield body[:-1]
        served.tokens.revoke(made.token.id)
        yield body[-1:]

    headers = {"Authorization": f"Bearer {made.text}", **about}
    method = "PATCH" if "/uploads/" in path else "POST" if path in ("/upload", UPLOADS) else "PUT"
    return served.client.request(method, path, headers=headers, content=blocks())


@pytest.mark.parametrize("way", ["put", "form", "tus", "tus at once", "snapshot"])
def test_nothing_is_stored_for_a_token_that_was_revoked_meanwhile(tmp_path: Path, way: str) -> None:
    """By any route: the answer says that it is revoked, and nothing was stored."""
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0)
    with in_process(storage) as (client, tarkeep):
        served = Served(client, tarkeep, open_tokens(storage))
        made = served.tokens.make(frozenset({Scope.PUSH}), ("*",))
        place, about, body = f"/api/v1/profiles/{OWN}/archives/FULL/a.tar.gz", dict[str, str](), CONTENT
        begins = {**BYTES, "Upload-Length": str(len(CONTENT)), "Upload-Metadata": metadata(OWN, "a.tar.gz")}
        match way:
            case "form":
                place, body = "/upload", form(OWN, "a.tar.gz")
                about = {"Content-Type": "multipart/form-data; boundary=b"}
            case "tus":
                place = f"{UPLOADS}/{begun(served, made.text)}"
                about = {**BYTES, "Upload-Offset": "0", "Upload-Length": "10"}
                body = CONTENT[:10]
            case "tus at once":
                place, about = UPLOADS, begins
            case "snapshot":
                served.ask(made.text, request("PUT", WHOLE_ARCHIVE, OWN, "", "a.tar.gz"))
                place, body = place + "/snapshot", SNAPSHOT

        answer = sent_while_revoked(served, made, place, about, body)

        assert (answer.status_code, answer.json()["detail"]) == (401, "this token is revoked")
        stored = sorted(path.name for path in (tmp_path / "data" / "archives").rglob("*") if path.is_file())
        assert stored == (["a.tar.gz", "a.tar.gz.json"] if way == "snapshot" else [])


def test_the_last_use_is_kept(served: Served) -> None:
    """To the minute, for the list of tokens."""
    made = served.tokens.make(frozenset({Scope.LIST}), ("*",))
    served.ask(made.text, Request("GET", "/list"))

    served.tarkeep.token_store.keep_uses()

    used_at = next(used for token, used in served.tokens.all() if token.id == made.token.id)
    assert used_at is not None
    assert used_at.second == used_at.microsecond == 0


def test_too_many_wrong_tokens_are_answered_429(tmp_path: Path) -> None:
    """A right one is still admitted then: many clients may share an address."""
    storage = StorageSettings(data=tmp_path / "data")
    with in_process(storage) as (client, tarkeep):
        token = open_tokens(storage).make(frozenset({Scope.LIST}), ("*",)).text
        served = Served(client, tarkeep, open_tokens(storage))
        answers = [served.ask("tk_wrong", Request("GET", "/list")) for _ in range(40)]
        right = served.ask(token, Request("GET", "/list"))

    statuses = [answer.status_code for answer in answers]
    assert statuses[:30] == [401] * 30
    assert 429 in statuses[30:]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too-many-requests"
    assert int(refused.headers["Retry-After"]) >= 1
    assert right.status_code == 200


def test_a_token_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    """503, also with a token that was right a moment ago, and no request is treated as on an open server."""
    storage = StorageSettings(data=tmp_path / "data")
    with in_process(storage) as (client, tarkeep):
        served = Served(client, tarkeep, open_tokens(storage))
        token = served.token(Scope.LIST)
        assert served.ask(token, Request("GET", "/list")).status_code == 200
        (tmp_path / "data" / "tokens.json").write_text("{")

        answers = [served.ask(one, Request("GET", "/list")) for one in (token, None)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert {answer.json()["code"] for answer in answers} == {"backend-unavailable"}


# -- what was written -----------------------------------------------------------------------------------------------


def test_each_write_is_in_the_audit_log_before_it_is_answered(tmp_path: Path) -> None:
    """Principal, object, digest and result, by every route; reads and refused requests are not."""
    storage = StorageSettings(data=tmp_path / "data")
    with in_process(storage) as (client, tarkeep):
        served = Served(client, tarkeep, open_tokens(storage))
        token = served.token(Scope.PUSH)

        def ask(method: str, path: str, name: str, upload: str = "", **more: Any) -> httpx2.Response:
            made = request(method, path, OWN, upload, name)
            return served.ask(token, evolve(made, **{"headers": made.headers | more.pop("headers", {}), **more}))

        ask("POST", "/upload", "form.tar.gz")
        ask("PUT", WHOLE_ARCHIVE, "put.tar.gz")
        ask("PUT", WHOLE_ARCHIVE, "put.tar.gz")
        ask("PUT", WHOLE_ARCHIVE, "put.tar.gz", content=make_targz({"b": b"other"}))
        ask("PUT", ARCHIVE + "/snapshot", "put.tar.gz")
        whole = {"Content-Type": "application/offset+octet-stream", "Upload-Length": str(len(CONTENT))}
        ask("POST", "/api/v1/uploads", "tus.tar.gz", headers=whole, content=CONTENT)
        ask("DELETE", UPLOAD, "", begun(served, token))
        served.ask(None, request("PUT", WHOLE_ARCHIVE, OWN, "", "nobody.tar.gz"))
        served.ask(token, request("PUT", WHOLE_ARCHIVE, FOREIGN, "", "foreign.tar.gz"))
        served.ask(token, request("GET", WHOLE_ARCHIVE, OWN, "", "put.tar.gz"))
        lines = [json.loads(line) for line in (tmp_path / "data" / "audit.log").read_bytes().splitlines()]

    sha256 = hashlib.sha256(CONTENT).hexdigest()
    made, *written = [(line["who"], line["what"], line["sha256"], line["result"].split()[0]) for line in lines]
    id = token[3:11]
    assert made == ("host", f"token {id} for push in web-*", None, "made")
    assert written[:-1] == [
        (id, f"{OWN}/FULL/form.tar.gz", sha256, "new"),
        (id, f"{OWN}/FULL/put.tar.gz", sha256, "new"),
        (id, f"{OWN}/FULL/put.tar.gz", sha256, "duplicate"),
        (id, f"{OWN}/FULL/put.tar.gz", None, "refused:"),
        (id, f"snapshot file of {OWN}/FULL/put.tar.gz", hashlib.sha256(SNAPSHOT).hexdigest(), "new"),
        (id, f"{OWN}/FULL/tus.tar.gz", sha256, "stored"),
    ]
    assert written[-1][1].startswith("upload ")
    assert open_tokens(storage).audit.check().broken is None


def test_an_upload_that_is_told_to_be_stored_is_in_the_audit_log(tmp_path: Path) -> None:
    """Even if the server was killed between storing it and writing the line, and the client asks the next one."""
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0)
    with in_process(storage) as (client, _):
        about = described(filename="tus.tar.gz", profile=OWN, type="FULL")
        headers = {**BYTES, "Upload-Length": str(len(CONTENT)), "Upload-Metadata": about}
        upload = client.post(UPLOADS, headers=headers, content=CONTENT).headers["location"]
    (tmp_path / "data" / "audit.log").unlink()

    with in_process(storage) as (client, _):
        assert client.head(upload, headers=TUS).headers["tarkeep-archive"]
        (line,) = (tmp_path / "data" / "audit.log").read_bytes().splitlines()
    assert json.loads(line)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_what_is_stored_by_an_upload_is_one_line_however_often_it_is_told(tmp_path: Path) -> None:
    """In the answer to its last bytes, to the same sent again, to HEAD and GET, and from the next server."""
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0)
    uploads = []
    for start in range(2):
        with in_process(storage) as (client, _):
            for number in range(2):
                about = described(filename=f"tus-{start}-{number}.tar.gz", profile=OWN, type="FULL")
                begun = client.post(
                    UPLOADS, headers={**TUS, "Upload-Length": str(len(CONTENT)), "Upload-Metadata": about}
                )
                uploads.append(begun.headers["location"])
                at = {**BYTES, "Upload-Offset": "0"}
                assert client.patch(uploads[-1], headers=at, content=CONTENT).status_code == 204
            for upload in uploads * 2:
                assert client.head(upload, headers=TUS).headers["tarkeep-archive"]
                assert client.get(upload).json()["state"] == "stored"
                at = {**BYTES, "Upload-Offset": str(len(CONTENT))}
                assert client.patch(upload, headers=at).status_code == 204

    told = [json.loads(line)["result"] for line in (tmp_path / "data" / "audit.log").read_bytes().splitlines()]
    assert told == [f"stored by upload {upload.rpartition('/')[2]}" for upload in uploads]


# -- while there is no token -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_client() -> Iterator[httpx2.Client]:
    settings = ServerSettings(allowed_hosts=("backup.example",))
    with in_process(StorageSettings(store="memory:", catalog="memory:"), settings) as (client, _):
        yield client


FOREIGN_REQUESTS = [
    {"Host": "evil.example"},  # DNS rebinding: the name leads here
    {"Host": "evil.example:5000"},
    {"Host": "192.0.2.1:5000"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": ""},
    {"Host": "127.0.0.1:x"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://evil.example:5000"},
    {"Origin": "null"},
    {"Origin": "file://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
]
OWN_REQUESTS = [
    {},
    {"Host": "localhost"},
    {"Host": "LOCALHOST:5000"},
    {"Host": "127.0.0.1:8080"},
    {"Host": "[::1]:5000"},
    {"Host": "backup.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "https://backup.example"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] != "/healthz"])
def test_a_web_page_of_another_site_can_do_nothing(open_client: httpx2.Client, method: str, path: str) -> None:
    """It neither pushes, reads nor lists on an open server, by a name that it points here or by a form it posts."""
    made = request(method, path, OWN, "none")

    for headers in FOREIGN_REQUESTS:
        answer = open_client.request(method, made.target, headers=made.headers | headers, content=made.content)

        assert answer.status_code == 403, headers
        assert method == "HEAD" or answer.json()["code"] == "foreign-request"


@pytest.mark.parametrize("headers", OWN_REQUESTS, ids=str)
def test_programs_and_pages_of_this_machine_are_served(open_client: httpx2.Client, headers: dict[str, str]) -> None:
    """By any loopback name, on any port, and by the names in the settings."""
    assert open_client.get("/list", headers=headers).status_code == 200


# -- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "is_let_in"),
    [
        ("10.1.2.3", True),
        ("192.0.2.7", False),
        ("10.1.2.3, 192.0.2.7", False),  # the client itself claims the first address
        ("192.0.2.7, 10.1.2.3", True),
        ("nonsense", False),
        ("", False),
    ],
)
@pytest.mark.parametrize(
    ("proxies", "is_trusted"), [(("127.0.0.0/8",), True), (("192.0.2.99", "::1"), False), ((), False)], ids=str
)
def test_a_forwarded_address_counts_where_the_proxy_is_trusted(
    tmp_path: Path, forwarded: str, is_let_in: bool, proxies: tuple[str, ...], is_trusted: bool
) -> None:
    """And only there; of several addresses the last that is not a trusted proxy's."""
    storage = StorageSettings(data=tmp_path / "data")
    settings = ServerSettings(trusted_proxies=proxies)
    with in_process(storage, settings, address="127.0.0.1") as (client, _):
        networks = (ip_network("10.0.0.0/8"),)
        token = open_tokens(storage).make(frozenset({Scope.LIST}), ("*",), networks=networks).text
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": forwarded}
        answer = client.get("/list", headers=headers)

    assert (answer.status_code == 200) is (is_let_in and is_trusted)
