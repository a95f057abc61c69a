"""A directory of this machine that a tree is restored into and compared in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ..domain.client.comparing import LocalEntry
from ..domain.errors import FolderUnusable, TargetNotEmpty
from ..domain.members import MemberType

_TYPES = {
    stat.S_IFREG: MemberType.FILE,
    stat.S_IFDIR: MemberType.DIRECTORY,
    stat.S_IFLNK: MemberType.SYMLINK,
    stat.S_IFCHR: MemberType.CHARACTER_DEVICE,
    stat.S_IFBLK: MemberType.BLOCK_DEVICE,
    stat.S_IFIFO: MemberType.FIFO,
}


@frozen
class LocalFolderTree:
    """`LocalTree` at *folder*."""

    folder: Path

    def prepare(self, *, may_hold_something: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not may_hold_something and any(self.folder.iterdir()):
                raise TargetNotEmpty(str(self.folder))
        except OSError as error:
            raise FolderUnusable(str(self.folder), error.strerror or str(error)) from error

    def entries(self, path: bytes = b"") -> Iterator[LocalEntry]:
        root = os.fsencode(self.folder)
        if path:
            try:
                found = os.lstat(_below(root, path))
            except FileNotFoundError:
                return
            yield _entry(_below(root, path), path, found)
            if not stat.S_ISDIR(found.st_mode):
                return
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(_below(root, folder)) as listed:
                    for one in listed:
                        name = folder + b"/" + one.name if folder else one.name
                        yield _entry(one.path, name, one.stat(follow_symlinks=False))
                        if one.is_dir(follow_symlinks=False):
                            waiting.append(name)
            except OSError as error:
                raise FolderUnusable(os.fsdecode(_below(root, folder)), error.strerror or str(error)) from error


def _below(root: bytes, path: bytes) -> bytes:
    return root + b"/" + path if path else root


def _entry(place: bytes, path: bytes, found: os.stat_result) -> LocalEntry:
    type = _TYPES.get(stat.S_IFMT(found.st_mode), MemberType.OTHER)
    link = os.readlink(place) if type is MemberType.SYMLINK else b""  # noqa: PTH115  # bytes
    return LocalEntry(path, type.value, found.st_size, found.st_mtime_ns, link, found.st_ino)
