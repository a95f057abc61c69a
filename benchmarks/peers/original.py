"""
The original: a small Flask application under gunicorn that saves an upload and computes its MD5.

Installed on demand into a virtual environment of its own, so that none of it can reach Tarkeep's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ..ask import is_ready
from ..contestants import CURL, Answer, Contestant, Running
from ..corpus import Archive
from ..processes import ServerProcess, free_port, serving

_HERE = Path(__file__).parent / "flask_original"
_REQUIREMENTS = _HERE / "requirements.txt"


@frozen
class RunningOriginal(Running):
    server: ServerProcess
    port: int
    folder: Path

    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        file = f"file=@{archive.path};filename={name}"
        return [*CURL, "--form", "type=FULL", "--form", file, f"http://127.0.0.1:{self.port}/upload"]

    def accepts(self, answer: Answer, archive: Archive) -> bool:
        return answer.status == 201 and json.loads(answer.body)["md5"] == archive.md5

    def stored(self, name: str, answer: Answer) -> Path:
        del answer
        return self.folder / "FULL" / name


@frozen
class Original(Contestant):
    """*environment* is the folder of the virtual environment."""

    environment: Path
    title: str = "the original (Flask, gunicorn)"

    def missing(self) -> str | None:
        mark = self.environment / "installed.txt"
        if mark.exists() and mark.read_text() == _REQUIREMENTS.read_text():
            return None
        try:
            subprocess.run(
                [sys.executable, "-m", "venv", "--clear", str(self.environment)], check=True, capture_output=True
            )
            pip = [
                str(self.environment / "bin/python"),
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
            ]
            subprocess.run([*pip, "--requirement", str(_REQUIREMENTS)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", b"") or str(error).encode()
            return f"not installed: needs the venv module and a package index ({reason.decode()[-200:].strip()})"
        mark.write_text(_REQUIREMENTS.read_text())
        return None

    def version(self) -> str:
        return _REQUIREMENTS.read_text().replace("==", " ").strip().replace("\n", ", ")

    @contextmanager
    def start(self, folder: Path) -> Iterator[RunningOriginal]:
        port = free_port()
        spool = folder / "tmp"
        spool.mkdir()
        command = [str(self.environment / "bin/python"), "-m", "gunicorn", "--workers", "2", "--timeout", "600"]
        command += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--chdir", str(_HERE), "app:app"]
        backups = folder / "backups"
        with serving(
            command,
            ready=lambda: is_ready(port, "/health"),
            log=folder / "server.log",
            # TMPDIR: Flask spools there, and all servers should use the same disk.
            environment={"BACKUP_DIR": str(backups), "TMPDIR": str(spool), "PYTHONDONTWRITEBYTECODE": "1"},
        ) as server:
            yield RunningOriginal(server, port, backups)
