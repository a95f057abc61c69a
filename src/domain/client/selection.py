"""
The selection of a dump: what decides which files it contains. It is kept with the dump, for the next dump to compare.

GNU tar's snapshot file records what changed, but not the options of the run. A file that was excluded, changed
meanwhile and is no longer excluded looks unchanged to tar: the tree keeps its old version, without a warning. A file
that is newly excluded stays in the tree as it was. So after a change of selection only a FULL is complete.
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
    *root* is the first component of every member name, *excluded* the exclude patterns from all sources, *options*
    those options of tar that decide which files a dump has and which attributes of them.

    Neither the order nor repetition of patterns matters, as for tar. Nor does the location of the root: a reinstalled
    machine may have it elsewhere, and tar itself detects whether it is the same directory. *is_whole* is false if
    the dump or one that it builds on is known to lack files or to hold wrong ones.
    """

    root: str
    excluded: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    is_whole: bool = True

    def change_since(self, before: Selection) -> SelectionChange | None:
        """How this selection differs from *before*, or why *before* is itself incomplete; None if neither."""
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
        for option, kept in _KEPT.items():  # to stop keeping an attribute does no harm
            if option in self.options - before.options:
                return SelectionChange(f"{kept} are kept now, and were not for {{since}}", _ATTRIBUTES)
        return None if before.is_whole else SelectionChange("{since} is not whole itself", _OTHERS)


@frozen
class Consequence:
    """Why a FULL is made, and what would be wrong with an incremental dump."""

    full: str
    otherwise: str


@frozen
class SelectionChange:
    """*what* changed, with ``{since}`` for the label of the previous dump, and what follows from the change."""

    what: str
    consequence: Consequence

    def why_full(self, since: str) -> str:
        """Why a FULL is made instead of a dump on top of *since*."""
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
"""For a dump on top of one that lacks files."""


def _some(patterns: Iterable[str]) -> str:
    known = sorted(patterns)
    shown = ", ".join(printable(pattern) for pattern in known[:_SHOWN])
    return f"{shown} and {len(known) - _SHOWN} more" if len(known) > _SHOWN else shown
