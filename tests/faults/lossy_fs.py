"""
`Medium` as a file system: ``python -m tests.faults.lossy_fs MOUNT_POINT``, which answers commands on standard input.

A command is a line of JSON, and so is its answer. The end of standard input unmounts, so that the file system is gone
when its parent process is, whatever happens.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from stat import S_IFDIR, S_IFREG
from typing import Any

import mfusepy

from tests.faults.lossy_medium import Directory, Fault, File, Medium, failed


class LossyFileSystem(mfusepy.Operations):  # type: ignore[misc]
    """Calls of the kernel, one at a time. A handle is the number of a file that was opened."""

    use_ns = True

    def __init__(self, medium: Medium, lock: threading.Lock) -> None:
        self.medium = medium
        self._turn = lock
        self.opened: dict[int, File] = {}

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, int]:
        with self._turn:
            self.medium.looking()
            found = self._file(path, fh) if fh is not None else self.medium.find(path or "/")
            size = len(found.content) if isinstance(found, File) else 4096
            times = dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), found.changed_ns)
            return {
                "st_ino": found.number,
                "st_mode": found.mode,
                "st_nlink": found.links,
                "st_size": size,
                "st_blocks": (size + 511) // 512,
                **times,
            }

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        with self._turn:
            self.medium.looking()
            found = self.medium.find(path)
            assert isinstance(found, Directory)
            all_names = {".": found, "..": found, **found.names}
            return iter([(name, {"st_ino": it.number, "st_mode": it.mode}, 0) for name, it in all_names.items()])

    def open(self, path: str, flags: int) -> int:
        with self._turn:
            self.medium.looking()
            found = self.medium.find(path)
            assert isinstance(found, File)
            return self._open(found)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        with self._turn:
            self.medium.changing("create", path)
            file = File(self.medium.new_number(), S_IFREG | (mode & 0o7777))
            self.medium.put(path, file)
            return self._open(file)

    def read(self, path: str | None, size: int, offset: int, fh: int) -> bytes:
        with self._turn:
            self.medium.looking()
            return bytes(self._file(path, fh).content[offset : offset + size])

    def write(self, path: str | None, data: bytes, offset: int, fh: int) -> int:
        with self._turn:
            self.medium.changing("write", path or "")
            self._file(path, fh).change(offset, bytes(data))
            return len(data)

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> None:
        with self._turn:
            self.medium.changing("truncate", path or "")
            self._file(path, fh).change(length, None)

    def fsync(self, path: str | None, datasync: int, fh: int) -> None:
        with self._turn:
            self.medium.changing("fsync", path or "")
            self._file(path, fh).sync()

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        with self._turn:
            self.medium.changing("fsyncdir", path)
            self.medium.find(path).sync()

    def release(self, path: str | None, fh: int) -> None:
        with self._turn:
            self.opened.pop(fh, None)

    def mkdir(self, path: str, mode: int) -> None:
        with self._turn:
            self.medium.changing("mkdir", path)
            self.medium.put(path, Directory(self.medium.new_number(), S_IFDIR | (mode & 0o7777)))

    def link(self, target: str, source: str) -> None:
        with self._turn:
            self.medium.changing("link", target)
            self.medium.put(target, self.medium.find(source))

    def unlink(self, path: str) -> None:
        with self._turn:
            self.medium.changing("unlink", path)
            self.medium.take(path)

    def rmdir(self, path: str) -> None:
        with self._turn:
            self.medium.changing("rmdir", path)
            found = self.medium.find(path)
            if isinstance(found, Directory) and found.names:
                raise failed(errno.ENOTEMPTY)
            self.medium.take(path)

    def rename(self, old: str, new: str) -> None:
        with self._turn:
            self.medium.changing("rename", new)
            self.medium.rename(old, new)

    def chmod(self, path: str, mode: int) -> None:
        with self._turn:
            self.medium.changing("chmod", path)
            found = self.medium.find(path)
            found.mode = (found.mode & ~0o7777) | (mode & 0o7777)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        with self._turn:
            self.medium.changing("utimens", path)

    def statfs(self, path: str) -> dict[str, int]:
        blocks = 1 << 22
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": blocks, "f_bfree": blocks, "f_bavail": blocks}

    def _open(self, file: File) -> int:
        handle = self.medium.new_number()
        self.opened[handle] = file
        return handle

    def _file(self, path: str | None, fh: int | None) -> File:
        found = self.opened.get(fh) if fh is not None else self.medium.find(path or "/")
        if not isinstance(found, File):
            raise failed(errno.EIO)
        return found


def obey(medium: Medium, lock: threading.Lock, mount_point: str) -> None:
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        with lock:
            match command:
                case {"do": "cut", "after": after}:
                    medium.changes_left = after
                case {"do": "restore", "seed": seed}:
                    medium.restore(seed)
                case {"do": "fail", "call": call, "pattern": pattern, "which": which, "code": code}:
                    medium.fault = Fault(call, pattern, which, code)
                    medium.has_fired = False
                case {"do": "clear"}:
                    medium.fault = None
            print(json.dumps({"off": medium.is_off, "fired": medium.has_fired}), flush=True)
    subprocess.run(["umount", "-l", mount_point], check=False)


def main() -> None:
    medium, lock = Medium(), threading.Lock()
    mount_point = sys.argv[1]
    threading.Thread(target=obey, args=(medium, lock, mount_point), daemon=True).start()
    mfusepy.FUSE(
        LossyFileSystem(medium, lock),
        mount_point,
        foreground=True,
        nothreads=True,
        fsname="lossy",
        use_ino=True,
        hard_remove=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )


if __name__ == "__main__":
    main()
