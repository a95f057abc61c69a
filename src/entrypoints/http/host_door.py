"""
The same routes for commands on the server's host: through a running server's socket, or, if none runs, by opening the
data directory for one command.

So each command has one way of asking, and what it shows is what the routes answer.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlencode

import msgspec
from attrs import define, frozen
from starlette.types import Message, Scope

from ...domain.errors.settings import DataDirectoryInUse, HostServerEnded, InvalidSetting
from ...domain.tarkeep_error import TarkeepError
from ..settings.server import ServerSettings, StorageSettings
from ..starting import starting
from ..wiring.beside.kept import is_memory
from ..wiring.host import check_data_directory
from ..wiring.server import open_tarkeep
from .app import AroundRequest, create_app
from .edge import host_socket

_SECONDS = 3600.0  # moving many archives takes its time


@define
class HostRefused(TarkeepError):
    """The server refused a command: *status* and *code* are those of its answer, *detail* says why."""

    status: int
    code: str
    detail: str
    members: dict[str, Any]

    def __str__(self) -> str:
        return self.detail


class HostDoor(Protocol):
    """A server, for commands on its host."""

    def ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        """
        The JSON that *method* on *target* answers.

        Raises:
            HostRefused: the answer is an error.
            HostServerEnded: the server ended before it answered; it may have done what it was asked for.
        """


def target(*parts: str, **query: str) -> str:
    """The path below ``/api/v1`` with *parts*, and the *query*; both are escaped."""
    path = "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


@contextmanager
def host_door(storage: StorageSettings) -> Iterator[HostDoor]:
    """
    The server of the data directory, or the directory itself if no server runs.

    Raises:
        InvalidSetting, FolderUnusable: there is no data directory, or it cannot be opened.
        DataDirectoryInUse: another process has it that has no socket for commands.
    """
    if is_memory(storage):
        raise InvalidSetting("store", "a server over memory ends with its process; give it a data directory")
    check_data_directory(storage)
    if _is_served(storage.data):
        yield ServedDoor(storage.data)
        return
    with starting(storage.data), open_tarkeep(storage) as tarkeep:
        tarkeep.recover()
        tarkeep.settle_trash()
        tarkeep.settle_runs()
        with closing(create_app(tarkeep, ServerSettings())) as app:
            yield OpenedDoor(app)


def _is_served(data: Path) -> bool:
    try:
        host_socket.connected(data).close()
    except OSError:
        return False
    return True


class _Connection(http.client.HTTPConnection):
    def __init__(self, data: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._data = data

    def connect(self) -> None:
        self.sock = host_socket.connected(self._data)
        self.sock.settimeout(self.timeout)


@frozen
class ServedDoor:
    """`HostDoor` of a running server."""

    data: Path

    def ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        with closing(_Connection(self.data)) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise DataDirectoryInUse("") from error  # it is being stopped
            try:
                connection.request(method, target, _encoded(body), _HEADERS)
                answer = connection.getresponse()
                return _read(answer.status, answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise HostServerEnded from error


@frozen
class OpenedDoor:
    """`HostDoor` of a data directory that this process has opened."""

    app: AroundRequest

    def ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        status, content = asyncio.run(_asked(self.app, method, target, _encoded(body)))
        return _read(status, content)


async def _asked(app: AroundRequest, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    path, _, query = target.partition("?")
    headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*headers, (b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
        "scheme": "http",
        "server": (f"/{host_socket.NAME}", None),
        "client": None,
    }
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    status, content = 0, bytearray()
    ended = asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            content.extend(message.get("body", b""))

    await app(scope, receive, send)
    ended.set()
    return status, bytes(content)


_HEADERS = {"Content-Type": "application/json", "Connection": "close"}


def _encoded(body: object) -> bytes:
    return b"" if body is None else msgspec.json.encode(body)


def _read(status: int, content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(content)
    if status >= HTTPStatus.BAD_REQUEST:
        raise HostRefused(status, told.get("code", ""), told.get("detail", ""), told)
    return told
