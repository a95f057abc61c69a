"""What every `StatusTable` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.upkeep.statuses import StatusTable
from tarkeep.domain.watching.kept_status import KeptStatus, StatusFilter
from tarkeep.domain.watching.light import Concern, ConcernKind, Light
from tarkeep.domain.watching.slots import Absence
from tests.support.archives import NOON, make_archive

HOUR = timedelta(hours=1)
STAMP = "stamp"


def status(profile: str, version: int) -> KeptStatus:
    concern = Concern(ConcernKind.OVERDUE, Light.RED, "an archive was to come", "any")
    return KeptStatus(profile, version, STAMP, NOON, NOON + HOUR, NOON, None, 3, 10**12, 2, True, False, (concern,))


class StatusTableContract:
    """A *table* over the profiles of the *catalog*."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        raise NotImplementedError

    @pytest.fixture
    def table(self, catalog: Catalog) -> StatusTable:
        raise NotImplementedError

    def test_a_profile_is_due_until_its_status_is_kept(self, catalog: Catalog, table: StatusTable) -> None:
        catalog.adopt([make_archive(profile="a"), make_archive(profile="b")])
        due = table.due(STAMP, NOON, limit=10)
        assert [profile for profile, _ in due] == ["a", "b"]
        assert table.due(STAMP, NOON, limit=1) == due[:1]

        kept = [status(profile, version) for profile, version in due]
        table.keep(kept)

        assert table.due(STAMP, NOON, limit=10) == []
        assert [evolve(one, concerns=()) for one in table.all()] == [evolve(one, concerns=()) for one in kept]
        assert [concern.text for one in table.all() for concern in one.concerns] == ["an archive was to come"] * 2

    def test_it_is_due_again_when_something_changed(self, catalog: Catalog, table: StatusTable) -> None:
        """Its archives, what the stamp stands for, or the time."""
        catalog.adopt([make_archive(profile="a")])
        ((profile, version),) = table.due(STAMP, NOON, limit=10)
        table.keep([status(profile, version)])

        assert table.due("another", NOON, limit=10) == [(profile, version)]
        assert table.due(STAMP, NOON + HOUR, limit=10) == [(profile, version)]
        catalog.mark(make_archive(profile="a").id, ArchiveState.DAMAGED)
        ((again, newer),) = table.due(STAMP, NOON, limit=10)
        assert (again, newer > version) == (profile, True)
        table.keep([status(profile, newer)])
        table.forget([profile])
        assert table.due(STAMP, NOON, limit=10) == [(profile, newer)]
        assert table.all() == []

    def test_a_profile_without_archives_is_gone(self, catalog: Catalog, table: StatusTable) -> None:
        catalog.adopt([make_archive(profile="a")])
        table.keep([status("a", 1)])
        assert table.gone() == []
        catalog.mark(make_archive(profile="a").id, ArchiveState.TRASHED)

        assert table.gone() == ["a"]
        assert table.due(STAMP, NOON, limit=10) == []

    def test_a_catalog_made_anew_has_no_statuses(self, catalog: Catalog, table: StatusTable) -> None:
        """The versions of its profiles begin anew."""
        catalog.adopt([make_archive(profile="a")])
        ((profile, version),) = table.due(STAMP, NOON, limit=10)
        table.keep([status(profile, version)])
        catalog.replace([make_archive(profile="a")])
        assert [profile for profile, _ in table.due(STAMP, NOON, limit=10)] == ["a"]

    def test_its_mark_is_another_one_after_a_change(self, catalog: Catalog, table: StatusTable) -> None:
        """Of the archives or of what is kept; that of one profile changes with that profile alone."""
        marks = [(table.mark(), table.mark("a"))]
        changes: list[Callable[[], object]] = [
            lambda: catalog.adopt([make_archive(profile="a")]),
            lambda: table.keep([status("a", 1)]),
            lambda: table.keep([evolve(status("a", 1), worked_out_at=NOON + HOUR)]),
            lambda: catalog.mark(make_archive(profile="a").id, ArchiveState.DAMAGED),
            lambda: table.forget(["a"]),
        ]
        for change in changes:
            change()
            marks.append((table.mark(), table.mark("a")))
            assert marks[-1] == (table.mark(), table.mark("a"))
        assert [len(set(kind)) for kind in zip(*marks, strict=True)] == [6, 6]

        catalog.adopt([make_archive(profile="b")])
        assert table.mark() != marks[-1][0]
        assert table.mark("a") == marks[-1][1]

    def test_absences_are_kept_in_order(self, catalog: Catalog, table: StatusTable) -> None:
        later, earlier = Absence(NOON + HOUR, NOON + 2 * HOUR), Absence(NOON, NOON + HOUR / 2)
        table.note_absence(later)
        table.note_absence(earlier)
        assert table.absences() == [earlier, later]
        longer = Absence(NOON, NOON + HOUR / 3)
        table.note_absence(longer)
        catalog.replace([])
        assert table.absences() == [longer, later]
        for number in range(120):
            table.note_absence(Absence(NOON + (3 + 2 * number) * HOUR, NOON + (4 + 2 * number) * HOUR))
        assert len(table.absences()) == 100

    def test_of_some_profiles_only_those_are_due(self, catalog: Catalog, table: StatusTable) -> None:
        catalog.adopt([make_archive(profile=name) for name in "abc"])

        due = table.due(STAMP, NOON, limit=10, profiles=frozenset({"c", "a", "nobody"}))
        assert [profile for profile, _ in due] == ["a", "c"]
        assert table.due(STAMP, NOON, limit=1, profiles=frozenset({"c"}))[0][0] == "c"
        assert table.due(STAMP, NOON, limit=10, profiles=frozenset()) == []

    def test_statuses_are_counted_and_read_by_light(self, table: StatusTable) -> None:
        """Of all profiles or of some, with some left out, with a text in the name; each by profile, page by page."""
        reds = [status(name, 1) for name in ("web-1", "Web-2", "db")]
        greens = [evolve(status(name, 1), concerns=()) for name in ("web-3", "mail")]
        table.keep([*greens, *reds])

        def named(light: Light, asked: StatusFilter, start: int = 0, limit: int = 9) -> list[str]:
            return [one.profile for one in table.with_light(light, asked, start=start, limit=limit)]

        all = StatusFilter()
        assert table.count_lights(all) == {Light.RED: 3, Light.GREEN: 2}
        assert named(Light.RED, all) == ["Web-2", "db", "web-1"]
        assert named(Light.RED, all, 1, 1) == ["db"]
        assert named(Light.RED, all, 3) == named(Light.YELLOW, all) == []
        assert table.with_light(Light.GREEN, all, limit=9) == sorted(greens, key=lambda one: one.profile)
        web = StatusFilter(text="web-")
        assert (table.count_lights(web), named(Light.RED, web)) == ({Light.RED: 1, Light.GREEN: 1}, ["web-1"])
        some = StatusFilter(frozenset({"db", "web-1", "web-3", "nobody"}), without=frozenset({"web-1"}))
        assert (table.count_lights(some), named(Light.RED, some)) == ({Light.RED: 1, Light.GREEN: 1}, ["db"])
        for nothing in (
            StatusFilter(frozenset()),
            *(StatusFilter(text=text) for text in ("%", "_", "\0", "\udcff", "ß")),
        ):
            assert (table.count_lights(nothing), named(Light.RED, nothing), table.oldest_look(nothing)) == (
                {},
                [],
                None,
            )

    def test_what_was_looked_at_too_long_ago_is_grey(self, table: StatusTable) -> None:
        """Together with what is grey anyway; without such a time all counts as it is kept."""
        unknown = Concern(ConcernKind.UNKNOWN, Light.GREY, "nothing is known")
        old = evolve(status("b", 1), worked_out_at=NOON - HOUR)
        grey = evolve(status("c", 1), concerns=(unknown,))
        table.keep([old, grey, status("a", 1)])

        since = StatusFilter(known_since=NOON)
        assert table.count_lights(since) == {Light.RED: 1, Light.GREY: 2}
        assert table.count_lights(StatusFilter()) == {Light.RED: 2, Light.GREY: 1}
        assert [one.profile for one in table.with_light(Light.GREY, since, limit=9)] == ["b", "c"]
        assert [one.profile for one in table.with_light(Light.GREY, since, start=1, limit=9)] == ["c"]
        assert [one.profile for one in table.with_light(Light.RED, since, limit=9)] == ["a"]
        assert table.oldest_look(since) == NOON - HOUR
        assert table.oldest_look(StatusFilter(without=frozenset({"b"}))) == NOON
