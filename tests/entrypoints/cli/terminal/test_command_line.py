"""The command line: settings from option, environment and file, and errors that say what to do."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import fields

from tarkeep.entrypoints.settings.client import ClientSettings
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings, parse_size
from tests.support.archives import make_targz
from tests.support.require import require
from tests.support.server import live_server


def tarkeep(
    cwd: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    return subprocess.run(
        [sys.executable, "-m", "tarkeep", *arguments],
        cwd=cwd,
        env={**clean, "COLUMNS": "200", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_explains_every_setting(tmp_path: Path) -> None:
    """Each setting has its option and at least a sentence."""
    done = tarkeep(tmp_path, "serve", "--help")

    assert done.returncode == 0
    for attribute in (*fields(StorageSettings), *fields(ServerSettings)):
        option = f"  --{attribute.name.replace('_', '-')}"
        told = re.split(rf"^{option}\b", done.stdout, flags=re.MULTILINE)[1].partition("\n  -")[0]
        assert len(told.split()) > 5, (option, told)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["serve", "--help"]])
def test_asking_imports_nothing_of_the_server(arguments: list[str]) -> None:
    """The version and the help come without databases and web frameworks."""
    program = (
        "import sys; from tarkeep.entrypoints.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'starlette', 'uvicorn', 'alembic'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("way", ["option", "environment", "file", "named file"])
def test_a_setting_is_given_in_each_way(tmp_path: Path, way: str) -> None:
    """Option, TARKEEP_ variable, tarkeep.toml in the working directory, and a file that is named."""
    options: list[str] = []
    environment: dict[str, str] = {}
    if way == "option":
        options = ["--max-upload-bytes", "2K"]
    elif way == "environment":
        environment = {"TARKEEP_MAX_UPLOAD_BYTES": "2K"}
    elif way == "file":
        (tmp_path / "tarkeep.toml").write_text('max_upload_bytes = "2K"\n')
    else:
        (tmp_path / "other.toml").write_text('max_upload_bytes = "2K"\n')
        options = ["--config", str(tmp_path / "other.toml")]

    with (
        live_server(tmp_path / "data", *options, environment=environment, cwd=tmp_path) as server,
        server.client() as client,
    ):
        answer = client.put("/api/v1/profiles/p/archives/FULL/a.tar.gz", content=b"x" * 3000)

    assert answer.status_code == 413
    assert answer.json()["limit"] == 2048


def test_an_option_overrules_the_environment_and_that_the_file(tmp_path: Path) -> None:
    """The nearest word counts."""
    (tmp_path / "tarkeep.toml").write_text('max_upload_bytes = 1\nsame_name = "keep-both"\n')
    environment = {"TARKEEP_MAX_UPLOAD_BYTES": "2", "TARKEEP_BODY_SECONDS": "7"}

    with (
        live_server(tmp_path / "data", "--max-upload-bytes", "3", environment=environment, cwd=tmp_path) as server,
        server.client() as client,
    ):
        answer = client.put("/api/v1/profiles/p/archives/FULL/a.tar.gz", content=b"x" * 3000)

    assert answer.json()["limit"] == 3


@pytest.mark.parametrize(
    ("arguments", "environment", "file", "said"),
    [
        (["serve", "--prot", "1"], {}, "", "--prot"),
        (
            ["serve"],
            {"TARKEEP_PROT": "1"},
            "",
            "this environment variable is not a setting; did you mean",
        ),
        (["serve"], {"TARKEEP_PORT": "x"}, "", "variable TARKEEP_PORT must be a whole number, not 'x'"),
        (["serve"], {"TARKEEP_PORT": "66000"}, "", "setting port (variable TARKEEP_PORT): must be 0 to 65535"),
        (["serve"], {}, "prot = 1\n", "tarkeep.toml: there is no setting prot; did you mean port?"),
        (["serve"], {}, "port = 66000\n", "setting port in tarkeep.toml: must be 0 to 65535, is 66000"),
        (["serve"], {}, 'behind_proxy = "x"\n', "tarkeep.toml: behind_proxy must be true or false, not 'x'"),
        (["serve"], {}, "[limits]\nport = 1\n", "tarkeep.toml: there is no setting limits.port"),
        (["serve", "--data", "~no-such-user/x"], {}, "", "setting ~no-such-user/x: there is no user no-such-user"),
        (["serve"], {}, "port = \n", "tarkeep.toml"),
        (["serve", "--port", "66000"], {}, "", "port"),
        (["serve", "--port", "many"], {}, "", "many"),
        (["serve", "--max-upload-bytes", "lots"], {}, "", "lots"),
        (["serve", "--max-upload-bytes", "0"], {}, "", "max_upload_bytes"),
        (["serve", "--same-name", "replace"], {}, "", "replace"),
        (["serve", "--store", "ftp://somewhere"], {}, "", "ftp"),
        (["serve", "--catalog", "mysql://somewhere"], {}, "", "mysql"),
        (["serve", "--host", "192.0.2.1"], {}, "", "192.0.2.1"),
        (["serve", "--config", "missing.toml"], {}, "", "missing.toml"),
        (["import", "nowhere"], {}, "", "FULL, INC and DIFF"),
        (["import", ".", "--timezone", "Mars/Olympus"], {}, "", "Europe/Paris"),
        (["no-such-command"], {}, "", "no-such-command"),
    ],
)
def test_a_wrong_setting_is_told_and_nothing_starts(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], file: str, said: str
) -> None:
    """Status 2, the wrong word on standard error, no traceback, and no data directory of a typing mistake."""
    if file:
        (tmp_path / "tarkeep.toml").write_text(file)

    done = tarkeep(tmp_path, *arguments, environment=environment)

    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_one_settings_file_serves_every_command(tmp_path: Path) -> None:
    """A file with the server's settings is not an error to token and rebuild."""
    (tmp_path / "tarkeep.toml").write_text('port = 5001\ndata = "here"\n')

    made = tarkeep(tmp_path, "token", "create", "--scope", "push", "--profile", "p")
    done = tarkeep(tmp_path, "rebuild")

    assert made.returncode == 0
    assert (done.returncode, done.stdout) == (0, "0 archives entered into the catalog\n")
    assert (tmp_path / "here" / "catalog.sqlite").is_file()


