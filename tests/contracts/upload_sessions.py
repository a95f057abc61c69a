"""What `UploadSessions` promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from tarkeep.domain import uploads
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.capacity import QuotaExceeded
from tarkeep.domain.errors.uploads import UploadNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.ports.uploads import UploadSessions
from tarkeep.domain.uploads import Upload

NOW = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)
ID = ArchiveId("laptop", BackupType.FULL, "été.tar.gz")
OFFER = Offer(ID, DeclaredDigests(md5="0" * 32, sha256="1" * 64), NOW - timedelta(days=1))


def upload(id: str, offer: Offer | None = OFFER, length: int | None = 10) -> Upload:
    return uploads.begin(id, offer, length, NOW, max_bytes=100, client="::1", metadata="filename w6k=")


class UploadSessionsContract:
    """A subclass gives the fixture *reopened*: each call gives the sessions that the next process finds."""

    def test_what_is_saved_is_found_in_every_detail(self, reopened: Callable[[], UploadSessions]) -> None:
        """At once and in the next process: whole and partial, with a length and without, over and stored."""
        final = uploads.concatenation(
            "f", OFFER, [uploads.advanced(upload("p", None), 10, NOW)], NOW, max_bytes=100, client="", metadata=""
        )
        saved = [
            upload("a"),
            upload("b", None, None),
            uploads.over(upload("c"), "it expired", NOW),
            uploads.stored(upload("d"), ID, NOW),
            uploads.joined(upload("e", None), final, NOW),
            final,
            upload("g", Offer(ID)),
            uploads.about_to_be_stored(upload("h"), "2" * 64, NOW),
            evolve(upload("i"), owner="63c5ujmz"),
            upload("j", evolve(OFFER, notes=("a/b could not be read", "ärger"))),
        ]
        sessions = reopened()
        for one in saved:
            sessions.save(one)

        for found in (sessions, reopened()):
            assert found.all() == saved
            assert [found.get(one.id) for one in saved] == saved

    def test_what_is_refused_is_not_saved(self, reopened: Callable[[], UploadSessions]) -> None:
        """The error of the judge is raised, and the state before stays."""
        sessions = reopened()
        sessions.save(upload("a"), lambda: None)

        def refuse() -> None:
            assert [one.id for one in sessions.unfinished()] == ["a"]
            raise QuotaExceeded("laptop", "bytes", "max_bytes", 10, 10, 10)

        for refused in (upload("b"), uploads.advanced(upload("a"), 5, NOW)):
            with pytest.raises(QuotaExceeded):
                sessions.save(refused, refuse)
        assert sessions.all() == [upload("a")]

    def test_the_last_state_counts(self, reopened: Callable[[], UploadSessions]) -> None:
        """However often an upload is saved."""
        sessions = reopened()
        state = upload("a", length=None)
        for offset in range(5):
            state = uploads.advanced(state, offset, NOW + timedelta(seconds=offset))
            sessions.save(state)
        state = evolve(state, length_bytes=9)
        sessions.save(state)

        assert reopened().get("a") == state

    def test_open_uploads_are_listed(self, reopened: Callable[[], UploadSessions]) -> None:
        """Uploads that ended, were stored or were removed are not, in any process."""
        sessions = reopened()
        for id in "abcd":
            sessions.save(upload(id))
        sessions.save(uploads.over(upload("b"), "it was deleted", NOW))
        sessions.save(uploads.stored(upload("c"), OFFER.id, NOW))
        sessions.remove("d")

        for found in (sessions, reopened()):
            assert [one.id for one in found.unfinished()] == ["a"]
            assert [one.id for one in found.all()] == ["a", "b", "c"]

    def test_what_is_removed_is_not_found(self, reopened: Callable[[], UploadSessions]) -> None:
        """Removing twice, or removing an unknown upload, is no error."""
        sessions = reopened()
        sessions.save(upload("a"))
        for _ in range(2):
            sessions.remove("a")

        for found in (sessions, reopened()):
            assert found.all() == []
            with pytest.raises(UploadNotFound):
                found.get("a")
