"""
Comparing archives with their possible parents, each pair once.

Reading the listings of two archives is expensive and always gives the same result, so the result is kept beside the
records of the child. A failure to read is not kept: the archive may be readable later.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from attrs import define, evolve, field

from ...archives.archive import ArchiveState, BackupArchive, Kind
from ...comparing.directory_times import Pair, pairs
from ...comparing.fit import Agreement, Compatibility
from ...comparing.fitting import EXAMPLES, fit, overruled, together, unchanged, unread
from ...comparing.untroubled import alone, renames_in_vain, trouble_in
from ...errors.content import ExpandsTooFar, MemberUnreadable, RejectedContent
from ...errors.restoring import TreeTooLarge
from ...identity.archive_id import BackupType
from ...names.name_table import NameTable
from ...tar.read_headers import read_to_show
from ...tarkeep_error import TarkeepError
from ..reading.archive_members import ArchiveMembers

VERSIONS_COMPARED = 100
"""At most this many files are compared in two versions, to find one that differs."""

_KEPT = 2_000
"""The results of so many children are held: all of a profile are asked twice, for their links and by themselves."""

_SECOND = 1_000_000_000
_UNEXAMINED = "its members could not be examined"
_UNKNOWN = Compatibility(Agreement.UNKNOWN)


def has_listings(archive: BackupArchive) -> bool:
    """Whether *archive* has listings that can show what it builds on, and may be readable."""
    return (
        archive.contents is not None
        and archive.contents.kind is Kind.INCREMENTAL
        and archive.state is not ArchiveState.DAMAGED
    )


class EnoughCompared(Exception):
    """The allowed number of comparisons is used up."""


@define(eq=False)
class Comparing:
    """
    Comparisons for one purpose, by one thread: ``comparing(child, parent)`` compares the listings of the two.

    *allowed* is how many pairs may be newly compared, any number if None. *is_certain* turns false when an archive
    could not be read and the result is therefore unknown.

    Raises:
        EnoughCompared: the comparison would exceed *allowed*.
    """

    _members: ArchiveMembers
    _allowed: int | None = None
    is_certain: bool = True
    _kept: dict[str, dict[str, Compatibility]] = field(factory=dict)

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
        What *archive* shows by itself: whether tar extracts it without a complaint of its own (it is sound), whether it
        has renames without a source although it builds on nothing (it is not excusable), and which listed names it
        lacks. An archive that cannot be read counts as troubled.

        The result is kept as that of comparing the archive with itself.
        """
        if archive.contents is None or archive.contents.kind is Kind.OPAQUE or archive.state is ArchiveState.DAMAGED:
            return alone("")  # irrelevant here: the archive as a whole is an obstacle of its point
        found = self._fits(archive.digests.sha256).get(archive.digests.sha256)
        if found is None or (_is_full_with_unchanged(archive) and not found.unresolved):
            try:
                found = self._members.again(lambda: self._looked_at(archive))
            except (TreeTooLarge, MemberUnreadable, RejectedContent, ExpandsTooFar):
                return alone(_UNEXAMINED)
            except TarkeepError:
                self.is_certain = False
                return alone(_UNEXAMINED)
            self._keep(archive.digests.sha256, archive.digests.sha256, found)
        return found

    def _looked_at(self, archive: BackupArchive) -> Compatibility:
        table = self._members.table(archive)
        trouble = trouble_in(table) or self._members.footprint(archive).objection
        lacking = unread(table) if table.has_listings else ()
        left = unchanged(table) if _is_full_with_unchanged(archive) else ()
        return alone(trouble, lacking, renames_in_vain=renames_in_vain(table), unchanged=left)

    def _fits(self, child: str) -> dict[str, Compatibility]:
        found = self._kept.get(child)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[child] = self._members.records.fits(child)
        return found

    def _keep(self, child: str, parent: str, found: Compatibility) -> None:
        known = self._fits(child)
        known[parent] = found
        self._members.records.keep_fits(child, known)

    def overruled(self, child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
        """
        The paths that *child* calls unchanged and *between* carries in another version than *base* (see
        `fitting.overruled`).

        A FULL carries every file, changed or not, so for a FULL the versions are compared.
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
        """Whether both archives have a member at *path*, with different sizes or seconds."""
        there, here = (self._members.last(archive, path) for archive in (one, other))
        if there is None or here is None:
            return False
        return (there.size_bytes, there.mtime_ns // _SECOND) != (here.size_bytes, here.mtime_ns // _SECOND)

    def carries(self, archive: BackupArchive, paths: tuple[bytes, ...]) -> bool:
        """Whether *archive* has a member at one of *paths*; true if it cannot be read."""
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
            return _UNKNOWN  # these very bytes always give this result
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
        """A directory that has an earlier time in *child* than in *parent*; b"" if no directory does."""
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
        before = self._members.table(parent)  # first, so that the child's table can share its names
        return self._members.table(child, parent), before


def _is_full_with_unchanged(archive: BackupArchive) -> bool:
    return archive.id.type is BackupType.FULL and archive.contents is not None and archive.contents.has_unchanged


def _carries(table: NameTable, paths: tuple[bytes, ...]) -> bool:
    return any(table.files.at(path) for path in paths)
