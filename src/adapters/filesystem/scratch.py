"""
Temporary files: in memory while they are short, then in staging without a name that a crash could leave behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

from attrs import define, field, frozen

from ...domain.ports.store import Block
from ..process.os_errors import translated

HELD_BYTES = 128 << 10
"""How much of a file is held in memory before it goes to the disk."""


@frozen
class ScratchFiles:
    """A `Scratch` in *folder*; without a folder, entirely in memory."""

    folder: Path | None

    def file(self) -> _ScratchFile:
        return _ScratchFile(self.folder)


@define(eq=False)
class _ScratchFile:
    _folder: Path | None
    _held: bytearray = field(factory=bytearray, init=False)
    _file: IO[bytes] | None = field(default=None, init=False)
    _written_bytes: int = field(default=0, init=False)

    @property
    def size_bytes(self) -> int:
        return self._written_bytes + len(self._held)

    def append(self, block: Block) -> None:
        self._held += block
        if len(self._held) >= HELD_BYTES and self._folder is not None:
            with translated(writing=True):
                self._write_out(self._folder)

    def read(self, start: int, size: int) -> bytes:
        if self._file is not None and start < self._written_bytes:
            with translated():
                found = os.pread(self._file.fileno(), min(size, self._written_bytes - start), start)
            if len(found) == size or not found:
                return found
            return found + self.read(start + len(found), size - len(found))
        begin = start - self._written_bytes
        return bytes(self._held[begin : begin + size])

    def __enter__(self) -> _ScratchFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held = bytearray()
        if self._file is not None:
            self._file.close()

    def _write_out(self, folder: Path) -> None:
        if self._file is None:
            self._file = TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115  # closed when the context is left
        rest = memoryview(self._held)
        while rest:
            count = self._file.write(rest) or 0
            self._written_bytes += count
            rest = rest[count:]
        self._held = bytearray()
