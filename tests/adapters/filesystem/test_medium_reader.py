"""What is read from the medium comes from the disk, and leaves the page cache as it was."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.require import require
from tests.support.store_doors import FilesystemDoor

ID = ArchiveId("web", BackupType.FULL, "full.tar.gz")
MIB = 1 << 20
SIZE = 64 * MIB
AHEAD_PAGES = 16 * MIB // mmap.PAGESIZE
"""More than a kernel reads ahead."""


def cached_pages(path: Path) -> list[bool]:
    """Which pages of the file are in the page cache, as the kernel tells it."""
    libc, size = ctypes.CDLL(None, use_errno=True), path.stat().st_size
    vector = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
    prot = mmap.PROT_READ | mmap.PROT_WRITE
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, prot) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        failed = libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), vector)
        del start  # a mapping that is referred to cannot be closed
    assert not failed, os.strerror(ctypes.get_errno())
    return [bool(page & 1) for page in vector]


def wait_for_what_is_read_ahead(path: Path) -> None:
    """Pages that a busy disk is still reading cannot be dropped."""
    before: list[bool] = []
    while (now := cached_pages(path)) != before:
        before = now
        time.sleep(0.1)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FilesystemDoor]:
    """A store with one archive, all of which is cached."""
    with closing(FilesystemDoor(tmp_path / "data")) as door:
        with door.store.begin() as writer:
            for _ in range(SIZE // MIB):
                writer.write(os.urandom(MIB))
            writer.seal(b"{}")
            writer.publish(ID)
        with door.file(ID).open("rb") as file:  # not by the store, which is what is tested
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        drops = not any(cached_pages(door.file(ID)))
        require("page-cache", drops, "use a temporary directory on a disk, where the page cache can be dropped")
        door.file(ID).read_bytes()
        door.sidecar(ID).read_bytes()
        assert all(cached_pages(door.file(ID)))
        yield door


def test_what_is_cached_is_dropped_before_the_first_byte_is_read(door: FilesystemDoor) -> None:
    """Otherwise the memory of the machine would be checked, and not the disk."""
    with door.store.reread(ID) as reader:
        next(iter(reader))

        assert not any(cached_pages(door.file(ID))[AHEAD_PAGES:])
        assert not any(cached_pages(door.sidecar(ID)))


def test_what_was_read_is_dropped_on_the_way(door: FilesystemDoor) -> None:
    """A large archive takes no more of the page cache than a small one."""
    with door.store.reread(ID) as reader:
        for _ in reader:
            pass
        cached = cached_pages(door.file(ID))

    assert sum(cached) <= AHEAD_PAGES


def test_nothing_stays_cached_behind_the_reader(door: FilesystemDoor) -> None:
    """Whether it read everything or was left half-way."""
    with door.store.reread(ID) as reader:
        blocks = iter(reader)
        for _ in range(SIZE // MIB // 2):
            next(blocks)
        wait_for_what_is_read_ahead(door.file(ID))

    assert not any(cached_pages(door.file(ID)))


def test_small_archives_that_come_next_are_dropped_before_they_are_fetched(tmp_path: Path) -> None:
    """Of each the disk is asked again, although all of them were cached."""
    ids = [ArchiveId("web", BackupType.FULL, f"{number}.tar.gz") for number in range(40)]
    with closing(FilesystemDoor(tmp_path / "data")) as door:
        for id in ids:
            with door.store.begin() as writer:
                writer.write(os.urandom(mmap.PAGESIZE * 4))
                writer.seal(b"{}")
                writer.publish(id)
            door.file(id).read_bytes()
            door.sidecar(id).read_bytes()
        before = read_from_disk()
        with door.store.rereading(ids) as reading:
            for id in ids:
                with reading.bytes_of(id) as reader:
                    list(reader)
                reading.beside(id)
        asked = read_from_disk() - before
        dropped = not any(page for id in ids for page in cached_pages(door.file(id)))

    require("page-cache", dropped, "use a temporary directory on a disk, where the page cache can be dropped")
    assert asked >= len(ids) * 5 * mmap.PAGESIZE


def read_from_disk() -> int:
    """Bytes that this process had the disk read."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["read_bytes"])
