"""
The client as a contestant: the installed ``tarkeep`` of this interpreter, started as a user would.

Every run has a memory of its own that is empty at first, so that no digest is known from an earlier one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from .contestants import WrongAnswer
from .processes import Finished, run_timed
from .tarkeep_server import PROFILE


@frozen
class Client:
    """A client of the server at *url*, with its memory below *folder*."""

    url: str
    folder: Path

    def push(self, *arguments: str | Path, jobs: int | None = None) -> Sequence[str]:
        """The command that pushes; *arguments* are files or ``--all --backup-dir DIR``."""
        more = ["--jobs", str(jobs)] if jobs is not None else []
        return [*_TARKEEP, "push", PROFILE, *map(str, arguments), *more, "--server", self.url, "--json"]

    def pull(self, name: str, into: Path) -> Sequence[str]:
        """The command that fetches *name* into the folder *into*."""
        return [*_TARKEEP, "pull", PROFILE, name, "--into", str(into), "--server", self.url, "--json"]

    def run(self, command: Sequence[str], *, measuring_memory: bool = False, source: Path | None = None) -> Finished:
        """
        Run *command*; with *measuring_memory* its output ends with a line that is its peak in KiB.

        *source* is its standard input.

        Raises:
            CannotRun: its exit code is not 0.
        """
        if measuring_memory:
            command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("peak.py")), *command]
        return run_timed(command, environment=self.environment(), source=source).succeeded(command)

    def environment(self) -> dict[str, str]:
        """Folders of its own, and bytecode of its modules kept, as it is where the package is installed."""
        state = self.folder / "client"
        return {
            "XDG_STATE_HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
            "PYTHONDONTWRITEBYTECODE": "",
        }


_TARKEEP = (sys.executable, "-m", "tarkeep")


def check_summary(output: str, sent: int) -> None:
    """
    Check the last line of ``push --json``.

    Raises:
        WrongAnswer: it does not say that *sent* archives were sent.
    """
    summary = json.loads(output.splitlines()[-1])
    if not summary.get("summary") or summary.get("sent") != sent:
        raise WrongAnswer(f"push says {summary}")
