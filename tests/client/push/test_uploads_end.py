"""Resumable uploads end: they leave nothing behind, keep no client out, and report true offsets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import define, evolve, field

from tarkeep.adapters.filesystem.upload_sessions import FilesystemUploadSessions
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.uploads import TooManyUploads, UploadGone, UploadNotFound
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.uploads import Upload
from tarkeep.domain.usecases.receiving.outcome import SameName
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tarkeep.entrypoints.wiring.uploads import Uploads
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer
from tests.support.memory_store import staging_is_empty

CONTENT = make_targz({"a.txt": b"first\n"})
MINUTES = timedelta(minutes=1, seconds=1)


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def tarkeep(memory: InMemory) -> Tarkeep:
    return memory.tarkeep


def begun(
    uploads: Uploads, name: str = "a.tar.gz", sent: bytes = b"", *, client: str = "", owner: str | None = None
) -> str:
    id = uploads.begin(offer(name), len(CONTENT), client=client, owner=owner).id
    if sent:
        uploads.append(id, 0, [sent])
    return id


# -- what has ended leaves nothing -----------------------------------------------------------------------------------


def deleted(uploads: Uploads, memory: InMemory) -> str:
    id = begun(uploads, sent=CONTENT[:10])
    uploads.end(id)
    return id


def expired(uploads: Uploads, memory: InMemory) -> str:
    id = begun(uploads, sent=CONTENT[:10])
    memory.clock.advance(timedelta(hours=24, seconds=1))
    uploads.expire()
    return id


def refused(uploads: Uploads, memory: InMemory) -> str:
    id = begun(uploads)
    with suppress(TarkeepError):
        uploads.append(id, 0, [b"no gzip" * 100][:1])
    with suppress(TarkeepError):
        uploads.append(id, 0, [b"x" * len(CONTENT)])
    return id


@pytest.mark.parametrize("end", [deleted, expired, refused])
def test_what_led_to_no_archive_leaves_nothing_at_once(tmp_path: Path, end: Callable[[Uploads, InMemory], str]) -> None:
    """Neither journal nor bytes; within a minute a client is told that it is over, later that it is unknown."""
    memory = InMemory(sessions=FilesystemUploadSessions.open(tmp_path))
    uploads = memory.tarkeep.uploads

    id = end(uploads, memory)

    assert list(tmp_path.iterdir()) == []
    assert staging_is_empty(memory.store)
    with pytest.raises(UploadGone):
        uploads.show(id)
    memory.clock.advance(MINUTES)
    with pytest.raises(UploadNotFound):
        uploads.show(id)


def test_what_has_ended_is_there_for_its_owner_alone(tarkeep: Tarkeep) -> None:
    """Other clients are never told that it existed."""
    id = begun(tarkeep.uploads, owner="mine")
    tarkeep.uploads.end(id)

    tarkeep.uploads.check_owner(id, "mine")
    with pytest.raises(UploadNotFound):
        tarkeep.uploads.check_owner(id, "theirs")


def test_what_is_stored_is_known_for_an_hour(memory: InMemory, tarkeep: Tarkeep) -> None:
    """For a client that lost the answer; then it is forgotten, and the archive stays."""
    id = begun(tarkeep.uploads, sent=CONTENT)
    memory.clock.advance(timedelta(minutes=59))
    tarkeep.uploads.expire()
    assert tarkeep.uploads.show(id).archive is not None

    memory.clock.advance(timedelta(minutes=2))
    tarkeep.uploads.expire()

    assert memory.sessions.all() == []
    assert len(memory.store.archives) == 1


def test_a_journal_that_a_crash_left_of_an_end_is_gone_after_the_next_start(tmp_path: Path) -> None:
    """The end was written into the journal before its removal."""
    sessions = FilesystemUploadSessions.open(tmp_path)
    memory = InMemory(sessions=sessions)
    id = begun(memory.tarkeep.uploads)
    journal = tmp_path / f"{id}.upload"
    sessions.save(evolve(sessions.get(id), ended="it was deleted"))
    assert journal.exists()

    memory.sessions = FilesystemUploadSessions.open(tmp_path)
    memory.tarkeep.recover()

    assert list(tmp_path.iterdir()) == []


# -- the abandoned give way ------------------------------------------------------------------------------------------


@pytest.fixture
def few(tarkeep: Tarkeep) -> Uploads:
    """A limit of three uploads per address, three per token, and five in total."""
    begin = evolve(tarkeep.uploads.begin, max_open=5, max_open_per_client=3, max_open_per_token=3)
    return evolve(tarkeep.uploads, begin=begin)


@pytest.mark.parametrize("owner", [None, "token"])
def test_the_longest_untouched_gives_way_to_a_new_one(memory: InMemory, few: Uploads, owner: str | None) -> None:
    """Among those of the same address or token; it reports the reason, and the others continue."""
    first, second, third = (begun(few, f"{number}.tar.gz", client="192.0.2.1", owner=owner) for number in range(3))
    other = begun(few, "other.tar.gz", client="192.0.2.9")
    memory.clock.advance(MINUTES)
    few.append(first, 0, [CONTENT[:5]])

    begun(few, "new.tar.gz", client="192.0.2.1", owner=owner)

    with pytest.raises(UploadGone, match="gave way"):
        few.show(second)
    assert [few.show(one).offset_bytes for one in (first, third, other)] == [5, 0, 0]


def test_of_all_the_longest_untouched_gives_way(memory: InMemory, few: Uploads) -> None:
    """When the server's limit of unfinished uploads is reached, whatever client began them."""
    ids = [begun(few, f"{number}.tar.gz", client=f"192.0.2.{number}") for number in range(5)]
    memory.clock.advance(MINUTES)

    begun(few, "new.tar.gz", client="192.0.2.9")

    assert len(memory.sessions.unfinished()) == 5
    with pytest.raises(UploadGone):
        few.show(ids[0])


