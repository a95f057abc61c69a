"""The changelog: in versions, the newest of which is this one, and short enough to be read."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from itertools import pairwise

from tarkeep import __version__
from tests.support.documents import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
_MOST_LINES = 6
_MOST_ENTRIES = 50


def sections() -> list[tuple[str, str]]:
    """What stands behind each ``## ``, and below it."""
    parts = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def versions() -> list[tuple[tuple[int, ...], date]]:
    """Number and day of each version, the newest first; what is not of their form fails."""
    found = []
    for heading, _ in sections()[1:]:
        match = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading)
        assert match, heading
        found.append((tuple(map(int, match[1].split("."))), date.fromisoformat(match[2])))
    return found


def test_the_newest_version_is_this_one() -> None:
    """Its number stands in one place, which the package is built from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    newest, _ = versions()[0]

    assert ".".join(map(str, newest)) == __version__
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "src/__init__.py"}


def test_versions_follow_each_other() -> None:
    """What is not released comes first; numbers and days go down, each number once."""
    assert sections()[0][0] == "[Unreleased]"
    assert all(newer[0] > older[0] and newer[1] >= older[1] for newer, older in pairwise(versions()))


def test_each_line_is_of_a_kind() -> None:
    """Added, Changed and so on, in this order, each once, and something below each."""
    for heading, body in sections():
        introduction, *parts = re.split(r"^### ", body, flags=re.MULTILINE)
        kinds = [part.partition("\n")[0] for part in parts]

        assert kinds == [kind for kind in KINDS if kind in kinds], heading
        assert not re.search(r"^- ", introduction, re.MULTILINE), f"{heading}: a line without a kind"
        assert all(re.search(r"^- ", part, re.MULTILINE) for part in parts), heading


def test_what_is_told_can_be_read() -> None:
    """A user has a minute: no entry takes more than a few lines."""
    entries = [entry for _, body in sections() for entry in re.split(r"\n(?=- |\n|#)", body) if entry.startswith("- ")]

    assert len(entries) > 50
    assert len(entries) == len(set(entries))
    for heading, body in sections():
        assert body.count("\n- ") <= _MOST_ENTRIES, f"{heading}: too much to be read"
    assert [entry for entry in entries if len(entry.strip().splitlines()) > _MOST_LINES] == []
