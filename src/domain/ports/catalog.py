"""The catalog: what is known about archives, and found without reading them. It can be made again from the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from attrs import frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..archives.inventory import InventoryEntry
from ..archives.totals import Sums, Totals
from ..chains.kept_links import KeptLinks
from ..identity.archive_id import ArchiveId, BackupType


@frozen
class Claimed:
    """The identity is yours: publish, then `Catalog.confirm`; or `Catalog.release`."""


@frozen
class AlreadyStored:
    """An archive of that identity is in the catalog."""

    archive: BackupArchive


@frozen
class ClaimedElsewhere:
    """A receive that is still running holds the identity."""


ClaimOutcome: TypeAlias = Claimed | AlreadyStored | ClaimedElsewhere


@frozen
class ArchivePage:
    """Some archives in order, and where the next page begins: None at the end."""

    archives: tuple[BackupArchive, ...]
    next_cursor: str | None


class ListedArchive(NamedTuple):
    """What lists of the original say of an archive. A plain tuple, because there may be millions."""

    profile: str
    type: BackupType
    name: str
    size_bytes: int
    md5: str
    sha256: str
    received_at: datetime
    state: ArchiveState


@frozen
class ListedPage:
    """Like `ArchivePage`, with what lists show and nothing else."""

    archives: tuple[ListedArchive, ...]
    next_cursor: str | None


@frozen
class InventoryPage:
    """Like `ArchivePage`, with the entries a comparison needs and nothing else."""

    entries: tuple[InventoryEntry, ...]
    next_cursor: str | None


class Catalog(KeptLinks, Protocol):
    """
    What is known about archives: an index of the store, which can always be rebuilt from it.

    Each method is one transaction. When a writing method returns, its effect survives a power cut. An archive is an
    entry from `confirm`, `adopt` or `replace` on; open claims are seen by `claim` and `open_claims` only. A trashed
    entry is hidden from `find`, `named`, `page`, `inventory` and `totals` but keeps its identity taken: `claim`
    answers `AlreadyStored` with it (its state says so), `adopt` leaves it, `mark` brings it back. Every writing method
    may raise `CatalogBusy`.
    """

    def claim(self, archive: BackupArchive) -> ClaimOutcome:
        """Reserve the identity of *archive*, remembering all of it, unless it is stored or claimed."""

    def confirm(self, archive: BackupArchive) -> None:
        """
        Turn the claim on the identity of *archive* into an entry, equal to *archive*.

        Raises:
            ArchiveNotFound: there is no open claim on it.
        """

    def release(self, id: ArchiveId) -> None:
        """Give up the claim on *id*. No claim is no error; an entry is not touched."""

    def open_claims(self) -> list[BackupArchive]:
        """Every claim neither confirmed nor released, in the order of their ids."""

    def adopt(self, archives: Sequence[BackupArchive]) -> int:
        """
        Enter archives found in a store, all in one transaction; the number of entries that are new.

        An entry or claim that exists under an identity stays as it is; of several with one identity the first counts.
        """

    def replace(self, archives: Iterable[BackupArchive]) -> int:
        """
        Forget everything, claims too, and enter *archives* instead, in one transaction; their number.

        *archives* may be long and is read once; an error it raises leaves everything as it was. Other writers wait
        meanwhile. Of several with one identity the first counts.
        """

    def is_sound(self) -> bool:
        """Whether what is kept agrees with itself, indexes too. All of it is read; `replace` mends what does not."""

    def adds_up(self) -> bool:
        """
        Whether `totals`, `sums` and the links that are kept are those of the entries; `replace` mends where not. A part
        of `is_sound`.

        One pass over the entries, less than 1 us each.
        """

    def find(self, id: ArchiveId) -> BackupArchive:
        """
        The entry of *id*.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def named(self, type: BackupType, name: str, *, profiles: Collection[str] | None = None) -> list[BackupArchive]:
        """The entries of that type and name in any profile, or in any of *profiles*, in the order of profiles."""

    def page(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> ArchivePage:
        """
        At most *limit* entries, by `received_at` ascending (equal times in a fixed order), from *cursor* on.

        Of one *profile*, of several *profiles*, or of all. A cursor comes from the page before, with the same profiles
        and *type*, and is not to be looked into. Entries that were there throughout are seen exactly once, whatever is
        added meanwhile. Cost does not grow with the number of entries before the cursor, nor with those of profiles
        that are not asked for.

        Raises:
            ValueError: *cursor* is not one of this catalog's, or *limit* is below 1.
        """

    def listed(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> ListedPage:
        """Like `page`, in the same order and by the same cursors."""

    def inventory(self, *, profile: str | None = None, cursor: str | None = None, limit: int = 10_000) -> InventoryPage:
        """Like `page`, in the order (type, name, profile); for comparing with what a client has."""

    def names(self, profile: str, type: BackupType, *, after: str = "", limit: int = 10_000) -> list[str]:
        """At most *limit* names of entries of that profile and type, in order, of those that come after *after*."""

    def look_up(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        """What an inventory says of those of *names* that are entries of that profile and type, in any order."""

    def totals(self, profile: str | None = None, *, profiles: Collection[str] | None = None) -> list[Totals]:
        """
        One row per profile and type that holds an archive, ordered by these: of one *profile*, of *profiles*, or all.

        Cost does not grow with archives.
        """

    def sums(self, profiles: Collection[str] | None = None) -> dict[BackupType, Sums]:
        """
        What there is of each type, in all profiles or in *profiles*.

        Cost grows neither with archives nor, of all, with profiles.
        """

    def profiles_since(self, mark: int) -> tuple[list[str], int]:
        """
        The profiles that came since *mark*, 0 at first, in the order they came, and the mark to ask with next.

        One that was told of may come again, and one that has lost its archives is not taken back. Cost grows with the
        number of those that came.
        """

    def mark(self, id: ArchiveId, state: ArchiveState) -> None:
        """
        Set the state of the entry of *id*.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def note_snapshot(self, id: ArchiveId, sha256: str | None) -> None:
        """
        Enter that the snapshot file with that digest is kept with *id*; or, with None, that none is which could be
        given out. What the dump left behind stays known.

        Raises:
            ArchiveNotFound: there is no such entry.
        """

    def names_without_snapshot(self, profile: str, type: BackupType) -> set[str]:
        """The names of those entries of that profile and type with which no snapshot file is kept."""

    def close(self) -> None:
        """Release connections. Idempotent."""
