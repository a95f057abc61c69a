"""What every `ArrivalTable` promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.upkeep.arrivals import ArrivalTable
from tarkeep.domain.watching.arrived import ArrivedOnDay
from tests.support.archives import NOON, make_archive
from tests.support.claims import LEASE, confirm

DAY = timedelta(days=1)
TODAY = NOON.date()
FULL, INC = BackupType.FULL, BackupType.INC


class ArrivalTableContract:
    """A *table*, and the *catalog* whose archives it counts."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        raise NotImplementedError

    @pytest.fixture
    def table(self, catalog: Catalog) -> ArrivalTable:
        raise NotImplementedError

    def test_archives_are_counted_by_profile_type_and_day(self, catalog: Catalog, table: ArrivalTable) -> None:
        """Days in UTC, both ends included; a claim is nothing yet."""
        late = evolve(make_archive("b.tar.gz"), received_at=NOON.replace(hour=23, minute=59, second=59))
        next_day = evolve(make_archive("c.tar.gz"), received_at=NOON.replace(hour=0, minute=0, second=0) + DAY)
        inc = make_archive("d.tar.gz", type=INC)
        other = make_archive("a.tar.gz", profile="other", received_at=NOON + DAY)
        first = make_archive("a.tar.gz")
        catalog.claim(first, LEASE)
        assert table.days(TODAY, TODAY + DAY) == []
        confirm(catalog, first)
        catalog.adopt([late, next_day, inc, other, first])

        web, size = first.id.profile, first.size_bytes
        of_today = [ArrivedOnDay(web, TODAY, FULL, 2, 2 * size), ArrivedOnDay(web, TODAY, INC, 1, size)]
        of_web = [*of_today, ArrivedOnDay(web, TODAY + DAY, FULL, 1, size)]
        of_other = [ArrivedOnDay("other", TODAY + DAY, FULL, 1, size)]
        assert table.days(TODAY, TODAY + DAY, profile=web) == of_web
        assert table.days(TODAY, TODAY + DAY) == sorted([*of_web, *of_other], key=lambda one: one.profile)
        assert table.days(TODAY, TODAY, profile=web) == of_today
        assert table.days(TODAY + DAY, TODAY + DAY, profile="other") == of_other
        assert table.days(TODAY - DAY, TODAY - DAY) == []
        assert table.days(TODAY, TODAY, profile="not a name") == []

    def test_what_came_stays_known_when_it_is_gone(self, catalog: Catalog, table: ArrivalTable) -> None:
        """Also by a rebuild, which finds less; it adds what was not known."""
        gone, stays, found = (
            make_archive(f"{name}.tar.gz", received_at=NOON + DAY * day) for day, name in enumerate("gsf")
        )
        catalog.adopt([gone, stays])
        for archive in (gone, stays):
            catalog.mark(archive.id, ArchiveState.TRASHED)
        catalog.forget(gone.id)
        catalog.mark(stays.id, ArchiveState.DAMAGED)
        before = table.days(TODAY, TODAY + 9 * DAY)
        assert [(one.day, one.archives) for one in before] == [(TODAY, 1), (TODAY + DAY, 1)]

        for _ in range(2):
            catalog.replace([stays, found])
            assert table.days(TODAY, TODAY + DAY) == before
            assert [one.archives for one in table.days(TODAY, TODAY + 9 * DAY)] == [1, 1, 1]

    def test_of_several_profiles_it_says_on_which_days_something_came(
        self, catalog: Catalog, table: ArrivalTable
    ) -> None:
        """And whether a FULL did, whatever else came that day."""
        came = [
            make_archive("f.tar.gz", profile="web"),
            make_archive("i.tar.gz", profile="web", type=INC),
            make_archive("j.tar.gz", profile="web", type=INC, received_at=NOON + DAY),
            make_archive("a.tar.gz", profile="laptop", type=BackupType.DIFF, received_at=NOON + 2 * DAY),
            make_archive("b.tar.gz", profile="other"),
        ]
        catalog.adopt(came)

        assert table.came_to(["web", "laptop", "nobody"], TODAY, TODAY + 2 * DAY) == {
            "web": {TODAY: True, TODAY + DAY: False},
            "laptop": {TODAY + 2 * DAY: False},
        }
        assert table.came_to(["web", "laptop"], TODAY + DAY, TODAY + DAY) == {"web": {TODAY + DAY: False}}
        assert table.came_to([], TODAY, TODAY + DAY) == {}

    def test_sizes_are_added_up_by_profile(self, catalog: Catalog, table: ArrivalTable) -> None:
        """Of those that were asked for, over the days that were, both ends included."""
        for number, profile in enumerate(("web", "web", "laptop", "old")):
            at = NOON - (10 * DAY if profile == "old" else number * DAY)
            archive = evolve(make_archive(f"{number}.tar.gz", profile=profile, received_at=at), size_bytes=10**number)
            catalog.claim(archive, LEASE)
            confirm(catalog, archive)

        assert table.sizes(["web", "laptop", "old", "nobody"], TODAY - 2 * DAY, TODAY) == {"web": 11, "laptop": 100}
        assert table.sizes(["laptop"], TODAY - 2 * DAY, TODAY) == {"laptop": 100}
        assert table.sizes([], TODAY - 2 * DAY, TODAY) == {}
        assert table.sizes(["web"], TODAY + DAY, TODAY + DAY) == {}
