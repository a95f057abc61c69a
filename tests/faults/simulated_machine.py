"""
The inside of a server on a `SimulatedKernel`, what it must keep, and the rules that hold whatever happens to it.

Store, journals of uploads, records of members and all use cases are the real ones. The catalog is the one in memory;
each of its calls is durable when it returns and not begun before; a power cut also falls between its calls.
"""

from __future__ import annotations

import errno
import gc
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.filesystem.upload_sessions import FilesystemUploadSessions
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.archives import NameConflict, RecordsMissing
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage, ReadOnly
from tarkeep.domain.errors.content import UploadInterrupted
from tarkeep.domain.errors.uploads import UploadGone, UploadNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.uploads import Checksum, ChecksumAlgorithm
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.faults.lossy_medium import Directory, File
from tests.faults.simulated_kernel import Failure, SimulatedKernel
from tests.faults.ways import some_archive
from tests.support.archives import SNAPSHOT, digests_of
from tests.support.assembled import Crash, Fuse, assembled, pieces
from tests.support.catalogs import all_archives
from tests.support.clocks import FixedClock, SequenceIds

_STAGED = (".part", ".json")
_SIZES = (100, 3_000, 20_000)
_ERRORS: dict[int, type[TarkeepError]] = {
    errno.ENOSPC: InsufficientStorage,
    errno.EDQUOT: InsufficientStorage,
    errno.EROFS: ReadOnly,
    errno.EACCES: ReadOnly,
    errno.EPERM: ReadOnly,
}


LOCKED = ("/data", "/data/lock")  # held by a process for as long as it lives


@frozen
class Archive:
    """One of a few; those with the same *number* have the same name, and another *variant* has other bytes."""

    number: int
    variant: int

    @property
    def id(self) -> ArchiveId:
        return ArchiveId(f"profile-{self.number % 2}", BackupType.FULL, f"archive-{self.number}.tar.gz")

    @property
    def content(self) -> bytes:
        return _content(self.number, self.variant)


@lru_cache
def _content(number: int, variant: int) -> bytes:
    return some_archive(number * 10 + variant, _SIZES[(number + variant) % len(_SIZES)])


# -- steps on the machine ----------------------------------------------------------------------------------------------


@frozen
class Receive:
    """Send an archive whole, in blocks."""

    archive: Archive
    block_bytes: int


@frozen
class Begin:
    """Begin a resumable upload, and send *quarters* of it."""

    archive: Archive
    quarters: int


@frozen
class Append:
    """Send *quarters* of the missing bytes of the *which*-th upload, and then break off or not."""

    which: int
    quarters: int
    breaks_off: bool
    has_checksum: bool


@frozen
class End:
    """Abandon the *which*-th upload."""

    which: int


@frozen
class Join:
    """Send an archive in two pieces that are concatenated."""

    archive: Archive


@frozen
class Keep:
    """Keep a snapshot file with the *which*-th archive."""

    which: int


@frozen
class Damage:
    """Let the disk lose the last byte of the *which*-th archive, and send it again."""

    which: int


@frozen
class Restart:
    """End the process as SIGKILL does, and start the next one."""


Step: TypeAlias = Receive | Begin | Append | End | Join | Keep | Damage | Restart


@frozen
class Cut:
    """The power is cut before the *after*-th change from now on; *seed* decides what is left."""

    after: int
    seed: int


@frozen
class Trouble:
    """The faults in a step: a call fails (error and number), and the power is cut, also while recovering."""

    failure: tuple[int, int] | None = None
    cuts: tuple[Cut, ...] = ()


@define(eq=False)
class _Process:
    """The objects that a start makes, and a power cut ends."""

    tarkeep: Tarkeep
    store: FilesystemArchiveStore
    sessions: FilesystemUploadSessions
    records: FilesystemMemberRecords


