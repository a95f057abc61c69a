"""
A resumable upload as a state machine, with the rules of tus 1.0 and without any I/O.

An `Upload` is a value; each function takes one, judges what a client wants against it, and returns the next one or
raises. The caller moves the bytes. The rule that everything rests on: `offset_bytes` counts durable bytes, and reaches
the length only together with the end. So a client that asks for the offset never sees "complete" before the archive is
stored, and after a crash the sender repeats the last few megabytes, which end the upload as usual. If the crash came
between storing the archive and noting it, the digest noted before shows that the archive is this upload's.

Protocol: https://tus.io/protocols/resumable-upload, version 1.0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from attrs import evolve, frozen

from .archives.archive import Offer
from .errors.content import EmptyArchive
from .errors.uploads import (
    BeyondLength,
    LengthMismatch,
    NotAppendable,
    OffsetMismatch,
    PartsUnusable,
    TooManyUploads,
    UploadGone,
)
from .identity.archive_id import ArchiveId
from .profiles.capacity import check_size


class ChecksumAlgorithm(Enum):
    """Checksum algorithms that a client may use for a piece."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    MD5 = "md5"


@frozen
class Checksum:
    """The checksum that came with a piece."""

    algorithm: ChecksumAlgorithm
    digest: bytes


class Role(Enum):
    """What an upload becomes."""

    WHOLE = "whole"  # its bytes are an archive
    PARTIAL = "partial"  # its bytes are a piece of one, to be concatenated
    FINAL = "final"  # the archive that pieces were concatenated to


@frozen
class Upload:
    """
    One resumable upload.

    *offer* is what it will be stored as, None for a partial one. *length_bytes* is None until it is declared, *archive*
    until it is stored. *ended* says why an upload ended without an archive, *joined_in* which final upload contains a
    partial one. *client* began it, *metadata* is the client's description of it, verbatim. *sha256* covers all of its
    bytes, and is known from just before they are stored. *owner* is the token it was begun with, None where none was
    needed; for other tokens the upload does not exist. *profile* is that of a partial one, where known. *crc32* covers
    the bytes before *offset_bytes*, and shows whether staging still holds what was sent; None for an upload begun
    before this field existed. *brought_back* came out of the trash when it was stored.
    """

    id: str
    role: Role
    created_at: datetime
    touched_at: datetime
    client: str = ""
    metadata: str = ""
    offer: Offer | None = None
    length_bytes: int | None = None
    offset_bytes: int = 0
    parts: tuple[str, ...] = ()
    archive: ArchiveId | None = None
    ended: str | None = None
    joined_in: str | None = None
    sha256: str | None = None
    owner: str | None = None
    profile: str | None = None
    crc32: int | None = 0
    brought_back: tuple[ArchiveId, ...] = ()

    @property
    def held_for(self) -> str | None:
        """The profile whose quota it counts against, None where unknown."""
        return self.profile if self.offer is None else self.offer.id.profile

    @property
    def is_complete(self) -> bool:
        """All bytes have arrived; a whole upload is then also stored as an archive."""
        return self.ended is None and self.length_bytes is not None and self.offset_bytes == self.length_bytes

    @property
    def is_open(self) -> bool:
        """It occupies staging: unfinished, or a piece that waits for concatenation."""
        return self.ended is None and self.archive is None

    def expires_at(self, idle: timedelta) -> datetime:
        """When it expires unless it is touched."""
        return self.touched_at + idle


def admit(
    client: str,
    open_uploads: Sequence[Upload],
    *,
    max_per_client: int,
    max_total: int,
    owner: str | None = None,
    max_per_token: int = 100,
) -> None:
    """
    Check that *client* may begin one more upload, and so may the token *owner*, from wherever it is used.

    Raises:
        TooManyUploads: for this client, for this token, or in total.
    """
    if len(open_uploads) >= max_total:
        raise TooManyUploads(max_total, "max_open_uploads")
    if owner is not None:
        if sum(upload.owner == owner for upload in open_uploads) >= max_per_token:
            raise TooManyUploads(max_per_token, "max_open_uploads_per_token")
        return
    if sum(upload.client == client for upload in open_uploads) >= max_per_client:
        raise TooManyUploads(max_per_client, "max_open_uploads_per_client")


def counted(refusal: TooManyUploads, open_uploads: Sequence[Upload], client: str, owner: str | None) -> list[Upload]:
    """The *open_uploads* counted by the limit that `admit` refused for, the longest untouched first."""
    match refusal.setting:
        case "max_open_uploads_per_token":
            same = [upload for upload in open_uploads if upload.owner == owner]
        case "max_open_uploads_per_client":
            same = [upload for upload in open_uploads if upload.client == client]
        case _:
            same = list(open_uploads)
    return sorted(same, key=lambda upload: upload.touched_at)


def held_bytes(upload: Upload) -> int:
    """What *upload* takes of a quota while it is unfinished: its declared length, or the bytes received so far."""
    return upload.offset_bytes if upload.length_bytes is None else upload.length_bytes


def begin(
    id: str,
    offer: Offer | None,
    length_bytes: int | None,
    now: datetime,
    *,
    max_bytes: int | None,
    client: str = "",
    metadata: str = "",
    owner: str | None = None,
    profile: str | None = None,
) -> Upload:
    """
    A new upload: of a whole archive, or a partial one without *offer*.

    Raises:
        TooLarge: it is longer than *max_bytes*; None is no limit.
        EmptyArchive: an archive of no bytes.
    """
    _check_length(length_bytes, offer, max_bytes)
    role = Role.PARTIAL if offer is None else Role.WHOLE
    return Upload(id, role, now, now, client, metadata, offer, length_bytes, owner=owner, profile=profile)


