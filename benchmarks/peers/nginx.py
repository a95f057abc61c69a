"""nginx: uploads by its WebDAV module, downloads as static files, both in one server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ..contestants import CURL, Answer, Contestant, RunningFileServer
from ..corpus import Archive
from ..processes import ServerProcess, accepts, free_port, run_timed, serving

_CONFIGURATION = """\
{user}
worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location / {{
            dav_methods PUT;
        }}
    }}
}}
"""


@frozen
class RunningNginx(RunningFileServer):
    server: ServerProcess
    port: int
    folder: Path

    def upload(self, archive: Archive, name: str) -> Sequence[str]:
        return [*CURL, "--upload-file", str(archive.path), self.download_url(name)]

    def accepts(self, answer: Answer, archive: Archive) -> bool:
        del archive
        return answer.status == 201

    def stored(self, name: str, answer: Answer) -> Path:
        del answer
        return self.folder / name

    def download_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@frozen
class Nginx(Contestant):
    title: str = "nginx WebDAV"

    def missing(self) -> str | None:
        if _program() is None:
            return "not installed: apt install nginx-light or nginx"
        if "http_dav_module" not in run_timed([str(_program()), "-V"]).complaints:
            return "not installed: this nginx lacks its WebDAV module, apt install nginx"
        return None

    def version(self) -> str:
        return run_timed([str(_program()), "-v"]).complaints.strip().removeprefix("nginx version: ")

    @contextmanager
    def start(self, folder: Path) -> Iterator[RunningNginx]:
        port = free_port()
        files = folder / "files"
        files.mkdir()
        configuration = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is the starter's, not that of `nobody`
        configuration.write_text(_CONFIGURATION.format(user=user, folder=folder, port=port))
        command = [str(_program()), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        with serving(command, ready=lambda: accepts(port), log=folder / "server.log") as server:
            yield RunningNginx(server, port, files)


def _program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
