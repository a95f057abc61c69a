"""What every `ScrubTable` promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.upkeep.scrubs import ScrubTable
from tarkeep.domain.scrubbing.findings import Fault
from tarkeep.domain.scrubbing.unread import FoundRight, LastChecked, Unread
from tests.support.archives import NOON, digests_of, make_archive
from tests.support.claims import LEASE, confirm

DAY = timedelta(days=1)


class ScrubTableContract:
    """A *table*, and the *catalog* whose archives it knows."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        raise NotImplementedError

    @pytest.fixture
    def table(self, catalog: Catalog) -> ScrubTable:
        raise NotImplementedError

    def test_what_was_never_read_was_known_to_be_right_when_it_was_received(
        self, catalog: Catalog, table: ScrubTable
    ) -> None:
        older = make_archive("a.tar.gz", received_at=NOON - DAY)
        newer = make_archive("b.tar.gz", received_at=NOON)
        catalog.adopt([newer, older])

        assert table.due(NOON + DAY, limit=10) == [Unread(older), Unread(newer)]
        assert table.due(NOON, limit=10) == [Unread(older)]
        assert table.due(NOON - DAY, limit=10) == []
        assert [table.count_due(NOON + DAY * days) for days in (-1, 0, 1)] == [0, 1, 2]

    def test_what_is_wanted_comes_first_and_then_what_was_read_longest_ago(
        self, catalog: Catalog, table: ScrubTable
    ) -> None:
        read, wanted, never = (make_archive(f"{name}.tar.gz", received_at=NOON) for name in ("r", "w", "n"))
        catalog.adopt([read, never, wanted])
        table.note(read, NOON - DAY)
        table.note(wanted, NOON + DAY, is_wanted=True)

        assert table.due(NOON + DAY, limit=10) == [
            Unread(wanted, NOON + DAY, is_wanted=True),
            Unread(read, NOON - DAY),
            Unread(never),
        ]
        assert table.due(NOON + DAY, limit=2) == [Unread(wanted, NOON + DAY, is_wanted=True), Unread(read, NOON - DAY)]
        assert table.due(NOON + DAY, limit=10, wanted_only=True) == [Unread(wanted, NOON + DAY, is_wanted=True)]

    def test_equal_times_have_a_fixed_order(self, catalog: Catalog, table: ScrubTable) -> None:
        """By profile, type and name, whenever they were entered."""
        archives = [
            make_archive("b.tar.gz", profile="db"),
            make_archive("a.tar.gz", profile="web", type=BackupType.DIFF),
            make_archive("a.tar.gz", profile="web", type=BackupType.INC),
            make_archive("b.tar.gz", profile="web", type=BackupType.INC),
        ]
        catalog.adopt(archives[::-1])

        assert [one.archive for one in table.due(NOON + DAY, limit=10)] == archives

    def test_a_read_is_noted_to_the_microsecond(self, catalog: Catalog, table: ScrubTable) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        moment = NOON + timedelta(microseconds=1)
        table.note(archive, moment)

        assert table.find(archive.id) == Unread(archive, moment)
        assert table.due(moment, limit=10) == []
        assert table.due(moment + timedelta(microseconds=1), limit=10) == [Unread(archive, moment)]

    def test_a_read_that_found_nothing_right_leaves_the_time(self, catalog: Catalog, table: ScrubTable) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        table.note(archive, NOON, is_wanted=True)
        table.note(archive, None)

        assert table.find(archive.id) == Unread(archive, NOON)

    def test_what_is_right_is_noted_together(self, catalog: Catalog, table: ScrubTable) -> None:
        """As each by itself; it is wanted no more."""
        archives = [make_archive(f"{letter}.tar.gz") for letter in "abc"]
        catalog.adopt(archives)
        table.note(archives[0], NOON - DAY, is_wanted=True, is_marked=True)
        first, second, third = archives
        table.note_right([FoundRight(first, NOON), FoundRight(second, NOON + DAY, is_marked=True)])
        table.note_right([])

        assert table.find(first.id) == Unread(first, NOON, is_marked=True)
        assert table.find(second.id) == Unread(second, NOON + DAY, is_marked=True)
        assert table.find(third.id) == Unread(third)

    def test_the_same_may_be_noted_again(self, catalog: Catalog, table: ScrubTable) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        for _ in range(2):
            table.note(archive, NOON)

        assert table.find(archive.id) == Unread(archive, NOON)

    def test_all_archives_or_those_of_a_profile_are_wanted(self, catalog: Catalog, table: ScrubTable) -> None:
        """Those in the trash are not; what is known of a read stays."""
        web, db = make_archive(profile="web"), make_archive(profile="db")
        gone = make_archive("gone.tar.gz", profile="web")
        catalog.adopt([web, db, gone])
        catalog.mark(gone.id, ArchiveState.TRASHED)
        catalog.claim(make_archive("claimed.tar.gz", profile="web"), LEASE)
        table.note(web, NOON)

        assert table.want("web") == 1
        assert table.due(NOON - DAY, limit=10) == [Unread(web, NOON, is_wanted=True)]
        assert table.want() == 2
        assert {one.archive for one in table.due(NOON - DAY, limit=10)} == {web, db}
        assert table.want("nobody") == table.want("../no profile") == 0

    def test_what_is_known_to_be_damaged_is_read_only_if_it_is_wanted(
        self, catalog: Catalog, table: ScrubTable
    ) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        catalog.mark(archive.id, ArchiveState.DAMAGED)
        damaged = evolve(archive, state=ArchiveState.DAMAGED)

        assert table.due(NOON + DAY, limit=10) == []
        assert table.count_due(NOON + DAY) == 0
        assert table.unread_since(NOON + DAY) == {}
        table.want()
        assert table.due(NOON + DAY, limit=10) == [Unread(damaged, is_wanted=True)]

    def test_what_was_noted_of_other_bytes_does_not_count(self, catalog: Catalog, table: ScrubTable) -> None:
        """A name that was removed and used again has not been read."""
        archive = make_archive()
        catalog.adopt([archive])
        table.note(evolve(archive, digests=digests_of(b"other bytes")), NOON + DAY, is_wanted=True)

        assert table.find(archive.id) == Unread(archive)
        assert table.want() == 1
        assert table.find(archive.id) == Unread(archive, is_wanted=True)
        table.note(archive, None)
        assert table.find(archive.id) == Unread(archive)

    def test_whether_it_had_marks_stays_known(self, catalog: Catalog, table: ScrubTable) -> None:
        """Until it is noted anew."""
        archive = make_archive()
        catalog.adopt([archive])
        table.note(archive, NOON, is_marked=True)
        table.want()
        assert table.find(archive.id) == Unread(archive, NOON, is_wanted=True, is_marked=True)
        table.note(archive, NOON)
        assert table.find(archive.id) == Unread(archive, NOON, is_marked=True)
        table.note(archive, NOON, is_marked=False)
        assert table.find(archive.id) == Unread(archive, NOON)

    def test_what_was_noted_of_the_same_bytes_before_they_were_removed_does_not_count(
        self, catalog: Catalog, table: ScrubTable
    ) -> None:
        """They are another archive, received at another time, and without the marks of the first one."""
        archive = make_archive()
        catalog.adopt([archive])
        table.note(evolve(archive, received_at=NOON - DAY), NOON, is_wanted=True, is_marked=True)

        assert table.find(archive.id) == Unread(archive)
        table.note(archive, None)
        assert table.find(archive.id) == Unread(archive)

    def test_what_is_unread_is_counted_by_profile(self, catalog: Catalog, table: ScrubTable) -> None:
        """Also if it is wanted: nobody has read it."""
        archives = [make_archive(f"{n}.tar.gz", profile=whose) for n, whose in enumerate(("db", "web", "web"))]
        read = make_archive("read.tar.gz", profile="mail")
        catalog.adopt([*archives, read])
        table.note(read, NOON + DAY)
        table.note(archives[0], None, is_wanted=True)

        assert table.unread_since(NOON + DAY) == {"db": 1, "web": 2}
        assert table.unread_since(NOON) == {}
        assert table.unread_since(NOON + DAY, profile="web") == {"web": 2}
        assert table.unread_since(NOON, profile="web") == table.unread_since(NOON + DAY, profile="nobody") == {}

    def test_reads_outlive_a_catalog_that_is_made_anew(self, catalog: Catalog, table: ScrubTable) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        table.note(archive, NOON)
        catalog.replace([archive])

        assert table.find(archive.id) == Unread(archive, NOON)

    def test_reads_of_archives_that_are_gone_are_forgotten(self, catalog: Catalog, table: ScrubTable) -> None:
        """Those of trashed ones stay, as they may come back."""
        stays, trashed, gone = (make_archive(f"{name}.tar.gz") for name in ("s", "t", "g"))
        catalog.adopt([stays, trashed, gone])
        for archive in (stays, trashed, gone):
            table.note(archive, NOON)
        for archive in (trashed, gone):
            catalog.mark(archive.id, ArchiveState.TRASHED)
        catalog.forget(gone.id)
        table.forget_gone()
        catalog.mark(trashed.id, ArchiveState.STORED)
        catalog.adopt([gone])

        assert table.find(stays.id) == Unread(stays, NOON)
        assert table.find(trashed.id) == Unread(trashed, NOON)
        assert table.find(gone.id) == Unread(gone)

    def test_only_stored_archives_are_found(self, catalog: Catalog, table: ScrubTable) -> None:
        archive = make_archive()
        catalog.claim(archive, LEASE)

        with pytest.raises(ArchiveNotFound):
            table.find(archive.id)
        confirm(catalog, archive)
        catalog.mark(archive.id, ArchiveState.TRASHED)
        with pytest.raises(ArchiveNotFound):
            table.find(archive.id)
        assert table.due(NOON + DAY, limit=10) == []

    def test_how_damage_showed_stays_known_until_it_is_right(self, catalog: Catalog, table: ScrubTable) -> None:
        """Of other archives, and of those that are not damaged, nothing is said; a note of the catalog is enough."""
        archive, other = make_archive("a.tar.gz"), make_archive("b.tar.gz", profile="db", type=BackupType.INC)
        catalog.adopt([archive, other])
        table.note(archive, NOON)
        catalog.mark(archive.id, ArchiveState.DAMAGED, Fault.LENGTH)
        unknown = make_archive("c.tar.gz").id

        found = table.checked([archive.id, other.id, unknown])
        table.note(archive, None, is_marked=True)
        catalog.mark(archive.id, ArchiveState.DAMAGED)
        again = table.checked([archive.id])
        catalog.mark(archive.id, ArchiveState.DAMAGED, Fault.MISSING)
        worse = table.checked([archive.id])
        catalog.mark(archive.id, ArchiveState.STORED)
        repaired = table.checked([archive.id])
        table.note(archive, NOON + DAY)
        catalog.mark(archive.id, ArchiveState.DAMAGED)

        assert found == {archive.id: LastChecked(NOON, Fault.LENGTH), other.id: LastChecked()}
        assert again == {archive.id: LastChecked(NOON, Fault.LENGTH)}
        assert worse == {archive.id: LastChecked(NOON, Fault.MISSING)}
        assert repaired == {archive.id: LastChecked(NOON)}
        assert table.checked([archive.id]) == {archive.id: LastChecked(NOON + DAY)}
        assert table.checked([]) == {}
