"""Exit codes, which scripts rely on, and what a person can do about each error: one table."""

from __future__ import annotations

from ...domain import errors

OK, FAILED, USAGE, PARTLY = 0, 1, 2, 3
NOT_FOUND, UNAUTHORIZED, DIFFERENT, NO_ANSWER, INTERRUPTED = 10, 12, 13, 14, 130

# Looked up along the class's bases.
_TABLE: dict[type[errors.TarkeepError], tuple[int, str]] = {
    errors.InvalidSetting: (USAGE, ""),
    errors.InvalidName: (USAGE, ""),
    errors.InvalidType: (USAGE, ""),
    errors.ArchiveNotFound: (NOT_FOUND, "tarkeep list shows what is stored"),
    errors.ProfileNotFound: (NOT_FOUND, "tarkeep stats shows the profiles"),
    errors.Unauthorized: (UNAUTHORIZED, "put a token into TARKEEP_TOKEN, or into a file that token_file names"),
    errors.NoAnswer: (NO_ANSWER, "check --server, and that the server runs; then run the same command again"),
    errors.TarkeepError: (FAILED, ""),
}


def exit_code(error: errors.TarkeepError) -> int:
    """The exit code that *error* ends a command with."""
    return _row(error)[0]


def hint(error: errors.TarkeepError) -> str:
    """What to do about *error*, where its own sentence does not say; or nothing."""
    return _row(error)[1]


def _row(error: errors.TarkeepError) -> tuple[int, str]:
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
