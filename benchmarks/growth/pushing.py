"""The client's cost of ``tarkeep push --all`` if the server has all archives, by their number."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ..ask import is_ready
from ..contestants import WrongAnswer
from ..corpus import tiny_archive
from ..population import archive_rows, with_archives
from ..processes import free_port, serving
from ..tarkeep_client import Client
from ..tarkeep_server import PROFILE, serve_command, settings
from .measure import Measure, made


def _pushing_all(folder: Path, size: int) -> float:
    data = with_archives(folder, {PROFILE: size}, tiny_archive(folder / "corpus"))
    local = made(folder / f"local-{size}", lambda place: _lay(place, size, folder))
    port = free_port()
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="pushing-") as scratch,
        serving(
            serve_command(port, data),
            ready=lambda: is_ready(port, "/readyz"),
            log=Path(scratch) / "server.log",
            environment=settings(),
        ),
    ):
        # Beside the archives, so that later runs know what the first one has read.
        client = Client(f"http://127.0.0.1:{port}", local)
        command = client.push("--all", "--backup-dir", local / "archives")
        finished = client.run(command)
        summary = json.loads(finished.output.splitlines()[-1])
        if summary.get("already-there") != size:
            raise WrongAnswer(f"push says {summary}")
        return finished.cpu_seconds


def _lay(place: Path, count: int, folder: Path) -> None:
    """The same archives as on the server, in a backup directory; they are read by one run."""
    content = tiny_archive(folder / "corpus").path.read_bytes()
    for row in archive_rows({PROFILE: count}):
        file = place / "archives" / row.id.type.value / row.id.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


MEASURES = (Measure("push --all of what is stored", "archives", (1_000, 10_000, 100_000), _pushing_all),)
