"""The proxies of docs/clients.md, each run as documented except for ports and paths, with every kind of client."""

from __future__ import annotations

import gc
import itertools
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest
from attrs import evolve, frozen
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.support.archives import digests_of, make_targz
from tests.support.certificates import make_certificate
from tests.support.cutting_proxy import CuttingProxy
from tests.support.require import require
from tests.support.server import LiveServer, live_server

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "clients.md").read_text()
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
MIB = 1 << 20
ARCHIVE = make_targz({"noise": random.Random(4).randbytes(12 * MIB)})
LARGE = make_targz({"noise": random.Random(3).randbytes(30 * MIB)})
NAME = "été +1 (2)=.tar.gz"
KINDS = ("nginx", "nginx below a path", "caddy", "caddy below a path")

_profiles = (f"profile-{number}" for number in itertools.count(1))


@frozen
class Proxied:
    """A server and the proxy in front of it; *url* is the proxy's, with the login in it."""

    server: LiveServer
    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which every client trusts the proxy's certificate, and uses no other proxy."""
        certificate = str(self.folder / "backup.example.pem")
        names = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        return {"PATH": PATH, "HOME": str(self.folder), "NO_PROXY": "*", **dict.fromkeys(names, certificate)}

    def run(
        self, *command: str, stdin: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
            cwd=self.folder,
            env={**self.environment, **(more or {})},
        )

    def curl(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run curl. Its output ends with a line that holds the status."""
        return self.run("curl", "-sS", "-w", "\n%{http_code}", *arguments, stdin=stdin)

    def archive(self, profile: str, name: str = "full.tar.gz") -> str:
        return f"{self.url}/api/v1/profiles/{profile}/archives/FULL/{quote(name)}"

    def put_there(self, profile: str, content: bytes) -> None:
        """Store it directly, bypassing the proxy."""
        with self.server.client() as client:
            client.put(f"/api/v1/profiles/{profile}/archives/FULL/full.tar.gz", content=content).raise_for_status()

    def holds(self, profile: str, content: bytes, name: str = "full.tar.gz") -> bool:
        with self.server.client() as client:
            answer = client.get(f"/api/v1/profiles/{profile}/archives/FULL/{quote(name)}")
        return bool(answer.status_code == 200 and answer.content == content)

    @contextmanager
    def cut_after(self, *sizes: int) -> Iterator[tuple[Proxied, CuttingProxy]]:
        """The same over a line that breaks after that many bytes, once for each size."""
        address = urlsplit(self.url)
        assert address.hostname is not None
        assert address.port is not None
        with CuttingProxy((address.hostname, address.port), list(sizes)) as line:
            port = urlsplit(line.url).port
            yield evolve(self, url=self.url.replace(f":{address.port}", f":{port}")), line


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def documented(language: str, whole: str, *, below_a_path: bool) -> str:
    """The site in docs/clients.md; *whole* are the lines that those for a path replace there."""
    site, path = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert whole in site
    return str(site.replace(whole, path) if below_a_path else site)


def changed(site: str, *changes: tuple[str, str]) -> str:
    for there, here in changes:
        assert there in site
        site = site.replace(there, here)
    return site


def nginx(folder: Path, port: int, server: LiveServer, *, below_a_path: bool) -> list[str]:
    """The command that runs the documented nginx."""
    (folder / "backup.htpasswd").write_text("laptop:{PLAIN}secret\n")
    whole = "    location / {\n        proxy_pass http://127.0.0.1:5000;\n"
    site = changed(
        documented("nginx", whole, below_a_path=below_a_path),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:5000", server.url),
        ("/etc/ssl", str(folder)),
        ("/etc/nginx", str(folder)),
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind}_temp;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log notice;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy(folder: Path, port: int, server: LiveServer, *, below_a_path: bool) -> list[str]:
    """The command that runs the documented caddy."""
    hashed = subprocess.run(
        ["caddy", "hash-password", "--plaintext", "secret"], capture_output=True, check=True, text=True
    ).stdout.strip()
    whole = "    reverse_proxy 127.0.0.1:5000 {\n        header_up -Authorization\n    }\n"
    site = changed(
        documented("caddy", whole, below_a_path=below_a_path),
        ("backup.example {", f"https://127.0.0.1:{port} {{"),
        ("127.0.0.1:5000", server.url.removeprefix("http://")),
        ("/etc/ssl", str(folder)),
        ("HASH", hashed),
    )
    # without port 80 and the admin port, which other tests may use at the same time
    (folder / "Caddyfile").write_text(
        f"{{\n    admin off\n    auto_https disable_redirects\n    storage file_system {folder}/caddy\n}}\n{site}"
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(scope="module", params=KINDS)
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    name, _, rest = str(request.param).partition(" ")
    program, package = {"nginx": (nginx, "nginx-light"), "caddy": (caddy, "caddy")}[name]
    installed = shutil.which(name, path=PATH) is not None and shutil.which("openssl") is not None
    require(name, installed, f"apt install {package} openssl")
    folder = tmp_path_factory.mktemp("proxy")
    make_certificate(folder, "backup.example")
    port = free_port()
    with live_server(folder / "data", "--max-upload-bytes", "40M") as server:
        path = "/backup" if rest else ""
        running = Proxied(server, f"https://laptop:secret@127.0.0.1:{port}{path}", folder)
        command = program(folder, port, server, below_a_path=bool(rest))
        log = folder / "proxy.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder, env=running.environment)
        try:
            waited = running.curl(
                "--retry", "20", "--retry-delay", "1", "--retry-connrefused", f"{running.url}/healthz"
            )
            assert waited.stdout.endswith(b"200"), (waited, log.read_text())
            yield running
        finally:
            process.terminate()
            process.wait(30)
    shutil.rmtree(folder)  # hundreds of megabytes, which pytest would keep for three runs


@pytest.fixture
def profile() -> str:
    return next(_profiles)


def test_without_the_login_no_client_is_admitted(proxied: Proxied) -> None:
    """The proxy protects a server that has no tokens."""
    answer = proxied.curl(proxied.url.replace("laptop:secret@", "") + "/list")

    assert answer.stdout.endswith(b"401")


@pytest.mark.parametrize("way", ["form", "put", "piped"])
def test_uploads_pass_through_and_come_back(proxied: Proxied, profile: str, way: str) -> None:
    """A form, a body of known length and one of unknown length, each far above nginx's default limit and buffers."""
    (proxied.folder / NAME).write_bytes(ARCHIVE)
    address = proxied.archive(profile, NAME)
    if way == "form":
        sent = proxied.curl("-F", f"file=@{NAME}", "-F", f"profile={profile}", f"{proxied.url}/upload")
    elif way == "put":
        sent = proxied.curl("-T", NAME, address)
    else:
        sent = proxied.curl("-T", "-", address, stdin=ARCHIVE)

    back = proxied.run("curl", "-sS", address)

    assert sent.stdout.endswith(b"201"), sent
    assert digests_of(ARCHIVE).sha256.encode() in sent.stdout
    assert back.stdout == ARCHIVE
    assert proxied.holds(profile, ARCHIVE, NAME)


def test_bodies_are_passed_on_as_they_come(proxied: Proxied, profile: str) -> None:
    """The server has most of a body before the client has sent the rest of it."""
    command = ["curl", "-sS", "-w", "\n%{http_code}", "-T", "-", proxied.archive(profile)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=proxied.environment, cwd=proxied.folder
    ) as sending:
        assert sending.stdin is not None
        sending.stdin.write(LARGE[: 20 * MIB])
        sending.stdin.flush()
        arrived = waited_for_staged(proxied.server, 10 * MIB)
        out, _ = sending.communicate(LARGE[20 * MIB :], timeout=60)

    assert arrived
    assert out.endswith(b"201")


def waited_for_staged(server: LiveServer, size_bytes: int) -> bool:
    """Whether the staging area reaches that size."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        staged = [file for file in (server.data / "staging").rglob("*") if file.is_file()]
        if sum(file.stat().st_size for file in staged) >= size_bytes:
            return True
        try:
            server.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    return False


def test_a_refusal_comes_through(proxied: Proxied, profile: str) -> None:
    """The server's message reaches the client, even while it is sending; the status always does."""
    content = b"this is no gzip at all " * 2_000_000

    for _ in range(3):  # behind caddy the message is sometimes cut off, about one time in twenty
        answer = proxied.curl("-T", "-", proxied.archive(profile), stdin=content)
        assert answer.stdout.endswith(b"422"), answer
        if answer.returncode == 0:
            break

    assert b'"code":"not-a-gzip"' in answer.stdout


def test_downloads_come_in_parts(proxied: Proxied, profile: str) -> None:
    """A range is answered as a range, a download continues where it stopped, and an unchanged one is not sent."""
    proxied.put_there(profile, ARCHIVE)
    address = proxied.archive(profile)
    (proxied.folder / "back.tar.gz").write_bytes(ARCHIVE[: 5 * MIB])

    part = proxied.curl("-r", "1000-1999", address)
    rest = proxied.curl("-C", "-", "-o", "back.tar.gz", address)
    again = proxied.curl("-H", f'If-None-Match: "{digests_of(ARCHIVE).sha256}"', address)

    assert part.stdout == ARCHIVE[1000:2000] + b"\n206"
    assert rest.stdout.endswith(b"206")
    assert (proxied.folder / "back.tar.gz").read_bytes() == ARCHIVE
    assert again.stdout == b"\n304"


def test_the_location_of_an_upload_leads_back_through_the_proxy(proxied: Proxied) -> None:
    """Resolved against the requested address, it is the upload, also if a port is forwarded to the proxy."""
    about = "Upload-Metadata: filename YS50YXIuZ3o=,profile YQ==,type RlVMTA=="
    with proxied.cut_after() as (forwarded, _):
        uploads = f"{forwarded.url}/api/v1/uploads"
        created = forwarded.run(
            *("curl", "-sS", "-D", "-", "-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 10"),
            *("-H", about, uploads),
        ).stdout.decode()
        (location,) = re.findall(r"^location: *(.*?)\r?$", created, re.MULTILINE | re.IGNORECASE)
        found = forwarded.curl("-I", urljoin(uploads, location))

    assert location.startswith(urlsplit(proxied.url).path + "/api/v1/uploads/")
    assert found.stdout.endswith(b"200"), (created, found)
    assert b"upload-offset: 0" in found.stdout.lower()


# after an error, tuspy leaves its connection to the garbage collector, so that is called before the test ends
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_tuspy_goes_on_after_a_cut(proxied: Proxied, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third-party client of the tus protocol, from the upload's URL alone."""
    for name, value in proxied.environment.items():
        monkeypatch.setenv(name, value)
    (proxied.folder / "full.tar.gz").write_bytes(ARCHIVE)
    about = {"filename": "full.tar.gz", "profile": profile, "type": "FULL"}
    offsets = []
    with (proxied.folder / "full.tar.gz").open("rb") as file, proxied.cut_after(5 * MIB) as (cut, line):
        client = TusClient(f"{cut.url}/api/v1/uploads")
        url = client.uploader(file_stream=file, chunk_size=20 * MIB, metadata=about).create_url()
        for _ in range(100):
            try:
                uploader = client.uploader(file_stream=file, chunk_size=20 * MIB, url=url)
                offsets.append(uploader.offset)
                uploader.upload()
                break
            except (TusCommunicationError, TusUploadFailed):
                continue
    gc.collect()

    assert line.made_cuts == 1
    assert offsets[0] == 0 < offsets[-1]
    assert proxied.holds(profile, ARCHIVE)


def test_the_documented_loop_of_curl_goes_on_after_cuts(proxied: Proxied, profile: str) -> None:
    """The lines of docs/clients.md, pasted into a shell."""
    (loop,) = re.findall(r"```sh\n(b\(\) .*?)```", DOCUMENT, re.DOTALL)
    (proxied.folder / "full.tar.gz").write_bytes(ARCHIVE)
    with proxied.cut_after(4 * MIB, 3 * MIB) as (cut, line):
        script = changed(loop, ("$(b nas)", f"$(b {profile})"), ("sleep 5", "sleep 0"))
        ran = cut.run("sh", "-c", script, more={"URL": cut.url, "file": "full.tar.gz"})

    assert ran.returncode == 0, ran
    assert line.made_cuts == 2
    assert proxied.holds(profile, ARCHIVE)


@pytest.mark.parametrize("client", ["upload.sh", "tarkeep"])
def test_our_clients_go_on_after_cuts(proxied: Proxied, profile: str, client: str) -> None:
    """With the login in the place that docs/clients.md names."""
    home = proxied.folder / profile
    (home / "FULL").mkdir(parents=True)
    (home / "FULL" / "full.tar.gz").write_bytes(ARCHIVE)
    with proxied.cut_after(4 * MIB, 3 * MIB) as (cut, line):
        settings = {"HOME": str(home), "BACKUP_DIR": str(home), "RESUME_PAUSE": "0"}
        if client == "tarkeep":
            configure_client(home, cut)
            ran = cut.run(sys.executable, "-m", "tarkeep", "push", profile, more=settings)
        else:
            (home / ".curlrc").write_text('user = "laptop:secret"\n')
            settings["SERVER_URL"] = cut.url.replace("laptop:secret@", "")
            ran = cut.run("sh", str(ROOT / "scripts" / "upload.sh"), profile, "--resume", more=settings)

    assert ran.returncode == 0, ran
    assert b"FULL/full.tar.gz: stored" in ran.stdout
    assert b"secret" not in ran.stdout + ran.stderr
    assert line.made_cuts == 2
    assert proxied.holds(profile, ARCHIVE)


def configure_client(home: Path, proxied: Proxied) -> None:
    line = 'server = "https://laptop:secret@backup.example"'
    assert line in DOCUMENT
    (home / ".config" / "tarkeep").mkdir(parents=True)
    (home / ".config" / "tarkeep" / "config.toml").write_text(
        line.replace("https://laptop:secret@backup.example", proxied.url) + "\n"
    )


def test_the_client_compares_and_fetches(proxied: Proxied, profile: str) -> None:
    """Reading works through the proxy as well as writing."""
    proxied.put_there(profile, ARCHIVE)
    home = proxied.folder / profile
    home.mkdir()
    configure_client(home, proxied)
    settings = {"HOME": str(home), "BACKUP_DIR": str(home / "backups")}

    pulled = proxied.run(sys.executable, "-m", "tarkeep", "pull", profile, more=settings)
    verified = proxied.run(sys.executable, "-m", "tarkeep", "verify", profile, more=settings)

    assert (pulled.returncode, verified.returncode) == (0, 0), (pulled, verified)
    assert (home / "backups" / "FULL" / "full.tar.gz").read_bytes() == ARCHIVE
