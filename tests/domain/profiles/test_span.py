"""Spans of time: their grammar, and counting back and forth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.profiles.span import Span, Unit

SPANS = st.builds(Span, st.integers(0, 400), st.sampled_from(Unit))
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))


@given(SPANS)
def test_a_span_reads_what_it_writes(span: Span) -> None:
    assert Span.parse(str(span)) == span


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5d", "7 d", "7D", "7days", "9999999d", "٣d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="such as 36h, 14d, 8w, 6m"):
        Span.parse(text)


@given(SPANS, MOMENTS)
def test_before_and_after_surround_the_moment(span: Span, moment: datetime) -> None:
    assert span.before(moment) <= moment <= span.after(moment)


@given(st.integers(0, 400), st.sampled_from([Unit.MONTH, Unit.YEAR]), MOMENTS)
def test_months_and_years_keep_the_day_or_take_the_last_one(count: int, unit: Unit, moment: datetime) -> None:
    there = Span(count, unit).after(moment)

    assert there.day == moment.day or (there.day < moment.day and (there + timedelta(days=1)).day == 1)


def test_a_month_before_the_last_of_march_is_the_last_of_february() -> None:
    assert Span.parse("1m").before(datetime(2028, 3, 31, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


def test_a_year_after_a_leap_day_is_the_last_of_february() -> None:
    assert Span.parse("1y").after(datetime(2028, 2, 29, tzinfo=UTC)) == datetime(2029, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize("text", ["999999y", "999999m", "999999w"])
def test_what_no_calendar_has_is_its_end(text: str) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)

    assert Span.parse(text).before(now) == datetime.min.replace(tzinfo=UTC)
    assert Span.parse(text).after(now) == datetime.max.replace(tzinfo=UTC)


def test_other_zones_count_in_utc() -> None:
    there = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))  # still February in UTC

    assert Span.parse("1m").after(there) == datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
