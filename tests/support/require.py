"""
Tests that depend on something of the machine: skipped if it is missing, failed if it was promised.

``REQUIRE=strace,tmpfs pytest`` turns a missing ``strace`` or ``tmpfs`` from a skip into a failure, so that a build that
should run such tests cannot lose them unnoticed.
"""

from __future__ import annotations

import os

import pytest


def require(name: str, available: bool, how: str) -> None:
    """
    Go on if *available*; otherwise skip the test, or fail it if the environment variable REQUIRE lists *name*.

    *how* tells a person what would make it available.
    """
    if available:
        return
    if name in {word.strip() for word in os.environ.get("REQUIRE", "").split(",")}:
        pytest.fail(f"{name} is required here and missing: {how}")
    pytest.skip(f"needs {name}: {how}")
