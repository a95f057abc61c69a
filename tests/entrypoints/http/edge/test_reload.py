"""SIGHUP: certificate, rules and tokens are reloaded; invalid files change nothing, and never end the server."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from attrs import define

from tarkeep.adapters.process.openssl_certificate import self_signed_certificate
from tests.support.archives import make_targz
from tests.support.server import LiveServer, live_server

CERTIFICATE, KEY = "tarkeep-certificate.pem", "tarkeep-key.pem"


@define
class Reloaded:
    """A server over TLS whose files a test changes."""

    server: LiveServer
    folder: Path

    def hang_up(self) -> list[str]:
        """The log after a SIGHUP, up to the line about what is in use now."""
        before = len(self.lines())
        self.server.process.send_signal(signal.SIGHUP)
        return self.wait_for(" INFO reloaded ", before)

    def wait_for(self, word: str, before: int) -> list[str]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.server.process.poll() is None:
            lines = [line for line in self.lines()[before:] if "reloaded" in line]
            if any(word in line for line in lines):
                return lines
        raise AssertionError(self.server.log.read_text())

    def lines(self) -> list[str]:
        return [line for line in self.server.log.read_text().split("\n")[:-1] if " request " not in line]

    def fingerprint(self) -> str:
        """The fingerprint of the certificate that a new connection gets."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(self.server.host_and_port) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest().upper()

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.server.url, trust_env=False, timeout=60, verify=False)

    def put(self, client: httpx2.Client, name: str) -> int:
        return client.put(f"/api/v1/profiles/p/archives/FULL/{name}", content=make_targz({name: b"x"})).status_code


def renew(folder: Path, name: str) -> str:
    """Put another certificate with its key in place; returns its fingerprint."""
    (folder / name).mkdir()
    made = self_signed_certificate(["localhost"], folder / name, 9)
    shutil.copy(made.certificate, folder / CERTIFICATE)
    shutil.copy(made.key, folder / KEY)
    return made.fingerprint.replace(":", "")


@pytest.fixture
def reloaded(tmp_path: Path) -> Iterator[Reloaded]:
    renew(tmp_path, "first")
    options = ("--tls-certificate", str(tmp_path / CERTIFICATE), "--tls-key", str(tmp_path / KEY))
    with live_server(tmp_path / "data", *options) as server:
        yield Reloaded(server, tmp_path)


def test_a_renewed_certificate_is_shown_to_whoever_connects(reloaded: Reloaded) -> None:
    """Existing connections go on, and an upload under way ends well."""
    before = reloaded.fingerprint()
    with reloaded.client() as client:
        assert client.get("/list").status_code == 200
        fingerprint = renew(reloaded.folder, "second")
        assert reloaded.fingerprint() == before

        (line,) = reloaded.hang_up()

        assert fingerprint in line
        assert reloaded.fingerprint() == fingerprint != before
        assert client.get("/list").status_code == 200


@pytest.mark.parametrize("spoilt", ["certificate", "key", "neither's", "gone", "a directory"])
def test_a_certificate_of_no_use_leaves_the_one_before(reloaded: Reloaded, spoilt: str) -> None:
    """Logged in one line, with the reason; the next valid one is accepted."""
    before = reloaded.fingerprint()
    certificate, key = reloaded.folder / CERTIFICATE, reloaded.folder / KEY
    match spoilt:
        case "certificate":
            certificate.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
        case "key":
            key.write_text("")
        case "neither's":
            (reloaded.folder / "other").mkdir()
            shutil.copy(self_signed_certificate(["x"], reloaded.folder / "other", 9).key, key)
        case "gone":
            certificate.unlink()
        case _:
            certificate.unlink()
            certificate.mkdir()

    lines = reloaded.hang_up()

    assert [line.split()[1:4] for line in lines] == [["ERROR", "not", "reloaded"], ["INFO", "reloaded", "rules=0"]]
    assert "what=certificate" in lines[0]
    assert str(reloaded.folder) in lines[0]
    assert reloaded.fingerprint() == before
    if certificate.is_dir():
        certificate.rmdir()
    fingerprint = renew(reloaded.folder, "good")
    reloaded.hang_up()
    assert reloaded.fingerprint() == fingerprint


