"""
The state of resumable uploads, as one small journal per upload beside the bytes in staging.

::

    DATA/staging/<id>.upload      lines of JSON, a tab, and the CRC-32 in hex of the JSON of this line and those before:
                                  the first has the whole state, each further one the changes since

A line counts if it is whole and all lines before it count, so a crash in the middle of appending leaves the previous
state, and so does a flipped bit. Offsets move every few megabytes, and appending a line with ``fdatasync`` is the
cheapest way to make that durable. In a journal of an earlier version the first lines have no CRC-32.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field

from ...domain.archives.archive import Lineage, Offer
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.digests import DeclaredDigests
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.times import rfc3339
from ...domain.uploads import Role, Upload
from ..memory.upload_sessions import MemoryUploadSessions
from ..process.os_errors import translated
from .durable_file import fsync_directory

_SUFFIX = ".upload"
_LOG = logging.getLogger("tarkeep.uploads")


@define(eq=False)
class FilesystemUploadSessions(MemoryUploadSessions):
    """`UploadSessions` in the folder *folder*, read once when opened and held in memory from then on."""

    _folder: Path
    _sums: dict[str, int] = field(factory=dict, init=False)  # over the lines of each journal that count

    @classmethod
    def open(cls, folder: Path) -> FilesystemUploadSessions:
        """
        The uploads recorded in *folder*.

        A journal without a whole line is removed, since its upload was never acknowledged; and so is one that cannot
        be understood, damaged or of a newer version, since its upload cannot be resumed. The log reports the latter.
        """
        sessions = cls(folder)
        with translated(writing=True):
            for path in sorted(folder.glob(f"*{_SUFFIX}")):
                content = path.read_bytes()
                told, crc32 = _replay(content)
                upload = _understood(told)
                if upload is not None and upload.id == path.stem:
                    sessions._know(upload)
                    sessions._sums[upload.id] = crc32
                    continue
                if content.strip() and content.endswith(b"\n"):  # otherwise it was torn
                    _LOG.warning("the journal of an upload is damaged, and is removed: %s", path)
                path.unlink()
        return sessions

    def save(self, upload: Upload) -> None:
        with self._lock, translated(writing=True):
            before = self._uploads.get(upload.id)
            if before is None:
                try:
                    self._append(upload.id, _record(upload), os.O_CREAT | os.O_EXCL)
                    fsync_directory(self._folder)
                except OSError:
                    with suppress(OSError):
                        self._path(upload.id).unlink()
                    raise
            else:
                old, new = _record(before), _record(upload)
                self._append(upload.id, {name: value for name, value in new.items() if old[name] != value}, 0)
            self._know(upload)

    def remove(self, id: str) -> None:
        with self._lock, translated(writing=True):
            self._sums.pop(id, None)
            if self._forget(id) is not None:
                self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / (id + _SUFFIX)

    def _append(self, id: str, changed: dict[str, object], flags: int) -> None:
        # start with a newline: it ends a line that was torn when the disk ran full
        told = json.dumps(changed).encode()
        crc32 = zlib.crc32(told, self._sums.get(id, 0))
        line = b"\n%b\t%08x\n" % (told, crc32)
        journal = os.open(self._path(id), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        try:
            length = os.fstat(journal).st_size
            try:
                while line:
                    line = line[os.write(journal, line) :]
                os.fdatasync(journal)
                self._sums[id] = crc32
            except OSError:
                # it was not saved, so the next process must not find it: an offset in it may be cut back meanwhile
                with suppress(OSError):
                    os.ftruncate(journal, length)
                raise
        finally:
            os.close(journal)


def _replay(content: bytes) -> tuple[dict[str, object], int]:
    """The state that the lines that count add up to, and their sum."""
    merged: dict[str, object] = {}
    crc32 = 0
    has_sums = False
    for line in content.split(b"\n"):
        told, tab, sum = line.partition(b"\t")
        found = zlib.crc32(told, crc32)
        if sum != b"%08x" % found if tab else has_sums:
            continue
        try:
            changed = json.loads(told)
        except ValueError:
            continue
        if isinstance(changed, dict):
            merged |= changed
            if tab:
                crc32, has_sums = found, True
    return merged, crc32


def _understood(told: dict[str, object]) -> Upload | None:
    try:
        return _upload(told)
    except (KeyError, ValueError, TypeError, TarkeepError):
        return None


def _record(upload: Upload) -> dict[str, object]:
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


def _upload(read: dict[str, object]) -> Upload:
    # any malformed field raises, and the caller skips the journal
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
