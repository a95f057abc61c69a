"""Reading archives again, over the memory adapters: what is found, in which order, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, timedelta
from itertools import count
from types import TracebackType

import pytest
from attrs import define, evolve, field

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.scrub_table import MemoryScrubTable
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.errors.archives import ProfileNotFound
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.jobs.job import JobReport
from tarkeep.domain.jobs.run import RunOutcome
from tarkeep.domain.ports.store import ArchiveReader
from tarkeep.domain.scrubbing.pace import Window
from tarkeep.domain.scrubbing.unread import Unread
from tarkeep.domain.usecases.jobs.ask_for_scrub import SCRUB
from tests.support.archives import SNAPSHOT, make_targz
from tests.support.assembled import Crash, Fuse, InMemory, offer, pieces
from tests.support.clocks import FixedClock

DAY = timedelta(days=1)
CONTENT = make_targz()


@define(eq=False)
class WatchedStore(MemoryArchiveStore):
    """Notes which archives are read from the medium; *flicker* makes other bytes of the next such read."""

    read_again: list[ArchiveId] = field(factory=list, init=False)
    flicker: Callable[[bytes], bytes] | None = field(default=None, init=False)
    meanwhile: Callable[[], None] | None = field(default=None, init=False)

    def reread(self, id: ArchiveId) -> ArchiveReader:
        self.read_again.append(id)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        flicker, self.flicker = self.flicker, None
        reader = MemoryArchiveStore.reread(self, id)
        return reader if flicker is None else _Flickering(reader, flicker)


@define
class _Flickering:
    _reader: ArchiveReader
    _flicker: Callable[[bytes], bytes]

    @property
    def size_bytes(self) -> int:
        return self._reader.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        yield self._flicker(b"".join(self._reader))

    def __enter__(self) -> _Flickering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)


@define
class Scrubbed:
    """A server in memory, whose archives are scrubbed."""

    memory: InMemory
    store: WatchedStore

    def put(self, name: str = "a", content: bytes = CONTENT, profile: str = "web") -> BackupArchive:
        return self.memory.tarkeep.receive(offer(f"{name}.tar.gz", profile=profile), pieces(content)).archive

    def run(self, go_on: Callable[[], bool] = lambda: True) -> JobReport:
        """One run of the job."""
        jobs = self.memory.tarkeep.run_due_jobs.jobs
        return next(job.work for job in jobs if job.name == SCRUB)(go_on)

    def want(self, profile: str | None = None) -> JobReport:
        """A run that reads everything, or all of *profile*."""
        self.memory.catalog.scrubs.want(profile)
        return self.run()

    def after(self, days: float) -> JobReport:
        self.memory.clock.advance(DAY * days)
        return self.run()

    def harm(self, archive: BackupArchive, change: Callable[[bytes], bytes] = lambda content: content[::-1]) -> None:
        held = self.store.archives[archive.id]
        held.content = change(held.content)

    def state(self, archive: BackupArchive) -> ArchiveState:
        return self.memory.catalog.find(archive.id).state

    def known(self, archive: BackupArchive) -> Unread:
        return self.memory.catalog.scrubs.find(archive.id)

    def open_only(self, window: str) -> None:
        """Let archives be read only in that part of the day; the clock stands at noon."""
        self.memory.scrubs = evolve(self.memory.scrubs, window=Window.parse(window, UTC))

    @property
    def told(self) -> list[str]:
        return [what for _, what in self.memory.notices.told]


@pytest.fixture
def server() -> Scrubbed:
    return made()


def made(catalog: MemoryCatalog | None = None) -> Scrubbed:
    clock = FixedClock()
    store = WatchedStore(clock)
    return Scrubbed(InMemory(clock, catalog or MemoryCatalog(), store=store), store)


def found(report: JobReport) -> list[str]:
    return [remark.text for remark in report.problems]


class TestWhatIsRead:
    def test_an_archive_is_due_thirty_days_after_it_was_received_and_again_after_thirty_more(
        self, server: Scrubbed
    ) -> None:
        archive = server.put()

        assert server.after(30).summary == "no archive was due"
        assert server.after(1).summary == "1 archive read again"
        assert server.known(archive).verified_at == server.memory.clock.now()
        assert server.after(30).summary == "no archive was due"
        assert server.after(1).summary == "1 archive read again"
        assert server.store.read_again == [archive.id] * 2

    def test_what_is_wanted_is_read_first_and_then_what_was_right_longest_ago(self, server: Scrubbed) -> None:
        archives = {}
        for name in "abcd":
            archives[name] = server.put(name)
            server.memory.clock.advance(DAY)
        server.memory.clock.advance(DAY * 40)
        server.memory.catalog.scrubs.note(archives["a"], server.memory.clock.now() - DAY * 31)
        server.memory.catalog.scrubs.note(archives["d"], server.memory.clock.now(), is_wanted=True)
        server.run()

        assert [id.name[0] for id in server.store.read_again] == ["d", "b", "c", "a"]

    def test_a_run_that_is_killed_goes_on_where_it_was(self, server: Scrubbed) -> None:
        """By the order alone: what was read is not read again."""
        for name in "abcd":
            server.put(name)
        server.memory.clock.advance(DAY * 31)
        asked = iter([True, True, False])
        stopped = server.run(lambda: next(asked, False))
        first = list(server.store.read_again)
        server.run()

        assert stopped.is_stopped
        assert stopped.counts["left"] == 4 - stopped.counts["checked"] > 0
        assert len(first) == 3
        assert [id.name[0] for id in server.store.read_again] == list("abcd")

    def test_at_whatever_call_it_is_killed_the_next_run_goes_on(self) -> None:
        """What was noted is not read again, and in the end everything was read."""
        for step in count(1):
            server = made()
            archives = [server.put(name) for name in "abc"]
            server.memory.clock.advance(DAY * 31)
            fuse, table = Fuse(blows_at=step), server.memory.catalog.scrubs
            server.memory.scrubs = evolve(server.memory.scrubs, table=fuse.around(table))
            with suppress(Crash):
                server.run()
            noted = [one.id for one in archives if table.find(one.id).verified_at is not None]
            server.store.read_again.clear()
            server.memory.scrubs = evolve(server.memory.scrubs, table=table)
            server.run()

            assert not set(server.store.read_again) & set(noted)
            assert all(table.find(one.id).verified_at is not None for one in archives)
            if not fuse.blown:
                assert step > 10
                return

    def test_an_archive_is_given_up_at_once_when_the_server_stops(self, server: Scrubbed) -> None:
        """Whatever its size; nothing is noted of it."""
        archive = server.put()
        server.memory.clock.advance(DAY * 31)
        scrub = next(job.work for job in server.memory.tarkeep.run_due_jobs.jobs if job.name == SCRUB).scrub  # type: ignore[attr-defined]

        assert scrub(Unread(archive), lambda: False) is None
        assert server.known(archive).verified_at is None

    def test_outside_the_window_only_what_is_wanted_is_read(self, server: Scrubbed) -> None:
        server.open_only("22:00-06:00")
        due, wanted = server.put("due"), server.put("wanted")
        server.memory.clock.advance(DAY * 31)
        server.memory.catalog.scrubs.note(wanted, None, is_wanted=True)
        by_day = server.run()
        at_night = server.after(0.5)

        assert server.store.read_again == [wanted.id, due.id]
        assert (by_day.counts["checked"], by_day.counts["left"]) == (1, 1)
        assert (at_night.counts["checked"], at_night.counts["left"]) == (1, 0)

    def test_what_was_not_read_for_twice_that_time_is_told(self, server: Scrubbed) -> None:
        """A scrub that does not keep up must not look like one that does."""
        server.put()
        server.memory.clock.advance(DAY * 61)
        stopped = server.run(lambda: False)

        server.put("new")
        assert found(stopped) == []  # it was read, as the first of them
        server.open_only("00:00-01:00")
        late = server.after(61)
        assert late.counts["behind"] == 2
        assert found(late) == [
            "scrub-behind: 2 archives were not read for twice as long as intended; allow a higher rate"
        ]

    def test_an_archive_that_is_removed_meanwhile_is_no_finding(self, server: Scrubbed) -> None:
        archive = server.put()

        def remove() -> None:
            server.memory.catalog.mark(archive.id, ArchiveState.TRASHED)
            server.store.remove(archive.id)

        server.store.meanwhile = remove
        report = server.want()

        assert (found(report), report.counts["checked"], server.told) == ([], 0, [])

    def test_an_archive_that_is_being_received_is_left(self, server: Scrubbed) -> None:
        """A repair publishes whole bytes just then: no verdict is passed on what they replace."""
        archive = server.put()
        server.harm(archive)
        tarkeep = server.memory.tarkeep
        work = next(job.work for job in tarkeep.run_due_jobs.jobs if job.name == SCRUB)
        server.memory.catalog.scrubs.want()
        with work.scrub.names.hold(archive.id, timedelta(0)):  # type: ignore[attr-defined]
            report = work(lambda: True)

        assert server.state(archive) is ArchiveState.STORED
        assert report.counts["left"] == 1
        assert found(report) == [
            "FULL/a.tar.gz could not be read now: web/FULL/a.tar.gz is being received by another upload"
        ]

    def test_a_store_that_cannot_be_read_is_no_damage(self) -> None:
        @define(eq=False)
        class Gone(WatchedStore):
            def reread(self, id: ArchiveId) -> ArchiveReader:
                raise BackendUnavailable("store", "the disk is gone")

        clock = FixedClock()
        store = Gone(clock)
        server = Scrubbed(InMemory(clock, store=store), store)
        archives = [server.put(str(number)) for number in range(3)]
        report = server.want()

        assert {server.state(archive) for archive in archives} == {ArchiveState.STORED}
        assert (report.counts["checked"], report.counts["left"], report.did_something) == (0, 3, False)

    def test_a_catalog_that_cannot_note_it_leaves_the_archive(self, server: Scrubbed) -> None:
        archive = server.put()

        class Busy(MemoryScrubTable):
            def note(self, *_arguments: object, **_options: object) -> None:
                raise CatalogBusy

        table = Busy(lambda: [server.memory.catalog.find(archive.id)])
        server.memory.scrubs = evolve(server.memory.scrubs, table=table)
        server.memory.clock.advance(DAY * 31)

        assert server.run().counts["left"] == 1
        assert server.known(archive).verified_at is None


HARMS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "flip": (lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:], "its bytes are not what was"),
    "cut": (lambda content: content[:-1], "instead of"),
    "longer": (lambda content: content + b"\0", "instead of"),
    "zero": (lambda content: bytes(len(content)), "its bytes are not what was received"),
    "empty": (lambda content: b"", "it has 0 bytes instead of"),
}


class TestDamage:
    @pytest.mark.parametrize("harm", HARMS)
    def test_damaged_bytes_are_found_and_recorded(self, server: Scrubbed, harm: str) -> None:
        """In the catalog, and in the side-car, where it outlives a lost catalog; and the operator is told once."""
        archive, other = server.put(), server.put("b")
        change, what = HARMS[harm]
        server.harm(archive, change)
        report = server.after(31)

        (told,) = found(report)
        assert told.startswith("FULL/a.tar.gz is damaged: ")
        assert what in told
        assert told.endswith("; send the same archive again to repair it")
        assert (report.counts["damaged"], report.counts["checked"]) == (1, 2)
        assert (server.state(archive), server.state(other)) == (ArchiveState.DAMAGED, ArchiveState.STORED)
        assert sidecar.decode(server.store.archives[archive.id].sidecar or b"").state is ArchiveState.DAMAGED
        assert len(server.told) == 1
        assert server.known(archive).verified_at is None

    def test_a_missing_archive_is_damaged(self, server: Scrubbed) -> None:
        archive = server.put()
        del server.store.archives[archive.id]

        assert found(server.after(31)) == [
            "FULL/a.tar.gz is damaged: its file is missing; send the same archive again to repair it"
        ]
        assert server.state(archive) is ArchiveState.DAMAGED

    def test_the_bytes_of_another_archive_are_damage(self, server: Scrubbed) -> None:
        """Both archives are whole, each in the place of the other."""
        one, other = server.put("a"), server.put("b", make_targz({"b.txt": b"another"}))
        held = server.store.archives
        held[one.id], held[other.id] = held[other.id], held[one.id]
        server.after(31)

        assert {server.state(one), server.state(other)} == {ArchiveState.DAMAGED}

    def test_what_is_known_to_be_damaged_is_read_only_by_hand(self, server: Scrubbed) -> None:
        archive = server.put()
        server.harm(archive)
        server.after(31)
        server.store.read_again.clear()

        assert server.after(31).summary == "no archive was due"
        assert server.store.read_again == []
        assert server.want().counts["damaged"] == 1

    def test_damage_that_is_gone_is_stored_again(self, server: Scrubbed) -> None:
        """Somebody put the right file back, and had it read by hand."""
        archive = server.put()
        server.harm(archive)
        server.after(31)
        server.harm(archive)  # reversed once more
        report = server.want()

        assert server.state(archive) is ArchiveState.STORED
        assert sidecar.decode(server.store.archives[archive.id].sidecar or b"").state is ArchiveState.STORED
        assert (found(report), report.counts["damaged"]) == ([], 0)
        assert server.known(archive).verified_at == server.memory.clock.now()
        assert server.told[-1] == "whole"

    def test_the_same_bytes_sent_again_repair_it(self, server: Scrubbed) -> None:
        archive = server.put()
        server.harm(archive)
        server.after(31)
        server.put()

        assert server.state(archive) is ArchiveState.STORED
        assert server.want().counts["damaged"] == 0

    @pytest.mark.parametrize("harm", ["flip", "zero"])
    def test_what_is_right_when_it_is_read_again_is_unstable(self, server: Scrubbed, harm: str) -> None:
        """The machine is suspected, the archive is not; it is read first by the next run."""
        archive = server.put()
        server.memory.clock.advance(DAY * 31)
        server.store.flicker = HARMS[harm][0]
        report = server.run()

        assert server.state(archive) is ArchiveState.STORED
        assert (report.counts["unstable"], report.counts["damaged"]) == (1, 0)
        assert "was right when it was read again" in found(report)[0]
        assert server.told[0].startswith("unstable: its bytes are not what was received")
        assert server.known(archive) == Unread(archive, server.memory.clock.now(), is_wanted=True)
        assert found(server.run()) == []
        assert not server.known(archive).is_wanted
        assert server.store.read_again == [archive.id] * 3


class TestBeside:
    def test_a_sidecar_that_cannot_be_read_is_made_anew(self, server: Scrubbed) -> None:
        archive = server.put()
        held = server.store.archives[archive.id]
        right, held.sidecar = held.sidecar, b"{}"
        report = server.after(31)

        assert held.sidecar == right
        assert found(report) == ["FULL/a.tar.gz: its side-car cannot be read, and was made anew"]
        assert (report.counts["mended"], report.counts["damaged"]) == (1, 0)
        assert server.told == ["mended: its side-car cannot be read"]

    @pytest.mark.parametrize("is_lost", [True, False])
    def test_a_sidecar_that_is_missing_or_that_of_another_archive_is_made_anew(
        self, server: Scrubbed, is_lost: bool
    ) -> None:
        archive, other = server.put(), server.put("b", make_targz({"b.txt": b"another"}))
        held = server.store.archives
        right = held[archive.id].sidecar
        held[archive.id].sidecar = None if is_lost else held[other.id].sidecar
        report = server.after(31)

        assert report.counts["mended"] == 1
        assert held[archive.id].sidecar == right

    def test_a_catalog_that_says_something_else_is_told(self, server: Scrubbed) -> None:
        """The side-car is whole, and it is the truth: nothing is made anew from the catalog."""
        archive = server.put()
        held = server.store.archives[archive.id]
        held.sidecar = other = sidecar.encode(evolve(archive, notes=("another note",)))
        report = server.after(31)

        assert held.sidecar == other
        assert report.counts["damaged"] == 1
        assert found(report) == [
            "FULL/a.tar.gz is damaged: its entry in the catalog says something else than its side-car; a rebuild of "
            "the catalog with a check makes it right"
        ]

    @pytest.mark.parametrize("harmed", [None, b"", SNAPSHOT[:-1], SNAPSHOT + b"x", bytes(len(SNAPSHOT))])
    def test_a_snapshot_file_that_is_another_one_is_not_offered_again(
        self, server: Scrubbed, harmed: bytes | None
    ) -> None:
        archive = server.put()
        server.memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT])
        server.store.archives[archive.id].snapshot = harmed
        report = server.after(31)

        assert report.counts["damaged"] == 1
        assert not server.memory.catalog.find(archive.id).has_snapshot
        assert server.state(archive) is ArchiveState.STORED
        server.memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT])
        assert server.want().counts["damaged"] == 0

    @pytest.mark.parametrize("harmed", [b"", b"{", b"\0" * 40])
    def test_marks_that_cannot_be_read_are_told(self, server: Scrubbed, harmed: bytes) -> None:
        archive = server.put()
        server.memory.tarkeep.make_hold(archive.id, "audit", "for the audit")
        server.store.archives[archive.id].marks = harmed
        report = server.after(31)

        assert found(report) == [
            "FULL/a.tar.gz is damaged: its marks cannot be read; look which holds and lock it should have, and make "
            "them again"
        ]
        assert server.state(archive) is ArchiveState.STORED

    def test_marks_of_another_archive_are_told(self, server: Scrubbed) -> None:
        one, other = server.put("a"), server.put("b")
        for archive in (one, other):
            server.memory.tarkeep.make_hold(archive.id, archive.id.name[0], "for the audit")
        held = server.store.archives
        held[one.id].marks, held[other.id].marks = held[other.id].marks, held[one.id].marks
        report = server.after(31)

        assert [text.partition(";")[0] for text in found(report)] == [
            "FULL/a.tar.gz is damaged: its marks are those of web/FULL/b.tar.gz",
            "FULL/b.tar.gz is damaged: its marks are those of web/FULL/a.tar.gz",
        ]

    def test_marks_that_are_gone_since_the_last_read_are_told_once(self, server: Scrubbed) -> None:
        """What they protected may go now. A hold that is released leaves marks behind."""
        archive, other = server.put("a"), server.put("b")
        server.memory.tarkeep.make_hold(archive.id, "audit", "for the audit")
        server.after(31)
        server.memory.tarkeep.release_hold(archive.id, "audit")
        assert found(server.after(31)) == []
        server.store.archives[archive.id].marks = None

        assert found(server.after(31)) == [
            "FULL/a.tar.gz is damaged: its marks are missing; look which holds and lock it should have, and make them "
            "again"
        ]
        assert found(server.after(31)) == []
        assert server.state(other) is ArchiveState.STORED

    @pytest.mark.parametrize("at", range(0, 900, 7))
    def test_any_byte_of_a_sidecar_counts(self, server: Scrubbed, at: int) -> None:
        """Also in the name of its sum, without which it would pass for one of the first."""
        archive = server.put()
        held = server.store.archives[archive.id]
        right = held.sidecar or b""
        place = at % len(right)
        held.sidecar = right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :]

        assert server.after(31).counts["mended"] == 1
        assert held.sidecar == right

    def test_all_faults_of_one_archive_are_found_at_once(self, server: Scrubbed) -> None:
        archive = server.put()
        server.memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT])
        server.memory.tarkeep.make_hold(archive.id, "audit", "for the audit")
        held = server.store.archives[archive.id]
        held.content, held.sidecar, held.snapshot, held.marks = held.content[::-1], b"{}", b"", b"{"
        report = server.after(31)

        assert len(found(report)) == 4
        assert report.counts["damaged"] == report.counts["checked"] == 1
        assert sidecar.decode(held.sidecar or b"").state is ArchiveState.DAMAGED


class TestByHand:
    def test_everything_is_read_or_all_of_one_profile(self, server: Scrubbed) -> None:
        web, db = server.put(profile="web"), server.put(profile="db")
        run = server.memory.tarkeep.ask_for_scrub("web", "host")

        assert (run.job, run.who, run.outcome) == (SCRUB, "host", RunOutcome.RUNNING)
        assert server.run().counts["checked"] == 1
        assert server.store.read_again == [web.id]
        assert server.want().counts["checked"] == 2
        assert server.store.read_again[1:] == [db.id, web.id]

    def test_a_profile_without_archives_is_told(self, server: Scrubbed) -> None:
        server.put()

        with pytest.raises(ProfileNotFound):
            server.memory.tarkeep.ask_for_scrub("nobody")
