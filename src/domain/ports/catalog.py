"""The catalog: what is known about archives, found without reading them. It can be rebuilt from the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from attrs import frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..archives.inventory import InventoryEntry
from ..archives.totals import Sums, Totals
from ..chains.kept_links import KeptLinks
from ..identity.archive_id import ArchiveId, BackupType
from ..retention.arrival import Arrival
from ..retention.removals import Removals
from ..scrubbing.findings import Fault


@frozen
class Claimed:
    """
    The caller holds the identity until its lease ends: it publishes, then calls `Catalog.confirm`; or it calls
    `Catalog.release`. *token* shows that the claim is its own; nobody else knows it.
    """

    token: str


@frozen
class AlreadyStored:
    """The catalog has an archive of that identity."""

    archive: BackupArchive


@frozen
class ClaimedElsewhere:
    """Another receive holds the identity. It is running, or its server ended and the lease of its claim will, too."""


@frozen
class TakenClaim:
    """A claim that was left, with the *token* of whoever took it over; its former holder's token is worth nothing."""

    archive: BackupArchive
    token: str


ClaimOutcome: TypeAlias = Claimed | AlreadyStored | ClaimedElsewhere


@frozen
class Holding:
    """What counts toward the quota of a profile: the sums of its entries, and the open claims, with their sizes."""

    stored: Sums
    claimed: Mapping[ArchiveId, int]


Judge: TypeAlias = Callable[[Holding], None]
"""Raises whatever keeps an archive from being added to a profile that holds that."""


def admits_all(_held: Holding) -> None:
    """For profiles without a quota."""


@frozen
class ArchivePage:
    """Some archives in order, and where the next page begins: None at the end."""

    archives: tuple[BackupArchive, ...]
    next_cursor: str | None


class ListedArchive(NamedTuple):
    """What the lists of the original server say of an archive. A plain tuple, because there may be millions."""

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


