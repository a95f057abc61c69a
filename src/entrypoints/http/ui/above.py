"""The page above an address: that of a form is below its page, and so is that of something which is not there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import frozen
from starlette.requests import Request
from starlette.routing import Match

from ....domain.access.tokens import Principal
from ....domain.errors.access import ScopeMissing
from ....domain.errors.archives import ProfileNotFound
from ....domain.identity.archive_id import BackupType
from ..edge.access import PAGES, Access, GuardedRoute
from ..edge.guard import judge_principal

_TYPES = [type.value for type in BackupType]


@frozen
class PageAbove:
    """A page at *path*, which is percent-encoded, and the *access* it needs for these *parameters* of its path."""

    path: str
    access: Access
    parameters: Mapping[str, str]

    def is_open_to(self, principal: Principal) -> bool:
        """Whether the guard lets *principal* see the page."""
        try:
            judge_principal(self.access, principal, self.parameters)
        except (ScopeMissing, ProfileNotFound):
            return False
        return True


def page_above(request: Request) -> PageAbove:
    """The nearest page above the address of *request*; the first page of all if there is none nearer."""
    path = request.url.path
    while len(path := path.rpartition("/")[0]) >= len(PAGES):
        found = _page_at(path, request)
        if found is not None:
            return found
    first = _page_at(PAGES, request)
    assert first is not None, "the first page is a route"
    return first


def _page_at(path: str, request: Request) -> PageAbove | None:
    asked = {**request.scope, "path": path, "path_params": {}, "method": "GET"}
    for route in request.app.routes:
        match, found = route.matches(asked) if isinstance(route, GuardedRoute) else (Match.NONE, {})
        if match is Match.FULL and found["path_params"].get("type", _TYPES[0]) in _TYPES:
            return PageAbove(quote(path), route.accesses["GET"], found["path_params"])
    return None
