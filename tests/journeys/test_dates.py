"""Archives with a missing or wrong time: a point is requested by name, and restores what was archived then."""

from __future__ import annotations

import pytest

from tests.support.desk import Desk

OLD = "touch -d 2022-01-01 src/a src"
NEWER = "mkdir -p src; echo one >src/a; echo big >src/big; touch -d 2025-10-09 src/big; touch -d 2020-01-01 src/a src"


@pytest.mark.parametrize(
    ("full", "inc"),
    [
        ("weekly", "nightly"),  # only the times of members are known, and the INC has older ones
        ("full_2026-11-01", "inc_1970-01-01_00-00-10"),  # a machine that starts without a clock
        ("full_2026-11-01_23-59-59", "inc_2026-11-01"),
    ],
)
def test_a_point_is_what_was_archived_however_it_is_dated(desk: Desk, full: str, inc: str) -> None:
    """Digests prove what an INC builds on, although its time says that it is older."""
    desk.do(NEWER)
    desk.dump("FULL", "src", name=f"{full}.tar.gz")
    first = desk.seen()
    desk.do(f"echo second >src/a; rm src/big; {OLD}")
    desk.dump("INC", "src", name=f"{inc}.tar.gz")

    assert desk.given_back(f"INC/{inc}.tar.gz") == desk.seen()
    assert desk.given_back(f"FULL/{full}.tar.gz") == first
    assert desk.given_back() == desk.seen()
    assert [step["type"] for step in desk.get("plan", at=f"INC/{inc}.tar.gz")["steps"]] == ["FULL", "INC"]


@pytest.mark.parametrize("type", ["INC", "DIFF"])
@pytest.mark.parametrize("stated", [{}, {"Tarkeep-Taken-At": "2026-11-20T00:00:00Z"}])
def test_a_tree_that_did_not_change_builds_on_its_full(desk: Desk, type: str, stated: dict[str, str]) -> None:
    """No name contains a time, and everything in the INC is older than the files of the FULL."""
    desk.do("mkdir -p src/d; echo b >src/d/b; touch -d 2023-11-14 src/d/b; touch -d 2020-09-13 src/d src")
    desk.dump("FULL", "src", name="weekly.tar.gz", proven=False, headers=stated)
    for number in (1, 2):
        desk.dump(type, "src", name=f"nightly-{number}.tar.gz", proven=False)

    assert desk.given_back() == desk.seen()
    assert [point["evidence"] for point in desk.points().values()] == ["proven", "inferred", "inferred"]
    assert desk.get("plan")["steps"][-1]["name"] == "nightly-2.tar.gz"
