"""
Links that are kept and renewed after changes, compared with all links worked out at once.

Archives arrive in any order, late ones too, with parents that are proven, declared, inferred or missing; they become
damaged, are repaired, trashed and brought back, and get snapshot files; rules change; the catalog is lost. Some of this
happens while links are being worked out.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.process.turns import ProcessTurns
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.chains.links import base_types, link_archives
from tarkeep.domain.chains.points import RestorePoint, restore_points
from tarkeep.domain.chains.seen import CLEAR, Seen
from tarkeep.domain.chains.standing import PlacedArchive
from tarkeep.domain.comparing.fit import Agreement, Compatibility, Renamed
from tarkeep.domain.comparing.untroubled import alone
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.profiles.rules import IncBase, ProfileRules, RuleBook
from tarkeep.domain.usecases.linking.compare import EnoughCompared, has_listings
from tarkeep.domain.usecases.linking.profile_links import ProfileLinks
from tarkeep.domain.usecases.restoring.load_points import LoadPoints, ProfilePoints
from tests.support.archives import NOON
from tests.support.assembled import InMemory, NothingSeen
from tests.support.claims import LEASE, confirm

PROFILE = "laptop"
NAMES = [f"{letter}.tar.gz".rjust(8, "a") for letter in "abcd"]

ids = st.builds(ArchiveId, st.just(PROFILE), st.sampled_from(BackupType), st.sampled_from(NAMES))
moments = st.integers(0, 4).map(lambda day: NOON + timedelta(days=day))
digests = st.sampled_from([None, "1" * 64, "2" * 64])
lineages = st.builds(
    Lineage,
    parent=st.none() | st.tuples(st.sampled_from(BackupType), st.sampled_from(NAMES)),
    snapshot_before=digests,
    snapshot_after=digests,
)


@st.composite
def archives(draw: st.DrawFn) -> BackupArchive:
    id = draw(ids)
    kind = draw(st.sampled_from([Kind.INCREMENTAL, Kind.INCREMENTAL, Kind.INCREMENTAL, Kind.PLAIN, Kind.OPAQUE]))
    has_unchanged = kind is Kind.INCREMENTAL and draw(st.booleans())
    # A name that returns after a rebuild may be another archive.
    sha256 = f"{draw(st.integers(0, 3))}{id.type.value[0]}{id.name[-8]}".encode().hex().ljust(64, "0")
    return BackupArchive(
        id,
        draw(st.integers(1, 9)),
        Digests("0" * 32, sha256),
        draw(moments),
        draw(moments),
        Contents(kind, 3, 10_240, None, has_unchanged, draw(st.sampled_from([(), ("a",), ("b",)]))),
        lineage=draw(lineages),
    )


def fit_by_digest(child: BackupArchive, parent: BackupArchive) -> Compatibility:
    """A fit that depends only on the bytes of the two, like a real one."""
    if not (has_listings(child) and has_listings(parent)):
        return Compatibility(Agreement.UNKNOWN)
    number = sum(map(int, (child.digests.sha256 + parent.digests.sha256)[::2].translate(_DIGITS)))
    renamed = (Renamed.NOTHING, Renamed.FOUND, Renamed.IN_VAIN)[number % 5 % 3]
    if number % 3:
        return Compatibility(Agreement.FITS, unsound="" if number % 5 else "it is not", renamed=renamed)
    return Compatibility(Agreement.CONTRADICTS, number, (b"r/a",), renamed=renamed)


_DIGITS = {ord(letter): str(ord(letter) % 10) for letter in "abcdef"}


def carries_by_digest(archive: BackupArchive, _paths: tuple[bytes, ...]) -> bool:
    """True for half of all archives."""
    return sum(map(int, archive.digests.sha256.translate(_DIGITS))) % 2 == 0


def overruled_by_digest(child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
    """A quarter of all comparable archives overrule."""
    if not (has_listings(child) and has_listings(between)):
        return ()
    number = sum(
        map(int, (child.digests.sha256 + between.digests.sha256 + base.digests.sha256)[1::2].translate(_DIGITS))
    )
    return (b"r/a",) if number % 4 == 0 else ()


def seen_by_digests(path: Sequence[BackupArchive]) -> Seen:
    """A result that depends on every archive of a path, and on their order."""
    number = sum(at * int(archive.digests.sha256[:4], 16) for at, archive in enumerate(path, 1))
    return Seen("all is lost" if number % 7 == 0 else "", number % 3)


class SeenByPath(NothingSeen):
    """Gives the result of `seen_by_digests`."""

    def __call__(
        self, place: PlacedArchive, parent: PlacedArchive | None, path: Callable[[], Sequence[BackupArchive]]
    ) -> Seen:
        assert place.standing is not None
        return CLEAR if place.standing.obstructions else seen_by_digests(path())


@define
class Watched:
    """Compares like `fit_by_digest`, after running *meanwhile*; *unreadable* archives cannot be compared."""

    meanwhile: list[Callable[[], None]]
    unreadable: set[str]
    allowed: int | None = None
    is_certain: bool = True

    def __call__(self, child: BackupArchive, parent: BackupArchive) -> Compatibility:
        return fit_by_digest(child, parent) if self._look_at(child, parent) else Compatibility(Agreement.UNKNOWN)

    def overruled(self, child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
        return overruled_by_digest(child, between, base) if self._look_at(child, between) else ()

    def alone(self, archive: BackupArchive) -> Compatibility:
        return alone("")

    def carries(self, archive: BackupArchive, paths: tuple[bytes, ...]) -> bool:
        if archive.digests.sha256 in self.unreadable:
            self.is_certain = False
            return True
        return carries_by_digest(archive, paths)

    def _look_at(self, child: BackupArchive, other: BackupArchive) -> bool:
        """Whether the two could be read."""
        while self.meanwhile:
            self.meanwhile.pop()()
        if self.allowed is not None:
            if not self.allowed:
                raise EnoughCompared
            self.allowed -= 1
        if other.digests.sha256 in self.unreadable and has_listings(child) and has_listings(other):
            self.is_certain = False
            return False
        return True


class LinksMachine(RuleBasedStateMachine):
    """Subclasses make the catalog."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.entries: dict[ArchiveId, BackupArchive] = {}
        self.meanwhile: list[Callable[[], None]] = []
        self.unreadable: set[str] = set()
        self.inc_base = IncBase.LAST_INC_OR_FULL
        self.memory = InMemory()

    def make_catalog(self) -> Catalog:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.catalog = self.make_catalog()

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            self.catalog.close()
        self.cleanup.close()

    @property
    def book(self) -> RuleBook:
        return RuleBook((("*", ProfileRules(self.inc_base)),))

    @property
    def links(self) -> ProfileLinks:
        def comparing(_members: object, allowed: int | None = None) -> Watched:
            return Watched(self.meanwhile, self.unreadable, allowed)

        members = self.memory.tarkeep.members
        return ProfileLinks(
            self.catalog,
            members,
            self.book,
            ProcessTurns(),
            comparing=comparing,  # type: ignore[arg-type]  # it compares
            seeing=SeenByPath,
        )

    @property
    def points(self) -> ProfilePoints:
        return LoadPoints(self.catalog, self.links, self.book)(PROFILE)

    # -- what happens --

    def arrive(self, archive: BackupArchive) -> None:
        if archive.id not in self.entries:
            self.catalog.claim(archive, LEASE)
            confirm(self.catalog, archive)
            self.entries[archive.id] = archive

    def mark(self, id: ArchiveId, state: ArchiveState) -> None:
        if id in self.entries:
            self.catalog.mark(id, state)
            self.entries[id] = evolve(self.entries[id], state=state)

    @rule(archive=archives())
    def an_archive_arrives(self, archive: BackupArchive) -> None:
        self.arrive(archive)

    @rule(archive=archives())
    def an_archive_arrives_and_is_placed(self, archive: BackupArchive) -> None:
        is_undisturbed = archive.id not in self.entries and not self.unreadable and not self.meanwhile
        self.arrive(archive)
        place = self.links.place(self.entries[archive.id])
        if is_undisturbed and place is not None:
            assert place.link == {point.archive.id: point.link for point in self.expected()}[archive.id]

    @rule(found=st.lists(archives(), max_size=5))
    def archives_are_found(self, found: list[BackupArchive]) -> None:
        self.catalog.adopt(found)
        for archive in found:
            self.entries.setdefault(archive.id, archive)

    @rule(found=st.lists(archives(), max_size=8))
    def the_catalog_is_rebuilt(self, found: list[BackupArchive]) -> None:
        self.catalog.replace(found)
        self.entries = {}
        for archive in found:
            self.entries.setdefault(archive.id, archive)

    @rule(id=ids, state=st.sampled_from(ArchiveState))
    def an_archive_is_marked(self, id: ArchiveId, state: ArchiveState) -> None:
        self.mark(id, state)

    @precondition(lambda self: any(one.state is not ArchiveState.TRASHED for one in self.entries.values()))
    @rule(choose=st.data(), sha256=st.sampled_from(["1" * 64, "2" * 64, "3" * 64]))
    def a_snapshot_file_is_kept(self, choose: st.DataObject, sha256: str) -> None:
        listed = sorted(id for id, one in self.entries.items() if one.state is not ArchiveState.TRASHED)
        id = choose.draw(st.sampled_from(listed))
        self.catalog.note_snapshot(id, sha256)
        was = self.entries[id]
        self.entries[id] = evolve(was, has_snapshot=True, lineage=evolve(was.lineage, snapshot_after=sha256))

    @rule(inc_base=st.sampled_from(IncBase))
    def the_rules_change(self, inc_base: IncBase) -> None:
        self.inc_base = inc_base

    @rule()
    def links_are_worked_out(self) -> None:
        self.links.update(PROFILE)

    @rule(archive=archives())
    def an_archive_arrives_meanwhile(self, archive: BackupArchive) -> None:
        self.meanwhile.append(lambda: self.arrive(archive))
        self.links.update(PROFILE)

    @rule(id=ids, state=st.sampled_from(ArchiveState))
    def an_archive_is_marked_meanwhile(self, id: ArchiveId, state: ArchiveState) -> None:
        self.meanwhile.append(lambda: self.mark(id, state))
        self.links.update(PROFILE)

    @precondition(lambda self: self.entries)
    @rule(choose=st.data())
    def an_archive_cannot_be_read_for_a_while(self, choose: st.DataObject) -> None:
        self.unreadable.add(self.entries[choose.draw(st.sampled_from(sorted(self.entries)))].digests.sha256)
        self.links.update(PROFILE)

    @rule()
    def everything_can_be_read_again(self) -> None:
        self.unreadable.clear()

    # -- answers after that --

    def expected(self) -> tuple[RestorePoint, ...]:
        """All points worked out at once."""
        links = link_archives(
            self.entries.values(), ProfileRules(self.inc_base), fit_by_digest, overruled_by_digest, carries_by_digest
        )
        points = restore_points(self.entries.values(), links)
        seen = {one.archive.id: seen_by_digests(one.archives) for one in points if not one.standing.obstructions}
        return restore_points(self.entries.values(), links, seen)

    @precondition(lambda self: not self.unreadable and not self.meanwhile)
    @rule(limit=st.integers(1, 4))
    def places_are_those_worked_out_at_once(self, limit: int) -> None:
        """By pages, one by one, and as paths."""
        expected = self.expected()
        if not expected:
            return
        walked: list[PlacedArchive] = []
        cursor = None
        while True:
            page = self.points.page(cursor, limit)
            walked += page.places
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [(one.archive, one.link, one.standing) for one in walked] == [
            (point.archive, point.link, point.standing) for point in expected
        ]
        assert self.points.all() == expected
        for point in expected:
            alone = self.points.point(point.archive.id)
            assert (alone.standing, alone.obstacles) == (point.standing, point.obstacles)
            if point.is_restorable:
                assert alone.path == point.path

    @precondition(lambda self: not self.unreadable and not self.meanwhile)
    @rule(type=st.sampled_from(BackupType), before=st.none() | moments, with_snapshot=st.booleans())
    def the_next_dump_continues_from_the_newest_that_restores(
        self, type: BackupType, before: datetime | None, with_snapshot: bool
    ) -> None:
        fitting = [
            point.archive.id
            for point in self.expected()
            if point.archive.id.type in base_types(type, ProfileRules(self.inc_base))
            and point.is_restorable
            and (before is None or point.archive.placed_at < before)
            and (point.archive.has_snapshot or not with_snapshot)
            and not point.archive.is_dated_ahead
        ]
        found = self.points.base(type, before, with_snapshot=with_snapshot)
        assert (found and found.archive.id) == (fitting[-1] if fitting else None)

    @invariant()
    def what_is_not_pending_is_right(self) -> None:
        """Whatever happened, a kept link that is not pending equals one worked out from scratch."""
        if not hasattr(self, "catalog") or self.unreadable:
            return
        state = self.catalog.link_state(PROFILE)
        if state.rules is None or not state.rules.endswith(f" {self.inc_base.value}"):
            return
        expected = {point.archive.id: point for point in self.expected()}
        pending = {place.archive.id for place in self.catalog.pending(PROFILE, 1000)}
        for place in self.catalog.places(PROFILE, limit=1000).places:
            if place.archive.id not in pending:
                assert place.link == expected[place.archive.id].link
            if place.standing is not None and not state.has_pending:
                assert place.standing == expected[place.archive.id].standing


