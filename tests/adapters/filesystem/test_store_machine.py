"""
Any sequence of calls to a store, with crashes in between, against a few dicts.

The dicts are the model: identity -> (bytes, side-car), of what is published and of what is in the trash, and the notes.
After every step a scan of the store and a listing of its trash must equal them.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tarkeep.domain.errors.archives import AlreadyPublished, ArchiveNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.store import ArchiveWriter, StoredArchive, TrashedArchive
from tests.contracts.archive_trash import LATER, NOW, note_on
from tests.support.store_doors import LONG_AGO, SOON, FilesystemDoor, MemoryDoor, StoreDoor

IDS = st.builds(
    ArchiveId,
    st.sampled_from(["a", "a.b", "B"]),
    st.sampled_from(BackupType),
    st.sampled_from(["a.tar.gz", "é b.tar.gz"]),
)
BLOCKS = st.one_of(st.binary(max_size=40), st.integers(0, 255).map(lambda byte: bytes([byte]) * (1 << 20)))
WHICH = st.integers(0, 9)


@define(eq=False)
class OpenWriter:
    """A writer and what the model expects of it: *sidecar* None means not sealed."""

    writer: ArchiveWriter
    content: bytes = b""
    sidecar: bytes | None = None
    leave: ExitStack = field(factory=ExitStack)


class StoreMachine(RuleBasedStateMachine):
    """A subclass names the store by `make_door`."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.published: dict[ArchiveId, tuple[bytes, bytes | None]] = {}
        self.trashed: dict[ArchiveId, tuple[bytes, bytes | None]] = {}
        self.notes: dict[ArchiveId, bytes] = {}
        self.writers: list[OpenWriter] = []
        self.abandoned = 0

    def make_door(self) -> StoreDoor:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.door = self.make_door()

    def teardown(self) -> None:
        self.cleanup.close()

    def _pick(self, which: int) -> OpenWriter:
        return self.writers[which % len(self.writers)]

    def _close(self, open_writer: OpenWriter) -> None:
        self.writers.remove(open_writer)
        open_writer.leave.close()

    # -- writing ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.writers) < 4)
    @rule()
    def begin(self) -> None:
        opened = OpenWriter(self.door.store.begin())
        opened.leave.enter_context(opened.writer)
        self.cleanup.callback(opened.leave.close)
        self.writers.append(opened)

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, block=BLOCKS)
    def write(self, which: int, block: bytes) -> None:
        target = self._pick(which)
        target.writer.write(block)
        target.content += block
        target.sidecar = None

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, sidecar=st.binary(max_size=10))
    def seal(self, which: int, sidecar: bytes) -> None:
        target = self._pick(which)
        target.writer.seal(sidecar)
        target.sidecar = sidecar

    @precondition(lambda self: self.writers)
    @rule(which=WHICH, id=IDS)
    def publish(self, which: int, id: ArchiveId) -> None:
        target = self._pick(which)
        if target.sidecar is None:
            with pytest.raises(ValueError, match="seal"):
                target.writer.publish(id)
        elif id in self.published or id in self.trashed:
            with pytest.raises(AlreadyPublished):
                target.writer.publish(id)
        else:
            target.writer.publish(id)
            self.published[id] = (target.content, target.sidecar)
            self._close(target)

    @rule(id=IDS, content=BLOCKS, sidecar=st.binary(max_size=10))
    def receive(self, id: ArchiveId, content: bytes, sidecar: bytes) -> None:
        with self.door.store.begin() as writer:
            writer.write(content)
            writer.seal(sidecar)
            if id in self.published or id in self.trashed:
                with pytest.raises(AlreadyPublished):
                    writer.publish(id)
            else:
                writer.publish(id)
                self.published[id] = (content, sidecar)

    @precondition(lambda self: self.writers)
    @rule(which=WHICH)
    def abort(self, which: int) -> None:
        self._close(self._pick(which))

    # -- looking and taking away -----------------------------------------------------------------------------------

    @rule(id=IDS, start=st.integers(0, 50), length=st.none() | st.integers(0, 1 << 21))
    def read(self, id: ArchiveId, start: int, length: int | None) -> None:
        stop = None if length is None else start + length
        if id not in self.published:
            with pytest.raises(ArchiveNotFound):
                self.door.store.read(id, start, stop)
            return
        with self.door.store.read(id, start, stop) as reader:
            content = b"".join(reader)

        assert content == self.published[id][0][start:stop]
        assert len(content) == reader.size_bytes

    @rule(id=IDS)
    def stat(self, id: ArchiveId) -> None:
        if id not in self.published:
            with pytest.raises(ArchiveNotFound):
                self.door.store.stat(id)
            return
        content, sidecar = self.published[id]

        assert self.door.store.stat(id) == StoredArchive(id, len(content), sidecar)

    @rule(id=IDS)
    def remove(self, id: ArchiveId) -> None:
        self.door.store.remove(id)
        self.published.pop(id, None)

    # -- the trash -------------------------------------------------------------------------------------------------

    @rule(id=IDS, reason=st.sampled_from(["old", "older"]))
    def trash(self, id: ArchiveId, reason: str) -> None:
        note = note_on(id, reason)
        if id not in self.published and id not in self.trashed:
            with pytest.raises(ArchiveNotFound):
                self.door.store.trash(id, note, NOW)
            return
        self.door.store.trash(id, note, NOW)
        if id in self.published:
            self.trashed[id] = self.published.pop(id)
        self.notes[id] = note

    @rule(id=IDS)
    def untrash(self, id: ArchiveId) -> None:
        if id not in self.trashed:
            with pytest.raises(ArchiveNotFound):
                self.door.store.untrash(id)
            return
        self.door.store.untrash(id)
        self.published[id] = self.trashed.pop(id)
        del self.notes[id]

    @rule(id=IDS)
    def purge(self, id: ArchiveId) -> None:
        note = note_on(id, is_purged=True)
        if id not in self.notes:
            with pytest.raises(ArchiveNotFound):
                self.door.store.purge(id, note, LATER)
            return
        self.door.store.purge(id, note, LATER)
        self.trashed.pop(id, None)
        self.notes[id] = note

    @rule(id=IDS)
    def forget(self, id: ArchiveId) -> None:
        if id in self.trashed:
            with pytest.raises(AlreadyPublished):
                self.door.store.forget(id)
            return
        self.door.store.forget(id)
        self.notes.pop(id, None)

    @precondition(lambda self: self.notes)
    @rule(which=WHICH)
    def untrash_one(self, which: int) -> None:
        self.untrash(sorted(self.notes)[which % len(self.notes)])

    @precondition(lambda self: self.published)
    @rule(which=WHICH)
    def trash_one(self, which: int) -> None:
        self.trash(sorted(self.published)[which % len(self.published)], "one")

    @rule(since_long_ago=st.booleans())
    def sweep(self, since_long_ago: bool) -> None:
        expected = 0 if since_long_ago else self.abandoned

        assert self.door.store.sweep(LONG_AGO if since_long_ago else SOON) == expected
        self.abandoned -= expected

    # -- what goes wrong -------------------------------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        self.door.crash()
        self.abandoned += len(self.writers)
        self.writers.clear()

    @rule(id=IDS)
    def crash_between_sidecar_and_bytes(self, id: ArchiveId) -> None:
        if id not in self.published:
            self.door.leave_sidecar(id)
        self.crash()

    @rule(id=IDS, sidecar=st.binary(max_size=10))
    def annotate(self, id: ArchiveId, sidecar: bytes) -> None:
        content, there = self.published.get(id, (b"", None))
        if id not in self.published:
            with pytest.raises(ArchiveNotFound):
                self.door.store.annotate(id, sidecar)
        elif there is not None:
            with pytest.raises(AlreadyPublished):
                self.door.store.annotate(id, sidecar)
            with pytest.raises(AlreadyPublished):
                self.door.store.annotate(id, sidecar, there + b"?")
            self.door.store.annotate(id, sidecar, there)
            self.published[id] = (content, sidecar)
        else:
            self.door.store.annotate(id, sidecar)
            self.published[id] = (content, sidecar)

    @precondition(lambda self: self.published)
    @rule(which=WHICH)
    def lose_sidecar(self, which: int) -> None:
        id = sorted(self.published)[which % len(self.published)]
        content, sidecar = self.published[id]
        if sidecar is not None:
            self.door.lose_sidecar(id)
            self.published[id] = (content, None)

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def scan_equals_the_model(self) -> None:
        expected = [
            StoredArchive(id, len(content), sidecar) for id, (content, sidecar) in sorted(self.published.items())
        ]

        assert list(self.door.store.scan()) == expected

    @invariant()
    def the_trash_equals_the_model(self) -> None:
        expected = []
        for id, note in sorted(self.notes.items()):
            content, sidecar = self.trashed.get(id, (None, None))
            expected.append(TrashedArchive(id, None if content is None else len(content), sidecar, note))

        assert list(self.door.store.trashed()) == expected

    @invariant()
    def staging_holds_what_is_on_its_way_and_nothing_else(self) -> None:
        assert self.door.staging_is_empty() == (not self.writers and not self.abandoned)

    @invariant()
    def only_writers_hold_files(self) -> None:
        assert self.door.open_files() <= len(self.writers)


class MemoryMachine(StoreMachine):
    def make_door(self) -> StoreDoor:
        return MemoryDoor()


class FilesystemMachine(StoreMachine):
    def make_door(self) -> StoreDoor:
        folder = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        door = FilesystemDoor(Path(folder) / "data")
        self.cleanup.callback(lambda: door.close())
        return door


_SETTINGS = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = _SETTINGS
TestFilesystemMachine = FilesystemMachine.TestCase
TestFilesystemMachine.settings = _SETTINGS
