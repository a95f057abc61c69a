"""
Storage for seek indexes: a folder of the data directory, or memory.

::

    DATA/seek/<first two digits>/<SHA-256 of the archive>
    DATA/seek/being-made

A file gets its name once it is whole; the next one overwrites what a crash left. Nothing is fsynced: checksums expose
what a power cut damaged, and it is made again; the folder may be deleted at any time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen

from ..process.os_errors import translated

_PART = "being-made"


@frozen
class SeekFolder:
    """`SeekIndexes` as files below *folder*, which need not exist. One index at a time is created."""

    folder: Path

    def open(self, sha256: str) -> BinaryIO | None:
        with translated():
            try:
                return self._path(sha256).open("rb")
            except FileNotFoundError:
                return None

    @contextmanager
    def create(self, sha256: str) -> Iterator[BinaryIO]:
        path = self._path(sha256)
        part = self.folder / _PART
        with translated(writing=True):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    yield file
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)

    def remove(self, sha256: str) -> None:
        with translated(writing=True):
            self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


@define(eq=False)
class MemorySeekIndexes:
    """`SeekIndexes` in memory. Tests may change *indexes*, as a failing disk would."""

    indexes: dict[str, bytes] = field(factory=dict)

    def open(self, sha256: str) -> BinaryIO | None:
        content = self.indexes.get(sha256)
        return None if content is None else io.BytesIO(content)

    @contextmanager
    def create(self, sha256: str) -> Iterator[BinaryIO]:
        with io.BytesIO() as file:
            yield file
            self.indexes[sha256] = file.getvalue()

    def remove(self, sha256: str) -> None:
        self.indexes.pop(sha256, None)
