"""A PostgreSQL of the tests' own on 127.0.0.1, with a database for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import field, frozen

from tarkeep.adapters.sql.catalog import SqlCatalog
from tests.support.require import require

_OWNER = "postgres"
_PATIENCE_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@frozen
class Postgres:
    """A running server; *template* is a database with the catalog's tables."""

    port: int
    template: str = "tarkeep_template"
    _numbers: Iterator[int] = field(factory=itertools.count)

    def url(self, database: str) -> str:
        """Where *database* is."""
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new database with the catalog's tables, which are empty."""
        name = f"catalog_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run *statement* as the owner of the server."""
        import psycopg  # only these tests need it

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that is stopped and removed at the end; the test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    require("postgresql", programs is not None, "apt install postgresql")
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=os.environ.get("TMPDIR")))
    acting: dict[str, str | list[str]] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, _OWNER, _OWNER)
        acting = {"user": _OWNER, "group": _OWNER, "extra_groups": []}
    data = folder / "data"
    try:
        made = [programs / "initdb", "-D", data, "-U", _OWNER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, **acting)  # type: ignore[call-overload]
        port = _free_port()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(  # type: ignore[call-overload]
                [programs / "postgres", "-D", data, "-p", str(port), *settings],
                cwd=folder,
                stdout=log,
                stderr=log,
                **acting,
            )
        try:
            postgres = Postgres(port)
            _wait_for(postgres, server, folder / "log")
            postgres.execute(f"CREATE DATABASE {postgres.template}")
            SqlCatalog.open(postgres.url(postgres.template)).close()
            yield postgres
        finally:
            server.send_signal(signal.SIGINT)  # ends its connections, and stops
            server.wait()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Where the newest PostgreSQL of this machine has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3].zfill(3))
    return found[-1].parent if found else None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(postgres: Postgres, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with suppress(Exception):
            postgres.execute("SELECT 1")
            return
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
