"""A PostgreSQL of the tests' own on 127.0.0.1, and pgbouncer before it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.schema import METADATA
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
    _made: set[str] = field(factory=set)

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

    def emptied(self, database: str) -> str:
        """The URL of *database*, with the catalog's tables and nothing in them; quicker than a new one."""
        if database not in self._made:
            self.execute(f"CREATE DATABASE {database} TEMPLATE {self.template}")
            self._made.add(database)
        else:
            self.execute(f"TRUNCATE {', '.join(sorted(METADATA.tables))} RESTART IDENTITY", database)
        return self.url(database)

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
    with _folder() as folder:
        data = folder / "data"
        made: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            _OWNER,
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, **_acting())
        port = free_port()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with _started([programs / "postgres", "-D", data, "-p", str(port), *settings], port, folder) as postgres:
            postgres.execute(f"CREATE DATABASE {postgres.template}")
            SqlCatalog.open(postgres.url(postgres.template)).close()
            yield postgres


@contextmanager
def running_pgbouncer(postgres: Postgres) -> Iterator[int]:
    """
    The port of a pgbouncer that gives each transaction a connection to *postgres*; skipped where it is not installed.
    """
    program = shutil.which("pgbouncer")
    require("pgbouncer", program is not None, "apt install pgbouncer")
    assert program is not None
    port = free_port()
    with _folder() as folder:
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port} user={_OWNER}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 20\n"
        )
        with _started([program, settings], port, folder):
            yield port


def _acting() -> dict[str, Any]:
    """Neither program runs as root: then both act as the user whom Debian's package makes."""
    return {} if os.geteuid() else {"user": _OWNER, "group": _OWNER, "extra_groups": []}


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=os.environ.get("TMPDIR")))
    if os.geteuid() == 0:
        shutil.chown(folder, _OWNER, _OWNER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(command: Sequence[str | Path], port: int, folder: Path) -> Iterator[Postgres]:
    """Run *command* until the end; it speaks the protocol of PostgreSQL on *port*."""
    command = ["setpriv", "--pdeathsig", "KILL", *command]  # nothing is left if this process is killed
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **_acting())
    try:
        postgres, until = Postgres(port), time.monotonic() + _PATIENCE_SECONDS
        while not _answers(postgres):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        yield postgres
    finally:
        server.send_signal(signal.SIGINT)  # ends its connections, and stops
        server.wait()


def _answers(postgres: Postgres) -> bool:
    import psycopg

    try:
        postgres.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _programs() -> Path | None:
    """Where the newest PostgreSQL of this machine has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3].zfill(3))
    return found[-1].parent if found else None


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
