"""What every `InUse` promises."""

from __future__ import annotations

import threading

import pytest

from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.system import InUse

ONE = ArchiveId("web", BackupType.FULL, "one.tar.gz")
OTHER = ArchiveId("web", BackupType.INC, "other.tar.gz")


class InUseContract:
    """A test module provides the fixture ``in_use``: with nothing in use."""

    def test_archives_are_in_use_while_they_are_held(self, in_use: InUse) -> None:
        assert in_use.all() == frozenset()
        with in_use.hold([ONE, OTHER]):
            assert in_use.all() == {ONE, OTHER}
        assert in_use.all() == frozenset()

    def test_an_archive_stays_in_use_until_its_last_reader_ends(self, in_use: InUse) -> None:
        with in_use.hold([ONE]):
            with in_use.hold([ONE, OTHER]):
                pass
            assert in_use.all() == {ONE}

    def test_a_reader_that_fails_has_ended(self, in_use: InUse) -> None:
        with pytest.raises(RuntimeError), in_use.hold([ONE]):
            raise RuntimeError
        assert in_use.all() == frozenset()

    def test_readers_of_many_threads_are_counted(self, in_use: InUse) -> None:
        def read() -> None:
            for _ in range(200):
                with in_use.hold([ONE]):
                    assert ONE in in_use.all()

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert in_use.all() == frozenset()
