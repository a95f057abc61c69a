"""How much is drawn at random: all of it, or with ``FAULTS=half``, as in CI, half."""

from __future__ import annotations

import os


def drawn(number: int) -> int:
    """*number*, or half of it."""
    return number // 2 if os.environ.get("FAULTS") == "half" else number
