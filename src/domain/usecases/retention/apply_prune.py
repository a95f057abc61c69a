"""
Carrying out a prune plan: moving archives to the trash.

The catalog hides an archive first, then its files move: nobody finds an archive that is on its way. After a crash
`settle_trash` has the disk follow the catalog. What builds on another goes before it, so that stopping after any
archive leaves no kept point without what it needs.

Receives need not wait for a prune. So each archive is hidden in one transaction with the question whether anything came
to the profile since the plan was made. Then the plan is made again, and goes on if it removes what is left of it and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from attrs import frozen

from ...access.on_record import STAYS, OnRecord, moved
from ...archives.archive import ArchiveState, BackupArchive
from ...chains.standing import PlacedArchive
from ...errors.archives import ArchiveCorrupt
from ...errors.retention import PlanChanged, PrunePaused
from ...evidence.facts import of_pruning
from ...identity.archive_id import ArchiveId
from ...jobs.job import GoOn
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore, Ballast
from ...ports.system import Clock, NameLocks
from ...ports.upkeep.evidence import EvidenceLog
from ...profiles.rules import Rules
from ...retention import trash_note
from ...retention.candidates import is_broken
from ...retention.decisions import PauseKind, PruneDecision, PrunePlan, of_archives
from ...retention.trash_note import TrashNote
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ..access.put_on_record import put_on_record
from ..reading.examiner import Examiner
from ..restoring.load_points import LoadPoints
from .despite_full_disk import despite_full_disk
from .plan_prune import PlanPrune
from .trash import is_stored
from .undelete import WayBack

_Result = TypeVar("_Result")

MOST_TRIES = 100
"""How often a plan is made again at most while it is carried out."""


@frozen
class ApplyPrune:
    """Remove what a plan removes, if it still is the present plan."""

    plan: PlanPrune
    store: ArchiveStore
    catalog: Catalog
    load_points: LoadPoints
    rules: Rules
    clock: Clock
    names: NameLocks
    way_back: WayBack
    ballast: Ballast
    examiner: Examiner
    evidence: EvidenceLog

    def __call__(
        self,
        profile: str,
        digest: str | None,
        *,
        is_approved: bool = False,
        record: OnRecord = OnRecord(),  # noqa: B008
        tell: Callable[[PruneDecision, PrunePlan], None] = lambda _removed, _plan: None,
        go_on: GoOn = lambda: True,
    ) -> PrunePlan:
        """
        Plan anew, and move to the trash what the plan removes. Returns the plan.

        *digest* is that of the plan that somebody has seen; None carries out the present plan, whatever it is. An
        approval lifts the limit on how much goes at once. Each removal is put on *record* before it is certain, so that
        no crash leaves an archive in the trash without a line. *tell* is called for each archive as soon as it is in
        the trash. Before each one *go_on* is asked; once it is false, those that are left stay.

        Raises:
            ProfileNotFound: the profile has no stored archive.
            PlanChanged: the present plan has another digest; nothing was removed. Or something came while it was
                carried out that changes what goes; what went before that is in the trash.
            PrunePaused: the plan is paused; nothing was removed.
            ArchiveCorrupt: an archive that would stay is missing or cut off, and that cannot be noted.
            ArchiveProtected: an archive was marked since; those before it in the plan are in the trash.
            EvidenceNotWritten: what the plan removes is in the trash, and that is not in the evidence.
        """
        with self.names.hold_profile(profile):
            version, plan = self._sure(profile)
            places = self.load_points(profile).places()
            self._note_broken(profile, places)
            if digest is not None and digest != plan.digest:
                raise PlanChanged(profile, digest, plan.digest)
            self._check_pauses(plan, is_approved=is_approved)
            parents = {place.archive.id: None if place.link is None else place.link.parent for place in places}
            left, tries = list(plan.removed), 0
            gone: list[PruneDecision] = []
            try:
                while left and go_on():
                    went = self._remove(left[0], plan, parents, version, record)
                    if went is None:
                        tries += 1
                        version = self._still(plan, left, tries)
                        continue
                    version = went
                    gone.append(left.pop(0))
                    tell(gone[-1], plan)
            except TarkeepError:
                with suppress(TarkeepError):  # what stopped it is told
                    self._put_on_record(plan, gone, record)
                raise
            self._put_on_record(plan, gone, record)
        return plan

    def _put_on_record(self, plan: PrunePlan, gone: Sequence[PruneDecision], record: OnRecord) -> None:
        if not gone:
            return
        archives = [(one.archive.id, one.archive.digests.sha256) for one in gone]
        entry = of_pruning(self.clock.now(), plan.profile, plan.digest, record.by, record.who, archives)
        what = f"{counted(len(gone), 'archive')} of {plan.profile} moved to the trash"
        self._despite_full_disk(lambda: put_on_record(entry, self.evidence, what))

    def _sure(self, profile: str) -> tuple[int, PrunePlan]:
        """
        As `_present`, once all that stays instead of what goes is known to lie in the store at full length.

        Raises:
            ArchiveCorrupt: an archive does not, and that cannot be noted.
        """
        absent: set[ArchiveId] = set()
        while True:
            version, plan = self._present(profile)
            kept = [one.archive for one in plan.decisions if one.is_kept] if plan.removed else []
            found = {one.id for one in kept if one.state is ArchiveState.STORED and not self.examiner.is_there(one)}
            if not found:
                return version, plan
            if not found.isdisjoint(absent):
                raise ArchiveCorrupt(min(found & absent))
            absent |= found

    def _present(self, profile: str) -> tuple[int, PrunePlan]:
        """The present plan, and a version of the profile that is not younger than what it was made from."""
        version = self.catalog.link_state(profile).version
        return version, self.plan(profile)

    def _still(self, plan: PrunePlan, left: Sequence[PruneDecision], tries: int) -> int:
        """
        The version of the profile at which exactly what is *left* of *plan* still has to go.

        Raises:
            PlanChanged: what came meanwhile changes what goes, or whether anything may; or things came *tries* times.
        """
        version, present = self._present(plan.profile)
        is_same = set(of_archives(present.removed)) == set(of_archives(left))
        if not is_same or present.forbidding(is_approved=True) or tries > MOST_TRIES:
            raise PlanChanged(plan.profile, plan.digest, present.digest, len(plan.removed) - len(left))
        return version

    def _check_pauses(self, plan: PrunePlan, *, is_approved: bool) -> None:
        pauses = plan.forbidding(is_approved=is_approved)
        if plan.removed and pauses:
            may_be_approved = all(pause.kind is PauseKind.SHARE for pause in pauses)
            raise PrunePaused(plan.profile, tuple(pause.reason for pause in pauses), may_be_approved)

    def _note_broken(self, profile: str, places: Sequence[PlacedArchive]) -> None:
        """Note since when archives are known not to restore."""
        broken = [place.archive.id for place in places if is_broken(place)]
        now = self.clock.now()
        self._despite_full_disk(lambda: self.catalog.note_broken(profile, broken, now))

    def _despite_full_disk(self, work: Callable[[], _Result]) -> _Result:
        return despite_full_disk(self.ballast, "moving an archive to the trash", work)

    def _remove(
        self,
        decision: PruneDecision,
        plan: PrunePlan,
        parents: Mapping[ArchiveId, ArchiveId | None],
        version: int,
        record: OnRecord,
    ) -> int | None:
        archive, policy, now = decision.archive, self.rules.of(plan.profile).retention, self.clock.now()
        assert policy is not None  # without one nothing is removed
        note = TrashNote.of(
            archive,
            parents.get(archive.id),
            trashed_at=now,
            keep_until=policy.trash_for.after(now),
            plan=plan.digest,
            reasons=tuple(reason.text for reason in decision.reasons),
            who=record.who,
        )
        return self._to_trash(archive, note, version, record)

    def _to_trash(self, archive: BackupArchive, note: TrashNote, version: int, record: OnRecord) -> int | None:
        """
        Move *archive* to the trash with *note*, if its profile still has *version*. Returns the version that follows.

        None if something came meanwhile, be it a reader; it stays as it was then, as it does if it is protected. If
        moving it fails when its files have moved, it is in the trash all the same: the catalog follows the disk.
        """
        told: list[ArchiveId] = []

        def enter() -> None:
            if not told:  # moving it may be tried twice
                told.append(archive.id)
                record.enter(archive.id, archive.digests.sha256, moved(record.by, note.plan, note.reasons))

        hidden = self._despite_full_disk(lambda: self.catalog.hide(archive.id, version))
        if hidden is None:
            return None
        # Looked at once it is hidden: a reader first says what it needs, and then looks whether that is still there.
        if archive.id in self.plan.in_use.all():
            self.way_back.show(archive.id, archive.state)
            return None
        raw = trash_note.encode(note)
        try:
            self._despite_full_disk(lambda: self.store.trash(archive.id, raw, note.trashed_at, enter))
        except TarkeepError:
            if not _has_left(archive.id, self.store):
                try:
                    self.way_back.show(archive.id, archive.state)
                finally:
                    if told:
                        record.enter(archive.id, archive.digests.sha256, STAYS)
            raise
        return hidden


def _has_left(id: ArchiveId, store: ArchiveStore) -> bool:
    try:
        return not is_stored(id, store)
    except TarkeepError:  # unknown
        return False
