"""The bytes of one file out of a tar that is being received, by the standard library's tarfile."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from functools import partial
from typing import cast

from ...domain.client.backup.check_dump import StoredFile
from ...domain.errors.content import NotATar
from ...domain.errors.settings import NotARegularFile, UsageError
from ...domain.text.paths import path_text

_BLOCK_BYTES = 1 << 20


def file_in(blocks: Iterable[bytes], path: bytes) -> Iterator[bytes]:
    """
    The bytes of the file *path* in the tar of *blocks*, which holds only that file and the folders above it.

    Raises:
        NotARegularFile: *path* is not a file.
        UsageError: the tar does not have *path*.
        NotATar: the tar cannot be read.
    """
    try:
        stream = cast(io.BufferedReader, _Reader(blocks))
        with tarfile.open(
            fileobj=stream, mode="r|", bufsize=_BLOCK_BYTES, errors="surrogateescape", encoding="utf-8"
        ) as tar:
            for member in tar:
                name = member.name.encode(errors="surrogateescape").rstrip(b"/").removeprefix(b"./")
                if name != path:
                    continue
                file = tar.extractfile(member) if member.isreg() else None
                if file is None:
                    kind = "a folder" if member.isdir() else "a link" if member.issym() or member.islnk() else "no file"
                    raise NotARegularFile(path_text(path), f"is {kind}")
                while block := file.read(_BLOCK_BYTES):
                    yield block
                return
    except tarfile.TarError as error:
        raise NotATar(0, str(error)) from error
    raise UsageError(path_text(path), "is not in what the server sends")


def files_in(blocks: Iterable[bytes]) -> Iterator[StoredFile]:
    """
    Each file in the tar of *blocks*, the bytes of which must be read before the next one is taken.

    Raises:
        NotATar: the tar cannot be read.
    """
    try:
        stream = cast(io.BufferedReader, _Reader(blocks))
        with tarfile.open(
            fileobj=stream, mode="r|", bufsize=_BLOCK_BYTES, errors="surrogateescape", encoding="utf-8"
        ) as tar:
            for member in tar:
                path = _path(member.name)
                file = tar.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield StoredFile(path, iter(partial(file.read, _BLOCK_BYTES), b""))
                elif member.islnk():
                    yield StoredFile(path, iter(()), _path(member.linkname))
                elif not member.isdir():
                    yield StoredFile(path, iter(()))
    except tarfile.TarError as error:
        raise NotATar(0, str(error)) from error


def _path(name: str) -> bytes:
    return name.encode(errors="surrogateescape").removeprefix(b"./")


class _Reader:
    """*blocks* as a stream with the one method that tarfile needs."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = b""

    def read(self, size: int) -> bytes:
        while len(self._held) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._held += block
        taken, self._held = self._held[:size], self._held[size:]
        return taken
