"""Suggestions for misspelt words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The word of *known* that *word* most likely means; None if none is similar."""
    by_folded = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question to append to a sentence; "" if no word is similar."""
    found = nearest(word, known)
    return f"; did you mean {found}?" if found is not None else ""
