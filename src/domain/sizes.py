"""Numbers of bytes as people read them."""

from __future__ import annotations


def human_size(size_bytes: int) -> str:
    """*size_bytes* for people, 1024-based with one decimal: ``12.0 KB``."""
    size = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PB"
