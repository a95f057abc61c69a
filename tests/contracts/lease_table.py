"""What every `LeaseTable` promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tarkeep.domain.ports.upkeep.leases import LeaseTable, Renewed

TTL = timedelta(minutes=5)
OVER = timedelta(0)


class LeaseTableContract:
    """A subclass gives the fixture ``table``."""

    def test_one_holder_has_a_lease(self, table: LeaseTable) -> None:
        """Another does not get it; leases of other names are others."""
        assert table.take("job/prune", "one", TTL) is not None

        assert table.take("job/prune", "other", TTL) is None
        assert table.take("job/purge", "other", TTL) is not None
        assert table.held(["job/prune", "job/purge", "job/scrub"]) == {"job/prune", "job/purge"}

    def test_a_lease_that_ended_is_anybodys(self, table: LeaseTable) -> None:
        """And its fence grows with each holder, however it ended."""
        fences = [table.take("job/prune", holder, OVER) for holder in ("one", "other", "one")]
        last = table.take("job/prune", "other", TTL)
        assert last is not None
        table.give_up("job/prune", "other", last)
        fences += [last, table.take("job/prune", "one", TTL)]

        assert None not in fences
        assert sorted(set(fences)) == fences  # type: ignore[type-var]  # as was asserted

    def test_a_holder_gets_its_lease_again_with_a_new_fence(self, table: LeaseTable) -> None:
        """It may not have learnt that it has it. What was written with the old fence was overtaken."""
        first = table.take("job/prune", "one", TTL)
        second = table.take("job/prune", "one", TTL)

        assert first is not None
        assert second is not None
        assert second > first
        table.give_up("job/prune", "one", first)
        assert table.held(["job/prune"]) == {"job/prune"}

    def test_all_leases_of_a_holder_are_renewed_at_once(self, table: LeaseTable) -> None:
        """Not those of others, nor those that ended, nor those that it gave up."""
        fences = {name: table.take(name, "one", TTL) for name in ("a", "b", "given up")}
        table.take("of another", "other", TTL)
        table.take("ended", "one", OVER)
        table.give_up("given up", "one", fences["given up"] or 0)

        renewed = table.renew("one", TTL)

        assert renewed == {name: Renewed(fences[name] or 0, is_wanted=False) for name in ("a", "b")}
        assert table.renew("nobody", TTL) == {}
        assert table.take("ended", "other", TTL) is not None

    def test_renewing_counts_from_now(self, table: LeaseTable) -> None:
        """To a time that may be earlier, too."""
        table.take("a", "one", TTL)
        table.renew("one", OVER)

        assert table.renew("one", TTL) == {}
        assert table.take("a", "other", TTL) is not None

    def test_a_holder_learns_that_its_lease_is_wanted(self, table: LeaseTable) -> None:
        """Until somebody has taken it."""
        table.take("a", "one", TTL)
        table.take("b", "one", TTL)
        for _ in range(2):
            table.take("a", "other", TTL)

        renewed = table.renew("one", TTL)

        assert {name: lease.is_wanted for name, lease in renewed.items()} == {"a": True, "b": False}
        fence = renewed["a"].fence
        table.give_up("a", "one", fence)
        assert table.take("a", "other", TTL) is not None
        assert not table.renew("other", TTL)["a"].is_wanted

    @pytest.mark.parametrize(("name", "holder"), [("a", "other"), ("b", "one")])
    def test_what_one_does_not_have_is_not_given_up(self, table: LeaseTable, name: str, holder: str) -> None:
        """And is no error: it may have been lost."""
        fence = table.take("a", "one", TTL)
        assert fence is not None

        table.give_up(name, holder, fence)
        table.give_up("a", "one", fence + 1)

        assert table.held(["a", "b"]) == {"a"}

    def test_of_many_at_once_one_gets_it(self, table: LeaseTable) -> None:
        """In each of ten rounds."""
        start = Barrier(6)

        def take(number: int) -> list[int | None]:
            fences = []
            for turn in range(10):
                start.wait(timeout=60)
                fences.append(table.take(f"job/{turn}", f"holder {number}", TTL))
            return fences

        with ThreadPoolExecutor(6) as pool:
            rounds = zip(*pool.map(take, range(6)), strict=True)

        assert all(sum(fence is not None for fence in fences) == 1 for fences in rounds)
