"""
A disk without a free byte: pruning is the way out of it.

The disk is one in memory, mounted for the test. The server keeps no reserve, and something else takes what is left.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.filesystem.data_directory import BALLAST, FileBallast
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.capacity import InsufficientStorage
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.nights import NIGHT, POLICY
from tests.support.require import require

pytestmark = pytest.mark.faults

FILE_BYTES = 900_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    require("root", os.geteuid() == 0, "run as root, where file systems may be mounted")
    mounted = tmp_path / "disk"
    mounted.mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", mounted], capture_output=True, text=True)
    require("tmpfs", tried.returncode == 0, f"run where tmpfs may be mounted: {tried.stderr.strip()}")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def fill(tarkeep: Tarkeep, clock: FixedClock) -> None:
    """Send archives until there is no room for another."""
    with suppress(InsufficientStorage):
        for number in range(1000):
            id = ArchiveId("laptop", BackupType.FULL, f"night{number:03}.tar.gz")
            tarkeep.receive(Offer(id), [make_targz({"file": Random(number).randbytes(FILE_BYTES)})])
            clock.advance(NIGHT)


def take_the_rest(disk: Path) -> None:
    with (disk / "other").open("wb", buffering=0) as other, suppress(OSError):
        while True:
            other.write(bytes(512))


@pytest.mark.parametrize("has_ballast", [True, False])
def test_pruning_is_the_way_out(disk: Path, has_ballast: bool) -> None:
    """Everything that no rule wants goes to the trash, and out of it when its time is over."""
    clock = FixedClock()
    rules = CurrentRules(RuleBook((("*", ProfileRules(retention=POLICY)),)))
    with (
        closing(FilesystemArchiveStore.open(disk / "data", ids=SequenceIds())) as store,
        closing(SqlCatalog.open(f"sqlite:///{disk}/data/catalog.sqlite")) as catalog,
    ):
        ballast = FileBallast(disk / "data")
        assert not has_ballast or ballast.keep()
        tarkeep = assembled(store, catalog, clock, rules=rules)
        apply = evolve(tarkeep.apply_prune, ballast=ballast)
        purge = evolve(tarkeep.purge_trash, ballast=ballast)
        fill(tarkeep, clock)
        take_the_rest(disk)
        plan = tarkeep.plan_prune("laptop")
        assert len(plan.removed) > 50

        if not has_ballast:
            with pytest.raises(InsufficientStorage, match="even for moving an archive to the trash"):
                apply("laptop", plan.digest)
            return
        apply("laptop", plan.digest)
        assert len(catalog.trashed()) == len(plan.removed)
        clock.advance(8 * NIGHT)
        assert len(purge().purged) == len(plan.removed)

    assert (disk / "data" / BALLAST).exists()
    free = os.statvfs(disk)
    assert free.f_bavail * free.f_frsize > len(plan.removed) * FILE_BYTES * 0.9