@define(eq=False)
class SimulatedMachine:
    """*kept*, *uploads* and *snapshots* were acknowledged; *damaged* are archives the disk lost, until sent again."""

    kernel: SimulatedKernel
    kept: dict[ArchiveId, bytes] = field(factory=dict)
    damaged: dict[ArchiveId, bytes] = field(factory=dict)
    uploads: dict[str, tuple[Archive, int]] = field(factory=dict)
    snapshots: set[ArchiveId] = field(factory=set)
    failed: list[tuple[str, str]] = field(factory=list)  # the calls, and where
    cuts: int = 0
    _catalog: MemoryCatalog = field(factory=MemoryCatalog)
    _ids: SequenceIds = field(factory=SequenceIds)
    _clock: FixedClock = field(factory=FixedClock)
    _process: _Process | None = None
    _held: ExitStack = field(factory=ExitStack)
    # of the current step
    _unsure: Archive | None = None
    _at_work: str | None = None
    _has_failed: bool = False
    _may_linger: bool = False  # this process could not remove something in staging

    @classmethod
    def on(cls, space: Path, most_bytes: int) -> SimulatedMachine:
        machine = cls(SimulatedKernel(space, Fuse(), most_bytes))
        machine.kernel.boot()
        return machine

    # -- steps -----------------------------------------------------------------------------------------------------

    def go_through(self, script: list[tuple[Step, Trouble]]) -> None:
        """Run all of *script*; then everything begun is ended well, and the power is cut once more."""
        try:
            self._go(self._restart, Trouble())
            for step, trouble in script:
                act = self._act(step)
                if act is not None:
                    self._go(act, trouble)
            for upload in list(self.uploads):
                self._go(lambda upload=upload: self._append(upload, 4, False, False), Trouble())  # type: ignore[misc]
            assert not self.uploads
            self._go(self._restart, Trouble(cuts=(Cut(1, 0),)))
        finally:
            self._die()

    def _act(self, step: Step) -> Callable[[], None] | None:
        """The action of *step* in the current state; None if it has no object."""
        match step:
            case Receive(archive, block_bytes):
                self._unsure = archive
                return lambda: self._receive(archive.id, archive.content, block_bytes)
            case Join(archive):
                self._unsure = archive
                return lambda: self._join(archive)
            case Begin(archive, quarters):
                return lambda: self._begin(archive, quarters)
            case Append(which, quarters, breaks_off, has_checksum) if self.uploads:
                upload = self._at_work = sorted(self.uploads)[which % len(self.uploads)]
                self._unsure = self.uploads[upload][0]
                return lambda: self._append(upload, quarters, breaks_off, has_checksum)
            case End(which) if self.uploads:
                ending = self._at_work = sorted(self.uploads)[which % len(self.uploads)]
                return lambda: self._end(ending)
            case Keep(which) if self.kept:
                id = sorted(self.kept)[which % len(self.kept)]
                return lambda: self._keep(id)
            case Damage(which) if self.kept:
                broken = sorted(self.kept)[which % len(self.kept)]
                content = self._damage(broken)
                return lambda: self._receive(broken, content, 1 << 20)
            case Restart():
                return self._restart
        return None

    def _go(self, act: Callable[[], None], trouble: Trouble) -> None:
        """Run *act*, with *trouble*; as often as it takes until it is done."""
        self._has_failed = False
        if trouble.failure is not None:
            self.kernel.failure = Failure(*trouble.failure)
        if trouble.cuts:
            self._light(trouble.cuts[0])
        if not self._is_done(act) or trouble.cuts:
            self._come_back(trouble.cuts)
            act()
        self._unsure = self._at_work = None
        self._check()

    def _is_done(self, act: Callable[[], None]) -> bool:
        """Run *act*, again if a call of it failed; False if the power was cut."""
        try:
            if self._fails(act):
                if self._process is not None:
                    self._check()
                act()
        except Crash:
            return False
        return True

    def _fails(self, act: Callable[[], None]) -> bool:
        failure = self.kernel.failure
        error = None
        try:
            act()
        except TarkeepError as raised:
            if failure is None or failure.site is None:
                raise
            error = type(raised)
        self.kernel.failure = None
        if failure is not None and failure.site is not None:
            self._note(failure, error)
        return error is not None

    def _note(self, failure: Failure, error: type[TarkeepError] | None) -> None:
        assert failure.site is not None
        call, place = failure.site
        assert error in _expected(failure.code, call, place), (errno.errorcode[failure.code], call, place)
        self._has_failed = True
        self._may_linger |= call == "unlink"
        self.failed.append(failure.site)

    def _come_back(self, cuts: tuple[Cut, ...]) -> None:
        """The first of *cuts* cut the power; the others fall into the starts after it."""
        self.kernel.failure = None
        for number, cut in enumerate(cuts):
            if number:
                self._light(cut)
                with suppress(Crash):
                    self._start()
            self._die()
            self.kernel.cut_power(cut.seed)
            self.cuts += 1
            self.kernel.boot()
        self._start()
        self._check()

    def _light(self, cut: Cut) -> None:
        fuse = self.kernel.fuse
        fuse.blows_at = fuse.steps + cut.after

    # -- one process -----------------------------------------------------------------------------------------------

    def _restart(self) -> None:
        fuse = self.kernel.fuse
        lit = fuse.blows_at
        self._die()
        fuse.blows_at = lit
        self._start()

    def _start(self) -> None:
        """The start of `open_tarkeep` and a server."""
        self._may_linger = False
        self._held.enter_context(self.kernel.running())
        store = FilesystemArchiveStore.open(self.kernel.folder / "data", ids=self._ids)
        self._held.callback(store.close)
        records = FilesystemMemberRecords(store.members, self._ids)
        records.sweep()
        sessions = FilesystemUploadSessions.open(store.staging)
        catalog = self.kernel.fuse.around(self._catalog)
        tarkeep = assembled(store, catalog, self._clock, sessions=sessions, records=records, ids=self._ids)
        tarkeep.recover()
        tarkeep.adopt_snapshots()
        self._process = _Process(tarkeep, store, sessions, records)

    def _die(self) -> None:
        """End the process; its later calls have no effect."""
        self.kernel.fuse.blows_at = 0
        process, self._process = self._process, None
        while process is not None:  # uploads at rest, one after the other, each trying in vain to clean up
            with suppress(Crash):
                process.tarkeep.uploads.close()
                process = None
        if self.kernel.opened.keys() - self._locks():
            gc.collect()  # objects left by a process that ended may be in a cycle with its traceback
        self._held.close()
        self.kernel.fuse.blows_at = None

    def _locks(self) -> set[int]:
        return {descriptor for descriptor, (place, _) in self.kernel.opened.items() if place in LOCKED}

    @property
    def _running(self) -> _Process:
        assert self._process is not None
        return self._process

    # -- what is done ----------------------------------------------------------------------------------------------

    def _receive(self, id: ArchiveId, content: bytes, block_bytes: int) -> None:
        digests = digests_of(content)
        offer = Offer(id, DeclaredDigests(digests.md5, digests.sha256))
        with self._refusing_other(id, content):
            self._running.tarkeep.receive(offer, pieces(content, block_bytes))
            self._acknowledged(id, content)

    def _begin(self, archive: Archive, quarters: int) -> None:
        upload = self._running.tarkeep.uploads.begin(Offer(archive.id), len(archive.content))
        self.uploads[upload.id] = archive, 0
        self._append(upload.id, quarters, False, False)

    def _append(self, upload: str, quarters: int, breaks_off: bool, has_checksum: bool) -> None:
        if upload not in self.uploads:
            return  # it was stored before the power was cut
        archive, _ = self.uploads[upload]
        uploads = self._running.tarkeep.uploads
        with self._refusing_other(archive.id, archive.content, upload):
            told = uploads.show(upload)
            if told.archive is None:
                start = told.offset_bytes
                part = archive.content[start : start + -(-(len(archive.content) - start) * quarters // 4)]
                checksum = Checksum(ChecksumAlgorithm.SHA256, hashlib.sha256(part).digest()) if has_checksum else None
                with suppress(UploadInterrupted):
                    uploads.append(upload, start, _sent(part, breaks_off), announced_bytes=len(part), checksum=checksum)
                told = uploads.show(upload)
            self.uploads[upload] = archive, told.offset_bytes
            if told.archive is not None:
                del self.uploads[upload]
                self._acknowledged(archive.id, archive.content)

    def _end(self, upload: str) -> None:
        with suppress(UploadGone, UploadNotFound):  # it was ended before the power was cut
            self._running.tarkeep.uploads.end(upload)
        self.uploads.pop(upload, None)

    def _join(self, archive: Archive) -> None:
        uploads = self._running.tarkeep.uploads
        half = len(archive.content) // 2
        parts = []
        for content in (archive.content[:half], archive.content[half:]):
            parts.append(uploads.begin(None, len(content)).id)
            uploads.append(parts[-1], 0, [content])
        with self._refusing_other(archive.id, archive.content):
            uploads.join(Offer(archive.id), parts)
            self._acknowledged(archive.id, archive.content)

    def _keep(self, id: ArchiveId) -> None:
        self._running.tarkeep.keep_snapshot(id, [SNAPSHOT])
        self.snapshots.add(id)

    def _damage(self, id: ArchiveId) -> bytes:
        """From now on only sending these bytes again restores them."""
        content = self.damaged[id] = self.kept.pop(id)
        self.kernel.shorten(_place(id), len(content) - 1)
        return content

    def _acknowledged(self, id: ArchiveId, content: bytes) -> None:
        self.damaged.pop(id, None)
        self.kept[id] = content

    @contextmanager
    def _refusing_other(self, id: ArchiveId, content: bytes, upload: str | None = None) -> Iterator[None]:
        """Other bytes are refused if, and only if, the name is taken; their *upload* is then over."""
        taken = self.kept.get(id, self.damaged.get(id))
        try:
            yield
        except (NameConflict, UploadGone, UploadNotFound):
            assert taken not in (None, content)
            self.uploads.pop(upload or "", None)
        else:
            assert upload in self.uploads or taken in (None, content)

    # -- the rules -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Acknowledged archives are there, all others are whole or gone, and nothing is left over."""
        files = self._files("archives")
        for id, content in self.kept.items():
            self._check_whole(id, content)
            snapshot = files.pop(_place(id) + ".snar", None)
            assert snapshot == SNAPSHOT or (snapshot is None and id not in self.snapshots), id
            # an unacknowledged archive may have been stored just before an error
            assert self._catalog.find(id).has_snapshot == (snapshot is not None) or self._has_failed, id
            assert {files.pop(_place(id)), bool(files.pop(_place(id) + ".json"))} == {content, True}
        for id, content in self.damaged.items():
            assert files.pop(_place(id), content) in (content, content[:-1])
            files.pop(_place(id) + ".json", None)
            files.pop(_place(id) + ".snar", None)
        listed = {archive.id for archive in all_archives(self._catalog)}
        if self._unsure is not None and self._unsure.id not in self.kept and self._unsure.id not in self.damaged:
            self._check_unsure(self._unsure, files, listed)
        assert files == {}
        assert listed == {*self.kept, *self.damaged}
        assert self._catalog.open_claims() == []
        for upload, (archive, offset_bytes) in self.uploads.items():
            self._check_upload(upload, archive, offset_bytes)
        self._check_nothing_is_left()

    def _check_whole(self, id: ArchiveId, content: bytes) -> None:
        running = self._running
        with running.store.read(id) as reader:
            assert b"".join(reader) == content, id
        about = sidecar.decode(running.store.stat(id).sidecar or b"")
        digests = digests_of(content)
        assert (about.id, about.size_bytes, about.digests) == (id, len(content), digests)
        assert self._catalog.find(id).digests == digests
        with suppress(RecordsMissing):  # a cache
            assert [record.at for record in running.records.read(digests.sha256)] == [0]

    def _check_unsure(self, archive: Archive, files: dict[str, bytes], listed: set[ArchiveId]) -> None:
        place = _place(archive.id)
        content, about = files.pop(place, None), files.pop(place + ".json", None)
        if content is None:
            # if an fsync failed and the power was cut, removing the side-car need not be durable; it is never seen
            assert about is None or self._has_failed
            assert archive.id not in listed
        else:
            assert content == archive.content
            assert sidecar.decode(about or b"").digests == digests_of(content)
            # likewise the archive may be back, without an entry: the next attempt takes it in
            assert archive.id in listed or self._has_failed
            listed.discard(archive.id)

    def _check_upload(self, upload: str, archive: Archive, offset_bytes: int) -> None:
        """The acknowledged bytes are there."""
        sessions = self._running.sessions
        if upload == self._at_work and upload not in {one.id for one in sessions.all()}:  # it ended before the crash
            return
        found = sessions.get(upload)
        staged = self._files("staging").get(f"/data/staging/{upload}.part")
        if upload == self._at_work and (not found.is_open or (staged is None and found.sha256 is not None)):
            return
        assert found.is_open
        assert found.offset_bytes >= offset_bytes
        assert (staged or b"")[: found.offset_bytes] == archive.content[: found.offset_bytes]

    def _check_nothing_is_left(self) -> None:
        sessions = self._running.sessions.all()
        going_on = {f"/data/staging/{upload.id}{suffix}" for upload in sessions if upload.is_open for suffix in _STAGED}
        journals = {f"/data/staging/{upload.id}.upload" for upload in sessions}
        assert {place for place, _ in self.kernel.opened.values()} <= {*LOCKED, *going_on}
        if not self._may_linger:
            assert self._files("staging").keys() - {*going_on, *journals} == set()
            assert not [place for place in self._files("members") if place.endswith(".part")]

    def _files(self, below: str) -> dict[str, bytes]:
        return files_below(self.kernel, below)


def _sent(part: bytes, breaks_off: bool) -> Iterator[bytes]:
    yield from pieces(part, 5_000)
    if breaks_off:
        raise UploadInterrupted(len(part))


def _expected(code: int, call: str, place: str) -> set[type[TarkeepError] | None]:
    """The possible outcomes of a *call* that failed."""
    error = error_of(code)
    if place.startswith("/data/members/"):
        return {None}  # a cache
    if place.startswith("/data/quarantine"):
        return {None}  # it does not stand in the way of a repair
    if call == "unlink" or place == "/data/members":
        return {None, error}  # a name that could not be removed after publishing does not matter
    if call == "open" and place.startswith("/data/archives"):
        return {None, error}  # a stored archive is read for its verdict, which waits if that fails
    if code == errno.EPERM and place.endswith("link-probe"):
        return {BackendUnavailable}  # it reports a lack of hard links
    return {error}


def error_of(code: int) -> type[TarkeepError]:
    """What the store raises where a call that changes something fails with *code*."""
    return _ERRORS.get(code, BackendUnavailable)


def files_below(kernel: SimulatedKernel, below: str) -> dict[str, bytes]:
    """The files of the medium in a folder of the data directory, by their paths."""
    return dict(_walk(kernel.medium.find(f"/data/{below}"), f"/data/{below}"))


def _place(id: ArchiveId) -> str:
    return f"/data/archives/{id.profile}/{id.type.value}/{id.name}"


def _walk(node: File | Directory, place: str) -> Iterator[tuple[str, bytes]]:
    if isinstance(node, File):
        yield place, bytes(node.content)
    else:
        for name, below in node.names.items():
            yield from _walk(below, f"{place}/{name}")
