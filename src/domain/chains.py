"""
Which archive builds on which, and how surely that is known.

Nothing inside a tar says what it builds on, so a link is found on a ladder: the digest of tar's snapshot file proves
it, the client declares it, or a rule of the profile infers it; the last two hold only as long as the names that the
archive calls unchanged are found in its parent. An archive whose parent cannot be found is an orphan and says so:
GNU tar would restore wrong data from it without a word, Tarkeep never guesses.

Pure: archives in, links out, whatever the order they come in. Archives in the trash are no part of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum

from attrs import frozen

from .archives import ArchiveId, ArchiveState, BackupArchive, BackupType, Kind
from .path_text import path_text
from .rules import IncBase, ProfileRules

NEAREST_TRIED = 50
"""Other archives that are compared with one whose parent turned out to be none, the nearest before it first."""


SHOWN_BYTES = 200
"""Of a path in a sentence."""


class Evidence(Enum):
    """How surely a parent is known, from best to worst."""

    PROVEN = "proven"
    DECLARED = "declared"
    INFERRED = "inferred"
    CONTRADICTED = "contradicted"
    ORPHAN = "orphan"

    @property
    def rank(self) -> int:
        """0 for the best."""
        return _RANKS[self]


_RANKS = {evidence: rank for rank, evidence in enumerate(Evidence)}


class FitVerdict(Enum):
    """Whether one archive can build on another, as their listings tell."""

    UNKNOWN = "unknown"  # one of them has no listings
    FITS = "fits"
    CONTRADICTS = "contradicts"


@frozen
class Fit:
    """
    What comparing the listings of an archive with those of a possible parent showed.

    *unresolved* counts the names that the archive calls unchanged and the parent does not have, *examples* are the
    first few of them as paths. *is_sound* unless the renames between them are such as GNU tar is known to carry out
    wrongly: then the tree can be merged, and tar, extracting one archive after the other, restores something else.
    *is_excusable* unless directories were renamed between them: there tar is known to forget names that it should
    archive, while otherwise a name of a proven chain that is nowhere was left out on purpose.
    """

    verdict: FitVerdict
    unresolved: int = 0
    examples: tuple[bytes, ...] = ()
    is_sound: bool = True
    is_excusable: bool = True


@frozen
class Link:
    """
    What *child* builds on, and why that is believed.

    *parent* is None for an archive that builds on nothing (`is_base`) and where none is known. *tried* are the archives
    that were taken for the parent and are not.
    """

    child: ArchiveId
    parent: ArchiveId | None
    evidence: Evidence
    reason: str
    tried: tuple[ArchiveId, ...] = ()

    @property
    def is_base(self) -> bool:
        """It builds on nothing, so a chain begins here."""
        return self.parent is None and self.evidence.rank < Evidence.CONTRADICTED.rank


def sorted_archives(archives: Iterable[BackupArchive]) -> list[BackupArchive]:
    """Those not in the trash, in the order in which they were taken."""
    kept = [archive for archive in archives if archive.state is not ArchiveState.TRASHED]
    kept.sort(key=_order)
    return kept


def _order(archive: BackupArchive) -> tuple[datetime, datetime, ArchiveId]:
    return archive.taken_at, archive.received_at, archive.id


def link_archives(
    archives: Iterable[BackupArchive], rules: ProfileRules, fit: Callable[[BackupArchive, BackupArchive], Fit]
) -> dict[ArchiveId, Link]:
    """
    A link for every archive that is not in the trash, in the order in which they were taken.

    *archives* are all of one profile, in any order. ``fit(child, parent)`` compares listings; it is asked only where
    nothing better is known: once for a parent that is declared or inferred, and of up to `NEAREST_TRIED` others when
    that one is contradicted.

    Cost: O(n log n), and the calls of *fit*.
    """
    known = list(archives)
    return _Linker(known, sorted_archives(known), rules, fit).links()


class _Linker:
    """The ladder, over tables made once of all archives."""

    def __init__(
        self,
        known: list[BackupArchive],
        ordered: list[BackupArchive],
        rules: ProfileRules,
        fit: Callable[[BackupArchive, BackupArchive], Fit],
    ) -> None:
        self._ordered = ordered
        self._position = {archive.id: position for position, archive in enumerate(ordered)}
        self._rules = rules
        self._fit = fit
        self._trashed = {archive.id for archive in known if archive.state is ArchiveState.TRASHED}
        self._left_by: dict[str, list[int]] = {}
        for position, archive in enumerate(ordered):
            if archive.lineage.snapshot_after is not None:
                self._left_by.setdefault(archive.lineage.snapshot_after, []).append(position)
        self._left_by_trashed = {
            archive.lineage.snapshot_after: archive.id
            for archive in sorted(known, key=_order)
            if archive.id in self._trashed
        }
        self._of_type: dict[BackupType, list[int]] = {type: [] for type in BackupType}
        for position, archive in enumerate(ordered):
            self._of_type[archive.id.type].append(position)

    def links(self) -> dict[ArchiveId, Link]:
        return {archive.id: self._link(archive, position) for position, archive in enumerate(self._ordered)}

    def _link(self, child: BackupArchive, position: int) -> Link:
        unchanged = has_unchanged(child)
        if child.id.type is BackupType.FULL and not (unchanged and _says_where_from(child)):
            if not unchanged:
                return Link(child.id, None, Evidence.PROVEN, "a full archive builds on nothing")
            reason = "sent as a full archive, and nothing says what else it could build on"
            return Link(child.id, None, Evidence.INFERRED, reason)
        link = self._climb(child, position)
        if link.parent is None and is_whole(child):
            reason = f"nothing in it is left to an earlier archive, so it holds the whole tree ({link.reason})"
            return Link(child.id, None, Evidence.INFERRED, reason, link.tried)
        return link

    def _climb(self, child: BackupArchive, position: int) -> Link:
        if child.lineage.snapshot_before is not None:
            return self._by_snapshot(child, position, child.lineage.snapshot_before)
        if child.lineage.parent is not None:
            return self._declared(child, position, ArchiveId(child.id.profile, *child.lineage.parent))
        return self._inferred(child, position)

    def _by_snapshot(self, child: BackupArchive, position: int, before: str) -> Link:
        left_by = [candidate for candidate in self._left_by.get(before, ()) if candidate != position]
        if not left_by:
            # Not inferred from here on: whatever is stored is known not to be what this dump started from.
            where = "no stored archive left the snapshot file that it started from"
            if before in self._left_by_trashed:
                where = f"the archive it started from, {_called(self._left_by_trashed[before])}, is in the trash"
            return Link(child.id, None, Evidence.ORPHAN, where)
        at = bisect_left(left_by, position)
        parent = self._ordered[left_by[at - 1] if at else left_by[0]]
        reason = f"it started from the snapshot file that {_called(parent.id)} left behind"
        found = self._fit(child, parent)
        if found.verdict is FitVerdict.CONTRADICTS and not found.is_excusable:
            forgotten = f"tar forgot {found.unresolved} names when directories were renamed{_example(found)}"
            return Link(child.id, parent.id, Evidence.CONTRADICTED, f"{reason}, but {forgotten}")
        return Link(child.id, parent.id, Evidence.PROVEN, reason)

    def _declared(self, child: BackupArchive, position: int, parent: ArchiveId) -> Link:
        if parent == child.id:
            return Link(child.id, None, Evidence.ORPHAN, "it was declared to build on itself")
        if parent not in self._position:
            where = "is in the trash" if parent in self._trashed else "is not stored"
            return Link(child.id, None, Evidence.ORPHAN, f"the declared parent {_called(parent)} {where}")
        found = self._fit(child, self._ordered[self._position[parent]])
        if found.verdict is FitVerdict.CONTRADICTS:
            return self._contradicted(child, position, parent, found, "declared")
        return Link(child.id, parent, Evidence.DECLARED, f"the client declared {_called(parent)}{_checked(found)}")

    def _inferred(self, child: BackupArchive, position: int) -> Link:
        types = base_types(child.id.type, self._rules)
        before = [self._of_type[type][at - 1] for type in types if (at := bisect_left(self._of_type[type], position))]
        if not before:
            wanted = " or ".join(type.value for type in types)
            return Link(child.id, None, Evidence.ORPHAN, f"no {wanted} taken before it is stored")
        parent = self._ordered[max(before)]
        found = self._fit(child, parent)
        if found.verdict is FitVerdict.CONTRADICTS:
            return self._contradicted(child, position, parent.id, found, "inferred")
        rule = "the newest FULL before it" if child.id.type is BackupType.DIFF else self._rules.inc_base.value
        return Link(child.id, parent.id, Evidence.INFERRED, f"by rule ({rule}) {_called(parent.id)}{_checked(found)}")

    def _contradicted(self, child: BackupArchive, position: int, parent: ArchiveId, found: Fit, how: str) -> Link:
        tried = [parent]
        fitting: list[ArchiveId] = []
        for candidate in reversed(self._ordered[max(0, position - NEAREST_TRIED) : position]):
            if candidate.id == parent:
                continue
            verdict = self._fit(child, candidate).verdict
            if verdict is FitVerdict.FITS:
                fitting.append(candidate.id)
            elif verdict is FitVerdict.CONTRADICTS:
                tried.append(candidate.id)
            if len(fitting) == 2:
                break
        names = f"{found.unresolved} name{'s' if found.unresolved != 1 else ''}"
        reason = f"the {how} parent {_called(parent)} lacks {names} that are said to be unchanged"
        reason += _example(found)
        if len(fitting) == 1:
            reason += f"; of the archives before it only {_called(fitting[0])} has them all"
            return Link(child.id, fitting[0], Evidence.INFERRED, reason, tuple(tried))
        reason += "; several others have them all" if fitting else "; no other archive before it has them all"
        return Link(child.id, None, Evidence.CONTRADICTED, reason, (*tried, *fitting))


def base_types(type: BackupType, rules: ProfileRules) -> tuple[BackupType, ...]:
    """The types of archive that one of *type* may build on by rule, none for a FULL."""
    if type is BackupType.FULL:
        return ()
    if type is BackupType.DIFF or rules.inc_base is IncBase.LAST_FULL:
        return (BackupType.FULL,)
    if rules.inc_base is IncBase.LAST_ANY:
        return tuple(BackupType)
    return (BackupType.FULL, BackupType.INC)


def has_unchanged(archive: BackupArchive) -> bool:
    """A listing in it says of some name that it is unchanged and elsewhere."""
    return archive.contents is not None and archive.contents.has_unchanged


def is_whole(archive: BackupArchive) -> bool:
    """It has listings, and holds itself whatever they name: it restores without any other."""
    contents = archive.contents
    return (
        contents is not None
        and contents.kind is Kind.INCREMENTAL
        and contents.members > 0
        and not contents.has_unchanged
    )


def _says_where_from(archive: BackupArchive) -> bool:
    return archive.lineage.snapshot_before is not None or archive.lineage.parent is not None


def _example(found: Fit) -> str:
    return f", such as {path_text(found.examples[0][:SHOWN_BYTES])}" if found.examples else ""


def _called(id: ArchiveId) -> str:
    return f"{id.type.value}/{id.name}"


def _checked(found: Fit) -> str:
    if found.verdict is FitVerdict.FITS:
        return ", which has every name that is said to be unchanged"
    return ", which cannot be checked"


# -- what follows from links -----------------------------------------------------------------------------------------


@frozen
class Chain:
    """
    An archive that builds on nothing known, and all that build on it, in the order in which they were taken.

    *is_whole* unless the first of them ought to build on something and does not.
    """

    base: ArchiveId
    archives: tuple[ArchiveId, ...]
    is_whole: bool


def chains(links: Mapping[ArchiveId, Link]) -> tuple[Chain, ...]:
    """
    The chains of a profile, in the order of their first archives, each archive in exactly one.

    *links* are in the order in which the archives were taken, as `link_archives` gives them. Archives that build on
    each other in a circle are a chain without a base: the earliest of them stands for it.
    """
    base_of: dict[ArchiveId, ArchiveId] = {}
    for id in links:
        climbed: list[ArchiveId] = []
        at: ArchiveId = id
        seen: set[ArchiveId] = set()
        while at not in base_of and at not in seen:
            seen.add(at)
            climbed.append(at)
            parent = links[at].parent
            if parent is None or parent not in links:
                break
            at = parent
        base = base_of.get(at, at)
        for passed in climbed:
            base_of[passed] = base
    grouped: dict[ArchiveId, list[ArchiveId]] = {}
    for id in links:
        grouped.setdefault(base_of[id], []).append(id)
    return tuple(Chain(base, tuple(ids), links[base].is_base) for base, ids in grouped.items())


def dependents(links: Mapping[ArchiveId, Link], id: ArchiveId) -> tuple[ArchiveId, ...]:
    """All that build on *id*, directly or not, in the order of *links*: what would not restore without it."""
    children: dict[ArchiveId, list[ArchiveId]] = {}
    for link in links.values():
        if link.parent is not None:
            children.setdefault(link.parent, []).append(link.child)
    found: set[ArchiveId] = set()
    waiting = [id]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found and child != id]
        found.update(new)
        waiting.extend(new)
    return tuple(child for child in links if child in found)