def test_an_upload_between_two_requests_does_not_give_way(memory: InMemory, few: Uploads) -> None:
    """An upload that was touched within a minute, or has a request."""
    ids = [begun(few, f"{number}.tar.gz", client="192.0.2.1") for number in range(3)]
    with pytest.raises(TooManyUploads):
        begun(few, "new.tar.gz", client="192.0.2.1")

    memory.clock.advance(MINUTES)
    with few.under_way.locks.hold(ids[0], timedelta(0)), few.under_way.locks.hold(ids[1], timedelta(0)):
        begun(few, "new.tar.gz", client="192.0.2.1")
        with pytest.raises(TooManyUploads):
            begun(few, "newer.tar.gz", client="192.0.2.1")

    assert [few.show(one).is_open for one in ids[:2]] == [True, True]


# -- where one stands is true ----------------------------------------------------------------------------------------


@define(eq=False)
class UnsureCatalog(MemoryCatalog):
    """Fails to confirm *failures* times; if *has_effect*, it confirms all the same."""

    failures: int = 0
    has_effect: bool = False
    _made: bool = field(init=False, default=False)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def confirm(self, archive: BackupArchive, token: str) -> None:
        if self.failures:
            self.failures -= 1
            if self.has_effect:
                super().confirm(archive, token)
            raise BackendUnavailable("catalog")
        super().confirm(archive, token)


def shown(uploads: Uploads, id: str) -> Upload:
    return uploads.show(id)


def appended(uploads: Uploads, id: str) -> Upload:
    return uploads.append(id, len(CONTENT), [])


@pytest.mark.parametrize("ask", [shown, appended])
@pytest.mark.parametrize("same_name", list(SameName))
@pytest.mark.parametrize("is_taken", [False, True])
def test_an_upload_whose_confirmation_failed_is_reported_as_stored(
    ask: Callable[[Uploads, str], Upload], same_name: SameName, is_taken: bool
) -> None:
    """Its archive is stored whole and its bytes have left staging, so any other offset would be untrue."""
    if is_taken and same_name is SameName.REJECT:
        return
    memory = InMemory(catalog=UnsureCatalog(), same_name=same_name)
    uploads = memory.tarkeep.uploads
    if is_taken:
        memory.tarkeep.receive(offer(), [make_targz({"b": b"other"})])
    assert isinstance(memory.catalog, UnsureCatalog)
    memory.catalog.failures = 2
    id = begun(uploads)
    with pytest.raises(BackendUnavailable):
        uploads.append(id, 0, [CONTENT])

    upload = ask(uploads, id)

    assert upload.archive is not None
    assert upload.offset_bytes == len(CONTENT)
    assert memory.catalog.open_claims() == []
    assert memory.catalog.find(upload.archive).digests.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert staging_is_empty(memory.store)


def test_while_the_state_is_unknown_no_untrue_offset_is_reported() -> None:
    """While the catalog still fails, the answer is that error, not an offset."""
    memory = InMemory(catalog=UnsureCatalog())
    assert isinstance(memory.catalog, UnsureCatalog)
    memory.catalog.failures = 3
    id = begun(memory.tarkeep.uploads)
    with pytest.raises(BackendUnavailable):
        memory.tarkeep.uploads.append(id, 0, [CONTENT])

    with pytest.raises(BackendUnavailable):
        memory.tarkeep.uploads.show(id)
    assert memory.tarkeep.uploads.show(id).archive is not None


def test_an_upload_whose_bytes_were_lost_with_the_failure_is_over() -> None:
    """An offset for bytes in neither place could never be continued."""
    memory = InMemory(catalog=UnsureCatalog())
    assert isinstance(memory.catalog, UnsureCatalog)
    memory.catalog.failures = 2
    id = begun(memory.tarkeep.uploads, sent=CONTENT[:50])
    with pytest.raises(BackendUnavailable):
        memory.tarkeep.uploads.append(id, 50, [CONTENT[50:]])
    (archive,) = memory.store.archives
    memory.store.remove(archive)

    with pytest.raises(TarkeepError):
        memory.tarkeep.uploads.show(id)

    assert memory.sessions.all() == []
    assert memory.catalog.open_claims() == []
