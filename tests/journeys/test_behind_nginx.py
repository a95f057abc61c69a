"""The nginx configuration of docs/clients.md, run as it stands there but for ports and paths."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.archives import digests_of, make_targz
from tests.support.require import require
from tests.support.server import LiveServer, live_server

DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
LARGE = make_targz({"large.bin": os.urandom(30 << 20)})


@frozen
class Proxied:
    """A server and the nginx before it; *url* is nginx's, with the login in it."""

    server: LiveServer
    url: str
    folder: Path

    def curl(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = ["curl", "-sS", "--insecure", "--noproxy", "*", "-w", "\n%{http_code}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60, cwd=self.folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def made_certificate(folder: Path) -> None:
    subject = ["-subj", "/CN=backup.example", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    files = ["-keyout", str(folder / "backup.example.key"), "-out", str(folder / "backup.example.pem")]
    subprocess.run(["openssl", "req", "-x509", *subject, *files], check=True, capture_output=True)


def configuration(folder: Path, port: int, server: LiveServer) -> str:
    (site,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for there, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:5000", server.url),
        ("/etc/ssl", str(folder)),
        ("/etc/nginx", str(folder)),
    ):
        assert there in site
        site = site.replace(there, here)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind}_temp;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log notice;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}}}\n"
    )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    require("nginx", NGINX is not None and shutil.which("openssl") is not None, "apt install nginx-light openssl")
    assert NGINX is not None
    folder = tmp_path_factory.mktemp("nginx")
    made_certificate(folder)
    (folder / "backup.htpasswd").write_text("laptop:{PLAIN}secret\n")
    port = free_port()
    with live_server(folder / "data", "--max-upload-bytes", "40M") as server:
        (folder / "nginx.conf").write_text(configuration(folder, port, server))
        log = folder / "nginx.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")],
                stdout=stream,
                stderr=stream,
            )
        try:
            running = Proxied(server, f"https://laptop:secret@127.0.0.1:{port}", folder)
            waited = running.curl(
                "--retry", "20", "--retry-delay", "1", "--retry-connrefused", f"{running.url}/healthz"
            )
            assert waited.stdout.endswith(b"200"), (waited, log.read_text(), (folder / "error.log").read_text())
            yield running
        finally:
            process.terminate()
            process.wait(30)


def test_without_the_login_nobody_comes_in(proxied: Proxied) -> None:
    """The proxy is the wall that the server does not have yet."""
    answer = proxied.curl(proxied.url.replace("laptop:secret@", "") + "/list")

    assert answer.stdout.endswith(b"401")


@pytest.mark.parametrize("way", ["form", "put", "piped"])
def test_uploads_pass_through_and_come_back(proxied: Proxied, way: str) -> None:
    """A form, a body of known length and one of unknown length, each far beyond nginx's own limit and buffers."""
    (proxied.folder / f"{way}.tar.gz").write_bytes(LARGE)
    address = f"{proxied.url}/api/v1/profiles/{way}/archives/FULL/{way}.tar.gz"
    if way == "form":
        sent = proxied.curl("-F", f"file=@{way}.tar.gz", "-F", f"profile={way}", f"{proxied.url}/upload")
    elif way == "put":
        sent = proxied.curl("-T", f"{way}.tar.gz", address)
    else:
        sent = proxied.curl("-T", "-", address, stdin=LARGE)

    back = subprocess.run(["curl", "-sS", "--insecure", "--noproxy", "*", address], capture_output=True, check=True)

    assert sent.stdout.endswith(b"201"), sent
    assert digests_of(LARGE).sha256.encode() in sent.stdout
    assert back.stdout == LARGE


def test_nothing_is_stored_on_the_way(proxied: Proxied) -> None:
    """nginx passes bodies on as they come; its own folder for bodies stays empty."""
    proxied.curl("-T", "-", f"{proxied.url}/api/v1/profiles/way/archives/FULL/a.tar.gz", stdin=LARGE)

    assert list((proxied.folder / "client_body_temp").iterdir()) == []
    assert "a client request body is buffered" not in (proxied.folder / "error.log").read_text()


def test_a_refusal_comes_through(proxied: Proxied) -> None:
    """The server's own words reach the client, also while it is still sending."""
    content = b"this is no gzip at all " * 2_000_000

    answer = proxied.curl("-T", "-", f"{proxied.url}/api/v1/profiles/p/archives/FULL/no.tar.gz", stdin=content)

    assert answer.stdout.endswith(b"422"), answer
    assert b'"code":"not-a-gzip"' in answer.stdout
