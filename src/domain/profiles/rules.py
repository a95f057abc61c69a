"""
What may differ from profile to profile: how its names tell time, what its dumps build on, what is taken in.

Rules are looked up by the profile's name in order; the first pattern that fits counts, and all of it.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from enum import Enum
from fnmatch import fnmatchcase
from typing import Protocol

from attrs import define, frozen


class IncBase(Enum):
    """What an INC of a profile builds on where nothing says so."""

    LAST_INC_OR_FULL = "last-inc-or-full"  # one snapshot file, updated in place
    LAST_ANY = "last-any"  # the archive before it, a DIFF too
    LAST_FULL = "last-full"  # every INC starts from a copy of the FULL's snapshot file


@frozen
class ProfileRules:
    """
    The rules of one profile.

    *time_zone* is that of times in names without a ``Z``. *allow_opaque* takes in what cannot be read as a gzip of a
    tar, such as an encrypted archive, of which nothing is known then but its bytes. *max_bytes* and *max_archives* are
    the most that each profile may hold; None is any number.
    """

    inc_base: IncBase = IncBase.LAST_INC_OR_FULL
    time_zone: tzinfo = UTC
    allow_opaque: bool = False
    max_bytes: int | None = None
    max_archives: int | None = None


@frozen
class RuleBook:
    """The rules of every profile: patterns as of a shell (``*``, ``?``, ``[a-z]``) with what holds for them."""

    entries: tuple[tuple[str, ProfileRules], ...] = ()

    def of(self, profile: str) -> ProfileRules:
        """The rules of *profile*; the defaults where no pattern fits."""
        return next((rules for pattern, rules in self.entries if fnmatchcase(profile, pattern)), ProfileRules())

    def has_quota(self, profile: str) -> bool:
        """Whether *profile* may hold so much and no more."""
        rules = self.of(profile)
        return rules.max_bytes is not None or rules.max_archives is not None

    @property
    def may_allow_opaque(self) -> bool:
        """Whether some profile may hold archives that cannot be read."""
        return any(rules.allow_opaque for _, rules in self.entries)


class Rules(Protocol):
    """The rules of every profile, asked as `RuleBook` is."""

    def of(self, profile: str) -> ProfileRules: ...

    def has_quota(self, profile: str) -> bool: ...

    @property
    def may_allow_opaque(self) -> bool: ...


@define(eq=False)
class CurrentRules:
    """`Rules` that may be replaced while they are asked: each question is answered from *book* as it is then."""

    book: RuleBook

    def of(self, profile: str) -> ProfileRules:
        return self.book.of(profile)

    def has_quota(self, profile: str) -> bool:
        return self.book.has_quota(profile)

    @property
    def may_allow_opaque(self) -> bool:
        return self.book.may_allow_opaque


NO_RULES = RuleBook()
"""The defaults for every profile."""
