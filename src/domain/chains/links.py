"""
Which archive builds on which, and how surely that is known.

A tar does not say what it builds on, so the evidence for a link has steps: the digest of tar's snapshot file proves it,
the client declares it, or a rule of the profile infers it; the last two hold only as long as the names that the archive
calls unchanged are found in its parent. An archive whose parent cannot be found is an orphan and says so: GNU tar would
silently restore wrong data from it, and Tarkeep never guesses.

Pure: archives in, links out, in whatever order they come. Archives in the trash do not take part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TypeAlias

from attrs import frozen

from ..archives.archive import ArchiveState, BackupArchive, Kind
from ..comparing.fit import Agreement, Compatibility, Renamed
from ..identity.archive_id import ArchiveId, BackupType
from ..profiles.rules import IncBase, ProfileRules
from ..text.counted import counted
from ..text.paths import SHOWN_BYTES, path_text
from .link import Evidence, Link, overlooked_text
from .neighbours import ListedNeighbours, Neighbours, order, sorted_archives

RULE = 21
"""Changes whenever links or standings may come out differently than before: all links are then made anew."""

NEAREST_TRIED = 50
"""How many other archives are compared with one whose supposed parent was rejected, the nearest before it first."""


_REMOVED = "was removed by the retention policy; it can be brought back while it is in the trash"

BETWEEN_TRIED = 10
"""How many archives between one and its supposed parent are checked for what they carry, the nearest first."""


Compare: TypeAlias = Callable[[BackupArchive, BackupArchive], Compatibility]
"""Compares the listings of a child with those of a possible parent."""

Overrule: TypeAlias = Callable[[BackupArchive, BackupArchive, BackupArchive], tuple[bytes, ...]]
"""
Some paths that one archive calls unchanged, and of which a second, taken before it, carries another version than a
third, taken before that; empty where the first may build on the third (see `fitting.overruled`).
"""


Carries: TypeAlias = Callable[[BackupArchive, tuple[bytes, ...]], bool]
"""Whether an archive has a member at one of some canonical paths."""


def _nothing_overruled(_child: BackupArchive, _between: BackupArchive, _base: BackupArchive) -> tuple[bytes, ...]:
    return ()


def _everything_carried(_archive: BackupArchive, _paths: tuple[bytes, ...]) -> bool:
    return True


def link_archives(
    archives: Iterable[BackupArchive],
    rules: ProfileRules,
    fit: Compare,
    overruled: Overrule = _nothing_overruled,
    carries: Carries = _everything_carried,
) -> dict[ArchiveId, Link]:
    """
    A link for every archive that is not in the trash, in the order in which they were taken.

    *archives* are all of one profile, in any order.

    Cost: O(n log n), and the calls of *fit*.
    """
    known = list(archives)
    among = ListedNeighbours(known)
    return {
        archive.id: link_archive(archive, among, rules, fit, overruled, carries) for archive in sorted_archives(known)
    }


def link_archive(
    child: BackupArchive,
    among: Neighbours,
    rules: ProfileRules,
    fit: Compare,
    overruled: Overrule = _nothing_overruled,
    carries: Carries = _everything_carried,
) -> Link:
    """
    What *child*, which is not in the trash, builds on.

    ``fit(child, parent)`` compares listings; it is called only without better evidence: once for a parent that is
    declared or inferred, and for up to `NEAREST_TRIED` others if that one is contradicted. *overruled* is called at
    most once, if an archive of another type lies between the two; *carries* where a parent lacks names, for those
    `NEAREST_TRIED`.
    """
    unchanged = has_unchanged(child)
    if child.id.type is BackupType.FULL and not (unchanged and _says_where_from(child)):
        if not unchanged:
            return Link(child.id, None, Evidence.PROVEN, "a full archive builds on nothing")
        if child.lineage.snapshot_after is not None:
            # The snapshot file it left identifies what builds on it, and shows that no archive is between.
            reason = "sent as a full archive with its snapshot's digest; what it calls unchanged was left out"
            return Link(child.id, None, Evidence.PROVEN, reason)
        reason = "sent as a full archive, and nothing says what else it could build on"
        return Link(child.id, None, Evidence.INFERRED, reason)
    link = _Ladder(child, among, rules, fit, overruled, carries).climb()
    if link.parent is None and is_whole(child):
        reason = f"nothing in it is left to an earlier archive, so it holds the whole tree ({link.reason})"
        return Link(child.id, None, Evidence.INFERRED, reason, link.tried)
    return link


@frozen
class _Ladder:
    """Tries the evidence for one archive, from the best to the worst."""

    child: BackupArchive
    among: Neighbours
    rules: ProfileRules
    fit: Compare
    overruled: Overrule
    carries: Carries

    def climb(self) -> Link:
        lineage = self.child.lineage
        if lineage.snapshot_before is not None:
            return self._by_snapshot(lineage.snapshot_before)
        if lineage.parent is not None:
            return self._declared(ArchiveId(self.child.id.profile, *lineage.parent))
        return self._inferred()

    def _by_snapshot(self, before: str) -> Link:
        child = self.child
        left_by = [archive for archive in self.among.leaving(before) if archive.id != child.id]
        stored = [archive for archive in left_by if archive.state is not ArchiveState.TRASHED]
        if not stored:
            if (unknown := self._declared_unknown()) is not None:
                return self._declared(unknown)
            # Do not infer from here on: no stored archive is the one that this dump started from.
            where = "no stored archive left the snapshot file that it started from"
            if left_by:
                where = f"the archive it started from, {left_by[-1].id.label}, {_REMOVED}"
            return Link(child.id, None, Evidence.ORPHAN, where)
        at = bisect_left(stored, order(child), key=order)
        parent = stored[at - 1] if at else stored[0]
        reason = f"it started from the snapshot file that {parent.id.label} left behind"
        found = self.fit(child, parent)
        if found.verdict is Agreement.CONTRADICTS:
            names = f"{counted(found.unresolved, 'name')} that it calls unchanged"
            are = "is" if found.unresolved == 1 else "are"
            reason += f"; {names} {are} in no archive before it{_example(found)}: excluded, or never archived by tar"
            if found.renamed is Renamed.IN_VAIN:
                reason += (
                    ", or archived under another name: directories that it renames are in no archive before it by "
                    "their old names, so tar cannot rename them"
                )
            elif found.renamed is Renamed.FOUND:
                reason += ", which mistakes renamed directories for each other: then a file may have another's content"
        return self._to(parent, Evidence.PROVEN, reason, found)

    def _declared_unknown(self) -> ArchiveId | None:
        """The declared parent, if it is stored and its snapshot file is unknown."""
        declared = self.child.lineage.parent
        parent = None if declared is None else self.among.named(ArchiveId(self.child.id.profile, *declared))
        if parent is None or parent.id == self.child.id or parent.state is ArchiveState.TRASHED:
            return None
        return parent.id if parent.lineage.snapshot_after is None else None

    def _declared(self, id: ArchiveId) -> Link:
        child = self.child
        if id == child.id:
            return Link(child.id, None, Evidence.ORPHAN, "it was declared to build on itself")
        parent = self.among.named(id)
        if parent is None or parent.state is ArchiveState.TRASHED:
            where = "is not stored" if parent is None else _REMOVED
            return Link(child.id, None, Evidence.ORPHAN, f"the declared parent {id.label} {where}")
        found = self.fit(child, parent)
        if found.verdict is Agreement.CONTRADICTS:
            return self._contradicted(parent, found, "declared")
        if (otherwise := self._refuted(parent, "declared")) is not None:
            return otherwise
        return self._to(parent, Evidence.DECLARED, f"the client declared it{_checked(found)}", found)

    def _inferred(self) -> Link:
        child = self.child
        types = base_types(child.id.type, self.rules)
        parent = self.among.newest_before(child, types)
        if parent is None:
            wanted = " or ".join(type.value for type in types)
            return Link(child.id, None, Evidence.ORPHAN, f"no stored {wanted} was taken before it")
        if (removed := self.among.removed_between(parent, child, types)) is not None:
            # Names may agree with an older archive, and files would silently have an older content.
            reason = f"by rule it builds on {removed.id.label}, which {_REMOVED}"
            return Link(child.id, None, Evidence.ORPHAN, reason)
        found = self.fit(child, parent)
        if found.verdict is Agreement.CONTRADICTS:
            return self._contradicted(parent, found, "inferred")
        if (otherwise := self._refuted(parent, "inferred")) is not None:
            return otherwise
        rule = "the newest FULL before it" if child.id.type is BackupType.DIFF else self.rules.inc_base.value
        return self._to(parent, Evidence.INFERRED, f"by rule ({rule}){_checked(found)}", found)

    def _refuted(self, parent: BackupArchive, how: str, lacking: Sequence[BackupArchive] = ()) -> Link | None:
        """
        Another link, if an archive between *parent* and this one carries what this one calls unchanged.

        Then this one was made from the snapshot file of the archive between, or of a missing one. *lacking* are
        archives without the names that *parent* lacks: if the one between lacks them too, that does not count against
        it.
        """
        child = self.child
        others = set(BackupType).difference((BackupType.FULL,), base_types(child.id.type, self.rules))
        newest = self.among.newest_before(child, tuple(others)) if others else None
        if newest is None or newest.id == parent.id or order(newest) < order(parent):
            return None
        changed = self._changed_since(parent, others)
        if changed is None:
            return None
        between, carried = changed
        example = path_text(carried[0][:SHOWN_BYTES])
        reason = (
            f"it does not build on the {how} parent {parent.id.label}: it calls {example} unchanged, which "
            f"{between.id.label} between the two carries anew"
        )
        tried = [parent.id]
        for candidate in self._since(between, others):
            found = self.fit(child, candidate)
            if found.verdict is Agreement.FITS:
                which = "that one" if candidate.id == between.id else candidate.id.label
                reason += f"; {which} has every name that is said to be unchanged"
                return self._to(candidate, Evidence.INFERRED, reason, found, tuple(tried))
            is_left_out = found.is_excusable and not any(self.carries(one, found.examples) for one in lacking)
            if lacking and found.verdict is Agreement.CONTRADICTS and is_left_out:
                names = f"{counted(found.unresolved, 'name')} said to be unchanged{_example(found)}"
                reason += (
                    f"; {candidate.id.label} lacks {names}, as all do: left out of the dump, or an archive is missing"
                )
                return self._to(candidate, Evidence.UNCERTAIN, reason, found, tuple(tried))
            tried.append(candidate.id)
        reason += f", and that one lacks {counted(found.unresolved, 'name')} said to be unchanged{_example(found)}"
        return Link(child.id, None, Evidence.CONTRADICTED, reason, tuple(tried))

    def _since(self, first: BackupArchive, types: Container[BackupType]) -> Iterator[BackupArchive]:
        """The archives of *types* before this one, within `BETWEEN_TRIED`, the nearest first, and *first* last."""
        for archive in self.among.before(self.child, BETWEEN_TRIED):
            if order(archive) < order(first):
                return
            if archive.id.type in types:
                yield archive

    def _changed_since(
        self, base: BackupArchive, types: Container[BackupType] = tuple(BackupType)
    ) -> tuple[BackupArchive, tuple[bytes, ...]] | None:
        """The nearest archive after *base* that carries what this one calls unchanged, and some of those paths."""
        for between in self._since(base, types):
            if between.id == base.id:
                continue
            carried = self.overruled(self.child, between, base)
            if carried:
                return between, carried
        return None

    def _contradicted(self, parent: BackupArchive, found: Compatibility, how: str) -> Link:
        """
        A link where *parent* lacks names.

        Names in no archive were left out of the dump, or are in a missing archive: nothing tells which, and no archive
        is a better parent for them. Nor is one that has them, if *parent*, which came later, carries another version of
        what is called unchanged.
        """
        child = self.child
        before = self.among.before(child, NEAREST_TRIED)
        is_left_out = found.is_excusable and not any(self.carries(archive, found.examples) for archive in before)
        if is_left_out and (otherwise := self._refuted(parent, how, before)) is not None:
            return otherwise
        names = f"{counted(found.unresolved, 'name')} that {'is' if found.unresolved == 1 else 'are'}"
        reason = f"the {how} parent {parent.id.label} lacks {names} said to be unchanged"
        reason += _example(found)
        if is_left_out:
            them, were = ("it", "it was") if found.unresolved == 1 else ("them", "they were")
            reason += f"; no archive before it has {them}: {were} left out of the dump, or an archive is missing"
            return self._to(parent, Evidence.UNCERTAIN, reason, found)
        tried = [parent.id]
        fitting: list[tuple[BackupArchive, Compatibility]] = []
        changed: tuple[bytes, ...] = ()
        for candidate in before:
            if candidate.id == parent.id:
                continue
            other = self.fit(child, candidate)
            if other.verdict is Agreement.FITS and (since := self._changed_since(candidate)):
                changed = changed or since[1]
                tried.append(candidate.id)
            elif other.verdict is Agreement.FITS:
                fitting.append((candidate, other))
            elif other.verdict is Agreement.CONTRADICTS:
                tried.append(candidate.id)
            if len(fitting) == 2:
                break
        if len(fitting) == 1:
            ((only, fits),) = fitting
            reason += f"; of the archives before it only {only.id.label} has them all"
            if not found.is_excusable:
                return self._to(only, Evidence.INFERRED, reason, fits, tuple(tried))
            reason += ": it builds on that one, or what the other lacks was left out of the dump"
            return self._to(only, Evidence.UNCERTAIN, reason, fits, tuple(tried))
        if changed and not fitting and found.is_excusable:
            reason += (
                f"; those before that have all names are refuted by {path_text(changed[0][:SHOWN_BYTES])}, which that "
                "parent carries anew: what it lacks was left out of the dump, or an archive is missing"
            )
            return self._to(parent, Evidence.UNCERTAIN, reason, found, tuple(tried[1:]))
        reason += "; several others have them all" if fitting else "; no other archive before it has them all"
        others = (archive.id for archive, _ in fitting)
        return Link(child.id, None, Evidence.CONTRADICTED, reason, (*tried, *others))

    def _to(
        self,
        parent: BackupArchive,
        evidence: Evidence,
        reason: str,
        found: Compatibility,
        tried: tuple[ArchiveId, ...] = (),
    ) -> Link:
        reason += overlooked_text(found)
        if found.earlier and evidence is not Evidence.PROVEN:
            evidence = Evidence.UNCERTAIN
            reason += (
                f"; but {path_text(found.earlier[:SHOWN_BYTES])} is a directory of an earlier time than in that one: "
                "its time was set back, or the archive was taken before that one"
            )
        return Link(self.child.id, parent.id, evidence, reason, tried, found.unsound, found.completeness)


def base_types(type: BackupType, rules: ProfileRules) -> tuple[BackupType, ...]:
    """The types of archive that one of *type* may build on by rule; empty for a FULL."""
    if type is BackupType.FULL:
        return ()
    if type is BackupType.DIFF or rules.inc_base is IncBase.LAST_FULL:
        return (BackupType.FULL,)
    if rules.inc_base is IncBase.LAST_ANY:
        return tuple(BackupType)
    return (BackupType.FULL, BackupType.INC)


def has_unchanged(archive: BackupArchive) -> bool:
    """Whether a listing in it says of some name that it is unchanged, and so in another archive."""
    return archive.contents is not None and archive.contents.has_unchanged


def is_whole(archive: BackupArchive) -> bool:
    """Whether it has listings and contains everything they name: it restores without any other archive."""
    contents = archive.contents
    return (
        contents is not None
        and contents.kind is Kind.INCREMENTAL
        and contents.members > 0
        and not contents.has_unchanged
    )


def _says_where_from(archive: BackupArchive) -> bool:
    return archive.lineage.snapshot_before is not None or archive.lineage.parent is not None


def _example(found: Compatibility) -> str:
    return f", such as {path_text(found.examples[0][:SHOWN_BYTES])}" if found.examples else ""


def _checked(found: Compatibility) -> str:
    if found.verdict is Agreement.FITS:
        return ", and it has every name that is said to be unchanged"
    return ", which cannot be checked"
