"""Damage to stored archives: bits flip, ends are lost, another thing takes the place. Stores keep files read-only."""

from __future__ import annotations

import os
from pathlib import Path


def flip(file: Path) -> None:
    """Flip a bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.chmod(0o600)
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Cut off the second half."""
    file.chmod(0o600)
    os.truncate(file, file.stat().st_size // 2)


def put_instead(path: Path, how: str) -> None:
    """Put at *path*, which must be free: a ``dead link``, ``loop``, empty ``file``, empty ``folder`` or ``pipe``."""
    match how:
        case "dead link":
            path.symlink_to(path.with_name("nowhere"))
        case "loop":
            path.symlink_to(path.name)
        case "file":
            path.touch()
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
