"""
The settings that a server runs with, and where each came from.

The rule: an option takes precedence over a variable, both over the file, and all over the default. Values that may hold
a secret are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import AttrsInstance, fields, frozen

ENVIRONMENT = "TARKEEP_"
"""What the name of each variable begins with."""

_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*(@)")
_SECRET = frozenset({"heartbeat_url"})


@frozen
class EffectiveSetting:
    """A setting by *name*, its value as text, and where that came from, such as ``file tarkeep.toml``."""

    name: str
    value: str
    origin: str

    @property
    def is_default(self) -> bool:
        """Whether nobody stated it."""
        return self.origin == DEFAULT


DEFAULT = "default"


def origin_of(
    name: str, words: Sequence[str], variables: Mapping[str, str], table: Mapping[str, object], file: str
) -> str:
    """
    Where the setting *name* came from: *words* are those of the command line, *table* is what *file* has.

    It is *DEFAULT* if nobody stated it.
    """
    option = name.replace("_", "-")
    if any(word.partition("=")[0] in (f"--{option}", f"--no-{option}") for word in words):
        return f"option --{option}"
    if ENVIRONMENT + name.upper() in variables:
        return f"variable {ENVIRONMENT}{name.upper()}"
    return f"file {file}" if name in table else DEFAULT


def effective_settings(
    kinds: Sequence[AttrsInstance],
    words: Sequence[str],
    variables: Mapping[str, str],
    table: Mapping[str, object],
    file: str,
) -> Iterator[EffectiveSetting]:
    """Every setting of *kinds*, objects of settings, in their order."""
    for kind in kinds:
        for one in fields(type(kind)):
            value = getattr(kind, one.name)
            origin = origin_of(one.name, words, variables, table, file)
            yield EffectiveSetting(one.name, _shown(one.name, value), origin)


def _shown(name: str, value: object) -> str:
    if value is None or value in ("", ()):
        return "not set"
    if name in _SECRET:
        return "set, and not shown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return _PASSWORD.sub(r"\1...\2", text)
