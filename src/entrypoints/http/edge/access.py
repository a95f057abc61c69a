"""
Declarations of routes: method, path, required access, and endpoint, in one place.

The guard judges a request by the route that will answer it (see `guard`), so every route that answers declares its
access.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from typing import TypeAlias

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope as AsgiScope

from ....domain.access.tokens import Scope

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class Where(Enum):
    """Where a request names the profile that it concerns."""

    PATH = "in its path: the guard judges it"
    UPLOAD = "nowhere, but an upload, which belongs to the principal that began it: the guard judges it"
    HANDLER = "in its query, form or metadata, or nowhere: the handler shows and takes only what the principal sees"
    NONE = "nowhere: it concerns no profile"
    EVERY = "nowhere: its effect is on all profiles, and the token must be for all: the guard judges it"


@frozen
class Access:
    """
    Any of *scopes* is enough; with none, any principal is admitted. *is_open* admits requests without a token.

    Whoever asks for what *is_page* comes in by a session, never by a token; for all else it is the other way round.
    """

    scopes: tuple[Scope, ...] = ()
    profile: Where = Where.NONE
    is_open: bool = False
    is_page: bool = False


PAGES = "/ui/"
"""What the paths of all pages begin with, also of those that there are not."""

ANY_PRINCIPAL = Access()
OPEN = Access(is_open=True)


def needs(*scopes: Scope, profile: Where = Where.PATH) -> Access:
    """Access with any of *scopes*, for a profile named as *profile* says."""
    return Access(scopes, profile)


class GuardedRoute(Route):
    """A path with the access of each of its methods. HEAD is GET, unless it has an access of its own."""

    def __init__(self, path: str, endpoint: Endpoint, accesses: Mapping[str, Access]) -> None:
        super().__init__(path, endpoint, methods=list(accesses))
        self.accesses = {method: accesses.get(method) or accesses["GET"] for method in self.methods or ()}


class _OwnPath(GuardedRoute):
    """A path that may look like the end of an archive's name: for other methods no further route is tried."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


def get(
    path: str, access: Access, endpoint: Endpoint, *, head: Access | None = None, is_own: bool = False
) -> GuardedRoute:
    """
    A route for GET, and for HEAD, which may need another access: *head*.

    A path that *is_own* may look like the end of an archive's name: for other methods no further route is tried.
    """
    kind = _OwnPath if is_own else GuardedRoute
    return kind(path, endpoint, {"GET": access} | ({} if head is None else {"HEAD": head}))


def put(path: str, access: Access, endpoint: Endpoint) -> GuardedRoute:
    """A route for PUT."""
    return GuardedRoute(path, endpoint, {"PUT": access})


def post(path: str, access: Access, endpoint: Endpoint, *, is_own: bool = False) -> GuardedRoute:
    """A route for POST; *is_own* as in `get`."""
    kind = _OwnPath if is_own else GuardedRoute
    return kind(path, endpoint, {"POST": access})


def own(path: str, accesses: Mapping[str, Access], endpoint: Endpoint) -> GuardedRoute:
    """A route for the methods of *accesses*, with a path that is own as in `get`."""
    return _OwnPath(path, endpoint, accesses)


def access_table(routes: Iterable[GuardedRoute]) -> dict[tuple[str, str], Access]:
    """The required access, by method and path."""
    return {(method, route.path): access for route in routes for method, access in route.accesses.items()}
