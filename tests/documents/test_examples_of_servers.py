"""
examples/compose, examples/nginx and examples/systemd/tarkeep@.service, without docker and systemd: what the containers
run is run here, one server of two under strace, and nginx before them.
"""

from __future__ import annotations

import base64
import io
import shutil
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from attrs import frozen

from tests.documents.test_examples import SYSTEMD, refused
from tests.support.archives import make_targz
from tests.support.certificates import make_certificate
from tests.support.object_stores import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.support.played_systemd import PlayedSystemd
from tests.support.postgres import Postgres, free_port
from tests.support.require import require

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "examples" / "compose" / "compose.yaml"
FILES = {"letters/first.txt": b"dear\n", "noise": bytes(range(256)) * 40_000}
SERVERS = ("5001", "5002")
PLACE, UPLOADS = "/api/v1/profiles/desk/archives/FULL/", "/api/v1/uploads/"
_PATIENCE_SECONDS = 120


@frozen
class Composed:
    """The services of the file, running; *url* is that of nginx, *calls* what strace has seen of the first server."""

    services: dict[str, Any]
    played: PlayedSystemd
    url: str
    calls: Path
    trusting: Path

    def client(self) -> httpx2.Client:
        context = ssl.create_default_context(cafile=str(self.trusting))
        return httpx2.Client(base_url=self.url, trust_env=False, timeout=120, verify=context)

    def wait_until_ready(self) -> None:
        """Until the health check of each server succeeds."""
        until = time.monotonic() + _PATIENCE_SECONDS
        for name, service in self.services.items():
            if name.startswith("tarkeep-"):
                check = [*service["healthcheck"]["test"][1].split(), *service["healthcheck"]["test"][2:]]
                while subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode != 0:
                    assert time.monotonic() < until, self.played.told()
                    time.sleep(0.2)

    def uploads_by_server(self) -> list[set[str]]:
        """The addresses of resumable uploads that each server has got something for."""
        return [
            {line["path"] for line in self.played.lines(name) if line.get("path", "").startswith(UPLOADS)}
            for name in self.services
            if name.startswith("tarkeep-")
        ]


@pytest.fixture(scope="module")
def composed(
    tmp_path_factory: pytest.TempPathFactory, seaweedfs: ObjectStore, postgres: Postgres
) -> Iterator[Composed]:
    for program, how in (("nginx", "nginx-light"), ("strace", "strace"), ("systemd-analyze", "systemd")):
        require(program, shutil.which(program, path="/usr/sbin:/usr/bin:/bin") is not None, f"apt install {how}")
    home = tmp_path_factory.mktemp("composed")
    trusting = make_certificate(home, "backup.example")
    proxy = f"127.0.0.1:{free_port()}"
    with postgres.database() as database:
        played = PlayedSystemd.made(
            home,
            {
                **{number: str(free_port()) for number in SERVERS},
                "/opt/tarkeep/bin/tarkeep": f"{sys.executable} -m tarkeep",
                "/opt/tarkeep/bin/python": sys.executable,
                "/var/lib/tarkeep": str(home / "lib"),
                "postgresql://tarkeep@database/tarkeep": database,
                "http://objects:8333": seaweedfs.endpoint,
                "AWS_ACCESS_KEY_ID: tarkeep": f"AWS_ACCESS_KEY_ID: {ACCESS_KEY}",
                "${SECRET:?the secret of the object store and the database}": SECRET_KEY,
                "${SECRET}": SECRET_KEY,
                "listen 443": f"listen {proxy}",
                "/etc/ssl": str(home),
            },
        )
        (home / "lib").mkdir()
        shutil.copy(ROOT / "examples" / "nginx" / "tarkeep.conf", home / "nginx")
        services = yaml.safe_load(played.here(COMPOSE.read_text()))["services"]
        calls = home / "calls"
        try:
            bucket = services["bucket"]
            made = [*bucket["entrypoint"], *bucket["command"]]
            for _ in range(2):  # at each start of all services
                subprocess.run(made, env=bucket["environment"], check=True, timeout=120)
            prefix: tuple[str, ...] = ("strace", "-f", "-qq", "-A", "-s", "0", "-o", str(calls))
            for name, service in services.items():
                if name.startswith("tarkeep-"):
                    command = [*service["entrypoint"][0].split(), *service["command"]]
                    played.run(name, [*prefix, *command], service["environment"])
                    prefix = ()
            played.do("reload", "nginx")
            yield Composed(services, played, f"https://{proxy}", calls, trusting)
        finally:
            played.stop_all()


