"""
What goes over the wire as JSON: the shapes of both families of routes, and the reading of inventories.

Sizes are bytes, times RFC 3339 in UTC ending in ``Z``, digests lower-case hex.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from ...domain.archives import ArchiveId, ArchiveState, BackupArchive, BackupType, parse_digest, utc_from_timestamp
from ...domain.errors import DigestInvalid
from ...domain.ports import Totals
from ...domain.sidecar import rfc3339
from ...domain.sizes import human_size
from ...domain.sync import InventoryEntry, SyncReport, TypeReport
from .problems import Problem

# -- archives --------------------------------------------------------------------------------------------------------


class OriginalArchive(msgspec.Struct):
    """An archive in the original's lists; *state* is an addition."""

    name: str
    filename: str
    type: str
    profile: str
    size: int
    size_human: str
    modified: str
    uploaded_at: str
    md5: str
    sha256: str
    state: ArchiveState


def original_archive(archive: BackupArchive) -> OriginalArchive:
    received = rfc3339(archive.received_at)
    return OriginalArchive(
        name=archive.id.name,
        filename=archive.id.name,
        type=archive.id.type.value,
        profile=archive.id.profile,
        size=archive.size_bytes,
        size_human=human_size(archive.size_bytes),
        modified=received,
        uploaded_at=received,
        md5=archive.digests.md5,
        sha256=archive.digests.sha256,
        state=archive.state,
    )


class Archive(msgspec.Struct):
    """An archive in version 1. *kind*, *members* and *unpacked_size* are null where it was not validated."""

    profile: str
    type: str
    name: str
    size: int
    md5: str
    sha256: str
    received_at: str
    taken_at: str
    state: ArchiveState
    kind: str | None
    members: int | None
    unpacked_size: int | None


def v1_archive(archive: BackupArchive) -> Archive:
    contents = archive.contents
    return Archive(
        profile=archive.id.profile,
        type=archive.id.type.value,
        name=archive.id.name,
        size=archive.size_bytes,
        md5=archive.digests.md5,
        sha256=archive.digests.sha256,
        received_at=rfc3339(archive.received_at),
        taken_at=rfc3339(archive.taken_at),
        state=archive.state,
        kind=contents.kind.value if contents else None,
        members=contents.members if contents else None,
        unpacked_size=contents.unpacked_bytes if contents else None,
    )


def archive_reference(id: ArchiveId) -> dict[str, str]:
    """How an archive is named where its profile is known."""
    return {"type": id.type.value, "name": id.name}


def archive_location(id: ArchiveId) -> str:
    """The path of an archive's URL."""
    return f"/api/v1/profiles/{id.profile}/archives/{id.type.value}/{quote(id.name, safe='')}"


def nanoseconds_rfc3339(nanoseconds: int) -> str | None:
    """Nanoseconds since the epoch as RFC 3339 in UTC, with the decimals it needs; None after the year 9999."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = utc_from_timestamp(seconds)
    if moment is None:
        return None
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment.replace(tzinfo=None).isoformat()}{decimals}Z"


# -- totals ----------------------------------------------------------------------------------------------------------


def v1_profiles(rows: Iterable[Totals]) -> list[dict[str, object]]:
    """One object per profile: counts and bytes in total and by type, with the time of the newest of each."""
    profiles: dict[str, dict[BackupType, Totals]] = {}
    for row in rows:
        profiles.setdefault(row.profile, {})[row.type] = row
    return [
        {
            "profile": name,
            "archives": sum(row.archives for row in types.values()),
            "size": sum(row.size_bytes for row in types.values()),
            "types": {
                type.value: {
                    "archives": types[type].archives if type in types else 0,
                    "size": types[type].size_bytes if type in types else 0,
                    "newest": rfc3339(types[type].newest) if type in types else None,
                }
                for type in BackupType
            },
        }
        for name, types in profiles.items()
    ]


def original_statistics(rows: Sequence[Totals]) -> dict[str, object]:
    """The members ``storage`` and ``total`` of the original's statistics."""
    storage = {}
    for type in BackupType:
        size = sum(row.size_bytes for row in rows if row.type is type)
        storage[type.value] = {
            "count": sum(row.archives for row in rows if row.type is type),
            "size": size,
            "size_human": human_size(size),
        }
    total = sum(row.size_bytes for row in rows)
    return {
        "storage": storage,
        "total": {
            "files": sum(row.archives for row in rows),
            "size": total,
            "size_human": human_size(total),
        },
    }


# -- inventories -----------------------------------------------------------------------------------------------------


class LocalArchive(msgspec.Struct):
    """One archive of a client's inventory."""

    name: str
    size: int | float | None = None  # JSON has one kind of number: 12.0 is 12
    md5: str | None = None
    sha256: str | None = None


