"""What can be restored of a profile when the catalog fails in between."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.process.turns import ProcessTurns
from tarkeep.domain.archives.archive import BackupArchive, Offer
from tarkeep.domain.chains.link import Evidence
from tarkeep.domain.comparing.fit import Compatibility
from tarkeep.domain.comparing.untroubled import alone
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, ReadOnly
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.rules import IncBase, ProfileRules, RuleBook
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.usecases.linking.compare import Comparing
from tarkeep.domain.usecases.linking.profile_links import ProfileLinks
from tarkeep.domain.usecases.restoring.load_points import LoadPoints, ProfilePoints
from tests.domain.chains.test_links import DIFF, FULL, INC, START, any_fit, archive
from tests.support.assembled import InMemory, NothingSeen, assembled
from tests.support.clocks import FixedClock
from tests.support.faulty import Fault, FaultyCatalog
from tests.support.histories import History


@pytest.mark.parametrize("error", [InsufficientStorage(), ReadOnly(), CatalogBusy(), BackendUnavailable("disk")])
def test_points_are_listed_though_nothing_can_be_kept(tmp_path: Path, error: TarkeepError) -> None:
    """Comparisons are kept only to save time: if they cannot be kept, the answer is the same."""
    history = History(tmp_path)
    (history.root / "a").write_text("first")
    tars = [history.dump("full.tar", tmp_path / "snar", posix=False)]
    (history.root / "b").write_text("second")
    tars.append(history.dump("inc.tar", tmp_path / "snar", posix=False))
    tarkeep = assembled(MemoryArchiveStore(), FaultyCatalog(Fault("keep_links", error)), FixedClock())
    for tar, type in zip(tars, (BackupType.FULL, BackupType.INC), strict=True):
        offer = Offer(ArchiveId("host", type, f"{tar.stem}.tar.gz"))
        tarkeep.receive(offer, [gzip.compress(tar.read_bytes())])

    points = tarkeep.load_points("host").all()

    assert [(point.is_restorable, point.evidence) for point in points] == [
        (True, Evidence.PROVEN),
        (True, Evidence.INFERRED),
    ]


def points_over(archives: Iterable[BackupArchive], inc_base: IncBase = IncBase.LAST_INC_OR_FULL) -> ProfilePoints:
    """The points of these archives, each of which fits every other."""
    catalog, rules = MemoryCatalog(), RuleBook((("*", ProfileRules(inc_base)),))
    catalog.adopt(list(archives))
    members = InMemory().tarkeep.members
    links = ProfileLinks(catalog, members, rules, ProcessTurns(), comparing=_Fitting, seeing=NothingSeen)
    return LoadPoints(catalog, links, rules)("p")


class _Fitting(Comparing):
    def __call__(self, child: BackupArchive, parent: BackupArchive) -> Compatibility:
        return any_fit(child, parent)

    def alone(self, archive: BackupArchive) -> Compatibility:
        return alone("")


@pytest.mark.parametrize(
    ("type", "inc_base", "name"),
    [
        (DIFF, IncBase.LAST_ANY, "full1.tar.gz"),
        (INC, IncBase.LAST_INC_OR_FULL, "inc2.tar.gz"),
        (INC, IncBase.LAST_ANY, "diff3.tar.gz"),
        (INC, IncBase.LAST_FULL, "full1.tar.gz"),
    ],
)
def test_the_next_archive_continues_from_the_newest_point_that_restores(
    type: BackupType, inc_base: IncBase, name: str
) -> None:
    """As far as the rules allow, and never from a broken chain."""
    archives = (archive(FULL, 1), archive(INC, 2), archive(DIFF, 3), archive(INC, 4, before="9"), archive(FULL, 0))

    found = points_over(archives, inc_base).base(type)

    assert found is not None
    assert found.archive.id.name == name
    assert points_over(archives, inc_base).base(FULL) is None
    assert points_over((), inc_base).base(type) is None


def test_nothing_continues_from_what_is_dated_ahead() -> None:
    """After a wrong clock or a slip in a name, the archive counts from its receipt, and is never a base."""
    ahead = evolve(archive(FULL, 300), received_at=START + timedelta(days=2))
    points, only = points_over((archive(FULL, 1), archive(INC, 3), ahead)), points_over((ahead,))

    for type, name in ((INC, "inc3.tar.gz"), (DIFF, "full1.tar.gz")):
        found = points.base(type)
        assert found is not None
        assert found.archive.id.name == name
    assert only.base(INC) is None
    assert points.plan().point.archive.id.name == "inc3.tar.gz"
    assert points.plan(START + timedelta(days=301)).point.archive.id.name == "inc3.tar.gz"
    assert points.plan(ahead.id).point.archive == ahead
    assert points.plan(START + timedelta(days=2)).point.archive.id.name == "full1.tar.gz"
    assert only.plan(START + timedelta(days=2)).point.archive == ahead
    assert only.plan().point.archive == ahead
