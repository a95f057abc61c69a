"""What `Landing` and its `Part` promise."""

from __future__ import annotations

from typing import Protocol

import pytest

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.client.ports.landing import Landing
from tarkeep.domain.client.ports.local_archives import LocalArchive
from tarkeep.domain.errors.client import LocalConflict, PullInProgress
from tarkeep.domain.identity.archive_id import BackupType
from tests.support.archives import make_archive

CONTENT = bytes(range(256)) * 9000  # more than two blocks
ARCHIVE = make_archive(content=CONTENT)
OF_ANOTHER_TYPE = make_archive(content=CONTENT, type=BackupType.INC)


class LandingDoor(Protocol):
    """A landing, and its files, seen past the port."""

    @property
    def landing(self) -> Landing: ...

    def lay(self, archive: BackupArchive, content: bytes) -> None:
        """Put *content* under the name of *archive*."""

    def bytes_of(self, archive: BackupArchive) -> bytes | None:
        """The bytes under the name of *archive*."""

    def part_of(self, archive: BackupArchive) -> bytes | None:
        """The bytes of the incomplete *archive*."""


class LandingContract:
    """A subclass gives the fixture *door*."""

    def test_what_is_not_there_is_not_found(self, door: LandingDoor) -> None:
        """Neither before nor while it arrives."""
        assert door.landing.find(ARCHIVE) is None
        with door.landing.begin(ARCHIVE) as part:
            part.write(CONTENT)
            assert door.landing.find(ARCHIVE) is None
            assert door.bytes_of(ARCHIVE) is None

    def test_what_lies_there_is_found_whatever_bytes_it_has(self, door: LandingDoor) -> None:
        """Only under its type and name."""
        door.lay(ARCHIVE, b"other")

        found = door.landing.find(ARCHIVE)
        assert found is not None
        assert (found.type, found.name, found.size_bytes) == (ARCHIVE.id.type, ARCHIVE.id.name, 5)
        assert door.landing.find(OF_ANOTHER_TYPE) is None

    def test_a_published_part_is_the_archive(self, door: LandingDoor) -> None:
        """With all its bytes, and the returned archive is the one that `find` gives; no part stays."""
        with door.landing.begin(ARCHIVE) as part:
            assert part.size_bytes == 0
            part.write(CONTENT[:1000])
            part.write(CONTENT[1000:])
            assert part.size_bytes == len(CONTENT)
            landed = part.publish(replace=False)

        assert isinstance(landed, LocalArchive)
        assert landed == door.landing.find(ARCHIVE)
        assert door.bytes_of(ARCHIVE) == CONTENT
        assert door.part_of(ARCHIVE) is None

    def test_a_part_is_kept_and_continued(self, door: LandingDoor) -> None:
        """Even if the writer failed."""

        def fail_half_way() -> None:
            with door.landing.begin(ARCHIVE) as part:
                part.write(CONTENT[:1_500_000])
                raise ValueError("failed")

        with pytest.raises(ValueError, match="failed"):
            fail_half_way()

        with door.landing.begin(ARCHIVE) as part:
            assert part.size_bytes == 1_500_000
            part.write(CONTENT[1_500_000:])
            part.publish(replace=False)
        assert door.bytes_of(ARCHIVE) == CONTENT

    def test_a_part_is_read_from_its_first_byte_in_blocks(self, door: LandingDoor) -> None:
        """In blocks of at most 1 MiB; and writing continues at the end."""
        with door.landing.begin(ARCHIVE) as part:
            part.write(CONTENT)
            blocks = list(part.read())
            part.write(b"end")

            assert b"".join(blocks) == CONTENT
            assert max(map(len, blocks)) <= 1 << 20
            assert b"".join(part.read()) == CONTENT + b"end"

    def test_a_restart_drops_every_byte(self, door: LandingDoor) -> None:
        """And the next bytes are the first ones."""
        with door.landing.begin(ARCHIVE) as part:
            part.write(b"wrong")
            part.restart()
            assert part.size_bytes == 0
            part.write(CONTENT)
            part.publish(replace=False)

        assert door.bytes_of(ARCHIVE) == CONTENT

    def test_a_part_without_a_byte_leaves_nothing(self, door: LandingDoor) -> None:
        """An empty part is not kept."""
        with door.landing.begin(ARCHIVE):
            pass

        assert door.part_of(ARCHIVE) is None

    def test_a_taken_name_stays_what_it_is(self, door: LandingDoor) -> None:
        """Even if it was taken while the archive arrived; the part is kept."""
        with door.landing.begin(ARCHIVE) as part:
            part.write(CONTENT)
            door.lay(ARCHIVE, b"meanwhile")
            with pytest.raises(LocalConflict):
                part.publish(replace=False)

        assert door.bytes_of(ARCHIVE) == b"meanwhile"
        assert door.part_of(ARCHIVE) == CONTENT

    def test_a_taken_name_gives_way_when_it_is_to(self, door: LandingDoor) -> None:
        """With *replace*, any file under the name is replaced."""
        door.lay(ARCHIVE, b"old")
        with door.landing.begin(ARCHIVE) as part:
            part.write(CONTENT)
            part.publish(replace=True)

        assert door.bytes_of(ARCHIVE) == CONTENT
        assert door.part_of(ARCHIVE) is None

    def test_one_pulls_an_archive_at_a_time(self, door: LandingDoor) -> None:
        """A second pull is refused and does no harm; another archive is free, and so is this one afterwards."""
        with door.landing.begin(ARCHIVE) as part:
            part.write(b"first")
            with pytest.raises(PullInProgress):
                door.landing.begin(ARCHIVE)
            with door.landing.begin(OF_ANOTHER_TYPE):
                pass
            assert part.size_bytes == 5

        with door.landing.begin(ARCHIVE) as part:
            assert b"".join(part.read()) == b"first"