def test_rules_are_read_anew(reloaded: Reloaded) -> None:
    """They apply to later requests; invalid rules leave the former ones in use, and so does an unreadable file."""
    rules = reloaded.server.data / "profiles.toml"
    with reloaded.client() as client:
        assert reloaded.put(client, "a.tar.gz") == 201
        rules.write_text('["p"]\nmax_archives = 1\n')
        assert reloaded.put(client, "b.tar.gz") == 201

        assert "rules=1" in reloaded.hang_up()[0]
        assert reloaded.put(client, "c.tar.gz") == 507
        for bad in ("[", '["p"]\nmax_archive = 9\n', '["p"]\ntime_zone = "Mars/Olympus"\n', "\udcff"):
            rules.write_bytes(bad.encode(errors="surrogateescape"))
            refused, _ = reloaded.hang_up()
            assert "ERROR not reloaded what=rules" in refused.partition(" ")[2]
            assert reloaded.put(client, "c.tar.gz") == 507
        rules.write_text('["p"]\nmax_archives = 9\n')
        reloaded.hang_up()
        assert reloaded.put(client, "c.tar.gz") == 201


def test_tokens_are_looked_at(reloaded: Reloaded) -> None:
    """They take effect with the next request in any case; the log says that nobody is let in."""
    command = [sys.executable, "-m", "tarkeep", "token", "create", "--data", str(reloaded.server.data)]
    scope = ["--scope", "list", "--profile", "*"]
    made = subprocess.run([*command, *scope], capture_output=True, text=True, check=True)
    assert "tokens=1" in reloaded.hang_up()[0]
    (reloaded.server.data / "tokens.json").write_text("{")

    lines = reloaded.hang_up()

    assert 'what=tokens reason="the token file is not available' in lines[0]
    assert "nobody is let in" in lines[0]
    with reloaded.client() as client:
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert client.get("/list", headers=headers).status_code == 503


@pytest.mark.parametrize("steps", range(12))
def test_a_signal_before_anything_is_said_ends_no_server(tmp_path: Path, steps: int) -> None:
    """From the moment in which its own code first runs, at several later ones, and any number of them."""
    command = [sys.executable, "-c", _SERVE.format(steps=steps), "serve", "--port", "0", "--data", str(tmp_path / "d")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    log = tmp_path / "log"
    with log.open("w") as stream, subprocess.Popen(command, stderr=stream, env=clean) as process:
        try:
            while " serving " not in log.read_text():
                assert process.poll() is None, (process.returncode, log.read_text())
        finally:
            process.terminate()


@pytest.mark.parametrize("steps", [0, 3])
def test_a_signal_ends_every_other_command(tmp_path: Path, steps: int) -> None:
    """Even one that arrives before the command is known."""
    command = [sys.executable, "-c", _SERVE.format(steps=steps), "list", "p", "--server", "http://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, cwd=tmp_path)

    assert done.returncode == -signal.SIGHUP


# The moments are imports: a signal arrives at every so many of those that begin once the command does.
_SERVE = """
import builtins, itertools, os, signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from tarkeep.entrypoints.cli import main
usual, count = builtins.__import__, itertools.count()
def importing(*names, **more):
    if next(count) == {steps} * 150 + 2:
        os.kill(os.getpid(), signal.SIGHUP)
    return usual(*names, **more)
builtins.__import__ = importing
main()
"""


def test_no_number_of_signals_ends_the_server(tmp_path: Path) -> None:
    """From its start, while it serves, and while it ends."""
    rules = tmp_path / "data" / "profiles.toml"
    with starting(tmp_path) as process:
        log = tmp_path / "log"
        while " serving " not in log.read_text():
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGHUP)
        for number in range(300):
            if number == 100:
                rules.write_text("[")
            process.send_signal(signal.SIGHUP)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)

    assert process.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@contextmanager
def starting(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process that a test may signal, once it has logged a line."""
    command = [sys.executable, "-m", "tarkeep", "serve", "--port", "0", "--data", str(folder / "data")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, env=clean) as process:
        try:
            while "opened" not in (folder / "log").read_text():
                assert process.poll() is None
            yield process
        finally:
            process.kill()
