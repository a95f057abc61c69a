"""
A kernel with a disk that forgets, within this process: thousands of power cuts in a minute.

The code under test is the real one, and so is every answer that it gets, from a real folder. The simulation is
between the two. While a `SimulatedKernel` runs, the functions of `os` that read or change files count, fail on
demand, and apply to a `Medium` what they do to the folder; files that `io` opens are those of `_pyio`, which call `os`
for everything. An fsync only reaches the medium. After a power cut the folder is made again from what the medium kept.

A call that bypasses these functions would be missing after the next power cut; `check_nothing_was_missed` reports it.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

from attrs import define, field

from tests.faults.lossy_medium import Directory, File, Medium, failed
from tests.support.assembled import Fuse

Place: TypeAlias = str | bytes | os.PathLike[str]

_MAKING = frozenset({"create", "mkdir", "link", "rename", "write", "pwrite", "ftruncate", "fsync", "fdatasync"})
_CHANGING = _MAKING | {"open-to-truncate", "unlink", "chmod", "fchmod"}
_NAMES = frozenset({"create", "mkdir", "link", "rename", "unlink", "chmod", "fchmod"})
_LOOKING = ("stat", "lstat", "pread", "read", "scandir", "statvfs")
_OPENING = frozenset({"create", "open", "open-to-truncate", "scandir"})

# The calls that can fail with each error; None is all of them.
FAILS: dict[int, frozenset[str] | None] = {
    errno.ENOSPC: _MAKING,
    errno.EDQUOT: _MAKING,
    errno.EROFS: _CHANGING,
    errno.EACCES: _NAMES,
    errno.EPERM: _NAMES,
    errno.EMFILE: _OPENING,
    errno.ENFILE: _OPENING,
    errno.ENOMEM: None,
    errno.EIO: None,
}


@define(eq=False)
class Failure:
    """The *which*-th call from now on that can fail with the error *code* does. *site* is the call and its path."""

    code: int
    which: int
    site: tuple[str, str] | None = None

    def at(self, call: str, place: str) -> None:
        fails = FAILS[self.code]
        if self.site is None and (fails is None or call in fails):
            self.which -= 1
            if self.which == 0:
                self.site = call, place
                raise failed(self.code)


@define(eq=False)
class SimulatedKernel:
    """
    A kernel over the folders that it makes in *space*, for one thread.

    Every call that changes something burns down *fuse*. A write takes at most *most_bytes*.
    """

    space: Path
    fuse: Fuse
    most_bytes: int = 1 << 20
    medium: Medium = field(factory=Medium)
    failure: Failure | None = None
    opened: dict[int, tuple[str, File | Directory]] = field(factory=dict)
    _boots: int = 0

    @property
    def folder(self) -> Path:
        """The current root of the file system."""
        return self.space / str(self._boots)

    def boot(self) -> None:
        """Make a new folder from the content of the medium."""
        self._boots += 1
        first_names: dict[int, Path] = {}
        _make(self.folder, self.medium.root, first_names)

    def cut_power(self, seed: int) -> None:
        """Drop what was not durable, as far as *seed* says. No process may be at work."""
        assert self.opened == {}, self.opened
        self.check_nothing_was_missed()
        self.medium.restore(seed)

    def check_nothing_was_missed(self) -> None:
        """Every change of the folder is in the medium."""
        assert _listed(self.folder) == _content(self.medium.root)

    def shorten(self, place: str, length: int) -> None:
        """Drop the bytes of a file beyond *length*, as a bad disk does."""
        file = self.medium.find(place)
        assert isinstance(file, File)
        del file.content[length:]
        file.durable[:] = file.content
        path = f"{self.folder}{place}"
        _CHMOD(path, 0o600)
        os.truncate(path, length)
        _CHMOD(path, file.mode & 0o7777)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Replace the functions of `os` by those of this kernel."""
        calls: dict[str, Callable[..., Any]] = {
            "open": self._open,
            "close": self._close,
            "write": self._write,
            "pwrite": self._pwrite,
            "ftruncate": self._ftruncate,
            "fsync": self._syncing("fsync"),
            "fdatasync": self._syncing("fdatasync"),
            "link": self._link,
            "unlink": self._unlink,
            "rename": self._rename,
            "mkdir": self._mkdir,
            "chmod": self._chmod,
            "fchmod": self._fchmod,
            **{name: self._looking(name) for name in _LOOKING},
        }
        with ExitStack() as replaced:
            for name, call in calls.items():
                replaced.enter_context(mock.patch.object(os, name, call))
            for name in ("open", "FileIO"):
                replaced.enter_context(mock.patch.object(io, name, getattr(_IN_PYTHON, name)))
            yield

    # -- calls that change something -------------------------------------------------------------------------------

    def _open(self, path: Place, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = self._place(path, dir_fd)
        if place is None:
            return _OPEN(path, flags, mode, dir_fd=dir_fd)
        is_new = flags & os.O_CREAT and not self._is_there(place)
        if is_new:
            self._change("create", place)
        elif flags & os.O_TRUNC:
            self._change("open-to-truncate", place)
        else:
            self._look("open", place)
        descriptor = _OPEN(path, flags, mode, dir_fd=dir_fd)
        if is_new:
            self.medium.put(place, File(self.medium.new_number(), mode))
        node = self.medium.find(place)
        if flags & os.O_TRUNC and isinstance(node, File):
            node.change(0, None)
        self.opened[descriptor] = place, node
        return descriptor

    def _close(self, descriptor: int) -> None:
        # not a step: a process that dies closes everything, too
        self.opened.pop(descriptor, None)
        _CLOSE(descriptor)

    def _write(self, descriptor: int, what: bytes) -> int:
        if descriptor not in self.opened:
            return _WRITE(descriptor, what)
        place, node = self.opened[descriptor]
        self._change("write", place)
        assert isinstance(node, File)
        written = _WRITE(descriptor, what[: self.most_bytes])
        where = os.lseek(descriptor, 0, os.SEEK_CUR) - written  # also if it is opened to append
        node.change(where, bytes(what[:written]))
        return written

    def _pwrite(self, descriptor: int, what: bytes, where: int) -> int:
        place, node = self.opened[descriptor]
        self._change("pwrite", place)
        assert isinstance(node, File)
        written = _PWRITE(descriptor, what, where)
        node.change(where, bytes(what[:written]))
        return written

    def _ftruncate(self, descriptor: int, length: int) -> None:
        place, node = self.opened[descriptor]
        self._change("ftruncate", place)
        assert isinstance(node, File)
        _FTRUNCATE(descriptor, length)
        node.change(length, None)

    def _syncing(self, call: str) -> Callable[[int], None]:
        def sync(descriptor: int) -> None:
            place, node = self.opened[descriptor]
            try:
                self._change(call, place)
            except OSError:
                if isinstance(node, File):
                    node.fail_to_sync()
                raise
            node.sync()

        return sync

    def _link(
        self,
        path: Place,
        new: Place,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        old, place = self._inside(path, src_dir_fd), self._inside(new, dst_dir_fd)
        self._change("link", place)
        _LINK(path, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
        self.medium.put(place, self.medium.find(old))

    def _unlink(self, path: Place, *, dir_fd: int | None = None) -> None:
        place = self._inside(path, dir_fd)
        self._change("unlink", place)
        _UNLINK(path, dir_fd=dir_fd)
        self.medium.take(place)

    def _rename(self, path: Place, new: Place, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        old, place = self._inside(path, src_dir_fd), self._inside(new, dst_dir_fd)
        self._change("rename", place)
        _RENAME(path, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self.medium.rename(old, place)

    def _mkdir(self, path: Place, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        place = self._inside(path, dir_fd)
        self._change("mkdir", place)
        _MKDIR(path, mode, dir_fd=dir_fd)
        self.medium.put(place, Directory(self.medium.new_number(), mode))

    def _chmod(self, path: Place, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        place = self._inside(path, dir_fd)
        self._change("chmod", place)
        _CHMOD(path, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        self.medium.find(place).mode = mode

    def _fchmod(self, descriptor: int, mode: int) -> None:
        place, node = self.opened[descriptor]
        self._change("fchmod", place)
        _FCHMOD(descriptor, mode)
        node.mode = mode

    # -- calls that change nothing ---------------------------------------------------------------------------------

    def _looking(self, call: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(os, call)

        def look(what: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> Any:
            place = self._place(what, dir_fd)
            if place is not None:
                self._look(call, place)
            return real(what, *arguments, **({} if dir_fd is None else {"dir_fd": dir_fd}), **options)

        return look

    # -- both ------------------------------------------------------------------------------------------------------

    def _change(self, call: str, place: str) -> None:
        self.fuse.step()
        self._look(call, place)

    def _look(self, call: str, place: str) -> None:
        if self.failure is not None:
            self.failure.at(call, place)

    def _place(self, what: Place | int, dir_fd: int | None = None) -> str | None:
        """The path of *what* on the medium, None if it is not on it."""
        if isinstance(what, int):
            return self.opened[what][0] if what in self.opened else None
        name = os.fsdecode(what)
        if dir_fd is not None:
            return f"{self.opened[dir_fd][0]}/{name}" if dir_fd in self.opened else None
        root = str(self.folder)
        return name.removeprefix(root) if name == root or name.startswith(root + "/") else None

    def _inside(self, what: Place, dir_fd: int | None) -> str:
        place = self._place(what, dir_fd)
        assert place is not None, f"{what!r} is changed, which is not on the medium"
        return place

    def _is_there(self, place: str) -> bool:
        directory, name = self.medium.place(place)
        return name in directory.names


_IN_PYTHON = importlib.import_module("_pyio")  # unknown to type checkers

# The real ones, even while a kernel runs.
_OPEN, _CLOSE, _WRITE, _PWRITE, _FTRUNCATE = os.open, os.close, os.write, os.pwrite, os.ftruncate
_LINK, _UNLINK, _RENAME, _MKDIR, _CHMOD, _FCHMOD = os.link, os.unlink, os.rename, os.mkdir, os.chmod, os.fchmod


def _make(path: Path, node: File | Directory, first_names: dict[int, Path]) -> None:
    if isinstance(node, Directory):
        path.mkdir()
        for name, below in node.names.items():
            _make(path / name, below, first_names)
    elif node.number in first_names:
        path.hardlink_to(first_names[node.number])
    else:
        path.write_bytes(node.content)
        path.chmod(node.mode & 0o7777)
        first_names[node.number] = path


def _content(directory: Directory) -> dict[str, Any]:
    return {
        name: _content(node) if isinstance(node, Directory) else bytes(node.content)
        for name, node in directory.names.items()
    }


def _listed(folder: Path) -> dict[str, Any]:
    return {path.name: _listed(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}
