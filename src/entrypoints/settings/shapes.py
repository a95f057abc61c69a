"""Errors in the shape of a table in a settings file, in the words of all other messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from ...domain.text.counted import listed
from .nearest import did_you_mean

_MISMATCH = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`(?: - at `\$(?P<place>[^`]*)`)?")
_NO_CHOICE = re.compile(r"Invalid enum value (?P<value>.*) - at `\$\.(?P<place>\w+)`", re.DOTALL)
_NOUNS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a table",
    "str": "a text",
}


def unknown_name(table: Mapping[str, object], known: Iterable[str], what: str = "setting") -> str | None:
    """A sentence about the first name of *table* that is not in *known*; None if all are."""
    names = list(known)
    for name in table:
        if name not in names:
            return f"there is no {what} {name[:80]}{did_you_mean(name, names)}"
    return None


def sentence(error: msgspec.ValidationError, choices: Mapping[str, Sequence[str]] = MappingProxyType({})) -> str:
    """
    msgspec's message, in words: ``jobs must be a whole number, and is a text``.

    *choices* lists the allowed words of settings that have them.
    """
    of_choice = _NO_CHOICE.fullmatch(str(error))
    if of_choice is not None and of_choice["place"] in choices:
        return f"{of_choice['place']} must be {listed(choices[of_choice['place']], 'or')}, not {of_choice['value']}"
    match = _MISMATCH.fullmatch(str(error))
    if match is None:
        said = re.sub(r" - at `?\$\.?([^`]*)`?$", r" (\1)", str(error)).replace("`", "")
        return said[:1].lower() + said[1:]
    kinds = [kind.strip() for kind in match["wanted"].split("|")]
    wanted = " or ".join(_NOUNS.get(kind, kind) for kind in kinds if kind != "null")
    place = (match["place"] or "").strip(".") or "it"
    return f"{place} must be {wanted}, and is {_NOUNS.get(match['got'], match['got'])}"