class MemoryLinksMachine(LinksMachine):
    def make_catalog(self) -> Catalog:
        return MemoryCatalog()


class SqlLinksMachine(LinksMachine):
    def make_catalog(self) -> Catalog:
        place = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        return SqlCatalog.open(f"sqlite:///{Path(place) / 'catalog.sqlite'}")


TestMemoryLinks = MemoryLinksMachine.TestCase
TestMemoryLinks.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestSqlLinks = SqlLinksMachine.TestCase
TestSqlLinks.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("machine", [MemoryLinksMachine, SqlLinksMachine])
def test_a_circle_is_settled_as_one_when_what_was_unreadable_can_be_read(machine: type[LinksMachine]) -> None:
    """No standing in the circle follows from itself."""
    state = machine()
    state.start()
    try:
        contents = Contents(Kind.INCREMENTAL, 3, 10_240, None, has_unchanged=False)
        inc, diff = (ArchiveId(PROFILE, type, "aa.tar.gz") for type in (BackupType.INC, BackupType.DIFF))
        state.archives_are_found(
            [
                BackupArchive(
                    inc, 1, Digests("0" * 32, "a" * 64), NOON, NOON, contents, lineage=Lineage(None, "1" * 64)
                ),
                BackupArchive(
                    diff,
                    1,
                    Digests("0" * 32, "c" * 64),
                    NOON,
                    NOON,
                    contents,
                    lineage=Lineage((inc.type, inc.name), None, "1" * 64),
                ),
            ]
        )
        state.unreadable.add("c" * 64)
        state.links_are_worked_out()
        state.unreadable.clear()
        state.places_are_those_worked_out_at_once(1)
        state.what_is_not_pending_is_right()
    finally:
        state.teardown()


