"""A real server as the contracts of the client's ports see it: through the adapters, and past them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import httpx2
from attrs import field, frozen

from tarkeep.adapters.http.chains import HttpChains
from tarkeep.adapters.http.remote import HttpRemote
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.identity.digests import Digests
from tests.support.remotes import remote_at
from tests.support.server import LiveServer

_numbers = itertools.count(1)


@frozen
class LiveDoor:
    """*client* goes past the adapter *source* to the same server."""

    source: HttpRemote
    _client: httpx2.Client
    _data: Path
    profile: str = field(factory=lambda: f"contract-{next(_numbers)}")

    @property
    def chains(self) -> HttpChains:
        return HttpChains(self.source.connection)

    @property
    def fresh_profile(self) -> str:
        return f"contract-{next(_numbers)}"

    def lay(self, id: ArchiveId, content: bytes) -> BackupArchive:
        answer = self._client.put(_url(id), content=content)
        assert answer.is_success, answer.text
        told = answer.json()
        return BackupArchive(
            id,
            told["size"],
            Digests(told["md5"], told["sha256"]),
            datetime.fromisoformat(told["received_at"]),
            datetime.fromisoformat(told["taken_at"]),
            Contents(Kind(told["kind"]), told["members"], told["unpacked_size"]),
            ArchiveState(told["state"]),
        )

    def bytes_of(self, id: ArchiveId) -> bytes | None:
        answer = self._client.get(_url(id))
        return answer.content if answer.status_code == 200 else None

    def harm(self, archive: BackupArchive) -> None:
        id = archive.id
        file = self._data / "archives" / id.profile / id.type.value / id.name
        file.chmod(0o600)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    def is_doubted(self, archive: BackupArchive) -> bool:
        archives = self._client.get("/api/v1/archives", params={"profile": archive.id.profile}).json()["archives"]
        return [one["state"] for one in archives if one["name"] == archive.id.name] == ["damaged"]

    def damage(self, archive: BackupArchive) -> None:
        self.harm(archive)
        self._client.post(f"{_url(archive.id)}/suspect")
        assert self.is_doubted(archive)


def _url(id: ArchiveId) -> str:
    return f"/api/v1/profiles/{quote(id.profile)}/archives/{id.type.value}/{quote(id.name)}"


@contextmanager
def live_door(server: LiveServer) -> Iterator[LiveDoor]:
    with server.client() as client, remote_at(server.url) as remote:
        yield LiveDoor(remote, client, server.data)
