"""What every `Spool` promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import Lineage
from tarkeep.domain.client.ports.spool import Spool, Spooled
from tarkeep.domain.errors.client import FolderUnusable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType

PROFILE = "laptop"
INHERITED = settings(
    max_examples=30, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)
DIGESTS = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)
ids = st.builds(
    ArchiveId, st.just(PROFILE), st.sampled_from(BackupType), st.sampled_from([f"{name}.tar.gz" for name in "abcdef"])
)
lineages = st.builds(
    Lineage,
    st.none() | st.tuples(st.sampled_from(BackupType), st.sampled_from(["full_1.tar.gz", "ü.tar.gz"])),
    DIGESTS,
    DIGESTS,
)


class SpoolDoor(Protocol):
    """The spool of `PROFILE`, with back doors to its files."""

    def open(self) -> AbstractContextManager[Spool]:
        """The spool as the next process finds it."""

    def lie(self) -> list[str]:
        """The names of all files in it."""

    def date(self, dump: Spooled, seconds: int) -> None:
        """Give *dump* another time."""


def spooled(spool: Spool, id: ArchiveId, content: bytes = b"archive") -> Spooled:
    dump = Spooled(id, spool.write(id, iter([content])), Lineage(), b"snapshot of " + id.name.encode(), ("a note",))
    spool.describe(dump)
    return dump


def content_of(dump: Spooled) -> bytes:
    return Path(dump.archive.path).read_bytes()


class SpoolContract:
    """A subclass gives the fixture *door*."""

    ONE = ArchiveId(PROFILE, BackupType.FULL, "a.tar.gz")
    OTHER = ArchiveId(PROFILE, BackupType.INC, "a.tar.gz")

    @INHERITED
    @given(
        st.lists(
            st.tuples(
                ids,
                st.lists(st.binary(max_size=100), max_size=4),
                lineages,
                st.binary(max_size=100),
                st.lists(st.text(max_size=20), max_size=3).map(tuple),
            ),
            max_size=5,
            unique_by=lambda one: one[0],
        )
    )
    def test_what_was_described_waits(
        self, door: SpoolDoor, dumps: Sequence[tuple[ArchiveId, list[bytes], Lineage, bytes, tuple[str, ...]]]
    ) -> None:
        """With all its data, for this process and the next, the oldest first, until it is removed."""
        with door.open() as spool:
            for number, (id, blocks, lineage, snapshot, notes) in enumerate(reversed(dumps)):
                dump = Spooled(id, spool.write(id, iter(blocks)), lineage, snapshot, notes)
                spool.describe(dump)
                door.date(dump, 1_700_000_000 - number)
            found = spool.waiting()
        with door.open() as spool:
            assert spool.waiting() == found
            assert [(one.id, [content_of(one)], one.lineage, one.snapshot, one.notes) for one in found] == [
                (id, [b"".join(blocks)], lineage, snapshot, notes) for id, blocks, lineage, snapshot, notes in dumps
            ]
            assert all(one.archive.size_bytes == len(content_of(one)) for one in found)
            for one in found:
                spool.remove(one)
            assert spool.waiting() == []
        assert door.lie() == []

    def test_what_is_written_alone_does_not_wait(self, door: SpoolDoor) -> None:
        """It is unknown what it is, so it is removed, and nothing else."""
        with door.open() as spool:
            spool.write(self.ONE, iter([b"archive"]))
            dump = spooled(spool, self.OTHER)
        with door.open() as spool:
            assert [one.id for one in spool.waiting()] == [dump.id]
            spool.remove(dump)
            assert door.lie() == []

    def test_a_source_that_breaks_leaves_nothing(self, door: SpoolDoor) -> None:
        """The error of the source passes through; and the name is free."""

        def broken() -> Iterator[bytes]:
            yield b"archive"
            raise ValueError("broke")

        with door.open() as spool:
            with pytest.raises(ValueError, match="broke"):
                spool.write(self.ONE, broken())
            assert door.lie() == []
            spooled(spool, self.ONE)

    def test_a_name_that_is_taken_stays_what_it_is(self, door: SpoolDoor) -> None:
        """Two dumps of one name are an error of the caller, and no reason to lose one."""
        with door.open() as spool:
            spooled(spool, self.ONE, b"first")
            with pytest.raises(FolderUnusable):
                spool.write(self.ONE, iter([b"second"]))
            assert [content_of(one) for one in spool.waiting()] == [b"first"]

    def test_what_is_said_of_a_dump_last_counts(self, door: SpoolDoor) -> None:
        """A dump that is described again waits once."""
        with door.open() as spool:
            first = spooled(spool, self.ONE)
            again = Spooled(first.id, first.archive, Lineage(snapshot_after="a" * 64), b"other", ())
            spool.describe(again)
            assert spool.waiting() == [again]

    def test_removing_again_is_no_error(self, door: SpoolDoor) -> None:
        """As after a process ended between sending and removing."""
        with door.open() as spool:
            dump = spooled(spool, self.ONE)
            spool.remove(dump)
            spool.remove(dump)
            assert spool.waiting() == []

    def test_one_process_uses_it(self, door: SpoolDoor) -> None:
        """A second process is refused with that reason, until the first has ended."""
        with door.open(), pytest.raises(FolderUnusable, match="is using it"):
            door.open()
        with door.open() as spool:
            assert spool.waiting() == []
