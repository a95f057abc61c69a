"""What can be restored of a profile, where it takes more than values: a catalog that fails meanwhile."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tarkeep.adapters.memory_store import MemoryArchiveStore
from tarkeep.domain import errors
from tarkeep.domain.archives import ArchiveId, BackupType, Offer
from tarkeep.domain.chains import Evidence
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock
from tests.support.faulty import Fault, FaultyCatalog
from tests.support.histories import History


@pytest.mark.parametrize(
    "error", [errors.InsufficientStorage(), errors.ReadOnly(), errors.CatalogBusy(), errors.BackendUnavailable("disk")]
)
def test_points_are_told_though_nothing_can_be_noted(tmp_path: Path, error: errors.TarkeepError) -> None:
    """What comparing two archives showed is kept only to save time: where it cannot be kept, the answer is the same."""
    history = History(tmp_path)
    (history.root / "a").write_text("first")
    tars = [history.dump("full.tar", tmp_path / "snar", posix=False)]
    (history.root / "b").write_text("second")
    tars.append(history.dump("inc.tar", tmp_path / "snar", posix=False))
    tarkeep = assembled(MemoryArchiveStore(), FaultyCatalog(Fault("keep_fit", error)), FixedClock())
    for tar, type in zip(tars, (BackupType.FULL, BackupType.INC), strict=True):
        offer = Offer(ArchiveId("host", type, f"{tar.stem}.tar.gz"))
        tarkeep.receive(offer, [gzip.compress(tar.read_bytes())])

    points = tarkeep.points("host")

    assert [(point.is_restorable, point.evidence) for point in points] == [
        (True, Evidence.PROVEN),
        (True, Evidence.INFERRED),
    ]
