"""Reading the audit log from its end, as a person does; `tarkeep audit verify` checks all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from ...access.audit import AuditEntry, entry_of
from ...access.chain import line_digest, told_in
from ...access.log_filter import LogFilter
from ...ports.access import AuditLog

_MOST_COMPARED = 200


@frozen
class LogPage:
    """
    Some *entries*, the newest first. *below* is the digest of the line under which to go on, None at the beginning of
    the log; *is_cut* says that lines are left though few were found: so many were looked through, back to
    *looked_to*, if that is known.
    """

    entries: tuple[AuditEntry, ...]
    below: str | None
    is_cut: bool
    looked_to: datetime | None = None


@frozen
class LogEnd:
    """
    The newest *lines* of the log, and whether each of them follows the one before it; *head* is the digest of the
    newest one, None if there is none.
    """

    lines: int
    follow: bool
    head: str | None


@frozen
class ReadLog:
    """
    Read lines of the audit log, the newest first.

    For one page at most *most_read* are read, some 60 ms for 10,000, and about *most_bytes* are looked through, some
    40 ms for 64 MiB: so no page takes long, however large the log is.
    """

    audit: AuditLog
    most_read: int = 10_000
    most_bytes: int = 64 << 20

    def __call__(
        self, wanted: LogFilter, sees: Callable[[str], bool] | None, *, below: str | None = None, limit: int = 100
    ) -> LogPage:
        """
        At most *limit* lines that are *wanted*, about profiles that the caller *sees* (None: about anything), under the
        line with the digest *below*. Lines that are torn or damaged are passed over.

        Raises:
            BackendUnavailable: the log cannot be read.
        """
        found: list[AuditEntry] = []
        needle, last, looked_to = wanted.needle, None, None
        for number, line in enumerate(self.audit.newest_first(below, needle, most_bytes=self.most_bytes)):
            if len(found) == limit or number == self.most_read:
                return LogPage(tuple(found), last, len(found) < limit, looked_to)
            last = line_digest(line)
            entry = entry_of(line)
            looked_to = looked_to if entry is None else entry.at
            if needle not in line:  # so much was looked through
                return LogPage(tuple(found), last, len(found) < limit, looked_to)
            if entry is not None and wanted.wants(entry, sees):
                found.append(entry)
        return LogPage(tuple(found), None, is_cut=False)


@frozen
class SeeLogEnd:
    """Look at the newest lines of the audit log: whether they fit together, and what the newest one is."""

    audit: AuditLog

    def __call__(self) -> LogEnd:
        """
        Seals are not looked at, nor lines before the newest 200: this is cheap, and no check of the log.

        Raises:
            BackendUnavailable: the log cannot be read.
        """
        head = before = None
        number = 0
        for number, line in enumerate(self.audit.newest_first(), 1):
            digest = line_digest(line)
            if before not in (None, digest):
                return LogEnd(number, False, head)
            head = head or digest
            told = told_in(line)
            before = None if told is None else told["before"]  # a torn line does not say what it follows
            if number == _MOST_COMPARED:
                break
        return LogEnd(number, True, head)