def test_containers_are_confined() -> None:
    """Nothing but nginx can be reached from elsewhere, servers write their volume alone, and each mount is declared."""
    told = yaml.safe_load(COMPOSE.read_text())
    servers = [service for name, service in told["services"].items() if name.startswith("tarkeep-")]
    volumes = [volume.split(":") for service in told["services"].values() for volume in service.get("volumes", ())]

    assert [name for name, service in told["services"].items() if "ports" in service] == ["nginx"]
    assert len(servers) == len(SERVERS)
    for server in servers:
        assert (server["read_only"], server["cap_drop"]) == (True, ["ALL"])
        assert server["network_mode"] == "service:nginx"
    assert {source for source, *_ in volumes if source[0] != "."} == set(told["volumes"])
    assert all((COMPOSE.parent / source).exists() for source, *_ in volumes if source.startswith("../"))
    build = servers[0]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).exists()
    assert f"ARG LOCK={build['args']['LOCK']}" in (ROOT / "examples/container/Containerfile").read_text().replace(
        "requirements.lock", "requirements-servers.lock"
    )
    assert (COMPOSE.parent / build["context"] / build["args"]["LOCK"]).exists()


def test_two_servers_behind_nginx(composed: Composed) -> None:
    """
    An archive comes in whole and in pieces, and is given back; each upload stays with one server, and the first server
    needs nothing that the unit refuses.
    """
    composed.wait_until_ready()
    whole, pieces = make_targz(FILES), make_targz({**FILES, "more": b"more"})
    with composed.client() as client:
        assert client.put(f"{PLACE}whole.tar.gz", content=whole).status_code == 201
        for number in range(6):
            send_in_pieces(client, f"{number}.tar.gz", pieces)
        for _ in SERVERS:
            assert client.get(f"{PLACE}whole.tar.gz").content == whole
            assert client.get(f"{PLACE}0.tar.gz").content == pieces
        restored = client.get("/api/v1/profiles/desk/restore.tar", params={"at": "FULL/whole.tar.gz"})
        with tarfile.open(fileobj=io.BytesIO(restored.content)) as tar:
            assert {member.name for member in tar if member.isfile()} == set(FILES)

    composed.played.stop_all()
    served = composed.uploads_by_server()
    assert len(served) == len(SERVERS)
    assert not set.intersection(*served)
    trace = composed.calls.read_text()
    assert len(trace.splitlines()) > 1000
    assert refused((SYSTEMD / "tarkeep@.service").read_text(), trace) == []


def send_in_pieces(client: httpx2.Client, name: str, content: bytes) -> None:
    """Send *content* as a resumable upload in three requests, of which each may come to any server."""
    tus = {"Tus-Resumable": "1.0.0"}
    told = {"filename": name, "profile": "desk", "type": "FULL"}
    about = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    begun = client.post(
        "/api/v1/uploads", headers={**tus, "Upload-Length": str(len(content)), "Upload-Metadata": about}
    )
    assert begun.status_code == 201, begun.text
    third = len(content) // 3 + 1
    for start in range(0, len(content), third):
        headers = {**tus, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        sent = client.patch(begun.headers["location"], headers=headers, content=content[start : start + third])
        assert sent.status_code == 204, sent.text
