"""The picture in the README shows the real output of `tarkeep points` for a broken chain."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.documents import ROOT, unlike

PICTURE = (ROOT / "docs" / "points.svg").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_points_picture", ROOT / "scripts" / "make_points_picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_says_what_is_printed(maker: ModuleType, tmp_path: Path) -> None:
    """Line for line, ages and sizes aside. After a change, run: python scripts/make_points_picture.py."""
    shown = maker.text_of(PICTURE)

    assert unlike(shown, maker.printed(tmp_path)) == []
    assert "does not restore" in shown


def test_the_picture_is_made_by_the_script(maker: ModuleType) -> None:
    """Nothing was drawn by hand."""
    assert maker.picture(maker.text_of(PICTURE)) == PICTURE
