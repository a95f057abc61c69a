"""What every `ArchiveSource` promises."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Protocol

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.client.ports.remote import ArchiveSource
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.archives import digests_of, make_targz

MIB = 1 << 20
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
LARGE = make_targz({"noise": random.Random(1).randbytes(3 * MIB)})
INHERITED = settings(
    max_examples=25, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)


class SourceDoor(Protocol):
    """A source of archives, with back doors to change what it stores. *profile* belongs to one test."""

    @property
    def source(self) -> ArchiveSource: ...

    @property
    def profile(self) -> str: ...

    def lay(self, id: ArchiveId, content: bytes) -> BackupArchive:
        """Store *content*."""

    def is_doubted(self, archive: BackupArchive) -> bool:
        """Whether *archive* is no longer given out as if it were whole."""

    def harm(self, archive: BackupArchive) -> None:
        """Replace the stored bytes of *archive*, unnoticed."""


def full(profile: str, name: str = "full_2026-11-20.tar.gz") -> ArchiveId:
    return ArchiveId(profile, BackupType.FULL, name)


class ArchiveSourceContract:
    """A subclass gives the fixture *door*."""

    def test_its_address_is_for_people(self, door: SourceDoor) -> None:
        """It is one line, without a login."""
        assert door.source.shown_url.isprintable()
        assert "@" not in door.source.shown_url

    @INHERITED
    @given(st.integers(0, len(LARGE) - 1) | st.sampled_from([0, 1, MIB, len(LARGE) - 1]))
    def test_bytes_come_from_wherever_they_are_wanted(self, door: SourceDoor, start: int) -> None:
        """Or from the first byte, as `start_bytes` then says; in blocks of at most 1 MiB."""
        archive = door.lay(full(door.profile), LARGE)
        with door.source.read(archive, start) as download:
            assert download.start_bytes in (0, start)
            blocks = list(download)
            assert b"".join(blocks) == LARGE[download.start_bytes :]
            assert max(map(len, blocks)) <= MIB

    def test_what_is_not_stored_is_not_found(self, door: SourceDoor) -> None:
        """Nor are other bytes given out for an archive that was replaced under its name."""
        archive = door.lay(full(door.profile), make_targz())
        absent = evolve(archive, id=full(door.profile, "none.tar.gz"))
        for other in (absent, evolve(archive, digests=digests_of(b"other"))):
            for start in (0, 1):
                with pytest.raises(ArchiveNotFound):
                    door.source.read(other, start)

    def test_leaving_a_download_ends_it(self, door: SourceDoor) -> None:
        """After one block, or none; the next download is whole."""
        archive = door.lay(full(door.profile), LARGE)
        with door.source.read(archive):
            pass
        with door.source.read(archive) as download:
            next(iter(download))
        with door.source.read(archive) as download:
            assert b"".join(download) == LARGE

    def test_several_threads_read_at_once(self, door: SourceDoor) -> None:
        """Each gets what it requested."""
        contents = {f"{number}.tar.gz": make_targz({"number": b"%d" % number * 70_000}) for number in range(8)}
        archives = {name: door.lay(full(door.profile, name), content) for name, content in contents.items()}

        def read(name: str) -> bytes:
            with door.source.read(archives[name]) as download:
                return b"".join(download)

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(read, [*contents] * 3)) == [*contents.values()] * 3

    def test_it_accepts_a_report_of_wrong_bytes(self, door: SourceDoor) -> None:
        """If its copy is damaged, it knows from then on."""
        archive = door.lay(full(door.profile), LARGE)
        door.harm(archive)
        assert not door.is_doubted(archive)
        door.source.suspect(archive)
        assert door.is_doubted(archive)
