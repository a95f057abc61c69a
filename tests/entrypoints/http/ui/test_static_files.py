"""What pages load besides themselves: little, from here, and known to the byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

STATIC = Path(__file__).parents[4] / "src" / "entrypoints" / "http" / "ui" / "static"
HTMX_VERSION = "4.0.1"
HTMX_SHA256 = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""Of ``dist/htmx.min.js`` in the npm package ``htmx.org``; a new version is copied here with its licence."""


def test_htmx_is_the_released_file() -> None:
    content = (STATIC / "htmx.min.js").read_bytes()

    assert hashlib.sha256(content).hexdigest() == HTMX_SHA256
    assert f'version="{HTMX_VERSION}"'.encode() in content
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE.txt").read_text()


def test_elements_are_few_and_have_no_words() -> None:
    """Texts are in templates alone."""
    script = STATIC / "elements.js"

    assert len(script.read_bytes()) < 6000
    assert "innerHTML" not in script.read_text()
    assert "eval(" not in script.read_text()
