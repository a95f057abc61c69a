"""Exit codes, which scripts rely on, in one table; and the last line that a command prints."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from ....domain.errors.access import EvidenceNotFound, TokenNotFound
from ....domain.errors.archives import ArchiveNotFound, ProfileNotFound
from ....domain.errors.client import Refused, RemoteNotFound, ServerUnreachable, Unauthorized
from ....domain.errors.retention import PruneCutOff
from ....domain.errors.settings import HostServerEnded, InvalidSetting, UsageError
from ....domain.identity.invalid import InvalidName, InvalidType
from ....domain.tarkeep_error import TarkeepError
from .ending import INTERRUPTED, fault, was_interrupted
from .hints import in_full
from .streams import OutputLost

OK, FAILED, USAGE, PARTLY = 0, 1, 2, 3
NOT_FOUND, UNAUTHORIZED, DIFFERENT, NO_ANSWER, PAUSED = 10, 12, 13, 14, 15
NOT_READ = 141  # as if killed by SIGPIPE: 128 + 13

# Looked up along the class's bases.
_TABLE: dict[type[TarkeepError], int] = {
    InvalidSetting: USAGE,
    UsageError: USAGE,
    InvalidName: USAGE,
    InvalidType: USAGE,
    ArchiveNotFound: NOT_FOUND,
    RemoteNotFound: NOT_FOUND,
    TokenNotFound: NOT_FOUND,
    EvidenceNotFound: NOT_FOUND,
    ProfileNotFound: NOT_FOUND,
    Unauthorized: UNAUTHORIZED,
    ServerUnreachable: NO_ANSWER,
    HostServerEnded: NO_ANSWER,
    PruneCutOff: NO_ANSWER,
    TarkeepError: FAILED,
}


_INTERRUPTED = {
    "push": "what was sent is kept; run the same command again to continue",
    "pull": "what has come is kept; run the same command again to continue",
    "verify": "digests that were computed are kept; run the same command again to continue",
    "status": "digests that were computed are kept; run the same command again to continue",
    "backup": "an incomplete dump is not stored; run the same command again",
    "restore": "run the same command again to continue",
    "import": "what was imported stays; run the same command again to continue",
    "rebuild": "run the same command again before the server is started",
    "serve": "nothing was served yet",
    "job": "a run that has begun here goes on when the server is started; tarkeep job list shows it",
    "replicate": "what was copied stays; the run goes on in a server that runs, else run the same command again",
    "scrub": "a run that has begun here goes on when the server is started; tarkeep job list shows it",
    "doctor": "its trial files are removed; run the same command again",
    "token": "tarkeep token list shows the tokens as they are",
}
_UNCHANGED = "nothing was changed; run the same command again"


def exit_code(error: TarkeepError) -> int:
    """The exit code for *error*. A transient refusal counts as no answer, since a later run may succeed."""
    if isinstance(error, Refused) and error.is_transient:
        return NO_ANSWER
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)


def word_of(error: BaseException) -> str:
    """A word for *error*, for programs: the server's own code for a refusal, else the kind of error."""
    if isinstance(error, KeyboardInterrupt) or was_interrupted():
        return "interrupted"
    if isinstance(error, Refused) and error.code:
        return error.code
    if isinstance(error, TarkeepError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return "failed"


def last_words(error: BaseException, command: str) -> tuple[int, str]:
    """The exit code of *command* ended by any *error*, and the line to print, which may be empty."""
    if isinstance(error, KeyboardInterrupt) or was_interrupted():
        left = error.args[0] if isinstance(error, KeyboardInterrupt) and error.args else ""
        return INTERRUPTED, f"interrupted; {left or _INTERRUPTED.get(command, _UNCHANGED)}"
    match error:
        case TarkeepError():
            return exit_code(error), in_full(error)
        case OutputLost():
            return without_output(error, goes_on=False)
        case OSError():
            return FAILED, _system_error(error)
        case MemoryError():
            return FAILED, "there is not enough memory for this"
    return FAILED, fault(error)


def without_output(lost: OutputLost, *, goes_on: bool) -> tuple[int, str]:
    """
    The exit code of a command whose only failure is standard output, and the line to print, which may be empty.

    A command that *goes_on* without output has done its work; for the others the output is the work.
    """
    if not goes_on:
        return (NOT_READ, "") if lost.reader_is_gone else (FAILED, str(lost))
    if lost.reader_is_gone or lost.was_closed:
        return OK, ""
    return PARTLY, f"{lost}; the work itself was done"


def _system_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename}: {reason}"
    if error.errno == errno.ENOENT and not _is_somewhere():
        return "the working directory no longer exists; change to another one"
    if error.errno == errno.EMFILE:
        return f"{reason}; raise the limit, see ulimit -n"
    return reason


def _is_somewhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True
