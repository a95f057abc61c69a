"""
An archive and what is known of it: what its bytes turned out to be, where it came from, which state it is in.

All values are frozen and validate themselves on construction, so an invalid one cannot exist. Sizes are bytes, times
are aware and in UTC, digests are lower-case hex.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum

from attrs import field, frozen
from attrs.validators import optional

from ..identity.archive_id import ArchiveId, BackupType
from ..identity.digests import DeclaredDigests, Digests, check_hex
from ..identity.naming import check_archive_name, day_in_name, time_in_name
from .notes import check_notes


class Kind(Enum):
    """What the bytes of an archive turned out to be."""

    INCREMENTAL = "incremental"  # GNU dumpdirs inside: deletions are known
    PLAIN = "plain"  # no dumpdirs: deletions unknown
    OPAQUE = "opaque"  # not readable as tar, for example encrypted


class ArchiveState(Enum):
    """The state of an archive."""

    STORED = "stored"
    DAMAGED = "damaged"
    TRASHED = "trashed"


def _aware_utc(_instance: object, attribute: object, value: datetime) -> None:
    if value.tzinfo is not UTC and value.utcoffset() != timedelta(0):
        raise ValueError(f"{getattr(attribute, 'name', 'time')} must be aware and in UTC, got {value!r}")


def _not_negative(_instance: object, attribute: object, value: int) -> None:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{getattr(attribute, 'name', 'size')} must be a whole number from 0 on, got {value!r}")


def _noted(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    if value:
        check_notes(value)


@frozen
class AfterEnd:
    """
    Data behind the end of a tar that is not padding: *size_bytes* up to the end of the stream.

    *is_tar* says whether it begins like another tar.
    """

    size_bytes: int = field(validator=_not_negative)
    is_tar: bool


@frozen
class Contents:
    """
    What an inspection found inside an archive.

    *unpacked_bytes* is the length of the inflated tar, *members* the number of its entries (extension headers not
    counted), *newest_member* the latest modification time among them, to the second, or None in an empty tar.
    *has_unchanged* says whether a listing marks some name as unchanged, and so stored elsewhere; no full dump does.
    *roots* are the first components of the members' names, in order of appearance, at most 16, as text with bytes that
    are not UTF-8 escaped by backslashes. *after_end* is data behind the tar, which no reader looks at; None if only
    zeros follow. *listed* is how many names, other than directories, its listings have, and *unchanged* how many of
    these are stored elsewhere; None without listings, and in archives that were received by an earlier version.
    """

    kind: Kind
    members: int = field(validator=_not_negative)
    unpacked_bytes: int = field(validator=_not_negative)
    newest_member: datetime | None = field(default=None, validator=optional(_aware_utc))
    has_unchanged: bool = False
    roots: tuple[str, ...] = ()
    after_end: AfterEnd | None = None
    listed: int | None = field(default=None, validator=optional(_not_negative))
    unchanged: int | None = field(default=None, validator=optional(_not_negative))


@frozen
class Lineage:
    """
    What the sender or the server says about an archive's origin; None for each fact that is not stated.

    *parent* is the archive it was made on top of. *snapshot_before* and *snapshot_after* are the SHA-256 of tar's
    snapshot file before and after the dump: a full dump has None before, too.
    """

    parent: tuple[BackupType, str] | None = None
    snapshot_before: str | None = None
    snapshot_after: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.parent is not None:
            check_archive_name(self.parent[1])
        for digest in (self.snapshot_before, self.snapshot_after):
            if digest is not None:
                check_hex("sha256", digest)


SENT_WITHIN = timedelta(days=1)
"""An archive received this soon after its newest member changed was taken when it was received."""

AHEAD = timedelta(days=1)
"""How far a time may lie ahead of the receipt: names give no time zones, and clocks differ."""


def is_dated_ahead(taken_at: datetime, received_at: datetime) -> bool:
    """
    Whether something received at *received_at* claims a time that lies after its receipt.

    A clock was wrong, or a name. It must not count as the newest until that time has passed.
    """
    return taken_at - received_at > AHEAD


@frozen
class Copied:
    """
    That an archive was copied from another server, and arrived *at* this time by the clock of the server here.

    Its receipt is then what the other server says of it, bounded by *at*. *is_late* says that it claims an earlier
    receipt than an archive of its profile that was here when it came: so it comes in between, where nothing was.
    """

    at: datetime = field(validator=_aware_utc)
    is_late: bool = False


@frozen
class BackupArchive:
    """
    One immutable ``.tar.gz`` and what the server knows of it.

    *received_at* is by the server's clock, *taken_at* the best known time of the dump. *contents* is None where
    validation was switched off. *has_snapshot* says whether the snapshot file that the dump left behind is kept with
    the archive; `Lineage.snapshot_after` is then its digest. *notes* are the sender's remarks, a line each. *copied* is
    None unless another server received it first.
    """

    id: ArchiveId
    size_bytes: int = field(validator=_not_negative)
    digests: Digests
    received_at: datetime = field(validator=_aware_utc)
    taken_at: datetime = field(validator=_aware_utc)
    contents: Contents | None = None
    state: ArchiveState = ArchiveState.STORED
    lineage: Lineage = Lineage()
    has_snapshot: bool = False
    notes: tuple[str, ...] = field(default=(), validator=_noted)
    copied: Copied | None = None

    @property
    def here_since(self) -> datetime:
        """When it arrived here, by the clock of this server: no other server, and no sender, can claim that."""
        return self.received_at if self.copied is None else self.copied.at

    @property
    def is_dated_ahead(self) -> bool:
        """Whether it claims a time that lies after its receipt."""
        return is_dated_ahead(self.taken_at, self.received_at)

    @property
    def placed_at(self) -> datetime:
        """
        The time that orders it within its profile: that of its dump, or of its receipt if it is dated ahead.

        A wrong clock is reported, not believed: no archive was taken later than it was received.
        """
        return self.received_at if self.is_dated_ahead else self.taken_at

    @classmethod
    def described(
        cls,
        id: ArchiveId,
        size_bytes: int,
        digests: Digests,
        received_at: datetime,
        contents: Contents | None,
        stated_at: datetime | None = None,
        lineage: Lineage = Lineage(),
        zone: tzinfo = UTC,
        notes: tuple[str, ...] = (),
    ) -> BackupArchive:
        """
        An archive with the best known time of its dump.

        The time is the one that its sender stated, else the one in its name (in *zone*), else one on the day in its
        name, else no earlier than its newest member. An estimate is never later than *received_at*.
        """
        newest = contents.newest_member if contents is not None else None
        taken_at = stated_at or time_in_name(id.name, zone) or _estimated(id.name, zone, newest, received_at)
        return cls(id, size_bytes, digests, received_at, taken_at, contents, lineage=lineage, notes=notes)


def _estimated(name: str, zone: tzinfo, newest: datetime | None, received_at: datetime) -> datetime:
    """
    When an archive without a stated time was taken: on the day in its name, or no earlier than its newest member.

    Most archives are sent as soon as they are made, so within that bound it is *received_at*, if that is near.
    """
    told = newest if newest is not None and received_at - newest >= SENT_WITHIN else received_at
    day = day_in_name(name, zone)
    if day is None:
        return told
    begin, end = day
    return min(max(received_at if received_at - end < SENT_WITHIN else told, begin), end)


def is_bound(archive: BackupArchive, zone: tzinfo = UTC) -> bool:
    """Whether the time of *archive* is only a bound: neither its sender nor its name states a time or a day."""
    name, contents = archive.id.name, archive.contents
    if time_in_name(name, zone) is not None or day_in_name(name, zone) is not None:
        return False
    newest = None if contents is None else contents.newest_member
    return archive.taken_at == _estimated(name, zone, newest, archive.received_at)


def earliest(archive: BackupArchive, zone: tzinfo = UTC) -> datetime:
    """
    The earliest time at which *archive* may have been taken: its own, if its sender or its name states a time; else the
    beginning of the day in its name, but no time before its newest member. *zone* is that of times in names.

    For an archive that is dated ahead, its newest member is the only evidence.
    """
    newest = archive.contents.newest_member if archive.contents is not None else None
    if archive.is_dated_ahead:
        return archive.received_at if newest is None else min(newest, archive.received_at)
    name = archive.id.name
    if time_in_name(name, zone) is not None or archive.taken_at != _estimated(name, zone, newest, archive.received_at):
        return archive.taken_at
    day = day_in_name(name, zone)
    bounds = [bound for bound in (newest, day[0] if day is not None else None) if bound is not None]
    return min(max(bounds), archive.taken_at) if bounds else archive.taken_at


@frozen
class Offer:
    """
    What the sender says of an archive. Only an import or a copy states *received_at*, never a client.

    *is_copy* says that it comes from another server: it is taken in whatever it builds on, and *received_at* is that
    server's word, which is believed as far as `Copied` says.
    """

    id: ArchiveId
    digests: DeclaredDigests = field(factory=DeclaredDigests)
    taken_at: datetime | None = field(default=None, validator=optional(_aware_utc))
    received_at: datetime | None = None
    lineage: Lineage = Lineage()
    notes: tuple[str, ...] = field(default=(), validator=_noted)
    is_copy: bool = False
