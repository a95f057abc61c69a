"""
The shell clients as users run them: under the shells in common use, with a real server.

Every run has its own temporary directory, which must be empty when the script has ended, however it ends.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from attrs import define, field

from tests.support.archives import make_tar, make_targz
from tests.support.machine import shorten
from tests.support.require import require
from tests.support.server import LiveServer, live_server

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHELLS = {"dash": [], "bash": ["--posix"], "busybox": ["sh"]}
DEAD_URL = "http://127.0.0.1:1"
TYPES = ("FULL", "INC", "DIFF")

GOOD_NAMES = [
    "plain.tar.gz",
    "with spaces  and more.tar.gz",
    "commas, (parentheses) and=signs+@home.tar.gz",
    "x,type=INC,filename=y.tar.gz",
    "été Ω данные 日本 𐐷.tar.gz",
]
# As bytes on the client's disk, and as the reports show them.
REFUSED_NAMES = {
    b"-dash.tar.gz": "-dash.tar.gz",
    b"semi;type=INC.tar.gz": "semi;type=INC.tar.gz",
    b'quo"ted.tar.gz': 'quo"ted.tar.gz',
    b'back\\slash\\"\\\\.tar.gz': 'back\\slash\\"\\\\.tar.gz',
    b"$(id) `id` %41 %s.tar.gz": "$(id) `id` %41 %s.tar.gz",
    b"new\nline.tar.gz": "new\\nline.tar.gz",
    b"latin-\xe9.tar.gz": "latin-\\xe9.tar.gz",
    b"surrogate-\xed\xa0\x80.tar.gz": "surrogate-\\xed\\xa0\\x80.tar.gz",
    b"overlong-\xe0\x80\xaf.tar.gz": "overlong-\\xe0\\x80\\xaf.tar.gz",
    "smile-\N{GRINNING FACE}.tar.gz".encode(): "smile-\N{GRINNING FACE}.tar.gz",
}


@define
class Run:
    """The exit status and output of a script."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@define
