"""A profile of FULL, DIFF and INC whose sender declares nothing, and whose rule names the wrong parents."""

from __future__ import annotations

import gzip
import shutil
from datetime import timedelta

import pytest
from attrs import define, evolve, field

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.retention_policy import Every, KeepRule
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.retention.decisions import PrunePlan
from tests.support.archives import make_targz
from tests.support.nights import POLICY, Nights

FULL, DIFF, INC = BackupType.FULL, BackupType.DIFF, BackupType.INC
WEEKS = 3


@define
class Weeks:
    """A FULL each week, then a DIFF each day and an INC after it, from the DIFF or from the INC before."""

    nights: Nights
    inc_after_diff: bool
    sent: list[ArchiveId] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        place, full, own = self.nights.place, self.nights.place / "full", self.nights.place / "own"
        for _ in range(WEEKS):
            (place / "snar").unlink(missing_ok=True)
            self.send(FULL)
            for copy in (full, own):
                shutil.copy(place / "snar", copy)
            for _day in range(6):
                shutil.copy(full, place / "snar")
                self.send(DIFF)
                if not self.inc_after_diff:
                    shutil.copy(own, place / "snar")
                self.send(INC)
                shutil.copy(place / "snar", own)

    def send(self, type: BackupType) -> None:
        nights, number = self.nights, len(self.sent)
        folder = nights.root / f"folder{number % 5}"
        folder.mkdir(exist_ok=True)
        (folder / f"file{number}").write_bytes(str(number).encode() * 50)
        (nights.root / f"folder{(number + 2) % 5}" / f"file{number - 8}").unlink(missing_ok=True)
        name = f"{type.value.lower()}_{nights.clock.now():%Y-%m-%d_%H-%M-%S}.tar.gz"
        id = ArchiveId("laptop", type, name)
        nights.tarkeep.receive(Offer(id), [gzip.compress(nights.dumped(), mtime=0)])
        self.sent.append(id)
        nights.clock.advance(timedelta(hours=12))

    def restorable(self) -> set[ArchiveId]:
        points = self.nights.tarkeep.load_points("laptop").all()
        return {point.archive.id for point in points if point.is_restorable}


@pytest.mark.parametrize("inc_after_diff", [True, False])
def test_old_weeks_go_and_every_kept_point_restores_as_before(nights: Nights, inc_after_diff: bool) -> None:
    """Links that are inferred against the rule, or uncertain, do not keep everything that was ever tried."""
    rule = evolve(POLICY, rules=(KeepRule(Every.DAY, 4), KeepRule(Every.WEEK, 2)))
    nights.rules.book = RuleBook((("*", ProfileRules(retention=rule)),))
    weeks = Weeks(nights, inc_after_diff)
    before = {id: nights.restored(id) for id in weeks.restorable()}
    plan = nights.tarkeep.plan_prune("laptop")

    nights.prune()

    assert len(plan.removed) > len(weeks.sent) / 2
    left = set(nights.stored())
    assert weeks.restorable() == left & before.keys()
    assert {id: nights.restored(id) for id in left & before.keys()} == {id: before[id] for id in left & before.keys()}
    assert most_reasons(plan) <= 6


def most_reasons(plan: PrunePlan) -> int:
    return max(len(one.reasons) for one in plan.decisions)


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_an_inc_that_cannot_be_compared_keeps_the_diff_before_it(nights: Nights, *, is_encrypted: bool) -> None:
    """
    Nothing but the rule names its parent, and the DIFF may be that.

    Of several DIFFs the last one is it: a DIFF builds on the FULL.
    """
    policy = evolve(POLICY, rules=(KeepRule(Every.POINT, 1),))
    nights.rules.book = RuleBook((("*", ProfileRules(allow_opaque=True, retention=policy)),))
    sent = []
    for number, type in enumerate((FULL, INC, DIFF, DIFF, INC)):
        content = b"encrypted" + bytes([number]) * 100 if is_encrypted else make_targz({f"file{number}": b"text"})
        id = ArchiveId("laptop", type, f"night{number}.tar.gz")
        nights.tarkeep.receive(Offer(id), [content])
        sent.append(id)
        nights.clock.advance(timedelta(days=1))

    plan = nights.tarkeep.plan_prune("laptop")

    assert [one.archive.id for one in plan.removed] == [sent[2]]
    why = next(one.reasons[0].text for one in plan.decisions if one.archive.id == sent[3])
    assert why.startswith("may be needed by INC/night4.tar.gz")