def concatenation(
    id: str,
    offer: Offer,
    parts: Sequence[Upload],
    now: datetime,
    *,
    max_bytes: int | None,
    client: str,
    metadata: str,
    owner: str | None = None,
) -> Upload:
    """
    The final upload of *parts*, in this order.

    Raises:
        PartsUnusable: no part is named, one is named twice, is not partial, or is not complete.
        TooLarge, EmptyArchive: as `begin`.
    """
    if not parts:
        raise PartsUnusable("no upload is named")
    if len({part.id for part in parts}) != len(parts):
        raise PartsUnusable("an upload is named twice")
    for part in parts:
        check_not_ended(part)
        if part.role is not Role.PARTIAL:
            raise PartsUnusable(f"{part.id} is not a partial upload")
        if not part.is_complete:
            raise PartsUnusable(f"{part.id} is not complete")
    length = sum(part.offset_bytes for part in parts)
    _check_length(length, offer, max_bytes)
    ids = tuple(part.id for part in parts)
    return Upload(id, Role.FINAL, now, now, client, metadata, offer, length, parts=ids, owner=owner)


def check_not_ended(upload: Upload) -> None:
    """
    Raises:
        UploadGone: it ended without an archive.
    """
    if upload.ended is not None:
        raise UploadGone(upload.id, upload.ended)


def start_append(
    upload: Upload,
    offset_bytes: int,
    now: datetime,
    *,
    max_bytes: int | None,
    length_bytes: int | None = None,
    announced_bytes: int | None = None,
) -> Upload:
    """
    The upload as a client begins to send bytes from *offset_bytes* on, *announced_bytes* of them if it said so.

    *length_bytes* declares the length that was left open.

    Raises:
        UploadGone, NotAppendable: there is nothing to append to.
        OffsetMismatch: its offset is not *offset_bytes*.
        LengthMismatch: *length_bytes* is not the known length, or below the offset.
        BeyondLength: *announced_bytes* reach beyond the length.
        TooLarge, EmptyArchive: as `begin`.
    """
    check_not_ended(upload)
    if upload.role is Role.FINAL:
        raise NotAppendable(upload.id)
    if offset_bytes != upload.offset_bytes:
        raise OffsetMismatch(upload.id, upload.offset_bytes, offset_bytes)
    if length_bytes is not None:
        upload = _with_length(upload, length_bytes, max_bytes)
    if announced_bytes is not None:
        end_bytes = upload.offset_bytes + announced_bytes
        if upload.length_bytes is None:
            check_size(end_bytes, max_bytes)
        elif end_bytes > upload.length_bytes:
            raise BeyondLength(upload.length_bytes)
    return evolve(upload, touched_at=now)


def advanced(upload: Upload, offset_bytes: int, now: datetime, crc32: int | None = None) -> Upload:
    """
    The upload after everything before *offset_bytes* became durable; *crc32* is the checksum of those bytes.

    The last step of a whole upload is not this one but `stored`: until then its offset stays.
    """
    if offset_bytes < upload.offset_bytes:
        raise ValueError(f"an offset never decreases: {offset_bytes} after {upload.offset_bytes}")
    if upload.length_bytes is not None and offset_bytes > upload.length_bytes:
        raise BeyondLength(upload.length_bytes)
    if upload.role is Role.WHOLE and offset_bytes == upload.length_bytes:
        return evolve(upload, touched_at=now)
    return evolve(upload, offset_bytes=offset_bytes, touched_at=now, crc32=crc32)


def about_to_be_stored(upload: Upload, sha256: str, now: datetime) -> Upload:
    """The upload with all of its bytes, to be saved before they are stored: `may_be_stored` from then on."""
    return evolve(upload, sha256=sha256, touched_at=now)


def may_be_stored(upload: Upload) -> bool:
    """Whether its bytes may have become an archive without that being noted here."""
    return upload.sha256 is not None and upload.is_open


def stored(upload: Upload, archive: ArchiveId, now: datetime, brought_back: tuple[ArchiveId, ...] = ()) -> Upload:
    """The upload after all of its bytes were stored as *archive*; *brought_back* came out of the trash for it."""
    if upload.length_bytes is None:
        raise ValueError("an upload without a length cannot be complete")
    return evolve(upload, offset_bytes=upload.length_bytes, archive=archive, touched_at=now, brought_back=brought_back)


def led_nowhere(upload: Upload) -> bool:
    """Whether it ended without an archive, so that it can be forgotten."""
    return upload.ended is not None and upload.joined_in is None


def over(upload: Upload, why: str, now: datetime) -> Upload:
    """The upload after it ended without an archive."""
    return evolve(upload, ended=why, touched_at=now)


def joined(part: Upload, final: Upload, now: datetime) -> Upload:
    """A partial upload after its bytes became part of *final*."""
    return evolve(part, joined_in=final.id, ended=f"it is now part of upload {final.id}", touched_at=now)


def _with_length(upload: Upload, length_bytes: int, max_bytes: int | None) -> Upload:
    if upload.length_bytes is not None:
        if length_bytes != upload.length_bytes:
            raise LengthMismatch(upload.length_bytes, length_bytes)
        return upload
    if length_bytes < upload.offset_bytes:
        raise LengthMismatch(upload.offset_bytes, length_bytes)
    _check_length(length_bytes, upload.offer, max_bytes)
    return evolve(upload, length_bytes=length_bytes)


def _check_length(length_bytes: int | None, offer: Offer | None, max_bytes: int | None) -> None:
    if length_bytes is None:
        return
    check_size(length_bytes, max_bytes)
    if length_bytes == 0 and offer is not None:
        raise EmptyArchive
