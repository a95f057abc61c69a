"""
The header fields of tus 1.0, parsed and written. `domain.uploads` judges their meaning.

Protocol: https://tus.io/protocols/resumable-upload.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime

from starlette.datastructures import Headers

from ....domain.archives.archive import Offer
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.digests import DeclaredDigests, parse_digest
from ....domain.identity.invalid import InvalidDigest
from ....domain.identity.naming import check_archive_name, check_profile
from ....domain.uploads import Checksum, ChecksumAlgorithm, Role, Upload
from ..answers.problems import Problem
from .parameters import checked_text, lineage, stated_time

COLLECTION = "/api/v1/uploads"
VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation"
CONTENT_TYPE = "application/offset+octet-stream"
MAX_METADATA_BYTES = 4096
REPRESENTATION = "return=representation"

_DIGEST_BYTES = {ChecksumAlgorithm.SHA1: 20, ChecksumAlgorithm.SHA256: 32, ChecksumAlgorithm.MD5: 16}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


def check_version(headers: Headers, *, must_be_there: bool) -> None:
    """
    Check ``Tus-Resumable``. Plain HTTP clients may ask and continue without it.

    Raises:
        Problem: 412 ``tus-version``.
    """
    given = headers.get("tus-resumable")
    if given == VERSION or (given is None and not must_be_there):
        return
    detail = f"send Tus-Resumable: {VERSION}, the version spoken here"
    raise Problem(412, "tus-version", detail, headers={"Tus-Version": VERSION})


def whole_header(headers: Headers, name: str) -> int | None:
    """
    The header *name* as a number of bytes, None if it is missing.

    Raises:
        Problem: ``invalid-parameter``.
    """
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(400, "invalid-parameter", f"{name} must be a whole number of bytes, not {text[:40]!a}")
    return int(text)


def needed_header(headers: Headers, name: str) -> int:
    """Like `whole_header`, for a header that must be present."""
    value = whole_header(headers, name)
    if value is None:
        raise Problem(400, "invalid-parameter", f"the header {name} is missing")
    return value


def declared_length(headers: Headers) -> int | None:
    """
    The length announced by a creation: ``Upload-Length``, or None with ``Upload-Defer-Length: 1``.

    Raises:
        Problem: neither or both are present, or the value cannot be parsed.
    """
    length = whole_header(headers, "Upload-Length")
    deferred = headers.get("upload-defer-length")
    if deferred not in (None, "1"):
        raise Problem(400, "invalid-parameter", "Upload-Defer-Length can only be 1")
    if (length is None) == (deferred is None):
        raise Problem(400, "invalid-parameter", "send either Upload-Length or Upload-Defer-Length: 1")
    return length


def announced_length(headers: Headers) -> int | None:
    """The length of the body, None for a chunked one. A request with neither header has none."""
    if "transfer-encoding" in headers:
        return None
    return whole_header(headers, "Content-Length") or 0


def concatenation(headers: Headers) -> tuple[Role, tuple[str, ...]]:
    """
    The role in ``Upload-Concat``, with the ids of the parts of a final upload.

    Raises:
        Problem: it cannot be parsed.
    """
    value = headers.get("upload-concat")
    if value is None:
        return Role.WHOLE, ()
    if value == "partial":
        return Role.PARTIAL, ()
    word, _, rest = value.partition(";")
    if word != "final":
        raise Problem(400, "invalid-parameter", "Upload-Concat must be partial, or final; and the parts' URLs")
    # parts may be given as whole URLs, with any name of the server
    return Role.FINAL, tuple(part.rstrip("/").rpartition("/")[2] for part in rest.split())


def checksum(headers: Headers) -> Checksum | None:
    """
    The value of ``Upload-Checksum``.

    Raises:
        Problem: ``digest-unsupported``.
        InvalidDigest: it cannot be parsed.
    """
    value = headers.get("upload-checksum")
    if value is None:
        return None
    word, _, text = value.partition(" ")
    try:
        algorithm = ChecksumAlgorithm(word)
    except ValueError:
        supported = [known.value for known in ChecksumAlgorithm]
        detail = f"Upload-Checksum names {word[:40]!a}; use {', '.join(supported)}"
        raise Problem(400, "digest-unsupported", detail, extras={"supported": supported}) from None
    digest = _base64(text.strip())
    if digest is None or len(digest) != _DIGEST_BYTES[algorithm]:
        raise InvalidDigest(word, text)
    return Checksum(algorithm, digest)


def content_range(headers: Headers) -> tuple[int, int | None, int | None] | None:
    """
    ``Content-Range`` of a request: first byte, number of bytes, length of the whole if given.

    Raises:
        Problem: it cannot be parsed, or contradicts Content-Length.
    """
    value = headers.get("content-range")
    if value is None:
        return None
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        raise Problem(400, "invalid-parameter", f"Content-Range must be bytes FIRST-LAST/TOTAL, not {value[:80]!a}")
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    count = last - first + 1
    length = announced_length(headers)
    if count < 1 or (total is not None and last >= total) or length not in (None, count):
        raise Problem(400, "invalid-parameter", "Content-Range contradicts itself or Content-Length")
    return first, length, total


def metadata(headers: Headers) -> dict[str, str]:
    """
    ``Upload-Metadata``, decoded.

    Raises:
        Problem: ``invalid-parameter``, ``invalid-encoding``.
    """
    value = headers.get("upload-metadata", "")
    if len(value) > MAX_METADATA_BYTES:
        raise Problem(400, "invalid-parameter", f"Upload-Metadata is longer than {MAX_METADATA_BYTES} bytes")
    found: dict[str, str] = {}
    for item in value.split(",") if value.strip() else ():
        name, _, encoded = item.strip().partition(" ")
        decoded = _base64(encoded)
        if not name or not name.isascii() or name in found or decoded is None:
            detail = "Upload-Metadata must be unique keys, each with its value in base64, separated by commas"
            raise Problem(400, "invalid-parameter", detail)
        found[name] = checked_text(decoded.decode("utf-8", "replace"), f"{name} in Upload-Metadata")
    return found


def offer(described: Mapping[str, str]) -> Offer:
    """
    The archive described by the metadata of a creation.

    Raises:
        InvalidName, InvalidType, InvalidDigest: a value is not valid.
        Problem: a key is missing, or a time cannot be parsed.
    """
    missing = [name for name in ("filename", "profile", "type") if not described.get(name)]
    if missing:
        detail = f"Upload-Metadata lacks {', '.join(missing)}; it must name the archive by filename, profile and type"
        raise Problem(400, "invalid-parameter", detail)
    id = ArchiveId(
        check_profile(described["profile"]),
        BackupType.parse(described["type"]),
        check_archive_name(described["filename"]),
    )
    digests = {name: parse_digest(name, described[name]) for name in ("md5", "sha256") if described.get(name)}
    taken_at = stated_time(described.get("taken_at"))
    return Offer(id, DeclaredDigests(**digests), taken_at, lineage=lineage(described))


def standing(upload: Upload, idle: timedelta) -> dict[str, str]:
    """The state of *upload*, in header fields."""
    fields = {"Upload-Offset": str(upload.offset_bytes), "Cache-Control": "no-store"}
    if upload.length_bytes is None:
        fields["Upload-Defer-Length"] = "1"
    else:
        fields["Upload-Length"] = str(upload.length_bytes)
    if upload.metadata:
        fields["Upload-Metadata"] = upload.metadata
    if upload.role is Role.PARTIAL:
        fields["Upload-Concat"] = "partial"
    elif upload.role is Role.FINAL:
        fields["Upload-Concat"] = "final;" + " ".join(location(part) for part in upload.parts)
    if upload.is_open:
        fields["Upload-Expires"] = format_datetime(upload.expires_at(idle).replace(microsecond=0), usegmt=True)
    return fields


def wants_representation(headers: Mapping[str, str]) -> bool:
    """Whether the client prefers (RFC 7240) the archive's description in the answer that reports it stored."""
    preferences = headers.get("prefer", "").lower().split(",")
    return any(preference.partition(";")[0].strip() == REPRESENTATION for preference in preferences)


def location(id: str) -> str:
    """The path of an upload."""
    return f"{COLLECTION}/{id}"


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
