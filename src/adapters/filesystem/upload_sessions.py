"""
The state of resumable uploads, as one small journal per upload beside the bytes in staging.

::

    DATA/staging/<id>.upload      lines of JSON, a tab, and the CRC-32 in hex of the JSON of this line and those before:
                                  the first has the whole state, each further one the changes since

A line counts if it is whole and all lines before it count, so a crash in the middle of appending leaves the previous
state, and so does a flipped bit. Offsets move every few megabytes, and appending a line with ``fdatasync`` is the
cheapest way to make that durable. In a journal of an earlier version the first lines have no CRC-32.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ...domain.ports.uploads import nothing
from ...domain.upload_record import decoded, encoded
from ...domain.uploads import Upload
from ..memory.upload_sessions import MemoryUploadSessions
from ..process.os_errors import translated
from .durable_file import fsync_directory

_SUFFIX = ".upload"
_LOG = logging.getLogger("tarkeep.uploads")


@define(eq=False)
class FilesystemUploadSessions(MemoryUploadSessions):
    """`UploadSessions` in the folder *folder*, read once when opened and held in memory from then on."""

    _folder: Path
    _sums: dict[str, int] = field(factory=dict, init=False)  # over the lines of each journal that count

    @classmethod
    def open(cls, folder: Path) -> FilesystemUploadSessions:
        """
        The uploads recorded in *folder*.

        A journal without a whole line is removed, since its upload was never acknowledged; and so is one that cannot
        be understood, damaged or of a newer version, since its upload cannot be resumed. The log reports the latter.
        """
        sessions = cls(folder)
        with translated(writing=True):
            for path in sorted(folder.glob(f"*{_SUFFIX}")):
                content = path.read_bytes()
                told, crc32 = _replay(content)
                upload = _understood(told)
                if upload is not None and upload.id == path.stem:
                    sessions._know(upload)
                    sessions._sums[upload.id] = crc32
                    continue
                if content.strip() and content.endswith(b"\n"):  # otherwise it was torn
                    _LOG.warning("the journal of an upload is damaged, and is removed: %s", path)
                path.unlink()
        return sessions

    def save(self, upload: Upload, judge: Callable[[], None] = nothing) -> None:
        judge()  # its caller sees to it that nobody else in this process, which is the only one, adds to the profile
        with self._lock, translated(writing=True):
            before = self._uploads.get(upload.id)
            if before is None:
                try:
                    self._append(upload.id, encoded(upload), os.O_CREAT | os.O_EXCL)
                    fsync_directory(self._folder)
                except OSError:
                    with suppress(OSError):
                        self._path(upload.id).unlink()
                    raise
            else:
                old, new = encoded(before), encoded(upload)
                self._append(upload.id, {name: value for name, value in new.items() if old[name] != value}, 0)
            self._know(upload)

    def remove(self, id: str) -> None:
        with self._lock, translated(writing=True):
            self._sums.pop(id, None)
            if self._forget(id) is not None:
                self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / (id + _SUFFIX)

    def _append(self, id: str, changed: dict[str, object], flags: int) -> None:
        # start with a newline: it ends a line that was torn when the disk ran full
        told = json.dumps(changed).encode()
        crc32 = zlib.crc32(told, self._sums.get(id, 0))
        line = b"\n%b\t%08x\n" % (told, crc32)
        journal = os.open(self._path(id), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        try:
            length = os.fstat(journal).st_size
            try:
                while line:
                    line = line[os.write(journal, line) :]
                os.fdatasync(journal)
                self._sums[id] = crc32
            except OSError:
                # it was not saved, so the next process must not find it: an offset in it may be cut back meanwhile
                with suppress(OSError):
                    os.ftruncate(journal, length)
                raise
        finally:
            os.close(journal)


def _replay(content: bytes) -> tuple[dict[str, object], int]:
    """The state that the lines that count add up to, and their sum."""
    merged: dict[str, object] = {}
    crc32 = 0
    has_sums = False
    for line in content.split(b"\n"):
        told, tab, sum = line.partition(b"\t")
        found = zlib.crc32(told, crc32)
        if sum != b"%08x" % found if tab else has_sums:
            continue
        try:
            changed = json.loads(told)
        except ValueError:
            continue
        if isinstance(changed, dict):
            merged |= changed
            if tab:
                crc32, has_sums = found, True
    return merged, crc32


def _understood(told: dict[str, object]) -> Upload | None:
    try:
        return decoded(told)
    except ValueError:
        return None
