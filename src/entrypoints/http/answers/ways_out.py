"""
The advice to a client about an error, in terms of these routes: one table.

Errors say what happened and why; the answer appends this advice. Most errors need none.
"""

from __future__ import annotations

from ....domain.errors.access import NotAuthenticated
from ....domain.errors.archives import AmbiguousName, ClaimLost, NameConflict, ReceiveInProgress
from ....domain.errors.capacity import CatalogBusy, CatalogDamaged
from ....domain.errors.content import TooLarge
from ....domain.errors.restoring import MemberNotFound, PointNotRestorable
from ....domain.errors.retention import ArchiveRemoved, HoldExists
from ....domain.errors.uploads import UploadLocked
from ....domain.tarkeep_error import TarkeepError

RETRY_AFTER_SECONDS = 5
_ANOTHER_NAME = (
    'send it under a new name, for example with the date in it, or set same_name = "keep-both" on the server, '
    "which adds the receive time to the name"
)
_MEMBERS = "its members are listed at .../members, and restore.tar?path= gives sparse files"


def way_out(error: TarkeepError) -> str:
    """The advice about *error*, without a full stop; empty if the error's own sentence is enough."""
    match error:
        case NotAuthenticated(has_token=False):
            return "send Authorization: Bearer tk_..., or the token as password (curl -u :tk_...)"
        case NameConflict(existing_sha256=None):
            return "run tarkeep rebuild on the server"
        case NameConflict():
            return _ANOTHER_NAME
        case ArchiveRemoved(is_in_trash=True):
            return "POST .../undelete brings it back, with a token of the scope prune"
        case ArchiveRemoved(purged_at=None):
            return "GET /api/v1/trash lists what can be brought back"
        case HoldExists():
            return "use another name, or release that hold first"
        case ReceiveInProgress() | ClaimLost():
            return f"try again in {RETRY_AFTER_SECONDS} s"
        case UploadLocked():
            return f"try again in {RETRY_AFTER_SECONDS} s, when it has ended"
        case CatalogDamaged():
            return "remove its file, if it has one, and run tarkeep rebuild on the server"
        case CatalogBusy():
            return "try again"
        case TooLarge():
            return "raise max_upload_bytes on the server, or send less"
        case AmbiguousName():
            return "choose one with ?profile="
        case MemberNotFound():
            return _MEMBERS
        case PointNotRestorable(lacks=lacks) if lacks is not None:
            return f"allow_gaps=1 gives it anyway: {lacks.words or 'no name is missing'}"
    return ""


def in_full(error: TarkeepError) -> str:
    """*error*, and the advice about it: for clients, and for the log."""
    way = way_out(error)
    return f"{error}; {way}" if way else str(error)
