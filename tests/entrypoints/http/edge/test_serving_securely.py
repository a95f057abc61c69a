"""A server for other machines: tokens made while it runs, TLS, and starts that are refused."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest

from tarkeep.entrypoints.http.edge.tls import tls_context
from tests.support.archives import make_targz
from tests.support.machine import Machine
from tests.support.raw_http import RawConnection, receive_to_end, request
from tests.support.require import require
from tests.support.server import LiveServer, live_server

CONTENT = make_targz({"a.txt": b"first\n"})
TOKEN = re.compile(r"tk_[a-z2-7]{8}_[a-z2-7]{58}\n")


def tarkeep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tarkeep", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def made_token(data: Path, *scopes: str, more: tuple[str, ...] = ("--profile", "*")) -> str:
    options = [word for scope in scopes for word in ("--scope", scope)]
    ran = tarkeep("token", "create", "--data", str(data), *options, *more)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN.fullmatch(ran.stdout)
    return ran.stdout.strip()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a certificate and its key, and the fingerprint."""
    folder = tmp_path_factory.mktemp("tls")
    ran = tarkeep("tls", "self-signed", "127.0.0.1", "backup.example", "--into", str(folder))
    require("openssl", "openssl was not found" not in ran.stderr, "install openssl")
    assert ran.returncode == 0, ran.stderr
    return folder, ran.stdout.partition("fingerprint: ")[2].strip()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, str]) -> Iterator[LiveServer]:
    folder, _ = certificate
    files = folder / "tarkeep-certificate.pem", folder / "tarkeep-key.pem"
    data = tmp_path_factory.mktemp("secured") / "data"
    made_token(data, "list")
    with live_server(data, "--tls-certificate", str(files[0]), "--tls-key", str(files[1])) as server:
        yield server


