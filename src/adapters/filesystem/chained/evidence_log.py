"""
The evidence in the folder ``evidence`` of the data directory, written by the process that owns the directory.

::

    DATA/evidence/2026-11.jsonl    the lines of a month, as in `domain.evidence`; mode 0600

The rule: files are opened for appending only, and a line is on the disk before its writer goes on. The first line of a
month is chained to the last one before it, whatever month that is in. Others may read at any time.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ....domain.access.chain import FIRST, line_digest
from ....domain.evidence.entry import EvidenceEntry, check_month, line_of, month_of
from ...process.os_errors import translated
from ..data_directory import EVIDENCE
from ..durable_file import fsync_directory, give_to_owner, set_aside
from .lines import end_torn_line, last_line, locked, write_line

_FILE = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))\.jsonl")


@define(eq=False)
class FileEvidenceLog:
    """`EvidenceLog` in the data directory *data*; its folder is made with the first line."""

    data: Path
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def folder(self) -> Path:
        return self.data / EVIDENCE

    def append(self, entry: EvidenceEntry) -> None:
        with self._lock, translated(writing=True):
            self._make_folder()
            months = self.months()
            month = max([month_of(entry.at), *months[-1:]])
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            log = os.open(self._file(month), flags, 0o600)
            try:
                with locked(log):
                    size = end_torn_line(log, os.fstat(log).st_size)
                    if size == 0:
                        give_to_owner(log, self.data)
                    before = line_digest(last_line(log)) if size else self._before(months)
                    write_line(log, line_of(entry, before))
                    os.fsync(log)
            finally:
                os.close(log)
            if month not in months:
                fsync_directory(self.folder)

    def months(self) -> list[str]:
        with translated():
            try:
                found = [(match[1], one) for one in self.folder.iterdir() if (match := _FILE.fullmatch(one.name))]
            except FileNotFoundError:
                return []
            return sorted(month for month, file in found if file.stat().st_size)

    def read(self, month: str) -> Iterator[bytes]:
        check_month(month)
        with translated():
            try:
                file = self._file(month).open("rb")
            except FileNotFoundError:
                return
            with file:
                with locked(file.fileno(), for_reading=True):  # not in the middle of a line that is being written
                    left = os.fstat(file.fileno()).st_size
                for line in file:
                    left -= len(line)
                    if left < 0:
                        return
                    yield line.removesuffix(b"\n")

    def give_away(self, take: Callable[[Iterable[tuple[str, Iterable[bytes]]]], bool]) -> bool:
        """
        Let *take* keep the lines of each month elsewhere; if it did, the folder has another name then. Whether there
        is none left.

        If a crash cuts it off, *take* gets the same lines again.
        """
        with self._lock, translated(writing=True):
            months = self.months()
            if months:
                if not take((month, self.read(month)) for month in months):
                    return False
                set_aside(self.folder)
        return True

    def _file(self, month: str) -> Path:
        return self.folder / f"{month}.jsonl"

    def _make_folder(self) -> None:
        if self.folder.is_dir():
            return
        with suppress(FileExistsError):
            self.folder.mkdir(0o700)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            give_to_owner(descriptor, self.data)
        finally:
            os.close(descriptor)
        fsync_directory(self.data)

    def _before(self, months: list[str]) -> str:
        """The digest of the newest line of all, of *months* that have some."""
        if not months:
            return FIRST
        with self._file(months[-1]).open("rb") as file:
            return line_digest(last_line(file.fileno()))
