"""
A store on a `SimulatedKernel` whose archives are marked, trashed, brought back, purged and forgotten.

Only the store is at work; what a step has done is judged by all files of the medium.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import define, evolve, field, frozen

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.domain.errors.archives import AlreadyPublished, ArchiveNotFound, ArchiveProtected
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.retention import marks
from tarkeep.domain.retention.marks import UNMARKED, Hold
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.contracts.archive_trash import LATER, NOW, note_on
from tests.faults.simulated_kernel import Failure, SimulatedKernel
from tests.faults.simulated_machine import LOCKED, Cut, Trouble, error_of, files_below
from tests.support.assembled import Crash, Fuse
from tests.support.clocks import SequenceIds

IDS = [ArchiveId(f"profile-{number % 2}", BackupType.FULL, f"archive-{number}.tar.gz") for number in range(3)]
_FORGETS = 2  # a seed with which a power cut takes everything that is not durable
_ANY_TIME = datetime.max.replace(tzinfo=UTC)


# -- steps -------------------------------------------------------------------------------------------------------------


@frozen
class Put:
    """Store an archive, with a snapshot file or without; *has_marks*: it is published with marks."""

    which: int
    has_snapshot: bool
    has_marks: bool = False


@frozen
class Mark:
    """Hold the archive, or release it; a number tells one mark from the next."""

    which: int
    holds: bool


@frozen
class Trash:
    which: int


@frozen
class Untrash:
    which: int


@frozen
class Purge:
    which: int


@frozen
class Forget:
    which: int


Step: TypeAlias = Put | Mark | Trash | Untrash | Purge | Forget


@frozen
class Kept:
    """
    What is known of one identity: the archive's files by their suffixes, and the note.

    Without *files* there is no archive; with *is_trashed* it is in the trash.
    """

    files: dict[str, bytes] = field(factory=dict)
    is_trashed: bool = False
    note: bytes | None = None

    @property
    def is_held(self) -> bool:
        return bool(marks.decode(self.files.get(".marks")).protection(NOW))

    def on_medium(self, id: ArchiveId) -> dict[str, bytes]:
        """Its files, by their paths."""
        place = self.place(id)
        found = {f"{place}{suffix}": content for suffix, content in self.files.items()}
        return found if self.note is None else {**found, f"{_place('trash', id)}.trashed.json": self.note}

    def place(self, id: ArchiveId) -> str:
        return _place("trash" if self.is_trashed else "archives", id)


@define(eq=False)
class SimulatedTrash:
    """*kept* is what was acknowledged of each of `IDS`."""

    kernel: SimulatedKernel
    kept: dict[ArchiveId, Kept] = field(factory=lambda: dict.fromkeys(IDS, Kept()))
    failed: list[tuple[str, str]] = field(factory=list)
    cuts: int = 0
    done: int = 0
    _ids: SequenceIds = field(factory=SequenceIds)
    _store: FilesystemArchiveStore | None = None
    _held: ExitStack = field(factory=ExitStack)
    _may_linger: bool = False  # this process could not remove something in staging

    @classmethod
    def on(cls, space: Path, most_bytes: int) -> SimulatedTrash:
        machine = cls(SimulatedKernel(space, Fuse(), most_bytes))
        machine.kernel.boot()
        return machine

    @property
    def store(self) -> FilesystemArchiveStore:
        assert self._store is not None
        return self._store

    def go_through(self, script: list[tuple[Step, Trouble]]) -> None:
        """Run all of *script*; then the power is cut once more."""
        try:
            self._start()
            for step, trouble in script:
                id = IDS[step.which % len(IDS)]
                planned = self._planned(step, id)
                if planned is None:
                    self._refused(step, id)
                else:
                    self._go(id, *planned, trouble)
                self._check()
            self._come_back((Cut(1, _FORGETS),))
            self._check()
        finally:
            self._die()

    # -- what a step does ------------------------------------------------------------------------------------------

    def _planned(self, step: Step, id: ArchiveId) -> tuple[Kept, Callable[[], None]] | None:
        """What is known after *step*, and the calls of it, also where it was done in part; None if it is refused."""
        self.done += 1
        before = self.kept[id]
        match step:
            case Put(has_snapshot=has_snapshot, has_marks=has_marks) if not before.files:
                files = {"": b"content %d" % self.done * 99, ".json": b"about %d" % self.done}
                files |= {".snar": b"snapshot %d" % self.done} if has_snapshot else {}
                files |= {".marks": marks.encode(UNMARKED.held(Hold("hold", "over", NOW, NOW)))} if has_marks else {}
                return evolve(before, files=files), lambda: self._put(id, files)
            case Mark(holds=holds) if before.files:
                hold = Hold("hold", f"the {self.done}th", NOW, None if holds else NOW)
                raw = marks.encode(UNMARKED.held(hold))
                after = evolve(before, files={**before.files, ".marks": raw})
                return after, lambda: self._mark(id, raw, before.files.get(".marks"))
            case Trash() if before.files and not before.is_held:
                note = note_on(id, f"the {self.done}th")
                return evolve(before, is_trashed=True, note=note), lambda: self.store.trash(id, note, NOW)
            case Untrash() if before.files and before.is_trashed:
                return evolve(before, is_trashed=False, note=None), lambda: self._untrash(id)
            case Purge() if before.is_trashed and before.is_held:
                return None
            case Purge() if before.is_trashed:
                note = note_on(id, f"the {self.done}th", is_purged=True)
                return Kept(note=note), lambda: self.store.purge(id, note, LATER)
            case Purge() if before.note is not None:
                return before, lambda: self.store.purge(id, note_on(id, is_purged=True), LATER)
            case Forget() if not before.is_trashed:
                return evolve(before, note=None), lambda: self.store.forget(id)
        return None

    def _refused(self, step: Step, id: ArchiveId) -> None:
        """*step* is refused, and changes nothing."""
        before = self.kept[id]
        with pytest.raises((AlreadyPublished, ArchiveNotFound, ArchiveProtected)) as caught:
            self._try(step, id)
        if isinstance(step, Trash | Purge) and before.is_held and (before.is_trashed or isinstance(step, Trash)):
            assert caught.type is ArchiveProtected

    def _try(self, step: Step, id: ArchiveId) -> None:
        match step:
            case Put():
                self._put_once(id, {"": b"another", ".json": b"about another"})
            case Mark():
                self.store.mark(id, b"marks", None)
            case Trash():
                self.store.trash(id, note_on(id), NOW)
            case Untrash():
                self.store.untrash(id)
            case Purge():
                self.store.purge(id, note_on(id, is_purged=True), LATER)
            case Forget():
                self.store.forget(id)

    def _put(self, id: ArchiveId, files: dict[str, bytes]) -> None:
        with suppress(ArchiveNotFound):
            if self.store.stat(id).sidecar == files[".json"]:
                return self._keep_snapshot(id, files)
        self._put_once(id, files)
        return self._keep_snapshot(id, files)

    def _put_once(self, id: ArchiveId, files: dict[str, bytes]) -> None:
        with self.store.begin() as writer:
            writer.write(files[""])
            writer.seal(files[".json"], files.get(".marks"))
            writer.publish(id)

    def _keep_snapshot(self, id: ArchiveId, files: dict[str, bytes]) -> None:
        if ".snar" in files:
            self.store.keep_snapshot(id, [files[".snar"]])

    def _mark(self, id: ArchiveId, raw: bytes, before: bytes | None) -> None:
        present = self.store.marks(id)  # what a call that failed left may not be durable: it is written again
        self.store.mark(id, raw, present if present == raw else before)

    def _untrash(self, id: ArchiveId) -> None:
        try:
            self.store.untrash(id)
        except ArchiveNotFound:
            self.store.stat(id)

    # -- with trouble ----------------------------------------------------------------------------------------------

    def _go(self, id: ArchiveId, after: Kept, act: Callable[[], None], trouble: Trouble) -> None:
        """Run *act*, with *trouble*; as often as it takes until it is done."""
        before = self.kept[id]
        if trouble.failure is not None:
            self.kernel.failure = Failure(*trouble.failure)
        if trouble.cuts:
            self._light(trouble.cuts[0])
        if not self._is_done(id, before, after, act) or trouble.cuts:
            self._come_back(trouble.cuts)
            self._check_between(id, before, after)
            act()
        self.kept[id] = after

    def _is_done(self, id: ArchiveId, before: Kept, after: Kept, act: Callable[[], None]) -> bool:
        """Run *act*, again if a call of it failed; False if the power was cut."""
        try:
            if self._fails(act):
                self._check_between(id, before, after)
                has_undone = self.failed[-1][0] != "unlink"
                assert not (has_undone and {_place(area, id) for area in ("archives", "trash")} <= self._files().keys())
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
        lingers = call == "unlink" and place.startswith("/data/staging/")  # does not matter after publishing
        assert error is error_of(failure.code) or (lingers and error is None), (failure.code, call, place, error)
        self._may_linger |= lingers
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

    def _light(self, cut: Cut) -> None:
        fuse = self.kernel.fuse
        fuse.blows_at = fuse.steps + cut.after

    def _start(self) -> None:
        self._held.enter_context(self.kernel.running())
        store = FilesystemArchiveStore.open(self.kernel.folder / "data", ids=self._ids)
        self._held.callback(store.close)
        store.sweep(_ANY_TIME)
        self._may_linger = False
        self._store = store

    def _die(self) -> None:
        """End the process; its later calls have no effect."""
        self.kernel.fuse.blows_at = 0
        self._store = None
        if any(place not in LOCKED for place, _ in self.kernel.opened.values()):
            gc.collect()  # objects left by a process that ended may be in a cycle with its traceback
        self._held.close()
        self.kernel.fuse.blows_at = None

    # -- the rules -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Every file is one of what is kept, and none is missing."""
        expected: dict[str, bytes] = {}
        for id, kept in self.kept.items():
            expected |= kept.on_medium(id)
        assert self._files() == expected
        assert {entry.id for entry in self.store.trashed()} == {
            id for id, kept in self.kept.items() if kept.is_trashed or kept.note is not None
        }
        assert set(self.store.ids()) == {id for id, kept in self.kept.items() if kept.files and not kept.is_trashed}

    def _check_between(self, id: ArchiveId, before: Kept, after: Kept) -> None:
        """*id* is as before or as after, or in both places as a whole; all others are as they were."""
        files = self._files()
        for other, kept in self.kept.items():
            if other != id:
                for place, content in kept.on_medium(other).items():
                    assert files.pop(place, None) == content, place
        for place in files:
            assert place.startswith((_place("archives", id), _place("trash", id))), place
        states = [kept for kept in (before, after) if kept.files]
        if before.files and after.files:
            assert any(_is_whole(files, kept, kept.place(id)) for kept in states)
            assert self.store.marks(id) in (before.files.get(".marks"), after.files.get(".marks"))
        for place in (_place("archives", id), _place("trash", id)):
            if (
                place in files
            ):  # an archive that is seen has all that belongs to it; a new one's snapshot file is sent later
                late = () if before.files else (".snar",)
                assert any(_is_whole(files, kept, place, late) for kept in states), place
        note = files.get(f"{_place('trash', id)}.trashed.json")
        assert note in (before.note, after.note)
        if before.is_trashed and not after.files and _place("trash", id) not in files:
            assert note == after.note  # before anything is purged, the note says so

    def _files(self) -> dict[str, bytes]:
        assert self._may_linger or files_below(self.kernel, "staging") == {}
        return files_below(self.kernel, "archives") | files_below(self.kernel, "trash")


def _is_whole(files: dict[str, bytes], kept: Kept, place: str, late: tuple[str, ...] = ()) -> bool:
    """Whether the files of *kept* are at *place*, but for those with the suffixes *late*."""
    return all(files.get(f"{place}{suffix}") == content for suffix, content in kept.files.items() if suffix not in late)


def _place(area: str, id: ArchiveId) -> str:
    return f"/data/{area}/{id.profile}/{id.type.value}/{id.name}"
