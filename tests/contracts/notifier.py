"""What every `Notifier` promises."""

from __future__ import annotations

from typing import Protocol

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.notifier import Notifier

INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
ONE = ArchiveId("document", BackupType.FULL, "a.tar.gz")
OTHER = ArchiveId("laptop", BackupType.INC, "b.tar.gz")


class NotifierDoor(Protocol):
    """A notifier, and the notices that it delivered."""

    @property
    def notifier(self) -> Notifier: ...

    def told(self) -> list[str]:
        """A text for each delivered notice, in order."""

    def break_down(self) -> None:
        """Make every delivery fail, if that is possible."""


class NotifierContract:
    """A subclass gives the fixture *door*."""

    def test_each_notice_names_its_archive(self, door: NotifierDoor) -> None:
        """In the order in which they were sent, including repetitions."""
        door.notifier.damaged(ONE, "bytes of it are wrong")
        door.notifier.damaged(OTHER, "its snapshot file is lost")
        door.notifier.whole(ONE)
        door.notifier.damaged(ONE, "bytes of it are wrong")
        first, second, third, fourth = door.told()

        assert str(ONE) in first
        assert "bytes of it are wrong" in first
        assert str(OTHER) in second
        assert "its snapshot file is lost" in second
        assert str(ONE) in third
        assert "wrong" not in third
        assert str(ONE) in fourth
        assert "bytes of it are wrong" in fourth

    def test_a_wrong_record_is_told_with_its_archive(self, door: NotifierDoor) -> None:
        """And with which of its digests it is."""
        door.notifier.misrecorded(OTHER, "MD5")
        [told] = door.told()

        assert str(OTHER) in told
        assert "the MD5 on record is wrong" in told

    def test_what_is_suspicious_is_told_with_its_archive(self, door: NotifierDoor) -> None:
        """And with why; or why that could not be found out."""
        door.notifier.suspicious(ONE, "half of it is gone")
        door.notifier.unjudged(OTHER, "the disk is full")
        first, second = door.told()

        assert str(ONE) in first
        assert "suspicious" in first
        assert "half of it is gone" in first
        assert str(OTHER) in second
        assert "the disk is full" in second

    def test_what_was_wrong_for_a_moment_is_told_with_its_archive(self, door: NotifierDoor) -> None:
        """Apart from damage, and from what was made right."""
        door.notifier.unstable(ONE, "its bytes are not what was received")
        door.notifier.mended(OTHER, "its side-car is missing")
        first, second = door.told()

        assert str(ONE) in first
        assert "unstable" in first
        assert "its bytes are not what was received" in first
        assert str(OTHER) in second
        assert "mended" in second
        assert "its side-car is missing" in second

    @INHERITED
    @given(st.text(st.characters()))
    def test_no_text_of_a_notice_is_too_odd(self, door: NotifierDoor, what: str) -> None:
        """It is delivered as one notice, even with line breaks, control characters and lone surrogates."""
        before = len(door.told())
        door.notifier.damaged(ONE, what)
        assert len(door.told()) == before + 1

    def test_nothing_is_raised_where_nothing_comes_through(self, door: NotifierDoor) -> None:
        """The caller that found the damage continues its work."""
        door.break_down()
        door.notifier.damaged(ONE, "bytes of it are wrong")
        door.notifier.whole(ONE)
