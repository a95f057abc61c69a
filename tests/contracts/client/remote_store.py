"""What every `RemoteStore` promises in addition to `ArchiveSource`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState, Lineage
from tarkeep.domain.archives.inventory import Bucket, InventoryEntry
from tarkeep.domain.client.ports.remote import RemoteStore
from tarkeep.domain.errors.client import ParentMoved, Refused, UploadMoved
from tarkeep.domain.errors.uploads import UploadGone, UploadNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.scrubbing.unread import LastChecked
from tests.contracts.client.archive_source import INHERITED, LARGE, ArchiveSourceContract, SourceDoor, full
from tests.support.archives import digests_of, make_targz

AT = datetime(2026, 11, 20, 2, 3, 4, tzinfo=UTC)
SMALL = make_targz({"small": b"small"})
NO_DIGESTS = DeclaredDigests()


class RemoteDoor(SourceDoor, Protocol):
    """A server, and its stored archives."""

    @property
    def source(self) -> RemoteStore: ...

    @property
    def fresh_profile(self) -> str:
        """A profile without archives, a new one each time."""

    def bytes_of(self, id: ArchiveId) -> bytes | None:
        """The bytes stored under *id*."""


def blocks_of(content: bytes, size: int = 100_000) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def inc(profile: str, name: str = "inc_2026-11-21.tar.gz") -> ArchiveId:
    return ArchiveId(profile, BackupType.INC, name)


def broken(content: bytes) -> Iterator[bytes]:
    yield content
    raise ValueError("broke")


class RemoteStoreContract(ArchiveSourceContract):
    """A subclass gives the fixture *door*."""

    # -- facts, lists and comparisons ----------------------------------------------------------------------------------

    def test_it_reports_its_limits_and_scopes(self, door: RemoteDoor) -> None:
        """Limits in bytes, if it has any, and the scopes by their names."""
        facts = door.source.facts(door.profile)
        assert facts is not None
        assert {"push", "list", "pull"} <= facts.scopes
        assert all(limit is None or limit > 0 for limit in (facts.max_upload_bytes, facts.max_unpacked_bytes))

    def test_archives_are_listed_oldest_first(self, door: RemoteDoor) -> None:
        """All archives, those of a profile, and those of a type; each as it was stored."""
        ids = [full(door.profile, "b.tar.gz"), inc(door.profile, "a.tar.gz"), full(door.profile, "a.tar.gz")]
        laid = [door.lay(id, SMALL) for id in ids]

        assert list(door.source.archives(profile=door.profile)) == laid
        fulls = [archive for archive in laid if archive.id.type is BackupType.FULL]
        assert list(door.source.archives(profile=door.profile, type=BackupType.FULL)) == fulls
        assert [archive for archive in door.source.archives() if archive.id.profile == door.profile] == laid
        assert list(door.source.archives(profile=door.fresh_profile)) == []
        assert list(door.source.checked_archives(profile=door.profile)) == [(one, LastChecked()) for one in laid]

    def test_totals_are_reported_by_profile_and_type(self, door: RemoteDoor) -> None:
        """With the time of the newest; a type without archives has no row."""
        first, second = door.lay(full(door.profile, "a.tar.gz"), SMALL), door.lay(full(door.profile), LARGE)
        third = door.lay(inc(door.profile), SMALL)

        found = {one.type: one for one in door.source.totals() if one.profile == door.profile}
        assert found.keys() == {BackupType.FULL, BackupType.INC}
        fulls, incs = found[BackupType.FULL], found[BackupType.INC]
        assert (fulls.archives, fulls.size_bytes) == (2, first.size_bytes + second.size_bytes)
        assert (fulls.newest, incs.newest) == (second.received_at, third.received_at)
        assert (incs.archives, incs.size_bytes) == (1, len(SMALL))

    @INHERITED
    @given(st.lists(st.sampled_from(["none", "same", "md5", "size", "name", "other", "longer"]), max_size=6))
    def test_what_is_here_is_compared_with_what_is_there(self, door: RemoteDoor, states: list[str]) -> None:
        """Every name of either side is in exactly one bucket."""
        profile, digests = door.fresh_profile, digests_of(SMALL)
        entries, expected = [], {}
        for number, state in enumerate(states):
            id = full(profile, f"{number}.tar.gz")
            door.lay(id, SMALL)
            entry = InventoryEntry(id.type, id.name, len(SMALL), digests.md5, digests.sha256)
            given = {
                "same": entry,
                "md5": entry._replace(sha256=None, size_bytes=None),
                "size": entry._replace(sha256=None, md5=None),
                "name": InventoryEntry(id.type, id.name),
                "other": entry._replace(sha256="0" * 64, md5=None),
                "longer": entry._replace(size_bytes=len(SMALL) + 1, sha256=None, md5=None),
            }
            if state in given:
                entries.append(given[state])
            expected[id.type, id.name] = {
                "none": Bucket.EXTRA_REMOTE,
                "same": Bucket.SYNCED,
                "md5": Bucket.SYNCED,
                "size": Bucket.UNVERIFIED,
                "name": Bucket.UNVERIFIED,
                "other": Bucket.DIFFERING,
                "longer": Bucket.DIFFERING,
            }[state]
        entries.append(InventoryEntry(BackupType.DIFF, "here.tar.gz", 1, None, digests.sha256))
        expected[BackupType.DIFF, "here.tar.gz"] = Bucket.MISSING_REMOTE
        report = door.source.verify(profile, iter(entries))

        assert report.places() == expected
        assert report.types[BackupType.FULL].remote_count == len(states)
        assert report.types[BackupType.DIFF].local_count == 1

    # -- sent in one request -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("is_length_known", [True, False])
    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    def test_an_archive_is_sent(self, door: RemoteDoor, content: bytes, is_length_known: bool) -> None:
        """The stored archive is as sent, with its time and notes."""
        size_bytes = len(content) if is_length_known else None
        id, digests = full(door.profile), DeclaredDigests(sha256=digests_of(content).sha256)
        notes = ("two files, ü", "made by hand")
        stored = door.source.put(id, blocks_of(content), size_bytes, digests, taken_at=AT, notes=notes)

        assert (stored.id, stored.size_bytes, stored.digests) == (id, len(content), digests_of(content))
        assert (stored.taken_at, stored.state) == (AT, ArchiveState.STORED)
        assert door.bytes_of(id) == content
        assert list(door.source.archives(profile=door.profile)) == [stored]

    def test_sending_again_is_no_error(self, door: RemoteDoor) -> None:
        """The same bytes are stored already, and stay as they are."""
        first, second = (
            door.source.put(full(door.profile), blocks_of(SMALL), len(SMALL), NO_DIGESTS) for _ in range(2)
        )
        assert first == second

    def test_what_cannot_be_taken_is_refused(self, door: RemoteDoor) -> None:
        """Bytes that differ from the declaration, bytes that are no archive, and other bytes under a taken name."""
        stored, taken = full(door.profile), full(door.profile, "taken.tar.gz")
        door.lay(taken, SMALL)
        for id, content, digests in (
            (stored, SMALL, DeclaredDigests(sha256="0" * 64)),
            (stored, b"This is no archive.", NO_DIGESTS),
            (stored, SMALL[:-1], NO_DIGESTS),
            (taken, LARGE, NO_DIGESTS),
        ):
            with pytest.raises(Refused):
                door.source.put(id, blocks_of(content), len(content), digests)
        assert (door.bytes_of(stored), door.bytes_of(taken)) == (None, SMALL)

    @pytest.mark.parametrize("is_length_known", [True, False])
    def test_a_source_that_breaks_leaves_nothing(self, door: RemoteDoor, is_length_known: bool) -> None:
        """The error of the source passes through."""
        size_bytes = len(LARGE) if is_length_known else None
        with pytest.raises(ValueError, match="broke"):
            door.source.put(full(door.profile), broken(LARGE[: len(LARGE) // 2]), size_bytes, NO_DIGESTS)
        assert door.bytes_of(full(door.profile)) is None

    def test_what_would_build_on_another_is_refused(self, door: RemoteDoor) -> None:
        """Before its bytes are sent, in every way of sending."""
        door.lay(full(door.profile), SMALL)
        lineage = Lineage((BackupType.FULL, "another.tar.gz"))
        with pytest.raises(ParentMoved):
            door.source.put(inc(door.profile), blocks_of(LARGE), len(LARGE), NO_DIGESTS, lineage)
        with pytest.raises(ParentMoved):
            door.source.create_upload(inc(door.profile), len(LARGE), NO_DIGESTS, lineage)
        assert door.bytes_of(inc(door.profile)) is None

    # -- sent in several requests --------------------------------------------------------------------------------------

    @INHERITED
    @given(
        st.lists(st.integers(0, len(LARGE)), max_size=4),
        st.booleans(),
        st.booleans(),
    )
    def test_an_upload_comes_in_pieces(
        self, door: RemoteDoor, places: Sequence[int], is_length_known: bool, is_each_known: bool
    ) -> None:
        """Its offset is reported all along; with its last byte it is stored."""
        id = full(door.fresh_profile)
        declared = DeclaredDigests(sha256=digests_of(LARGE).sha256)
        upload = door.source.create_upload(id, len(LARGE) if is_length_known else None, declared, taken_at=AT)
        assert door.source.upload_progress(upload).offset_bytes == 0
        for start, stop in pairwise([0, *sorted(places), len(LARGE)]):
            is_last = stop == len(LARGE)
            progress = door.source.append(
                upload,
                start,
                blocks_of(LARGE[start:stop]),
                stop - start if is_each_known else None,
                len(LARGE) if is_last and not is_length_known else None,
                ("a note",) if is_last else (),
            )
            if progress.stored is not None:
                break
            assert progress.offset_bytes == stop
            assert door.source.upload_progress(upload) == progress

        assert progress.stored is not None
        assert (progress.stored.id, progress.stored.digests, progress.stored.taken_at) == (id, digests_of(LARGE), AT)
        assert progress.offset_bytes == len(LARGE)
        assert door.bytes_of(id) == LARGE

    def test_an_upload_goes_on_where_it_stands(self, door: RemoteDoor) -> None:
        """After a source that broke; a request at another offset is refused without harm."""
        upload = door.source.create_upload(full(door.profile), len(LARGE), NO_DIGESTS)
        with pytest.raises(ValueError, match="broke"):
            door.source.append(upload, 0, broken(LARGE[:200_000]), len(LARGE))
        for wrong in (200_001, len(LARGE)):
            with pytest.raises(UploadMoved):
                door.source.append(upload, wrong, blocks_of(LARGE[wrong:]), len(LARGE) - wrong)

        stored = None
        while stored is None:
            at = door.source.upload_progress(upload).offset_bytes
            assert at <= 200_000
            with suppress(UploadMoved):  # the server may still process bytes from before the line broke
                stored = door.source.append(upload, at, blocks_of(LARGE[at:]), len(LARGE) - at).stored
        assert door.bytes_of(full(door.profile)) == LARGE

    def test_an_upload_that_is_dropped_is_over(self, door: RemoteDoor) -> None:
        """
        No archive is stored, no more bytes are accepted, and its name is free. Dropping an unknown one is no error.
        """
        upload = door.source.create_upload(full(door.profile), len(LARGE), NO_DIGESTS)
        door.source.append(upload, 0, [LARGE[:1000]], 1000)
        door.source.drop_upload(upload)

        for one in (upload, upload[:-1] + ("1" if upload[-1] == "0" else "0")):
            with pytest.raises((UploadGone, UploadNotFound)):
                door.source.upload_progress(one)
            with pytest.raises((UploadGone, UploadNotFound)):
                door.source.append(one, 1000, [LARGE[1000:]], len(LARGE) - 1000)
        assert door.bytes_of(full(door.profile)) is None
        door.source.put(full(door.profile), blocks_of(SMALL), len(SMALL), NO_DIGESTS)

    def test_a_finished_upload_names_its_archive(self, door: RemoteDoor) -> None:
        """A client that missed the answer asks again."""
        upload = door.source.create_upload(full(door.profile), len(SMALL), NO_DIGESTS)
        stored = door.source.append(upload, 0, [SMALL], len(SMALL)).stored

        assert stored is not None
        assert stored.received_at - stored.taken_at < timedelta(days=30)
        assert door.source.upload_progress(upload).stored == stored
