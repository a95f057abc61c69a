"""
A directory of this machine, into which a tree is restored and with which it is compared.

It is opened once; extraction goes to the directory that was opened, even if another one is put in its place meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, field

from ...domain.client.ports.local_tree import LocalEntry
from ...domain.errors.client import FolderUnusable, TargetNotEmpty
from ...domain.tar.members import MemberType

TYPES = {
    stat.S_IFREG: MemberType.FILE,
    stat.S_IFDIR: MemberType.DIRECTORY,
    stat.S_IFLNK: MemberType.SYMLINK,
    stat.S_IFCHR: MemberType.CHARACTER_DEVICE,
    stat.S_IFBLK: MemberType.BLOCK_DEVICE,
    stat.S_IFIFO: MemberType.FIFO,
}
"""What the server calls each type of file; any other is `MemberType.OTHER`."""

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # a missing name, or one below a file or a link


@define(eq=False)
class LocalFolderTree:
    """`LocalTree` at *folder*."""

    folder: Path
    _opened: int | None = field(default=None, init=False)
    _made: list[Path] = field(factory=list, init=False)

    def prepare(self, *, may_hold_something: bool) -> None:
        self.make()
        if not may_hold_something and self.names():
            raise TargetNotEmpty(str(self.folder))

    def make(self) -> None:
        if self._opened is not None:
            return
        with self._told():
            made = [folder for folder in (self.folder, *self.folder.parents) if not os.path.lexists(folder)]
            self.folder.mkdir(parents=True, exist_ok=True)
            self._made = made
            self._check_owner(self.folder.lstat())
            self._opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._check_owner(os.fstat(self._opened))

    def unmake(self) -> None:
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def _check_owner(self, found: os.stat_result) -> None:
        """In a folder where everybody may create files, only the user's own can be trusted."""
        above = self.folder.parent.stat()
        if (
            above.st_mode & stat.S_ISVTX
            and above.st_mode & stat.S_IWOTH
            and found.st_uid not in (os.geteuid(), above.st_uid)
        ):
            reason = f"it belongs to another user (uid {found.st_uid}) in a folder that everybody may write to"
            raise FolderUnusable(str(self.folder), f"{reason}; restore into a new directory")

    @property
    def identity(self) -> str:
        found = os.fstat(self._folder)
        return f"{found.st_dev}:{found.st_ino}"

    @property
    def place(self) -> str:
        place = f"/proc/self/fd/{self._folder}"
        return place if os.path.exists(place) else str(self.folder)  # noqa: PTH110  # a path of /proc, not a file

    @property
    def _folder(self) -> int:
        self.make()
        assert self._opened is not None
        return self._opened

    def names(self) -> list[bytes]:
        with self._told():
            return names_in(self._folder)

    def paths(self) -> Generator[bytes, None, None]:
        closed: list[tuple[bytes, int]] = []
        try:
            for path, _, _ in self._below(self._folder, b"", closed):
                yield path
        finally:
            for path, mode in reversed(closed):
                with suppress(OSError):
                    folder = opened_below(self._folder, path)
                    try:
                        os.fchmod(folder, mode)
                    finally:
                        os.close(folder)

    def links(self) -> Iterator[bytes]:
        for path, found, _ in self._below(self._folder, b""):
            if stat.S_ISLNK(found.st_mode):
                yield path

    def clear(self) -> None:
        with self._told():
            empty(self._folder)

    def entries(self, path: bytes = b"") -> Iterator[LocalEntry]:
        if path:
            above, _, name = path.rpartition(b"/")
            try:
                opened = opened_below(self._folder, above)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return
                raise self._unusable(above, error) from error
            try:
                found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                entry = _entry(path, found, opened)
            except FileNotFoundError:
                return
            finally:
                os.close(opened)
            yield entry
            if not stat.S_ISDIR(found.st_mode):
                return
        for inside, found, opened in self._below(self._folder, path):
            yield _entry(inside, found, opened)

    def _below(
        self, folder: int, path: bytes, closed: list[tuple[bytes, int]] | None = None
    ) -> Iterator[tuple[bytes, os.stat_result, int]]:
        """
        Every entry of *folder*, which is at *path*, with its status and the descriptor of its directory, which is valid
        until the next entry is taken; links are not followed.

        If *closed* is given, directories that their owner may not read are opened to the owner, and added to it with
        their modes.
        """
        waiting = [path]
        while waiting:
            at = waiting.pop()
            try:
                opened = opened_below(folder, at)
            except OSError as error:
                raise self._unusable(at, error) from error
            try:
                for name in names_in(opened):
                    inside = at + b"/" + name if at else name
                    try:
                        found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                    except OSError as error:
                        raise self._unusable(inside, error) from error
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append(inside)
                        if closed is not None and found.st_mode & 0o500 != 0o500:
                            with suppress(OSError):
                                os.chmod(name, 0o700, dir_fd=opened)  # relative to a descriptor
                                closed.append((inside, stat.S_IMODE(found.st_mode)))
                    yield inside, found, opened
            finally:
                os.close(opened)

    def _unusable(self, path: bytes, error: OSError) -> FolderUnusable:
        place = os.fsencode(self.folder) + (b"/" + path if path else b"")
        return FolderUnusable(os.fsdecode(place), error.strerror or str(error))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FolderUnusable(str(self.folder), error.strerror or str(error)) from error


def names_in(folder: int) -> list[bytes]:
    with os.scandir(folder) as listed:
        return [os.fsencode(entry.name) for entry in listed]


def opened_below(folder: int, path: bytes) -> int:
    """The directory at *path* below *folder*, reached without following links."""
    opened = os.dup(folder)
    for name in path.split(b"/") if path else ():
        try:
            inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened)
        finally:
            os.close(opened)
        opened = inside
    return opened


def empty(folder: int) -> None:
    """
    Remove everything in *folder*, following no link. Without recursion, since a tree may be deeper than the stack.

    A restored folder may deny write access even to its owner.
    """
    paths: list[list[bytes]] = [[]]
    while paths:
        path = paths[-1]
        opened = opened_below(folder, b"/".join(path))
        try:
            inside = [name for name in names_in(opened) if not _unlinked(name, opened)]
        finally:
            os.close(opened)
        if inside:
            paths += ([*path, name] for name in inside)
            continue
        paths.pop()
        if path:
            above = opened_below(folder, b"/".join(path[:-1]))
            try:
                os.rmdir(path[-1], dir_fd=above)
            finally:
                os.close(above)


def _unlinked(name: bytes, folder: int) -> bool:
    """Remove *name* unless it is a directory, which is opened to its owner; returns whether it was removed."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        with suppress(OSError):
            os.chmod(name, 0o700, dir_fd=folder)  # relative to a descriptor
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _entry(path: bytes, found: os.stat_result, folder: int) -> LocalEntry:
    """The entry at *path*, in *folder*, with the status *found*."""
    type = TYPES.get(stat.S_IFMT(found.st_mode), MemberType.OTHER)
    link = os.readlink(path.rpartition(b"/")[2], dir_fd=folder) if type is MemberType.SYMLINK else b""
    return LocalEntry(path, type.value, found.st_size, found.st_mtime_ns, link, found.st_ino)
