"""
What the client remembers between runs: digests of files, and where unfinished uploads were begun; in one SQLite file.

All of it can be lost at any time and costs work only. So nothing here ever fails: a file that cannot be read or written
is as good as an empty one, and so is none at all.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ..domain.client.ports import LocalArchive

_FRESH_NS = 2_000_000_000
# No commit waits for the disk: what a power cut takes is computed again.
_TABLES = """
PRAGMA synchronous=OFF;
CREATE TABLE IF NOT EXISTS digest (file TEXT PRIMARY KEY, version TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS upload (key TEXT PRIMARY KEY, address TEXT NOT NULL);
"""


@define(eq=False)
class ClientMemory:
    """`DigestCache` and, as *notes*, `UploadNotes` in the file *path*, None for nowhere; close it."""

    path: Path | None
    now_ns: Callable[[], int] = time.time_ns
    notes: _Notes = field(init=False)
    _database: sqlite3.Connection | None = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @notes.default
    def _its_notes(self) -> _Notes:
        return _Notes(self)

    @_database.default
    def _opened(self) -> sqlite3.Connection | None:
        if self.path is None:
            return None
        for _ in range(2):
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                database = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
            except (OSError, sqlite3.Error):
                return None
            try:
                database.executescript(_TABLES)
            except sqlite3.OperationalError:
                database.close()
                return None
            except sqlite3.DatabaseError:  # not a database any more: begin anew
                database.close()
                with suppress(OSError):
                    self.path.unlink()
                continue
            return database
        return None

    def get(self, archive: LocalArchive) -> str | None:
        return self.value("SELECT sha256 FROM digest WHERE file=? AND version=?", archive.path, _version(archive))

    def put(self, archive: LocalArchive, sha256: str) -> None:
        # A file that was just modified may be modified again within the same tick of its clock, and look the same.
        if self.now_ns() - archive.modified_ns > _FRESH_NS:
            self.value("INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", archive.path, _version(archive), sha256)

    def forget(self, archives: Iterable[LocalArchive]) -> None:
        """Forget the digests of *archives*, whatever version they are of."""
        for archive in archives:
            self.value("DELETE FROM digest WHERE file=?", archive.path)

    def value(self, statement: str, *values: str) -> str | None:
        """The first column of the first row, None where there is none or the file is of no use."""
        rows = self.rows(statement, *values)
        return str(rows[0][0]) if rows else None

    def rows(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        """All rows, none where the file is of no use."""
        with self._lock:
            if self._database is None:
                return []
            try:
                return self._database.execute(statement, values).fetchall()
            except sqlite3.Error:
                return []

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()


@define(eq=False)
class _Notes:
    _memory: ClientMemory

    def get(self, key: str) -> str | None:
        return self._memory.value("SELECT address FROM upload WHERE key=?", key)

    def put(self, key: str, upload: str | None) -> None:
        if upload is None:
            self._memory.value("DELETE FROM upload WHERE key=?", key)
        else:
            self._memory.value("INSERT OR REPLACE INTO upload VALUES (?, ?)", key, upload)

    def all(self) -> list[tuple[str, str]]:
        return [(str(key), str(address)) for key, address in self._memory.rows("SELECT key, address FROM upload")]


def _version(archive: LocalArchive) -> str:
    return f"{archive.size_bytes} {archive.modified_ns} {archive.inode}"
