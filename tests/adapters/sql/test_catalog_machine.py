"""Random histories of a catalog against a model of two dictionaries, for every adapter."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.errors.archives import ArchiveNotFound, ClaimLost
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import AlreadyStored, Catalog, Claimed, ClaimedElsewhere
from tests.support.archives import NOON, make_archive
from tests.support.catalogs import all_archives, all_entries, recounted
from tests.support.claims import LEASE

PROFILES = ("db", "web", "Web")
NAMES = ("a.tar.gz".rjust(9, "a"), "ä.tar.gz", "B.tar.gz")

ids = st.builds(ArchiveId, st.sampled_from(PROFILES), st.sampled_from(BackupType), st.sampled_from(NAMES))
states = st.sampled_from(ArchiveState)


@st.composite
def archives(draw: st.DrawFn) -> BackupArchive:
    id = draw(ids)
    archive = make_archive(
        id.name,
        profile=id.profile,
        type=id.type,
        content=draw(st.binary(max_size=4)),
        received_at=NOON + timedelta(microseconds=draw(st.integers(0, 3))),
    )
    return archive if draw(st.booleans()) else evolve(archive, contents=None)


class CatalogMachine(RuleBasedStateMachine):
    """Subclasses say how a catalog is made."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.entries: dict[ArchiveId, BackupArchive] = {}
        self.claims: dict[ArchiveId, BackupArchive] = {}
        self.tokens: dict[ArchiveId, str] = {}
        self.walk_cursor: str | None = None
        self.walk_seen: list[ArchiveId] = []
        self.walk_owes: set[ArchiveId] = set()  # listed since the walk began

    def make_catalog(self) -> Catalog:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.catalog = self.make_catalog()

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            self.catalog.close()
        self.cleanup.close()

    def listed(self) -> list[BackupArchive]:
        return [archive for archive in self.entries.values() if archive.state is not ArchiveState.TRASHED]

    # -- changing --

    @rule(archive=archives())
    def claim(self, archive: BackupArchive) -> None:
        outcome = self.catalog.claim(archive, LEASE)
        if archive.id in self.entries:
            assert outcome == AlreadyStored(self.entries[archive.id])
        elif archive.id in self.claims:
            assert outcome == ClaimedElsewhere()
        else:
            assert isinstance(outcome, Claimed)
            self.claims[archive.id], self.tokens[archive.id] = archive, outcome.token

    @rule(archive=archives())
    def confirm_any(self, archive: BackupArchive) -> None:
        try:
            self.catalog.confirm(archive, self.tokens.get(archive.id, "nobody's"))
        except ClaimLost:
            assert archive.id not in self.claims
            assert self.entries.get(archive.id) != archive
        else:
            assert archive.id in self.claims or self.entries[archive.id] == archive
            self.claims.pop(archive.id, None)
            self.entries[archive.id] = archive

    @precondition(lambda self: self.claims)
    @rule(choose=st.data(), state=states)
    def confirm_claimed(self, choose: st.DataObject, state: ArchiveState) -> None:
        claimed = choose.draw(st.sampled_from(sorted(self.claims.values(), key=lambda a: a.id)))
        confirmed = evolve(claimed, state=state)
        self.catalog.confirm(confirmed, self.tokens[claimed.id])
        self.entries[claimed.id] = confirmed
        del self.claims[claimed.id]

    @rule(id=ids)
    def release(self, id: ArchiveId) -> None:
        try:
            self.catalog.release(id, self.tokens.get(id, "nobody's"))
        except ClaimLost:
            assert id not in self.claims
        self.claims.pop(id, None)

    @rule(id=st.none() | ids, whatever=st.booleans())
    def take_over(self, id: ArchiveId | None, whatever: bool) -> None:
        """No lease has ended here."""
        taken = self.catalog.take_over(100, LEASE, id=id, whatever_lease=whatever)
        expected = [archive for archive in self.claims.values() if whatever and id in (None, archive.id)]
        assert {claim.archive for claim in taken} == set(expected)
        for claim in taken:
            assert claim.token != self.tokens[claim.archive.id]
            self.tokens[claim.archive.id] = claim.token

    @rule(found=st.lists(archives(), max_size=6))
    def adopt(self, found: list[BackupArchive]) -> None:
        before = len(self.entries)
        for archive in found:
            if archive.id not in self.claims:
                self.entries.setdefault(archive.id, archive)
        assert self.catalog.adopt(found) == len(self.entries) - before

    @rule(found=st.lists(archives(), max_size=6))
    def replace(self, found: list[BackupArchive]) -> None:
        self.entries, self.claims, self.walk_owes = {}, {}, set()
        for archive in found:
            self.entries.setdefault(archive.id, archive)
        assert self.catalog.replace(iter(found)) == len(self.entries)

    @precondition(lambda self: self.entries)
    @rule(choose=st.data(), state=states)
    def mark(self, choose: st.DataObject, state: ArchiveState) -> None:
        id = choose.draw(st.sampled_from(sorted(self.entries)))
        self.catalog.mark(id, state)
        self.entries[id] = evolve(self.entries[id], state=state)
        if state is ArchiveState.TRASHED:
            self.walk_owes.discard(id)

    @rule(id=ids, state=states)
    def mark_what_is_no_entry(self, id: ArchiveId, state: ArchiveState) -> None:
        if id not in self.entries:
            try:
                self.catalog.mark(id, state)
            except ArchiveNotFound:
                return
            raise AssertionError(f"{id} is no entry and was marked")

    # -- reading --

    @rule(id=ids)
    def find(self, id: ArchiveId) -> None:
        try:
            found = self.catalog.find(id)
        except ArchiveNotFound:
            assert id not in self.entries or self.entries[id].state is ArchiveState.TRASHED
        else:
            assert found == self.entries[id]
            assert found.state is not ArchiveState.TRASHED

    @rule(id=ids)
    def named(self, id: ArchiveId) -> None:
        wanted = [a for a in self.listed() if (a.id.type, a.id.name) == (id.type, id.name)]
        assert self.catalog.named(id.type, id.name) == sorted(wanted, key=lambda a: a.id.profile)

    @rule(
        profile=st.none() | st.sampled_from(PROFILES),
        type=st.none() | st.sampled_from(BackupType),
        limit=st.integers(1, 4),
    )
    def walk_pages(self, profile: str | None, type: BackupType | None, limit: int) -> None:
        walked = all_archives(self.catalog, profile=profile, type=type, limit=limit)
        in_order = self.catalog.page().archives
        assert walked == [a for a in in_order if profile in (None, a.id.profile) and type in (None, a.id.type)]
        assert [a.received_at for a in walked] == sorted(a.received_at for a in walked)

    @rule(profiles=st.sets(st.sampled_from(PROFILES)), limit=st.integers(1, 4))
    def walk_pages_of_some(self, profiles: set[str], limit: int) -> None:
        walked = all_archives(self.catalog, profiles=profiles, limit=limit)
        assert walked == [a for a in self.catalog.page().archives if a.id.profile in profiles]
        rows = [row for row in recounted(self.listed()) if row.profile in profiles]
        assert self.catalog.totals(profiles=profiles) == rows
        for type, sums in self.catalog.sums(profiles).items():
            assert sums.archives == sum(row.archives for row in rows if row.type is type)
            assert sums.size_bytes == sum(row.size_bytes for row in rows if row.type is type)

    @rule(profile=st.none() | st.sampled_from(PROFILES), limit=st.integers(1, 4))
    def walk_inventory(self, profile: str | None, limit: int) -> None:
        wanted = sorted(
            (a for a in self.listed() if profile in (None, a.id.profile)),
            key=lambda a: (a.id.type.value, a.id.name, a.id.profile),
        )
        assert all_entries(self.catalog, profile=profile, limit=limit) == [
            InventoryEntry(
                a.id.type, a.id.name, a.size_bytes, a.digests.md5, a.digests.sha256, a.state is ArchiveState.DAMAGED
            )
            for a in wanted
        ]

    @rule(limit=st.integers(1, 3))
    def go_on_with_a_walk(self, limit: int) -> None:
        """A walk in steps, with any changes in between: entries listed throughout are seen once."""
        if self.walk_cursor is None:
            self.walk_seen = []
            self.walk_owes = {archive.id for archive in self.listed()}
        page = self.catalog.page(cursor=self.walk_cursor, limit=limit)
        self.walk_cursor = page.next_cursor
        self.walk_seen += [archive.id for archive in page.archives]
        if self.walk_cursor is None:
            assert {id: self.walk_seen.count(id) for id in self.walk_owes} == dict.fromkeys(self.walk_owes, 1)

    # -- always --

    @invariant()
    def claims_are_the_models(self) -> None:
        assert self.catalog.open_claims() == [self.claims[id] for id in sorted(self.claims)]

    @invariant()
    def pages_hold_what_is_listed(self) -> None:
        found = self.catalog.page().archives
        assert len(found) == len(self.listed())
        assert set(found) == set(self.listed())

    @invariant()
    def every_profile_is_known(self) -> None:
        assert {archive.id.profile for archive in self.listed()} <= set(self.catalog.profiles_since(0)[0])

    @invariant()
    def totals_are_a_recount(self) -> None:
        assert self.catalog.adds_up()
        assert self.catalog.totals() == recounted(self.listed())
        sums = self.catalog.sums().values()
        assert sum(each.archives for each in sums) == len(self.listed())
        assert sum(each.size_bytes for each in sums) == sum(archive.size_bytes for archive in self.listed())


class MemoryMachine(CatalogMachine):
    def make_catalog(self) -> Catalog:
        return MemoryCatalog()


class SqlMachine(CatalogMachine):
    def make_catalog(self) -> Catalog:
        self.file = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory())) / "catalog.sqlite"
        return SqlCatalog.open(f"sqlite:///{self.file}", busy_seconds=60)

    @rule()
    def close_and_reopen(self) -> None:
        self.catalog.close()
        self.catalog = SqlCatalog.open(f"sqlite:///{self.file}", busy_seconds=60)


_SETTINGS = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = _SETTINGS
TestSqlMachine = SqlMachine.TestCase
TestSqlMachine.settings = _SETTINGS
