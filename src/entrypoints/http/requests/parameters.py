"""Parsing of paths, queries and headers; their errors are reported before anything is done."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote, unquote_to_bytes

from starlette.datastructures import Headers, QueryParams

from ....domain.archives.archive import Lineage
from ....domain.archives.notes import check_notes
from ....domain.identity.archive_id import BackupType
from ....domain.identity.digests import DeclaredDigests, parse_digest
from ....domain.identity.invalid import InvalidDigest
from ....domain.identity.naming import check_archive_name, check_profile
from ....domain.text.paths import path_bytes
from ..answers.problems import Problem

_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_DIGEST_ITEM = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):", re.ASCII)
_ALGORITHMS = {"sha-256": "sha256", "md5": "md5"}


def checked_text(text: str, where: str) -> str:
    """
    *text* if it holds no control characters and no replacement for undecodable bytes.

    Raises:
        Problem: ``invalid-encoding``.
    """
    if not text.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise Problem(400, "invalid-encoding", f"{where} holds a control character or is not valid Unicode")
    if "\ufffd" in text:
        raise Problem(400, "invalid-encoding", f"{where} is not valid UTF-8")
    return text


def check_target(raw_path: bytes, query: bytes) -> None:
    """
    Check a request target: percent encoding well formed, valid UTF-8 after decoding, no control characters.

    Raises:
        Problem: ``invalid-encoding``.
    """
    for part, where in ((raw_path, "the path"), (query.replace(b"+", b" "), "the query")):
        if _BAD_PERCENT.search(part):
            raise Problem(400, "invalid-encoding", f"{where} has a % that is not followed by two hex digits")
        try:
            text = unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            raise Problem(400, "invalid-encoding", f"{where} is not valid UTF-8") from None
        checked_text(text, where)


def allows_gaps(query: QueryParams) -> bool:
    """
    The query parameter *allow_gaps*: whether the content may lack names.

    Raises:
        Problem: ``invalid-parameter``.
    """
    asked = query.get("allow_gaps", "")
    if asked not in ("", "0", "1", "false", "true"):
        raise Problem(400, "invalid-parameter", "allow_gaps must be 1, or left out")
    return asked in ("1", "true")


def requested_path(text: str, what: str = "path") -> bytes:
    """
    The path within a tree given by *text*, the value of the parameter *what*.

    Raises:
        Problem: ``invalid-encoding``, ``invalid-parameter``.
    """
    try:
        return path_bytes(checked_text(text, what))
    except ValueError as error:
        raise Problem(400, "invalid-parameter", f"{what}: {error}") from None


def optional_profile(query: QueryParams) -> str | None:
    """The query parameter *profile*, validated."""
    value = query.get("profile")
    return None if value is None or value == "" else check_profile(value)


def optional_type(query: QueryParams) -> BackupType | None:
    """The query parameter *type*, validated."""
    value = query.get("type")
    return None if value is None or value == "" else BackupType.parse(value)


def whole_number(query: QueryParams, name: str, default: int, low: int, high: int) -> int:
    """
    The query parameter *name* as a number between *low* and *high*.

    Raises:
        Problem: ``invalid-parameter``.
    """
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        raise Problem(400, "invalid-parameter", f"{name} must be a whole number from {low} to {high}")
    return int(text)


def declared_digests(headers: Headers) -> DeclaredDigests:
    """
    The digests a request declares: ``Repr-Digest`` (RFC 9530), ``X-Checksum-Sha256`` (hex), ``Content-MD5`` (RFC 1864).

    Raises:
        InvalidDigest: one cannot be parsed.
        Problem: ``digest-unsupported`` if a Repr-Digest has no supported algorithm; ``digest-invalid`` if two
            differ.
    """
    found: list[tuple[str, str]] = []
    for value in headers.getlist("repr-digest"):
        found += _repr_digest(value)
    for value in headers.getlist("x-checksum-sha256"):
        found.append(("sha256", parse_digest("sha256", value)))
    for value in headers.getlist("content-md5"):
        found.append(("md5", _from_base64("md5", value.strip())))
    digests = dict(found)
    for algorithm, digest in found:
        if digests[algorithm] != digest:
            raise Problem(400, "digest-invalid", f"the request declares two different {algorithm} digests")
    return DeclaredDigests(**digests)


LINEAGE = ("parent", "snapshot_before", "snapshot_after", "taken_at")
"""What a sender may say about the origin of an archive: fields of a form, keys of Upload-Metadata, and headers."""


def lineage_headers(headers: Headers) -> dict[str, str]:
    """The values of ``Tarkeep-Parent`` (percent-encoded), ``Tarkeep-Snapshot-Before``, ``-After`` and ``-Taken-At``."""
    said = {}
    for name in LINEAGE:
        value = headers.get(f"tarkeep-{name.replace('_', '-')}")
        if value is not None:
            said[name] = checked_text(unquote(value, errors="replace"), name)
    return said


def check_lineage(name: str, value: str) -> None:
    """Check one of `LINEAGE` as soon as it arrives. Raises as `lineage` and `stated_time`."""
    if name == "taken_at":
        stated_time(value)
    else:
        lineage({name: value})


def lineage(said: Mapping[str, str]) -> Lineage:
    """
    The origin of an archive, from the values that its sender *said*; empty ones count as missing.

    Raises:
        InvalidType, InvalidName, InvalidDigest: a value cannot be parsed.
        Problem: ``invalid-parameter``: a parent that is not ``TYPE/NAME``.
    """
    parent = None
    if said.get("parent"):
        word, slash, name = said["parent"].partition("/")
        if not slash:
            detail = f"parent must be TYPE/NAME, such as FULL/full_2026-11-22.tar.gz, not {said['parent'][:80]!a}"
            raise Problem(400, "invalid-parameter", detail)
        parent = (BackupType.parse(word), check_archive_name(name))
    before, after = (
        parse_digest("sha256", said[name]) if said.get(name) else None for name in ("snapshot_before", "snapshot_after")
    )
    return Lineage(parent, before, after)


def noted(headers: Headers) -> tuple[str, ...]:
    """
    The value of ``Tarkeep-Notes``: notes for people about the archive, each percent-encoded, separated by commas.

    Raises:
        Problem: ``invalid-encoding``, or ``invalid-parameter`` if no archive may have such notes.
    """
    value = headers.get("tarkeep-notes", "")
    items = [unquote(item.strip(), errors="replace") for item in value.split(",")]
    try:
        return check_notes([checked_text(item, "Tarkeep-Notes") for item in items if item])
    except ValueError as error:
        raise Problem(400, "invalid-parameter", f"Tarkeep-Notes: {error}") from None


def in_utc(moment: datetime) -> datetime | None:
    """*moment*, which has a zone, in UTC; None if that is before the year 1 or after the year 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def moment(name: str, text: str) -> datetime:
    """
    The time *text*, the value of *name*, in UTC; without a zone it is meant so, and a day is its first moment.

    Raises:
        Problem: ``invalid-parameter``.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    stated = None if read is None else in_utc(read if read.tzinfo is not None else read.replace(tzinfo=UTC))
    if stated is None:
        detail = f"{name} must be a time such as 2027-01-31T00:00:00Z, not {text[:80]!a}"
        raise Problem(400, "invalid-parameter", detail)
    return stated


def stated_time(text: str | None) -> datetime | None:
    """
    A time stated by a sender, with its zone, in UTC; None if *text* is missing.

    Raises:
        Problem: ``invalid-parameter``.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    stated = in_utc(moment) if moment is not None and moment.tzinfo is not None else None
    if stated is None:
        raise Problem(400, "invalid-parameter", f"taken_at must be an RFC 3339 time with its zone, not {text[:40]!a}")
    return stated


def _repr_digest(value: str) -> list[tuple[str, str]]:
    known = []
    for item in value.split(","):
        match = _DIGEST_ITEM.fullmatch(item.strip())
        if match is None:
            raise InvalidDigest("Repr-Digest", value)
        algorithm = _ALGORITHMS.get(match[1])
        if algorithm is not None:
            known.append((algorithm, _from_base64(algorithm, match[2])))
    if not known:
        detail = "Repr-Digest names no algorithm known here; use sha-256 or md5"
        raise Problem(400, "digest-unsupported", detail, extras={"supported": sorted(_ALGORITHMS)})
    return known


def _from_base64(algorithm: str, text: str) -> str:
    try:
        return parse_digest(algorithm, base64.b64decode(text, validate=True).hex())
    except ValueError:  # binascii.Error is a subclass; characters beyond ASCII raise it, too
        raise InvalidDigest(algorithm, text) from None
