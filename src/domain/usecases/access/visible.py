"""
Which of the existing profiles a principal may see.

Patterns are matched against the name of each profile once, when it is new; the result is kept under the patterns. So a
query names the profiles it is about, and never reads archives of others.
"""

from __future__ import annotations

from attrs import define, field, frozen

from ...access.tokens import Principal
from ...ports.catalog import Catalog

KEPT_PATTERNS = 64
"""The number of pattern sets with kept results; when there are more, all results are worked out again."""


@frozen
class _Known:
    """Profiles in the order they were added, up to a mark of the catalog."""

    mark: int = 0
    profiles: tuple[str, ...] = ()


@define
class VisibleProfiles:
    """
    The profiles that a principal sees. Safe to call from several threads: a race only repeats work.
    """

    catalog: Catalog
    _known: _Known = field(default=_Known(), init=False)
    _seen: dict[tuple[str, ...], tuple[int, frozenset[str]]] = field(factory=dict, init=False)

    def __call__(self, principal: Principal) -> frozenset[str] | None:
        """The names of the profiles that *principal* sees, even if empty of archives; None means all profiles."""
        if principal.sees_everything:
            return None
        if principal.named_profiles is not None:
            return principal.named_profiles
        profiles = self.all()
        count, seen = self._seen.get(principal.patterns, (0, frozenset[str]()))
        if count < len(profiles):
            seen = seen.union(profile for profile in profiles[count:] if principal.sees(profile))
            if len(self._seen) >= KEPT_PATTERNS:
                self._seen.clear()
            self._seen[principal.patterns] = (len(profiles), seen)
        return seen

    def all(self) -> tuple[str, ...]:
        """Every profile that has held an archive since the catalog was made, in the order they were added."""
        known = self._known
        new, mark = self.catalog.profiles_since(known.mark)
        if new:
            known = _Known(mark, tuple(dict.fromkeys((*known.profiles, *new))))
            self._known = known
        return known.profiles
