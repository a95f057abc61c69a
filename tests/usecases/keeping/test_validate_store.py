"""Checking a store: a good one keeps every promise, and for each promise a faulty store breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import define

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.held_archives import HeldTrash
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.archives.totals import Usage
from tarkeep.domain.errors.archives import AlreadyPublished
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.ports.store import ArchiveReader, ArchiveStore, Block, StoredArchive, untold
from tarkeep.domain.usecases.keeping.store_promises import PROMISES
from tarkeep.domain.usecases.keeping.validate_store import ValidateStore, Verdict
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.store_doors import MemoryDoor


def memory() -> MemoryArchiveStore:
    return MemoryArchiveStore(FixedClock())


def always(store: ArchiveStore) -> Callable[[], AbstractContextManager[ArchiveStore]]:
    return lambda: nullcontext(store)


def test_a_good_store_keeps_every_promise_and_nothing_is_left_in_it() -> None:
    door = MemoryDoor()

    verdicts = list(ValidateStore(always(door.store))())

    assert verdicts == [Verdict(promise.sentence, None) for promise in PROMISES]
    assert list(door.store.ids()) == []
    assert door.staging_is_empty()


def test_a_folder_keeps_every_promise(tmp_path: Path) -> None:
    opened = lambda: closing(FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds()))  # noqa: E731

    assert [verdict.broken for verdict in ValidateStore(opened)()] == [None] * len(PROMISES)
    assert not [path for path in (tmp_path / "data" / "archives").rglob("*") if path.is_file()]


@define(eq=False)
class Overwriting(MemoryArchiveStore):
    def _publish(self, id: ArchiveId, staged: object, sidecar: bytes, marks: bytes | None) -> None:
        self._replace(id, staged, sidecar)  # type: ignore[arg-type]


@define(eq=False)
class Repeating(MemoryArchiveStore):
    """Gives the whole archive when a part is requested."""

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        return MemoryArchiveStore.read(self, id)


@define(eq=False)
class Inventing(MemoryArchiveStore):
    def stat(self, id: ArchiveId) -> StoredArchive:
        try:
            return MemoryArchiveStore.stat(self, id)
        except Exception:
            return StoredArchive(id, 0, None)


@define(eq=False)
class Unordered(MemoryArchiveStore):
    def scan(self) -> Iterator[StoredArchive]:
        return reversed(list(MemoryArchiveStore.scan(self)))


@define(eq=False)
class Yielding(MemoryArchiveStore):
    """Lets every side-car, all marks and every snapshot file be replaced."""

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        MemoryArchiveStore.annotate(self, id, sidecar, self.stat(id).sidecar)

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        MemoryArchiveStore.keep_snapshot(self, id, blocks, replace=True)

    def mark(self, id: ArchiveId, marks: bytes, instead_of: bytes | None) -> None:
        MemoryArchiveStore.mark(self, id, marks, self.marks(id))


@define(eq=False)
class Unforgetting(MemoryArchiveStore):
    def remove(self, id: ArchiveId) -> None:
        pass


@define(eq=False)
class Littering(MemoryArchiveStore):
    def sweep(self, older_than: datetime, keeping: object = tuple) -> int:
        return 1 if older_than > datetime(9000, 1, 1, tzinfo=UTC) else 0


@define(eq=False)
class Careless(MemoryArchiveStore):
    """Trashes what is held."""

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        self.in_trash[id] = HeldTrash(self.archives.pop(id), note)


@define(eq=False)
class Stripping(MemoryArchiveStore):
    """Brings the bytes back without their side-car."""

    def untrash(self, id: ArchiveId) -> None:
        MemoryArchiveStore.untrash(self, id)
        self.archives[id].sidecar = None


@define(eq=False)
class Unnoting(MemoryArchiveStore):
    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        MemoryArchiveStore.purge(self, id, note, now, tell)
        self.forget(id)


@define(eq=False)
class Unrepairing(MemoryArchiveStore):
    def _replace(self, id: ArchiveId, staged: object, sidecar: bytes) -> None:
        raise AlreadyPublished(id)


@define(eq=False)
class Losing(MemoryArchiveStore):
    def staged_bytes(self, upload: str) -> int:
        return 0


@define(eq=False)
class Changing(MemoryArchiveStore):
    """Flips one bit of long archives."""

    def _append(self, staged: object, block: Block) -> None:
        changed = bytearray(block)
        if len(changed) > 1 << 20:
            changed[50] ^= 1
        MemoryArchiveStore._append(self, staged, changed)  # type: ignore[arg-type]


@define(eq=False)
class Full(MemoryArchiveStore):
    def usage(self) -> Usage:
        raise OSError("unknown")


FAULTY = {
    Overwriting: {
        "A stored archive is never overwritten.",
        "Of several archives published under one name, exactly one is stored.",
    },
    Repeating: {"A range of an archive is read exactly."},
    Inventing: {
        "A missing archive is reported as not found.",
        "An archive is invisible until it is published, and an abandoned one leaves nothing behind.",
        "A removed archive is gone, and its name is free.",
        "An archive in the trash is invisible, and comes back as it was.",
    },
    Unordered: {"Every name that an archive may have is kept, and listed in order."},
    Yielding: {
        "A side-car is replaced only by a caller that knows its present content.",
        "A snapshot file of tar is kept with its archive, and removed with it.",
        "Marks are kept with their archive, and replaced only by a caller that knows them.",
    },
    Careless: {"A held archive goes neither to the trash nor out of it."},
    Stripping: {"An archive in the trash is invisible, and comes back as it was."},
    Unnoting: {"A purged archive leaves a note, and its name is free."},
    Littering: {"An archive is invisible until it is published, and an abandoned one leaves nothing behind."},
    Unrepairing: {"A damaged archive is replaced by a whole one."},
    Losing: {"An interrupted upload continues from its durable bytes."},
    Changing: {
        "A stored archive is listed, and read byte for byte.",
        "A range of an archive is read exactly.",
    },
    Full: {"The store reports used and free bytes."},
}


@pytest.mark.parametrize("kind", FAULTY, ids=lambda kind: kind.__name__)
def test_a_broken_promise_is_reported(kind: type[MemoryArchiveStore]) -> None:
    """Exactly that promise is reported, with the way it was broken."""
    verdicts = list(ValidateStore(always(kind(FixedClock())))())

    assert {verdict.sentence for verdict in verdicts if verdict.broken} == FAULTY[kind]
    assert [verdict.sentence for verdict in verdicts] == [promise.sentence for promise in PROMISES]


def test_what_a_store_raises_is_its_verdict() -> None:
    (verdict,) = ValidateStore(always(Full(FixedClock())), PROMISES[-1:])()

    assert verdict.broken == "OSError: unknown"


def test_a_store_that_removes_nothing_breaks_the_first_promise() -> None:
    """The archives left in it spoil later checks."""
    first, *_ = ValidateStore(always(Unforgetting(FixedClock())))()

    assert first.broken == "a removed archive still exists"


def test_a_store_that_forgets_breaks_a_promise() -> None:
    """It is empty when it is opened again."""
    verdicts = ValidateStore(lambda: nullcontext(memory()))()

    assert {verdict.sentence: verdict.broken for verdict in verdicts if verdict.broken} == {
        "A stored archive survives closing and opening the store.": "the stored archive is gone"
    }


def test_no_promise_is_kept_by_whatever_store() -> None:
    """Each is broken by one of the faulty stores above."""
    broken = set.union(*FAULTY.values()) | {"A stored archive survives closing and opening the store."}

    assert broken == {promise.sentence for promise in PROMISES}
