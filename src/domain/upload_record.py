"""The state of a resumable upload as JSON, as it is kept between two requests."""

from __future__ import annotations

from datetime import UTC, datetime

from .archives.archive import Lineage, Offer
from .identity.archive_id import ArchiveId, BackupType
from .identity.digests import DeclaredDigests
from .tarkeep_error import TarkeepError
from .text.times import rfc3339
from .uploads import Role, Upload


def encoded(upload: Upload) -> dict[str, object]:
    """All of *upload*, as values of JSON."""
    offer = upload.offer
    return {
        "id": upload.id,
        "role": upload.role.value,
        "created_at": rfc3339(upload.created_at),
        "touched_at": rfc3339(upload.touched_at),
        "client": upload.client,
        "metadata": upload.metadata,
        "offer": offer
        and {
            "id": _id_record(offer.id),
            "md5": offer.digests.md5,
            "sha256": offer.digests.sha256,
            "taken_at": offer.taken_at and rfc3339(offer.taken_at),
            "parent": offer.lineage.parent and [offer.lineage.parent[0].value, offer.lineage.parent[1]],
            "snapshot_before": offer.lineage.snapshot_before,
            "snapshot_after": offer.lineage.snapshot_after,
            "notes": list(offer.notes),
        },
        "length": upload.length_bytes,
        "offset": upload.offset_bytes,
        "parts": list(upload.parts),
        "archive": upload.archive and _id_record(upload.archive),
        "ended": upload.ended,
        "joined_in": upload.joined_in,
        "sha256": upload.sha256,
        "owner": upload.owner,
        "profile": upload.profile,
        "crc32": upload.crc32,
        "brought_back": [_id_record(one) for one in upload.brought_back],
    }


def decoded(read: dict[str, object]) -> Upload:
    """
    The upload that *read* is the record of.

    Raises:
        ValueError: it is damaged, or of a newer version.
    """
    try:
        return _upload(read)
    except (KeyError, TypeError, TarkeepError) as error:
        raise ValueError("not a record of an upload") from error


def _upload(read: dict[str, object]) -> Upload:
    offer = read["offer"]
    archive = read["archive"]
    parts = read["parts"]
    length = read["length"]
    if not isinstance(parts, list) or not isinstance(read["offset"], int) or not isinstance(length, int | None):
        raise TypeError("not a record of an upload")
    return Upload(
        id=str(read["id"]),
        role=Role(read["role"]),
        created_at=_time(read["created_at"]),
        touched_at=_time(read["touched_at"]),
        client=str(read["client"]),
        metadata=str(read["metadata"]),
        offer=_offer(offer) if isinstance(offer, dict) else None,
        length_bytes=length,
        offset_bytes=read["offset"],
        parts=tuple(str(part) for part in parts),
        archive=_id(archive) if isinstance(archive, list) else None,
        ended=_text(read["ended"]),
        joined_in=_text(read["joined_in"]),
        sha256=_text(read.get("sha256")),
        owner=_text(read.get("owner")),
        profile=_text(read.get("profile")),
        crc32=_crc32(read),
        brought_back=_ids(read.get("brought_back", [])),
    )


def _ids(record: object) -> tuple[ArchiveId, ...]:
    if not isinstance(record, list):
        raise TypeError("not a list of archives")
    return tuple(map(_id, record))


def _crc32(record: dict[str, object]) -> int | None:
    found = record.get("crc32", None if record["offset"] else 0)
    if not isinstance(found, int | None):
        raise TypeError("not a CRC-32")
    return found


def _offer(record: dict[str, object]) -> Offer:
    taken_at = record["taken_at"]
    digests = DeclaredDigests(_text(record["md5"]), _text(record["sha256"]))
    stated_at = None if taken_at is None else _time(taken_at)
    return Offer(_id(record["id"]), digests, stated_at, lineage=_lineage(record), notes=_notes(record))


def _lineage(record: dict[str, object]) -> Lineage:
    # .get: journals written before these fields existed are read, too
    parent = record.get("parent")
    return Lineage(
        (BackupType(parent[0]), str(parent[1])) if isinstance(parent, list) else None,
        _text(record.get("snapshot_before")),
        _text(record.get("snapshot_after")),
    )


def _notes(record: dict[str, object]) -> tuple[str, ...]:
    notes = record.get("notes")
    return tuple(str(note) for note in notes) if isinstance(notes, list) else ()


def _id_record(id: ArchiveId) -> list[str]:
    return [id.profile, id.type.value, id.name]


def _id(record: object) -> ArchiveId:
    if not isinstance(record, list):
        raise TypeError("not an archive's identity")
    profile, type, name = (str(part) for part in record)
    return ArchiveId(profile, BackupType(type), name)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)
