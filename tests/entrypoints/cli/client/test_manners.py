"""The manners of the client: what goes where, on terminals and off them, settings, tokens, and errors that help."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS
from tarkeep.entrypoints.cli.terminal import bars
from tests.support.listening import listening
from tests.support.machine import LARGE, MIB, Machine, keep_the_tree, some, store
from tests.support.server import LiveServer
from tests.support.stub_server import Answer, stub_server

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-8][0-9;]*m")


# -- terminals -------------------------------------------------------------------------------------------------------


def on_a_terminal(
    machine: Machine, *arguments: str, environment: Mapping[str, str] | None = None, stdout: int | None = None
) -> tuple[int, str]:
    """The exit code, and what a terminal of 100 columns got; standard output goes there, or to *stdout*."""
    ours, theirs = pty.openpty()
    sized = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tarkeep", *arguments],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=machine.environment({**sized, **(environment or {})}),
        cwd=machine.home,
    )
    os.close(theirs)
    seen = b""
    try:
        while block := os.read(ours, 65536):
            seen += block
    except OSError:  # EIO: nobody holds the other end any more
        pass
    finally:
        os.close(ours)
    return process.wait(60), seen.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_shows_a_bar_for_each_archive_and_one_in_total(machine: Machine, profile: str) -> None:
    """With sizes, rate and time left; what became of each archive stays in plain lines."""
    machine.keep("FULL", "large.tar.gz", LARGE)
    machine.keep("INC", "small.tar.gz", some("small"))
    code, seen = on_a_terminal(machine, "push", profile, "--limit-rate", "8M")

    assert code == 0
    assert COLOUR.search(seen)
    words = plain(seen)
    for label in ("total", r"FULL/large\.tar\.gz"):
        line = rf"{label} +━+.* +[0-9]+% +[0-9.]+ MB of 12\.0 MB +[0-9.]+ [KM]B/s +0:00:0[0-9]"
        assert re.search(line, words), words
    assert "FULL/large.tar.gz: stored (12.0 MB)" in words
    assert f"{profile} at {machine.url}: 2 stored, 0 stored already, 0 failed" in words


def test_pull_and_verify_have_bars_too(machine: Machine, live: LiveServer, profile: str) -> None:
    """The same, for what comes and for what is read."""
    store(live, profile, "FULL", "large.tar.gz", LARGE)

    _, pulled = on_a_terminal(machine, "pull", profile)
    assert re.search(r"FULL/large\.tar\.gz +━+", plain(pulled))
    _, verified = on_a_terminal(machine, "verify", profile, "--full")
    assert re.search(r"total +━+", plain(verified))


def test_a_narrow_terminal_keeps_percentage_and_rate(machine: Machine, profile: str) -> None:
    """Of 40 columns: names are shortened, and lines do not wrap; for a backup and an extraction, too."""
    name = "full_2026-11-23_02-00-00.tar.gz"
    keep_the_tree(machine, random.Random(1).randbytes(8 * MIB))
    machine.keep("FULL", name, LARGE)
    narrow = {"COLUMNS": "40"}
    _, pushed = on_a_terminal(machine, "push", profile, "--all", "--limit-rate", "8M", environment=narrow)
    _, made = on_a_terminal(
        machine, "backup", profile, str(machine.tree), "--type", "full", "--limit-rate", "4M", environment=narrow
    )
    _, back = on_a_terminal(machine, "restore", profile, "--into", "back", environment=narrow)

    slowly = ("--limit-rate", "4M")
    _, merged = on_a_terminal(machine, "restore", profile, "--into", "whole", "--merged", *slowly, environment=narrow)

    rate = r" +[0-9]+% +[0-9.]+ [KM]B/s +\d:\d\d:\d\d"
    assert re.search(rf"total{rate}", plain(pushed)), plain(pushed)
    assert re.search(rf"FULL…_02-00-00{rate}", plain(pushed)), plain(pushed)
    assert re.search(rf"FULL…_\d\d-\d\d-\d\d{rate}", plain(made)), plain(made)
    assert re.search(r"FULL…_\d\d-\d\d-\d\d +[0-9]+% ", plain(back)), plain(back)
    assert re.search(rf"the tree{rate}", plain(merged)), plain(merged)
    drawn = [line for line in re.split(r"[\r\n]+", plain(pushed)) if "%" in line]
    assert max(map(len, drawn)) <= 40


@pytest.mark.parametrize("width", range(20, 130))
def test_whatever_the_width_share_and_rate_are_there(width: int) -> None:
    """And with more room there is more."""
    columns, room = bars.layout(width)
    kinds = [type(column).__name__ for column in columns]

    assert {"_Share", "_Rate"} <= set(kinds)
    assert width < 26 or room + sum(bars.WIDTHS[column] + 1 for column in columns) <= width
    assert (len(kinds) == 5) == (width >= 84)
    name = "INC/inc_2026-11-24_02-00-00.tar.gz"
    assert len(bars.shortened(name, room)) <= room
    assert bars.shortened(name, room).removesuffix(".tar.gz").endswith("00")


def test_quiet_shows_no_bar(machine: Machine, profile: str) -> None:
    """Nor anything else, where nothing is wrong."""
    machine.keep("FULL", "large.tar.gz", LARGE)

    assert on_a_terminal(machine, "push", profile, "--quiet") == (0, "")
    assert on_a_terminal(machine, "pull", profile, "--quiet", "--into", "back") == (0, "")


def test_no_color_takes_the_colours_away(machine: Machine, profile: str) -> None:
    """The bars stay."""
    machine.keep("FULL", "large.tar.gz", LARGE)
    _, seen = on_a_terminal(machine, "push", profile, environment={"NO_COLOR": "1"})

    assert "━" in seen
    assert not COLOUR.search(seen)
    _, helped = on_a_terminal(machine, "push", "--help", environment={"NO_COLOR": "1"})
    assert not COLOUR.search(helped)


def test_results_go_to_their_file_while_bars_go_to_the_terminal(machine: Machine, profile: str) -> None:
    """tarkeep push > file, as people run it."""
    machine.keep("FULL", "large.tar.gz", LARGE)
    with (machine.home / "out").open("wb") as out:
        _, seen = on_a_terminal(machine, "push", profile, stdout=out.fileno())

    assert (machine.home / "out").read_text().splitlines() == [
        "FULL/large.tar.gz: stored (12.0 MB)",
        f"{profile} at {machine.url}: 1 stored, 0 stored already, 0 failed",
    ]
    assert "━" in seen
    assert "stored" not in seen


@pytest.mark.parametrize("command", [*CLIENT_COMMANDS, "--help", "completion"])
def test_off_a_terminal_nothing_is_escaped(machine: Machine, profile: str, command: str) -> None:
    """Neither in results nor in messages, whatever the environment says of the terminal."""
    keep_the_tree(machine)
    machine.run("push", profile)
    about = {"completion": ["fish"], "--help": []}.get(command, machine.about(command, profile))
    ran = machine.run(*command.split(), *about, environment={"TERM": "xterm-256color"})

    assert ran.returncode == 0, ran.stderr
    assert ESCAPE not in ran.stdout + ran.stderr
    assert ran.stderr == ""


def test_names_cannot_talk_to_the_terminal(machine: Machine, profile: str) -> None:
    """Whatever somebody called a file; and one that no server takes does not hold up the others."""
    machine.keep("FULL", "\x1b[31mred\n.tar.gz", some("a"))
    machine.keep("INC", "good.tar.gz", some("b"))
    ran = machine.run("push", profile, "--all")

    assert ran.returncode == 3
    assert ESCAPE not in ran.stdout + ran.stderr
    assert r"FULL/\x1b[31mred\n.tar.gz: not stored: archive name" in ran.stderr
    assert "INC/good.tar.gz: stored" in ran.stdout


# -- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_json_is_an_object_a_line_with_a_summary_last(machine: Machine, profile: str, command: str) -> None:
    """On every command, and nothing else on standard output."""
    keep_the_tree(machine, random.Random(1).randbytes(12 * MIB))
    if command != "push":
        machine.run("push", profile)
    ran = machine.run(*command.split(), *machine.about(command, profile), "--json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]

    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(lines) >= (1 if command in ("cat", "drill list") else 2)
    assert [line.get("summary") for line in lines] == [None] * (len(lines) - 1) + [True]
    if command in ("push", "pull"):
        under_way = [line for line in lines if line.get("status") == "under-way"]
        assert under_way
        assert 0 < under_way[0]["position"] < under_way[0]["size"] > 12 * MIB


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_an_error_that_ends_a_command_is_its_json_summary(machine: Machine, profile: str, command: str) -> None:
    """For programs on standard output, for people on standard error."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    machine.tree.mkdir()
    about = machine.about(command, profile)
    ran = machine.run(
        *command.split(), *about, "--json", "--retries", "1", environment={"SERVER_URL": "http://127.0.0.1:1"}
    )
    last = json.loads(ran.stdout.splitlines()[-1])

    assert ran.returncode == 14
    assert (last["summary"], last["exit_code"]) == (True, 14)
    assert last["error"] in ran.stderr


