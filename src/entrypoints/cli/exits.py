"""Exit codes, which scripts rely on, and what a person can do about each error: one table."""

from __future__ import annotations

from ...domain import errors
from ...domain.client.retrying import may_pass

OK, FAILED, USAGE, PARTLY = 0, 1, 2, 3
NOT_FOUND, UNAUTHORIZED, DIFFERENT, NO_ANSWER, INTERRUPTED = 10, 12, 13, 14, 130

# Looked up along the class's bases.
_TABLE: dict[type[errors.TarkeepError], tuple[int, str]] = {
    errors.InvalidSetting: (USAGE, ""),
    errors.WrongUse: (USAGE, ""),
    errors.InvalidName: (USAGE, ""),
    errors.InvalidType: (USAGE, ""),
    errors.ArchiveNotFound: (NOT_FOUND, "tarkeep list shows what is stored"),
    errors.NotThere: (NOT_FOUND, ""),
    errors.ExtractFailed: (
        FAILED,
        "where an ordinary user may not write into read-only folders, restore --merged into a new directory",
    ),
    errors.TokenNotFound: (NOT_FOUND, ""),
    errors.ProfileNotFound: (NOT_FOUND, "tarkeep stats shows the profiles"),
    errors.Unauthorized: (UNAUTHORIZED, "put the right token into TARKEEP_TOKEN or the file of --token-file"),
    errors.NoAnswer: (
        NO_ANSWER,
        "see that it runs there and --server is right, then run the same command again",
    ),
    errors.TarkeepError: (FAILED, ""),
}


# Of refusals, by the server's code; its own sentence is for whoever runs it.
_REFUSED = {
    "insufficient-storage": "make room on the server, then run the same command again",
    "quota-exceeded": "make room on the server, then run the same command again",
    "too-large": "max_upload_bytes on the server is the limit",
    "too-many-requests": "run the same command again later",
}


def exit_code(error: errors.TarkeepError) -> int:
    """The exit code that *error* ends a command with. What a later run may get over is no answer."""
    if isinstance(error, errors.Refused) and may_pass(error):
        return NO_ANSWER
    return _row(error)[0]


def hint(error: errors.TarkeepError) -> str:
    """What to do about *error*, where its own sentence does not say; or nothing."""
    if isinstance(error, errors.Refused):
        return "run the same command again later" if may_pass(error) else _REFUSED.get(error.code, "")
    return _row(error)[1]


def _row(error: errors.TarkeepError) -> tuple[int, str]:
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
