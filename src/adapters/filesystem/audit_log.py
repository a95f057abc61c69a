"""
The audit log in ``audit.log`` of the data directory, written by the server and by the commands run on its host.

::

    DATA/audit.log    lines as in `domain.audit`
    DATA/audit.key    the key they are sealed with, 64 hex digits, mode 0600; may be elsewhere

The rule: the log is opened for appending only. A writer holds its lock, so that each line is chained to the one that
really precedes it, and returns once the line is on the disk. A key is made only if there is no key yet, together with
the line at which an older log starts using it: if someone removed the seals, the next line must not repair that.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path

from attrs import define, field

from ...domain.access.audit import (
    AuditEntry,
    AuditReport,
    check,
    entry_of,
    goes_on_with,
    key_entry,
    line_of,
    told_about,
    told_as,
    told_before,
)
from ...domain.access.chain import FIRST, line_digest
from ..process.os_errors import translated
from ..process.shared_syncs import SharedSyncs
from .chained.audit_key import AuditKeyFile
from .chained.lines import end_torn_line, last_line, locked, write_line
from .data_directory import AUDIT, AUDIT_KEY
from .durable_file import fsync_directory, give_to_owner, set_aside

_PLACES = 1000  # of lines that were given last, some 150 bytes each


@define(eq=False)
class FileAuditLog:
    """`AuditLog` in the data directory *folder*, with its key in *key_file*, by default ``audit.key`` there."""

    folder: Path
    key_file: Path = field()
    _key: bytes | None = field(default=None, init=False, repr=False)
    _size: int = field(default=-1, init=False)  # the file's size when it ends with the line in `_last`
    _last: str = field(default=FIRST, init=False)
    _is_named: bool = field(default=False, init=False)  # the name is durable: the file may be new
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _places: dict[str, int] = field(factory=dict, init=False)  # where lines begin, by their digests
    _syncs: SharedSyncs = field(factory=SharedSyncs, init=False)

    @key_file.default
    def _beside_the_log(self) -> Path:
        return self.folder / AUDIT_KEY

    def begin(self, at: datetime) -> None:
        """
        Make the key if it is missing, dated *at*.

        Raises:
            BackendUnavailable, ReadOnly, InsufficientStorage: the key cannot be read or made.
        """
        with self._opened() as log, self._lock, locked(log):
            self._key_for(log, at)

    def append(self, entry: AuditEntry) -> None:
        with self._opened() as log:
            with self._lock, locked(log):
                self._write(log, entry, self._key_for(log, entry.at))
            self._syncs.sync(AUDIT, partial(os.fdatasync, log))
            if not self._is_named:  # even if the file exists: the process that made it may have died before this
                fsync_directory(self.folder)
                self._is_named = True

    def check(self, noted: str | None = None) -> AuditReport:
        key = AuditKeyFile(self.key_file, self.folder).read()
        try:
            with (self.folder / AUDIT).open("rb") as log, translated():
                return check((line.removesuffix(b"\n") for line in log), noted, key)
        except FileNotFoundError:
            return check([], noted, key)

    def has(self, result: str) -> bool:
        with self._mapped() as lines:
            return lines is not None and lines.rfind(told_as(result)) >= 0

    def newest(self, what: str, beginnings: tuple[str, ...]) -> AuditEntry | None:
        wanted = told_about(what)
        with self._mapped() as lines:
            end = 0 if lines is None else len(lines)
            while lines is not None and (at := lines.rfind(wanted, 0, end)) >= 0:
                start, stop = lines.rfind(b"\n", 0, at) + 1, lines.find(b"\n", at)
                entry = entry_of(lines[start : stop if stop >= 0 else len(lines)])
                if entry is not None and entry.result.startswith(beginnings):
                    return entry
                end = start
        return None

    def newest_first(
        self, below: str | None = None, containing: bytes = b"", *, most_bytes: int | None = None
    ) -> Iterator[bytes]:
        with self._mapped() as lines:
            if lines is None:
                return
            given: deque[tuple[int, int]] = deque(maxlen=2)
            try:
                for place in _newest_first(lines, self._end_before(lines, below), containing, most_bytes):
                    given.append(place)
                    yield lines[slice(*place)]
            finally:  # whoever goes on below the last line that was wanted finds it at once
                if len(self._places) >= _PLACES:
                    self._places.clear()
                self._places |= {line_digest(lines[start:stop]): start for start, stop in given}

    def _end_before(self, lines: mmap, below: str | None) -> int:
        """Where the lines before the one with the digest *below* end: at the end without it, at 0 if no line has it."""
        if below is None:
            return len(lines)
        place = self._places.get(below)
        if place is None or line_digest(lines[place : lines.find(b"\n", place)]) != below:
            place = self._places[below] = _end_before(lines, below)
        return place

    @property
    def is_there(self) -> bool:
        """Whether there is a log with lines."""
        with translated(), suppress(FileNotFoundError):
            return (self.folder / AUDIT).stat().st_size > 0
        return False

    def give_away(self, take: Callable[[Iterable[bytes]], bool]) -> bool:
        """
        Let *take* keep the lines elsewhere; if it did, the file has another name then. Whether there is none left.

        If a crash cuts it off, *take* gets the same lines again.
        """
        if not self.is_there:
            return True
        with self._opened() as log, self._lock, locked(log), (self.folder / AUDIT).open("rb") as lines:
            if not take(line.removesuffix(b"\n") for line in lines):
                return False
            set_aside(self.folder / AUDIT)
        return True

    @contextmanager
    def _mapped(self) -> Iterator[mmap | None]:
        """The whole log; None if there is none, or it is empty."""
        with ExitStack() as opened, translated():
            lines = None
            with suppress(FileNotFoundError):
                log = opened.enter_context((self.folder / AUDIT).open("rb"))
                if os.fstat(log.fileno()).st_size:
                    lines = opened.enter_context(mmap(log.fileno(), 0, access=ACCESS_READ))
            yield lines

    @contextmanager
    def _opened(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with translated(writing=True):
            log = os.open(self.folder / AUDIT, flags, 0o600)
            try:
                yield log
            finally:
                os.close(log)

    def _key_for(self, log: int, at: datetime) -> bytes:
        if self._key is None:
            file = AuditKeyFile(self.key_file, self.folder)
            key = file.read() or file.make(partial(self._announce, log, at))
            file.check_access()
            self._key = key
        return self._key

    def _announce(self, log: int, at: datetime, key: bytes) -> None:
        if os.fstat(log).st_size and not goes_on_with(last_line(log), key):
            self._write(log, key_entry(key, at), key)
            os.fdatasync(log)

    def _write(self, log: int, entry: AuditEntry, key: bytes) -> None:
        size = os.fstat(log).st_size
        if size != self._size:
            size = self._find_last(log, size)
        line = line_of(entry, self._last, key)
        self._size = -1  # until the whole line is written
        write_line(log, line)
        self._size, self._last = size + len(line) + 1, line_digest(line)

    def _find_last(self, log: int, size: int) -> int:
        """Read the last line, which another process wrote, after ending a torn one; return the size of the log."""
        if size == 0:
            give_to_owner(log, self.folder)  # after a command run as root, the server's user must still append to it
            self._last = FIRST
            return 0
        size = end_torn_line(log, size)
        self._last = line_digest(last_line(log))
        return size


def _newest_first(lines: mmap, end: int, containing: bytes, most_bytes: int | None) -> Iterator[tuple[int, int]]:
    """Where each line of `FileAuditLog.newest_first` begins and ends."""
    first = 0 if most_bytes is None else max(end - most_bytes, 0)
    while (at := lines.rfind(containing or b"\n", first, end)) >= 0:
        start, stop = lines.rfind(b"\n", 0, at) + 1, lines.find(b"\n", at)
        if stop >= 0:  # else it is being written, or torn: the next one that is added ends it
            yield start, stop
        end = start
    if not first:
        return
    stop = lines.find(b"\n", first)
    end = min(end, (stop if stop >= 0 else lines.rfind(b"\n", 0, first)) + 1)
    while end > 0:  # line by line, up to the first that is not looked for
        start = lines.rfind(b"\n", 0, end - 1) + 1
        yield start, end - 1
        if containing not in lines[start : end - 1]:
            return
        end = start


def _end_before(lines: mmap, below: str) -> int:
    """Where the lines before the one with the digest *below* end; 0 if no line has it."""
    following = lines.rfind(told_before(below))
    end = len(lines) if following < 0 else lines.rfind(b"\n", 0, following) + 1
    while end > 0:  # once round, unless the line is the newest, or is followed by a torn one
        start = lines.rfind(b"\n", 0, end - 1) + 1
        if line_digest(lines[start : end - 1]) == below:
            return start
        end = start
    return 0