def status(server: LiveServer, token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with server.client() as client:
        return client.get("/list", headers=headers).status_code


def test_a_token_made_beside_a_running_server_closes_it(tmp_path: Path) -> None:
    """At once for all clients without one; revoking it keeps its holder out, once the command has ended."""
    with live_server(tmp_path / "data") as server:
        assert status(server, None) == 200
        token = made_token(tmp_path / "data", "list")
        assert (status(server, None), status(server, token)) == (401, 200)

        ran = tarkeep("token", "revoke", token, "--data", str(tmp_path / "data"))

        assert (ran.returncode, ran.stdout) == (0, f"revoked: {token[3:11]}\n")
        assert (status(server, None), status(server, token)) == (401, 401)
        assert token not in server.log.read_text()
        assert token not in (tmp_path / "data" / "tokens.json").read_text()


def test_who_is_not_let_in_is_told_before_the_body(tmp_path: Path) -> None:
    """By its head alone, without a byte of the body sent or kept; and the connection is closed."""
    data = tmp_path / "data"
    reading, narrow = made_token(data, "pull"), made_token(data, "push", more=("--profile", "web"))
    told = {}
    with live_server(data) as server:
        before = sorted(path for path in data.rglob("*") if path.is_file())
        for token in ("", reading, narrow):
            headers = {"Content-Length": "1000000"} | ({"Authorization": f"Bearer {token}"} if token else {})
            for method, target in (
                ("PUT", "/api/v1/profiles/laptop/archives/FULL/a.tar.gz"),
                ("POST", "/api/v1/uploads/none"),
                ("PUT", "/api/v1/profiles/laptop/archives/FULL/a.tar.gz/snapshot"),
            ):
                with RawConnection(server.host_and_port) as connection:
                    answer = connection.exchange(request(method, target, headers))
                told[token, target] = answer.status
                assert answer.closes
        assert sorted(path for path in data.rglob("*") if path.is_file()) == before

    assert list(told.values()) == [401] * 3 + [403] * 3 + [404] * 3


def test_the_list_says_what_each_token_is_for(tmp_path: Path) -> None:
    """Never the token itself; the time of its last use is listed after the server stopped."""
    data = tmp_path / "data"
    token = made_token(data, "list", "push", more=("--profile", "web-*", "--note", "web\x1b[1m", "--expires", "90d"))
    made_token(data, "pull", more=("--profile", "*", "--network", "10.0.0.0/8"))
    with live_server(data) as server:
        status(server, token)
        server.stop()

    ran = tarkeep("token", "list", "--data", str(data))

    lines = ran.stdout.splitlines()
    assert len({line.index("  from ") for line in lines}) == 1
    first, second = (re.sub(" {2,}", "  ", line) for line in lines)
    assert first.startswith(f"{token[3:11]}  until ")
    assert "  push,list  web-*  from anywhere  made " in first
    assert re.search(r"  used \S+:00Z  web\\x1b\[1m$", first)
    assert "  valid  pull  *  from 10.0.0.0/8  made " in second
    assert second.endswith("  never used")
    assert token not in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--scope", "push"], 2, "--profile"),
        (["--profile", "x"], 2, "--scope"),
        (["--scope", "everything", "--profile", "x"], 2, "everything"),
        (["--scope", "push", "--profile", "a/b"], 2, "not a pattern of profile names"),
        (["--scope", "push", "--profile", "x", "--network", "10.0.0.1/8"], 2, "host bits"),
        (["--scope", "push", "--profile", "x", "--expires", "soon"], 2, "2027-12-31"),
        (["--scope", "push", "--profile", "x", "--expires", "2020-01-01"], 2, "in the past"),
        (["--scope", "push", "--profile", "x", "--store", "memory:"], 2, "data directory"),
    ],
)
def test_a_token_that_cannot_be_is_not_made(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """Status 2, the wrong word, and no file."""
    ran = tarkeep("token", "create", "--data", str(tmp_path / "data"), *arguments)

    assert ran.returncode == code, ran.stderr
    assert said in ran.stderr
    assert ran.stdout == ""
    assert not (tmp_path / "data").exists()


def test_what_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    """The error says so, and where to look."""
    made_token(tmp_path / "data", "list")
    ran = tarkeep("token", "revoke", "nothing", "--data", str(tmp_path / "data"))

    assert ran.returncode == 10
    assert "tarkeep token list shows the tokens" in ran.stderr


def test_the_log_of_writes_is_checked_beside_the_server(tmp_path: Path) -> None:
    """0 while it is whole, 1 with the line that does not follow, or if a noted line is gone."""
    data = tmp_path / "data"
    made_token(data, "list")
    made_token(data, "pull")

    whole = tarkeep("audit", "verify", "--data", str(data))
    noted = whole.stdout.split()[-1]
    log = data / "audit.log"
    log.write_bytes(log.read_bytes().replace(b" list ", b" push "))
    changed = tarkeep("audit", "verify", "--data", str(data), "--last", noted)
    log.write_bytes(b"")
    emptied = tarkeep("audit", "verify", "--data", str(data), "--last", noted)

    assert (whole.returncode, whole.stdout[:9]) == (0, "2 lines, ")
    assert changed.returncode == emptied.returncode == 1
    assert "broken: line 2 does not follow the one before it" in changed.stdout
    assert f"broken: no line has the SHA-256 {noted}" in emptied.stdout


def test_a_kept_head_tells_a_cut_log_from_a_whole_one(tmp_path: Path) -> None:
    """Only the digest is printed, so that it can be redirected into a file on another machine."""
    data = tmp_path / "data"
    made_token(data, "list")
    head = tarkeep("audit", "head", "--data", str(data))
    whole = (data / "audit.log").read_bytes()
    made_token(data, "pull")

    grown = tarkeep("audit", "verify", "--data", str(data), "--head", head.stdout.strip())
    in_capitals = tarkeep("audit", "verify", "--data", str(data), "--head", head.stdout.strip().upper())
    assert (in_capitals.returncode, in_capitals.stdout) == (grown.returncode, grown.stdout)
    for no_head in ("", "zz", head.stdout.strip()[:12], head.stdout.strip() + "0"):
        misspelt = tarkeep("audit", "verify", "--data", str(data), "--head", no_head)
        assert (misspelt.returncode, misspelt.stdout) == (2, "")
        assert "is not a digest" in misspelt.stderr
    (data / "audit.log").write_bytes(b"")
    made_token(data, "push")
    cut = tarkeep("audit", "verify", "--data", str(data), "--head", head.stdout.strip())
    unnoticed = tarkeep("audit", "verify", "--data", str(data))
    (data / "audit.log").write_bytes(whole.replace(b" list ", b" push "))
    changed = tarkeep("audit", "head", "--data", str(data))

    assert (head.returncode, len(head.stdout), grown.returncode) == (0, 65, 0)
    assert "line 1 has the kept head, and 1 came after it" in grown.stdout
    assert (cut.returncode, unnoticed.returncode) == (1, 0)
    assert "lines were cut off or changed since it was kept" in cut.stdout
    assert (changed.returncode, changed.stdout) == (1, "")
    assert "tarkeep audit verify" in changed.stderr


def test_an_old_log_is_told_to_be_proven_since_its_key_alone(tmp_path: Path) -> None:
    """From the start of the server on; and a log whose key is gone does not count as proven."""
    data = tmp_path / "data"
    made_token(data, "list")
    (data / "audit.log").write_text(
        json.dumps({"at": "2026-01-01T00:00:00Z", "result": "made", "before": "0" * 64}) + "\n"
    )
    (data / "audit.key").unlink()
    old = tarkeep("audit", "verify", "--data", str(data))
    with live_server(data):
        pass
    keyed = tarkeep("audit", "verify", "--data", str(data))
    (data / "audit.key").rename(tmp_path / "kept.key")
    keyless = tarkeep("audit", "verify", "--data", str(data))
    elsewhere = tarkeep("audit", "verify", "--data", str(data), "--audit-key", str(tmp_path / "kept.key"))

    assert (old.returncode, keyed.returncode, keyless.returncode, elsewhere.returncode) == (0, 0, 1, 0)
    assert "not proven: the log has no key yet" in old.stdout
    assert "line 1 is older than the key: not proven against anybody who could write the log before 2" in keyed.stdout
    assert "protected since then by line 2" in keyed.stdout
    assert "not proven: the key is missing" in keyless.stdout
    assert elsewhere.stdout == keyed.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize(
    ("has_token", "options"), [(False, []), (False, ["--behind-proxy"]), (True, [])], ids=["open", "proxy", "no TLS"]
)
def test_a_start_beyond_this_machine_is_refused(tmp_path: Path, host: str, has_token: bool, options: list[str]) -> None:
    """Without a token always, with one if TLS is missing; the error names both ways out, and no port is opened."""
    if has_token:
        made_token(tmp_path / "data", "list")
    ran = tarkeep("serve", "--data", str(tmp_path / "data"), "--host", host, "--port", "0", *options)

    assert ran.returncode == 2
    assert f"not serving on {host}: " in ran.stderr
    assert "--behind-proxy" in ran.stderr
    assert "--host 127.0.0.1" in ran.stderr
    assert "serving url" not in ran.stderr


def own_address() -> str:
    """An address of this machine that is not loopback: its source address. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    require("own-address", not ip_address(address).is_loopback, "give the machine an address beside 127.0.0.1")
    return address


@pytest.mark.parametrize("host", ["0.0.0.0", "its own"])
def test_a_server_beyond_loopback_is_reached_with_tls_and_a_token(tmp_path: Path, host: str) -> None:
    """First refused; then with a certificate for its address and a token, by that address, never without a token."""
    address = own_address()
    listens_on = address if host == "its own" else host
    place, data = ("--host", listens_on), tmp_path / "data"
    refused = tarkeep("serve", "--data", str(data), "--port", "0", *place)
    made = tarkeep("tls", "self-signed", address, "--into", str(tmp_path))
    require("openssl", "openssl was not found" not in made.stderr, "install openssl")
    certificate, key = tmp_path / "tarkeep-certificate.pem", tmp_path / "tarkeep-key.pem"
    token = made_token(data, "push", "list")

    with live_server(data, *place, "--tls-certificate", str(certificate), "--tls-key", str(key)) as server:
        url = f"https://{address}:{server.host_and_port[1]}"
        trusting = ssl.create_default_context(cafile=certificate)
        with httpx2.Client(base_url=url, trust_env=False, verify=trusting, timeout=60) as client:
            nobody = client.get("/list")
            alive = client.get("/healthz")
            client.headers["Authorization"] = f"Bearer {token}"
            pushed = client.put("/api/v1/profiles/laptop/archives/FULL/a.tar.gz", content=CONTENT)
            listed = client.get("/list")
        with socket.create_connection((address, server.host_and_port[1]), timeout=20) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            unsecured = receive_to_end(plain)

    assert refused.returncode == 2
    assert all(way in refused.stderr for way in ("--behind-proxy", "--host 127.0.0.1", "tls"))
    assert [answer.status_code for answer in (nobody, alive, pushed, listed)] == [401, 200, 201, 200]
    assert listed.json()["total_count"] == 1
    assert b"alive" not in unsecured


def test_a_server_with_tls_shows_its_fingerprint(secured: LiveServer, certificate: tuple[Path, str]) -> None:
    """The one printed with the certificate is the one that clients see."""
    presented = ssl.get_server_certificate(secured.host_and_port)

    assert secured.url.startswith("https://")
    assert f"fingerprint={certificate[1]}" in secured.log.read_text()
    assert presented == (certificate[0] / "tarkeep-certificate.pem").read_text()
    assert (certificate[0] / "tarkeep-key.pem").stat().st_mode & 0o777 == 0o600


def test_nothing_older_than_tls_1_2_is_spoken(secured: LiveServer, certificate: tuple[Path, str]) -> None:
    """And both later versions work."""
    spoken = {}
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(secured.host_and_port, timeout=20) as connection:
            try:
                with context.wrap_socket(connection) as wrapped:
                    spoken[version.name] = wrapped.version()
            except (ssl.SSLError, ConnectionError):
                spoken[version.name] = None
    # a client that is too new for TLS 1.1 would see no difference
    loaded = tls_context(certificate[0] / "tarkeep-certificate.pem", certificate[0] / "tarkeep-key.pem")

    assert spoken == {"TLSv1_1": None, "TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}
    assert loaded is not None
    assert loaded.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_client_pushes_with_a_token_over_tls(
    secured: LiveServer, certificate: tuple[Path, str], tmp_path: Path
) -> None:
    """By fingerprint or by the certificate; a push token needs verify in addition, and neither can read."""
    folder, fingerprint = certificate
    machine = Machine(tmp_path, secured.url)
    machine.keep("FULL", "full_1.tar.gz", CONTENT)
    token = {"TARKEEP_TOKEN": made_token(secured.data, "push", "verify", more=("--profile", "laptop"))}

    pushed = machine.run("push", "laptop", "--fingerprint", fingerprint, environment=token)
    colons = ":".join(fingerprint.lower()[at : at + 2] for at in range(0, 64, 2))
    verified = machine.run("verify", "laptop", "--fingerprint", colons, environment=token)
    cacert = str(folder / "tarkeep-certificate.pem")
    trusted = machine.run("verify", "laptop", "--cacert", cacert, environment=token)
    pulled = machine.run("pull", "laptop", "--fingerprint", fingerprint, environment=token)
    foreign = machine.run("push", "desktop", "--fingerprint", fingerprint, environment=token)
    other = machine.run("verify", "laptop", "--fingerprint", "0" * 64, environment=token)
    unknown = machine.run("verify", "laptop", environment=token)

    assert (pushed.returncode, pushed.stderr) == (0, "")
    assert (verified.returncode, trusted.returncode) == (0, 0), trusted.stderr
    assert pulled.returncode == 12
    assert "this needs a token with the scope list" in pulled.stderr
    assert foreign.returncode != 0
    assert "no profile desktop" in foreign.stderr
    assert other.returncode == unknown.returncode == 1
    assert "its fingerprint is another than the one given" in other.stderr
    assert "its own SHA-256 with --fingerprint" in unknown.stderr
    assert "again in" not in other.stderr + unknown.stderr


def test_curl_comes_in_with_the_token_as_password(secured: LiveServer, certificate: tuple[Path, str]) -> None:
    """As sent by curl -u, over TLS, by any name of the server."""
    token = made_token(secured.data, "list")
    context = ssl.create_default_context(cafile=certificate[0] / "tarkeep-certificate.pem")
    login = base64.b64encode(f"anybody:{token}".encode()).decode()
    request = f"GET /list HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection(secured.host_and_port, timeout=20) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as wrapped,
    ):
        wrapped.sendall(request.encode())
        answer = wrapped.recv(100)

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tls-certificate", "{certificate}"], "tls_key"),
        (["--tls-key", "{key}"], "tls_certificate"),
        (["--tls-certificate", "missing.pem", "--tls-key", "{key}"], "missing.pem: No such file"),
        (["--tls-certificate", "{key}", "--tls-key", "{certificate}"], "are not a certificate and its key"),
        (["--trusted-proxies", "10.0.0.1/8"], "trusted_proxies"),
    ],
)
def test_a_certificate_of_no_use_is_told_at_the_start(
    tmp_path: Path, certificate: tuple[Path, str], options: list[str], said: str
) -> None:
    """Status 2 and the name of the file."""
    files = {"certificate": certificate[0] / "tarkeep-certificate.pem", "key": certificate[0] / "tarkeep-key.pem"}
    ran = tarkeep("serve", "--data", str(tmp_path / "data"), "--port", "0", *(one.format(**files) for one in options))

    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_certificate_that_is_there_is_not_replaced(certificate: tuple[Path, str]) -> None:
    """Nor is one made for an invalid name."""
    again = tarkeep("tls", "self-signed", "--into", str(certificate[0]))
    wrong = tarkeep("tls", "self-signed", "a b", "--into", str(certificate[0] / "new"))

    assert (again.returncode, wrong.returncode) == (2, 2)
    assert "exists already" in again.stderr
    assert not (certificate[0] / "new").exists()
