"""``rclone serve webdav`` over a plain folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ..contestants import CURL, Answer, Contestant, RunningFileServer
from ..corpus import Archive
from ..processes import ServerProcess, accepts, free_port, run_timed, serving


@frozen
class RunningRclone(RunningFileServer):
    server: ServerProcess
    port: int
    folder: Path

    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        return [*CURL, "--upload-file", str(archive.path), self.download_url(name)]

    def accepts(self, answer: Answer, archive: Archive) -> bool:
        del archive
        return answer.status == 201

    def stored(self, name: str, answer: Answer) -> Path:
        del answer
        return self.folder / name

    def download_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@frozen
class Rclone(Contestant):
    title: str = "rclone serve webdav"

    def missing(self) -> str | None:
        return None if shutil.which("rclone") else "not installed: apt install rclone"

    def version(self) -> str:
        return run_timed(["rclone", "version", "--config", os.devnull]).output.splitlines()[0]

    @contextmanager
    def start(self, folder: Path) -> Iterator[RunningRclone]:
        port = free_port()
        root = folder / "files"
        root.mkdir()
        command = ["rclone", "serve", "webdav", str(root), "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
        with serving(command, ready=lambda: accepts(port), log=folder / "server.log") as server:
            yield RunningRclone(server, port, root)
