"""What is kept of scrubs: when which archive was read, and what is to be read first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...archives.archive import BackupArchive
from ...identity.archive_id import ArchiveId
from ...scrubbing.unread import FoundRight, LastChecked, Unread


class ScrubTable(Protocol):
    """
    When archives of the catalog were read. Each method is one transaction; when a writing one returns, its effect
    survives a power cut, and also `Catalog.replace`.

    What is noted of an archive counts as long as its identity has the same SHA-256 and time of receipt. Trashed
    entries and claims are passed over. Times are kept to the microsecond. Every writing method may raise `CatalogBusy`.
    """

    def due(self, before: datetime, *, limit: int, wanted_only: bool = False) -> list[Unread]:
        """
        At most *limit* archives for which `Unread.is_due` holds, in the order of `in_order`; with *wanted_only* those
        that are wanted.

        Cost: one pass over the entries.
        """

    def count_due(self, before: datetime) -> int:
        """How many archives are due."""

    def unread_since(self, before: datetime, *, profile: str | None = None) -> dict[str, int]:
        """
        How many stored archives of each profile, or of *profile*, were last known to be right *before* that time; no
        zeros.

        Cost: one pass over the entries of these profiles.
        """

    def find(self, id: ArchiveId) -> Unread:
        """
        What is known of *id*.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def checked(self, ids: Collection[ArchiveId]) -> Mapping[ArchiveId, LastChecked]:
        """
        When each of *ids* was found right, and how the damage of those that are damaged showed, see `Catalog.mark`.
        One that is not stored is missing.
        """

    def want(self, profile: str | None = None) -> int:
        """Note that every archive, or every one of *profile*, is wanted. Returns their number."""

    def note(
        self,
        archive: BackupArchive,
        verified_at: datetime | None,
        *,
        is_wanted: bool = False,
        is_marked: bool | None = None,
    ) -> None:
        """
        Note that *archive* was found right at *verified_at*, and whether it has marks; None leaves what is known. It is
        wanted no more, unless *is_wanted*. What is noted of its damage ends when it is found right.
        """

    def note_right(self, found: Sequence[FoundRight]) -> None:
        """As `note` for each of *found*, all of them in one transaction."""

    def forget_gone(self) -> None:
        """Drop what is noted of archives that have no entry any more, not even a trashed one."""
