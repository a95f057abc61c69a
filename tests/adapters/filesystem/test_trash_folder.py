"""
Promises of the trash on a disk beyond the port: the files a person finds, and what a crash in the middle leaves.

The states that a crash leaves are made by hand here; `tests.faults.test_trash` gets to them by crashing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.domain.errors.archives import AlreadyPublished, ArchiveNotFound, ArchiveProtected
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.uploads import StagedBytesMissing
from tarkeep.domain.ports.store import StoredArchive, TrashedArchive
from tarkeep.domain.retention import marks, trash_note
from tarkeep.domain.retention.marks import UNMARKED
from tests.contracts.archive_store import ID, OTHER, get, put
from tests.contracts.archive_trash import HELD, LATER, NOTE, NOW, PURGED, UNKNOWN, purge, put_in_trash
from tests.support.store_doors import SOON, FilesystemDoor

EVERYTHING = [ID.name, f"{ID.name}.json", f"{ID.name}.marks", f"{ID.name}.snar"]
STORED = StoredArchive(ID, 5, b"about", has_snapshot=True)
TRASHED = TrashedArchive(ID, 5, b"about", NOTE, has_snapshot=True)
OTHER_PURGED = trash_note.encode(trash_note.decode(NOTE).purged(LATER + timedelta(days=1)))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FilesystemDoor]:
    with closing(FilesystemDoor(tmp_path / "data")) as door:
        yield door


def put_whole(door: FilesystemDoor) -> None:
    """An archive with all that may lie beside it."""
    put(door.store, ID, b"bytes", b"about")
    door.store.keep_snapshot(ID, [b"snapshot"])
    door.store.mark(ID, marks.encode(UNMARKED), None)


def trash_of(door: FilesystemDoor) -> Path:
    return door.path / "trash" / ID.profile / ID.type.value


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# -- what a start cleans up -------------------------------------------------------------------------------------------


def test_what_a_move_left_beside_the_old_place_goes_at_the_next_start(door: FilesystemDoor) -> None:
    """It died between the unlink of the archive and those of what lies beside it; all of it is in the trash."""
    put_whole(door)
    old = door.file(ID).parent
    beside = [name for name in EVERYTHING if name != ID.name]
    door.store.trash(ID, NOTE, NOW)
    for name in beside:
        (old / name).hardlink_to(trash_of(door) / name)

    door.crash()

    assert names(old) == []
    assert list(door.store.trashed()) == [TRASHED]
    door.store.untrash(ID)
    assert door.store.stat(ID) == STORED


def test_what_lies_beside_no_archive_stays_if_the_trash_has_not_got_it(door: FilesystemDoor) -> None:
    """The file of an archive is missing: its side-car says what to send again, and belongs to the one that comes."""
    put_whole(door)
    put(door.store, OTHER, b"bytes")
    door.store.trash(OTHER, NOTE, NOW)
    door.file(ID).unlink()

    door.crash()

    assert names(door.file(ID).parent) == [name for name in EVERYTHING if name != ID.name]


# -- what a person finds ---------------------------------------------------------------------------------------------


def test_a_trashed_archive_is_the_same_file_at_the_same_place_below_the_trash(door: FilesystemDoor) -> None:
    """With all that lay beside it, and the note; nothing is copied, and nothing is left where it was."""
    put_whole(door)
    before = {name: (door.file(ID).parent / name).stat().st_ino for name in EVERYTHING}
    door.store.trash(ID, NOTE, NOW)

    assert names(trash_of(door)) == sorted([*EVERYTHING, f"{ID.name}.trashed.json"])
    assert {name: (trash_of(door) / name).stat().st_ino for name in EVERYTHING} == before
    assert (trash_of(door) / f"{ID.name}.trashed.json").read_bytes() == NOTE
    assert names(door.file(ID).parent) == []


def test_notes_and_marks_are_read_only_and_directories_private(door: FilesystemDoor) -> None:
    """0400 and 0700, as for archives, and no second name anywhere."""
    put_whole(door)
    assert mode(door.file(ID).with_name(f"{ID.name}.marks")) == 0o400
    door.store.trash(ID, NOTE, NOW)

    assert {mode(path) for path in trash_of(door).iterdir()} == {0o400}
    assert {path.stat().st_nlink for path in trash_of(door).iterdir()} == {1}
    assert mode(trash_of(door)) == mode(trash_of(door).parent) == 0o700


def test_marks_that_are_no_file_protect_the_archive(door: FilesystemDoor, tmp_path: Path) -> None:
    """A link or a folder of that name says nothing that can be read, and that is no permission."""
    (tmp_path / "marks").write_bytes(marks.encode(UNMARKED))
    put(door.store, ID, b"bytes")
    place = door.file(ID).with_name(f"{ID.name}.marks")
    for target in (tmp_path / "marks", Path("nowhere")):
        place.symlink_to(target)
        with pytest.raises(ArchiveProtected):
            door.store.trash(ID, NOTE, NOW)
        place.unlink()
    place.mkdir()
    with pytest.raises(ArchiveProtected):
        door.store.trash(ID, NOTE, NOW)

    assert list(door.store.trashed()) == []


def test_nothing_is_trashed_through_a_link(door: FilesystemDoor, tmp_path: Path) -> None:
    """A folder of the trash that is a symbolic link to elsewhere takes nothing, and the archive stays."""
    put_whole(door)
    (tmp_path / "elsewhere").mkdir()
    (door.path / "trash" / ID.profile).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackendUnavailable):
        door.store.trash(ID, NOTE, NOW)

    assert names(tmp_path / "elsewhere") == []
    assert list(door.store.scan()) == [STORED]
    assert door.staging_is_empty()


def test_foreign_things_in_the_trash_are_passed_over(door: FilesystemDoor, tmp_path: Path) -> None:
    """What is no archive and no note by name and nature is neither listed nor in the way."""
    put_in_trash(door.store)
    folder = trash_of(door)
    (tmp_path / "outside.tar.gz").write_bytes(b"outside")
    for place in (folder, folder.parent, folder.parent.parent):
        (place / "README").write_bytes(b"foreign")
        (place / "foreign.tar.gz.json").write_bytes(b"foreign")
        (place / ".trashed.json").write_bytes(b"foreign")
    (folder / "linked.tar.gz").symlink_to(tmp_path / "outside.tar.gz")
    (folder / "linked.tar.gz.trashed.json").symlink_to(tmp_path / "outside.tar.gz")
    (folder / "folder.tar.gz").mkdir()
    (folder / "folder.tar.gz.trashed.json").mkdir()
    (folder / os.fsdecode(b"not-utf-8-\xff.tar.gz")).write_bytes(b"foreign")
    os.mkfifo(folder / "pipe.tar.gz")

    assert [entry.id for entry in door.store.trashed()] == [ID]
    assert list(door.store.scan()) == []


def test_a_note_that_was_lost_does_not_hide_its_archive(door: FilesystemDoor) -> None:
    """It is listed without one, comes back, and is purged like any other."""
    put_in_trash(door.store)
    put_in_trash(door.store, OTHER)
    for note in (door.path / "trash").rglob("*.trashed.json"):
        note.unlink()
    assert [(entry.id, entry.note) for entry in door.store.trashed()] == [(ID, None), (OTHER, None)]
    door.store.untrash(OTHER)
    door.store.purge(ID, PURGED, LATER)

    assert [entry.id for entry in door.store.scan()] == [OTHER]
    assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, PURGED)]


def test_bytes_that_were_lost_in_the_trash_are_noted_as_purged(door: FilesystemDoor) -> None:
    """Someone deleted the archive and left the rest: purging drops it."""
    put_whole(door)
    door.store.trash(ID, NOTE, NOW)
    (trash_of(door) / ID.name).unlink()
    assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, NOTE, has_remains=True)]
    door.store.purge(ID, PURGED, LATER)

    assert names(trash_of(door)) == [f"{ID.name}.trashed.json"]
    assert door.store.note(ID) == PURGED


# -- what a crash in the middle leaves -------------------------------------------------------------------------------


def _note_alone(archives: Path, trash: Path) -> None:
    (trash / f"{ID.name}.trashed.json").write_bytes(NOTE)


def _beside_linked(archives: Path, trash: Path) -> None:
    _note_alone(archives, trash)
    (trash / f"{ID.name}.json").hardlink_to(archives / f"{ID.name}.json")


def _in_both(archives: Path, trash: Path) -> None:
    _note_alone(archives, trash)
    for name in EVERYTHING:
        (trash / name).hardlink_to(archives / name)


def _beside_left(archives: Path, trash: Path) -> None:
    _in_both(archives, trash)
    (archives / ID.name).unlink()


HALF_WAY: list[Callable[[Path, Path], None]] = [_note_alone, _beside_linked, _in_both, _beside_left]


@pytest.fixture(params=HALF_WAY, ids=lambda made: made.__name__)
def half_way(request: pytest.FixtureRequest, door: FilesystemDoor) -> FilesystemDoor:
    """The store after a crash on the way into the trash, or back."""
    put_whole(door)
    trash_of(door).mkdir(parents=True)
    request.param(door.file(ID).parent, trash_of(door))
    door.crash()
    return door


def test_a_move_that_was_cut_off_leaves_the_archive_whole_somewhere(half_way: FilesystemDoor) -> None:
    """In the store, in the trash or in both, each time with all that belongs to it; and its marks are found."""
    stored, trashed = list(half_way.store.scan()), list(half_way.store.trashed())

    assert stored in ([], [STORED])
    assert trashed in ([TRASHED], *([TrashedArchive(ID, None, None, NOTE, has_remains=one)] for one in (False, True)))
    assert stored or trashed == [TRASHED]
    assert half_way.store.marks(ID) == marks.encode(UNMARKED)


def test_a_move_that_was_cut_off_is_finished(half_way: FilesystemDoor) -> None:
    """By the same call: nothing is left where the archive was."""
    half_way.store.trash(ID, NOTE, NOW)

    assert list(half_way.store.scan()) == []
    assert list(half_way.store.trashed()) == [TRASHED]
    assert names(half_way.file(ID).parent) == []
    assert names(trash_of(half_way)) == sorted([*EVERYTHING, f"{ID.name}.trashed.json"])


def test_a_move_that_was_cut_off_is_undone(half_way: FilesystemDoor) -> None:
    """By the call for the other direction: nothing is left in the trash."""
    half_way.store.untrash(ID)

    assert list(half_way.store.scan()) == [STORED]
    assert names(half_way.file(ID).parent) == EVERYTHING
    assert get(half_way.store, ID) == b"bytes"
    assert names(trash_of(half_way)) == []


def test_what_is_in_both_places_is_protected_by_the_marks_in_either(door: FilesystemDoor) -> None:
    """A hold made after the crash counts, whichever way the archive goes, and is kept."""
    put_whole(door)
    trash_of(door).mkdir(parents=True)
    _in_both(door.file(ID).parent, trash_of(door))
    door.store.mark(ID, marks.encode(HELD), marks.encode(UNMARKED))
    with pytest.raises(ArchiveProtected):
        door.store.trash(ID, NOTE, NOW)
    with pytest.raises(ArchiveProtected):
        door.store.purge(ID, PURGED, NOW)
    assert list(door.store.marked()) == [ID]
    door.store.untrash(ID)

    assert door.store.marks(ID) == marks.encode(HELD)
    assert list(door.store.trashed()) == []


def test_a_finished_move_takes_the_newer_marks_along(door: FilesystemDoor) -> None:
    """Marks that were changed after the crash lie in the store alone; those in the trash give way."""
    put_whole(door)
    trash_of(door).mkdir(parents=True)
    _in_both(door.file(ID).parent, trash_of(door))
    ended = marks.encode(UNMARKED.locked(NOW))
    door.store.mark(ID, ended, marks.encode(UNMARKED))
    door.store.trash(ID, NOTE, NOW)

    assert door.store.marks(ID) == ended
    assert (trash_of(door) / f"{ID.name}.marks").read_bytes() == ended


def test_two_archives_of_one_name_stay_apart(door: FilesystemDoor) -> None:
    """As after someone copied one into the store: neither call overwrites, and purging ends it."""
    put_in_trash(door.store)
    door.file(ID).write_bytes(b"another one")
    with pytest.raises(AlreadyPublished):
        door.store.trash(ID, NOTE, NOW)
    with pytest.raises(AlreadyPublished):
        door.store.untrash(ID)
    assert (get(door.store, ID), (trash_of(door) / ID.name).read_bytes()) == (b"another one", b"bytes")
    door.store.purge(ID, PURGED, LATER)
    door.store.trash(ID, NOTE, LATER)

    assert (trash_of(door) / ID.name).read_bytes() == b"another one"


def test_a_purge_that_was_cut_off_is_finished_or_undone(door: FilesystemDoor) -> None:
    """The new note is there and the bytes still are: they can be purged, and can still come back."""
    put_whole(door)
    door.store.trash(ID, NOTE, NOW)
    note = trash_of(door) / f"{ID.name}.trashed.json"
    note.unlink()
    note.write_bytes(PURGED)
    door.store.untrash(ID)
    assert list(door.store.scan()) == [STORED]
    door.store.trash(ID, NOTE, NOW)
    note.unlink()
    note.write_bytes(PURGED)
    assert list(door.store.trashed()) == [evolve(TRASHED, note=PURGED)]
    (trash_of(door) / ID.name).unlink()
    assert list(door.store.trashed()) == [TrashedArchive(ID, None, None, PURGED, has_remains=True)]
    door.store.purge(ID, OTHER_PURGED, LATER)

    assert names(trash_of(door)) == [note.name]
    assert door.store.note(ID) == PURGED


def test_files_left_beside_no_archive_are_dropped_when_one_comes(door: FilesystemDoor) -> None:
    """Left by a crash or by a person: another archive of the name has its own, in the store and in the trash."""
    inside = door.file(ID).parent
    for folder in (inside, trash_of(door)):
        folder.mkdir(parents=True)
        for suffix in (".json", ".snar", ".marks"):
            (folder / f"{ID.name}{suffix}").write_bytes(b"stale")
    put(door.store, ID, b"bytes", b"about")
    assert names(inside) == [ID.name, f"{ID.name}.json"]
    door.store.trash(ID, NOTE, NOW)
    assert list(door.store.trashed()) == [TrashedArchive(ID, 5, b"about", NOTE)]
    for suffix in (".snar", ".marks"):
        (inside / f"{ID.name}{suffix}").write_bytes(b"stale")
    door.store.untrash(ID)

    assert names(inside) == [ID.name, f"{ID.name}.json"]


def test_a_forgotten_name_leaves_no_file(door: FilesystemDoor) -> None:
    """Nor does one that is forgotten after a crash left something beside the note."""
    purge(door.store)
    (trash_of(door) / f"{ID.name}.marks").write_bytes(b"left")
    door.store.forget(ID)
    door.store.forget(UNKNOWN)

    assert names(trash_of(door)) == []
    assert not (door.path / "trash" / UNKNOWN.profile).exists()


def test_what_a_crash_left_of_a_note_is_swept(door: FilesystemDoor) -> None:
    """Notes and marks are written in staging, where an unfinished one means nothing."""
    (door.path / "staging" / "torn.json").write_bytes(b"{")

    assert door.store.sweep(SOON) == 1
    assert door.staging_is_empty()


def test_a_restarted_upload_does_not_touch_a_trashed_archive(door: FilesystemDoor) -> None:
    """A name of it that a crash left in staging is another name of the archive, wherever that went."""
    door.publish_leaving_a_staged_name(ID, "upload", b"bytes of an archive")
    door.store.trash(ID, NOTE, NOW)
    with pytest.raises(StagedBytesMissing):
        door.store.resume("upload", 5)

    assert (trash_of(door) / ID.name).read_bytes() == b"bytes of an archive"


def test_an_archive_that_someone_deleted_meanwhile_is_not_found(door: FilesystemDoor) -> None:
    """No note is left on it."""
    put(door.store, ID, b"bytes")
    door.file(ID).unlink()
    with pytest.raises(ArchiveNotFound):
        door.store.trash(ID, NOTE, NOW)

    assert names(door.path / "trash") == []
