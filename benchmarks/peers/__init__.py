"""
Other servers that take a file over HTTP, set up as their own documentation says.

Each reports what is missing instead of failing. None of them flushes an upload to the disk before it answers, and only
the original computes a digest: they do less than Tarkeep for the same request.
"""

from __future__ import annotations

from pathlib import Path

from ..contestants import Contestant
from .nginx import Nginx
from .original import Original
from .rclone import Rclone
from .tus import Tus


def all_peers(work: Path) -> list[Contestant]:
    """Every peer, whether it can run or not; installations go below *work*."""
    return [Original(work / "original-venv"), Rclone(), Nginx(), Tus(work / "tus-server")]


__all__ = ["Nginx", "Original", "Rclone", "Tus", "all_peers"]
