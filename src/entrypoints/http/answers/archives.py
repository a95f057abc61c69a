"""
The JSON on the wire: the shapes of both families of routes.

Sizes are bytes, times RFC 3339 in UTC ending in ``Z``, digests lower-case hex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from urllib.parse import quote, urlencode

import msgspec

from ....domain.archives.archive import ArchiveState, BackupArchive
from ....domain.archives.totals import Sums, Totals
from ....domain.chains.link import Link
from ....domain.chains.passed_over import PassedOver
from ....domain.chains.standing import Standing
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.ports.catalog import ListedArchive
from ....domain.scrubbing.unread import LastChecked
from ....domain.text.paths import path_text
from ....domain.text.sizes import human_size
from ....domain.text.times import rfc3339

_EPOCH = date(1970, 1, 1).toordinal()

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


def listed_by_type(pages: Callable[[BackupType], Iterable[Sequence[ListedArchive]]]) -> Iterator[bytes]:
    """The answer of the original's ``/list``, page by page."""
    total = 0
    yield b'{"status":"success","backups":{'
    for number, type in enumerate(BackupType):
        yield b'%s"%s":[' % (b"," if number else b"", type.value.encode())
        count = 0
        for page in pages(type):
            yield _elements(type, page, is_first=not count)
            count += len(page)
        yield b"]"
        total += count
    yield b'},"total_count":%d}\n' % total


def listed_of_type(type: BackupType, pages: Iterable[Sequence[ListedArchive]]) -> Iterator[bytes]:
    """The answer of the original's ``/list/{type}``, page by page."""
    count = 0
    yield b'{"status":"success","type":"%s","backups":[' % type.value.encode()
    for page in pages:
        yield _elements(type, page, is_first=not count)
        count += len(page)
    yield b'],"count":%d}\n' % count


def _elements(type: BackupType, page: Iterable[ListedArchive], *, is_first: bool) -> bytes:
    """The archives of *page*, all of *type*, as elements of a JSON list that has begun."""
    word = type.value
    encoded = msgspec.json.encode(
        [
            OriginalArchive(
                name, name, word, profile, size, human_size(size), time := rfc3339(received), time, md5, sha256, state
            )
            for profile, _, name, size, md5, sha256, received, state in page
        ]
    )
    return encoded[1:-1] if is_first else b"," + encoded[1:-1]


class Archive(msgspec.Struct):
    """An archive in version 1. *kind*, *members* and *unpacked_size* are null if it was not validated."""

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


class ListedArchiveV1(Archive):
    """
    An archive in the lists of version 1. *verified_at* is when its bytes were last read and found right, null if they
    were not since it was received; *damage* is how it showed that they are not, null if they are or that is unknown.

    What follows is what another server needs to know to copy it: the *parent* that was declared, the digests of tar's
    snapshot file, whether that is kept with it, and the notes; and when it was copied here, if it was.
    """

    verified_at: str | None
    damage: str | None
    parent: dict[str, str] | None
    snapshot_before: str | None
    snapshot_after: str | None
    snapshot: bool
    notes: tuple[str, ...]
    copied_at: str | None


def v1_listed_archive(archive: BackupArchive, checked: LastChecked) -> ListedArchiveV1:
    shown, lineage = msgspec.structs.asdict(v1_archive(archive)), archive.lineage
    return ListedArchiveV1(
        **shown,
        verified_at=None if checked.verified_at is None else rfc3339(checked.verified_at),
        damage=None if checked.fault is None else checked.fault.value,
        parent=None if lineage.parent is None else archive_reference(ArchiveId(archive.id.profile, *lineage.parent)),
        snapshot_before=lineage.snapshot_before,
        snapshot_after=lineage.snapshot_after,
        snapshot=archive.has_snapshot,
        notes=archive.notes,
        copied_at=None if archive.copied is None else rfc3339(archive.copied.at),
    )


def archive_reference(id: ArchiveId) -> dict[str, str]:
    """The name of an archive within a known profile."""
    return {"type": id.type.value, "name": id.name}


def link_json(link: Link) -> dict[str, object]:
    """The parent of an archive, and the evidence for it."""
    return {
        "parent": link.parent and archive_reference(link.parent),
        "evidence": link.evidence.value,
        "reason": link.reason,
    }


def verdict_json(standing: Standing) -> dict[str, object]:
    """The verdict on a point, in short, as in lists and in its plan."""
    return {
        "restorable": standing.is_restorable,
        "fidelity": standing.fidelity.value,
        "evidence": standing.evidence.value,
        "sound": standing.is_sound,
        "distrust": standing.distrust or None,
        "gaps": standing.seen.gaps,
    }


def passed_over_json(passed_over: Iterable[PassedOver]) -> list[dict[str, object]]:
    """The points that a choice by time skipped, and why."""
    return [{"archive": archive_reference(one.archive), "reason": one.reason} for one in passed_over]


def archive_location(id: ArchiveId) -> str:
    """The path of an archive's URL."""
    return f"/api/v1/profiles/{id.profile}/archives/{id.type.value}/{quote(id.name, safe='')}"


def nanoseconds_rfc3339(nanoseconds: int) -> str | None:
    """Nanoseconds since the epoch as RFC 3339 in UTC, with the decimals it needs; None outside the years 1 to 9999."""
    # Without this cache of days, datetimes took half of the time for a page of names.
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    days, seconds = divmod(seconds, 86_400)
    day = _day(days)
    if day is None:
        return None
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{day}T{hours:02d}:{minutes:02d}:{seconds:02d}{decimals}Z"


@lru_cache(4096)
def _day(days: int) -> str | None:
    """The date that many days after the epoch; None if its year does not have four digits."""
    try:
        return date.fromordinal(_EPOCH + days).isoformat()
    except (OverflowError, ValueError):
        return None


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


def original_statistics(sums: Mapping[BackupType, Sums]) -> dict[str, object]:
    """The members ``storage`` and ``total`` of the original's statistics."""
    total = sum(each.size_bytes for each in sums.values())
    return {
        "storage": {
            type.value: {
                "count": each.archives,
                "size": each.size_bytes,
                "size_human": human_size(each.size_bytes),
            }
            for type, each in sums.items()
        },
        "total": {
            "files": sum(each.archives for each in sums.values()),
            "size": total,
            "size_human": human_size(total),
        },
    }


def gaps_location(point: ArchiveId, path: bytes = b"", **more: str) -> str:
    """The path of the URL that lists what a point lacks, at and below *path*."""
    asked = {"at": point.label} | ({"path": path_text(path)} if path else {}) | more
    return f"/api/v1/profiles/{point.profile}/gaps?{urlencode(asked)}"
