"""What `UploadLocks` promise."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tarkeep.domain.errors.uploads import UploadLocked
from tarkeep.domain.ports.uploads import UploadLocks

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=1)


class UploadLocksContract:
    """A subclass gives the fixture *locks*."""

    def test_a_held_upload_is_refused(self, locks: UploadLocks) -> None:
        """And other uploads are free."""
        held = pytest.raises(UploadLocked)
        with locks.hold("a", AT_ONCE), locks.hold("b", AT_ONCE), held, locks.hold("a", AT_ONCE):
            pass

    def test_it_is_free_again_afterwards(self, locks: UploadLocks) -> None:
        """Even if the work failed."""
        with pytest.raises(ValueError, match="failed"), locks.hold("a", AT_ONCE):
            raise ValueError("failed")

        with locks.hold("a", AT_ONCE):
            pass

    def test_a_holder_learns_that_another_caller_waits(self, locks: UploadLocks) -> None:
        """And the waiting caller has it once the holder leaves."""
        wanted, taken = threading.Event(), threading.Event()

        def come_second() -> None:
            with locks.hold("a", LONG):
                taken.set()

        with ThreadPoolExecutor(1) as beside:
            with locks.hold("a", AT_ONCE, wanted.set):
                second = beside.submit(come_second)
                assert wanted.wait(30)
                assert not taken.is_set()
            second.result(30)

    def test_each_of_many_holds_it_alone(self, locks: UploadLocks) -> None:
        """And all get to hold it."""
        alone = threading.Lock()

        def take(_number: int) -> bool:
            with locks.hold("a", LONG):
                free = alone.acquire(blocking=False)
                if free:
                    alone.release()
                return free

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(take, range(80)))