class Catalog(KeptLinks, Removals, Protocol):
    """
    What is known about archives: an index of the store, which can always be rebuilt from it.

    Each method is one transaction. When a writing method returns, its effect survives a power cut. An archive is an
    entry from `confirm`, `adopt` or `replace` on; open claims are seen by `claim` and `open_claims` only. A trashed
    entry is hidden from `find`, `named`, `page`, `inventory` and `totals` but keeps its identity taken: `claim`
    answers `AlreadyStored` with it (its state says so), `adopt` leaves it, `mark` brings it back. Every writing method
    may raise `CatalogBusy`.

    Several servers may use one catalog. A claim has a lease, which ends by the clock of the catalog, never by that of a
    caller; the claim stays until somebody takes it over. What bears a token is safe to repeat: while the catalog cannot
    be reached, these methods are tried again for some seconds, since a lost answer does not tell whether the method had
    its effect.
    """

    def claim(self, archive: BackupArchive, lease: timedelta, judge: Judge = ...) -> ClaimOutcome:
        """
        Reserve the identity of *archive* for *lease*, remembering all of it, unless it is stored or claimed.

        If it is free, *judge* is told what its profile holds, while nobody adds to the profile, in any server. It may
        read the catalog, and may be asked again.

        Raises:
            Whatever *judge* raises; nothing is claimed then.
        """

    def holding(self, profile: str) -> Holding:
        """What *profile* holds."""

    def renew(self, id: ArchiveId, token: str, lease: timedelta) -> None:
        """
        Have the lease of the claim on *id* end *lease* from now, also if it has ended.

        Raises:
            ClaimLost: no open claim on *id* has that *token*.
        """

    def confirm(self, archive: BackupArchive, token: str) -> None:
        """
        Turn the claim on the identity of *archive* into an entry, equal to *archive*. One that is there is no error.

        Raises:
            ClaimLost: no open claim on the identity has that *token*, and its entry, if it has one, is another archive.
        """

    def release(self, id: ArchiveId, token: str) -> None:
        """
        Give up the claim on *id*.

        Raises:
            ClaimLost: no open claim on *id* has that *token*.
        """

    def take_over(
        self, limit: int, lease: timedelta, *, id: ArchiveId | None = None, whatever_lease: bool = False
    ) -> list[TakenClaim]:
        """
        Take over at most *limit* claims whose lease has ended, or only that on *id*, for *lease*; in any order.

        *whatever_lease* takes those of running leases, too: for a caller that knows that nobody else holds any. Of
        several callers at the same time each gets other claims.
        """

    def open_claims(self) -> list[BackupArchive]:
        """Every claim neither confirmed nor released, in the order of their ids."""

    def adopt(self, archives: Sequence[BackupArchive]) -> int:
        """
        Add archives found in a store, all in one transaction. Returns the number of new entries.

        An existing entry or claim stays as it is; of several archives with one identity the first counts.
        """

    def replace(self, archives: Iterable[BackupArchive]) -> int:
        """
        Forget everything, claims too, and add *archives* instead, in one transaction. Returns their number.

        *archives* may be long and is read once; if it raises, nothing changes. Other writers wait meanwhile. Of several
        archives with one identity the first counts.
        """

    def is_sound(self) -> bool:
        """
        Whether all data and indexes of the catalog agree. Reads everything; `replace` repairs a catalog that fails.
        """

    def adds_up(self) -> bool:
        """
        Whether `totals`, `sums` and the kept links agree with the entries; `replace` repairs them if not. A part of
        `is_sound`.

        Cost: one pass over the entries, less than 1 us each.
        """

    def find(self, id: ArchiveId) -> BackupArchive:
        """
        The entry of *id*.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def named(self, type: BackupType, name: str, *, profiles: Collection[str] | None = None) -> list[BackupArchive]:
        """The entries of that type and name in every profile, or only in *profiles*, ordered by profile."""

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

        Entries of one *profile*, of several *profiles*, or of all. A cursor comes from the page before, with the same
        profiles and *type*, and is opaque to the caller. An entry present throughout appears exactly once, whatever is
        added meanwhile. Cost does not grow with the number of entries before the cursor, nor with those of other
        profiles.

        Raises:
            ValueError: *cursor* is not from this catalog, or *limit* is below 1.
        """

    def arrivals(self, profile: str, type: BackupType | None = None, *, limit: int) -> list[Arrival]:
        """
        At most *limit* entries of *profile*, or of one *type* of it, as they are compared: the last received first.

        Cost grows with *limit* alone.
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
        """Like `page`, in the same order and with the same cursors."""

    def inventory(self, *, profile: str | None = None, cursor: str | None = None, limit: int = 10_000) -> InventoryPage:
        """Like `page`, in the order (type, name, profile), for comparison with a client's inventory."""

    def names(self, profile: str, type: BackupType, *, after: str = "", limit: int = 10_000) -> list[str]:
        """At most *limit* names of entries of that profile and type, in order, beginning after *after*."""

    def names_of(self, profiles: Collection[str]) -> dict[tuple[str, BackupType], list[str]]:
        """
        The names of all entries of *profiles*, by profile and type, in any order.

        There is no limit: ask only for profiles that have few, which costs less than asking for each with `names`.
        """

    def look_up(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        """The inventory entries of those *names* that the profile and type have, in any order."""

    def totals(self, profile: str | None = None, *, profiles: Collection[str] | None = None) -> list[Totals]:
        """
        One row per profile and type that holds an archive, ordered by both: of one *profile*, of *profiles*, or of all.

        Cost does not grow with the number of archives.
        """

    def sums(self, profiles: Collection[str] | None = None) -> dict[BackupType, Sums]:
        """
        The sums of each type, over all profiles or over *profiles*.

        Cost does not grow with the number of archives; it does, slowly, with that of the profiles.
        """

    def held(self) -> dict[str, Sums]:
        """
        The sums of each profile that holds an archive.

        Cost grows with the number of profiles, a few microseconds each, and not with that of archives.
        """

    def profiles_since(self, mark: int) -> tuple[list[str], int]:
        """
        The profiles added since *mark* (0 at first), in the order they were added, and the mark for the next call.

        A profile may be reported twice, and one that has lost its archives is not retracted. Cost grows with the number
        of profiles returned.
        """

    def mark(self, id: ArchiveId, state: ArchiveState, fault: Fault | None = None) -> None:
        """
        Set the state of the entry of *id*, and note how its damage shows; None leaves what is noted of that.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def note_snapshot(self, id: ArchiveId, sha256: str | None) -> None:
        """
        Note that the snapshot file with that digest is kept with *id*; or, with None, that *id* has no usable snapshot
        file. The digest that the dump declared stays known.

        Raises:
            ArchiveNotFound: *id* has no entry.
        """

    def names_without_snapshot(self, profile: str, type: BackupType) -> set[str]:
        """The names of the entries of that profile and type that have no snapshot file."""

    def close(self) -> None:
        """Release connections. Idempotent."""
