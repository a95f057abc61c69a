"""Directories for tests of dumps: written, copied, and compared to the nanosecond."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write(folder: Path, files: dict[str, bytes | None]) -> None:
    """Write *files* below *folder*: a path with its content, or with None to remove it."""
    for name, content in files.items():
        file = folder / name
        if content is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def described(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """
    Everything below *folder* and itself: path -> type, mode, mtime in ns, content or link target, and hard links.

    Hard links are identified by the first path of their group.
    """
    found: dict[bytes, tuple[object, ...]] = {}
    groups: dict[int, bytes] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        name = os.fsencode(path.relative_to(folder))
        status = path.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = path.readlink()
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        group = None if stat.S_ISDIR(status.st_mode) else groups.setdefault(status.st_ino, name)
        found[name] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_mtime_ns, content, group)
    return found