class Machine:
    """A machine with archives in *folder*, and with the shell clients, run by *shell*."""

    shell: list[str]
    home: Path
    url: str
    profile: str
    folder: Path = field(init=False)
    temporary: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.temporary = self.home / "temporary"
        self.temporary.mkdir()
        self.folder = self.home / "backups"
        self.keep_archives_in(self.folder)

    def keep_archives_in(self, folder: Path) -> None:
        self.folder = folder
        for type in TYPES:
            (folder / type).mkdir(parents=True)

    def put(self, place: str, content: bytes | None = None, *, mtime: float | None = None) -> Path:
        """A file at *place* (``FULL/name.tar.gz``), by default a unique archive."""
        path = self.folder / place
        path.write_bytes(make_targz({"name": os.fsencode(place)}) if content is None else content)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
        return path

    def start(self, script: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start the script in its own process group."""
        return subprocess.Popen(
            [*self.shell, str(SCRIPTS / script), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "TMPDIR": str(self.temporary),
                "SERVER_URL": self.url,
                "BACKUP_DIR": str(self.folder),
                **variables,
            },
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str, **variables: str) -> Run:
        """Run the script to its end. Bytes of its output that are not UTF-8 become ``\\xNN``."""
        with self.start(script, *arguments, **variables) as process:
            out, err = (stream.decode(errors="backslashreplace") for stream in process.communicate(timeout=120))
        assert list(self.temporary.iterdir()) == []
        return Run(process.returncode, out, err)

    def upload(self, *arguments: str, **variables: str) -> Run:
        return self.run("upload.sh", self.profile, *arguments, **variables)

    def verify(self, *arguments: str, **variables: str) -> Run:
        return self.run("verify_sync.sh", "--profile", self.profile, *arguments, **variables)

    def stored(self) -> dict[str, str]:
        """The server's archives of this machine's profile: place -> SHA-256."""
        answer = httpx2.get(f"{self.url}/list", params={"profile": self.profile}, trust_env=False).json()
        return {f"{type}/{each['name']}": each["sha256"] for type, found in answer["backups"].items() for each in found}


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One for all tests here; each test uses its own profile."""
    with live_server(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The command of the shell that `each_shell` names, else of dash."""
    name: str = getattr(request, "param", "dash")
    found = shutil.which(name)
    require(name, found is not None, f"apt install {name}")
    return [str(found), *SHELLS[name]]


each_shell = pytest.mark.parametrize("shell", SHELLS, indirect=True)


@pytest.fixture
def machine(server: LiveServer, shell: list[str], tmp_path: Path) -> Machine:
    return Machine(shell, tmp_path, server.url, f"machine-{next(_numbers)}")


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """The URL of a web server; *answer* maps a request and its body to a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a web server whose requests *handler* answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_port}"
        finally:
            web.shutdown()
            thread.join()


def programs(folder: Path, *names: str) -> str:
    """A PATH that has only the programs *names*."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["upload.sh", "verify_sync.sh"])
def test_shellcheck_finds_nothing(script: str) -> None:
    """The scripts are plain POSIX sh without common mistakes."""
    require("shellcheck", shutil.which("shellcheck") is not None, "apt install shellcheck")

    checked = subprocess.run(
        ["shellcheck", "--shell=sh", str(SCRIPTS / script)], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout) == (0, "")
    assert os.access(SCRIPTS / script, os.X_OK)


@pytest.mark.parametrize(
    "line",
    [
        ["upload.sh"],
        ["upload.sh", ""],
        ["upload.sh", "--all"],
        ["upload.sh", "one", "two"],
        ["upload.sh", "one", "--everything"],
        ["verify_sync.sh", "laptop"],
        ["verify_sync.sh", "--statistics"],
        ["verify_sync.sh", "--stats", "--report"],
        ["verify_sync.sh", "--stats", "--profile", "laptop"],
        ["verify_sync.sh", "--profile"],
        ["verify_sync.sh", "--profile", ""],
    ],
    ids=" ".join,
)
def test_wrong_usage_prints_the_usage_and_asks_no_server(machine: Machine, line: list[str]) -> None:
    """A mistake in the command line exits with 2 before anything is sent."""
    machine.put("FULL/a.tar.gz")

    run = machine.run(*line, SERVER_URL=DEAD_URL)

    assert run.status == 2
    assert run.out == ""
    assert f"usage: {line[0]}" in run.err
    assert "Failed to connect" not in run.err


@pytest.mark.parametrize("script", ["upload.sh", "verify_sync.sh"])
def test_help_is_no_error(machine: Machine, script: str) -> None:
    """--help prints the usage to standard output."""
    run = machine.run(script, "--help")

    assert (run.status, run.err) == (0, "")
    assert run.out.startswith(f"usage: {script}")


@pytest.mark.parametrize("line", [["upload.sh", "laptop"], ["verify_sync.sh"], ["verify_sync.sh", "--stats"]])
def test_a_missing_curl_is_reported(machine: Machine, line: list[str]) -> None:
    """curl, which is often missing, is named."""

    run = machine.run(*line, PATH=programs(machine.home / "bin", "sed"))

    assert run.status == (1 if line[0] == "upload.sh" else 3)
    assert "needs curl" in run.err


def test_a_machine_without_sha256_uses_md5(machine: Machine) -> None:
    """If only md5sum is installed, uploads are declared and compared by MD5."""
    machine.put("FULL/a.tar.gz")
    path = programs(machine.home / "bin", "curl", "sed", "awk", "grep", "mktemp", "rm", "md5sum", "wc")

    uploaded = machine.upload(PATH=path)
    verified = machine.verify(PATH=path)

    assert (uploaded.status, uploaded.err) == (0, "")
    assert (verified.status, verified.lines[-1]) == (0, "SYNCHRONIZED")


@each_shell
@pytest.mark.parametrize("line", [["upload.sh", "laptop"], ["verify_sync.sh"], ["verify_sync.sh", "--stats"]])
def test_a_server_that_is_down_is_named(machine: Machine, line: list[str]) -> None:
    """One line names the server that did not answer, without any password in its URL."""
    machine.put("FULL/a.tar.gz")
    machine.put("INC/b.tar.gz")

    run = machine.run(*line, SERVER_URL="http://me:secret@127.0.0.1:1/")

    assert run.status == (1 if line[0] == "upload.sh" else 3)
    assert run.err.startswith(f"{line[0]}: no answer from http://127.0.0.1:1: Failed to connect")
    assert len(run.err.splitlines()) == 1
    assert "secret" not in run.out + run.err


@pytest.mark.parametrize("line", [["upload.sh", "laptop"], ["verify_sync.sh"], ["verify_sync.sh", "--stats"]])
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_a_backup_servers_is_no_success(machine: Machine, line: list[str], status: int) -> None:
    """A web page, whatever its status, is never taken for success."""
    machine.put("FULL/a.tar.gz")

    with answering(lambda request, body: (status, b'<html lang="en">"hello"</html>')) as url:
        run = machine.run(*line, SERVER_URL=url)

    assert run.status == (1 if line[0] == "upload.sh" else 3)
    assert f"unexpected answer {status}; is {url} a Tarkeep server?" in run.err


@each_shell
@pytest.mark.parametrize("line", [["upload.sh", "laptop"], ["verify_sync.sh"]])
def test_a_run_that_is_stopped_leaves_no_temporary_files(machine: Machine, line: list[str]) -> None:
    """SIGTERM while the server keeps the script waiting."""
    machine.put("FULL/a.tar.gz")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = machine.start(*line, SERVER_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with process, silent.accept()[0]:
            before = list(machine.temporary.iterdir())
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)

    assert len(before) == 1
    assert list(machine.temporary.iterdir()) == []
    assert process.returncode == 143


# -- upload.sh -------------------------------------------------------------------------------------------------------


@each_shell
def test_the_newest_archive_of_each_type_is_sent(machine: Machine) -> None:
    """The newest is the one modified last, and the last by name of those modified at the same time."""
    machine.put("FULL/b old.tar.gz", mtime=1_700_000_000)
    newest = machine.put("FULL/a new.tar.gz", mtime=1_700_000_001)
    machine.put("FULL/c older.tar.gz", mtime=1_600_000_000)
    machine.put("INC/1.tar.gz", mtime=1_700_000_000)
    last = machine.put("INC/2 last.tar.gz", mtime=1_700_000_000)
    machine.put("DIFF/no archive.txt")

    run = machine.upload()

    assert (run.status, run.err) == (0, "")
    assert machine.stored() == {"FULL/a new.tar.gz": sha256(newest), "INC/2 last.tar.gz": sha256(last)}
    assert run.lines == [
        "FULL/a new.tar.gz: stored",
        "INC/2 last.tar.gz: stored",
        f"{machine.profile} at {machine.url}: 2 stored, 0 stored already, 0 failed",
    ]


def test_all_archives_are_sent_when_asked_for(machine: Machine) -> None:
    """--all sends every archive of every type, under its own type."""
    places = ["FULL/1.tar.gz", "FULL/2.tar.gz", "INC/1.tar.gz", "INC/3.tar.gz", "DIFF/4.tar.gz"]
    expected = {place: sha256(machine.put(place)) for place in places}

    run = machine.upload("--all")

    assert run.status == 0
    assert machine.stored() == expected


@each_shell
def test_names_and_folders_of_any_allowed_kind_arrive_as_they_are(machine: Machine) -> None:
    """Characters that are special to a shell, to curl or to a form are not special in a name."""
    machine.keep_archives_in(machine.home / 'my "backups";type=x, \\of\\ $HOME')
    expected = {f"FULL/{name}": sha256(machine.put(f"FULL/{name}")) for name in GOOD_NAMES}

    uploaded = machine.upload("--all")
    verified = machine.verify("--report")

    assert (uploaded.status, uploaded.err) == (0, "")
    assert machine.stored() == expected
    assert verified.status == 0
    assert {f"  {name}" for name in GOOD_NAMES} <= set(verified.lines)


@each_shell
def test_names_that_cannot_be_stored_are_refused_one_by_one(machine: Machine) -> None:
    """A name that breaks a rule is reported with the rule, and stops neither the others nor the comparison."""
    for name in REFUSED_NAMES:
        machine.put(f"INC/{os.fsdecode(name)}")
    good = machine.put("INC/good.tar.gz")

    uploaded = machine.upload("--all")
    verified = machine.verify("--report")

    assert uploaded.status == 1
    assert machine.stored() == {"INC/good.tar.gz": sha256(good)}
    assert uploaded.err.count(": not stored: ") == len(REFUSED_NAMES) == len(uploaded.err.splitlines())
    assert "'-dash.tar.gz' must start with a letter or digit" in uploaded.err
    assert "latin-\\xe9.tar.gz: not stored: the filename, or another header within the form, is not" in uploaded.err
    assert verified.status == 1
    assert verified.err == ""
    assert f"INC, missing on the server: {len(REFUSED_NAMES)}" in verified.lines
    assert {f"  {shown}" for shown in REFUSED_NAMES.values()} <= set(verified.lines)


@each_shell
def test_sending_again_is_success(machine: Machine) -> None:
    """A repeated run exits with 0 and says that nothing was new."""
    machine.put("FULL/a.tar.gz")
    machine.upload()

    run = machine.upload()

    assert (run.status, run.err) == (0, "")
    assert run.lines[0] == "FULL/a.tar.gz: stored already"
    assert run.lines[-1].endswith(": 0 stored, 1 stored already, 0 failed")


@each_shell
@pytest.mark.parametrize("options", [[], ["--resume"]])
def test_what_was_pruned_is_not_sent_again(shell: list[str], tmp_path: Path, options: list[str]) -> None:
    """It would come back, and be removed by the next prune."""
    rules = tmp_path / "profiles.toml"
    rules.write_text(
        "[laptop.retention]\nkeep_last = 1\nminimum_points = 0\nminimum_fulls = 1\n"
        'minimum_age = "0d"\nlargest_share = 1.0\n'
    )
    with live_server(tmp_path / "data", "--profiles", str(rules)) as server:
        machine = Machine(shell, tmp_path, server.url, "laptop")
        machine.put("FULL/a.tar.gz")
        machine.upload("--all")
        machine.put("FULL/b.tar.gz")
        machine.upload("--all")
        subprocess.run(
            [sys.executable, "-m", "tarkeep", "prune", "apply", "laptop", "--data", str(server.data)],
            capture_output=True,
            text=True,
            check=True,
        )
        kept = machine.stored()
        assert list(kept) == ["FULL/b.tar.gz"]

        run = machine.upload("--all", *options, RESUME_OVER="10")

        assert (run.status, run.err) == (0, "")
        assert run.lines[0] == "FULL/a.tar.gz: removed there by the retention policy, not sent again"
        assert run.lines[-1].endswith(": 0 stored, 1 stored already, 0 failed, 1 removed there by the retention policy")
        assert machine.stored() == kept


@pytest.mark.parametrize("options", [[], ["--resume"]])
@pytest.mark.parametrize("scopes", [["push"], ["pull", "push"]])
def test_what_is_stored_is_not_sent_again(
    shell: list[str], tmp_path: Path, options: list[str], scopes: list[str]
) -> None:
    """The server is asked first, by its rules for names: no byte is sent twice, whatever the name is."""
    with live_server(tmp_path / "data") as server:
        token = subprocess.run(
            [sys.executable, "-m", "tarkeep", "token", "create", "--data", str(server.data), "--profile", "*"]
            + [word for scope in scopes for word in ("--scope", scope)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        machine = Machine(shell, tmp_path, server.url, "laptop")
        (tmp_path / ".curlrc").write_text(f'user = ":{token}"\n')
        for name in GOOD_NAMES:
            machine.put(f"FULL/{name}")
        machine.upload("--all", *options, RESUME_OVER="10")
        written = (server.data / "audit.log").read_bytes()

        run = machine.upload("--all", *options, RESUME_OVER="10")

        assert (run.status, run.err) == (0, "")
        assert run.lines[-1].endswith(f": 0 stored, {len(GOOD_NAMES)} stored already, 0 failed")
        assert (server.data / "audit.log").read_bytes() == written  # a sent duplicate would have a line


@each_shell
@pytest.mark.parametrize("status", [401, 403, 404, 413])
@pytest.mark.parametrize("refused", ["HEAD", "PUT"])
def test_a_refusal_of_a_resumable_upload_without_a_message_is_reported_by_its_status(
    machine: Machine, status: int, refused: str
) -> None:
    """A proxy's page and a response to HEAD have no message; hopeless requests are not retried."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "/uploads" not in self.path:
                code, headers = 404, dict[str, str]()
            elif self.command == refused:
                code, headers = status, {}
            elif self.command == "POST":
                code, headers = 201, {"Location": "/api/v1/uploads/abc"}
            else:
                code, headers = 200, {"Upload-Offset": "0"}
            self.send_response(code)
            for name, value in ({"Content-Length": "0"} | headers).items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_PUT = do_HEAD

        def log_message(self, format: str, *args: object) -> None:
            pass

    machine.put("FULL/a.tar.gz")
    with serving(Handler) as url:
        run = machine.upload("--resume", SERVER_URL=url, RESUME_OVER="10", RESUME_PAUSE="0")

    assert run.status == 1
    assert f"({status})" in run.err
    assert "the line broke" not in run.err
    assert asked.count(refused) == (2 if refused == "HEAD" else 1)  # the first HEAD is about the archive


@each_shell
def test_a_damaged_archive_is_named_and_the_others_still_arrive(machine: Machine) -> None:
    """One bad archive makes the run fail, but does not stop the others."""
    first = machine.put("FULL/first.tar.gz")
    whole = make_targz({"content": os.urandom(2 << 20)})
    machine.put("INC/damaged.tar.gz", whole[: len(whole) // 2])
    last = machine.put("DIFF/last.tar.gz")

    run = machine.upload()

    assert run.status == 1
    assert run.err.startswith("INC/damaged.tar.gz: not stored: gzip data damaged")
    assert len(run.err.splitlines()) == 1
    assert machine.stored() == {"FULL/first.tar.gz": sha256(first), "DIFF/last.tar.gz": sha256(last)}
    assert run.lines[-1].endswith(": 2 stored, 0 stored already, 1 failed")


def test_other_bytes_under_a_stored_name_are_reported(machine: Machine) -> None:
    """A changed archive under an old name is an error, and differs when compared."""
    stored = sha256(machine.put("FULL/a.tar.gz"))
    machine.upload()
    machine.put("FULL/a.tar.gz", make_targz({"other": b"bytes"}))

    uploaded = machine.upload()
    verified = machine.verify()

    assert uploaded.status == 1
    assert "is already stored with other bytes" in uploaded.err
    assert machine.stored() == {"FULL/a.tar.gz": stored}
    assert verified.status == 1
    assert "Differs from remote: FULL/a.tar.gz" in verified.lines


def test_bytes_changed_on_the_way_are_refused(machine: Machine) -> None:
    """Even if a whole archive arrives: the declared digest reveals it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="sent", mode="wb", fileobj=buffer, mtime=0) as stream:
        stream.write(make_tar())
    machine.put("FULL/a.tar.gz", buffer.getvalue())

    def forward(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": request.headers["Content-Type"]}
        content = body.replace(b"sent\0", b"Sent\0")
        answer = httpx2.post(f"{machine.url}{request.path}", headers=headers, content=content, trust_env=False)
        return answer.status_code, answer.content

    with answering(forward) as url:
        run = machine.upload(SERVER_URL=url)

    assert run.status == 1
    assert "FULL/a.tar.gz: not stored: sha256 of the received bytes is" in run.err
    assert machine.stored() == {}


@each_shell
def test_an_archive_that_cannot_be_read_is_reported(machine: Machine) -> None:
    """It makes the upload fail and never counts as synced, even if the server has that name."""
    machine.put("FULL/a.tar.gz")
    machine.put("FULL/b.tar.gz")
    machine.upload("--all")
    (machine.folder / "FULL/a.tar.gz").unlink()
    (machine.folder / "FULL/a.tar.gz").symlink_to("nowhere")

    uploaded = machine.upload("--all")
    verified = machine.verify()

    assert uploaded.status == 1
    assert uploaded.err == "FULL/a.tar.gz: not stored: it is no file, or a link to nothing\n"
    assert uploaded.lines[0] == "FULL/b.tar.gz: stored already"
    assert verified.status == 1
    assert "FULL/a.tar.gz cannot be read" in verified.err
    assert "Not verified, no digest given: FULL/a.tar.gz" in verified.lines


@each_shell
@pytest.mark.parametrize("place", ["INC", "INC/b.tar.gz"])
@pytest.mark.parametrize("how", ["dead link", "loop", "other kind"])
def test_what_cannot_be_looked_at_is_not_nothing(machine: Machine, place: str, how: str) -> None:
    """A broken link, or anything but a folder or file in their place, is named, and neither script exits with 0."""
    machine.put("FULL/a.tar.gz")
    (machine.folder / "INC").rmdir()
    path = machine.folder / place
    path.parent.mkdir(exist_ok=True)
    if how == "other kind":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if how == "loop" else "/nowhere/at/all")

    uploaded = machine.upload("--all")
    newest = machine.upload()
    verified = machine.verify()

    assert uploaded.status == newest.status == 1
    assert place in uploaded.err
    assert place in newest.err
    assert uploaded.lines[0] == "FULL/a.tar.gz: stored"
    assert verified.status == (3 if place == "INC" else 1)
    assert place in verified.err
    assert "SYNCHRONIZED" not in verified.lines


@each_shell
@pytest.mark.parametrize("options", [[], ["--resume"]])
def test_what_is_damaged_on_the_server_is_named_and_repaired(
    machine: Machine, server: LiveServer, options: list[str]
) -> None:
    """verify_sync.sh exits with 1 until upload.sh has sent it again and reported the repair."""
    sent = machine.put("FULL/a.tar.gz")
    machine.upload()
    shorten(server, machine.profile, "FULL", "a.tar.gz")

    verified = machine.verify()
    report = machine.verify("--report")
    uploaded = machine.upload(*options, RESUME_OVER="10")

    assert verified.status == report.status == 1
    assert verified.lines[-2:] == ["Damaged on remote, send it again: FULL/a.tar.gz", "OUT_OF_SYNC"]
    assert "FULL, damaged on the server: 1" in report.lines
    assert uploaded.lines[0] == "FULL/a.tar.gz: repaired, it was damaged there"
    assert machine.stored() == {"FULL/a.tar.gz": sha256(sent)}
    assert machine.verify().status == 0


@each_shell
def test_nothing_to_send_is_an_error(machine: Machine) -> None:
    """A folder without archives suggests that backups no longer run."""
    run = machine.upload()

    assert run.status == 1
    assert "nothing to send" in run.err


@pytest.mark.parametrize("line", [["upload.sh", "laptop"], ["verify_sync.sh"]])
def test_a_missing_folder_is_an_error(machine: Machine, line: list[str]) -> None:
    """A wrong BACKUP_DIR is named."""
    run = machine.run(*line, BACKUP_DIR="no such folder")

    assert run.status == (1 if line[0] == "upload.sh" else 3)
    assert "BACKUP_DIR no such folder is not a directory" in run.err


@pytest.mark.parametrize("script", ["upload.sh", "verify_sync.sh"])
@pytest.mark.parametrize(
    "url",
    [
        "http://me:s3cret@127.0.0.1:1",
        "http://me:s3@cret@127.0.0.1:1",
        "http://me:s3/cret@127.0.0.1:1",
        "http://me:s3?cret@127.0.0.1:1",
        "http://127.0.0.1:1/?token=s3cret",
        "http://127.0.0.1:1/?token=s3@cret",
        "http://127.0.0.1:1/#s3cret",
        "http://127.0.0.1:1?s3cret",
    ],
)
def test_no_secret_in_the_address_is_shown(machine: Machine, script: str, url: str) -> None:
    """In front of the host or after it."""
    machine.put("FULL/a.tar.gz")
    run = machine.run(script, *([machine.profile] if script == "upload.sh" else []), SERVER_URL=url)

    assert run.status != 0
    assert "cret" not in run.out + run.err
    assert "s3" not in run.out + run.err


@pytest.mark.parametrize("how", ["full", "closed", "unread"])
def test_archives_are_sent_even_if_the_output_is_not_read(machine: Machine, how: str) -> None:
    """Every archive is sent; a full disk under standard output is reported, with exit status 3."""
    names = [f"FULL/full{number}.tar.gz" for number in range(3)]
    for name in names:
        machine.put(name)
    redirected = {"full": ">/dev/full", "closed": ">&-", "unread": "| true"}[how]
    line = f'{{ "$@" || echo $? >"$TMPDIR/status"; }} {redirected}'
    ran = subprocess.run(
        ["sh", "-c", line, "sh", *machine.shell, str(SCRIPTS / "upload.sh"), machine.profile, "--all"],
        env={
            "PATH": os.environ["PATH"],
            "TMPDIR": str(machine.temporary),
            "SERVER_URL": machine.url,
            "BACKUP_DIR": str(machine.folder),
        },
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    status = machine.temporary / "status"
    found = int(status.read_text()) if status.exists() else 0
    status.unlink(missing_ok=True)

    stored = httpx2.get(f"{machine.url}/list", params={"profile": machine.profile}).json()
    assert stored["total_count"] == 3
    if how == "full":
        assert found == 3
        assert ran.stderr == "upload.sh: standard output cannot be written; the work itself was done\n"
    else:
        assert (found, ran.stderr) == (0, "")


def test_the_name_chosen_by_the_server_is_shown(shell: list[str], tmp_path: Path) -> None:
    """A server that keeps both archives of one name stores the second under another."""
    with live_server(tmp_path / "data", "--same-name", "keep-both") as server:
        machine = Machine(shell, tmp_path, server.url, "laptop")
        machine.put("FULL/a.tar.gz")
        machine.upload()
        machine.put("FULL/a.tar.gz", make_targz({"other": b"bytes"}))

        run = machine.upload()

        assert run.status == 0
        assert run.lines[0].startswith("FULL/a.tar.gz: stored as a.2")


# -- verify_sync.sh --------------------------------------------------------------------------------------------------


@each_shell
def test_the_same_archives_on_both_sides_are_synchronized(machine: Machine) -> None:
    """After everything was sent, both sides agree."""
    for place in ("FULL/a b.tar.gz", "INC/1.tar.gz", "INC/2.tar.gz"):
        machine.put(place)
    machine.upload("--all")

    run = machine.verify()

    assert (run.status, run.err) == (0, "")
    assert [" ".join(line.split()) for line in run.lines] == [
        f"{machine.url}, {machine.profile}",
        "FULL 1 here 1 on the server 1 the same",
        "INC 2 here 2 on the server 2 the same",
        "DIFF 0 here 0 on the server 0 the same",
        "SYNCHRONIZED",
    ]


@each_shell
def test_every_way_to_be_out_of_sync_is_named(machine: Machine) -> None:
    """Missing, extra and differing archives, each under its type."""
    for place in ("FULL/same.tar.gz", "INC/changed here.tar.gz", "DIFF/lost here.tar.gz"):
        machine.put(place)
    machine.upload("--all")
    machine.put("FULL/not sent, yet.tar.gz")
    machine.put("INC/changed here.tar.gz", make_targz({"other": b"bytes"}))
    (machine.folder / "DIFF/lost here.tar.gz").unlink()

    run = machine.verify()
    report = machine.verify("--report")

    assert run.status == report.status == 1
    assert run.lines[-1] == report.lines[-1] == "OUT_OF_SYNC"
    assert run.lines[4:-1] == [
        "Missing on remote: FULL/not sent, yet.tar.gz",
        "Differs from remote: INC/changed here.tar.gz",
        "Extra on remote: DIFF/lost here.tar.gz",
    ]
    assert "\n".join(report.lines[5:-2]) == (
        "FULL, the same on both sides: 1\n  same.tar.gz\n\n"
        "FULL, missing on the server: 1\n  not sent, yet.tar.gz\n\n"
        "INC, different on the server: 1\n  changed here.tar.gz\n\n"
        "DIFF, only on the server: 1\n  lost here.tar.gz"
    )


def test_a_line_break_in_a_name_confuses_no_other_archive(machine: Machine) -> None:
    """Even if sha256sum prints names unescaped, as busybox does."""
    machine.put("FULL/line\nbreak.tar.gz")
    machine.put("FULL/next.tar.gz")
    machine.upload("--all")
    tools = machine.home / "bin"
    tools.mkdir()
    (tools / "sha256sum").write_text(
        f"""#!/bin/sh
        shift
        for file in "$@"; do
            digest=$({shutil.which("sha256sum")} <"$file")
            printf '%s  %s\\n' "${{digest%% *}}" "$file"
        done"""
    )
    (tools / "sha256sum").chmod(0o755)

    run = machine.verify("--report", PATH=f"{tools}:{os.environ['PATH']}")

    assert "\n".join(run.lines[4:-1]) == (
        "\nFULL, the same on both sides: 1\n  next.tar.gz\n\nFULL, missing on the server: 1\n  line\\nbreak.tar.gz\n"
    )


def test_without_a_profile_all_the_server_holds_is_compared(shell: list[str], tmp_path: Path) -> None:
    """Another machine's archives count as extra, unless a profile excludes them."""
    with live_server(tmp_path / "data") as server:
        (tmp_path / "other").mkdir()
        machine = Machine(shell, tmp_path, server.url, "laptop")
        other = Machine(shell, tmp_path / "other", server.url, "other")
        machine.put("FULL/mine.tar.gz")
        machine.upload()
        other.put("FULL/theirs.tar.gz", make_targz({"theirs": b""}))
        other.upload()

        everything = machine.run("verify_sync.sh")
        by_option = machine.run("verify_sync.sh", "--profile=laptop", PROFILE="other")
        by_variable = machine.run("verify_sync.sh", PROFILE="laptop")

        assert everything.status == 1
        assert everything.lines[-3:] == [
            "Extra on remote: FULL/theirs.tar.gz",
            "Archives of other profiles count as extra; --profile NAME leaves them out.",
            "OUT_OF_SYNC",
        ]
        assert (by_option.status, by_option.lines[-1]) == (0, "SYNCHRONIZED")
        assert by_variable == by_option


def test_statistics_count_what_is_stored(shell: list[str], tmp_path: Path) -> None:
    """--stats prints archives and bytes by type and in total."""
    with live_server(tmp_path / "data") as server:
        machine = Machine(shell, tmp_path, server.url, "laptop")
        content = make_targz({"random": os.urandom(3000)})
        size = len(content)
        for place in ("FULL/a.tar.gz", "INC/b.tar.gz", "INC/c.tar.gz"):
            machine.put(place, content)
        machine.upload("--all")

        run = machine.run("verify_sync.sh", "--stats", PROFILE="laptop")

        assert (run.status, run.err) == (0, "")
        assert [line.split() for line in run.lines[1:]] == [
            ["FULL", "1", "archives", f"{size / 1024:.1f}", "KB"],
            ["INC", "2", "archives", f"{2 * size / 1024:.1f}", "KB"],
            ["DIFF", "0", "archives", "0.0", "B"],
            ["total", "3", "archives", f"{3 * size / 1024:.1f}", "KB"],
        ]


def test_the_servers_reason_is_shown_when_it_compares_nothing(machine: Machine) -> None:
    """An error of the server is not a difference between the two sides."""
    run = machine.run("verify_sync.sh", "--profile", 'no "profile"')

    assert run.status == 3
    assert run.err.startswith("verify_sync.sh: the server answered 400: profile name 'no \"profile\"' may hold only")


def test_the_answer_may_be_laid_out_in_any_way(machine: Machine) -> None:
    """Line breaks, another order of members, additional members and escapes in strings change nothing."""
    names = ['a "quoted" name', "back\\slash", "ends in a backslash\\", "[brackets], {braces}: and, commas", "\\\\", ""]
    answer = {
        "added": [{"sync_status": "SYNCHRONIZED"}, None, True, -1.5e3, [[]], {}],
        "issues": [f"Missing on remote: FULL/{name}" for name in names],
        "verification": {
            "FULL": {"missing_remote": names, "synced": [], "remote_count": 0, "local_count": 6, "type": "FULL"}
        },
        "sync_status": "OUT_OF_SYNC",
    }

    with answering(lambda request, body: (200, json.dumps(answer, indent=2).encode())) as url:
        run = machine.verify(SERVER_URL=url)

    assert run.status == 1
    assert run.lines[1].split() == ["FULL", "6", "here", "0", "on", "the", "server", "0", "the", "same"]
    assert run.lines[4:-1] == answer["issues"]


def test_thousands_of_archives_are_compared(machine: Machine) -> None:
    """2,000 long names exceed the command line of small systems, and are still compared."""
    sent: list[bytes] = []
    names = [f"{number:04} {'long ' * 30}.tar.gz" for number in range(2000)]
    content = make_targz()
    for name in names:
        machine.put(f"INC/{name}", content)

    def remember(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        sent.append(body)
        answer = httpx2.post(f"{machine.url}{request.path}", content=body, trust_env=False)
        return answer.status_code, answer.content

    with answering(remember) as url:
        run = machine.verify(SERVER_URL=url)

    assert run.status == 1
    assert run.lines[4:-1] == [f"Missing on remote: INC/{name}" for name in names]
    digest = hashlib.sha256(content).hexdigest()
    assert json.loads(sent[0])["local_backups"] == {
        "FULL": [],
        "INC": [{"name": name, "size": len(content), "sha256": digest} for name in names],
        "DIFF": [],
    }
