"""The right word that is nearest to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Which of *known* somebody most likely meant by *word*; None where none is like it."""
    by_folded = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question, to be put behind a sentence; "" where nothing is near."""
    found = nearest(word, known)
    return f"; did you mean {found}?" if found is not None else ""
