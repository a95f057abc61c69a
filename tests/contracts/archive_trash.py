"""
What every `ArchiveStore` promises of marks and of its trash.

As in `archive_store`, a subclass gives a fixture ``door``, and the contract uses only the port and the door.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.errors.archives import AlreadyPublished, ArchiveNotFound, ArchiveProtected, SnapshotNotFound
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.ports.store import ArchiveStore, StoredArchive, TrashedArchive
from tarkeep.domain.retention import marks, trash_note
from tarkeep.domain.retention.marks import UNMARKED, UNREADABLE, Hold, Marks
from tarkeep.domain.retention.trash_note import TrashNote
from tests.contracts.archive_store import ID, OTHER, get, put
from tests.support.store_doors import SOON, StoreDoor

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=7)
UNKNOWN = ArchiveId("unknown", BackupType.FULL, "unknown.tar.gz")
HELD = UNMARKED.held(Hold("audit", "the audit of 2026", NOW))
LOCKED = UNMARKED.locked(LATER)


def note_on(id: ArchiveId, reason: str = "no rule wants it", *, is_purged: bool = False) -> bytes:
    digests = Digests(md5="0" * 32, sha256="1" * 64)
    note = TrashNote(id, 5, digests, NOW, NOW, NOW, LATER, plan="2" * 64, reasons=(reason,))
    return trash_note.encode(note.purged(LATER) if is_purged else note)


NOTE, PURGED = note_on(ID), note_on(ID, is_purged=True)


def put_in_trash(store: ArchiveStore, id: ArchiveId = ID, content: bytes = b"bytes") -> None:
    put(store, id, content, b"about")
    store.trash(id, note_on(id), NOW)


def purge(store: ArchiveStore, id: ArchiveId = ID) -> None:
    put_in_trash(store, id)
    store.purge(id, note_on(id, is_purged=True), LATER)


class ArchiveMarksContract:
    """One test per promise about marks."""

    def test_marks_are_kept_with_their_archive(self, door: StoreDoor) -> None:
        """They come back byte for byte, also after a crash; the archive itself is as before."""
        put(door.store, ID, b"bytes", b"about")
        assert door.store.marks(ID) is None
        door.store.mark(ID, marks.encode(HELD), None)
        assert door.staging_is_empty()
        assert door.open_files() == 0
        door.crash()

        assert door.store.marks(ID) == marks.encode(HELD)
        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about")]
        assert get(door.store, ID) == b"bytes"

    def test_marks_give_way_to_others_for_a_caller_that_knows_them(self, door: StoreDoor) -> None:
        """Any other caller is refused, and changes nothing."""
        put(door.store, ID, b"bytes")
        with pytest.raises(AlreadyPublished):
            door.store.mark(ID, b"1", b"0")
        door.store.mark(ID, b"1", None)
        for wrong in (None, b"", b"0", b"1 "):
            with pytest.raises(AlreadyPublished) as caught:
                door.store.mark(ID, b"2", wrong)
            assert caught.value.id == ID
            assert door.store.marks(ID) == b"1"
        door.store.mark(ID, b"2", b"1")

        assert door.store.marks(ID) == b"2"
        assert door.staging_is_empty()
        assert door.open_files() == 0

    def test_of_several_that_mark_at_once_none_is_lost(self, door: StoreDoor) -> None:
        """Eight threads, each of which adds a hold to what it read, and begins anew if it was too slow."""
        store = door.store
        put(store, ID, b"bytes")
        start = threading.Barrier(8)

        def add(number: int) -> None:
            start.wait()
            while True:
                raw = store.marks(ID)
                held = marks.decode(raw).held(Hold(f"hold-{number}", "at once", NOW))
                try:
                    store.mark(ID, marks.encode(held), raw)
                except AlreadyPublished:
                    continue
                return

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(8)))

        assert {hold.id for hold in marks.decode(store.marks(ID)).holds} == {f"hold-{number}" for number in range(8)}

    def test_no_archive_no_marks(self, door: StoreDoor) -> None:
        """Neither in a new place nor beside other archives, nor for one that was purged."""
        put(door.store, ID, b"bytes")
        purged = ArchiveId(ID.profile, ID.type, "purged.tar.gz")
        purge(door.store, purged)
        for id in (OTHER, UNKNOWN, purged):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.marks(id)
            assert caught.value.name == str(id)
            with pytest.raises(ArchiveNotFound):
                door.store.mark(id, b"{}", None)

        assert list(door.store.marked()) == []
        assert door.staging_is_empty()

    def test_marked_archives_are_listed(self, door: StoreDoor) -> None:
        """Those in the trash too, in order, and no others."""
        elsewhere = ArchiveId("zebra", BackupType.DIFF, "a.tar.gz")
        for id in (elsewhere, ID, OTHER):
            put(door.store, id, b"bytes")
        assert list(door.store.marked()) == []
        for id in (elsewhere, ID):
            door.store.mark(id, marks.encode(UNMARKED), None)
        door.store.trash(ID, NOTE, NOW)

        assert list(door.store.marked()) == sorted([ID, elsewhere])
        assert list(door.store.marked(elsewhere.profile)) == [elsewhere]
        assert list(door.store.marked("nowhere")) == []

    def test_marks_survive_a_repair(self, door: StoreDoor) -> None:
        """An archive whose bytes are replaced is held and locked as before."""
        put(door.store, ID, b"first")
        door.store.mark(ID, marks.encode(HELD), None)
        with door.store.begin() as writer:
            writer.write(b"another")
            writer.seal(b"{}", marks.encode(LOCKED))
            writer.replace(ID)

        assert door.store.marks(ID) == marks.encode(HELD)
        assert door.staging_is_empty()

    @pytest.mark.parametrize("sealed", [[HELD], [None, HELD], [LOCKED, HELD], [HELD, None]])
    def test_an_archive_is_published_with_its_marks(self, door: StoreDoor, sealed: list[Marks | None]) -> None:
        """Nobody sees it without them; the last seal says which they are, and none are taken for marks before."""
        encoded = [None if one is None else marks.encode(one) for one in sealed]
        last = encoded[-1]
        with door.store.begin() as writer:
            writer.write(b"bytes")
            for one in encoded:
                writer.seal(b"{}", one)
            assert list(door.store.marked()) == []
            writer.publish(ID)

        assert door.store.marks(ID) == last
        assert list(door.store.marked()) == ([] if last is None else [ID])
        assert door.staging_is_empty()
        door.crash()
        assert door.store.marks(ID) == last

    def test_an_archive_that_is_not_published_leaves_no_marks(self, door: StoreDoor) -> None:
        """Neither those of a writer that gave up, nor of one that died, nor of a name that was taken."""
        put(door.store, ID, b"first")
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"{}", marks.encode(HELD))
        with door.store.begin() as writer:
            writer.write(b"bytes")
            writer.seal(b"{}", marks.encode(HELD))
            with pytest.raises(AlreadyPublished):
                writer.publish(ID)
            door.crash()
        door.store.sweep(SOON)

        assert list(door.store.marked()) == []
        assert door.staging_is_empty()

    def test_marks_go_with_their_archive(self, door: StoreDoor) -> None:
        """A later archive under the same name does not have the old ones."""
        put(door.store, ID, b"bytes")
        door.store.mark(ID, marks.encode(HELD), None)
        door.store.remove(ID)
        assert list(door.store.marked()) == []

        put(door.store, ID, b"again")

        assert door.store.marks(ID) is None


class ArchiveTrashContract:
    """One test per promise about the trash."""

    def test_a_removal_is_told_before_it_cannot_be_stopped(self, door: StoreDoor) -> None:
        """Once it is in the trash, while it still is in the store; a purge is told while the bytes are there."""
        put(door.store, ID, b"bytes", b"about")
        seen: list[object] = []

        def look() -> None:
            trashed = next(iter(door.store.trashed()))
            seen.append((trashed.note, trashed.size_bytes, ID in set(door.store.ids())))

        door.store.trash(ID, NOTE, NOW, look)
        assert seen == [(NOTE, 5, True)]
        assert ID not in set(door.store.ids())
        door.store.purge(ID, PURGED, LATER, look)

        assert seen[1:] == [(PURGED, 5, False)]
        assert next(iter(door.store.trashed())).size_bytes is None

    def test_nothing_is_told_of_a_removal_that_is_refused(self, door: StoreDoor) -> None:
        """Neither of what is held, nor of what is not there."""
        told: list[str] = []
        with pytest.raises(ArchiveNotFound):
            door.store.trash(ID, NOTE, NOW, lambda: told.append("moved"))
        with pytest.raises(ArchiveNotFound):
            door.store.purge(ID, PURGED, LATER, lambda: told.append("gone"))
        put(door.store, ID, b"bytes")
        door.store.mark(ID, marks.encode(HELD), None)
        with pytest.raises(ArchiveProtected):
            door.store.trash(ID, NOTE, NOW, lambda: told.append("moved"))

        assert told == []

    def test_a_move_that_ended_as_it_was_told_is_finished_or_undone(self, door: StoreDoor) -> None:
        """The archive is in both places then; moving it again tells it again."""
        put(door.store, ID, b"bytes", b"about")
        told: list[str] = []

        def fail() -> None:
            told.append("first")
            raise BackendUnavailable("the log", "it is full")

        for finish in (door.store.untrash, lambda id: door.store.trash(id, NOTE, NOW, lambda: told.append("again"))):
            with pytest.raises(BackendUnavailable):
                door.store.trash(ID, NOTE, NOW, fail)
            assert ID in set(door.store.ids())
            assert door.store.note(ID) == NOTE
            finish(ID)

        assert told == ["first", "first", "again"]
        assert ID not in set(door.store.ids())
        assert next(iter(door.store.trashed())).size_bytes == 5

    # -- into the trash ----------------------------------------------------------------------------------------------

    def test_a_trashed_archive_is_in_the_trash_only(self, door: StoreDoor) -> None:
        """With its side-car, its snapshot file and its marks; also after a crash."""
        put(door.store, ID, b"bytes", b"about")
        put(door.store, OTHER, b"other")
        door.store.keep_snapshot(ID, [b"snapshot"])
        door.store.mark(ID, marks.encode(UNMARKED), None)
        door.store.trash(ID, NOTE, NOW)
        assert door.staging_is_empty()
        assert door.open_files() == 0
        door.crash()

        assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"about", NOTE, has_snapshot=True)]
        assert door.store.note(ID) == NOTE
        assert door.store.marks(ID) == marks.encode(UNMARKED)
        assert [stored.id for stored in door.store.scan()] == list(door.store.ids()) == [OTHER]
        assert list(door.store.snapshots()) == []
        for asked in (door.store.stat, door.store.read):
            with pytest.raises(ArchiveNotFound):
                asked(ID)
        with pytest.raises(SnapshotNotFound):
            door.store.snapshot(ID)

    def test_nothing_protected_goes_to_the_trash(self, door: StoreDoor) -> None:
        """Held, locked, both, or marked so that nobody can read it: whatever the caller thinks."""
        put(door.store, ID, b"bytes", b"about")
        present = None
        for made in (HELD, LOCKED, HELD.locked(LATER), UNREADABLE):
            raw = b"torn" if made is UNREADABLE else marks.encode(made)
            door.store.mark(ID, raw, present)
            present = raw
            with pytest.raises(ArchiveProtected) as caught:
                door.store.trash(ID, NOTE, NOW)

            assert (caught.value.id, caught.value.protections) == (ID, made.protection(NOW))
            assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about")]
            assert list(door.store.trashed()) == []
            assert door.staging_is_empty()

    def test_a_mark_that_has_ended_protects_nothing(self, door: StoreDoor) -> None:
        """The caller's time decides: a lock ends at its moment."""
        put(door.store, ID, b"bytes")
        door.store.mark(ID, marks.encode(LOCKED), None)
        with pytest.raises(ArchiveProtected):
            door.store.trash(ID, NOTE, LATER - timedelta(microseconds=1))
        door.store.trash(ID, NOTE, LATER)

        assert [entry.id for entry in door.store.trashed()] == [ID]

    def test_what_is_not_stored_cannot_be_trashed(self, door: StoreDoor) -> None:
        """Not in a new place, not beside others, and not if only a note on it is left."""
        purge(door.store)
        put(door.store, OTHER, b"other")
        for id in (ID, UNKNOWN, ArchiveId(OTHER.profile, OTHER.type, "another.tar.gz")):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.trash(id, note_on(id), NOW)
            assert caught.value.name == str(id)

        assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, PURGED)]
        assert door.staging_is_empty()

    def test_trashing_again_replaces_the_note_alone(self, door: StoreDoor) -> None:
        """The archive stays where it is."""
        put_in_trash(door.store)
        door.store.trash(ID, note_on(ID, "another reason"), NOW)

        assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"about", note_on(ID, "another reason"))]

    def test_an_archive_without_a_sidecar_is_trashed_as_it_is(self, door: StoreDoor) -> None:
        """It has none in the trash either, nor after its return."""
        put(door.store, ID, b"bytes")
        door.lose_sidecar(ID)
        door.store.trash(ID, NOTE, NOW)
        assert list(door.store.trashed()) == [TrashedArchive(ID, 5, None, NOTE)]
        door.store.untrash(ID)

        assert list(door.store.scan()) == [StoredArchive(ID, 5, None)]

    # -- and back ----------------------------------------------------------------------------------------------------

    def test_an_archive_comes_back_as_it_was(self, door: StoreDoor) -> None:
        """Bytes, side-car, snapshot file and marks; no note stays, and it may go again."""
        put(door.store, ID, b"bytes", b"about")
        door.store.keep_snapshot(ID, [b"snapshot"])
        door.store.mark(ID, marks.encode(UNMARKED), None)
        for _ in range(2):
            door.store.trash(ID, NOTE, NOW)
            door.store.untrash(ID)
            assert door.open_files() == 0
            door.crash()

            assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about", has_snapshot=True)]
            assert get(door.store, ID) == b"bytes"
            with door.store.snapshot(ID) as reader:
                assert b"".join(reader) == b"snapshot"
            assert door.store.marks(ID) == marks.encode(UNMARKED)
            assert list(door.store.trashed()) == []
            assert door.store.note(ID) is None

    def test_what_is_not_in_the_trash_cannot_come_back(self, door: StoreDoor) -> None:
        """A stored archive, one that was purged, or purged and stored again under its name, and an unknown one."""
        again = ArchiveId(ID.profile, ID.type, "again.tar.gz")
        put(door.store, OTHER, b"other")
        purge(door.store)
        purge(door.store, again)
        put(door.store, again, b"again")
        for id in (ID, OTHER, UNKNOWN, again):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.untrash(id)
            assert caught.value.name == str(id)

        assert [entry.id for entry in door.store.trashed()] == sorted([ID, again])
        assert [entry.id for entry in door.store.scan()] == sorted([OTHER, again])

    def test_an_archive_in_the_trash_can_be_marked(self, door: StoreDoor) -> None:
        """The mark protects it there, and comes back with it."""
        put_in_trash(door.store)
        door.store.mark(ID, marks.encode(HELD), None)
        with pytest.raises(ArchiveProtected):
            door.store.purge(ID, PURGED, LATER)
        with pytest.raises(ArchiveProtected):
            door.store.trash(ID, NOTE, LATER)
        door.store.untrash(ID)

        assert door.store.marks(ID) == marks.encode(HELD)

    # -- names -------------------------------------------------------------------------------------------------------

    def test_no_other_archive_takes_a_name_in_the_trash(self, door: StoreDoor) -> None:
        """It is refused as where the name is stored, and what is in the trash can still come back."""
        put_in_trash(door.store)
        with pytest.raises(AlreadyPublished):
            put(door.store, ID, b"another")
        assert door.staging_is_empty()
        door.store.untrash(ID)

        assert get(door.store, ID) == b"bytes"

    def test_a_name_may_come_again_after_a_purge(self, door: StoreDoor) -> None:
        """The note stays until that archive is trashed, whose note then replaces it."""
        purge(door.store)
        put(door.store, ID, b"again", b"new")
        assert door.store.note(ID) == PURGED
        assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, PURGED)]
        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"new")]
        door.store.trash(ID, NOTE, NOW)

        assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"new", NOTE)]
        door.store.untrash(ID)
        assert get(door.store, ID) == b"again"

    def test_the_trash_is_listed_in_order(self, door: StoreDoor) -> None:
        """Profiles, types and names as in a scan; purged ones in between."""
        ids = [
            ArchiveId(profile, type, name)
            for profile in ("b", "a.b", "a", "B")
            for type in BackupType
            for name in ("a.tar.gz", "é b.tar.gz", "x.tar.gz.json.tar.gz")
        ]
        for number, id in enumerate(ids):
            put_in_trash(door.store, id)
            if number % 2:
                door.store.purge(id, note_on(id, is_purged=True), LATER)

        assert [entry.id for entry in door.store.trashed()] == sorted(ids)
        assert {entry.id for entry in door.store.trashed() if entry.size_bytes is None} == set(ids[1::2])
        assert all(entry.note == door.store.note(entry.id) for entry in door.store.trashed())

    def test_the_longest_and_oddest_names_go_and_come_back(self, door: StoreDoor) -> None:
        """All names that `naming` allows fit with a note's suffix."""
        names = ["a" * 193 + ".tar.gz", "é" * 96 + ".tar.gz", "2025 _@+=,()-....tar.gz", "ก็.tar.gz"]
        ids = sorted(ArchiveId("p" * 64, BackupType.DIFF, name) for name in names)
        for id in ids:
            put_in_trash(door.store, id)
        assert [entry.id for entry in door.store.trashed()] == ids
        for id in ids:
            door.store.untrash(id)

        assert sorted(door.store.ids()) == ids
        assert list(door.store.trashed()) == []

    def test_a_listing_given_up_holds_nothing(self, door: StoreDoor) -> None:
        """As a scan: closed after its first entry, it leaves no open file."""
        put_in_trash(door.store)
        put_in_trash(door.store, OTHER)
        listing = door.store.trashed()
        next(listing)
        del listing

        assert door.open_files() == 0

    # -- out of it ---------------------------------------------------------------------------------------------------

    def test_a_purged_archive_leaves_its_note_alone(self, door: StoreDoor) -> None:
        """Nothing else is left, also after a crash; other archives stay."""
        put(door.store, ID, b"bytes", b"about")
        door.store.keep_snapshot(ID, [b"snapshot"])
        door.store.mark(ID, marks.encode(LOCKED), None)
        door.store.trash(ID, NOTE, LATER)
        put_in_trash(door.store, OTHER)
        door.store.purge(ID, PURGED, LATER)
        assert door.staging_is_empty()
        assert door.open_files() == 0
        door.crash()

        assert list(door.store.trashed()) == [
            TrashedArchive(ID, None, None, PURGED),
            TrashedArchive(OTHER, 5, b"about", note_on(OTHER)),
        ]
        assert list(door.store.marked()) == []
        with pytest.raises(ArchiveNotFound):
            door.store.marks(ID)

    def test_nothing_protected_is_purged(self, door: StoreDoor) -> None:
        """A lock that was made in the trash, or marks that cannot be read there, stop it."""
        put_in_trash(door.store)
        present = None
        for raw in (marks.encode(LOCKED.locked(LATER + timedelta(days=1))), b"torn"):
            door.store.mark(ID, raw, present)
            present = raw
            with pytest.raises(ArchiveProtected) as caught:
                door.store.purge(ID, PURGED, LATER)

            assert caught.value.id == ID
            assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"about", NOTE)]

    def test_purging_again_changes_nothing(self, door: StoreDoor) -> None:
        """The note that tells of the first time stays."""
        purge(door.store)
        door.store.purge(ID, trash_note.encode(trash_note.decode(NOTE).purged(LATER + timedelta(days=1))), LATER)

        assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, PURGED)]
        assert door.staging_is_empty()

    def test_what_is_not_in_the_trash_is_not_purged(self, door: StoreDoor) -> None:
        """A stored archive stays, and no note appears on an unknown one."""
        put(door.store, ID, b"bytes", b"about")
        for id in (ID, OTHER, UNKNOWN):
            with pytest.raises(ArchiveNotFound) as caught:
                door.store.purge(id, note_on(id, is_purged=True), LATER)
            assert caught.value.name == str(id)

        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about")]
        assert list(door.store.trashed()) == []

    def test_an_archive_stored_again_outlives_the_purge_of_its_name(self, door: StoreDoor) -> None:
        """Even if it is held: purging again only concerns what is in the trash."""
        purge(door.store)
        put(door.store, ID, b"again", b"new")
        door.store.mark(ID, marks.encode(HELD), None)
        door.store.purge(ID, PURGED, LATER)

        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"new")]
        assert door.store.marks(ID) == marks.encode(HELD)

    def test_a_forgotten_name_is_unknown(self, door: StoreDoor) -> None:
        """Forgetting it twice, or one that nobody knew, is no error; other notes stay, also after a crash."""
        purge(door.store)
        purge(door.store, OTHER)
        for id in (ID, ID, UNKNOWN):
            door.store.forget(id)
        assert door.open_files() == 0
        door.crash()

        assert [entry.id for entry in door.store.trashed()] == [OTHER]
        assert door.store.note(ID) is None

    def test_what_is_in_the_trash_is_not_forgotten(self, door: StoreDoor) -> None:
        """Its note stays as long as its bytes are there."""
        put_in_trash(door.store)
        with pytest.raises(AlreadyPublished) as caught:
            door.store.forget(ID)

        assert caught.value.id == ID
        assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"about", NOTE)]

    def test_removing_a_stored_archive_leaves_the_trash_alone(self, door: StoreDoor) -> None:
        """Also where the name is in the trash only."""
        put_in_trash(door.store)
        door.store.remove(ID)

        assert [entry.id for entry in door.store.trashed()] == [ID]

    # -- at once -----------------------------------------------------------------------------------------------------

    def test_an_archive_that_moves_to_and_fro_keeps_all_that_belongs_to_it(self, door: StoreDoor) -> None:
        """While one thread moves it, no other sees it without its side-car, in either place, or without its marks."""
        store = door.store
        put(store, ID, b"bytes", b"about")
        store.mark(ID, marks.encode(UNMARKED), None)
        done = threading.Event()

        def move() -> None:
            for _ in range(25):
                store.trash(ID, NOTE, NOW)
                store.untrash(ID)

        def watch() -> set[bytes | None]:
            seen: set[bytes | None] = set()
            while not done.is_set():
                seen.update(entry.sidecar for entry in store.trashed() if entry.size_bytes is not None)
                seen.update(stored.sidecar for stored in store.scan())
                assert store.marks(ID) == marks.encode(UNMARKED)
            return seen

        with ThreadPoolExecutor(3) as pool:
            watching = [pool.submit(watch) for _ in range(3)]
            try:
                move()
            finally:
                done.set()
            seen = set.union(*(watcher.result() for watcher in watching))

        assert seen <= {b"about"}
