"""
Back doors of the stores: what a test may do behind a store's back, bypassing the code under test.

A door holds the current store in *store*; `crash` replaces it by the one that the next process would open.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.ports.store import ArchiveStore
from tests.support.clocks import SequenceIds
from tests.support.memory_store import reopened, staging_is_empty

LONG_AGO = datetime.now(UTC) - timedelta(days=1)
SOON = datetime.now(UTC) + timedelta(days=1)


class StoreDoor(Protocol):
    """What the contract of `ArchiveStore` needs in addition to the store."""

    @property
    def store(self) -> ArchiveStore: ...

    def staging_is_empty(self) -> bool:
        """Whether staging holds nothing of any unfinished archive."""

    def open_files(self) -> int:
        """The number of archive files that this process has open."""

    def shorten(self, id: ArchiveId, size_bytes: int) -> None:
        """Cut the stored bytes, like a broken disk or a person."""

    def change(self, id: ArchiveId, content: bytes) -> None:
        """Replace the stored bytes by other ones."""

    def quarantined(self, id: ArchiveId) -> list[bytes]:
        """The replaced bytes of *id* that are in the quarantine."""

    def lose_sidecar(self, id: ArchiveId) -> None:
        """Remove the side-car and leave the bytes."""

    def leave_sidecar(self, id: ArchiveId) -> None:
        """Leave a side-car without an archive, like a crash while publishing, if the store can be in that state."""

    def put_foreign_things(self, profile: str) -> None:
        """Put foreign files wherever they could be taken for archives, also beside those of *profile*."""

    def crash(self) -> None:
        """End the store as SIGKILL would, with writers and readers open, and open it again."""

    def close(self) -> None: ...


class MemoryDoor:
    """For a store without a disk: files that need a disk cannot be put there."""

    def __init__(self) -> None:
        self.store = MemoryArchiveStore()

    def staging_is_empty(self) -> bool:
        return staging_is_empty(self.store)

    def open_files(self) -> int:
        return 0

    def shorten(self, id: ArchiveId, size_bytes: int) -> None:
        held = self.store.archives[id]
        held.content = held.content[:size_bytes]

    def change(self, id: ArchiveId, content: bytes) -> None:
        self.store.archives[id].content = content

    def quarantined(self, id: ArchiveId) -> list[bytes]:
        return [content for whose, content, _ in self.store.in_quarantine if whose == id]

    def lose_sidecar(self, id: ArchiveId) -> None:
        self.store.archives[id].sidecar = None

    def leave_sidecar(self, id: ArchiveId) -> None:
        """Publishing in memory is one step."""

    def put_foreign_things(self, profile: str) -> None:
        """A memory store has no place for them."""

    def crash(self) -> None:
        self.store = reopened(self.store)

    def close(self) -> None:
        self.store.close()


class FilesystemDoor:
    """For a store under *path*, through the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ids = SequenceIds()
        self.store = FilesystemArchiveStore.open(path, ids=self._ids)

    def file(self, id: ArchiveId) -> Path:
        return self.path / "archives" / id.profile / id.type.value / id.name

    def sidecar(self, id: ArchiveId) -> Path:
        return self.file(id).with_name(id.name + ".json")

    def publish_leaving_a_staged_name(self, id: ArchiveId, upload: str, content: bytes) -> None:
        """As a crash does that comes between publishing *upload* and removing its name in staging."""
        with self.store.resume(upload, 0) as writer:
            writer.write(content)
            writer.seal(b"{}")
            staged = next(path for path in (self.path / "staging").iterdir() if path.suffix == ".part")
            copy = staged.with_name("kept")
            copy.hardlink_to(staged)
            writer.publish(id)
        copy.rename(staged)

    def staging_is_empty(self) -> bool:
        return not list((self.path / "staging").iterdir())

    def open_files(self) -> int:
        return sum(len(descriptors_below(self.path / part)) for part in ("archives", "staging"))

    def shorten(self, id: ArchiveId, size_bytes: int) -> None:
        os.truncate(self.file(id), size_bytes)

    def change(self, id: ArchiveId, content: bytes) -> None:
        self.file(id).chmod(0o600)
        self.file(id).write_bytes(content)

    def quarantined(self, id: ArchiveId) -> list[bytes]:
        folder = self.path / "quarantine" / id.profile / id.type.value
        return [file.read_bytes() for file in sorted(folder.glob(f"{id.name}.*"))]

    def lose_sidecar(self, id: ArchiveId) -> None:
        self.sidecar(id).unlink()

    def leave_sidecar(self, id: ArchiveId) -> None:
        self.sidecar(id).parent.mkdir(parents=True, exist_ok=True)
        self.sidecar(id).write_bytes(b"stale")

    def put_foreign_things(self, profile: str) -> None:
        archives = self.path / "archives"
        inside = archives / profile / "FULL"
        inside.mkdir(parents=True, exist_ok=True)
        outside = self.path / "elsewhere" / "FULL"
        outside.mkdir(parents=True)
        (outside / "outside.tar.gz").write_bytes(b"outside")
        for folder in (archives, archives / profile, inside):
            (folder / "README").write_bytes(b"foreign")
            (folder / "foreign.tar.gz.json").write_bytes(b"foreign")
            (folder / ".hidden.tar.gz").mkdir()
            (folder / "lost+found").mkdir()
        (archives / "file.tar.gz").write_bytes(b"foreign")
        (archives / profile / "full").mkdir()
        (archives / profile / "full" / "small.tar.gz").write_bytes(b"foreign")
        (archives / profile / "INC").symlink_to(outside)
        (archives / "linked").symlink_to(outside.parent)
        (inside / "linked.tar.gz").symlink_to(outside / "outside.tar.gz")
        (inside / "directory.tar.gz").mkdir()
        (inside / "bad\nname.tar.gz").write_bytes(b"foreign")
        (inside / os.fsdecode(b"not-utf-8-\xff.tar.gz")).write_bytes(b"foreign")
        os.mkfifo(inside / "pipe.tar.gz")

    def crash(self) -> None:
        cut_off(self.path)
        self.store = FilesystemArchiveStore.open(self.path, ids=self._ids)

    def close(self) -> None:
        self.store.close()


def cut_off(path: Path) -> None:
    """Close what this process has open below *path*, as its end would."""
    # Replacing every descriptor by /dev/null releases the kernel's resources, the lock included, and leaves the numbers
    # valid for the objects that still hold them.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in descriptors_below(path):
        os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def descriptors_below(path: Path) -> list[int]:
    """What this process has open below *path*."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = entry.readlink()
        except FileNotFoundError:  # the listing's own
            continue
        if target.is_relative_to(path):
            found.append(int(entry.name))
    return found
