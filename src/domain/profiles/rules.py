"""
The rules of a profile: the time zone of its names, what its dumps build on, what is accepted.

Rules are looked up by the profile's name in order; the first pattern that matches counts, with all of its rules.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, tzinfo
from enum import Enum
from fnmatch import fnmatchcase
from typing import Protocol

from attrs import define, frozen

from .expectation import Expectation
from .retention_policy import RetentionPolicy
from .span import Span


class IncBase(Enum):
    """What an INC of a profile builds on where neither the archive nor its sender says so."""

    LAST_INC_OR_FULL = "last-inc-or-full"  # one snapshot file, updated in place
    LAST_ANY = "last-any"  # the archive before it, even a DIFF
    LAST_FULL = "last-full"  # every INC starts from a copy of the FULL's snapshot file


@frozen
class ProfileRules:
    """
    The rules of one profile.

    *time_zone* is that of times in names without a ``Z``. *allow_opaque* accepts archives that cannot be read as a gzip
    of a tar, such as encrypted ones; of those only the bytes are known. *max_bytes* and *max_archives* are the most
    that each profile may hold; None is no limit. *retention* is what may be removed; None: nothing, ever. *expectation*
    is what is to come; None: it is learnt from what came.
    *drill_every* is how often a point is restored as a drill; None: as often as the server does by default.
    """

    inc_base: IncBase = IncBase.LAST_INC_OR_FULL
    time_zone: tzinfo = UTC
    allow_opaque: bool = False
    max_bytes: int | None = None
    max_archives: int | None = None
    retention: RetentionPolicy | None = None
    expectation: Expectation | None = None
    drill_every: Span | None = None


@frozen
class RuleBook:
    """The rules of every profile: shell patterns (``*``, ``?``, ``[a-z]``), each with its rules."""

    entries: tuple[tuple[str, ProfileRules], ...] = ()

    def of(self, profile: str) -> ProfileRules:
        """The rules of *profile*; the defaults if no pattern matches."""
        return next((rules for pattern, rules in self.entries if fnmatchcase(profile, pattern)), ProfileRules())

    def pattern_of(self, profile: str) -> str | None:
        """The pattern whose rules *profile* has; None if no pattern matches."""
        return next((pattern for pattern, _ in self.entries if fnmatchcase(profile, pattern)), None)

    def has_quota(self, profile: str) -> bool:
        """Whether *profile* has a limit on what it may hold."""
        rules = self.of(profile)
        return rules.max_bytes is not None or rules.max_archives is not None

    @property
    def may_allow_opaque(self) -> bool:
        """Whether some profile may hold unreadable archives."""
        return any(rules.allow_opaque for _, rules in self.entries)

    @property
    def may_prune(self) -> bool:
        """Whether some profile may lose archives by a policy."""
        return any(rules.retention is not None for _, rules in self.entries)

    @property
    def fingerprint(self) -> str:
        """The same for the same rules, and another one for others, in any process."""
        return hashlib.sha256(repr(self.entries).encode()).hexdigest()


class Rules(Protocol):
    """The rules of every profile, with the methods of `RuleBook`."""

    def of(self, profile: str) -> ProfileRules: ...

    def pattern_of(self, profile: str) -> str | None: ...

    def has_quota(self, profile: str) -> bool: ...

    @property
    def may_allow_opaque(self) -> bool: ...

    @property
    def may_prune(self) -> bool: ...

    @property
    def fingerprint(self) -> str: ...


@define(eq=False)
class CurrentRules:
    """`Rules` that may be replaced while in use: each call uses the current *book*."""

    book: RuleBook

    def of(self, profile: str) -> ProfileRules:
        return self.book.of(profile)

    def pattern_of(self, profile: str) -> str | None:
        return self.book.pattern_of(profile)

    def has_quota(self, profile: str) -> bool:
        return self.book.has_quota(profile)

    @property
    def may_allow_opaque(self) -> bool:
        return self.book.may_allow_opaque

    @property
    def may_prune(self) -> bool:
        return self.book.may_prune

    @property
    def fingerprint(self) -> str:
        return self.book.fingerprint


NO_RULES = RuleBook()
"""The defaults for every profile."""
