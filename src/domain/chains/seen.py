"""
What the names of a point show beyond the comparison of its archives: the rest of its verdict.

Mostly they show nothing: every name that is left to an earlier archive is found, and no member is in the way of
another. Only if that is not known beforehand are the names merged, once, and the result is kept with the standing of
the point. So every answer about a point says the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ..text.counted import counted
from ..text.paths import SHOWN_BYTES, path_text
from ..trees.tree import GapKind, Tree

_LOST_SHOWN = 5


@frozen
class Seen:
    """
    *lost* says why the point does not restore although its archives are stored: which names none of them has. *gaps*
    counts names that they have but that cannot be extracted. *objection* says why tar must not extract them (see
    `footprints`). *unseen* says why it could not be checked that all names are found. *traces* is where tar's result
    would differ from the tree (see `traces`), from the first archive on at which it would. *left_out* says which names
    are in none of its archives though no archive is missing, where comparing them could not tell.
    """

    lost: str = ""
    gaps: int = 0
    objection: str = ""
    unseen: str = ""
    traces: str = ""
    left_out: str = ""


CLEAR = Seen()
"""The names show nothing."""


def told_of(seen: Seen) -> tuple[str, ...]:
    """What users should know of it, in sentences without a full stop."""
    told = [seen.lost] if seen.lost else []
    if seen.gaps:
        told.append(f"{counted(seen.gaps, 'name')} cannot be restored; its plan names the first of them")
    if seen.left_out:
        told.append(seen.left_out)
    if seen.objection:
        told.append(f"tar must not extract its archives: {seen.objection}")
    if seen.unseen:
        told.append(f"whether the archives have all names of the tree could not be checked: {seen.unseen}")
    return tuple(told)


def lost_names(tree: Tree) -> str:
    """Which names of *tree* are in none of its archives, as text; empty if all are found."""
    return _in_none([gap.path for gap in tree.gaps if gap.kind.is_loss]) if tree.losses else ""


def names_left_out(tree: Tree) -> str:
    """Which names that the listings of *tree* call unchanged are in none of its archives, as text; empty if none."""
    found = _in_none([gap.path for gap in tree.gaps if gap.kind is GapKind.LEFT_OUT])
    return f"{found}; they were left out of the dumps, or archived under another name" if found else ""


def _in_none(paths: Sequence[bytes]) -> str:
    if not paths:
        return ""
    shown = ", ".join(path_text(path[:SHOWN_BYTES]) for path in paths[:_LOST_SHOWN])
    return f"{counted(len(paths), 'name')} {'is' if len(paths) == 1 else 'are'} in none of its archives: {shown}"
