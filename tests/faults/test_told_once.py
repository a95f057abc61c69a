"""
SIGKILL at each statement of SQLite and each step of a receiver, while events are raised, ended and delivered.

In the next process no event that was acknowledged is lost, and at most the notice under way is told twice, with the
same id.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.telling import STORY, FileChannel, delivering, opened
from tests.support.archives import NOON
from tests.support.clocks import FixedClock

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
_BEGAN = {"alert": "raise", "recovery": "end"}


def test_no_event_is_lost_or_told_twice_but_for_the_one_under_way(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.telling", str(tmp_path)]
    lived = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert lived.returncode == 0, lived.stderr
    _, *killed, whole = sorted(tmp_path.iterdir())
    assert _lines(whole / "acknowledged") == list(STORY)
    assert len(killed) > 100

    twice = 0
    for place in [*killed, whole]:
        known = _lines(place / "acknowledged")
        _deliver_the_rest(place)
        told = [json.loads(line) for line in _lines(place / "taken")]
        twice += _check(known, told)
    assert twice > 0  # the gap between what was taken and what was noted was met


def _check(known: list[str], told: list[dict[str, Any]]) -> int:
    """How many notices were told twice, of which there may be one."""
    ids = {(one["kind"], subject): one["id"] for one in told for subject in one["subjects"]}
    for part in known:
        what, _, subject = part.partition(" ")
        if what != "deliver":
            assert ({"raise": "alert", "end": "recovery"}[what], subject) in ids, (known, told)
    begun = STORY[: len(known) + 1]
    for kind, subject in ids:
        assert f"{_BEGAN[kind]} {subject}" in begun, (known, told)
    for one in told:
        assert all(ids[one["kind"], subject] == one["id"] for subject in one["subjects"]), told
    counts = Counter(one["id"] for one in told)
    assert sorted(counts.values())[-2:] in ([], [1], [2], [1, 1], [1, 2]), told
    return sum(count == 2 for count in counts.values())


def _deliver_the_rest(place: Path) -> None:
    """As the next process does it."""
    clock = FixedClock(NOON + timedelta(hours=1))
    with closing(opened(place)) as catalog:
        deliver = delivering(catalog.notices, clock, FileChannel(place / "taken"))
        for _ in range(3):
            deliver(lambda: True)
            clock.advance(timedelta(minutes=1))
        assert catalog.notices.due(clock.now(), limit=10) == []


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
