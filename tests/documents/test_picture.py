"""The picture in the README shows the real output of `tarkeep points` for a broken chain."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.support.documents import ROOT, script, unlike

PICTURE = (ROOT / "docs" / "points.svg").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return script("make_points_picture")


def test_the_picture_says_what_is_printed(maker: ModuleType, tmp_path: Path) -> None:
    """Line for line, ages and sizes aside. After a change, run: python scripts/make_points_picture.py."""
    shown = maker.text_of(PICTURE)

    assert unlike(shown, maker.printed(tmp_path)) == []
    assert "does not restore" in shown


def test_the_picture_is_made_by_the_script(maker: ModuleType) -> None:
    """Nothing was drawn by hand."""
    assert maker.picture(maker.text_of(PICTURE)) == PICTURE
