"""
Servers for tests: a real one in its own process, and one in this process over any adapters.

`LiveServer` is what users run: ``python -m tarkeep serve`` on a free port with its own data directory.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import httpx2
from attrs import define
from starlette.testclient import TestClient

from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep

_SERVING = re.compile(r"serving\s+url=(https?://\S+)")


@define
class LiveServer:
    """A running server. *url* has no slash at its end; *log* is the file its standard error goes to."""

    url: str
    data: Path
    log: Path
    process: subprocess.Popen[str]

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.url.partition("//")[2].rpartition(":")
        return host, int(port)

    def client(self) -> httpx2.Client:
        """A client that ignores proxies in the environment; close it."""
        return httpx2.Client(base_url=self.url, trust_env=False, timeout=60)

    def stop(self) -> int:
        """Send SIGTERM, and wait for the end. Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait(60)


@contextmanager
def live_server(
    data: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    cwd: Path | None = None,
    port: int = 0,
) -> Iterator[LiveServer]:
    """
    A server on *port* of 127.0.0.1, by default a free one, over the data directory *data*, stopped at the end if it
    still runs.

    It keeps no space free on the disk, so that tests run on small and on full disks.

    *options* are more options of ``tarkeep serve``; *prefix* is a command to run it under, such as strace.
    """
    log = data.with_name(f"{data.name}.log")
    command = [*prefix, sys.executable, "-m", "tarkeep", "serve", "--port", str(port), "--data", str(data), *options]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    with log.open("a") as stream, log.open() as lines:
        lines.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            text=True,
            env={**clean, "TARKEEP_RESERVE_BYTES": "0", **(environment or {})},
            cwd=cwd or data.parent,
        )
        try:
            yield LiveServer(_wait_for_url(process, lines), data, log, process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait_for_url(process: subprocess.Popen[str], lines: IO[str]) -> str:
    seen = ""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen += lines.read()
        match = _SERVING.search(seen)
        if match and "\n" in seen[match.end() :]:
            return match[1]
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}:\n{seen}{lines.read()}")
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"the server did not say where it serves:\n{seen}")


@contextmanager
def in_process(
    storage: StorageSettings, server: ServerSettings | None = None, *, address: str = "testclient"
) -> Iterator[tuple[TestClient, Tarkeep]]:
    """
    The application in this process, over the adapters that *storage* names, with a client for it.

    *address* is the address that it sees for the client.
    """
    with (
        open_tarkeep(storage) as tarkeep,
        closing(create_app(tarkeep, server)) as app,
        TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, client=(address, 50000)) as client,
    ):
        yield client, tarkeep
