"""
What the names of a point show beyond the comparison of its archives: the rest of its verdict.

Mostly they show nothing: every name that is left to an earlier archive is found, and no member is in the way of
another. Only if that is not known beforehand are the names merged, once, and the result is kept with the standing of
the point. So every answer about a point says the same.
"""

from __future__ import annotations

from itertools import islice

from attrs import frozen

from ..text.counted import counted
from ..text.paths import SHOWN_BYTES, path_text
from ..trees.tree import Tree

_LOST_SHOWN = 5


@frozen
class Seen:
    """
    *lost* says why the point does not restore although its archives are stored: which names none of them has. *gaps*
    counts names that they have but that cannot be extracted. *objection* says why tar must not extract them (see
    `footprints`). *unseen* says why it could not be checked that all names are found. *traces* is where tar's result
    would differ from the tree (see `traces`), from the first archive on at which it would.
    """

    lost: str = ""
    gaps: int = 0
    objection: str = ""
    unseen: str = ""
    traces: str = ""


CLEAR = Seen()
"""The names show nothing."""


def told_of(seen: Seen) -> tuple[str, ...]:
    """What users should know of it, in sentences without a full stop."""
    told = [seen.lost] if seen.lost else []
    if seen.gaps:
        told.append(f"{counted(seen.gaps, 'name')} of it cannot be given back; its plan names the first of them")
    if seen.objection:
        told.append(f"tar must not extract its archives: {seen.objection}")
    if seen.unseen:
        told.append(f"whether the archives have all names of the tree could not be checked: {seen.unseen}")
    return tuple(told)


def lost_names(tree: Tree) -> str:
    """Which names of *tree* are in none of its archives, as text; empty if all are found."""
    if not tree.losses:
        return ""
    first = islice((gap for gap in tree.gaps if gap.kind.is_loss), _LOST_SHOWN)
    shown = ", ".join(path_text(gap.path[:SHOWN_BYTES]) for gap in first)
    return f"{counted(tree.losses, 'name')} {'is' if tree.losses == 1 else 'are'} in none of its archives: {shown}"
