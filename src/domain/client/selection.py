"""
What decides which files a dump has, remembered with it, so that the next dump knows whether it still holds.

GNU tar tells from its snapshot file what changed, and nothing of how it was run. A file that was excluded, changed
meanwhile and is excluded no more is to it a file that has not changed: it stays as it was long ago, and nobody says so.
One that is excluded from now on stays in the tree as it was. So where a dump is to have other files than the one it
would continue from, only a FULL is what it says to be.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from ..text.paths import printable

_SHOWN = 3

ONE_FILE_SYSTEM, XATTRS, ACLS = "one-file-system", "xattrs", "acls"
_KEPT = {XATTRS: "extended attributes", ACLS: "access control lists"}


@frozen
class Selection:
    """
    What the members of a dump begin with, its *root*; the patterns that are *excluded*, wherever they stand; and those
    *options* of tar that decide which files a dump has, and what of them.

    Each pattern counts once and their order does not, as for tar. Where the root lies does not count: a machine that
    was installed anew may have it elsewhere, and tar itself sees whether it is the same. *is_whole* is false for
    a dump that is known to lack files, or to have others than it ought to, itself or by what it builds on.
    """

    root: str
    excluded: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    is_whole: bool = True

    def change_since(self, before: Selection) -> SelectionChange | None:
        """What is otherwise than for a dump of *before*, or wrong with that itself; None where nothing is."""
        if self.root != before.root:
            what = f"the directory is called {printable(self.root)} and was {printable(before.root)} for {{since}}"
            return SelectionChange(what, _OTHERS)
        if self.excluded != before.excluded:
            no_more, new = before.excluded - self.excluded, self.excluded - before.excluded
            told = [f"no longer {_some(no_more)}"] * bool(no_more) + [f"now {_some(new)}"] * bool(new)
            what = f"what is excluded has changed since {{since}} ({', '.join(told)})"
            return SelectionChange(what, _LEFT_OUT if no_more else _STAYS)
        if ONE_FILE_SYSTEM in self.options ^ before.options:
            stays = ONE_FILE_SYSTEM in self.options
            how = "stays in the file system of its directory" if stays else "goes into other file systems, too,"
            return SelectionChange(f"the dump {how} now, and did not for {{since}}", _OTHERS)
        for option, kept in _KEPT.items():  # what was kept and is so no longer does no harm
            if option in self.options - before.options:
                return SelectionChange(f"{kept} are kept now, and were not for {{since}}", _ATTRIBUTES)
        return None if before.is_whole else SelectionChange("{since} is not whole itself", _OTHERS)


@frozen
class Consequence:
    """Why a FULL is made, and what is wrong with a dump that is none."""

    full: str
    otherwise: str


@frozen
class SelectionChange:
    """*what* keeps a dump from going on with the one before, which it has as ``{since}``, and what follows from it."""

    what: str
    consequence: Consequence

    def why_full(self, since: str) -> str:
        """Why a FULL is made and nothing on top of *since*."""
        return f"{self._what(since)}: this is a FULL, {self.consequence.full}"

    def why_not_whole(self, since: str) -> str:
        """What is wrong with a dump on top of *since*."""
        return f"{self._what(since)}: {self.consequence.otherwise}; a FULL puts it right"

    def _what(self, since: str) -> str:
        return self.what.replace("{since}", since)


_LEFT_OUT = Consequence(
    "so that what was excluded is backed up",
    "a file that changed while it was excluded is missing from it, or is old",
)
_STAYS = Consequence(
    "so that what is excluded now is not restored as it was", "what is excluded now is restored from it as it was"
)
_ATTRIBUTES = Consequence("so that all files have theirs", "files that have not changed lack theirs")
_OTHERS = Consequence("so that all of it is backed up", "files that have not changed may be missing from it, or be old")


FORGOTTEN = SelectionChange(
    "tar has left files out of {since}, having mistaken renamed directories for each other",
    Consequence("so that all of it is backed up", "it lacks them, too"),
)
"""Of a dump on top of one that lacks files, and what it leaves to that."""


def _some(patterns: Iterable[str]) -> str:
    known = sorted(patterns)
    shown = ", ".join(printable(pattern) for pattern in known[:_SHOWN])
    return f"{shown} and {len(known) - _SHOWN} more" if len(known) > _SHOWN else shown
