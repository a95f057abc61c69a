"""What every `Figures` and every `Tally` promises."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.chains.kept_links import NewLink
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.neighbours import Asked
from tarkeep.domain.chains.standing import Fidelity, Obstacle, ObstacleKind, Standing
from tarkeep.domain.comparing.fit import Completeness
from tarkeep.domain.drills.drill import Drill, DrillKind, DrillOutcome, DrillReport, DrillWay
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.upkeep.drills import DrillTable
from tarkeep.domain.ports.upkeep.figures import Figures, Tally
from tarkeep.domain.ports.upkeep.scrubs import ScrubTable
from tarkeep.domain.watching.figures import ProfileFigures
from tests.support.archives import NOON, make_archive
from tests.support.claims import LEASE

DAY = timedelta(days=1)


def standing(length: int, id: ArchiveId) -> Standing:
    """That of an archive that needs *length* archives; from four on it does not restore."""
    lacking = (Obstacle(ObstacleKind.MISSING_PARENT, id, "as drawn"),) if length > 3 else ()
    return Standing(length, 9, Fidelity.EXACT, Evidence.PROVEN, "", Completeness.WHOLE, len(lacking), lacking, ())


class FiguresContract:
    """The *figures* of a *catalog*, and the *table* of what was read in it."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        raise NotImplementedError

    @pytest.fixture
    def table(self, catalog: Catalog) -> ScrubTable:
        raise NotImplementedError

    @pytest.fixture
    def drills(self, catalog: Catalog) -> DrillTable:
        raise NotImplementedError

    @pytest.fixture
    def figures(self, catalog: Catalog) -> Figures:
        raise NotImplementedError

    def test_an_empty_catalog_has_none(self, figures: Figures) -> None:
        assert (figures.of_profiles(), figures.unsettled(10)) == ([], [])

    def test_each_profile_has_its_own(self, catalog: Catalog, figures: Figures) -> None:
        """In the order of names; of other profiles nothing is counted."""
        web = [
            make_archive(f"{name}.tar.gz", profile="web", received_at=NOON + DAY * day) for day, name in enumerate("ab")
        ]
        lap = make_archive("a.tar.gz", profile="laptop", received_at=NOON)
        catalog.adopt([*web, lap])

        laptop, other = figures.of_profiles()

        assert (laptop.profile, laptop.archives, laptop.size_bytes) == ("laptop", 1, lap.size_bytes)
        assert (other.profile, other.archives, other.size_bytes) == ("web", 2, sum(one.size_bytes for one in web))
        assert (laptop.received_at, other.received_at) == (NOON, NOON + DAY)

    def test_what_is_not_worked_out_is_not_known_to_restore(self, catalog: Catalog, figures: Figures) -> None:
        catalog.adopt([make_archive("a.tar.gz", profile="web"), make_archive("a.tar.gz", profile="laptop")])

        assert [(one.restorable_at, one.chain_archives) for one in figures.of_profiles()] == [(None, None)] * 2
        assert sorted(figures.unsettled(10)) == ["laptop", "web"]
        assert len(figures.unsettled(1)) == 1

    def test_the_newest_that_restores_counts_with_all_it_needs(self, catalog: Catalog, figures: Figures) -> None:
        """By its receipt: the fourth does not restore."""
        archives = [make_archive(f"{day}.tar.gz", received_at=NOON + DAY * day) for day in range(4)]
        catalog.adopt(archives)
        parents = [None, *(archive.id for archive in archives)]
        catalog.keep_links(
            "document",
            catalog.link_state("document").version,
            "by the rules",
            [
                NewLink(
                    archive.id,
                    Link(archive.id, parent, Evidence.PROVEN, "as drawn"),
                    Asked(),
                    standing(day + 1, archive.id),
                )
                for day, (archive, parent) in enumerate(zip(archives, parents, strict=False))
            ],
        )

        (found,) = figures.of_profiles()

        assert (found.restorable_at, found.chain_archives) == (NOON + DAY * 2, 3)
        assert (found.received_at, found.archives, figures.unsettled(10)) == (NOON + DAY * 3, 4, [])

    def test_every_change_of_a_profile_gives_it_another_version(self, catalog: Catalog, figures: Figures) -> None:
        first, second = (make_archive(f"{name}.tar.gz") for name in "ab")
        seen = []
        for change in (
            lambda: catalog.adopt([first]),
            lambda: catalog.adopt([second]),
            lambda: catalog.mark(first.id, ArchiveState.DAMAGED),
            lambda: catalog.mark(first.id, ArchiveState.TRASHED),
        ):
            change()
            seen.append(self._only(figures).version)

        assert len(set(seen)) == 4

    def test_damage_is_counted_and_what_is_in_the_trash_is_not(self, catalog: Catalog, figures: Figures) -> None:
        archives = [make_archive(f"{name}.tar.gz", received_at=NOON + DAY * day) for day, name in enumerate("abc")]
        catalog.adopt(archives)
        catalog.mark(archives[0].id, ArchiveState.DAMAGED)
        catalog.mark(archives[2].id, ArchiveState.TRASHED)

        found = self._only(figures)

        assert (found.archives, found.damaged, found.received_at) == (2, 1, NOON + DAY)
        assert found.known_right_at == NOON + DAY  # the damaged one is not known to be right at all

    def test_a_profile_that_lost_all_is_gone(self, catalog: Catalog, figures: Figures) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        catalog.mark(archive.id, ArchiveState.TRASHED)
        assert figures.of_profiles() == []

    def test_a_claim_does_not_count(self, catalog: Catalog, figures: Figures) -> None:
        catalog.claim(make_archive(), LEASE)
        assert figures.of_profiles() == []

    def test_the_archive_that_was_read_longest_ago_counts(
        self, catalog: Catalog, table: ScrubTable, figures: Figures
    ) -> None:
        """One that was never read counts from its receipt."""
        archives = [make_archive(f"{name}.tar.gz", received_at=NOON + DAY * day) for day, name in enumerate("ab")]
        catalog.adopt(archives)
        assert self._only(figures).known_right_at == NOON
        table.note(archives[0], NOON + DAY * 9)
        assert self._only(figures).known_right_at == NOON + DAY
        table.note(archives[1], NOON + DAY * 8)
        assert self._only(figures).known_right_at == NOON + DAY * 8

    def test_a_profile_with_nothing_but_damage_is_right_since_never(self, catalog: Catalog, figures: Figures) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        catalog.mark(archive.id, ArchiveState.DAMAGED)
        assert self._only(figures).known_right_at is None

    def test_the_last_drill_that_was_equal_counts(self, catalog: Catalog, drills: DrillTable, figures: Figures) -> None:
        """One that was different or is under way changes nothing, nor does a rehearsal; a part is not a whole point."""
        archive = make_archive()
        catalog.adopt([archive])
        assert (self._only(figures).drilled_at, self._only(figures).restore_seconds) == (None, None)
        for number, (kind, outcome, folders) in enumerate(
            (
                (DrillKind.DRILL, DrillOutcome.EQUAL, ()),
                (DrillKind.DRILL, DrillOutcome.DIFFERENT, ()),
                (DrillKind.REHEARSAL, DrillOutcome.EQUAL, ()),
                (DrillKind.DRILL, DrillOutcome.OPEN, ()),
            )
        ):
            self._drilled(drills, archive.id, number, kind, outcome, folders)
        whole = self._only(figures)
        self._drilled(drills, archive.id, 9, DrillKind.DRILL, DrillOutcome.EQUAL, (b"a",))
        part = self._only(figures)

        assert (whole.drilled_at, whole.restore_seconds) == (NOON, 2.5)
        assert (part.drilled_at, part.restore_seconds) == (NOON + DAY * 9, None)

    @staticmethod
    def _drilled(
        table: DrillTable,
        point: ArchiveId,
        day: int,
        kind: DrillKind,
        outcome: DrillOutcome,
        folders: tuple[bytes, ...],
    ) -> None:
        begun = Drill(f"d{day}", kind, point, 0, DrillWay.PLAN, (), NOON, folders=folders)
        table.begin(begun)
        if outcome is not DrillOutcome.OPEN:
            table.end(begun.ended(outcome, NOON + DAY * day, DrillReport(seconds=2.5)))

    @staticmethod
    def _only(figures: Figures) -> ProfileFigures:
        (found,) = figures.of_profiles()
        return found


class TallyContract:
    """An empty *tally*."""

    @pytest.fixture
    def tally(self) -> Tally:
        raise NotImplementedError

    def test_nothing_is_counted_at_first(self, tally: Tally) -> None:
        assert (dict(tally.uploads()), tally.read_bytes()) == ({}, 0)

    def test_outcomes_are_counted_apart(self, tally: Tally) -> None:
        for outcome in ("new", "refused", "new"):
            tally.received(outcome)
        assert dict(tally.uploads()) == {"new": 2, "refused": 1}

    def test_what_was_told_does_not_change(self, tally: Tally) -> None:
        before = tally.uploads()
        tally.received("new")
        assert dict(before) == {}

    def test_threads_lose_nothing(self, tally: Tally) -> None:
        def count() -> None:
            for _ in range(2000):
                tally.read(3)
                tally.received("new")

        threads = [Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (tally.read_bytes(), dict(tally.uploads())) == (24_000, {"new": 8000})