# -- settings and tokens ---------------------------------------------------------------------------------------------


def configure(machine: Machine, text: str) -> None:
    file = machine.home / ".config" / "tarkeep" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_configured_machine_needs_no_words(machine: Machine, live: LiveServer, profile: str) -> None:
    """tarkeep push alone sends to the profile of the file; that of the environment, and then of the line, go before."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    configure(machine, f'profile = "{profile}"\n')

    assert f"{profile} at " in machine.run("push").stdout
    assert machine.run("status").returncode == 0
    assert machine.run("list").stdout.count(profile) == 1
    other = {"TARKEEP_PROFILE": f"{profile}-e"}
    assert f"{profile}-e at " in machine.run("push", environment=other).stdout
    assert f"{profile}-o at " in machine.run("push", "--profile", f"{profile}-o", environment=other).stdout
    assert f"{profile}-l at " in machine.run("push", f"{profile}-l", environment=other).stdout
    assert machine.run("pull", "--into", "back").stdout.startswith("FULL/a.tar.gz: pulled")


def test_without_a_profile_it_is_asked_for(machine: Machine) -> None:
    """With where to put it; and a file in its place is not taken for one."""
    machine.keep("FULL", "a.tar.gz", some("a"))
    nowhere = machine.run("push")
    in_its_place = machine.run("push", "backups/FULL/a.tar.gz")

    assert (nowhere.returncode, in_its_place.returncode) == (2, 2)
    assert "set TARKEEP_PROFILE, or profile = ... in" in nowhere.stderr
    assert "put the name of a profile before it" in in_its_place.stderr


@pytest.mark.parametrize("way", ["variable", "file", "file of the settings", "command", "command of the settings"])
def test_a_token_comes_from_a_file_a_command_or_the_environment(machine: Machine, way: str) -> None:
    """And goes to the server as a bearer token, without the line end of its file."""
    (machine.home / "token").write_text("s3cret\n")
    options: list[str] = []
    environment: dict[str, str] = {}
    if way == "variable":
        environment = {"TARKEEP_TOKEN": "s3cret"}
    elif way == "file":
        options = ["--token-file", "token"]
    elif way == "file of the settings":
        configure(machine, 'token_file = "~/token"\n')
    elif way == "command":
        options = ["--token-command", "cat token"]
    else:
        configure(machine, 'token_command = "cat token"\n')
    with stub_server(Answer(200, b'{"profiles": []}')) as stub:
        ran = machine.run("stats", *options, environment={"SERVER_URL": stub.url, **environment})

    assert ran.returncode == 0, ran.stderr
    assert [asked["authorization"] for asked in stub.asked] == ["Bearer s3cret"]


def test_without_a_token_none_is_sent(machine: Machine) -> None:
    """A server that wants none gets none."""
    with stub_server(Answer(200, b'{"profiles": []}')) as stub:
        machine.run("stats", environment={"SERVER_URL": stub.url})

    assert "authorization" not in stub.asked[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token", "s3cret"], "--token"),
        (["--token-file", "nowhere"], "setting token_file: nowhere: No such file or directory"),
        (["--token-command", "exit 3"], "setting token_command: it ended with 3"),
        (["--token-command", "true"], "setting token_command: it printed no token"),
        (["--token-file", "/dev/null"], "setting token_file: /dev/null holds no token"),
        (["--token-command", "printf 'a\\nb'"], "setting token_command: a token is one word"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_token_that_cannot_be_had_is_told(machine: Machine, arguments: list[str], said: str) -> None:
    """2, before anything is asked; a token is never an option, and never shown."""
    ran = machine.run("stats", *arguments)

    assert ran.returncode == 2
    assert said in ran.stderr


# -- errors ----------------------------------------------------------------------------------------------------------


@frozen
class Met:
    """An error a client meets: what the server answers, how the command ends, what it says."""

    answer: Answer
    code: int
    said: str
    arguments: tuple[str, ...] = ("stats",)


def problem(status: int, code: str, detail: str, **headers: str) -> Answer:
    body = json.dumps({"code": code, "detail": detail}).encode()
    return Answer(status, body, {"Content-Type": "application/problem+json", **headers})


@pytest.mark.parametrize(
    "met",
    [
        Met(Answer(200, b"<html>"), 1, "is http://127.0.0.1:PORT a Tarkeep server?"),
        Met(Answer(404, b"<html>"), 1, "unexpected answer 404; is http://127.0.0.1:PORT a Tarkeep server?"),
        Met(Answer(200, b'{"hello": 1}'), 1, "is http://127.0.0.1:PORT a Tarkeep server?"),
        Met(Answer(200, b'{"profiles": [1]}'), 1, "is http://127.0.0.1:PORT a Tarkeep server?"),
        Met(Answer(200, b'{"archives": [{}], "next_cursor": null}'), 1, "a Tarkeep server?", ("list",)),
        Met(Answer(200), 1, "a Tarkeep server?", ("verify", "laptop", "--backup-dir", ".")),
        Met(Answer(200), 1, "a Tarkeep server?", ("push", "laptop", "-", "--name", "a.tar.gz", "--type", "INC")),
        Met(Answer(301, b"", {"Location": "https://b.example/"}), 1, "points to https://b.example/; use the address"),
        Met(problem(401, "unauthorized", "a token is needed"), 12, "a token is needed; put a valid token into"),
        Met(Answer(401, b"<html>"), 12, "put a valid token into TARKEEP_TOKEN"),
        Met(problem(403, "insufficient-scope", "this token cannot list"), 12, "this token cannot list"),
        Met(problem(404, "not-found", "no such thing"), 1, "no such thing"),
        Met(problem(503, "shutting-down", "stopping"), 14, "stopping; run the same command again later"),
        Met(Answer(502, b"<html>"), 14, "run the same command again later"),
        *(
            Met(Answer(status, page), code, f"before http://127.0.0.1:PORT answered {status}, BaseHTTP")
            for status, code in ((401, 12), (403, 1), (405, 1), (413, 1), (502, 14), (504, 14))
            for page in (b"<html>", b"", b'{"message": "Forbidden"}')
        ),
        Met(Answer(403, b"<html>"), 1, "must let the methods GET, HEAD, POST, PUT, PATCH and DELETE through"),
        Met(
            Answer(413, b"<html>"),
            1,
            "client_max_body_size 0",
            ("push", "laptop", "-", "--name", "full.tar.gz", "--type", "full"),
        ),
        Met(
            problem(507, "insufficient-storage", "the server needs 9 bytes"),
            1,
            "free space on the server, then run the same command again",
            ("push", "laptop", "-", "--name", "full.tar.gz", "--type", "full"),
        ),
        Met(
            problem(413, "too-large", "larger than 9 bytes"),
            1,
            "the limit is max_upload_bytes on the server",
            ("push", "laptop", "-", "--name", "full.tar.gz", "--type", "full"),
        ),
    ],
    ids=lambda met: f"{met.answer.status}-{met.code}-{met.said[:20]}",
)
def test_what_a_server_answers_is_told_with_what_to_do(machine: Machine, met: Met) -> None:
    """The server's words, what to do next, the exit code, and no traceback."""
    with stub_server(met.answer) as stub:
        ran = machine.run(
            *met.arguments, "--retries", "1", environment={"SERVER_URL": stub.url}, stdin=some("from tar")
        )

    assert ran.returncode == met.code, ran.stderr
    assert met.said.replace("PORT", stub.url.rpartition(":")[2]) in ran.stderr
    assert "Traceback" not in ran.stderr


