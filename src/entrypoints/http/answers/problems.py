"""
Errors as clients see them: one table from domain errors to status and code, and RFC 9457 answers.

Every answer of 400 and above is made here. Besides the members of RFC 9457, each has ``error``, which clients of the
original print.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from ....domain.errors.access import EvidenceNotFound, EvidenceNotWritten, NotAuthenticated, ScopeMissing
from ....domain.errors.archives import (
    AmbiguousName,
    AmbiguousType,
    ArchiveCorrupt,
    ArchiveNotFound,
    ArchiveProtected,
    ClaimLost,
    DuplicateEntry,
    NameConflict,
    ProfileNotFound,
    ReceiveInProgress,
    SnapshotConflict,
    SnapshotNotFound,
)
from ....domain.errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, QuotaExceeded, ReadOnly
from ....domain.errors.content import (
    EmptyArchive,
    ExpandsTooFar,
    GzipDamaged,
    MemberUnreadable,
    NotAGzip,
    NotATar,
    TooLarge,
    UploadInterrupted,
)
from ....domain.errors.drills import DrillNotFound, ReportInvalid
from ....domain.errors.jobs import JobNotFound, JobRunning
from ....domain.errors.restoring import MemberNotFound, ParentMismatch, PathNotFound, PointNotFound, PointNotRestorable
from ....domain.errors.retention import (
    ArchiveRemoved,
    HoldExists,
    HoldNotFound,
    LockEarlier,
    MarksUnreadable,
    NoRetentionPolicy,
    NotInTrash,
    PlanChanged,
    PrunePaused,
    SimulationTooLong,
    TimeIsOver,
)
from ....domain.errors.uploads import (
    BeyondLength,
    ChecksumMismatch,
    LengthMismatch,
    NotAppendable,
    OffsetMismatch,
    PartsUnusable,
    StagedBytesMissing,
    TooManyUploads,
    UploadGone,
    UploadLocked,
    UploadNotFound,
)
from ....domain.identity.archive_id import ArchiveId
from ....domain.identity.invalid import DigestMismatch, InvalidDigest, InvalidName, InvalidType
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.paths import printable
from ....domain.text.times import rfc3339
from .ways_out import RETRY_AFTER_SECONDS, in_full

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):
    """An error that only HTTP knows: status, code, a sentence, typed extras and headers."""

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
        self.detail = printable(detail)  # it may quote a request, and is shown in terminals and logs
        self.extras = dict(extras or {})
        self.headers = dict(headers or {})


# Looked up along the class's bases, so a subclass without a row uses its parent's.
_TABLE: dict[type[TarkeepError], tuple[int, str]] = {
    NotAuthenticated: (401, "unauthorized"),
    ScopeMissing: (403, "insufficient-scope"),
    InvalidName: (400, "invalid-name"),
    InvalidType: (400, "invalid-type"),
    InvalidDigest: (400, "digest-invalid"),
    DigestMismatch: (400, "digest-mismatch"),
    DuplicateEntry: (422, "validation-failed"),
    EmptyArchive: (422, "empty-archive"),
    NotAGzip: (422, "not-a-gzip"),
    GzipDamaged: (422, "gzip-damaged"),
    NotATar: (422, "not-a-tar"),
    TooLarge: (413, "too-large"),
    ExpandsTooFar: (413, "too-large"),
    UploadInterrupted: (400, "upload-interrupted"),
    UploadNotFound: (404, "not-found"),
    UploadGone: (410, "gone"),
    StagedBytesMissing: (410, "gone"),
    UploadLocked: (423, "upload-locked"),
    OffsetMismatch: (409, "offset-mismatch"),
    LengthMismatch: (400, "invalid-parameter"),
    BeyondLength: (413, "too-large"),
    NotAppendable: (403, "upload-final"),
    PartsUnusable: (400, "parts-unusable"),
    ChecksumMismatch: (460, "checksum-mismatch"),
    TooManyUploads: (429, "too-many-requests"),
    NameConflict: (409, "name-conflict"),
    ReceiveInProgress: (409, "name-conflict"),
    ClaimLost: (409, "name-conflict"),
    ArchiveNotFound: (404, "not-found"),
    ProfileNotFound: (404, "not-found"),
    ArchiveRemoved: (410, "removed"),
    PlanChanged: (409, "plan-changed"),
    PrunePaused: (409, "prune-paused"),
    NotInTrash: (409, "not-in-trash"),
    HoldExists: (409, "hold-exists"),
    HoldNotFound: (404, "not-found"),
    NoRetentionPolicy: (409, "no-policy"),
    SimulationTooLong: (409, "too-long"),
    TimeIsOver: (409, "over-already"),
    LockEarlier: (409, "locked"),
    DrillNotFound: (404, "not-found"),
    ReportInvalid: (422, "report-invalid"),
    EvidenceNotFound: (404, "not-found"),
    EvidenceNotWritten: (503, "evidence-not-written"),
    JobNotFound: (404, "not-found"),
    JobRunning: (409, "job-running"),
    MarksUnreadable: (409, "marks-unreadable"),
    AmbiguousName: (409, "ambiguous-profile"),
    AmbiguousType: (409, "ambiguous-type"),
    ParentMismatch: (409, "parent-mismatch"),
    SnapshotConflict: (409, "name-conflict"),
    ArchiveProtected: (409, "held"),
    PointNotRestorable: (409, "not-restorable"),
    SnapshotNotFound: (404, "not-found"),
    PointNotFound: (404, "not-found"),
    PathNotFound: (404, "not-found"),
    MemberNotFound: (404, "not-found"),
    MemberUnreadable: (422, "not-a-tar"),
    ArchiveCorrupt: (500, "archive-corrupt"),
    QuotaExceeded: (507, "quota-exceeded"),
    InsufficientStorage: (507, "insufficient-storage"),
    ReadOnly: (503, "read-only"),
    CatalogBusy: (503, "catalog-busy"),
    BackendUnavailable: (503, "backend-unavailable"),
}


def problem_of(error: TarkeepError) -> Problem:
    """The answer to a domain error; an error without a row is a fault of the server."""
    row = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), None)
    if row is None:
        return internal_error()
    status, code = row
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.is_transient else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tarkeep", Basic realm="tarkeep"'
    if isinstance(error, ArchiveRemoved) and error.sha256:
        headers["ETag"] = f'"{error.sha256}"'  # an answer to HEAD has no body that could name the bytes
    return Problem(status, code, in_full(error), extras=_extras(error), headers=headers)


def internal_error() -> Problem:
    """The answer to a fault of the server; only its log has the details."""
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


def _extras(error: TarkeepError) -> dict[str, object]:
    match error:
        case ScopeMissing(needed=needed):
            return {"needed_scopes": list(needed)}
        case ArchiveCorrupt(fault=str(fault)):
            return {"damage": fault}
        case OffsetMismatch(offset_bytes=offset):
            return {"upload_offset": offset}
        case TooManyUploads(limit=limit, setting=setting):
            return {"limit": limit, "setting": setting}
        case BeyondLength(length_bytes=limit) | TooLarge(limit_bytes=limit):
            return {"limit": limit}
        case ExpandsTooFar(setting=setting, limit=limit):
            return {"limit": limit, "setting": setting}
        case NotAGzip(offset=offset) | GzipDamaged(offset=offset) | NotATar(offset=offset):
            return {"offset": offset}
        case ParentMismatch(expected=expected):
            return {"expected": None if expected is None else _reference(expected)}
        case PointNotRestorable(id=id, reasons=reasons, nearest=nearest, lacks=lacks):
            return {
                "point": _reference(id),
                "obstacles": list(reasons),
                "nearest": [_reference(one) for one in nearest],
                "gaps": None if lacks is None else lacks.lacking,
                "uncertain": None if lacks is None else lacks.uncertain,
            }
        case ArchiveProtected(protections=protections):
            return {"protections": list(protections)}
        case MemberUnreadable(at=at):
            return {"offset": at}
        case ArchiveRemoved(name=name, sha256=sha256):
            return {
                "archive": name,
                "sha256": sha256,
                "removed_at": error.removed_at and rfc3339(error.removed_at),
                "plan": error.plan or None,
                "reasons": list(error.reasons),
                "keep_until": error.keep_until and rfc3339(error.keep_until),
                "purged_at": error.purged_at and rfc3339(error.purged_at),
            }
        case PlanChanged(present=present):
            return {"plan": present}
        case PrunePaused(reasons=reasons, may_be_approved=may_be_approved):
            return {"pauses": list(reasons), "approvable": may_be_approved}
        case LockEarlier(locked_until=locked_until):
            return {"locked_until": rfc3339(locked_until)}
        case ReportInvalid(line=line):
            return {"line": line}
        case JobRunning(number=number):
            return {"run": number}
        case AmbiguousType(types=types):
            return {"types": [type.value for type in types]}
        case NameConflict(existing_sha256=sha256):
            return {"existing_sha256": sha256}
        case DigestMismatch(algorithm=algorithm, declared=declared, actual=actual):
            return {"algorithm": algorithm, "declared": declared, "actual": actual}
        case AmbiguousName(profiles=profiles):
            return {"profiles": profiles}
        case DuplicateEntry():
            return {"errors": [{"pointer": "", "detail": str(error)}]}  # two places: point to the whole document
        case InvalidName(what=what, rule=rule):
            return {"what": what, "rule": rule}
        case QuotaExceeded(setting=setting, limit=limit, needed=needed, free=free):
            return {"setting": setting, "limit": limit, "needed": needed, "free": free}
        case InsufficientStorage(needed_bytes=int() as needed, free_bytes=int() as free):
            return {"needed": needed, "free": free}
        case _:
            return {}
