"""What every `Clock` promises."""

from __future__ import annotations

from datetime import timedelta

from tarkeep.domain.ports.system import Clock


class ClockContract:
    """A subclass gives the fixture ``clock``."""

    def test_now_is_aware_and_in_utc(self, clock: Clock) -> None:
        """Times carry their zone, and it is UTC."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_times_can_be_compared(self, clock: Clock) -> None:
        """Two times of one clock have an order and a distance."""
        before = clock.now()

        assert clock.now() - before < timedelta(days=1)

    def test_the_count_of_seconds_never_goes_back(self, clock: Clock) -> None:
        before = clock.monotonic()

        assert before >= timedelta()
        assert before <= clock.monotonic() < before + timedelta(days=1)

    def test_a_wait_takes_its_time(self, clock: Clock) -> None:
        """By the clock that is never set."""
        before = clock.monotonic()

        clock.wait(timedelta(milliseconds=20))

        assert clock.monotonic() - before >= timedelta(milliseconds=20)
