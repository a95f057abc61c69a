"""What `NameLocks` promise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tarkeep.domain.errors.archives import ReceiveInProgress
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.system import NameLocks
from tests.support.alone import each_holds_alone

ID = ArchiveId("document", BackupType.FULL, "a.tar.gz")
OTHER = ArchiveId("document", BackupType.INC, "a.tar.gz")
AT_ONCE = timedelta(0)
LONG = timedelta(minutes=1)


class NameLocksContract:
    """A subclass gives the fixture *names*."""

    def test_a_held_identity_is_refused(self, names: NameLocks) -> None:
        """The second caller gets an error that names the identity."""
        with names.hold(ID, AT_ONCE), pytest.raises(ReceiveInProgress) as caught, names.hold(ID, AT_ONCE):
            pass

        assert caught.value.id == ID

    def test_other_identities_are_free(self, names: NameLocks) -> None:
        """One name never waits for another."""
        with names.hold(ID, AT_ONCE), names.hold(OTHER, AT_ONCE):
            pass

    def test_it_is_free_again_afterwards(self, names: NameLocks) -> None:
        """Even if the work failed."""
        with pytest.raises(ValueError, match="failed"), names.hold(ID, AT_ONCE):
            raise ValueError("failed")

        with names.hold(ID, AT_ONCE):
            pass

    def test_a_waiting_caller_gets_its_turn(self, names: NameLocks) -> None:
        """Eight threads at once: each holds it alone, and all get it."""
        assert each_holds_alone(lambda _number: names.hold(ID, LONG))

    def test_a_profile_is_held_alone_beside_its_identities(self, names: NameLocks) -> None:
        """Eight threads at once, each holding an identity of the profile; another profile is free meanwhile."""

        @contextmanager
        def held(number: int) -> Iterator[None]:
            id = ArchiveId("document", BackupType.FULL, f"{number}.tar.gz")
            with names.hold(id, AT_ONCE), names.hold_profile("document"), names.hold_profile(f"other-{number}"):
                yield

        assert each_holds_alone(held)

    def test_a_profile_is_free_again_afterwards(self, names: NameLocks) -> None:
        """Even if the work failed."""
        with pytest.raises(ValueError, match="failed"), names.hold_profile("document"):
            raise ValueError("failed")

        with names.hold_profile("document"):
            pass
