"""What `Leases` promise to the threads of several processes."""

from __future__ import annotations

import pytest

from tarkeep.domain.ports.upkeep.leases import Leases


class LeasesContract:
    """A subclass gives the fixtures ``leases`` and ``others``, of two processes with the same table."""

    def test_one_process_has_a_lease_and_gives_it_up(self, leases: Leases, others: Leases) -> None:
        """No other has it meanwhile, nor does another thread of the same process; afterwards anybody gets it."""
        with leases.take("job/prune") as held:
            assert held is not None
            for again in (leases, others):
                with again.take("job/prune") as second:
                    assert second is None
            with others.take("job/purge") as another:
                assert another is not None
            assert not held.is_lost
        with others.take("job/prune") as third:
            assert third is not None
            assert third.fence > held.fence

    def test_a_holder_that_fails_gives_it_up_as_well(self, leases: Leases, others: Leases) -> None:
        """The error passes through."""
        with pytest.raises(InterruptedError), leases.take("job/prune"):
            raise InterruptedError

        with others.take("job/prune") as held:
            assert held is not None
