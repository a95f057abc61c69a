"""
npm's ``@tus/server`` with its file store, sent the whole archive in one request (creation-with-upload).

Installed on demand, in the versions of ``tus_server/package.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ..contestants import CURL, Answer, Contestant, Running
from ..corpus import Archive
from ..processes import ServerProcess, accepts, free_port, run_timed, serving

_HERE = Path(__file__).parent / "tus_server"


@frozen
class RunningTus(Running):
    server: ServerProcess
    port: int
    folder: Path

    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        headers = [
            "Tus-Resumable: 1.0.0",
            f"Upload-Length: {archive.size_bytes}",
            "Content-Type: application/offset+octet-stream",
        ]
        sending = ["--request", "POST", "--upload-file", str(archive.path), "--dump-header", "-"]
        options = [word for header in headers for word in ("--header", header)]
        return [*CURL, *sending, *options, f"http://127.0.0.1:{self.port}/files?{name}"]

    def accepts(self, answer: Answer, archive: Archive) -> bool:
        return answer.status == 201 and _header(answer, "Upload-Offset") == str(archive.size_bytes)

    def stored(self, name: str, answer: Answer) -> Path:
        del name
        location = _header(answer, "Location") or ""
        return self.folder / location.rpartition("/")[2]


@frozen
class Tus(Contestant):
    """*folder* is where its modules are installed."""

    folder: Path
    title: str = "@tus/server"

    def missing(self) -> str | None:
        if not shutil.which("node") or not shutil.which("npm"):
            return "not installed: apt install nodejs npm"
        wanted = (_HERE / "package.json").read_text()
        mark = self.folder / "installed.json"
        if not mark.exists() or mark.read_text() != wanted:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(_HERE / "package.json", self.folder)
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--omit=dev"], cwd=self.folder, capture_output=True
            )
            if done.returncode != 0:
                return f"not installed: npm install failed ({done.stderr.decode(errors='replace')[-200:].strip()})"
            mark.write_text(wanted)
        shutil.copy(_HERE / "server.js", self.folder)
        return None

    def version(self) -> str:
        packages = json.loads((_HERE / "package.json").read_text())["dependencies"]
        node = run_timed(["node", "--version"]).output.strip()
        return ", ".join(f"{name} {number}" for name, number in packages.items()) + f", node {node}"

    @contextmanager
    def start(self, folder: Path) -> Iterator[RunningTus]:
        port = free_port()
        files = folder / "files"
        files.mkdir()
        command = ["node", str(self.folder / "server.js"), str(port), str(files)]
        with serving(command, ready=lambda: accepts(port), log=folder / "server.log") as server:
            yield RunningTus(server, port, files)


def _header(answer: Answer, name: str) -> str | None:
    for line in reversed(answer.body.splitlines()):
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() == name.lower():
            return value.strip()
    return None
