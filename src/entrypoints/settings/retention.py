"""
The table of a profile's retention in the file of rules: ``["web-*".retention]``.

::

    ["web-*".retention]
    keep_daily = 14
    keep_weekly = 8
    keep_monthly = "1y"
    minimum_age = "7d"

A table without a rule that keeps something is an error: it would remove everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import fields

from ...domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from ...domain.profiles.span import Span
from ...domain.text.counted import listed
from .nearest import did_you_mean
from .shapes import unknown_name

_BUCKETS = {f"keep_{every.value}": every for every in Every if every is not Every.POINT}
RULES = ("keep_last", "keep_within", *_BUCKETS)
_SPANS = ("minimum_age", "keep_broken", "trash_for", "lock_for")
_COUNTS = ("minimum_points", "minimum_fulls")
_SWITCHES = ("ages_when_silent", "brake")
_OTHERS = tuple(one.name for one in fields(RetentionPolicy) if one.name != "rules")
_KNOWN = (*RULES, *_OTHERS)


def policy_of(table: object) -> RetentionPolicy:
    """
    The policy that *table*, as TOML gives it, states.

    Raises:
        ValueError: it is no table, or something in it is unknown or wrong; the message begins with the setting.
    """
    if not isinstance(table, dict):
        raise ValueError("retention must be a table, such as [laptop.retention]")  # noqa: TRY004 a wrong setting
    if (wrong := unknown_name(table, _KNOWN, "retention setting")) is not None:
        is_rule = next(name for name in table if name not in _KNOWN).startswith("keep")
        end = " The" if wrong.endswith("?") else "; the"
        raise ValueError(f"{wrong}{end} rules are {listed(RULES)}" if is_rule else wrong)
    rules = tuple(_rule(name, table[name]) for name in RULES if name in table)
    return RetentionPolicy(rules, **_others(table))


def _rule(name: str, stated: object) -> KeepRule:
    if name == "keep_within":
        return KeepRule(Every.POINT, _span(name, stated))
    every = _BUCKETS.get(name, Every.POINT)
    if stated == "all":
        return KeepRule(every, None)
    if isinstance(stated, int) and not isinstance(stated, bool) and stated >= 0:
        return KeepRule(every, stated)
    if isinstance(stated, str) and every is not Every.POINT:
        return KeepRule(every, _span(name, stated))
    span = "" if every is Every.POINT else ', a span such as "14d"'
    raise ValueError(f'{name} must be a number from 0 on{span} or "all", not {_shown(stated)}')


def _others(table: Mapping[str, object]) -> dict[str, Any]:
    readers: dict[str, Callable[[str, object], object]] = {
        **dict.fromkeys(_SPANS, _span),
        **dict.fromkeys(_COUNTS, _count),
        **dict.fromkeys(_SWITCHES, _switch),
        "prefer_full": _prefer_full,
        "largest_share": _share,
    }
    return {name: readers[name](name, table[name]) for name in _OTHERS if name in table}


def _span(name: str, stated: object) -> Span:
    if not isinstance(stated, str):
        raise ValueError(f'{name} must be a span of time such as "14d", not {_shown(stated)}')  # noqa: TRY004
    try:
        return Span.parse(stated)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _count(name: str, stated: object) -> int:
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 0:
        raise ValueError(f"{name} must be a number from 0 on, not {_shown(stated)}")
    return stated


def _switch(name: str, stated: object) -> bool:
    if not isinstance(stated, bool):
        raise ValueError(f"{name} must be true or false, not {_shown(stated)}")  # noqa: TRY004
    return stated


def _share(name: str, stated: object) -> float:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 <= stated <= 1:
        raise ValueError(f"{name} must be a number between 0 and 1, not {_shown(stated)}")
    return float(stated)


def _prefer_full(name: str, stated: object) -> Every | None:
    if stated == "never":
        return None
    words = [every.value for every in Every if every is not Every.POINT]
    if not isinstance(stated, str) or stated not in words:
        asked = did_you_mean(stated, [*words, "never"]) if isinstance(stated, str) else ""
        raise ValueError(f"{name} must be {listed([*words, 'never'], 'or')}, not {_shown(stated)}{asked}")
    return Every(stated)


def _shown(stated: object) -> str:
    return f"{stated!r:.60}"
