"""What `Turns` promise."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tarkeep.domain.errors.capacity import CatalogBusy
from tarkeep.domain.ports.system import Turns
from tests.support.alone import each_holds_alone

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=1)


class TurnsContract:
    """A subclass gives the fixture *turns*."""

    def test_a_turn_that_is_taken_is_refused(self, turns: Turns) -> None:
        """On entering, after the second caller's patience; the first continues."""
        with turns.take("a", AT_ONCE), pytest.raises(CatalogBusy), turns.take("a", AT_ONCE):
            pass

    def test_other_work_is_free(self, turns: Turns) -> None:
        """Also for another thread, while the first is at work."""

        def take_another() -> None:
            with turns.take("b", AT_ONCE):
                taken.set()

        taken = threading.Event()
        with turns.take("a"):
            other = threading.Thread(target=take_another)
            other.start()
            other.join()
        assert taken.is_set()

    def test_it_is_free_again_afterwards(self, turns: Turns) -> None:
        """Even if the work failed."""
        with pytest.raises(ValueError, match="failed"), turns.take("a"):
            raise ValueError("failed")

        with turns.take("a", AT_ONCE):
            pass

    @pytest.mark.parametrize("patience", [None, LONG])
    def test_a_waiting_caller_gets_a_turn(self, turns: Turns, patience: timedelta | None) -> None:
        """Eight threads at once: each is alone in its turn, and all get one."""
        assert each_holds_alone(lambda _number: turns.take("a", patience))

    def test_a_refusal_does_not_affect_other_waiting_callers(self, turns: Turns) -> None:
        """A caller that gave up does not block the next."""
        waiting, taken = threading.Event(), threading.Event()

        def wait() -> None:
            waiting.set()
            with turns.take("a"):
                taken.set()

        with turns.take("a"):
            patient = threading.Thread(target=wait)
            patient.start()
            waiting.wait()
            with pytest.raises(CatalogBusy), turns.take("a", AT_ONCE):
                pass
            assert not taken.is_set()
        patient.join()
        assert taken.is_set()
