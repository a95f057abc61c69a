"""The unpacker as it is wired: over the real store, with its indexes in the data directory."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from tarkeep.adapters.targz_unpacker import FAR_BYTES, TargzUnpacker
from tarkeep.domain.archives import ArchiveId, BackupType, Offer
from tarkeep.entrypoints.settings import StorageSettings
from tarkeep.entrypoints.wiring import open_tarkeep
from tests.support.tars import END, member


def test_an_archive_that_was_received_can_be_looked_into(tmp_path: Path) -> None:
    """Its last file is read, and what makes that fast the next time is below the data directory."""
    noise = random.Random(3).randbytes(1 << 20)
    before = b"".join(member(b"%d" % number, noise) for number in range(FAR_BYTES // len(noise)))
    targz = gzip.compress(before + member(b"last", b"last") + END, 1)
    at = len(before) + 512
    data = tmp_path / "data"

    with open_tarkeep(StorageSettings(data=data)) as tarkeep:
        archive = tarkeep.receive(Offer(ArchiveId("host", BackupType.FULL, "a.tar.gz")), [targz]).archive
        with tarkeep.unpacker.open(archive) as unpacked:
            found = b"".join(unpacked.read(at, at + 4))
        assert isinstance(tarkeep.unpacker, TargzUnpacker)
        tarkeep.unpacker.settle()

    sha256 = archive.digests.sha256
    assert found == b"last"
    assert [path for path in (data / "seek").rglob("*") if path.is_file()] == [data / "seek" / sha256[:2] / sha256]
