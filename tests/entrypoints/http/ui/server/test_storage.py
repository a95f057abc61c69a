"""Storage as a browser shows it, and the picture of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.usecases.watching.read_storage import StoreGrowth
from tarkeep.domain.watching.forecast import forecast
from tarkeep.domain.watching.used import UsedOnDay
from tarkeep.entrypoints.http.ui.pages.server.usage_chart import HEIGHT, WIDTH, UsageChart, usage_chart
from tests.support.site import Site, open_site

DAY = timedelta(days=1)
SIZES = st.integers(0, 10**15)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("storage") / "data") as site:
        yield site


def grew(site: Site, days: int) -> None:
    """Note use of *days* before today, as the job does."""
    today = datetime.now(UTC).date()
    used = [UsedOnDay(today - number * DAY, {BackupType.FULL: 10**9 - number * 10**6}) for number in range(1, days)]
    with closing(SqlCatalog.open(f"sqlite:///{site.data}/catalog.sqlite", busy_seconds=60)) as catalog:
        catalog.used.keep(used)


def test_growth_is_shown_as_a_picture_and_in_words(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))
    first = site.browser.get("/ui/storage").text
    assert "From tomorrow on a picture shows here how it grows." in first
    assert "When it will be full cannot be said yet" in first

    grew(site, 40)
    page = site.browser.get("/ui/storage").text

    picture = re.search(r'<svg class="usage" role="img".*?<title>(.*?)</title>', page, re.DOTALL)
    assert picture is not None
    assert "were used" in picture[1]
    assert "With a chance of four in five" in picture[1]
    assert page.count("data-value=") == 40
    assert "953.7 MB" not in first
    assert re.search(r'data-label="FULL" class="number">95\d\.\d MB', page)


def test_who_sees_some_profiles_is_told_nothing_of_the_disk(site: Site) -> None:
    site.come_in(site.token(Scope.LIST, profiles=("web-*",)))

    page = site.browser.get("/ui/storage").text

    assert "web-1" in page
    assert "laptop" not in page
    assert "<svg" not in page
    assert " used" not in page


def _numbers(chart: UsageChart) -> list[tuple[float, float]]:
    outlines = [area.points for area in chart.areas] + ([chart.band] if chart.band else [])
    return [(float(x), float(y)) for outline in outlines for x, y in (one.split(",") for one in outline.split())]


@given(st.lists(st.tuples(SIZES, SIZES, SIZES, SIZES), min_size=1, max_size=300), st.integers(0, 10**16))
def test_everything_lies_within_the_picture(sizes: list[tuple[int, int, int, int]], capacity: int) -> None:
    """Whatever was used; and every day, or some of many, can be pointed at, the newest among them."""
    days = tuple(
        UsedOnDay(date(2026, 1, 1) + number * DAY, dict(zip(BackupType, one[:3], strict=True)), one[3])
        for number, one in enumerate(sizes)
    )
    growth = StoreGrowth(days, capacity, forecast({one.day: one.total_bytes for one in days}, capacity))

    chart = usage_chart(growth)

    assert (chart is None) == (len(days) < 2)
    if chart is None:
        return
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in _numbers(chart))
    assert 2 <= len(chart.columns) <= 240
    assert chart.columns[-1].words.startswith(days[-1].day.isoformat())
    assert chart.capacity_y is None or 0 <= chart.capacity_y <= HEIGHT
    assert bool(chart.band) == (growth.expected is not None)
