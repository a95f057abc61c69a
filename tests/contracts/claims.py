"""What every `Catalog` promises of claims: whose they are, until when, and who takes over those that were left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.archives.totals import Sums
from tarkeep.domain.errors.archives import ClaimLost
from tarkeep.domain.errors.capacity import QuotaExceeded
from tarkeep.domain.ports.catalog import AlreadyStored, Catalog, Claimed, ClaimedElsewhere, Holding, TakenClaim
from tests.support.archives import make_archive
from tests.support.catalogs import recounted
from tests.support.claims import LEASE, OVER, claimed

OTHER = make_archive("other.tar.gz")


class ClaimsContract:
    def test_a_claim_has_a_token_of_its_own(self, catalog: Catalog) -> None:
        """Nobody guesses it, and no two are the same."""
        tokens = {claimed(catalog, make_archive(f"{number}.tar.gz")) for number in range(20)}

        assert len(tokens) == 20
        assert all(len(token) >= 32 for token in tokens)

    def test_a_claim_is_judged_by_what_its_profile_holds(self, catalog: Catalog) -> None:
        """By entries and by the claims of others; what the judge raises is raised, and then nothing is claimed."""
        first, second, third = (make_archive(f"{size}.tar.gz", content=b"1" * size) for size in (1, 2, 3))
        catalog.adopt([first, make_archive(profile="another")])
        claimed(catalog, second)
        claimed(catalog, make_archive("claimed.tar.gz", profile="another"))
        told: list[Holding] = []

        def refuse(held: Holding) -> None:
            told.append(held)
            assert catalog.find(first.id) == first
            raise QuotaExceeded("document", "archives", "max_archives", 2, 2, 1)

        with pytest.raises(QuotaExceeded):
            catalog.claim(third, LEASE, refuse)
        assert {claim.id.name for claim in catalog.open_claims()} == {second.id.name, "claimed.tar.gz"}
        assert isinstance(catalog.claim(third, LEASE, told.append), Claimed)

        assert all(held == Holding(Sums(1, 1), {second.id: 2}) for held in told)
        assert catalog.holding("document") == Holding(Sums(1, 1), {second.id: 2, third.id: 3})
        assert catalog.holding("nobody") == catalog.holding("no/name") == Holding(Sums(0, 0), {})

    def test_what_is_taken_is_not_judged(self, catalog: Catalog) -> None:
        """Sending an archive again needs no room."""
        catalog.adopt([OTHER])
        claimed(catalog, make_archive())

        def refuse(_: Holding) -> None:
            raise AssertionError

        assert catalog.claim(OTHER, LEASE, refuse) == AlreadyStored(OTHER)
        assert catalog.claim(make_archive(), LEASE, refuse) == ClaimedElsewhere()

    @pytest.mark.parametrize("lease", [LEASE, OVER])
    def test_only_its_holder_confirms_renews_and_releases_a_claim(self, catalog: Catalog, lease: timedelta) -> None:
        """Whoever has no token, or that of another claim, is told that the claim was lost; and nothing changes."""
        archive = make_archive()
        claimed(catalog, archive, lease)
        for token in ("", claimed(catalog, OTHER)):
            with pytest.raises(ClaimLost) as lost:
                catalog.confirm(archive, token)
            assert lost.value.id == archive.id
            with pytest.raises(ClaimLost):
                catalog.release(archive.id, token)
            with pytest.raises(ClaimLost):
                catalog.renew(archive.id, token, LEASE)

        assert catalog.open_claims() == [archive, OTHER]
        assert catalog.totals() == []

    def test_a_lease_that_ended_ends_no_claim(self, catalog: Catalog) -> None:
        """It stays its holder's until somebody takes it over: who was slow and alone loses nothing."""
        archive = make_archive()
        token = claimed(catalog, archive, OVER)
        assert catalog.claim(archive, LEASE) == ClaimedElsewhere()

        catalog.renew(archive.id, token, OVER)
        catalog.confirm(archive, token)

        assert catalog.find(archive.id) == archive

    def test_confirming_again_is_no_error(self, catalog: Catalog) -> None:
        """The answer to the first time may have been lost. It counts once."""
        archive = make_archive()
        token = claimed(catalog, archive)
        catalog.confirm(archive, token)

        catalog.confirm(archive, token)

        assert catalog.totals() == recounted([archive])

    def test_confirming_an_equal_entry_needs_no_token(self, catalog: Catalog) -> None:
        """Somebody who settled the claim has entered it."""
        archive = make_archive()
        catalog.adopt([archive])

        catalog.confirm(archive, "of a claim that was settled")

        assert catalog.totals() == recounted([archive])

    def test_confirming_beside_another_entry_fails(self, catalog: Catalog) -> None:
        """Also if it has the same bytes and came at another time, or is not what it was."""
        archive = make_archive()
        catalog.adopt([archive])
        for other in (
            make_archive(content=b"other"),
            evolve(archive, received_at=archive.received_at + timedelta(microseconds=1)),
            evolve(archive, state=ArchiveState.DAMAGED),
        ):
            with pytest.raises(ClaimLost):
                catalog.confirm(other, "")

        assert catalog.find(archive.id) == archive

    def test_a_running_lease_is_not_taken_over(self, catalog: Catalog) -> None:
        """Neither with others nor by name."""
        claimed(catalog, make_archive())

        assert catalog.take_over(20, LEASE) == []
        assert catalog.take_over(20, LEASE, id=make_archive().id) == []
        assert catalog.open_claims() == [make_archive()]

    def test_a_claim_that_was_left_is_taken_over_once(self, catalog: Catalog) -> None:
        """With all that was noted of its archive, and with a new token: the old one is worth nothing from then on."""
        archive = make_archive(content=b"left")
        old = claimed(catalog, archive, OVER)

        (taken,) = catalog.take_over(20, LEASE)

        assert taken == TakenClaim(archive, taken.token)
        assert taken.token != old
        assert catalog.take_over(20, LEASE) == []
        with pytest.raises(ClaimLost):
            catalog.confirm(archive, old)
        with pytest.raises(ClaimLost):
            catalog.release(archive.id, old)
        with pytest.raises(ClaimLost):
            catalog.renew(archive.id, old, LEASE)
        catalog.confirm(archive, taken.token)
        assert catalog.claim(archive, LEASE) == AlreadyStored(archive)

    def test_a_claim_is_taken_over_by_name(self, catalog: Catalog) -> None:
        """Others stay, however long ago their leases ended."""
        archive = make_archive()
        claimed(catalog, OTHER, OVER)
        claimed(catalog, archive, OVER)

        (taken,) = catalog.take_over(20, LEASE, id=archive.id)
        catalog.release(archive.id, taken.token)

        assert catalog.open_claims() == [OTHER]
        assert isinstance(catalog.claim(archive, LEASE), Claimed)

    def test_who_is_alone_takes_over_whatever_the_lease(self, catalog: Catalog) -> None:
        """As a server does at start that nobody shares the catalog with; entries are not touched."""
        archive = make_archive()
        catalog.adopt([make_archive("stored.tar.gz")])
        claimed(catalog, archive)
        claimed(catalog, OTHER, OVER)

        assert catalog.take_over(20, LEASE, id=make_archive("stored.tar.gz").id, whatever_lease=True) == []
        taken = catalog.take_over(20, LEASE, whatever_lease=True)

        assert sorted(claim.archive.id.name for claim in taken) == sorted([archive.id.name, OTHER.id.name])

    def test_no_more_are_taken_over_than_asked_for(self, catalog: Catalog) -> None:
        """The rest is there for the next call, or for another server."""
        archives = [make_archive(f"{number}.tar.gz") for number in range(5)]
        for archive in archives:
            claimed(catalog, archive, OVER)

        taken = [claim.archive for _ in range(4) for claim in catalog.take_over(2, LEASE)]

        assert sorted(archive.id for archive in taken) == sorted(archive.id for archive in archives)

    def test_a_renewed_lease_runs_again(self, catalog: Catalog) -> None:
        """And a claim that was taken over has a lease of its own."""
        archive = make_archive()
        token = claimed(catalog, archive, OVER)
        catalog.renew(archive.id, token, LEASE)
        assert catalog.take_over(20, LEASE) == []

        catalog.renew(archive.id, token, OVER)
        assert len(catalog.take_over(20, OVER)) == 1
        assert len(catalog.take_over(20, LEASE)) == 1

    def test_of_many_each_takes_over_others(self, catalog: Catalog) -> None:
        """Eight at once: every claim is taken once."""
        archives = [make_archive(f"{number}.tar.gz") for number in range(40)]
        for archive in archives:
            claimed(catalog, archive, OVER)
        start = Barrier(8)

        def take(_number: int) -> list[TakenClaim]:
            start.wait(timeout=60)
            taken = []
            while some := catalog.take_over(3, LEASE):
                taken += some
            return taken

        with ThreadPoolExecutor(8) as pool:
            taken = [claim for some in pool.map(take, range(8)) for claim in some]

        assert sorted(claim.archive.id for claim in taken) == sorted(archive.id for archive in archives)
        for claim in taken:
            catalog.release(claim.archive.id, claim.token)
        assert catalog.open_claims() == []

    def test_a_claim_that_everything_was_forgotten_with_is_lost(self, catalog: Catalog) -> None:
        """By a rebuild in the middle of a receive."""
        archive = make_archive()
        token = claimed(catalog, archive)
        catalog.replace([])

        with pytest.raises(ClaimLost):
            catalog.confirm(archive, token)
        assert catalog.totals() == []
