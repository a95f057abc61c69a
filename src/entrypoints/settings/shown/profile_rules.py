"""The rules of a profile as people read them, in the words of the file that states them."""

from __future__ import annotations

from ....domain.profiles.rules import ProfileRules
from ....domain.text.sizes import human_size
from ..expect import expectation_settings


def rules_in_words(rules: ProfileRules) -> list[tuple[str, str]]:
    """Each of *rules* by its name, with its value."""
    found = [
        ("inc_base", rules.inc_base.value),
        ("time_zone", str(rules.time_zone)),
        ("allow_opaque", "true" if rules.allow_opaque else "false"),
        ("max_bytes", "no limit" if rules.max_bytes is None else human_size(rules.max_bytes)),
        ("max_archives", "no limit" if rules.max_archives is None else str(rules.max_archives)),
    ]
    if rules.expectation is None:
        found.append(("expect", "not stated: learnt from the archives that came"))
    elif not rules.expectation.cadences:
        found.append(("expect", "nothing"))
    else:
        found += [(f"expect.{name}", value) for name, value in expectation_settings(rules.expectation).items()]
    if rules.retention is None:
        return [*found, ("retention", "none: nothing is ever removed")]
    return [*found, *((f"retention.{name}", _toml(value)) for name, value in rules.retention.settings().items())]


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
