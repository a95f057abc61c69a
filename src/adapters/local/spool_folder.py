"""
Dumps that wait to be sent, below ``SPOOL/PROFILE``: ``TYPE/NAME``, with NAME.snapshot and NAME.json beside it.

The description is written last. A dump without one was not finished and is removed.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from attrs import define, field

from ...domain.archives.archive import Lineage
from ...domain.client.ports.local_archives import LocalArchive
from ...domain.client.ports.spool import Spooled
from ...domain.errors.client import FolderUnusable, PrivateFolder
from ...domain.identity.archive_id import ArchiveId, BackupType
from .archive_folder import described
from .landing_folder import told_as_errors
from .own_folder import check_own_folder
from .plain_file import open_plain, write_whole

_SNAPSHOT, _DESCRIPTION = ".snapshot", ".json"


@define(eq=False)
class SpoolFolder:
    """`Spool` of *profile* below *path*, locked by this process until it is closed."""

    path: Path
    profile: str
    _lock: io.FileIO = field(init=False)

    @_lock.default
    def _locked(self) -> io.FileIO:
        with told_as_errors(self.path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_own_folder(self._folder, purpose=PrivateFolder.SPOOL)
            lock = open_plain(self._folder / "lock", os.O_WRONLY | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise FolderUnusable(str(self._folder), "another backup of this profile is using it") from error
        return lock

    @property
    def _folder(self) -> Path:
        return self.path / self.profile

    def waiting(self) -> list[Spooled]:
        found = []
        with told_as_errors(self._folder):
            for type in BackupType:
                folder = self._folder / type.value
                names = {file.name for file in folder.glob("*")} if folder.is_dir() else set()
                whole = {name for name in names if {name + _SNAPSHOT, name + _DESCRIPTION} <= names}
                for name in names - {name + suffix for name in whole for suffix in ("", _SNAPSHOT, _DESCRIPTION)}:
                    (folder / name).unlink()
                found += [self._read(folder / name, type) for name in whole]
        return sorted(found, key=lambda dump: dump.archive.modified_ns)

    def _read(self, file: Path, type: BackupType) -> Spooled:
        try:
            told = json.loads(_content(file.with_name(file.name + _DESCRIPTION)))
            parent = (BackupType(told["parent"][0]), told["parent"][1]) if told["parent"] else None
            lineage = Lineage(parent, told["snapshot_before"], told["snapshot_after"])
            notes = tuple(told.get("notes", ()))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise FolderUnusable(f"{file}{_DESCRIPTION}", "it cannot be read; remove it with its archive") from error
        snapshot = _content(file.with_name(file.name + _SNAPSHOT))
        return Spooled(ArchiveId(self.profile, type, file.name), described(file, type), lineage, snapshot, notes)

    def write(self, id: ArchiveId, blocks: Iterable[bytes]) -> LocalArchive:
        file = self._folder / id.type.value / id.name
        with told_as_errors(file):
            file.parent.mkdir(mode=0o700, exist_ok=True)
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with io.FileIO(number, "w") as opened:
                for block in blocks:
                    _write(opened, block, file)
                with told_as_errors(file):
                    os.fsync(opened.fileno())
            return described(file, id.type)
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def describe(self, dump: Spooled) -> None:
        file = Path(dump.archive.path)
        lineage = dump.lineage
        told = {
            "parent": [lineage.parent[0].value, lineage.parent[1]] if lineage.parent is not None else None,
            "snapshot_before": lineage.snapshot_before,
            "snapshot_after": lineage.snapshot_after,
            "notes": list(dump.notes),
        }
        with told_as_errors(file):
            _put(file.with_name(file.name + _SNAPSHOT), dump.snapshot)
            partly = file.with_name(file.name + _DESCRIPTION + ".part")
            _put(partly, json.dumps(told).encode())
            partly.rename(file.with_name(file.name + _DESCRIPTION))

    def remove(self, dump: Spooled) -> None:
        file = Path(dump.archive.path)
        with told_as_errors(file):
            for suffix in (_DESCRIPTION, _SNAPSHOT, ""):
                file.with_name(file.name + suffix).unlink(missing_ok=True)

    def __enter__(self) -> SpoolFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()


def _content(file: Path) -> bytes:
    with open_plain(file, os.O_RDONLY) as opened:
        return opened.readall()


def _put(file: Path, content: bytes) -> None:
    with open_plain(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
        _write(opened, content, file)


def _write(opened: io.FileIO, block: bytes, file: Path) -> None:
    with told_as_errors(file):
        write_whole(opened, block)
