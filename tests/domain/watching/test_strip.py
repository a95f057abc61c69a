"""A strip has one bar for each day, whatever came on it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.watching.pictures.strip import HEIGHT, STEP, strip_of


@given(st.lists(st.sampled_from((None, False, True)), max_size=60))
def test_every_day_has_one_bar_of_its_kind(days: list[bool | None]) -> None:
    strip = strip_of(tuple(days))

    bars = {
        int(x) // STEP: (kind, int(top), int(height))
        for kind, path in strip.paths
        for x, top, height in re.findall(r"M(\d+) (\d+)h4v(\d+)h-4z", path)
    }
    assert sorted(bars) == list(range(len(days)))
    for number, is_full in enumerate(days):
        kind, top, height = bars[number]
        assert kind == {None: "none", True: "full", False: "some"}[is_full]
        assert top + height == HEIGHT
    assert strip.words == f"archives came on {len(days) - days.count(None)} of {len(days)} day{'s' * (len(days) != 1)}"