def test_concurrent_callers_wait_for_the_first_comparison() -> None:
    """The links are worked out once; the other threads find them done."""
    catalog, turns, begun, go_on = MemoryCatalog(), ProcessTurns(), threading.Event(), threading.Event()
    contents = Contents(Kind.INCREMENTAL, 3, 10_240, None, has_unchanged=True)
    names = [(BackupType.INC if number else BackupType.FULL, f"a{number}.tar.gz") for number in range(9)]
    catalog.adopt(
        [
            BackupArchive(ArchiveId(PROFILE, *name), 1, Digests("0" * 32, f"{at:064}"), NOON, NOON, contents)
            for at, name in enumerate(names)
        ]
    )
    compared: list[tuple[str, str]] = []

    @define
    class Slow:
        is_certain: bool = True

        def __call__(self, child: BackupArchive, parent: BackupArchive) -> Compatibility:
            begun.set()
            go_on.wait(60)
            compared.append((child.id.name, parent.id.name))
            return Compatibility(Agreement.FITS)

        def overruled(self, *_: BackupArchive) -> tuple[bytes, ...]:
            return ()

        def alone(self, _archive: BackupArchive) -> Compatibility:
            return alone("")

        def carries(self, _archive: BackupArchive, _paths: tuple[bytes, ...]) -> bool:
            return True

    book = RuleBook((("*", ProfileRules()),))
    links = ProfileLinks(
        catalog,
        InMemory().tarkeep.members,
        book,
        turns,
        comparing=lambda *_: Slow(),  # type: ignore[arg-type]  # it compares
        seeing=NothingSeen,
    )
    load = LoadPoints(catalog, links, book)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(lambda: load(PROFILE).all())
        assert begun.wait(60)
        others = [pool.submit(lambda: load(PROFILE).all()) for _ in range(3)]
        go_on.set()
        assert all(other.result() == first.result() for other in others)

    assert len(compared) == len(set(compared)) == len(names) - 1
