"""Odd environments for the command line: some always, 500 of them with FUZZ_SECONDS in the environment."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fuzz.environments import World, drawn, faults, furnish
from tests.support.machine import store
from tests.support.require import require
from tests.support.server import live_server

DRAWS = 500 if int(os.environ.get("FUZZ_SECONDS", "0")) >= 60 else 64 if "FUZZ_SECONDS" in os.environ else 32


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    furnish(folder / "first")
    with live_server(folder / "data") as server, speaking_tls(folder / "tls") as tls_url:
        content = (folder / "first" / "backups" / "FULL" / "full_1.tar.gz").read_bytes()
        store(server, "laptop", "FULL", "full_1.tar.gz", content)
        yield World(folder, server.url, tls_url)


@contextmanager
def speaking_tls(folder: Path) -> Iterator[str]:
    """The address of a server that completes a TLS handshake, and then disconnects."""
    made = subprocess.run(
        [sys.executable, "-m", "tarkeep", "tls", "self-signed", "127.0.0.1", "--into", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    require("openssl", "openssl was not found" not in made.stderr, "install openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tarkeep-certificate.pem", folder / "tarkeep-key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # closed: the tests are over
                    return
                with suppress(OSError):
                    connection.settimeout(5)
                    context.wrap_socket(connection, server_side=True).close()
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("number", range(DRAWS))
def test_no_environment_breaks_a_command(world: World, tmp_path: Path, number: int) -> None:
    """It ends by itself, with a documented exit code, without a traceback and without revealing a secret."""
    home = tmp_path / "home"
    furnish(home)
    environment = drawn(number, world, home)

    assert faults(environment, home) == [], str(environment)
