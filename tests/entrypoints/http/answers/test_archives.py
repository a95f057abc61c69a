"""JSON on the wire that is encoded by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.entrypoints.http.answers.archives import nanoseconds_rfc3339

_FIRST, _LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1, 9999))


@given(st.integers(_FIRST, _LAST), st.integers(0, 999_999))
def test_times_are_told_as_datetimes_tell_them(seconds: int, microseconds: int) -> None:
    """Any second of the years that a datetime has, before the epoch too, and with the decimals that it needs."""
    told = nanoseconds_rfc3339((seconds * 1_000_000 + microseconds) * 1000)

    assert told is not None
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    assert datetime.fromisoformat(told) == moment
    assert told.startswith(moment.replace(microsecond=0, tzinfo=None).isoformat())
    assert len(told) == len("2026-11-29T00:00:00Z") + len(f".{microseconds:06d}".rstrip("0") if microseconds else "")


def test_what_no_datetime_has_is_told_as_nothing() -> None:
    """Tars may contain any number."""
    for seconds in (_FIRST - 1, _LAST + 365 * 86_400, -(1 << 80), 1 << 80):
        assert nanoseconds_rfc3339(seconds * 1_000_000_000) is None
