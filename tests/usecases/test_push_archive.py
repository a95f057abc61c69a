"""Sending an archive of this machine to a server in memory."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.client_memory import ClientMemory
from tarkeep.adapters.hashing import HashlibHasher
from tarkeep.adapters.local_folder import LocalFolder
from tarkeep.adapters.local_folder import described as local_archive
from tarkeep.domain.archives import BackupType
from tarkeep.domain.client.push import PushArchive
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors import NoAnswer
from tests.support.archives import make_targz
from tests.support.memory_server import MemoryServer

MIB = 1 << 20


def test_an_upload_that_has_expired_is_begun_anew(tmp_path: Path) -> None:
    """The next push does not fail for it."""
    file = tmp_path / "full_1.tar.gz"
    file.write_bytes(make_targz({"noise": os.urandom(3 * MIB)}))
    archive = local_archive(file, BackupType.FULL)
    server = MemoryServer(lost_from=MIB)
    retrying = Retrying(1, wait=lambda _seconds: None, fraction=lambda: 0.0)
    with closing(ClientMemory(tmp_path / "memory")) as memory:
        files = LocalFolder(tmp_path)
        push = PushArchive(server, files, memory, memory.notes, HashlibHasher(), retrying, resumable_from_bytes=MIB)
        with pytest.raises(NoAnswer):
            push("laptop", archive, lambda _position, _moved: None, lambda _error, _pause: None)
        server.lost_from = None
        server.uploads.clear()

        stored = push("laptop", archive, lambda _position, _moved: None, lambda _error, _pause: None)
    assert server.kept[stored.id].content == file.read_bytes()
