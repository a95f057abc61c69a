"""
Advice for a person at a terminal on each error: one table.

An error says what happened and why; a command prints the advice after it, or once for many errors. Most errors need
none.
"""

from __future__ import annotations

import shlex
from datetime import datetime

from ....domain.errors.access import TokenNotFound
from ....domain.errors.archives import ArchiveNotFound, NameConflict, ProfileNotFound
from ....domain.errors.capacity import CatalogBusy, CatalogDamaged
from ....domain.errors.client import (
    CertificateNotTrusted,
    DumpTooLarge,
    ExtractFailed,
    FolderNotPrivate,
    LocalConflict,
    LocalDiskFull,
    LocalFileChanged,
    NoBackupFolder,
    NothingToSend,
    NotRestorable,
    ParentMoved,
    PulledBytesDiffer,
    Refused,
    RemoteConflict,
    SandboxUnusable,
    ServerUnreachable,
    TargetNotEmpty,
    TarUnusable,
    TooManyArchivesOpen,
    Unauthorized,
    UnsafeMembers,
)
from ....domain.errors.content import TooLarge
from ....domain.errors.retention import ArchiveRemoved, PruneCutOff
from ....domain.errors.settings import CatalogLacks, CatalogStaysDamaged, NotARegularFile
from ....domain.tarkeep_error import TarkeepError

# Looked up along the class's bases.
_TABLE: dict[type[TarkeepError], str] = {
    TokenNotFound: "tarkeep token list shows the tokens",
    ArchiveNotFound: "tarkeep list shows what is stored, tarkeep trash list on the server what was removed",
    ProfileNotFound: "tarkeep stats shows the profiles",
    Unauthorized: "put a valid token into TARKEEP_TOKEN or into the file of --token-file",
    ServerUnreachable: (
        "check that the server is running and --server is right, then run the same command again; --wait waits for it"
    ),
    CertificateNotTrusted: "give its issuer's certificate with --cacert, or its own SHA-256 with --fingerprint",
    RemoteConflict: "rename the file and push it again",
    LocalFileChanged: "run this again when the program that writes it has finished",
    NothingToSend: "name files, or set BACKUP_DIR",
    PulledBytesDiffer: "pull it again, or see what tarkeep list shows about it",
    NoBackupFolder: "set --backup-dir or BACKUP_DIR",
    NotARegularFile: "tarkeep restore --path restores it",
    TooManyArchivesOpen: "restore with --merged, or raise the limit (ulimit -n)",
    LocalConflict: "move it away, or replace it with --force",
    LocalDiskFull: "free some and run the same command again; it continues from here",
    ParentMoved: "run the same command again",
    SandboxUnusable: (
        "install bubblewrap, or let this machine make namespaces; and as root let everybody enter each folder above "
        "--scratch, since tar runs as nobody"
    ),
    TarUnusable: "install GNU tar, or name it with --tar",
    TargetNotEmpty: (
        "restore into a new directory, or use --overwrite, which replaces and removes files as the archives require"
    ),
    UnsafeMembers: "restore with --merged into a new directory: the server then merges the tree",
    CatalogLacks: "run tarkeep rebuild",
    CatalogDamaged: "remove its file, if it has one, and run tarkeep rebuild",
    CatalogStaysDamaged: "remove its file, if it has one, and run tarkeep rebuild",
    CatalogBusy: "try again",
    TooLarge: "raise max_upload_bytes, or use a smaller archive",
}

# For refusals, by the server's code: the server's own sentence addresses its operator.
_REFUSED = {
    "insufficient-storage": "free space on the server, then run the same command again",
    "quota-exceeded": "free space on the server, then run the same command again",
    "too-large": "the limit is max_upload_bytes on the server",
    "too-many-requests": "run the same command again later",
}


def hint(error: TarkeepError) -> str:
    """What to do about *error* if its own sentence does not say; empty if there is no advice."""
    match error:
        case Refused():
            return "run the same command again later" if error.is_transient else _REFUSED.get(error.code, "")
        case NotRestorable(lacks=lacks) if lacks is not None:
            return f"tarkeep restore --allow-gaps restores it anyway: {lacks.words or 'no name is missing'}"
        case ExtractFailed(is_merged=True) | UnsafeMembers(is_merged=True):
            return "restore into a new directory"
        case FolderNotPrivate(purpose=purpose):
            return f"name another folder with --{purpose.value}"
        case DumpTooLarge(setting=setting):
            return f"raise {setting} on the server, or leave something out with --exclude"
        case PruneCutOff(profile=profile):
            return (
                f"once it runs again, tarkeep trash list {profile} shows what went, and tarkeep prune plan {profile} "
                "what would still go"
            )
        case ArchiveRemoved(is_in_trash=True, name=name):
            profile, _, label = name.partition("/")
            return f"tarkeep trash undelete {shlex.join([profile, label])} on the server brings it back"
        case ArchiveRemoved(purged_at=datetime()):
            return "tarkeep points shows what can be restored"
        case NameConflict(existing_sha256=None):
            return "run tarkeep rebuild"
        case NameConflict():
            return (
                'give it a new name, for example with the date in it, or set same_name = "keep-both", which adds the '
                "receive time to the name"
            )
    return next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), "")


def in_full(error: TarkeepError) -> str:
    """*error*, and what to do about it."""
    advice = hint(error)
    return f"{error}; {advice}" if advice else str(error)
