"""An archive being sent, and the files that the server's calls for it concern."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import httpx2
from attrs import field, frozen

from tests.faults.ways import Tus, Way, fresh_name, some_archive
from tests.support.strace import Call
from tests.support.tus import patch

# Status and code if the store fails with an error.
OF_STORE = {
    "ENOSPC": (507, "insufficient-storage"),
    "EDQUOT": (507, "insufficient-storage"),
    "EROFS": (503, "read-only"),
    "EMFILE": (503, "backend-unavailable"),
    "EIO": (503, "backend-unavailable"),
}


@frozen
class Attempt:
    """An archive to be sent to *place*, the first one of its profile."""

    way: Way
    profile: str
    name: str
    content: bytes = field(repr=False)
    place: str

    def send(self, client: httpx2.Client) -> httpx2.Response:
        return self.way.send(client, self.place, self.profile, self.name, self.content)

    def stored(self, client: httpx2.Client) -> bytes | None:
        """The bytes that the server returns under its name."""
        answer = client.get(f"/api/v1/profiles/{self.profile}/archives/FULL/{self.name}")
        assert answer.status_code in (200, 404), answer.text
        return answer.content if answer.status_code == 200 else None

    def files(self, data: Path) -> list[str]:
        """The names of its files in the store."""
        return sorted(path.name for path in (data / "archives" / self.profile).glob("*/*"))


def attempt(client: httpx2.Client, way: Way, size_bytes: int = 20_000) -> Attempt:
    """An archive with its own name and content, ready to be sent."""
    name = fresh_name()
    profile = "of-" + name.partition(".")[0]
    content = some_archive(crc32(name.encode()), size_bytes)
    return Attempt(way, profile, name, content, way.begin(client, profile, name, content))


def send_again(client: httpx2.Client, tried: Attempt) -> httpx2.Response:
    """The next request of a client that does not know the outcome: the same again, or the rest of an upload."""
    if not isinstance(tried.way, Tus):
        return tried.send(client)
    told = client.head(tried.place)
    if "tarkeep-archive" in told.headers:
        return told
    offset = int(told.headers["upload-offset"])
    return patch(client, tried.place, offset, tried.content[offset:])


def staged(data: Path) -> set[str]:
    """The files in staging except the journals of uploads, which are kept for a while after their end."""
    return {path.name for path in (data / "staging").iterdir() if path.suffix != ".upload"}


def target_of(call: Call, data: Path) -> str | None:
    """The file of *call*, as ``staging/.part``, without the parts that differ by request; None if outside *data*."""
    path = Path(call.path.removesuffix("(deleted)"))
    if not path.is_relative_to(data):
        return None
    match path.relative_to(data).parts:
        case []:
            return "data"
        case [first] if first.startswith("catalog.sqlite"):
            return first
        case [first, *_, name] if "." in name:
            return f"{first}/{Path(name).suffix}"
        case ["archives", *rest]:
            return "/".join(["archives", *("profile", "TYPE")[: len(rest)]])
        case [first, *_]:
            return first
    return None
