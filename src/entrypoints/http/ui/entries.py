"""The pages that the frame of each page leads to, and the access they need: nobody is led to a page that is refused."""

from __future__ import annotations

from attrs import frozen

from ....domain.access.tokens import Principal, Scope
from ..edge.access import Access, Where


@frozen
class NavEntry:
    """A page by its *name* in the frame, at *path*."""

    name: str
    path: str
    access: Access

    def is_open_to(self, principal: Principal) -> bool:
        """Whether the guard lets *principal* see the page."""
        is_for_all = self.access.profile is Where.EVERY
        may = any(principal.may(scope) for scope in self.access.scopes)
        return may and (principal.sees_everything or not is_for_all)


_ADMINISTER = Access((Scope.ADMIN,), Where.EVERY, is_page=True)

FLEET = NavEntry("Fleet", "/ui/", Access((Scope.LIST,), Where.HANDLER, is_page=True))
UPKEEP = NavEntry("Upkeep", "/ui/upkeep", Access((Scope.LIST,), Where.HANDLER, is_page=True))
STORAGE = NavEntry("Storage", "/ui/storage", Access((Scope.LIST,), Where.HANDLER, is_page=True))
LOG = NavEntry("Log", "/ui/log", Access((Scope.LIST, Scope.ADMIN), Where.HANDLER, is_page=True))
TOKENS = NavEntry("Tokens", "/ui/tokens", _ADMINISTER)
SETTINGS = NavEntry("Settings", "/ui/settings", _ADMINISTER)

ENTRIES = (FLEET, UPKEEP, STORAGE, LOG, TOKENS, SETTINGS)
"""In the order in which they are shown."""
