"""
What the times of directories show about two archives: whether one can have been taken after the other.

Each incremental archive has every directory with its time, that of the last name added to it or removed from it. Time
does not run backwards: a directory with an earlier time than in the supposed parent, or with the same time but other
names, was archived before that, or its time was set back (``touch -d``, ``cp -a``, unpacking over it). Nothing tells
the two apart, so it is a doubt and refutes nothing.

A directory that leaves nothing to the parent proves nothing: it may be another one, moved or mounted there.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice

from attrs import frozen

from ..names.columns import dumpdir_of
from ..names.name_table import NameTable, has_unchanged
from ..tar.layout import BLOCK_BYTES

COMPARED = 30
"""How many directories have their times compared, those whose listings differ first."""

_SECOND = 1_000_000_000


@frozen
class Pair:
    """A directory in both archives, with its position in each, in bytes."""

    path: bytes
    child_at: int
    parent_at: int
    has_other_names: bool

    def is_earlier(self, child_ns: int, parent_ns: int) -> bool:
        """Whether its times in the two archives say that the child archived it before the parent did."""
        if not (child_ns % _SECOND and parent_ns % _SECOND):  # one of them was written in whole seconds
            return child_ns // _SECOND < parent_ns // _SECOND
        return child_ns < parent_ns or (self.has_other_names and child_ns == parent_ns)


def pairs(child: NameTable, parent: NameTable) -> list[Pair]:
    """
    The directories whose times are worth comparing, at most `COMPARED`; empty if some were renamed.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: that of finding which listings differ.
    """
    if child.renames:
        return []
    changed = sorted(child.changed(parent))
    same = () if len(changed) >= COMPARED else islice(child.directories(), 2 * COMPARED)
    found: list[Pair] = []
    for path in dict.fromkeys((*changed, *same)):
        row, before = child.row(path), parent.row(path)
        if row is None or before is None or not row.listed or not before.listed or not _leaves_something(child, path):
            continue
        is_like = row.listed == before.listed or (row.named != b"" and row.named == before.named)
        has_other_names = not is_like and _names(child, path) != _names(parent, path)
        at = (child.position(path) * BLOCK_BYTES, parent.position(path) * BLOCK_BYTES)
        found.append(Pair(path, *at, has_other_names))
        if len(found) == COMPARED:
            break
    return found


def _names(table: NameTable, path: bytes) -> set[bytes]:
    at = table.position(path) * BLOCK_BYTES
    return {name for listing in table.listings(path) for name in dumpdir_of(at, listing).names}


def _leaves_something(child: NameTable, path: bytes) -> bool:
    """Whether some name in the directory or near below it is called unchanged."""
    if any(map(has_unchanged, child.listings(path))):
        return True
    directories, below = child.directories(), path + b"/"
    first = bisect_left(directories, below)
    nearest = islice(range(first, len(directories)), COMPARED)
    return any(
        any(map(has_unchanged, child.listings(directories[number])))
        for number in nearest
        if directories[number].startswith(below)
    )
