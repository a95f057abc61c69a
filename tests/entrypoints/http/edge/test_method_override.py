"""
Whatever method a request claims, it may do what its token allows and nothing more.

Every route, by every method sent, with every method that ``X-HTTP-Method-Override`` may name, by every scope,
for profiles of one's own and foreign ones.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest
from attrs import define, evolve, field
from starlette.routing import Match

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.usecases.access.tokens import MakeToken
from tarkeep.entrypoints.http.app import AroundRequest, create_app
from tarkeep.entrypoints.http.edge.access import Access, Where
from tests.entrypoints.http.edge.test_guard import (
    CONTENT,
    FOREIGN,
    NAME,
    OWN,
    ROUTES,
    SNAPSHOT,
    Request,
    metadata,
    request,
)
from tests.support.access_expected import UPLOAD
from tests.support.asgi import Asked, ask
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock
from tests.support.tus import BYTES, UPLOADS

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NAMED = (None, *METHODS, "delete", " Patch ", "CONNECT", "", "PATCH, DELETE", "D\u00c9LETE", "X" * 200)
PATHS = sorted({path for _, path in ROUTES})
SHARE = 1 if os.environ.get("LOAD") == "full" else 7
"""One in so many cells is tried, others for the next path; with the numbers of the rows it has no common factor."""


@define
class World:
    """A server over memory, a token for each scope, and the content."""

    app: AroundRequest
    store: MemoryArchiveStore
    sessions: MemoryUploadSessions
    runner: asyncio.Runner
    tokens: dict[Scope, str]
    wide: str
    _names: Iterator[int] = field(factory=itertools.count)

    def ask(self, token: str | None, asked: Request) -> Asked:
        login = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers = [*asked.headers.items(), *login.items()]
        return ask(self.runner, self.app, asked.method, asked.target, headers, asked.content or b"")

    def begin(self, token: str, profile: str) -> str:
        about = metadata(profile, f"begun-{next(self._names)}.tar.gz")
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(CONTENT)), "Upload-Metadata": about}
        answer = self.ask(token, Request("POST", UPLOADS, headers))
        assert answer.status == 201, answer.body
        return answer.headers["location"].rpartition("/")[2]

    def can_go_on(self, upload: str) -> bool:
        return any(one.id == upload and one.is_open for one in self.sessions.all())

    def standing(self) -> tuple[object, ...]:
        return tuple(stored.id for stored in self.store.scan()), tuple(self.sessions.all())

    def row(self, method: str, target: str) -> Access | None:
        """The access of the route that answers *method* on *target*; None if no route does."""
        path = target.partition("?")[0]
        for route in self.app.guard.routes:
            if route.matches({"type": "http", "path": path, "method": method})[0] is Match.FULL:
                return route.accesses.get(method)
        return None


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    clock, store, sessions = FixedClock(), MemoryArchiveStore(FixedClock()), MemoryUploadSessions()
    tarkeep = assembled(store, MemoryCatalog(), clock, sessions=sessions)
    make = MakeToken(tarkeep.token_store, clock, secrets.token_bytes, tarkeep.audit)
    tokens = {scope: make(frozenset({scope}), ("web-*",)).text for scope in Scope}
    wide = make(frozenset(Scope), ("*",)).text
    with closing(create_app(tarkeep)) as app, asyncio.Runner() as runner:
        world = World(app, store, sessions, runner, tokens, wide)
        for profile in (OWN, FOREIGN):
            target = f"/api/v1/profiles/{profile}/archives/FULL/{NAME}"
            assert world.ask(wide, Request("PUT", target, {}, CONTENT)).status == 201
            assert world.ask(wide, Request("PUT", target + "/snapshot", {}, SNAPSHOT)).status == 201
        yield world


def effective(path: str, sent: str, named: str | None) -> str:
    """The effective method: on a POST to uploads the one named, if valid, else the one sent."""
    word = (named or "").strip()
    counts = sent == "POST" and path in (UPLOADS, UPLOAD) and len(word) <= 20
    return word.upper() if counts and word.isascii() and word.isalpha() else sent


def made(path: str, method: str, named: str | None, profile: str, upload: str) -> Request:
    """A request that would have its effect if it were admitted, whatever its method."""
    as_route = method if (method, path) in ROUTES else next(one for one, other in ROUTES if other == path)
    made = request(as_route, path, profile, upload)
    length = {"Upload-Offset": "0", "Upload-Length": str(len(CONTENT)), "Upload-Metadata": metadata(profile, NAME)}
    override = {} if named is None else {"X-HTTP-Method-Override": named}
    return evolve(made, headers=BYTES | length | made.headers | override, content=made.content or CONTENT)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_is_judged_by_the_method_it_is_answered_by(world: World, path: str) -> None:
    """It is refused alike by any method, and a refused request has changed nothing."""
    theirs, mine = world.begin(world.wide, FOREIGN), ""
    cells = itertools.product(METHODS, NAMED, (None, *Scope), (True, False))
    for sent, named, scope, is_own in itertools.islice(cells, PATHS.index(path) % SHARE, None, SHARE):
        method = effective(path, sent, named)
        if "{upload}" in path and not world.can_go_on(mine):
            mine = world.begin(world.tokens[Scope.PUSH], OWN)
        asked = made(path, method, named, OWN if is_own else FOREIGN, mine if is_own else theirs)
        before = world.standing()

        answer = world.ask(world.tokens[scope] if scope else None, evolve(asked, method=sent))

        row = world.row(method, asked.target)
        cell = (sent, named, scope, is_own, answer.status, bytes(answer.body))
        if row is not None and row.is_open:
            assert answer.status == 200, cell
        elif scope is None:
            assert answer.status == 401, cell
        elif row is not None and (row.profile is Where.EVERY or (row.scopes and scope not in row.scopes)):
            assert answer.status == 403, cell  # the tokens are for some profiles
        elif row is not None and not is_own and row.profile in (Where.PATH, Where.UPLOAD):
            assert answer.status == 404, cell
        elif "/uploads" in path and named is not None and named.strip().upper() != method:
            assert answer.status == 400, cell
        elif row is None or (method, path) == ("POST", UPLOAD):
            assert answer.status == 405, cell
        else:
            assert answer.status not in (401, 403, 405), cell
            assert answer.status < 500, cell
            continue
        assert world.standing() == before, cell


def test_two_overrides_are_refused(world: World) -> None:
    """A proxy in between may have judged by the one that the server ignores."""
    upload = world.begin(world.wide, OWN)
    headers = [("Tus-Resumable", "1.0.0"), ("Authorization", f"Bearer {world.wide}")]
    overrides = [("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method-Override", "DELETE")]

    answer = ask(world.runner, world.app, "POST", f"{UPLOADS}/{upload}", [*headers, *overrides])

    assert answer.status == 400
    assert world.sessions.get(upload).is_open
