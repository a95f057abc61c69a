"""
`systemctl`, as far as a page uses it, without systemd: ``python -m tests.support.played_systemd HOME VERB UNIT...``.

A service runs as its unit in ``HOME/systemd`` says: command, variables and the file with them, for the instance behind
the @; what the unit confines is compared with a trace elsewhere. ``reload nginx`` starts an nginx with the files of
``HOME/nginx``. ``HOME/instead.json`` maps places and ports of the files to those of the test. What a unit prints is in
``HOME/run``, beside the number of its process.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

_PATIENCE_SECONDS = 60


@frozen
class PlayedSystemd:
    """The services of a test, below *home*."""

    home: Path
    _begun: dict[str, subprocess.Popen[bytes]] = field(factory=dict, init=False)  # by this process

    @classmethod
    def made(cls, home: Path, instead: Mapping[str, str]) -> PlayedSystemd:
        """One with no service running."""
        for name in ("systemd", "nginx", "run"):
            (home / name).mkdir()
        (home / "instead.json").write_text(json.dumps(dict(instead)))
        return cls(home)

    @property
    def command(self) -> str:
        """A bash script that plays `systemctl`."""
        root = Path(__file__).parents[2]
        return f'PYTHONPATH={root} exec {sys.executable} -m tests.support.played_systemd {self.home} "$@"'

    def do(self, verb: str, *units: str) -> None:
        """What ``systemctl VERB UNIT...`` does."""
        for unit in units:
            if unit in ("--now", "--quiet"):
                continue
            if verb in ("stop", "restart"):
                self.stop(unit)
            if unit == "nginx":
                self.run(unit, self._nginx(), {})
            elif verb in ("start", "restart", "enable"):
                self.run(unit, *self._service(unit))

    def stop(self, unit: str) -> None:
        """End *unit*, if it runs."""
        note = self.home / "run" / f"{unit}.pid"
        if not note.exists():
            return
        process = int(note.read_text())
        note.unlink()
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGTERM)  # one that strace runs, too
        until = time.monotonic() + _PATIENCE_SECONDS
        while _runs(process):
            assert time.monotonic() < until, f"{unit} does not end"
            time.sleep(0.05)
        if unit in self._begun:
            self._begun.pop(unit).wait()

    def stop_all(self) -> None:
        """End whatever runs."""
        for note in (self.home / "run").glob("*.pid"):
            self.stop(note.stem)

    def told(self) -> str:
        """What the units have printed."""
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted((self.home / "run").glob("*.log")))

    def lines(self, unit: str) -> Iterator[dict[str, Any]]:
        """What *unit* has logged as JSON."""
        for line in (self.home / "run" / f"{unit}.log").read_text().splitlines():
            with suppress(ValueError):
                yield json.loads(line)

    def run(self, unit: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run *command* as *unit*, unless it runs already."""
        note = self.home / "run" / f"{unit}.pid"
        if note.exists():
            return
        with note.with_suffix(".log").open("ab") as log:
            process = self._begun[unit] = subprocess.Popen(
                ["setsid", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin", **environment},
            )
        note.write_text(str(process.pid))

    def _service(self, unit: str) -> tuple[list[str], dict[str, str]]:
        name, at, instance = unit.partition("@")
        text = self.here((self.home / "systemd" / f"{name}{at}.service").read_text().replace("%i", instance))
        environment: dict[str, str] = {}
        for file in re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE):
            environment |= dict(line.split("=", 1) for line in Path(file).read_text().splitlines() if line)
        for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE):
            environment |= dict(word.split("=", 1) for word in shlex.split(line))
        (start,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        return shlex.split(start), environment

    def _nginx(self) -> list[str]:
        sites = "".join(self.here(file.read_text()) for file in sorted((self.home / "nginx").glob("*.conf")))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self.home}/{kind}_temp;\n" for kind in kinds)
        whole = self.home / "run" / "nginx.conf"
        whole.write_text(
            f"daemon off; master_process off; pid {self.home}/run/of-nginx; error_log stderr notice;\n"
            f"events {{}}\nhttp {{ access_log off;\n{temporary}{sites}}}\n"
        )
        return ["nginx", "-p", str(self.home), "-c", str(whole), "-e", "stderr"]

    def here(self, text: str) -> str:
        """*text* with the places and ports of this test."""
        instead: dict[str, str] = json.loads((self.home / "instead.json").read_text())
        there = "|".join(map(re.escape, sorted(instead, key=len, reverse=True)))
        return re.sub(there, lambda match: instead[match[0]], text)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    PlayedSystemd(Path(sys.argv[1])).do(*sys.argv[2:])
