"""Several servers over one bucket and one database, and nginx before them, which gives each request to the next."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from attrs import frozen

from tests.support.object_stores import ObjectStore
from tests.support.postgres import Postgres, free_port
from tests.support.require import require
from tests.support.server import LiveServer, live_server

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_PATIENCE_SECONDS = 60


@frozen
class Replicas:
    """*each* of the servers, and the *url* of nginx."""

    each: Sequence[LiveServer]
    url: str


@contextmanager
def replicas(folder: Path, store: ObjectStore, postgres: Postgres, count: int, *options: str) -> Iterator[Replicas]:
    """*count* servers, each with a data directory of its own below *folder*."""
    require("nginx", shutil.which("nginx", path=PATH) is not None, "apt install nginx-light")
    with ExitStack() as running:
        url = running.enter_context(postgres.database())
        shared: tuple[str, ...] = (
            "--store",
            store.url(store.address()),
            "--s3-endpoint",
            store.endpoint,
            "--catalog",
            url,
        )
        shared += ("--audit-key", str(folder / "audit.key"))
        each = [
            running.enter_context(live_server(folder / f"data-{number}", *shared, *options)) for number in range(count)
        ]
        yield Replicas(each, running.enter_context(_in_turns(folder, [server.url for server in each])))


@contextmanager
def _in_turns(folder: Path, urls: Sequence[str]) -> Iterator[str]:
    port = free_port()
    servers = "".join(f"server {url.removeprefix('http://')} max_fails=0;\n" for url in urls)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}_temp;\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log notice;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}upstream each {{\n{servers}}}\n"
        f"server {{ listen 127.0.0.1:{port}; client_max_body_size 0;\n"
        "location / { proxy_pass http://each; proxy_http_version 1.1; proxy_request_buffering off;\n"
        "proxy_buffering off; proxy_set_header Host $http_host; } } }\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": PATH})
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, folder)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, folder: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/healthz", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError((folder / "error.log").read_text())
