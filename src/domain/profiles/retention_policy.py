"""
What a profile keeps: the rules by which points stay, and the limits on what may go.

Only a profile that has a policy is ever pruned. How a policy is applied is in `retention.prune_plan`.
"""

from __future__ import annotations

from attrs import field, frozen

from ..ranked import Ranked
from .span import Span, Unit


class Every(Ranked):
    """How long one bucket of a rule is; each bucket keeps one point."""

    POINT = "last"  # a bucket for every point
    HOUR = "hourly"
    DAY = "daily"
    WEEK = "weekly"  # Monday to Sunday
    MONTH = "monthly"
    QUARTER = "quarterly"
    YEAR = "yearly"

    @property
    def noun(self) -> str:
        """What a bucket is called."""
        return _NOUNS[self]


_NOUNS = {
    Every.POINT: "point",
    Every.HOUR: "hour",
    Every.DAY: "day",
    Every.WEEK: "week",
    Every.MONTH: "month",
    Every.QUARTER: "quarter",
    Every.YEAR: "year",
}


@frozen
class KeepRule:
    """
    Keep one point for each of the newest buckets of a length.

    *limit* is a number of buckets that have a point, a span of time back from the newest point, or None for all
    buckets.
    """

    every: Every
    limit: int | Span | None = field()

    @limit.validator
    def _check(self, _attribute: object, limit: int | Span | None) -> None:
        if isinstance(limit, int) and limit < 0:
            raise ValueError(f"a rule cannot keep {limit} points")

    @property
    def keeps_something(self) -> bool:
        """Whether the rule can keep any point."""
        return (self.limit.count if isinstance(self.limit, Span) else self.limit) != 0

    @property
    def setting(self) -> str:
        """The setting that states the rule, such as ``keep_daily``."""
        return (
            "keep_within" if self.every is Every.POINT and isinstance(self.limit, Span) else f"keep_{self.every.value}"
        )

    @property
    def stated(self) -> int | str:
        """The limit as the setting states it."""
        if self.limit is None:
            return "all"
        return self.limit if isinstance(self.limit, int) else str(self.limit)


_WEEK = Span(7, Unit.DAY)
_MONTH = Span(30, Unit.DAY)
_NOT_AT_ALL = Span(0, Unit.DAY)


@frozen
class RetentionPolicy:
    """
    What one profile keeps.

    *rules* are independent; what any of them keeps stays. From buckets of the length *prefer_full* on, a rule keeps the
    newest archive of a bucket that builds on nothing, if it has one; None: always the newest point. Spans are counted
    back from the newest point, or with *ages_when_silent* from the present.

    Archives received within *minimum_age* stay and displace nothing. At least *minimum_points* points and
    *minimum_fulls* full archives stay. What does not restore stays for *keep_broken* after that was noticed. Removed
    archives stay in the trash for *trash_for*. A new archive is locked for *lock_for*. A plan that would remove more
    than *largest_share* of all archives waits for an approval. *brake*: pruning stops after suspicious archives.
    """

    rules: tuple[KeepRule, ...]
    prefer_full: Every | None = Every.WEEK
    ages_when_silent: bool = False
    minimum_points: int = 3
    minimum_fulls: int = 2
    minimum_age: Span = _WEEK
    keep_broken: Span = _MONTH
    trash_for: Span = _WEEK
    lock_for: Span = _NOT_AT_ALL
    largest_share: float = 0.25
    brake: bool = True

    def __attrs_post_init__(self) -> None:
        if not any(rule.keeps_something for rule in self.rules):
            raise ValueError("at least one rule must keep something, such as keep_daily = 14")
        if min(self.minimum_points, self.minimum_fulls) < 0:
            raise ValueError("minimum_points and minimum_fulls cannot be negative")
        if not 0 <= self.largest_share <= 1:
            raise ValueError(f"largest_share must lie between 0 and 1, is {self.largest_share}")

    def settings(self) -> dict[str, object]:
        """The policy as the rules file states it, in the order of its settings, without rules that keep nothing."""
        stated: dict[str, object] = {rule.setting: rule.stated for rule in self.rules if rule.keeps_something}
        return stated | {
            "prefer_full": "never" if self.prefer_full is None else self.prefer_full.value,
            "ages_when_silent": self.ages_when_silent,
            "minimum_points": self.minimum_points,
            "minimum_fulls": self.minimum_fulls,
            "minimum_age": str(self.minimum_age),
            "keep_broken": str(self.keep_broken),
            "trash_for": str(self.trash_for),
            "lock_for": str(self.lock_for),
            "largest_share": self.largest_share,
            "brake": self.brake,
        }
