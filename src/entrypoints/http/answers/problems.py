"""
Errors as clients see them: one table from domain errors to status and code, and RFC 9457 answers.

Every answer of 400 and above is made here. Besides the members of RFC 9457 each carries ``error``, which the original's
clients print.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from ....domain import errors
from ....domain.archives.archive import ArchiveId
from ....domain.text.paths import printable

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class Problem(Exception):
    """An error that only HTTP knows of: status, code, a sentence, typed extras and headers."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        extras: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = printable(detail)  # it may quote a request, and is read in terminals and logs
        self.extras = dict(extras or {})
        self.headers = dict(headers or {})


# Looked up along the class's bases, so a subclass without a row of its own takes its parent's.
_TABLE: dict[type[errors.TarkeepError], tuple[int, str]] = {
    errors.NotLetIn: (401, "unauthorized"),
    errors.ScopeMissing: (403, "insufficient-scope"),
    errors.InvalidName: (400, "invalid-name"),
    errors.InvalidType: (400, "invalid-type"),
    errors.DigestInvalid: (400, "digest-invalid"),
    errors.DigestMismatch: (400, "digest-mismatch"),
    errors.DuplicateEntry: (422, "validation-failed"),
    errors.EmptyArchive: (422, "empty-archive"),
    errors.NotAGzip: (422, "not-a-gzip"),
    errors.GzipDamaged: (422, "gzip-damaged"),
    errors.NotATar: (422, "not-a-tar"),
    errors.TooLarge: (413, "too-large"),
    errors.ExpandsTooFar: (413, "too-large"),
    errors.UploadInterrupted: (400, "upload-interrupted"),
    errors.UploadNotFound: (404, "not-found"),
    errors.UploadGone: (410, "gone"),
    errors.StagedBytesMissing: (410, "gone"),
    errors.UploadLocked: (423, "upload-locked"),
    errors.OffsetMismatch: (409, "offset-mismatch"),
    errors.LengthMismatch: (400, "invalid-parameter"),
    errors.BeyondLength: (413, "too-large"),
    errors.NotAppendable: (403, "upload-final"),
    errors.PartsUnusable: (400, "parts-unusable"),
    errors.ChecksumMismatch: (460, "checksum-mismatch"),
    errors.TooManyUploads: (429, "too-many-requests"),
    errors.NameConflict: (409, "name-conflict"),
    errors.ReceiveInProgress: (409, "name-conflict"),
    errors.ArchiveNotFound: (404, "not-found"),
    errors.ProfileNotFound: (404, "not-found"),
    errors.AmbiguousName: (409, "ambiguous-profile"),
    errors.AmbiguousType: (409, "ambiguous-type"),
    errors.ParentMismatch: (409, "parent-mismatch"),
    errors.SnapshotConflict: (409, "name-conflict"),
    errors.PointNotRestorable: (409, "not-restorable"),
    errors.SnapshotNotFound: (404, "not-found"),
    errors.PointNotFound: (404, "not-found"),
    errors.PathNotFound: (404, "not-found"),
    errors.MemberNotFound: (404, "not-found"),
    errors.MemberUnreadable: (422, "not-a-tar"),
    errors.ArchiveCorrupt: (500, "archive-corrupt"),
    errors.QuotaExceeded: (507, "quota-exceeded"),
    errors.InsufficientStorage: (507, "insufficient-storage"),
    errors.ReadOnly: (503, "read-only"),
    errors.CatalogBusy: (503, "catalog-busy"),
    errors.BackendUnavailable: (503, "backend-unavailable"),
}


_WORTH_ANOTHER_TRY = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.LOCKED)


def problem_of(error: errors.TarkeepError) -> Problem:
    """The answer to a domain error; one without a row is a fault of the server."""
    row = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), None)
    if row is None:
        return internal_error()
    status, code = row
    retry = status in _WORTH_ANOTHER_TRY or isinstance(error, errors.ReceiveInProgress)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if retry else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tarkeep", Basic realm="tarkeep"'
    return Problem(status, code, f"{error}{_way_out(error)}", extras=_extras(error), headers=headers)


def _way_out(error: errors.TarkeepError) -> str:
    """What else can be asked for, in the words of these routes."""
    if isinstance(error, errors.PointNotRestorable) and error.lacks is not None:
        return f"; with allow_gaps=1 it is given all the same: {error.lacks.words or 'no name lacks'}"
    return ""


def internal_error() -> Problem:
    """The answer where the server itself is at fault; what happened is in its log only."""
    return Problem(500, "internal-error", "the server failed; its log has the request id")


def problem_response(problem: Problem, request_id: str) -> Response:
    """*problem* as ``application/problem+json``."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase if problem.status in _PHRASES else "Error",
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        "error": problem.detail,
        **problem.extras,
    }
    return Response(msgspec.json.encode(body) + b"\n", problem.status, problem.headers, PROBLEM_JSON)


_PHRASES = frozenset(status.value for status in HTTPStatus)


def _reference(id: ArchiveId) -> dict[str, str]:
    return {"type": id.type.value, "name": id.name}


def _extras(error: errors.TarkeepError) -> dict[str, object]:
    match error:
        case errors.ScopeMissing(needed=needed):
            return {"needed_scopes": list(needed)}
        case errors.OffsetMismatch(offset_bytes=offset):
            return {"upload_offset": offset}
        case errors.TooManyUploads(limit=limit, setting=setting):
            return {"limit": limit, "setting": setting}
        case errors.BeyondLength(length_bytes=limit) | errors.TooLarge(limit_bytes=limit):
            return {"limit": limit}
        case errors.ExpandsTooFar(setting=setting, limit=limit):
            return {"limit": limit, "setting": setting}
        case errors.NotAGzip(offset=offset) | errors.GzipDamaged(offset=offset) | errors.NotATar(offset=offset):
            return {"offset": offset}
        case errors.ParentMismatch(expected=expected):
            return {"expected": None if expected is None else _reference(expected)}
        case errors.PointNotRestorable(id=id, reasons=reasons, nearest=nearest, lacks=lacks):
            return {
                "point": _reference(id),
                "obstacles": list(reasons),
                "nearest": [_reference(one) for one in nearest],
                "gaps": None if lacks is None else lacks.lacking,
                "uncertain": None if lacks is None else lacks.uncertain,
            }
        case errors.MemberUnreadable(at=at):
            return {"offset": at}
        case errors.AmbiguousType(types=types):
            return {"types": [type.value for type in types]}
        case errors.NameConflict(existing_sha256=sha256):
            return {"existing_sha256": sha256}
        case errors.DigestMismatch(algorithm=algorithm, declared=declared, actual=actual):
            return {"algorithm": algorithm, "declared": declared, "actual": actual}
        case errors.AmbiguousName(profiles=profiles):
            return {"profiles": profiles}
        case errors.DuplicateEntry():
            return {"errors": [{"pointer": "", "detail": str(error)}]}  # the two places are apart: the whole document
        case errors.InvalidName(what=what, rule=rule):
            return {"what": what, "rule": rule}
        case errors.QuotaExceeded(setting=setting, limit=limit, needed=needed, free=free):
            return {"setting": setting, "limit": limit, "needed": needed, "free": free}
        case errors.InsufficientStorage(needed_bytes=int() as needed, free_bytes=int() as free):
            return {"needed": needed, "free": free}
        case _:
            return {}
