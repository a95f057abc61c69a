"""
The file with the rules of profiles: one TOML table per pattern of names; the first that matches counts.

::

    ["web-*"]
    inc_base = "last-any"
    time_zone = "Europe/Paris"
    allow_opaque = true
    max_bytes = "500G"
    max_archives = 400
    drill_every = "7d"

    ["web-*".retention]           # see `retention`
    keep_daily = 14

    ["web-*".expect]              # see `expect`
    any = "1d"

Anything that is not a rule is an error: a misspelt rule would silently not apply.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from ...domain.drills.choice import DrillEvery
from ...domain.errors.settings import InvalidSetting
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile
from ...domain.profiles.rules import IncBase, ProfileRules, RuleBook
from ...domain.profiles.span import Span
from .expect import ReadTimes, expectation_of
from .files import read_setting_text
from .retention import policy_of
from .server import parse_size
from .shapes import sentence, unknown_name

_WILD = re.compile(r"[*?]|\[.+\]")  # an open bracket alone stands for itself


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    inc_base: IncBase = IncBase.LAST_INC_OR_FULL
    time_zone: str = "UTC"
    allow_opaque: bool = False
    max_bytes: int | str | None = None
    max_archives: int | None = None
    drill_every: str | None = None
    retention: object = None
    expect: object = None


def read_rules(file: Path, *, must_exist: bool, read_times: ReadTimes) -> RuleBook:
    """
    The rules in *file*; empty if it is missing and need not exist. *read_times* reads its cron lines.

    Raises:
        InvalidSetting: it cannot be read, or contains something that is not a rule.
    """
    try:
        text = read_setting_text("profiles", file)
    except FileNotFoundError:
        if must_exist:
            raise InvalidSetting("profiles", f"there is no file {file}") from None
        return RuleBook()
    return rules_from(text, str(file), read_times=read_times)


def rules_from(text: str, place: str, *, read_times: ReadTimes) -> RuleBook:
    """
    The rules in *text*, the content of such a file; errors call it *place*.

    Raises:
        InvalidSetting: it contains something that is not a rule.
    """
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting("profiles", f"{place} cannot be read as TOML: {error}") from error
    _check_patterns(place, list(told))
    return RuleBook(
        tuple(
            (pattern, _rules(place, pattern, _shaped(place, pattern, table), read_times))
            for pattern, table in told.items()
        )
    )


def _check_patterns(place: str, patterns: list[str]) -> None:
    """Refuse a table that is never used: its rules would silently not apply. Raises InvalidSetting."""
    for number, pattern in enumerate(patterns):
        at = f'{place}: ["{pattern}"]'
        if not _WILD.search(pattern):
            try:
                check_profile(pattern)
            except InvalidName as error:
                raise InvalidSetting("profiles", f"{at} no profile has such a name: {error}") from None
        hiding = next((earlier for earlier in patterns[:number] if _covers(earlier, pattern)), None)
        if hiding is not None:
            detail = f'{at} is never used, because ["{hiding}"] before it counts first: put it before that one'
            raise InvalidSetting("profiles", detail)


def _covers(pattern: str, other: str) -> bool:
    """Whether *pattern* surely matches all that *other* matches; not all such pairs are known."""
    start = pattern.removesuffix("*")
    if start != pattern and not _WILD.search(start):
        return other.startswith(start)
    return not _WILD.search(other) and fnmatchcase(other, pattern)


def _shaped(place: str, pattern: str, told: object) -> _Table:
    known = [field.name for field in msgspec.structs.fields(_Table)]
    at = f'{place}: ["{pattern}"]'
    if isinstance(told, dict) and (wrong := unknown_name(told, known, "rule")) is not None:
        raise InvalidSetting("profiles", f"{at} {wrong}")
    try:
        return msgspec.convert(told, _Table)
    except msgspec.ValidationError as error:
        choices = {"inc_base": [one.value for one in IncBase]}
        raise InvalidSetting("profiles", f"{at} {sentence(error, choices)}") from error


def _rules(place: str, pattern: str, table: _Table, read_times: ReadTimes) -> ProfileRules:
    at = f'{place}: ["{pattern}"]'
    try:
        zone = UTC if table.time_zone == "UTC" else ZoneInfo(table.time_zone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder of zones is an OSError
        detail = f"{at} time_zone: {table.time_zone!r} is not a time zone; use one such as Europe/Paris"
        raise InvalidSetting("profiles", detail) from None
    try:
        max_bytes = None if table.max_bytes is None else parse_size(str(table.max_bytes))
    except ValueError as error:
        raise InvalidSetting("profiles", f"{at} max_bytes: {error}") from None
    if table.max_archives is not None and table.max_archives < 0:
        raise InvalidSetting("profiles", f"{at} max_archives: must be 0 or more, is {table.max_archives}")
    try:
        drill_every = None if table.drill_every is None else DrillEvery(Span.parse(table.drill_every)).span
    except ValueError as error:
        raise InvalidSetting("profiles", f"{at} drill_every: {error}") from None
    try:
        retention = None if table.retention is None else policy_of(table.retention)
    except ValueError as error:
        raise InvalidSetting("profiles", f'{place}: ["{pattern}".retention] {error}') from None
    try:
        expectation = None if table.expect is None else expectation_of(table.expect, zone, read_times)
    except ValueError as error:
        raise InvalidSetting("profiles", f'{place}: ["{pattern}".expect] {error}') from None
    return ProfileRules(
        table.inc_base,
        zone,
        table.allow_opaque,
        max_bytes,
        table.max_archives,
        retention,
        expectation,
        drill_every=drill_every,
    )
