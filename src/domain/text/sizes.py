"""Numbers of bytes as people read them."""

from __future__ import annotations

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def human_size(size_bytes: int) -> str:
    """*size_bytes* for people, 1024-based with one decimal: ``12.0 KB``."""
    unit = min(max(size_bytes.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size_bytes / (1 << 10 * unit):.1f} {_UNITS[unit]}"
