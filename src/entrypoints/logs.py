"""
Logging: one line per event on standard error, for people or as JSON.

An event is a word and fields: ``Log("tarkeep.http").info("request", status=201)``. All events, also those of libraries,
go through the standard library's logging, so a program that embeds Tarkeep may route them as it likes.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from ..domain.identity.archive_id import ArchiveId
from ..domain.text.paths import printable

_FIELDS = "tarkeep_fields"


class Log:
    """Logs events under the name of a logger."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, extra={_FIELDS: fields})

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, extra={_FIELDS: fields})

    def error(self, event: str, *, error: BaseException | None = None, **fields: object) -> None:
        """Log an error; *error* is written with its traceback."""
        self._logger.error(event, extra={_FIELDS: fields}, exc_info=error)


class LoggedNotices:
    """`Notifier` that logs a line per notice, with the name of the archive."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def damaged(self, id: ArchiveId, what: str) -> None:
        self._log.error("damaged", archive=id, found=what)

    def misrecorded(self, id: ArchiveId, what: str) -> None:
        found = f"the {what} on record is wrong, the bytes are right; run tarkeep rebuild --check to correct it"
        self._log.error("damaged", archive=id, found=found)

    def whole(self, id: ArchiveId) -> None:
        self._log.warning("whole again", archive=id)

    def unstable(self, id: ArchiveId, what: str) -> None:
        then = "it was right when it was read again: test the memory, the cables and the disk of this machine"
        self._log.error("unstable", archive=id, found=what, then=then)

    def mended(self, id: ArchiveId, what: str) -> None:
        self._log.warning("mended", archive=id, found=what)

    def suspicious(self, id: ArchiveId, why: str) -> None:
        then = f"nothing of {id.profile} is pruned until tarkeep brake release"
        self._log.error("suspicious", archive=id, found=why, then=then)

    def unjudged(self, id: ArchiveId, why: str) -> None:
        self._log.warning("not compared with earlier archives", archive=id, reason=why)


def line_format(format: str) -> logging.Formatter:
    """The formatter of log lines; *format* is ``text`` or ``json``."""
    return _Json() if format == "json" else _Text()


def configure(level: str, format: str) -> None:
    """Set up logging for the process, in lines of *format*."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_format(format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The caller's location is never written, and finding it takes a third of the time of a line.
    logging._srcfile = None  # see "Optimization" in the manual of logging
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for chatty in ("asyncio", "uvicorn.error", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Text(logging.Formatter):
    """``2026-11-23T02:03:04Z INFO serving url=http://127.0.0.1:5000``; values with spaces or controls are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_plain(value)}" for name, value in getattr(record, _FIELDS, {}).items())
        line = f"{_time(record)} {record.levelname} {printable(record.getMessage())}{fields}"
        if not record.exc_info:
            return line
        # the text of an error may contain a file name: its lines are indented to set them off from lines of the log
        traceback = map(printable, self.formatException(record.exc_info).splitlines())
        return "\n    ".join((line, *traceback))


class _Json(logging.Formatter):
    """One object per line: ``time``, ``level``, ``event``, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        members = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        members |= getattr(record, _FIELDS, {})
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)
