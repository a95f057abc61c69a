"""
The client's memory between runs: digests of files, where unfinished uploads were begun, and what checks of dumps found;
in one SQLite file.

All of it can be lost at any time and only saves work. So nothing here ever fails: a file that is missing or cannot be
read or written counts as empty.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import define, field

from ...domain.client.ports.local_archives import LocalArchive, version_of
from ...domain.client.ports.memory import CheckNote, UploadNote
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.tarkeep_error import TarkeepError
from ...domain.text.paths import path_text

_FRESH_NS = 2_000_000_000
_NOTED_DAYS = 30  # servers expire unfinished uploads sooner
# No commit waits for the disk: what a power cut loses is computed again.
_TABLES = """
PRAGMA synchronous=OFF;
CREATE TABLE IF NOT EXISTS digest (file TEXT PRIMARY KEY, version TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unfinished (
    address TEXT PRIMARY KEY, server TEXT NOT NULL, profile TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, version TEXT NOT NULL, sha256 TEXT,
    proven_size INTEGER NOT NULL, proven_sha256 TEXT NOT NULL, noted_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS checked (
    server TEXT NOT NULL, profile TEXT NOT NULL, label TEXT NOT NULL, checked_at INTEGER NOT NULL,
    missed INTEGER NOT NULL, PRIMARY KEY (server, profile)
);
DROP TABLE IF EXISTS upload;
"""


@define(eq=False)
class ClientMemory:
    """`DigestCache`, with *notes* (`UploadNotes`) and *checks* (`CheckNotes`), in the file *path*, None for no file."""

    path: Path | None
    now_ns: Callable[[], int] = time.time_ns
    patience_seconds: float = 10.0
    notes: _Notes = field(init=False)
    checks: _Checks = field(init=False)
    _database: sqlite3.Connection | None = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @notes.default
    def _its_notes(self) -> _Notes:
        return _Notes(self)

    @checks.default
    def _its_checks(self) -> _Checks:
        return _Checks(self)

    @_database.default
    def _opened(self) -> sqlite3.Connection | None:
        if self.path is None:
            return None
        for _ in range(2):
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                database = sqlite3.connect(
                    self.path, timeout=self.patience_seconds, isolation_level=None, check_same_thread=False
                )
            except (OSError, sqlite3.Error):
                return None
            try:
                database.executescript(_TABLES)
            except sqlite3.OperationalError:
                database.close()
                return None
            except sqlite3.DatabaseError:  # no longer a database: start with an empty one
                database.close()
                with suppress(OSError):
                    self.path.unlink()
                continue
            return database
        return None

    def get(self, archive: LocalArchive) -> str | None:
        rows = self.rows("SELECT sha256 FROM digest WHERE file=? AND version=?", _file(archive), version_of(archive))
        return str(rows[0][0]) if rows else None

    def put(self, archive: LocalArchive, sha256: str) -> None:
        if not self._is_fresh(archive):
            values = (_file(archive), version_of(archive), sha256)
            self.rows("INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", *values)

    def _is_fresh(self, archive: LocalArchive) -> bool:
        """
        Whether a digest of *archive* may be kept: a file just changed may change again within one tick of its clock.

        Times with fractions of a second make *changed_ns* tick every few milliseconds, too short to read a file and put
        another one with the same times in its place. A file just pulled has an old *modified_ns*.
        """
        latest = archive.modified_ns
        if archive.changed_ns % 1_000_000_000 == 0:
            latest = max(latest, archive.changed_ns)
        return self.now_ns() - latest <= _FRESH_NS

    def forget(self, archives: Iterable[LocalArchive]) -> None:
        """Forget the digests of *archives*, of any version."""
        for archive in archives:
            self.rows("DELETE FROM digest WHERE file=?", _file(archive))

    def rows(self, statement: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        """All rows; empty if the file is unusable."""
        with self._lock:
            if self._database is None:
                return []
            try:
                return self._database.execute(statement, values).fetchall()
            except sqlite3.Error:
                # a process that holds it for so long may do so for good: wait only once
                self._database.close()
                self._database = None
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

    def of(self, server: str, id: ArchiveId, size_bytes: int) -> list[UploadNote]:
        return [note for note in self.all(server) if note.id == id and note.size_bytes == size_bytes]

    def put(self, note: UploadNote) -> None:
        now = self._memory.now_ns() // 1_000_000_000
        self._memory.rows("DELETE FROM unfinished WHERE noted_at < ?", now - _NOTED_DAYS * 86400)
        self._memory.rows(
            "INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            note.address,
            note.server,
            note.id.profile,
            note.id.type.value,
            note.id.name,
            note.size_bytes,
            note.version,
            note.sha256,
            note.proven_bytes,
            note.proven_sha256,
            now,
        )

    def drop(self, address: str) -> None:
        self._memory.rows("DELETE FROM unfinished WHERE address=?", address)

    def all(self, server: str) -> list[UploadNote]:
        found = self._memory.rows(
            "SELECT server, profile, type, name, size, address, version, sha256, proven_size, proven_sha256 "
            "FROM unfinished WHERE server=? ORDER BY proven_size",
            server,
        )
        notes = []
        for kept, profile, type, name, *rest in found:
            with suppress(ValueError, TarkeepError):  # a row that this program did not write
                notes.append(UploadNote(kept, ArchiveId(profile, BackupType(type), name), *rest))
        return notes


@define(eq=False)
class _Checks:
    _memory: ClientMemory

    def of(self, server: str, profile: str) -> CheckNote | None:
        found = self._memory.rows(
            "SELECT label, checked_at, missed FROM checked WHERE server=? AND profile=?", server, profile
        )
        for label, checked_at, missed in found:
            with suppress(TypeError, ValueError):  # a row that this program did not write
                return CheckNote(server, profile, str(label), int(checked_at), int(missed))
        return None

    def put(self, note: CheckNote) -> None:
        values = (note.server, note.profile, note.label, note.checked_at, note.missed)
        self._memory.rows("INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?, ?)", *values)


def _file(archive: LocalArchive) -> str:
    """The path of *archive* as text: a path may hold any bytes, text in a database may not."""
    return path_text(os.fsencode(archive.path))
