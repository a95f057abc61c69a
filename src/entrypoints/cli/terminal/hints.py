"""
Advice for a person at a terminal on each error: one table.

An error says what happened and why; a command prints the advice after it, or once for many errors. Most errors need
none.
"""

from __future__ import annotations

from ....domain.errors.access import TokenNotFound
from ....domain.errors.archives import ArchiveNotFound, NameConflict, ProfileNotFound
from ....domain.errors.capacity import CatalogBusy
from ....domain.errors.client import (
    CertificateNotTrusted,
    DumpTooLarge,
    ExtractFailed,
    LocalConflict,
    LocalDiskFull,
    LocalFileChanged,
    NothingToSend,
    NotRestorable,
    ParentMoved,
    PulledBytesDiffer,
    Refused,
    RemoteConflict,
    ServerUnreachable,
    TargetNotEmpty,
    TarUnusable,
    Unauthorized,
    UnsafeMembers,
)
from ....domain.errors.content import TooLarge
from ....domain.errors.settings import CatalogLacks, CatalogStaysDamaged
from ....domain.tarkeep_error import TarkeepError

# Looked up along the class's bases.
_TABLE: dict[type[TarkeepError], str] = {
    TokenNotFound: "tarkeep token list shows them",
    ArchiveNotFound: "tarkeep list shows what is stored",
    ProfileNotFound: "tarkeep stats shows the profiles",
    Unauthorized: "put the right token into TARKEEP_TOKEN or the file of --token-file",
    ServerUnreachable: (
        "see that it runs there and --server is right, then run the same command again; --wait waits for it"
    ),
    CertificateNotTrusted: (
        "--cacert names a file with the authority that signed it, --fingerprint the certificate itself"
    ),
    RemoteConflict: "rename the file and push it again",
    LocalFileChanged: "run this again when whatever writes it is done",
    NothingToSend: "name files, or set BACKUP_DIR",
    PulledBytesDiffer: "pull it again, or see what tarkeep list says of it",
    LocalConflict: "move it away, or replace it with --force",
    LocalDiskFull: "free some and run the same command again, it goes on from here",
    ParentMoved: "run the same command again",
    TarUnusable: "install GNU tar, or name it with --tar",
    TargetNotEmpty: (
        "restore into a new directory, or say --overwrite, which replaces and removes what the archives say"
    ),
    UnsafeMembers: "restore --merged into a new directory has the server put the tree together",
    CatalogLacks: "run tarkeep rebuild",
    CatalogStaysDamaged: "remove its file and run tarkeep rebuild",
    CatalogBusy: "try again",
    TooLarge: "raise max_upload_bytes, or take a smaller one",
}

# For refusals, by the server's code: the server's own sentence addresses its operator.
_REFUSED = {
    "insufficient-storage": "make room on the server, then run the same command again",
    "quota-exceeded": "make room on the server, then run the same command again",
    "too-large": "max_upload_bytes on the server is the limit",
    "too-many-requests": "run the same command again later",
}


def hint(error: TarkeepError) -> str:
    """What to do about *error* if its own sentence does not say; empty if there is no advice."""
    match error:
        case Refused():
            return "run the same command again later" if error.is_transient else _REFUSED.get(error.code, "")
        case NotRestorable(lacks=lacks) if lacks is not None:
            return f"tarkeep restore --allow-gaps restores it all the same: {lacks.words or 'no name lacks'}"
        case ExtractFailed(is_merged=True) | UnsafeMembers(is_merged=True):
            return "restore into a new directory"
        case DumpTooLarge(setting=setting):
            return f"raise {setting} there, or leave something out with --exclude"
        case NameConflict(existing_sha256=None):
            return "run tarkeep rebuild"
        case NameConflict():
            return (
                'give it a new name, for example with the date in it, or set same_name = "keep-both" to have the '
                "receive time put into the name"
            )
    return next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), "")


def in_full(error: TarkeepError) -> str:
    """*error*, and what to do about it."""
    advice = hint(error)
    return f"{error}; {advice}" if advice else str(error)
