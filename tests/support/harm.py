"""Damage to stored archives: bits flip, and ends are lost. A store keeps its files read-only."""

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
