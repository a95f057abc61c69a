"""Servers that cannot be reached, or not in the way that their address says: told soon, in words, and once."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.listening import listening
from tests.support.machine import Machine
from tests.support.server import LiveServer, live_server
from tests.support.stub_server import Answer, stub_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    home = tmp_path_factory.mktemp("certificate")
    made = Machine(home, "").run("tls", "self-signed", "127.0.0.1")
    assert made.returncode == 0, made.stderr
    return home / "tarkeep-certificate.pem", home / "tarkeep-key.pem"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[LiveServer]:
    """A server that speaks https."""
    options = ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1])]
    with live_server(tmp_path_factory.mktemp("secured") / "data", *options) as server:
        yield server


def test_http_to_a_server_that_speaks_https_is_told(machine: Machine, secured: LiveServer) -> None:
    """With what the address should be; trying again would not help."""
    url = secured.url.replace("https://", "http://")
    ran = machine.run("stats", "--server", url)

    assert ran.returncode == 2
    assert ran.stderr == f"tarkeep: setting server: {url} speaks https, not http; its address begins with https://\n"


@contextmanager
def proxy_with_a_page(context: ssl.SSLContext) -> Iterator[str]:
    """What nginx does on a port of https: a handshake to whoever begins one, a page with 400 to everybody else."""
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                context.wrap_socket(connection, server_side=True).close()
            else:
                connection.recv(65536)
                connection.sendall(page)

    with listening(answer) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_proxy_that_answers_http_on_its_port_of_https_is_told(
    machine: Machine, certificate: tuple[Path, Path]
) -> None:
    """It is tried whether it speaks https; its page is not for people who read one line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with proxy_with_a_page(context) as url:
        ran = machine.run("stats", "--server", url)

    assert ran.returncode == 2
    assert f"{url} speaks https, not http" in ran.stderr


def test_https_to_a_server_that_speaks_http_is_told(machine: Machine, live: LiveServer) -> None:
    """The other way round."""
    url = live.url.replace("http://", "https://")
    ran = machine.run("stats", "--server", url)

    assert ran.returncode == 2
    assert f"{url} does not speak https, but http; without TLS its address begins with http://" in ran.stderr
    assert "again in" not in ran.stderr


def test_another_tls_server_on_the_port_is_told_alike(machine: Machine, certificate: tuple[Path, Path]) -> None:
    """Whatever it does with a line that is no TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with stub_server(Answer(200), context) as stub:
        ran = machine.run("stats", "--server", stub.url.replace("https://", "http://"))

    assert ran.returncode == 2
    assert "speaks https, not http" in ran.stderr


@pytest.mark.parametrize("options", [[], ["--retries", "100"]])
def test_a_server_that_is_not_there_is_given_up_soon(machine: Machine, options: list[str]) -> None:
    """Without being told to wait, whatever the retries; 14, and what would wait."""
    ran = machine.run("stats", "--server", "http://127.0.0.1:1", *options)

    assert ran.returncode == 14
    assert "no answer from http://127.0.0.1:1: Connection refused" in ran.stderr
    assert "--wait waits for it" in ran.stderr


def test_a_server_that_is_waited_for_may_come(machine: Machine) -> None:
    """A machine that makes its backups while it starts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        waiting = machine.begin("stats", "--server", url, "--wait")
        assert waiting.stderr is not None
        assert "Connection refused; again in" in waiting.stderr.readline()
        listener.listen()
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"profiles": []}')
            out, _ = waiting.communicate(timeout=60)

    assert (waiting.returncode, out) == (0, "0 archives, 0.0 B\n")


def test_every_address_that_can_be_none_ends_at_once(machine: Machine) -> None:
    """2, before anything is asked, and without the password."""
    for url in (
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://",
        "http://laptop:s3/cret@127.0.0.1:1",
        "s3cret@backup",
    ):
        ran = machine.run("push", "laptop", "--all", environment={"SERVER_URL": url})

        assert ran.returncode == 2, url
        assert ran.stderr.startswith("tarkeep: setting server: "), url
        assert ran.stderr.count("\n") == 1
        assert "cret" not in ran.stderr


def test_an_interrupt_while_the_command_starts_is_one_line(machine: Machine) -> None:
    """Nothing was done, and that is said; a traceback of imports would say nothing."""
    held = "import sys, os, signal; sys.argv = ['tarkeep', 'list']\n"
    hook = (
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'tarkeep.entrypoints.cli.main': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from tarkeep.entrypoints.cli import main; main()\n"
    )
    ran = subprocess.run(
        [machine.command[0], "-c", held + hook], env=machine.environment(), capture_output=True, text=True, timeout=60
    )

    assert (ran.returncode, ran.stdout) == (130, "")
    assert ran.stderr == "tarkeep: interrupted before anything was done; run the same command again\n"
