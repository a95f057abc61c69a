"""The history of a path over FULLs and later archives: an unchanged copy is no change."""

from __future__ import annotations

import pytest

from tests.support.desk import Desk


@pytest.mark.parametrize("between", ["INC", "DIFF"])
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_what_builds_on_a_later_full_changes_nothing(desk: Desk, between: str, form: str) -> None:
    """For files, links and folders, whatever times the format holds, and whichever name of a file tar met first."""
    desk.do("mkdir -p src/d; echo a >src/a; echo x >src/d/x; ln -s a src/link; ln src/a src/second")
    desk.dump("FULL", "src", snapshot=None)
    for _ in range(2):
        desk.dump("FULL", "src", f"--format={form}", snapshot="first")
        desk.do("echo new >src/d/new")
        desk.dump(between, "src", f"--format={form}", snapshot="first")

    for path in ("src/a", "src/d/x", "src/link", "src/second"):
        assert [one["event"] for one in desk.get("history", path=path)["versions"]] == ["appeared"], path
    told = [one["event"] for one in desk.get("history", path="src/d/new")["versions"]]
    assert told[:1] == ["appeared"]


def test_a_real_change_is_reported(desk: Desk) -> None:
    """By an INC, and by a FULL after it; not by an INC without changes."""
    desk.do("mkdir src; echo 1 >src/a")
    desk.dump("FULL", "src")
    desk.do("echo 22 >src/a")
    desk.dump("INC", "src")
    desk.do("echo 333 >src/a")
    desk.dump("FULL", "src")
    desk.dump("INC", "src")

    versions = desk.get("history", path="src/a")["versions"]
    assert [(one["event"], one["archive"]["type"], one["size"]) for one in versions] == [
        ("appeared", "FULL", 2),
        ("changed", "INC", 3),
        ("changed", "FULL", 4),
    ]
