"""The marker of a bucket: whose a prefix is, in which format, and to which data directory it belongs."""

from __future__ import annotations

import json

from ...domain.errors.settings import FormatUnknown
from ..filesystem.archive_store import FilesystemArchiveStore
from .bucket.objects import RECEIPT, ObjectBucket
from .keys import MARKER

FORMAT = 1


def marker_of(bucket: ObjectBucket) -> str | None:
    """The id in the marker of *bucket*; None if it has none. Raises FormatUnknown."""
    found = bucket.get_small(MARKER)
    if found is None:
        return None
    try:
        marker = json.loads(found.content)
        if marker["format"] == FORMAT:
            return str(marker["id"])
    except (ValueError, TypeError, KeyError) as error:
        raise FormatUnknown(f"the marker {MARKER} of the bucket cannot be read") from error
    raise FormatUnknown(f"the bucket has format {marker['format']!a}, this version knows {FORMAT}")


def mark(bucket: ObjectBucket, id: str) -> str:
    """Mark *bucket* with *id*; returns the id that it has then, which is another's if that was quicker."""
    content = json.dumps({"format": FORMAT, "id": id}).encode() + b"\n"
    bucket.put_first(MARKER, content, {RECEIPT: id})
    return marker_of(bucket) or id


def check_pair(local: FilesystemArchiveStore, id: str) -> None:
    """Raise FormatUnknown unless *local* belongs to a bucket with *id*, and holds no archives itself."""
    if id != local.id:
        raise FormatUnknown(
            "the bucket belongs to another data directory",
            "give the data directory that it was made with, or a new one, or another prefix",
        )
    if next(local.ids(), None) is not None:
        raise FormatUnknown(
            "the data directory holds archives, which nobody would see beside a bucket",
            "give a new data directory",
        )