def test_a_rebuild_tells_what_it_left_out_and_what_to_do(tmp_path: Path) -> None:
    """Status 3, the archive with the reason, and the way out, which works."""
    data = ["--data", str(tmp_path / "data")]
    with live_server(tmp_path / "data"):
        pass
    folder = tmp_path / "data" / "archives" / "document" / "FULL"
    folder.mkdir(parents=True)
    (folder / "a.tar.gz").write_bytes(b"not a gzip")
    (folder / "a.tar.gz.json").write_text("{")

    wrong = tarkeep(tmp_path, "rebuild", *data)
    (folder / "a.tar.gz.json").unlink()
    mended = tarkeep(tmp_path, "rebuild", *data)

    assert wrong.returncode == 3
    assert "left out: document/FULL/a.tar.gz" in wrong.stdout
    assert "remove a wrong side-car" in wrong.stdout
    assert mended.returncode == 0
    assert "described anew, had no side-car; it is not a whole .tar.gz: document/FULL/a.tar.gz" in mended.stdout


def test_a_data_directory_in_use_is_told(tmp_path: Path) -> None:
    """The second process says who has it and what to do, and ends with 1."""
    with live_server(tmp_path / "data") as server:
        done = tarkeep(tmp_path, "rebuild", "--data", str(tmp_path / "data"))

        assert done.returncode == 1
        assert f"in use by process {server.process.pid}" in done.stderr
        assert "stop it first" in done.stderr