class LocalArchiveLine(LocalArchive, kw_only=True):
    """One line of an inventory sent as NDJSON."""

    type: str


class LocalInventory(msgspec.Struct):
    """A client's inventory, by type; each type's list is left undecoded, so that an error in it can name the type."""

    local_backups: dict[str, msgspec.Raw]
    profile: str | None = None


_read_inventory = msgspec.json.Decoder(LocalInventory)
_read_archives = msgspec.json.Decoder(list[LocalArchive])
_read_line = msgspec.json.Decoder(LocalArchiveLine)
Decoded = TypeVar("Decoded")
_PATH_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def read_inventory(body: bytes) -> LocalInventory:
    """
    The inventory in *body*.

    Raises:
        Problem: ``invalid-json``, or ``validation-failed`` with JSON pointers to the places.
    """
    return _decode(_read_inventory, body, "the body")


def read_inventory_lines(lines: Iterable[bytes]) -> Iterator[InventoryEntry]:
    """
    The entries of an inventory sent as NDJSON, one archive a line.

    Raises:
        Problem: like `read_inventory`, with the number of the line.
    """
    for number, line in enumerate(lines, 1):
        local = _decode(_read_line, line, f"line {number}", f"/{number - 1}")
        yield _entry(BackupType.parse(local.type), local, f"/{number - 1}")


def inventory_entries(inventory: LocalInventory) -> Iterator[InventoryEntry]:
    """
    The entries of *inventory* for the comparison.

    Raises:
        InvalidType: a type is none of the three.
        Problem: ``validation-failed``: a list has another shape, a size is negative or a digest unreadable.
    """
    for word, undecoded in inventory.local_backups.items():
        type = BackupType.parse(word)
        archives = _decode(_read_archives, undecoded, "the body", f"/local_backups/{word}")
        for index, local in enumerate(archives):
            yield _entry(type, local, f"/local_backups/{word}/{index}")


def _decode(
    decoder: msgspec.json.Decoder[Decoded], body: bytes | msgspec.Raw, where: str, pointer: str = ""
) -> Decoded:
    """*body* decoded; *where* it stands in words, and the JSON *pointer* to it, for what is wrong with it."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        steps = _PATH_STEP.findall(path.strip("`"))
        raise _wrong_shape(detail, pointer + "".join(f"/{name or index}" for name, index in steps)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "invalid-json", f"{where} is not readable as JSON: {error}") from error


def _entry(type: BackupType, local: LocalArchive, pointer: str) -> InventoryEntry:
    return InventoryEntry(
        type,
        local.name,
        _size(local.size, f"{pointer}/size"),
        _digest("md5", local.md5, pointer),
        _digest("sha256", local.sha256, pointer),
    )


def _size(value: float | None, pointer: str) -> int | None:
    if value is None:
        return None
    if value < 0 or (isinstance(value, float) and not value.is_integer()):
        raise _wrong_shape("size must be a whole number and not negative", pointer)
    return int(value)


def _digest(algorithm: str, value: str | None, pointer: str) -> str | None:
    if not value:  # the original's clients send an empty string where they could not compute one
        return None
    try:
        return parse_digest(algorithm, value)
    except DigestInvalid as error:
        raise _wrong_shape(str(error), f"{pointer}/{algorithm}") from error


def _wrong_shape(detail: str, pointer: str) -> Problem:
    return Problem(422, "validation-failed", detail, extras={"errors": [{"pointer": pointer, "detail": detail}]})


# -- sync reports ----------------------------------------------------------------------------------------------------

_BUCKETS = ("synced", "missing_remote", "extra_remote", "differing", "unverified", "damaged")


def original_report(report: SyncReport) -> dict[str, object]:
    """The answer of the original's ``/verify``."""
    return {
        "status": "success",
        "sync_status": _word(report),
        "verification": {type.value: {"type": type.value} | _buckets(part) for type, part in report.types.items()},
        "issues": report.issues(),
    }


def v1_report(report: SyncReport, profile: str | None) -> dict[str, object]:
    """The answer of version 1: the same buckets, with their sizes."""
    return {
        "sync_status": _word(report),
        "profile": profile,
        "counts": {bucket: sum(len(getattr(part, bucket)) for part in report.types.values()) for bucket in _BUCKETS},
        "types": {type.value: _buckets(part) for type, part in report.types.items()},
    }


def _word(report: SyncReport) -> str:
    return "SYNCHRONIZED" if report.is_synchronized else "OUT_OF_SYNC"


def _buckets(part: TypeReport) -> dict[str, object]:
    return {
        "local_count": part.local_count,
        "remote_count": part.remote_count,
        **{bucket: getattr(part, bucket) for bucket in _BUCKETS},
    }
