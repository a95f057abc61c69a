"""Receiving: what is stored, what is refused, and that a refused archive leaves nothing behind."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState, Kind
from tarkeep.domain.archives.sidecar import encode
from tarkeep.domain.errors.archives import NameConflict, ReceiveInProgress
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage
from tarkeep.domain.errors.content import EmptyArchive, GzipDamaged, NotAGzip, NotATar, TooLarge, UploadInterrupted
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.identity.invalid import DigestMismatch, InvalidType
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.usecases.receiving.outcome import ReceiveOutcome, SameName
from tests.support.archives import NOON, digests_of, make_targz
from tests.support.assembled import MAX_BYTES, Crash, Fuse, InMemory, assembled, cut_off, offer, pieces
from tests.support.claims import LEASE
from tests.support.faulty import Fault, FaultyStore
from tests.support.memory_store import reopened, staging_is_empty

CONTENT = make_targz()
OTHER = make_targz({"other.txt": b"other\n"})


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


def assert_nothing_is_left(memory: InMemory) -> None:
    assert list(memory.store.scan()) == []
    assert staging_is_empty(memory.store)
    assert memory.catalog.page().archives == ()
    assert memory.catalog.open_claims() == []


def test_an_archive_is_stored_with_all_that_is_known_of_it(memory: InMemory) -> None:
    """Bytes, side-car and catalog agree with the bytes that were sent."""
    received = memory.tarkeep.receive(offer(type=BackupType.INC), pieces(CONTENT))

    archive = received.archive
    assert received.outcome is ReceiveOutcome.NEW
    assert archive.digests == digests_of(CONTENT)
    assert archive.size_bytes == len(CONTENT)
    assert archive.received_at == NOON
    assert archive.contents is not None
    assert (archive.contents.kind, archive.contents.members) == (Kind.PLAIN, 1)
    assert memory.catalog.find(archive.id) == archive
    assert memory.store.stat(archive.id).sidecar == encode(archive)
    with memory.store.read(archive.id) as reader:
        assert b"".join(reader) == CONTENT
    assert staging_is_empty(memory.store)
    assert memory.catalog.open_claims() == []


@pytest.mark.parametrize(
    ("name", "taken_at"),
    [
        ("full_2025-11-21_09-07-19.tar.gz", datetime(2025, 11, 21, 9, 7, 19, tzinfo=UTC)),
        ("a.tar.gz", datetime.fromtimestamp(1_700_000_000, UTC)),
    ],
)
def test_the_time_of_the_dump_is_the_best_known_one(memory: InMemory, name: str, taken_at: datetime) -> None:
    """The time in the name, else that of the newest member."""
    assert memory.tarkeep.receive(offer(name), [CONTENT]).archive.taken_at == taken_at


def test_the_offer_may_come_after_the_bytes(memory: InMemory) -> None:
    """A form may send type and profile after the file."""
    asked: list[str] = []

    def blocks() -> Iterator[bytes]:
        yield CONTENT
        asked.append("end of bytes")

    received = memory.tarkeep.receive_late_offer(lambda: asked.append("offer") or offer(), blocks())  # type: ignore[func-returns-value]

    assert asked == ["end of bytes", "offer"]
    assert received.outcome is ReceiveOutcome.NEW


@pytest.mark.parametrize("wrong", [{"md5": "0" * 32}, {"sha256": "0" * 64}])
def test_bytes_other_than_declared_are_refused(memory: InMemory, wrong: dict[str, str]) -> None:
    """Corruption in transit is found before anything is visible."""
    with pytest.raises(DigestMismatch):
        memory.tarkeep.receive(offer(**wrong), [CONTENT])  # type: ignore[arg-type]

    assert_nothing_is_left(memory)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(b"", EmptyArchive, id="nothing"),
        pytest.param(b"plain text, no gzip", NotAGzip, id="text"),
        pytest.param(CONTENT[:-1], GzipDamaged, id="last byte missing"),
        pytest.param(CONTENT[: len(CONTENT) // 2], GzipDamaged, id="half"),
        pytest.param(CONTENT + b"garbage", GzipDamaged, id="garbage behind"),
        pytest.param(CONTENT[:-8] + b"\0" * 8, GzipDamaged, id="wrong CRC"),
        pytest.param(gzip.compress(b"no tar at all" * 100, mtime=0), NotATar, id="no tar"),
    ],
)
def test_what_is_not_a_whole_targz_is_refused(memory: InMemory, content: bytes, error: type[TarkeepError]) -> None:
    """ "Stored" means "restorable"."""
    with pytest.raises(error):
        memory.tarkeep.receive(offer(), pieces(content))

    assert_nothing_is_left(memory)


def test_more_than_the_limit_is_refused_while_it_comes(memory: InMemory) -> None:
    """The sender is stopped at the first excess byte, not at the end."""
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield CONTENT if taken == 1 else b"\0" * 65536

    with pytest.raises((TooLarge, GzipDamaged)):
        memory.tarkeep.receive(offer(), endless())

    assert taken <= MAX_BYTES // 65536 + 2
    assert_nothing_is_left(memory)


@pytest.mark.parametrize("after", range(0, len(CONTENT), 7))
def test_an_upload_that_breaks_off_leaves_nothing(memory: InMemory, after: int) -> None:
    """Neither archive nor row nor staging, wherever it was cut."""
    with pytest.raises(UploadInterrupted):
        memory.tarkeep.receive(offer(), cut_off(CONTENT, after))

    assert_nothing_is_left(memory)


def test_an_offer_that_turns_out_wrong_leaves_nothing(memory: InMemory) -> None:
    """A form whose last field is wrong costs time and nothing else."""

    def wrong() -> None:
        raise InvalidType("WEEKLY")

    with pytest.raises(InvalidType):
        memory.tarkeep.receive_late_offer(wrong, [CONTENT])  # type: ignore[arg-type]

    assert_nothing_is_left(memory)


def test_the_same_bytes_again_are_a_success(memory: InMemory) -> None:
    """A retry after a lost answer is harmless and gets the same answer."""
    first = memory.tarkeep.receive(offer(), [CONTENT])
    memory.clock.advance(timedelta(hours=1))

    again = memory.tarkeep.receive(offer(), [CONTENT])

    assert again == evolve(first, outcome=ReceiveOutcome.DUPLICATE)
    assert len(memory.catalog.page().archives) == 1


def test_other_bytes_under_a_taken_name_are_a_conflict(memory: InMemory) -> None:
    """The stored archive stays; the error says what to do."""
    first = memory.tarkeep.receive(offer(), [CONTENT]).archive

    with pytest.raises(NameConflict) as caught:
        memory.tarkeep.receive(offer(), [OTHER])

    assert caught.value.existing_sha256 == first.digests.sha256
    assert "already stored with other bytes" in str(caught.value)
    with memory.store.read(first.id) as reader:
        assert b"".join(reader) == CONTENT
    assert staging_is_empty(memory.store)


def test_the_same_name_in_two_profiles_and_types_never_meets(memory: InMemory) -> None:
    """Profile and type are part of the identity."""
    for profile in ("laptop", "server"):
        for type in BackupType:
            content = make_targz({f"{profile}-{type.value}": b"x"})

            received = memory.tarkeep.receive(offer(profile=profile, type=type), [content])

            assert received.outcome is ReceiveOutcome.NEW
    assert len(list(memory.store.scan())) == 6


class TestKeepBoth:
    """The setting for users that send backup.tar.gz every night."""

    @pytest.fixture
    def memory(self) -> InMemory:
        return InMemory(same_name=SameName.KEEP_BOTH)

    def test_the_newcomer_gets_the_receive_time_into_its_name(self, memory: InMemory) -> None:
        """Both archives are kept, and the answer names the new one."""
        memory.tarkeep.receive(offer("backup.tar.gz"), [CONTENT])
        memory.clock.moment = datetime(2026, 11, 24, 2, 3, 4, tzinfo=UTC)

        received = memory.tarkeep.receive(offer("backup.tar.gz"), [OTHER])

        assert received.outcome is ReceiveOutcome.KEPT_BOTH
        assert received.archive.id.name == "backup.2026-11-24T02-03-04Z.tar.gz"
        assert memory.store.stat(received.archive.id).sidecar == encode(received.archive)
        assert [archive.digests for archive in memory.catalog.page().archives] == [
            digests_of(CONTENT),
            digests_of(OTHER),
        ]

    def test_a_retry_of_the_newcomer_is_not_kept_twice(self, memory: InMemory) -> None:
        """Retries stay harmless under this setting too."""
        memory.tarkeep.receive(offer("backup.tar.gz"), [CONTENT])
        memory.clock.advance(timedelta(days=1))
        kept = memory.tarkeep.receive(offer("backup.tar.gz"), [OTHER]).archive
        memory.clock.advance(timedelta(minutes=1))

        again = memory.tarkeep.receive(offer("backup.tar.gz"), [OTHER])

        assert (again.archive, again.outcome) == (kept, ReceiveOutcome.DUPLICATE)

    def test_a_name_with_no_room_for_the_time_is_a_conflict(self, memory: InMemory) -> None:
        """Names are at most 200 bytes; they are never cut to fit."""
        name = "x" * 190 + ".tar.gz"
        memory.tarkeep.receive(offer(name), [CONTENT])

        with pytest.raises(NameConflict):
            memory.tarkeep.receive(offer(name), [OTHER])


class TestRepair:
    """Sending the same bytes again repairs a damaged archive."""

    @pytest.mark.parametrize("harm", ["lost", "cut", "marked"])
    def test_a_damaged_archive_is_whole_again(self, memory: InMemory, harm: str) -> None:
        """Lost bytes, cut bytes, and bytes that a check found wrong."""
        archive = memory.tarkeep.receive(offer(), [CONTENT]).archive
        if harm == "lost":
            memory.store.remove(archive.id)
        elif harm == "cut":
            memory.store.archives[archive.id].content = CONTENT[:-1]
        else:
            memory.catalog.mark(archive.id, ArchiveState.DAMAGED)

        received = memory.tarkeep.receive(offer(), [CONTENT])

        assert received.outcome is ReceiveOutcome.REPAIRED
        assert received.archive == archive
        assert memory.catalog.find(archive.id) == archive
        with memory.tarkeep.read_archive(archive) as reader:
            assert b"".join(reader) == CONTENT

    def test_other_bytes_do_not_repair_it(self, memory: InMemory) -> None:
        """A damaged archive is still not overwritten by other bytes."""
        archive = memory.tarkeep.receive(offer(), [CONTENT]).archive
        memory.catalog.mark(archive.id, ArchiveState.DAMAGED)

        with pytest.raises(NameConflict):
            memory.tarkeep.receive(offer(), [OTHER])


class TestUncatalogued:
    """Archives in the store that the catalog does not know, as after a lost catalog."""

    def test_the_same_bytes_are_adopted(self, memory: InMemory) -> None:
        """They are the bytes that were sent: the answer is success, and the catalog knows them now."""
        archive = memory.tarkeep.receive(offer(), [CONTENT]).archive
        memory.catalog.replace([])
        memory.clock.advance(timedelta(days=1))

        received = memory.tarkeep.receive(offer(), [CONTENT])

        assert (received.archive, received.outcome) == (archive, ReceiveOutcome.DUPLICATE)
        assert memory.catalog.find(archive.id) == archive

    def test_other_bytes_are_a_conflict(self, memory: InMemory) -> None:
        """A gap in the catalog is no permission to replace an archive."""
        archive = memory.tarkeep.receive(offer(), [CONTENT]).archive
        memory.catalog.replace([])

        with pytest.raises(NameConflict):
            memory.tarkeep.receive(offer(), [OTHER])

        assert memory.store.stat(archive.id).size_bytes == len(CONTENT)
        assert memory.catalog.open_claims() == []

    def test_a_side_car_of_another_archive_is_not_believed(self, memory: InMemory) -> None:
        """A pair copied by hand describes the place it came from, so it must not be entered here."""
        elsewhere = memory.tarkeep.receive(offer("elsewhere.tar.gz"), [CONTENT]).archive
        memory.store.archives[offer().id] = memory.store.archives[elsewhere.id]
        memory.store.remove(elsewhere.id)
        memory.catalog.replace([])

        with pytest.raises(NameConflict):
            memory.tarkeep.receive(offer(), [CONTENT])

        assert memory.catalog.page().archives == ()
        assert memory.catalog.open_claims() == []


def test_a_name_that_another_receive_holds_is_refused_after_a_while(memory: InMemory) -> None:
    """Two uploads of one name at once: the second waits for *patience*, and is told to come back."""
    tarkeep = memory.tarkeep
    with (
        tarkeep.receive.begin_intake.settle.names.hold(offer().id, timedelta(0)),
        pytest.raises(ReceiveInProgress),
    ):
        tarkeep.receive(offer(), [CONTENT])

    assert_nothing_is_left(memory)


def test_a_claim_left_over_does_not_block_its_name(memory: InMemory) -> None:
    """The next receive settles a claim whose receive has ended, without a restart."""
    stale = memory.tarkeep.receive(offer("stale.tar.gz"), [CONTENT]).archive
    claimed = evolve(stale, id=offer().id)
    memory.catalog.claim(claimed, LEASE)

    received = memory.tarkeep.receive(offer(), [OTHER])

    assert received.outcome is ReceiveOutcome.NEW
    assert memory.catalog.open_claims() == []


class FailingOnce:
    """A catalog whose `confirm` fails once, before or after it took effect."""

    def __init__(self, memory: InMemory, *, after: bool) -> None:
        self._catalog = memory.catalog
        self._after = after
        self._failed = False

    def __getattr__(self, name: str) -> Callable[..., object]:
        call: Callable[..., object] = getattr(self._catalog, name)
        if name != "confirm" or self._failed:
            return call

        def failing(*arguments: object) -> object:
            self._failed = True
            if self._after:
                call(*arguments)
            raise BackendUnavailable("catalog")

        return failing


@pytest.mark.parametrize("after", [False, True])
def test_a_confirm_that_fails_once_is_made_good(memory: InMemory, after: bool) -> None:
    """The archive is published whole, so it is confirmed again, and the client gets its success."""
    catalog: InMemory = FailingOnce(memory, after=after)  # type: ignore[assignment]  # stands in for the catalog

    received = assembled(memory.store, catalog, memory.clock).receive(offer(), [CONTENT])  # type: ignore[arg-type]

    assert received.outcome is ReceiveOutcome.NEW
    assert memory.catalog.find(received.archive.id) == received.archive


@pytest.mark.parametrize("call", ["begin", "write", "seal", "publish"])
def test_a_store_that_fails_leaves_nothing_and_no_claim(call: str) -> None:
    """With a full disk at any step, the client gets an error, and the name is free for the next try."""
    memory = InMemory(store=FaultyStore(fault=Fault(call, InsufficientStorage())))

    with pytest.raises(InsufficientStorage):
        memory.tarkeep.receive(offer(), pieces(CONTENT))

    assert_nothing_is_left(memory)


def test_dying_at_any_step_loses_nothing_and_leaves_nothing() -> None:
    """After a crash before or after any call of store and catalog, recovery leaves all or nothing, never half."""
    fuse = Fuse()
    trial = InMemory()
    assembled(fuse.around(trial.store), fuse.around(trial.catalog), trial.clock).receive(offer(), pieces(CONTENT))
    assert fuse.steps > 10

    seen = set()
    for step in range(1, fuse.steps + 1):
        memory = InMemory()
        dying = Fuse(blows_at=step)
        with pytest.raises(Crash):
            assembled(dying.around(memory.store), dying.around(memory.catalog), memory.clock).receive(
                offer(), pieces(CONTENT)
            )
        memory.store = reopened(memory.store)

        memory.tarkeep.recover()

        entries = memory.catalog.page().archives
        assert [stored.id for stored in memory.store.scan()] == [archive.id for archive in entries]
        assert staging_is_empty(memory.store)
        assert memory.catalog.open_claims() == []
        for archive in entries:
            with memory.tarkeep.read_archive(archive) as reader:
                assert b"".join(reader) == CONTENT
        seen.add(len(entries))
        assert memory.tarkeep.receive(offer(), [CONTENT]).archive.digests == digests_of(CONTENT)
    assert seen == {0, 1}


def test_whatever_call_the_server_dies_at_what_is_stored_is_locked() -> None:
    """A client whose connection broke finds its archive in a comparison, and never sends it again."""
    policy = RetentionPolicy((KeepRule(Every.DAY, 1),), lock_for=Span.parse("7d"))
    rules = RuleBook((("*", ProfileRules(retention=policy)),))
    seen = set()
    for step in count(1):
        memory, fuse = InMemory(rules=rules), Fuse(blows_at=step)
        dying = assembled(fuse.around(memory.store), fuse.around(memory.catalog), memory.clock, rules=rules)
        with suppress(Crash):
            dying.receive(offer(), pieces(CONTENT))
        memory.store = reopened(memory.store)
        memory.tarkeep.recover()

        stored = [archive.id for archive in memory.catalog.page().archives]
        assert all(memory.tarkeep.read_marks(id).locked_until == NOON + timedelta(days=7) for id in stored), step
        seen.add(len(stored))
        if not fuse.blown:
            break
    assert seen == {0, 1}
