"""Pushing an archive of this machine to servers in memory, over lines that break and with files that change."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.adapters.local.archive_folder import LocalFolder
from tarkeep.adapters.local.archive_folder import described as local_archive
from tarkeep.adapters.local.memory_file import ClientMemory
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.client.push.push_archive import PushArchive
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.client import LocalFileChanged, ServerUnreachable
from tarkeep.domain.identity.archive_id import BackupType
from tests.support.archives import make_targz
from tests.support.memory_server import MemoryServer

MIB = 1 << 20
TAR = gzip.decompress(make_targz({"noise": os.urandom(5 * MIB)}))


def archive_of(tar: bytes) -> bytes:
    """A gzip that keeps every byte of the tar near its position, so that tars with equal beginnings stay alike."""
    return gzip.compress(tar, 0, mtime=0)


CONTENT = archive_of(TAR)


@frozen
class Sender:
    """A machine that pushes the archive in *file*, and notes its progress in *memory*."""

    file: Path
    memory: ClientMemory

    def push(
        self,
        server: MemoryServer,
        profile: str = "laptop",
        *,
        file: Path | None = None,
        proven_every_bytes: int = MIB,
        at: Callable[[int], None] = lambda _position: None,
    ) -> BackupArchive:
        pushing = PushArchive(
            server,
            LocalFolder(self.file.parent),
            self.memory,
            self.memory.notes,
            HashlibHasher(),
            Retrying(1, wait=lambda _seconds: None, fraction=lambda: 0.0),
            resumable_from_bytes=MIB,
            proven_every_bytes=proven_every_bytes,
        )
        archive = local_archive(file or self.file, BackupType.FULL)
        return pushing(profile, archive, lambda position, _moved: at(position), lambda _error, _pause: None)

    def push_half(self, server: MemoryServer, *, proven_every_bytes: int = MIB) -> None:
        """Leave the state of a push that was cut after 3 MiB."""
        server.lost_from = 3 * MIB
        with pytest.raises(ServerUnreachable):
            self.push(server, proven_every_bytes=proven_every_bytes)
        server.lost_from = None


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    file = tmp_path / "full_1.tar.gz"
    file.write_bytes(CONTENT)
    with closing(ClientMemory(tmp_path / "memory")) as memory:
        yield Sender(file, memory)


def test_an_upload_that_has_expired_is_begun_anew(sender: Sender) -> None:
    """The next push does not fail because of it."""
    server = MemoryServer()
    sender.push_half(server)
    server.uploads.clear()

    stored = sender.push(server)
    assert server.kept[stored.id].content == CONTENT
    assert sender.memory.notes.all(server.shown_url) == []


def test_an_upload_goes_on_at_the_server_where_it_was_begun(sender: Sender) -> None:
    """And on no other server, whatever the settings were then."""
    old, new = MemoryServer(shown_url="http://old"), MemoryServer(shown_url="http://new")
    sender.push_half(old)

    stored = sender.push(new)
    assert new.kept[stored.id].content == CONTENT
    assert (old.kept, len(old.uploads)) == ({}, 1)

    sender.push(old)
    assert old.kept[stored.id].content == CONTENT
    assert old.received_bytes == len(CONTENT)


def test_an_upload_of_one_profile_is_not_continued_for_another(sender: Sender) -> None:
    """The same file under the same name is a different archive there."""
    server = MemoryServer()
    sender.push_half(server)

    stored = sender.push(server, "desk")
    assert [(id.profile, kept.content == CONTENT) for id, kept in server.kept.items()] == [("desk", True)]
    assert stored.id.profile == "desk"


@pytest.mark.parametrize("how", ["touched", "moved", "copied"])
def test_the_same_bytes_in_another_file_go_on(sender: Sender, tmp_path: Path, how: str) -> None:
    """Sent bytes are recognised by their digest, not by their path."""
    server = MemoryServer()
    sender.push_half(server)
    file = sender.file
    if how == "touched":
        os.utime(file, (1, 1))
    else:
        file = tmp_path / "elsewhere" / file.name
        file.parent.mkdir()
        file.write_bytes(CONTENT)

    stored = sender.push(server, file=file)
    assert server.kept[stored.id].content == CONTENT
    assert server.received_bytes == len(CONTENT)


@pytest.mark.parametrize("place", [600, 2 * MIB, 3 * MIB + 5, 5 * MIB])
def test_other_bytes_never_end_an_upload_of_these(sender: Sender, place: int) -> None:
    """Not even if size, time and inode are the same; wherever they differ, one whole version is stored."""
    server = MemoryServer()
    sender.push_half(server)
    before = sender.file.stat()
    tar = bytearray(TAR)
    tar[place] ^= 1
    other = archive_of(bytes(tar))
    assert len(other) == len(CONTENT)
    with sender.file.open("r+b") as opened:
        opened.write(other)
    os.utime(sender.file, ns=(before.st_atime_ns, before.st_mtime_ns))

    stored = sender.push(server)
    assert server.kept[stored.id].content == other
    assert len(server.dropped) == (1 if place < 4 * MIB else 0)  # the fourth was noted but not sent


def test_what_was_not_proven_is_believed_of_the_same_file_only(sender: Sender) -> None:
    """A killed run may have sent more than it had noted."""
    server = MemoryServer()
    sender.push_half(server, proven_every_bytes=100 * MIB)
    os.utime(sender.file, (1, 1))

    stored = sender.push(server)
    assert server.kept[stored.id].content == CONTENT
    assert len(server.dropped) == 1

    server = MemoryServer(shown_url="http://other")
    sender.push_half(server, proven_every_bytes=100 * MIB)
    sender.push(server)
    assert (server.dropped, server.received_bytes) == ([], len(CONTENT))


def test_a_file_that_changes_meanwhile_leaves_no_upload(sender: Sender) -> None:
    """It could never be continued; the error comes at once, however large the rest is."""
    server = MemoryServer()
    positions: list[int] = []

    def shorten(position: int) -> None:
        positions.append(position)
        if position == 2 * MIB:
            os.truncate(sender.file, 2 * MIB + 1)

    with pytest.raises(LocalFileChanged):
        sender.push(server, at=shorten)

    assert positions[-1] == 2 * MIB
    assert (server.uploads, len(server.dropped)) == ({}, 1)
    assert sender.memory.notes.all(server.shown_url) == []
