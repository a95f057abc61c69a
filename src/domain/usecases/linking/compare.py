"""
Comparing archives with those that they may build on, each pair once.

Reading the listings of two archives is dear and tells the same every time, so what it showed is kept beside the records
of the one that builds. What could not be read is not kept: it may be there again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from attrs import define, evolve, field

from ...archives.archive import ArchiveState, BackupArchive, Kind
from ...comparing.directory_times import Pair, pairs
from ...comparing.fit import Agreement, Compatibility
from ...comparing.fitting import EXAMPLES, fit, overruled, together, unchanged, unread
from ...comparing.untroubled import alone, has_no_trouble, renames_in_vain
from ...errors.content import ExpandsTooFar, MemberUnreadable, RejectedContent
from ...errors.restoring import TreeTooLarge
from ...identity.archive_id import BackupType
from ...names.name_table import NameTable
from ...tar.read_headers import read_to_show
from ...tarkeep_error import TarkeepError
from ..reading.read_members import ReadMembers

VERSIONS_COMPARED = 100
"""Files of which two versions are compared at most, to find one that differs."""

_SECOND = 1_000_000_000
_UNKNOWN = Compatibility(Agreement.UNKNOWN)


def has_listings(archive: BackupArchive) -> bool:
    """Whether *archive* tells by its listings what it builds on, as far as it can be read."""
    return (
        archive.contents is not None
        and archive.contents.kind is Kind.INCREMENTAL
        and archive.state is not ArchiveState.DAMAGED
    )


class EnoughCompared(Exception):
    """As many pairs were compared as were allowed."""


@define(eq=False)
class Comparing:
    """
    Comparisons for one purpose, by one thread: ``comparing(child, parent)`` is what the listings of the two tell.

    *allowed* is how many pairs may be compared anew, any number if None. *is_certain* turns false where something could
    not be read, so that nothing was told.

    Raises:
        EnoughCompared: at a pair more than are allowed.
    """

    _members: ReadMembers
    _allowed: int | None = None
    is_certain: bool = True
    _child: str = ""
    _kept: dict[str, Compatibility] = field(factory=dict)

    def __call__(self, child: BackupArchive, parent: BackupArchive) -> Compatibility:
        if not (has_listings(child) and has_listings(parent)):
            return _UNKNOWN
        pair = (child.digests.sha256, parent.digests.sha256)
        found = self._fits(pair[0]).get(pair[1])
        if found is None:
            found = self._compared(child, parent)
            if found is None:
                self.is_certain = False
                return _UNKNOWN
            self._keep(*pair, found)
        return found

    def alone(self, archive: BackupArchive) -> Compatibility:
        """
        What *archive* shows alone: whether tar extracts it without a complaint that is not about what it builds on (it
        is sound), whether it renames in vain where it builds on nothing (it is not excusable), and what it lists and
        has not. What cannot be read may be troubled.

        It is kept as what comparing it with itself showed.
        """
        if archive.contents is None or archive.contents.kind is Kind.OPAQUE or archive.state is ArchiveState.DAMAGED:
            return alone(True)  # which is no matter: it is in the way of its point as a whole
        found = self._fits(archive.digests.sha256).get(archive.digests.sha256)
        if found is None or (_is_full_with_unchanged(archive) and not found.unresolved):
            try:
                found = self._members.again(lambda: self._looked_at(archive))
            except (TreeTooLarge, MemberUnreadable, RejectedContent, ExpandsTooFar):
                return alone(False)
            except TarkeepError:
                self.is_certain = False
                return alone(False)
            self._keep(archive.digests.sha256, archive.digests.sha256, found)
        return found

    def _looked_at(self, archive: BackupArchive) -> Compatibility:
        table = self._members.table(archive)
        is_untroubled = has_no_trouble(table) and not self._members.footprint(archive).objection
        lacking = unread(table) if table.has_listings else ()
        left = unchanged(table) if _is_full_with_unchanged(archive) else ()
        return alone(is_untroubled, lacking, renames_in_vain=renames_in_vain(table), unchanged=left)

    def _fits(self, child: str) -> dict[str, Compatibility]:
        if self._child != child:
            self._child, self._kept = child, self._members.records.fits(child)
        return self._kept

    def _keep(self, child: str, parent: str, found: Compatibility) -> None:
        self._kept[parent] = found
        self._members.records.keep_fits(child, self._kept)

    def overruled(self, child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
        """
        What *child* calls unchanged and *between* carries otherwise than *base* (see `fitting.overruled`).

        A FULL carries everything, changed or not: of that the versions are compared.
        """
        if not (has_listings(child) and has_listings(between)):
            return ()
        self._count()
        is_full = between.id.type is BackupType.FULL
        try:
            limit = VERSIONS_COMPARED if is_full else EXAMPLES
            paths = self._members.again(lambda: overruled(*self._tables(child, between), limit))
            if not is_full:
                return paths
            return tuple(islice((path for path in paths if self._is_another(path, between, base)), 1))
        except (TreeTooLarge, MemberUnreadable, RejectedContent, ExpandsTooFar):
            return ()
        except TarkeepError:
            self.is_certain = False
            return ()

    def _is_another(self, path: bytes, one: BackupArchive, other: BackupArchive) -> bool:
        """Both have a member there, of another size or of another second."""
        there, here = (self._members.last(archive, path) for archive in (one, other))
        if there is None or here is None:
            return False
        return (there.size_bytes, there.mtime_ns // _SECOND) != (here.size_bytes, here.mtime_ns // _SECOND)

    def carries(self, archive: BackupArchive, paths: tuple[bytes, ...]) -> bool:
        """Whether *archive* has a member at one of *paths*; one that cannot be read may have."""
        if archive.contents is None or archive.contents.kind is Kind.OPAQUE or archive.state is ArchiveState.DAMAGED:
            return True
        try:
            return self._members.again(lambda: _carries(self._members.table(archive), paths))
        except TarkeepError:
            self.is_certain = False
            return True

    def _count(self) -> None:
        if self._allowed is not None:
            if not self._allowed:
                raise EnoughCompared
            self._allowed -= 1

    def _compared(self, child: BackupArchive, parent: BackupArchive) -> Compatibility | None:
        self._count()
        is_base = parent.id.type is BackupType.FULL
        try:
            return self._members.again(lambda: self._fit(child, parent, is_base))
        except (TreeTooLarge, MemberUnreadable, RejectedContent, ExpandsTooFar):
            return _UNKNOWN  # it is so with these very bytes, whenever they are looked at
        except TarkeepError:
            return None

    def _fit(self, child: BackupArchive, parent: BackupArchive, is_base: bool) -> Compatibility:
        table, before = self._tables(child, parent)
        found = fit(table, before, is_base=is_base)
        if table.is_joined or before.is_joined:
            parts = self._members.parts(child) if table.is_joined else [table]
            parts = [*(self._members.parts(parent)[-1:] if before.is_joined else [before]), *parts]
            found = together(
                [fit(*two, is_base=is_base and two[1] is before) for two in zip(parts[1:], parts, strict=False)]
            )
        return evolve(found, earlier=self._earlier(child, parent, pairs(table, before)))

    def _earlier(self, child: BackupArchive, parent: BackupArchive, compared: Sequence[Pair]) -> bytes:
        """A directory that is of an earlier time in *child*; b"" if none is."""
        if not compared:
            return b""
        here = self._times(child, [pair.child_at for pair in compared])
        there = self._times(parent, [pair.parent_at for pair in compared])
        earlier = (
            pair.path
            for pair in compared
            if pair.child_at in here
            and pair.parent_at in there
            and pair.is_earlier(here[pair.child_at], there[pair.parent_at])
        )
        return next(earlier, b"")

    def _times(self, archive: BackupArchive, positions: Sequence[int]) -> dict[int, int]:
        """The times, in nanoseconds, of the members at *positions*."""
        return {record.at: read_to_show(record).mtime_ns for record in self._members.at(archive, sorted(positions))}

    def _tables(self, child: BackupArchive, parent: BackupArchive) -> tuple[NameTable, NameTable]:
        before = self._members.table(parent)  # first, so that the child's can lean on what is told there
        return self._members.table(child, parent), before


def _is_full_with_unchanged(archive: BackupArchive) -> bool:
    return archive.id.type is BackupType.FULL and archive.contents is not None and archive.contents.has_unchanged


def _carries(table: NameTable, paths: tuple[bytes, ...]) -> bool:
    return any(table.files.at(path) for path in paths)
