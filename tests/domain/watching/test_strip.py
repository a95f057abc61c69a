"""A strip has one bar for each day, whatever came on it."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.watching.calendar import CalendarDay
from tarkeep.domain.watching.pictures.strip import HEIGHT, STEP, strip_of

FIRST = date(2026, 11, 1)
CAME = st.sets(st.sampled_from(BackupType)).map(lambda types: tuple((type, 1) for type in BackupType if type in types))


@given(st.lists(CAME, max_size=60))
def test_every_day_has_one_bar_of_its_kind(came: list[tuple[tuple[BackupType, int], ...]]) -> None:
    days = tuple(CalendarDay(FIRST + timedelta(days=number), archives) for number, archives in enumerate(came))

    strip = strip_of(days)

    bars = {
        int(x) // STEP: (kind, int(top), int(height))
        for kind, path in strip.paths
        for x, top, height in re.findall(r"M(\d+) (\d+)h4v(\d+)h-4z", path)
    }
    assert sorted(bars) == list(range(len(days)))
    for number, archives in enumerate(came):
        kind, top, height = bars[number]
        types = [type for type, _ in archives]
        assert kind == ("none" if not types else "full" if BackupType.FULL in types else "some")
        assert top + height == HEIGHT
    assert strip.words == f"archives came on {sum(map(bool, came))} of {len(days)} day{'s' * (len(days) != 1)}"
