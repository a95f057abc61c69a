"""
Tarkeep as a contestant: the installed package of this interpreter, started as a user would.
"""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from attrs import field, frozen

from .ask import is_ready
from .contestants import CURL, Answer, Contestant, RunningFileServer
from .corpus import Archive
from .processes import ServerProcess, free_port, serving

PROFILE = "bench"
_LIMIT_BYTES = 4 << 30  # the 2 GB archive of the memory runs is above the default


@frozen
class RunningTarkeep(RunningFileServer):
    """Tarkeep on *port*, by *route*: ``multipart`` (the original's), ``raw`` (PUT) or ``tus`` (POST, PATCH)."""

    server: ServerProcess
    port: int
    folder: Path
    route: str = "multipart"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        if self.route == "raw":
            return [*CURL, "--upload-file", str(archive.path), self._archive_url(name)]
        if self.route == "tus":
            return ["sh", "-ec", self._tus_script(archive, name)]
        parts = (f"profile={PROFILE}", "type=FULL", f"file=@{archive.path};filename={name}")
        return [*CURL, *(word for part in parts for word in ("--form", part)), f"{self.url}/upload"]

    def _tus_script(self, archive: Archive, name: str) -> str:
        """The requests of a tus client, in two runs of curl: create, then send everything to the given address."""
        described = {"filename": name, "profile": PROFILE, "type": "FULL"}
        about = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in described.items())
        asks = ["Tus-Resumable: 1.0.0", f"Upload-Length: {archive.size_bytes}", f"Upload-Metadata: {about}"]
        sends = ["Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Type: application/offset+octet-stream"]
        create = [*CURL[:-1], "%header{location}", *_headers(asks), "--request", "POST", f"{self.url}/api/v1/uploads"]
        send = [*CURL, "--dump-header", "-", *_headers(sends), "--request", "PATCH"]
        send += ["--upload-file", str(archive.path)]
        return f'place=$({shlex.join(create)}); {shlex.join(send)} "{self.url}$place"'

    def accepts(self, answer: Answer, archive: Archive) -> bool:
        if self.route == "tus":
            return answer.status == 204 and "\ntarkeep-archive:" in answer.body.lower()
        if answer.status != 201:
            return False
        told = json.loads(answer.body)
        expected = {"sha256": archive.sha256, "md5": archive.md5}
        return not told.get("duplicate") and all(told.get(key) == value for key, value in expected.items())

    def stored(self, name: str, answer: Answer) -> Path:
        del answer
        return self.folder / "archives" / PROFILE / "FULL" / name

    def download_url(self, name: str) -> str:
        return self._archive_url(name)

    def _archive_url(self, name: str) -> str:
        return f"{self.url}/api/v1/profiles/{PROFILE}/archives/FULL/{name}"


@frozen
class Tarkeep(Contestant):
    """Tarkeep with *validate* ``full`` (its default) or ``off``, uploads by *route*."""

    validate: str = "full"
    route: str = "multipart"
    title: str = field()

    @title.default
    def _title(self) -> str:
        return f"tarkeep, {self.route}, validation {self.validate}"

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return f"tarkeep {version('tarkeep')}"

    @contextmanager
    def start(self, folder: Path) -> Iterator[RunningTarkeep]:
        port = free_port()
        data = folder / "data"
        with serving(
            serve_command(port, data, "--validate", self.validate),
            ready=lambda: is_ready(port, "/readyz"),
            log=folder / "server.log",
            environment=settings(),
        ) as server:
            yield RunningTarkeep(server, port, data, self.route)


def _headers(lines: Sequence[str]) -> list[str]:
    return [word for line in lines for word in ("--header", line)]


def serve_command(port: int, data: Path, *more: str) -> list[str]:
    """The command that serves *data* on *port*."""
    command = [sys.executable, "-m", "tarkeep", "serve", "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--data", str(data), "--log-level", "warning", *more]


def settings() -> Mapping[str, str]:
    """
    Environment of the server: defaults except for the size of an upload; and bytecode of its modules kept, as it is
    where the package is installed.
    """
    return {"TARKEEP_MAX_UPLOAD_BYTES": str(_LIMIT_BYTES), "PYTHONDONTWRITEBYTECODE": ""}
