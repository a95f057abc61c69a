"""What `LocalArchives`, `DigestCache` and `UploadNotes` promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest
from attrs import evolve

from tarkeep.domain.client.ports.local_archives import LocalArchive, LocalArchives
from tarkeep.domain.client.ports.memory import CheckNote, CheckNotes, DigestCache, UploadNote, UploadNotes
from tarkeep.domain.errors.client import FolderUnusable, LocalFileChanged
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType

CONTENT = bytes(range(256)) * 9000
ARCHIVE = LocalArchive(
    BackupType.FULL,
    "full_1.tar.gz",
    5,
    "/b/FULL/full_1.tar.gz",
    1_700_000_000_123_456_789,
    42,
    1_700_000_000_123_456_790,
)


class FolderDoor(Protocol):
    """Local archives, with back doors to change them."""

    @property
    def files(self) -> LocalArchives: ...

    def lay(self, type: str, name: str, content: bytes) -> None:
        """Put *content* there, as a new version of any file with this name."""

    def change(self, type: str, name: str, how: str) -> None:
        """Change it in a way named by the test, like a program that still writes it."""

    def remove(self, type: str, name: str) -> None:
        """Remove it."""

    def vanish(self) -> None:
        """Remove the whole folder."""

    def spoil(self, place: str, how: str) -> str:
        """
        Replace *place*, a type or ``TYPE/NAME``, by something else. Returns its path.

        *how* is ``dead link``, ``loop``, ``file``, ``folder`` or ``pipe``.
        """


class LocalArchivesContract:
    """A subclass gives the fixture *door*."""

    def test_every_archive_is_listed_by_type_and_name(self, door: FolderDoor) -> None:
        """And no other files: other endings, other folders, incomplete archives."""
        door.lay("DIFF", "c.tar.gz", b"c")
        door.lay("FULL", "b.tar.gz", b"bb")
        door.lay("FULL", "a.tar.gz", b"")
        for type, name in [("FULL", "a.tar"), ("INC", "b.tar.gz.part"), ("OTHER", "d.tar.gz")]:
            door.lay(type, name, b"no")

        listed = [(archive.type, archive.name, archive.size_bytes) for archive in door.files.look().archives]
        assert listed == [
            (BackupType.FULL, "a.tar.gz", 0),
            (BackupType.FULL, "b.tar.gz", 2),
            (BackupType.DIFF, "c.tar.gz", 1),
        ]

    def test_a_missing_folder_is_no_empty_one(self, door: FolderDoor) -> None:
        """Otherwise a typing mistake would look like a machine where everything is safe."""
        assert door.files.look().archives == ()
        door.vanish()
        with pytest.raises(FolderUnusable):
            door.files.look()

    @pytest.mark.parametrize(
        ("place", "how"),
        [
            ("INC", "dead link"),
            ("INC", "loop"),
            ("INC", "file"),
            ("INC", "pipe"),
            ("INC/b.tar.gz", "dead link"),
            ("INC/b.tar.gz", "loop"),
            ("INC/b.tar.gz", "folder"),
            ("INC/b.tar.gz", "pipe"),
        ],
    )
    def test_what_cannot_be_looked_at_is_named(self, door: FolderDoor, place: str, how: str) -> None:
        """It is never taken for empty, and does not hide the rest."""
        door.lay("FULL", "a.tar.gz", b"a")
        door.lay("INC", "b.tar.gz", b"b")
        path = door.spoil(place, how)
        contents = door.files.look()

        assert [archive.name for archive in contents.archives] == ["a.tar.gz"]
        assert [error.path for error in contents.unusable] == [path]

    @pytest.mark.parametrize("how", ["dead link", "loop", "file", "pipe"])
    def test_a_file_in_place_of_the_folder_is_an_error(self, door: FolderDoor, how: str) -> None:
        """It raises the same error as a missing folder."""
        path = door.spoil("", how)
        with pytest.raises(FolderUnusable) as caught:
            door.files.look()
        assert caught.value.path == path

    @pytest.mark.parametrize("start", [0, 1, 1 << 20, len(CONTENT) - 1, len(CONTENT)])
    def test_bytes_come_from_wherever_they_are_wanted(self, door: FolderDoor, start: int) -> None:
        """In blocks of at most 1 MiB, and again from the same opened file."""
        door.lay("FULL", "a.tar.gz", CONTENT)
        (archive,) = door.files.look().archives

        with door.files.open(archive) as file:
            blocks = list(file.read(start))
            assert b"".join(blocks) == CONTENT[start:]
            assert all(len(block) <= 1 << 20 for block in blocks)
            assert b"".join(file.read()) == CONTENT

    def test_another_version_is_not_opened(self, door: FolderDoor) -> None:
        """Nor is a missing one."""
        door.lay("FULL", "a.tar.gz", b"first")
        (archive,) = door.files.look().archives
        door.lay("FULL", "a.tar.gz", b"second")
        with pytest.raises(LocalFileChanged):
            door.files.open(archive)

        door.remove("FULL", "a.tar.gz")
        with pytest.raises(LocalFileChanged):
            door.files.open(archive)

    @pytest.mark.parametrize("how", ["grown", "shortened", "emptied", "replaced", "overwritten"])
    def test_what_changes_while_it_is_read_gives_no_more_bytes(self, door: FolderDoor, how: str) -> None:
        """So a mixture of two versions is never taken for an archive, and no reader waits for bytes that never come."""
        door.lay("FULL", "a.tar.gz", CONTENT)
        (archive,) = door.files.look().archives

        with door.files.open(archive) as file:
            reading = file.read()
            next(reading)
            door.change("FULL", "a.tar.gz", how)
            with pytest.raises(LocalFileChanged):
                next(reading)

    def test_what_is_removed_while_it_is_read_is_read_to_its_end(self, door: FolderDoor) -> None:
        """The bytes are unchanged, so an archive that is removed meanwhile can still be stored."""
        door.lay("FULL", "a.tar.gz", CONTENT)
        (archive,) = door.files.look().archives

        with door.files.open(archive) as file:
            reading = file.read()
            first = next(reading)
            door.remove("FULL", "a.tar.gz")
            assert first + b"".join(reading) == CONTENT

    def test_a_pipe_that_has_come_in_its_place_is_not_waited_for(self, door: FolderDoor) -> None:
        """No program may ever write into it."""
        door.lay("FULL", "a.tar.gz", CONTENT)
        (archive,) = door.files.look().archives
        door.spoil("FULL/a.tar.gz", "pipe")

        with pytest.raises(LocalFileChanged):
            door.files.open(archive)


class DigestCacheContract:
    """A subclass gives the fixture *reopened*: each call gives the cache that the next run of the client finds."""

    def test_a_digest_is_never_that_of_another_version(self, reopened: Callable[[], DigestCache]) -> None:
        """At once and in the next run; another size, time of either kind, inode or path is another file."""
        cache = reopened()
        assert cache.get(ARCHIVE) is None
        cache.put(ARCHIVE, "a" * 64)

        for one in (cache, reopened()):
            assert one.get(ARCHIVE) in (None, "a" * 64)
            for other in (
                evolve(ARCHIVE, size_bytes=6),
                evolve(ARCHIVE, modified_ns=ARCHIVE.modified_ns + 1),
                evolve(ARCHIVE, changed_ns=ARCHIVE.changed_ns + 1),
                evolve(ARCHIVE, inode=43),
                evolve(ARCHIVE, path="/c/FULL/full_1.tar.gz"),
            ):
                assert one.get(other) is None

    def test_the_last_digest_counts(self, reopened: Callable[[], DigestCache]) -> None:
        """And the digest of a new version replaces the old one."""
        cache = reopened()
        cache.put(ARCHIVE, "a" * 64)
        cache.put(ARCHIVE, "b" * 64)

        assert cache.get(ARCHIVE) in (None, "b" * 64)


ID = ArchiveId("laptop", BackupType.FULL, "full_1.tar.gz")
NOTE = UploadNote("http://server", ID, 5, "http://server/1", "version")


class UploadNotesContract:
    """A subclass gives the fixture *reopened*: each call gives the notes that the next run of the client finds."""

    def test_a_note_is_found_until_it_is_forgotten(self, reopened: Callable[[], UploadNotes]) -> None:
        """At once and in the next run."""
        notes = reopened()
        other = evolve(NOTE, address="http://server/2", sha256="a" * 64, proven_bytes=3, proven_sha256="b" * 64)
        assert list(notes.all("http://server")) == []
        notes.put(other)
        notes.put(NOTE)

        assert list(reopened().of("http://server", NOTE.id, 5)) == [NOTE, other]
        reopened().drop(NOTE.address)
        assert list(notes.all("http://server")) == [other]

    def test_a_note_takes_the_place_of_the_one_before_it(self, reopened: Callable[[], UploadNotes]) -> None:
        """More bytes of an upload are proven as it continues."""
        further = evolve(NOTE, proven_bytes=4, proven_sha256="c" * 64)
        reopened().put(NOTE)
        reopened().put(further)

        assert list(reopened().all("http://server")) == [further]

    @pytest.mark.parametrize(
        "other",
        [
            evolve(NOTE, server="http://other"),
            evolve(NOTE, server="https://server"),
            evolve(NOTE, server="http://server/below"),
            evolve(NOTE, id=evolve(ID, profile="other")),
            evolve(NOTE, id=evolve(ID, type=BackupType.DIFF)),
            evolve(NOTE, id=evolve(ID, name="full_other.tar.gz")),
            evolve(NOTE, size_bytes=6),
        ],
    )
    def test_a_note_of_anything_else_is_not_found(self, reopened: Callable[[], UploadNotes], other: UploadNote) -> None:
        """Above all of another server: an upload there may belong to anyone."""
        reopened().put(other)

        assert list(reopened().of(NOTE.server, NOTE.id, NOTE.size_bytes)) == []

    def test_what_was_never_noted_is_forgotten_as_well(self, reopened: Callable[[], UploadNotes]) -> None:
        """Without an error."""
        reopened().drop("http://server/1")

        assert list(reopened().all("http://server")) == []


CHECKED = CheckNote("http://server", "laptop", "INC/a.tar.gz", 1_700_000_000, 3)


class CheckNotesContract:
    """A subclass gives the fixture *reopened*: each call gives the notes that the next run of the client finds."""

    def test_the_last_check_of_a_profile_is_found(self, reopened: Callable[[], CheckNotes]) -> None:
        notes = reopened()
        assert notes.of("http://server", "laptop") is None
        notes.put(CHECKED)
        assert reopened().of("http://server", "laptop") == CHECKED
        later = evolve(CHECKED, label="FULL/b.tar.gz", missed=0)
        reopened().put(later)
        assert notes.of("http://server", "laptop") == later

    def test_that_of_anything_else_is_not(self, reopened: Callable[[], CheckNotes]) -> None:
        reopened().put(CHECKED)
        assert reopened().of("http://other", "laptop") is None
        assert reopened().of("http://server", "desktop") is None
