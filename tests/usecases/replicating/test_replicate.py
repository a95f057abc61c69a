"""Copying from another server: what comes, what stays as it is, and what a server that lies can do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from attrs import define, evolve, field, frozen

from tarkeep.adapters.memory.peers import MemoryPeer
from tarkeep.adapters.process.turns import ProcessTurns
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Copied, Lineage, Offer
from tarkeep.domain.errors.client import ServerUnreachable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.jobs.job import GoOn, JobReport
from tarkeep.domain.ports.upkeep.peers import Peer, PeerAddress, PeerBytes, PeerPage
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.usecases.replicating.sources import PeerSource
from tarkeep.entrypoints.wiring.jobs import CopyPlan
from tests.support.archives import NOON, digests_of, make_targz
from tests.support.assembled import InMemory, offer
from tests.support.memory_store import staging_is_empty

DAY = timedelta(days=1)
SNAPSHOT = b"a snapshot file of tar"
THERE = "https://first.example"


def content(name: str) -> bytes:
    return make_targz({name: name.encode() * 50})


@frozen
class Named(MemoryPeer):
    @property
    def shown_url(self) -> str:
        return THERE


@define
class Sites:
    """A first server, and a second one a day later that copies from it, or from *peer* in its place."""

    first: InMemory = field(factory=InMemory)
    second: InMemory = field(factory=InMemory)
    peer: Peer = field()
    waited: list[float] = field(factory=list)

    @peer.default
    def _honest(self) -> Peer:
        return Named(self.first.catalog, self.first.store, page_size=2)

    def send(self, name: str, *, profile: str = "web", type: BackupType = BackupType.FULL, **said: object) -> ArchiveId:
        """An archive for the first server, an hour after the one before."""
        self.first.clock.advance(timedelta(hours=1))
        base = offer(f"{name}.tar.gz", profile=profile, type=type)
        return self.first.tarkeep.receive(evolve(base, **said), [content(name)]).archive.id  # type: ignore[arg-type]

    def copy(self, go_on: GoOn = lambda: True, profiles: tuple[str, ...] = ("*",)) -> JobReport:
        self.second.clock.moment = max(self.second.clock.moment, self.first.clock.moment + DAY)
        source = PeerSource(lambda: PeerAddress("there", profiles=profiles))
        plan = CopyPlan(source, lambda _address: nullcontext(self.peer), self.waited.append)
        uses = self.second.tarkeep
        catalog, clock = self.second.catalog, self.second.clock
        work = plan.work(catalog, uses.receive, uses.keep_snapshot, clock, uses.audit, ProcessTurns())
        return work(go_on)

    def here(self) -> list[BackupArchive]:
        return list(self.second.catalog.page(limit=1000).archives)

    def bytes_here(self, id: ArchiveId) -> bytes:
        with self.second.store.read(id) as blocks:
            return b"".join(map(bytes, blocks))


def texts(remarks: Iterable[object]) -> list[str]:
    return [getattr(remark, "text", "") for remark in remarks]


def damage(memory: InMemory, id: ArchiveId) -> None:
    """Other bytes of the same length, which a scrub has found."""
    stored = memory.store.archives[id]
    memory.store.archives[id] = evolve(stored, content=bytes(len(stored.content)))
    memory.catalog.mark(id, ArchiveState.DAMAGED)


def test_everything_is_copied_as_it_is_there() -> None:
    """Bytes, receipts, lineage, notes and snapshot files; a second run finds nothing to do."""
    sites = Sites()
    full = sites.send("full", lineage=Lineage(snapshot_after=hashlib.sha256(SNAPSHOT).hexdigest()))
    sites.first.tarkeep.keep_snapshot(full, [SNAPSHOT])
    inc = Lineage((BackupType.FULL, full.name), hashlib.sha256(SNAPSHOT).hexdigest())
    sites.send("inc", type=BackupType.INC, lineage=inc, notes=("one file could not be read",))
    for number in range(4):
        sites.send(f"f{number}", profile="laptop", taken_at=NOON - number * DAY)
    report = sites.copy()

    there = sites.first.catalog.page(limit=1000).archives
    assert [evolve(one, copied=None) for one in sites.here()] == list(there)
    assert {one.copied for one in sites.here()} == {Copied(sites.second.clock.now())}
    assert [sites.bytes_here(one.id) for one in there] == [content(one.id.name[:-7]) for one in there]
    with sites.second.tarkeep.read_snapshot(full) as blocks:
        assert b"".join(map(bytes, blocks)) == SNAPSHOT
    assert (report.counts["copied"], report.counts["archives"], report.did_something) == (6, 6, True)
    assert sites.copy() == JobReport(f"nothing to copy of the 6 archives on {THERE}", sites.copy().counts, False)


def test_only_the_profiles_that_are_wanted_come() -> None:
    sites = Sites()
    for profile in ("web-1", "web-2", "laptop"):
        sites.send("a", profile=profile)

    sites.copy(profiles=("web-*",))
    assert [one.id.profile for one in sites.here()] == ["web-1", "web-2"]
    assert texts(sites.copy(profiles=("desktop",)).problems) == ["none of its 3 profiles is one that is to be copied"]


def test_what_goes_there_stays_here() -> None:
    """Deletions never travel: a first server that has lost everything, or shows nothing, changes nothing."""
    sites = Sites()
    ids = [sites.send(name) for name in ("a", "b", "c")]
    sites.copy()
    before = sites.here()
    for id in ids[:2]:
        sites.first.catalog.mark(id, ArchiveState.TRASHED)

    sites.copy()
    assert sites.here() == before
    sites.peer = MemoryPeer(InMemory().catalog, InMemory().store)
    sites.copy()
    assert sites.here() == before
    assert [sites.bytes_here(id) for id in ids] == [content(name) for name in "abc"]


def test_other_bytes_under_a_name_are_told_and_nothing_is_changed() -> None:
    sites = Sites()
    id = sites.send("a")
    sites.second.tarkeep.receive(offer(id.name, profile=id.profile), [content("mine")])
    before = sites.here()
    report = sites.copy()

    assert sites.here() == before
    assert sites.bytes_here(id) == content("mine")
    (told,) = texts(report.waits)
    there, here = digests_of(content("a")).sha256[:16], digests_of(content("mine")).sha256[:16]
    assert told == f"FULL/a.tar.gz is SHA-256 {here} here and SHA-256 {there} on {THERE}; nothing was changed"
    assert (report.counts["differing"], report.problems) == (1, ())


def test_what_the_policy_here_removed_is_not_copied_again() -> None:
    sites = Sites()
    gone, _ = sites.send("a"), sites.send("b")
    sites.copy()
    sites.second.catalog.mark(gone, ArchiveState.TRASHED)
    report = sites.copy()

    assert [one.id.name for one in sites.here()] == ["b.tar.gz"]
    assert (report.counts["pruned"], report.counts["copied"]) == (1, 0)


def test_damaged_archives_are_healed() -> None:
    """Bit for bit, and told as repaired; not from a server whose copy is damaged, too."""
    sites = Sites()
    ids = [sites.send(f"f{number}") for number in range(6)]
    sites.copy()
    for id in ids[:4]:
        damage(sites.second, id)
    damage(sites.first, ids[3])
    report = sites.copy()

    assert [sites.bytes_here(id) for id in ids[:3]] == [content(f"f{number}") for number in range(3)]
    assert [one.state for one in sites.here()] == [ArchiveState.STORED] * 3 + [ArchiveState.DAMAGED] + [
        ArchiveState.STORED
    ] * 2
    assert [told for _, told in sites.second.notices.told] == ["whole"] * 3
    assert (report.counts["healed"], report.counts["copied"]) == (3, 0)
    assert texts(report.problems) == ["FULL/f3.tar.gz is damaged there, and is damaged here, too"]


def test_a_lost_snapshot_file_comes_again() -> None:
    sites = Sites()
    full = sites.send("full", lineage=Lineage(snapshot_after=hashlib.sha256(SNAPSHOT).hexdigest()))
    sites.copy()
    sites.first.tarkeep.keep_snapshot(full, [SNAPSHOT])
    assert sites.copy().counts["snapshots"] == 1
    sites.second.catalog.note_snapshot(full, None)

    assert sites.copy().counts["snapshots"] == 1
    assert sites.second.catalog.find(full).has_snapshot


# -- bad lines -------------------------------------------------------------------------------------------------------

Change = Callable[[BackupArchive, int, bytes], Iterator[bytes]]


@frozen
class Bytes:
    start_bytes: int
    blocks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.blocks

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


@frozen
class Lying:
    """A server between: *pages* changes what it lists, *bytes* what it gives of an archive from a position on."""

    honest: Peer
    pages: Callable[[PeerPage], PeerPage] = lambda page: page
    bytes: Change | None = None
    asked: list[int] = field(factory=list)
    ignores_ranges: bool = False

    @property
    def shown_url(self) -> str:
        return THERE

    def profiles(self) -> list[str]:
        return self.honest.profiles()

    def page(self, profile: str, cursor: str | None = None) -> PeerPage:
        return self.pages(self.honest.page(profile, cursor))

    def read(self, archive: BackupArchive, start: int = 0) -> PeerBytes:
        self.asked.append(start)
        start = 0 if self.ignores_ranges else start
        if self.bytes is None:
            return self.honest.read(archive, start)
        with self.honest.read(archive) as blocks:
            whole = b"".join(map(bytes, blocks))
        return Bytes(start, self.bytes(archive, start, whole))

    def snapshot(self, archive: BackupArchive) -> PeerBytes:
        return self.honest.snapshot(archive)


def breaking(every: int) -> Change:
    """A line that breaks after so many bytes."""

    def change(_archive: BackupArchive, start: int, whole: bytes) -> Iterator[bytes]:
        yield whole[start : start + every]
        raise ServerUnreachable(THERE, "the line broke")

    return change


@pytest.mark.parametrize("every", [1, 7, 50])
def test_a_broken_line_goes_on_at_its_position(every: int) -> None:
    """However often it breaks, as long as something comes in between."""
    sites = Sites()
    id, size = sites.send("a"), len(content("a"))
    peer = sites.peer = Lying(sites.peer, bytes=breaking(every))
    report = sites.copy()

    assert sites.bytes_here(id) == content("a")
    assert peer.asked == list(range(0, size, every))
    assert report.problems == ()


def test_a_line_that_ignores_ranges_wastes_bytes_only() -> None:
    sites = Sites()
    id = sites.send("a")
    cuts = iter([30, 80, 10**9])

    def change(_archive: BackupArchive, start: int, whole: bytes) -> Iterator[bytes]:
        sent = whole[: next(cuts)]
        yield from (sent[at : at + 7] for at in range(0, len(sent), 7))

    sites.peer = Lying(sites.peer, bytes=change, ignores_ranges=True)
    sites.copy()
    assert sites.bytes_here(id) == content("a")


def test_a_server_that_falls_silent_is_given_up_for_this_run() -> None:
    """What came before stays; the next run finds the rest."""
    sites = Sites()
    for number in range(9):
        sites.send(f"f{number}")
    honest = sites.peer

    def change(archive: BackupArchive, start: int, whole: bytes) -> Iterator[bytes]:
        if archive.id.name > "f2":
            raise ServerUnreachable(THERE, "nothing comes")
        yield whole[start:]

    sites.peer = Lying(honest, bytes=change)
    report = sites.copy()
    assert len(sites.here()) == 2
    assert len(report.problems) == 3
    assert staging_is_empty(sites.second.store)
    sites.peer = honest
    assert sites.copy().counts["copied"] == 7


def test_a_run_that_is_to_stop_does_so_within_an_archive() -> None:
    """Nothing of it is left, and the next run copies it."""
    sites = Sites()
    sites.send("a"), sites.send("b")
    honest = sites.peer
    came: list[bytes] = []

    def change(archive: BackupArchive, start: int, whole: bytes) -> Iterator[bytes]:
        for at in range(start, len(whole)):
            came.append(whole[at : at + 1])
            yield whole[at : at + 1]

    sites.peer = Lying(honest, bytes=change)
    report = sites.copy(lambda: len(came) < len(content("a")) + 20)

    assert (report.is_stopped, report.counts["copied"], report.problems) == (True, 1, ())
    assert staging_is_empty(sites.second.store)
    sites.peer = honest
    assert sites.copy().counts["copied"] == 1


# -- a server that lies ----------------------------------------------------------------------------------------------


def other_bytes(_archive: BackupArchive, _start: int, whole: bytes) -> Iterator[bytes]:
    yield content("x" * (len(whole) // 50))[: len(whole)].ljust(len(whole), b"\0")


def endless(_archive: BackupArchive, _start: int, whole: bytes) -> Iterator[bytes]:
    yield whole
    while True:
        yield bytes(1 << 16)


def flipped(_archive: BackupArchive, start: int, whole: bytes) -> Iterator[bytes]:
    yield (whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])[start:]


@pytest.mark.parametrize("change", [other_bytes, endless, flipped])
def test_wrong_bytes_are_refused_and_change_nothing(change: Change) -> None:
    """Neither what is missing nor what is damaged here becomes anything else than what it should be."""
    sites = Sites()
    there = [sites.send(name) for name in "ab"]
    sites.copy()
    damage(sites.second, there[0])
    sites.send("c")
    before, honest = sites.here(), sites.peer
    sites.peer = Lying(honest, bytes=change)
    report = sites.copy()

    assert sites.here() == before
    assert len(report.problems) == 2
    assert staging_is_empty(sites.second.store)
    sites.peer = honest
    assert (sites.copy().counts["healed"], len(sites.here())) == (1, 3)


def test_a_list_with_other_digests_is_a_list_of_conflicts() -> None:
    """A damaged archive is healed with its own bytes or not at all."""
    sites = Sites()
    ids = [sites.send(name) for name in "abc"]
    sites.copy()
    damage(sites.second, ids[0])
    before = sites.here()

    def forged(page: PeerPage) -> PeerPage:
        return evolve(page, archives=tuple(evolve(one, digests=Digests("0" * 32, "f" * 64)) for one in page.archives))

    sites.peer = Lying(sites.peer, pages=forged)
    report = sites.copy()
    assert sites.here() == before
    assert (report.counts["differing"], report.counts["healed"]) == (3, 0)


def test_a_list_without_end_is_left() -> None:
    """One that turns in a circle, or goes back in time; what is kept of it does not grow."""
    sites = Sites()
    for number in range(5):
        sites.send(f"f{number}")
    sites.copy()
    turns = 0

    @frozen
    class Circle(Lying):
        def page(self, profile: str, cursor: str | None = None) -> PeerPage:
            nonlocal turns
            turns += 1
            return evolve(self.honest.page(profile), next_cursor=str(turns))

    sites.peer = Circle(sites.peer)
    assert "or does not end" in texts(sites.copy().problems)[0]
    assert turns < 1100


def test_a_hundred_thousand_lies_are_a_few_remarks() -> None:
    sites = Sites()
    sites.send("a")
    sites.copy()
    (known,) = sites.here()

    @frozen
    class Many(Lying):
        def page(self, profile: str, cursor: str | None = None) -> PeerPage:
            number = int(cursor or 0)
            archives = tuple(
                evolve(
                    known,
                    id=ArchiveId(profile, BackupType.FULL, f"f{number}-{at}.tar.gz"),
                    received_at=known.received_at + timedelta(seconds=number),
                    state=ArchiveState.DAMAGED,
                )
                for at in range(1000)
            )
            return PeerPage(archives, str(number + 1) if number < 99 else None, ("and one that is none",))

    sites.peer = Many(sites.peer)
    report = sites.copy()
    assert (report.counts["archives"], report.counts["failed"]) == (100_000, 100_100)
    assert len(report.problems) == 50
    assert texts(report.problems)[-1] == "and 100051 more"


# -- times that are lies ---------------------------------------------------------------------------------------------


def claiming(received_at: datetime) -> Callable[[PeerPage], PeerPage]:
    return lambda page: evolve(
        page,
        archives=tuple(
            evolve(one, received_at=received_at) if one.id.name == "lie.tar.gz" else one for one in page.archives
        ),
    )


def test_no_archive_was_received_before_it_arrived_here() -> None:
    """A receipt in the future counts as now, and is told: no clock here is to stand still because of it."""
    sites = Sites()
    sites.send("lie")
    sites.peer = Lying(sites.peer, pages=claiming(NOON + 4000 * DAY))
    report = sites.copy()

    (archive,) = sites.here()
    assert archive.received_at == sites.second.clock.now()
    assert archive.copied == Copied(sites.second.clock.now())
    assert "one of the clocks is wrong" in texts(report.problems)[0]


def policy(**others: object) -> RuleBook:
    said: dict[str, object] = {"minimum_points": 0, "minimum_fulls": 0, "brake": False, "largest_share": 1.0, **others}
    retention = RetentionPolicy((KeepRule(Every.DAY, 100),), **said)  # type: ignore[arg-type]
    return RuleBook((("*", ProfileRules(retention=retention)),))


def removed_by(memory: InMemory) -> set[str]:
    return {one.archive.id.name for one in memory.tarkeep.plan_prune("web").removed}


def test_the_age_of_a_copy_counts_from_its_arrival() -> None:
    """However old a server says it is: so a copy stays for minimum_age, and displaces nothing before."""
    sites = Sites(second=InMemory(rules=policy(minimum_age=Span.parse("7d"))))
    sites.send("a"), sites.send("b")
    sites.copy()

    assert removed_by(sites.second) == set()
    sites.second.clock.advance(8 * DAY)
    assert removed_by(sites.second) == {"a.tar.gz"}


def test_what_claims_an_old_receipt_displaces_nothing() -> None:
    """A first server that was taken over sends archives that claim to be the last of each day of the past."""
    sites = Sites(second=InMemory(rules=policy(minimum_age=Span.parse("0d"))))
    for number in range(5):
        sites.first.clock.advance(DAY)
        sites.send(f"f{number}")
    sites.copy()
    sites.second.clock.advance(DAY)
    assert removed_by(sites.second) == set()
    sites.send("lie")
    before = next(one for one in sites.here() if one.id.name == "f2.tar.gz")
    lie = claiming(before.received_at + timedelta(hours=3))
    sites.peer = Lying(
        Named(sites.first.catalog, sites.first.store),
        pages=lambda page: evolve(
            lie(page), archives=tuple(sorted(lie(page).archives, key=lambda one: one.received_at))
        ),
    )
    assert sites.copy().counts["copied"] == 1

    planted = next(one for one in sites.here() if one.id.name == "lie.tar.gz")
    assert planted.copied is not None
    assert planted.copied.is_late
    sites.second.clock.advance(30 * DAY)
    assert removed_by(sites.second) == set()
    # without the rule about late ones, it would stand for its day in the place of what was there
    honest = evolve(planted, copied=evolve(planted.copied, is_late=False))
    sites.second.catalog.mark(planted.id, ArchiveState.TRASHED)
    sites.second.catalog.forget(planted.id)
    sites.second.catalog.adopt([honest])
    assert removed_by(sites.second) == {"f2.tar.gz"}


def test_a_copy_is_taken_in_whatever_it_builds_on() -> None:
    """Its parent may have been removed here; it comes all the same, and says what it lacks."""
    sites = Sites()
    full = sites.send("full")
    sites.send("inc", type=BackupType.INC, lineage=Lineage((BackupType.FULL, full.name)))
    sites.first.catalog.mark(full, ArchiveState.TRASHED)

    report = sites.copy()
    assert [one.id.name for one in sites.here()] == ["inc.tar.gz"]
    assert report.problems == ()


def test_an_offer_that_is_no_copy_has_no_such_rights() -> None:
    sites = Sites()
    id = ArchiveId("web", BackupType.FULL, "a.tar.gz")
    archive = sites.second.tarkeep.receive(Offer(id), [content("a")]).archive
    assert (archive.copied, archive.here_since) == (None, archive.received_at)
