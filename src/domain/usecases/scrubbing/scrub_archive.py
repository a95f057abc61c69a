"""
Reading one archive again, with all that is kept beside it.

The rule: one wrong read is no verdict. What is wrong is dropped from every cache and read again, while no receive can
change it; if it is right then, it is *unstable*. Damaged bytes are recorded by the `Examiner`, as whoever else meets
them does it; a side-car is mended as a rebuild does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from attrs import frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import ArchiveCorrupt, ArchiveNotFound, InvalidSidecar, SnapshotNotFound
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher
from ...ports.notifier import Notifier
from ...ports.store import ArchiveStore, Rereading
from ...ports.system import Clock, NameLocks
from ...ports.upkeep.figures import Tally
from ...ports.upkeep.scrubbing import ReadingPace
from ...ports.upkeep.scrubs import ScrubTable
from ...retention import marks
from ...scrubbing.findings import (
    MISSING,
    UNREADABLE,
    Damage,
    Fault,
    Finding,
    ScrubbedPart,
    ScrubVerdict,
    other_bytes,
    other_length,
)
from ...scrubbing.unread import FoundRight, Unread
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..keeping.rebuild import is_the_same
from ..reading.examiner import Examiner
from ..reading.mend_sidecar import MendSidecar
from ..restoring.snapshots import note_lost_snapshot, snapshot_digest


@frozen
class Scrubbed:
    """
    What came of reading the archive *id*: the *findings*, and *left*, why it could not be read now; empty if it was.

    *is_gone*: it was removed meanwhile. *is_due_again*: another run has to read it. *right* is still to be noted: that
    the archive is as it should be.
    """

    id: ArchiveId
    size_bytes: int
    findings: tuple[Finding, ...] = ()
    left: str = ""
    is_gone: bool = False
    is_due_again: bool = False
    right: FoundRight | None = None


class _Stopped(Exception):
    pass


@frozen
class _Beside:
    """What is *wrong* beside an archive, and whether it *is_marked*; None if there is no archive."""

    wrong: Mapping[ScrubbedPart, Damage]
    is_marked: bool | None


@frozen
class ScrubArchive:
    """Read an archive again, and record what is wrong with it."""

    store: ArchiveStore
    catalog: Catalog
    table: ScrubTable
    hasher: Hasher
    examiner: Examiner
    mend: MendSidecar
    names: NameLocks
    notifier: Notifier
    clock: Clock
    pace: ReadingPace
    tally: Tally | None = None

    def __call__(self, unread: Unread, go_on: Callable[[], bool], reading: Rereading | None = None) -> Scrubbed | None:
        """
        Read the archive of *unread*, an entry of the catalog; None if *go_on*, asked before each block, was false
        before the end. *reading* is that of several, if it is one of them.

        No error of the store or the catalog is raised: it is the reason why the archive is left.
        """
        archive = unread.archive
        try:
            if reading is not None:
                return self._scrubbed(archive, unread.is_marked, go_on, reading)
            with self.store.rereading([archive.id]) as alone:
                return self._scrubbed(archive, unread.is_marked, go_on, alone)
        except _Stopped:
            return None
        except ArchiveNotFound:  # removed meanwhile
            return Scrubbed(archive.id, 0, is_gone=True)
        except TarkeepError as error:
            return Scrubbed(archive.id, 0, left=str(error), is_due_again=True)

    def _scrubbed(
        self, archive: BackupArchive, was_marked: bool, go_on: Callable[[], bool], reading: Rereading
    ) -> Scrubbed:
        damage = self._damage(archive, go_on, reading)
        beside = self._beside(archive, was_marked, reading)
        if damage is None and not beside.wrong and archive.state is ArchiveState.STORED:
            right = FoundRight(archive, self.clock.now(), beside.is_marked)
            return Scrubbed(archive.id, archive.size_bytes, right=right)
        with self.names.hold(archive.id, timedelta(0)):
            return self._judged(self.catalog.find(archive.id), was_marked, damage, beside.wrong)

    def _judged(
        self,
        archive: BackupArchive,
        was_marked: bool,
        first: Damage | None,
        beside: Mapping[ScrubbedPart, Damage],
    ) -> Scrubbed:
        """The verdict on *archive*, in which *first* and *beside* were found, by a second read."""
        findings = []
        damage = None
        if first is not None or archive.state is ArchiveState.DAMAGED:
            damage = self.examiner.damage(archive)
            told = damage or first
            if told is not None:
                verdict = ScrubVerdict.UNSTABLE if damage is None else ScrubVerdict.DAMAGED
                findings.append(Finding(archive.id, ScrubbedPart.BYTES, told.fault, verdict, told.what))
        with self.store.rereading([archive.id]) as reading:
            if beside:
                _drop_cached(archive.id, reading)
                archive = self.catalog.find(archive.id)  # its state may be another one now
            again = self._beside(archive, was_marked, reading)
        findings += [
            self._settled(archive, part, again.wrong[part])
            if part in again.wrong
            else Finding(archive.id, part, found.fault, ScrubVerdict.UNSTABLE, found.what)
            for part, found in beside.items()
        ]
        unstable = [finding for finding in findings if finding.verdict is ScrubVerdict.UNSTABLE]
        for finding in unstable:
            self.notifier.unstable(archive.id, finding.what)
        verified_at = None if damage else self.clock.now()
        self.table.note(archive, verified_at, is_wanted=bool(unstable), is_marked=again.is_marked)
        return Scrubbed(archive.id, archive.size_bytes, tuple(findings), is_due_again=bool(unstable))

    # -- the bytes -----------------------------------------------------------------------------------------------

    def _damage(self, archive: BackupArchive, go_on: Callable[[], bool], reading: Rereading) -> Damage | None:
        """What is wrong with the bytes, as one read shows it."""
        digest = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        try:
            with reading.bytes_of(archive.id) as reader:
                if reader.size_bytes != archive.size_bytes:
                    return other_length(reader.size_bytes, archive)
                for block in reader:
                    digest.update(block)
                    if self.tally is not None:
                        self.tally.read(len(block))
                    self.pace.took(len(block), go_on)
                    if not go_on():
                        raise _Stopped
        except ArchiveNotFound:
            return MISSING
        except ArchiveCorrupt:
            return UNREADABLE
        found = digest.digest().hex()
        return None if found == archive.digests.sha256 else other_bytes(found)

    # -- what lies beside them -----------------------------------------------------------------------------------

    def _beside(self, archive: BackupArchive, was_marked: bool, reading: Rereading) -> _Beside:
        """What the files beside the bytes are like; without bytes they mean nothing."""
        try:
            lying = reading.beside(archive.id)
        except ArchiveNotFound:
            return _Beside({}, None)
        found = {
            ScrubbedPart.SNAPSHOT: self._wrong_snapshot(archive),
            ScrubbedPart.MARKS: _wrong_marks(archive.id, lying.marks, was_marked),
        }
        if lying.sidecar is None or not sidecar.says_just(archive, lying.sidecar):
            said, wrong_sidecar = _read_sidecar(archive.id, lying.sidecar)
            found = {
                ScrubbedPart.SIDECAR: wrong_sidecar,
                ScrubbedPart.ENTRY: _other_entry(archive, said),
            } | found
        return _Beside({part: damage for part, damage in found.items() if damage is not None}, lying.marks is not None)

    def _wrong_snapshot(self, archive: BackupArchive) -> Damage | None:
        if not archive.has_snapshot:
            return None
        try:
            digest = snapshot_digest(self.store, archive.id, self.hasher)
        except SnapshotNotFound:
            return Damage(Fault.MISSING, "its snapshot file is missing")
        except ArchiveCorrupt:
            return Damage(Fault.UNREADABLE, "its snapshot file cannot be read to its end")
        if digest == archive.lineage.snapshot_after:
            return None
        return Damage(Fault.DIGEST, f"its snapshot file is another one, it has the SHA-256 {digest}")

    def _settled(self, archive: BackupArchive, part: ScrubbedPart, damage: Damage) -> Finding:
        """Make right what can be made right, and tell the rest."""
        verdict = ScrubVerdict.DAMAGED
        if part is ScrubbedPart.SNAPSHOT:
            note_lost_snapshot(archive.id, self.catalog, self.notifier)
        elif part is ScrubbedPart.SIDECAR and self._is_mended(archive.id):
            verdict = ScrubVerdict.MENDED
            self.notifier.mended(archive.id, damage.what)
        else:
            self.notifier.damaged(archive.id, damage.what)
        return Finding(archive.id, part, damage.fault, verdict, damage.what)

    def _is_mended(self, id: ArchiveId) -> bool:
        try:
            self.mend(self.store.stat(id))
        except InvalidSidecar:
            return False
        return True


def _drop_cached(id: ArchiveId, reading: Rereading) -> None:
    with suppress(ArchiveNotFound), reading.bytes_of(id):
        pass


def _read_sidecar(id: ArchiveId, described: bytes | None) -> tuple[BackupArchive | None, Damage | None]:
    """What the side-car of *id* says, None if it cannot be read; and what is wrong with it."""
    if described is None:
        return None, Damage(Fault.MISSING, "its side-car is missing")
    try:
        said = sidecar.decode(described)
    except InvalidSidecar:
        return None, Damage(Fault.UNREADABLE, "its side-car cannot be read")
    if not sidecar.is_unchanged(described):
        return said, Damage(Fault.DIGEST, "its side-car was changed since it was written")
    return said, None if said.id == id else Damage(Fault.DIGEST, f"its side-car is that of {said.id}")


def _other_entry(archive: BackupArchive, said: BackupArchive | None) -> Damage | None:
    """A side-car that can be read says something else than *archive*, its entry in the catalog."""
    if said is None or said.id != archive.id or is_the_same(archive, said):
        return None
    return Damage(Fault.DIGEST, "its entry in the catalog says something else than its side-car")


def _wrong_marks(id: ArchiveId, held: bytes | None, was_marked: bool) -> Damage | None:
    if held is None:
        return Damage(Fault.MISSING, "its marks are missing") if was_marked else None
    found = marks.decode(held)
    if found.is_unreadable:
        return Damage(Fault.UNREADABLE, "its marks cannot be read")
    return Damage(Fault.DIGEST, f"its marks are those of {found.of}") if found.of not in ("", str(id)) else None
