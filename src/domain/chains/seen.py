"""
What the names of a point show, beyond what comparing archives told: the rest of its verdict.

Mostly they show nothing: every name that is left to an earlier archive is there, and no member is in the way of
another. Only where that is not known beforehand they are merged to see, once, and what was seen is kept with the
standing of the point. So whoever tells of a point, in whatever answer, tells the same.
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
    *lost* says why the point does not restore, though its archives are there: which names none of them has. *gaps*
    counts names that they have and that nobody could extract. *objection* says why tar is not to be trusted with them
    (see `footprints`). *unseen* is why nobody could see whether all names are there. *traces* is what tar would leave
    otherwise than it was (see `traces`), from the first archive on at which it would.
    """

    lost: str = ""
    gaps: int = 0
    objection: str = ""
    unseen: str = ""
    traces: str = ""


CLEAR = Seen()
"""Nothing."""


def told_of(seen: Seen) -> tuple[str, ...]:
    """What people should know of it, in sentences without an end."""
    told = [seen.lost] if seen.lost else []
    if seen.gaps:
        told.append(f"{counted(seen.gaps, 'name')} of it cannot be given back; its plan names the first of them")
    if seen.objection:
        told.append(f"tar is not to be trusted with its archives: {seen.objection}")
    if seen.unseen:
        told.append(f"whether the archives have all names of the tree was not seen: {seen.unseen}")
    return tuple(told)


def lost_names(tree: Tree) -> str:
    """Which names of *tree* are in none of its archives, in words; nothing where none is."""
    if not tree.losses:
        return ""
    first = islice((gap for gap in tree.gaps if gap.kind.is_loss), _LOST_SHOWN)
    shown = ", ".join(path_text(gap.path[:SHOWN_BYTES]) for gap in first)
    return f"{counted(tree.losses, 'name')} {'is' if tree.losses == 1 else 'are'} in none of its archives: {shown}"
