"""Tables of the file of rules, to copy into it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ....domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy

_USUAL = RetentionPolicy((KeepRule(Every.DAY, 1),)).settings()


def retention_table(profile: str, settings: Mapping[str, object]) -> str:
    """The table that states the policy with these *settings*, as `RetentionPolicy.settings` gives them."""
    lines = [
        f"{name} = {_value(value)}"
        for name, value in settings.items()
        if (name.startswith("keep_") and name != "keep_broken") or value != _USUAL[name]
    ]
    return "\n".join([f"[{_key(profile)}.retention]", *lines])


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)


def _value(value: object) -> str:
    return json.dumps(value)  # numbers, true and false, and texts without control characters: the same in both
