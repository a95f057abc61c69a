"""
The audit log in ``audit.log`` of the data directory, which the server and the commands of its host add to.

The rule: the file is opened for appending alone. Who adds holds its lock, so that each line is chained to the one that
is really before it, and returns when the line is on the disk.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from ..domain.audit import FIRST, AuditEntry, AuditReport, check, line_digest, line_of
from .data_directory import AUDIT, translated
from .durable_file import fsync_directory

_TAIL_BYTES = 1 << 16


@define(eq=False)
class FileAuditLog:
    """`AuditLog` in the data directory *folder*."""

    folder: Path
    _size: int = field(default=-1, init=False)  # at which the file ends with the line that `_last` is of
    _last: str = field(default=FIRST, init=False)
    _is_named: bool = field(default=False, init=False)  # durably: the file may be new
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def append(self, entry: AuditEntry) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with translated(writing=True):
            log = os.open(self.folder / AUDIT, flags, 0o600)
            try:
                with self._lock, _held(log):
                    self._write(log, entry)
                os.fdatasync(log)
                if not self._is_named:  # also by whom it was there: who made it may have been killed before this
                    fsync_directory(self.folder)
                    self._is_named = True
            finally:
                os.close(log)

    def check(self, noted: str | None = None) -> AuditReport:
        try:
            with (self.folder / AUDIT).open("rb") as log, translated():
                return check((line.removesuffix(b"\n") for line in log), noted)
        except FileNotFoundError:
            return check([], noted)

    def _write(self, log: int, entry: AuditEntry) -> None:
        size = os.fstat(log).st_size
        if size != self._size:
            size = self._find_last(log, size)
        line = line_of(entry, self._last)
        self._size = -1  # until all of it is there
        left = line + b"\n"
        while left:
            left = left[os.write(log, left) :]
        self._size, self._last = size + len(line) + 1, line_digest(line)

    def _find_last(self, log: int, size: int) -> int:
        """Learn what the last line is, which another process wrote; the size, after ending a line that was torn."""
        if size == 0:
            owner = self.folder.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:
                os.fchown(log, owner.st_uid, owner.st_gid)  # a command run by root: the server's user adds to it, too
            self._last = FIRST
            return 0
        tail = os.pread(log, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        if not tail.endswith(b"\n"):
            os.write(log, b"\n")
            tail += b"\n"
            size += 1
        self._last = line_digest(tail[:-1].rpartition(b"\n")[2])
        return size


@contextmanager
def _held(log: int) -> Iterator[None]:
    fcntl.flock(log, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(log, fcntl.LOCK_UN)
