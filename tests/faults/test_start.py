"""Layer 2, concluded: how long the start takes after a crash, with 10,000 archives stored."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.identity.archive_id import BackupType
from tests.support.archives import make_archive
from tests.support.claims import LEASE
from tests.support.clocks import SequenceIds
from tests.support.server import live_server

pytestmark = pytest.mark.faults

ARCHIVES, PROFILES, CLAIMS = 10_000, 100, 20
SECONDS = 5


def test_a_server_is_ready_again_soon_after_a_crash(tmp_path: Path) -> None:
    """Within five seconds, which is generous: claims settled both ways, staging swept, everything listed."""
    data = tmp_path / "data"
    FilesystemArchiveStore.open(data, ids=SequenceIds()).close()
    stored = [
        make_archive(f"a{number}.tar.gz", profile=f"p{number % PROFILES}", type=list(BackupType)[number % 3])
        for number in range(ARCHIVES)
    ]
    never_published = [make_archive(f"b{number}.tar.gz") for number in range(CLAIMS)]
    for archive in stored:
        put(data, archive)
    for number in range(CLAIMS):
        (data / "staging" / f"{number}.part").write_bytes(b"cut off")
    with closing(SqlCatalog.open(f"sqlite:///{data}/catalog.sqlite")) as catalog:
        catalog.adopt(stored[CLAIMS:])
        for archive in stored[:CLAIMS] + never_published:
            catalog.claim(archive, LEASE)

    began = time.monotonic()
    with live_server(data) as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        took = time.monotonic() - began
        listed = client.get("/list").json()["total_count"]

    print(f"ready after {took:.2f} s with {ARCHIVES} archives")
    assert listed == ARCHIVES
    assert list((data / "staging").iterdir()) == []
    assert took < SECONDS


def put(data: Path, archive: BackupArchive) -> None:
    """Put *archive* into the store, as if it had been published."""
    folder = data / "archives" / archive.id.profile / archive.id.type.value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / archive.id.name).write_bytes(b"some bytes")
    (folder / f"{archive.id.name}.json").write_bytes(sidecar.encode(archive))