MAKING = [["serve", "--port", "0"], ["token", "create", "--scope", "push", "--profile", "p"], ["import", "old"]]
LOOKING = [["rebuild"], ["token", "list"], ["token", "revoke", "abcdefgh"], ["audit", "verify"]]


@pytest.mark.parametrize("command", [*MAKING, *LOOKING], ids=" ".join)
@pytest.mark.parametrize("place", ["home", "file", "file/below"])
def test_what_can_be_no_data_directory_is_not_taken_over(tmp_path: Path, command: list[str], place: str) -> None:
    """Nobody's home directory becomes a store by a typing mistake, and the error names what was typed."""
    (tmp_path / "old" / "FULL").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))

    done = tarkeep(tmp_path, *command, "--data", str(tmp_path / place))

    assert done.returncode == 2, done.stderr
    assert str(tmp_path / place) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
@pytest.mark.parametrize("place", ["missing", "missing/below", "empty"])
def test_a_command_for_what_is_there_makes_nothing(tmp_path: Path, command: list[str], place: str) -> None:
    """A slip, or a disk that is not mounted, is told, and not taken for a server without tokens or archives."""
    (tmp_path / "empty").mkdir()

    done = tarkeep(tmp_path, *command, "--data", str(tmp_path / place))

    assert (done.returncode, done.stdout) == (2, "")
    assert f"no data directory {tmp_path / place}" in done.stderr.replace(" in ", " ")
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_store_elsewhere_is_looked_for_there(tmp_path: Path) -> None:
    """A rebuild beside a data directory, whose store was mistyped or is not mounted."""
    data = ["--data", str(tmp_path / "data"), "--store", f"file:{tmp_path / 'store'}"]
    tarkeep(tmp_path, "token", "create", "--scope", "push", "--profile", "p", *data)

    missing = tarkeep(tmp_path, "rebuild", *data)

    assert missing.returncode == 2
    assert str(tmp_path / "store") in missing.stderr
    assert not (tmp_path / "store").exists()


def test_a_first_token_in_a_new_directory_says_so(tmp_path: Path) -> None:
    """It may be made before the first start, so a slip can only be told."""
    made = [
        tarkeep(tmp_path, "token", "create", "--scope", "push", "--profile", "p", "--data", str(tmp_path / "data"))
        for _ in range(2)
    ]

    assert f"no data directory {tmp_path / 'data'}" in made[0].stderr
    assert "no data directory" not in made[1].stderr


@pytest.mark.parametrize("content", [None, "{"])
def test_a_start_without_the_tokens_that_there_were_is_refused(tmp_path: Path, content: str | None) -> None:
    """It names the file's directory and both ways out, one of which works."""
    data = tmp_path / "data"
    create = ["token", "create", "--scope", "list", "--profile", "*", "--data", str(data)]
    tarkeep(tmp_path, *create)
    (data / "tokens.json").unlink()
    if content is not None:
        (data / "tokens.json").write_text(content)

    done = tarkeep(tmp_path, "serve", "--port", "0", "--data", str(data))
    (data / "tokens.json").unlink(missing_ok=True)
    made = tarkeep(tmp_path, *create)
    with live_server(data) as server, server.client() as client:
        answers = [
            client.get("/list", headers=headers) for headers in ({}, {"Authorization": f"Bearer {made.stdout.strip()}"})
        ]

    assert done.returncode == 1
    assert f"{data} cannot be used: the token file is not available" in done.stderr
    assert "put it back from a copy, or make new tokens (tarkeep token create)" in done.stderr
    assert [answer.status_code for answer in answers] == [401, 200]


