"""The directory that is backed up: what GNU tar would take of it, and what each of that is now."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ...domain.client.ports.dumping import DumpSource
from ...domain.client.ports.live_tree import LiveEntry
from ...domain.errors.client import FolderUnusable
from ...domain.tar.members import MemberType
from ..gnu_tar.programs import GnuTar
from .local_tree import TYPES

_BLOCK_BYTES = 1 << 20


@frozen
class LiveFolder:
    """`LiveTree` by *tar*, which decides what a dump would have."""

    tar: GnuTar

    def now_ns(self) -> int:
        # the clock of the kernel's time stamps, which ticks every few milliseconds and is behind the others
        coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)
        return time.time_ns() if coarse is None else time.clock_gettime_ns(coarse)

    def entries(self, source: DumpSource) -> Iterator[LiveEntry]:
        for path in self.tar.selected(source):
            if (entry := self.entry(source, path)) is not None:
                yield entry

    def entry(self, source: DumpSource, path: bytes) -> LiveEntry | None:
        place = _place(source, path)
        try:
            found = place.lstat()
            link = os.fsencode(place.readlink()) if stat.S_ISLNK(found.st_mode) else b""
        except OSError:
            return None
        return LiveEntry(
            path,
            TYPES.get(stat.S_IFMT(found.st_mode), MemberType.OTHER).value,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            stat.S_IMODE(found.st_mode),
            link,
            (found.st_dev, found.st_ino),
        )

    def blocks(self, source: DumpSource, path: bytes) -> Iterator[bytes]:
        try:
            opened = os.open(_place(source, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(opened, "rb", buffering=0) as file:
                if not stat.S_ISREG(os.fstat(opened).st_mode):
                    raise FolderUnusable(os.fsdecode(path), "it is no file any more")
                while block := file.read(_BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise FolderUnusable(os.fsdecode(path), error.strerror or str(error)) from error


def _place(source: DumpSource, path: bytes) -> Path:
    return Path(source.directory).parent / os.fsdecode(path)
