"""Parsing of a server's answers: archives, reports, and the reasons of refusals."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import quote

import urllib3

from ...domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind
from ...domain.archives.inventory import SyncReport, TypeReport
from ...domain.errors.retention import ArchiveRemoved
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.digests import Digests
from ...domain.scrubbing.findings import Fault
from ...domain.scrubbing.unread import LastChecked
from .told import Told, label


def noted(notes: tuple[str, ...]) -> dict[str, str]:
    return {"Tarkeep-Notes": ",".join(quote(note, safe=" /:;'()") for note in notes)} if notes else {}


def reason_of(error: urllib3.exceptions.HTTPError) -> str:
    """The reason of *error*, without the object addresses and URLs in urllib3's sentences."""
    cause = cause_of(error)
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return "it does not speak https"
    text = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or str(cause)
    return text or type(cause).__name__


def cause_of(error: BaseException) -> BaseException:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return error


def point_text(told: Told) -> str:
    return f"{label(told)} of {told.text('taken_at')}" if told.has("taken_at") else label(told)


def read_archive(told: Told) -> BackupArchive:
    kind = told.text_or_none("kind")
    contents = Contents(Kind(kind), told.count("members"), told.count("unpacked_size")) if kind else None
    return BackupArchive(
        ArchiveId(told.text("profile"), BackupType(told.text("type")), told.text("name")),
        told.count("size"),
        Digests(told.text("md5"), told.text("sha256")),
        told.time("received_at"),
        told.time("taken_at"),
        contents,
        ArchiveState(told.text("state")),
    )


def read_check(told: Told) -> LastChecked:
    """What *told*, an archive, says of when it was read again; nothing, if an older server tells it."""
    verified_at = told.time("verified_at") if told.has("verified_at") and told.text_or_none("verified_at") else None
    fault = told.text_or_none("damage") if told.has("damage") else None
    return LastChecked(verified_at, Fault(fault) if fault in {one.value for one in Fault} else None)


def by_type(types: Told) -> Iterator[tuple[BackupType, Told]]:
    for name in types.members:
        yield BackupType(name), types.object(name)


_NEWER_BUCKETS = ("damaged", "pruned")  # which older servers do not send


def read_report(types: Told) -> SyncReport:
    buckets = ("synced", "missing_remote", "extra_remote", "differing", "unverified")
    return SyncReport(
        {
            type: TypeReport(
                type,
                its.count("local_count"),
                its.count("remote_count"),
                **{bucket: its.texts(bucket) for bucket in buckets},
                **{bucket: its.texts(bucket) for bucket in _NEWER_BUCKETS if its.has(bucket)},
                damage=_damage(its),
            )
            for type in BackupType
            for its in (types.object(type.value),)
        }
    )


def _damage(its: Told) -> dict[str, str]:
    """How the damage of archives shows; of a kind that is unknown here nothing."""
    told = its.object("damage").members if its.has("damage") else {}
    kinds = {one.value for one in Fault}
    return {name: kind for name, kind in told.items() if isinstance(kind, str) and kind in kinds}


def removed_archive(told: Told) -> ArchiveRemoved:
    """What a server says of an archive that it removed."""
    return ArchiveRemoved(
        told.text("archive"),
        told.text("sha256"),
        told.time("removed_at") if told.has("removed_at") else None,
        told.text("plan") if told.has("plan") else "",
        told.texts("reasons"),
        told.time("keep_until") if told.has("keep_until") else None,
        told.time("purged_at") if told.has("purged_at") else None,
    )