@contextmanager
def chatter(words: bytes) -> Iterator[str]:
    """Something on a port that is no HTTP server."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(words)

    with listening(answer) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "no answer from http://127.0.0.1:1: Connection refused"),
        ("http://no-such-host.invalid", "no answer from http://no-such-host.invalid: "),
        ("http://user:secret@127.0.0.1:1", "no answer from http://127.0.0.1:1: Connection refused"),
        ("http://CHATTER", "no answer from http://CHATTER: "),
        ("https://CHATTER", "it does not speak https"),
    ],
)
def test_no_server_is_told_with_where_it_was_looked_for(machine: Machine, url: str, said: str) -> None:
    """14, the address without a password, the reason, and what to look at."""
    with chatter(b"SSH-2.0-OpenSSH_9.2\r\n") as place:
        ran = machine.run("stats", "--retries", "1", "--server", url.replace("CHATTER", place))

    assert ran.returncode == 14
    assert said.replace("CHATTER", place) in ran.stderr
    assert "check that the server is running and --server is right, then run the same command again" in ran.stderr
    assert "secret" not in ran.stderr


def test_a_certificate_that_nobody_signed_is_told_at_once(machine: Machine, tmp_path: Path) -> None:
    """Trying again would not help; a file with the authority does."""
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key", "-out", tmp_path / "certificate"),
        ],
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with stub_server(Answer(200, b'{"profiles": []}'), context) as stub:
        refused = machine.run("stats", environment={"SERVER_URL": stub.url})
        trusted = {"SERVER_URL": stub.url, "SSL_CERT_FILE": str(tmp_path / "certificate")}
        taken = machine.run("stats", environment=trusted)

    assert refused.returncode == 1
    assert "is not trusted: self-signed certificate; give its issuer's certificate with --cacert" in refused.stderr
    assert "again in" not in refused.stderr
    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["push", "laptop", "gone.tar.gz"], 2, "gone.tar.gz: neither its folder nor its name shows FULL, INC or DIFF"),
        (["push", "laptop", "full_gone.tar.gz"], 2, "full_gone.tar.gz: No such file or directory"),
        (["push", "laptop", "FULL/folder.tar.gz"], 1, "folder.tar.gz cannot be used: it is a folder, not an archive"),
        (["push", "laptop", "FULL/_first.tar.gz"], 2, "archive name '_first.tar.gz' "),
        (["push", "laptop"], 1, "there is no such folder; set --backup-dir or BACKUP_DIR"),
        (["push", "laptop", "-", "--name", "x.tar.gz"], 2, "give --name NAME.tar.gz and --type FULL, INC or DIFF"),
        (["push", "laptop", "-", "--name", "x.tgz", "--type", "FULL"], 2, ".tar.gz"),
        (["push", "laptop", "--type", "WEEKLY", "full_gone.tar.gz"], 2, "use FULL, INC or DIFF"),
        (["push", "no spaces"], 2, "profile name 'no spaces' "),
        (["list", "--type", "WEEKLY"], 2, "use FULL, INC or DIFF"),
        (["stats", "--limit-rate", "1"], 2, "must be at least 64K"),
        (["stats", "--jobs", "0"], 2, "must be 1 or more"),
        (["stats", "--server", "backup:5000"], 2, "must begin with http:// or https://"),
        (["pull", "laptop"], 10, "no profile laptop; tarkeep stats shows the profiles"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_here_is_told_with_what_to_do(
    machine: Machine, arguments: list[str], code: int, said: str
) -> None:
    """The word that is wrong, and what would be right."""
    (machine.home / "FULL" / "folder.tar.gz").mkdir(parents=True)
    (machine.home / "FULL" / "_first.tar.gz").write_bytes(some("a"))
    ran = machine.run(*arguments, stdin=some("from tar"))

    assert ran.returncode == code, ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