def test_a_data_directory_that_may_not_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    """In words for who starts the server, not for who sends an archive."""
    require("root", os.geteuid() == 0, "run the tests as root, to give root up")
    (tmp_path / "closed").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    as_other = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]

    done = subprocess.run(
        [
            *as_other,
            sys.executable,
            "-m",
            "tarkeep",
            "serve",
            "--port",
            "0",
            "--data",
            str(tmp_path / "closed" / "data"),
        ],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1, done.stderr
    assert f"{tmp_path / 'closed' / 'data'} cannot be used: Permission denied" in done.stderr
    assert "at the moment" not in done.stderr


@pytest.mark.parametrize("what", ["damaged", "a directory"])
def test_a_catalog_that_cannot_be_opened_is_named(tmp_path: Path, what: str) -> None:
    """Its file, and what to do."""
    with live_server(tmp_path / "data"):
        pass
    file = tmp_path / "data" / "catalog.sqlite"
    file.unlink()
    if what == "damaged":
        file.write_bytes(b"no database" * 1000)
    else:
        file.mkdir()

    done = tarkeep(tmp_path, "serve", "--port", "0", "--data", str(tmp_path / "data"))

    assert done.returncode == 1
    assert f"tarkeep: {file} cannot be used: its file" in done.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Which address, and why."""
    with live_server(tmp_path / "data") as server:
        _, port = server.host_and_port
        done = tarkeep(tmp_path, "serve", "--data", str(tmp_path / "other"), "--port", str(port))

    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_whoever_may_use_the_server_is_told_at_its_start(tmp_path: Path, host: str) -> None:
    """Without a token its own machine, on any loopback address; an operator must not find that out by chance."""
    with live_server(tmp_path / "data", "--host", host) as server:
        assert server.stop() == 0

    assert 'access="open to this machine"' in server.log.read_text()


def test_a_server_stops_cleanly_when_told(tmp_path: Path) -> None:
    """SIGTERM ends it with 0 and a last line in the log."""
    with live_server(tmp_path / "data") as server:
        status = server.stop()

    assert status == 0
    assert "stopped" in server.log.read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500M", 500 << 20), ("20GiB", 20 << 30), ("1 k", 1024), ("2TB", 2 << 40), ("7B", 7)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Plain bytes, or a number with a unit of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "1.5G", "-1", "1X", "ten"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Rather than a guess."""
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_what_a_server_makes_is_for_its_user_alone(tmp_path: Path) -> None:
    """Whatever the shell's umask: archives may be read by their owner, and nothing by anybody else."""
    anything_goes = ("sh", "-c", 'umask 000; exec "$@"', "sh")
    with live_server(tmp_path / "data", prefix=anything_goes) as server, server.client() as client:
        place = "/api/v1/profiles/host/archives/FULL/a.tar.gz"
        assert client.put(place, content=make_targz()).status_code == 201
        assert (
            client.post("/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "9"}).status_code == 400
        )
        assert client.get(place + "/members").status_code == 200

        modes = {path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in server.data.rglob("*")}

    assert len(modes) > 10
    assert [(path, oct(mode)) for path, mode in modes.items() if mode & 0o077] == []
    archives = [mode for path, mode in modes.items() if path.name.startswith("a.tar.gz")]
    assert archives == [0o400, 0o400]


@pytest.mark.parametrize("kind", [StorageSettings, ServerSettings, ClientSettings])
def test_every_path_may_begin_at_home(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell replaces the ~ in a file, in a variable, or behind --option=."""
    monkeypatch.setenv("HOME", "/home/me")
    named = [attribute.name for attribute in fields(kind) if "Path" in str(attribute.type)]
    assert named
    for name in named:
        made = getattr(kind(**{name: Path("~/there")}), name)
        # these two are read when they are needed, and replaced there
        assert made == Path("/home/me/there") or name in ("token_file", "cacert"), name
        assert getattr(kind(**{name: Path("a/~b")}), name) == Path("a/~b")


def test_a_url_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As paths do."""
    monkeypatch.setenv("HOME", "/home/me")
    settings = StorageSettings(store="file:~/store", catalog="sqlite:///~/catalog")

    assert (settings.store, settings.catalog) == ("file:/home/me/store", "sqlite:////home/me/catalog")
    assert StorageSettings(store="memory:").store == "memory:"
