"""
Histories of real directories, dumped by GNU tar and pruned by random policies: what stays restores as before.

After every prune each point that stays gives the same bytes of ``restore.tar`` as before it, and GNU tar makes the same
directory of the archives of its plan. Where nothing was moved or linked, both are the directory that was dumped; tar
forgets some of what was moved. When all that the last prune removed is brought back, every point is as it was.

``make test-long`` draws ten times as many; the end of a run counts the points.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, field

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.chains.points import RestorePoint
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.journeys.test_restores import sha256_of, unpacked
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.histories import History, drawn, tar
from tests.support.portraits import Portrait, portrait, to_the_second

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200")) // 10
SEED = int(os.environ.get("TARKEEP_TEST_SEED", "0"))

FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF
GROWING = ("write", "write", "make", "make", "symlink", "empty")
CHANGING = (*GROWING, "change", "change", "remove", "remove-tree", "chmod")
MOVING = (*CHANGING, "link", "move-file", "move", "move")


@define
class Restored:
    """What a point gives: the bytes of restore.tar, and what GNU tar makes of the archives of a sound plan."""

    content: bytes
    by_plan: Portrait | None


@define
class Profile:
    """A machine that dumps a directory in the same way as long as it lives, and the server."""

    place: Path
    rng: random.Random
    clock: FixedClock = field(factory=lambda: FixedClock(datetime.now(UTC)))
    rules: CurrentRules = field(factory=lambda: CurrentRules(RuleBook()))
    live: dict[ArchiveId, Portrait] = field(factory=dict)
    sent: dict[ArchiveId, Path] = field(factory=dict)
    tarkeep: Tarkeep = field(init=False)
    moves: bool = field(init=False)
    _history: History = field(init=False)
    _is_posix: bool = field(init=False)
    _states_lineage: bool = field(init=False)

    def begin(self, store: FilesystemArchiveStore) -> None:
        self.tarkeep = assembled(store, MemoryCatalog(), self.clock, rules=self.rules)
        self._history = History(self.place)
        self._is_posix, self._states_lineage, self.moves = (self.rng.random() < 0.5 for _ in range(3))
        self._history.go_through(drawn(self.rng, GROWING, 12))

    def night(self, type: BackupType) -> None:
        """Some changes, and a dump that is sent; some time passes."""
        self._history.go_through(drawn(self.rng, MOVING if self.moves else CHANGING, self.rng.randrange(6)))
        snapshot, of_full = self.place / "snapshot", self.place / "snapshot of the full"
        used = snapshot
        if type is FULL:
            snapshot.unlink(missing_ok=True)
        if type is DIFF:
            used = self.place / "copy"
            shutil.copyfile(of_full, used)
        before = sha256_of(used)
        file = self._history.dump(f"dump{len(self.sent):02}.tar", used, posix=self._is_posix)
        if type is FULL:
            shutil.copyfile(snapshot, of_full)
        lineage = Lineage(None, before, sha256_of(used)) if self._states_lineage else Lineage()
        id = ArchiveId("p", type, f"{file.name}.gz")
        self.tarkeep.receive(
            Offer(id, taken_at=self.clock.now(), lineage=lineage), [gzip.compress(file.read_bytes(), 1, mtime=0)]
        )
        live = portrait(self._history.root)
        self.sent[id], self.live[id] = file, live if self._is_posix else to_the_second(live)
        self.clock.advance(timedelta(hours=self.rng.choice([12, 24, 24, 36, 24 * 5])))

    def points(self) -> dict[ArchiveId, RestorePoint]:
        return {point.archive.id: point for point in self.tarkeep.load_points("p").all()}

    def restored(self) -> dict[ArchiveId, Restored]:
        """What every point that restores gives."""
        return {id: self._restored(id) for id, point in self.points().items() if point.is_restorable}

    def _restored(self, id: ArchiveId) -> Restored:
        content = b"".join(self.tarkeep.restore_tar(self.tarkeep.open_point("p", id)))
        plan = self.tarkeep.load_points("p").plan(id)
        return Restored(content, self._by_tar(plan.archives) if plan.is_sound else None)

    def _by_tar(self, archives: tuple[ArchiveId, ...]) -> Portrait:
        with tempfile.TemporaryDirectory() as into:
            for one in archives:
                tar(Path(into), "--extract", "--listed-incremental=/dev/null", f"--file={self.sent[one]}")
            return portrait(Path(into) / "root")

    def a_policy(self) -> RetentionPolicy:
        rng = self.rng
        rules = [KeepRule(every, rng.choice([1, 1, 2, 3])) for every in rng.sample(list(Every), rng.choice([1, 2]))]
        return RetentionPolicy(
            tuple(rules),
            prefer_full=rng.choice([None, Every.DAY, Every.WEEK]),
            ages_when_silent=rng.random() < 0.3,
            minimum_points=rng.choice([0, 1, 3]),
            minimum_fulls=rng.choice([0, 1]),
            minimum_age=Span.parse(rng.choice(["0d", "0d", "2d"])),
            largest_share=1.0,
        )


@pytest.mark.parametrize("number", range(HISTORIES))
def test_kept_points_restore_as_before_every_prune(
    number: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    rng = random.Random(f"{SEED} {number}")
    (tmp_path / "place").mkdir()
    profile = Profile(tmp_path / "place", rng)
    store = FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds())
    try:
        profile.begin(store)
        profile.night(FULL)
        for _ in range(3):
            for _ in range(rng.randrange(2, 6)):
                profile.night(rng.choice([FULL, INC, INC, INC, DIFF]))
            before = profile.restored()
            profile.rules.book = RuleBook((("*", ProfileRules(retention=profile.a_policy())),))
            plan = profile.tarkeep.plan_prune("p")
            profile.tarkeep.apply_prune("p", plan.digest)

            removed = {one.archive.id for one in plan.removed}
            after = profile.restored()
            assert after == {id: what for id, what in before.items() if id not in removed}
            for id, what in after.items() if not profile.moves else ():
                assert what.by_plan in (None, profile.live[id])
                assert unpacked(what.content) == profile.live[id]
            counts["prunes"] += 1
            counts["archives removed"] += len(removed)
            counts["points kept, each as before"] += len(after)
            counts["of these by GNU tar, too"] += sum(what.by_plan is not None for what in after.values())
        assert len(profile.points()) == len(profile.sent) - len(list(profile.tarkeep.list_trash()))
        for id in sorted(removed):
            if id not in profile.points():  # it came back with another
                profile.tarkeep.undelete(id)
        assert profile.restored() == before
        counts["points after all of a prune came back, each as before it"] += len(before)
        record_property("pruned histories", dict(counts))
    finally:
        store.close()
