"""Names are escaped wherever they are shown: in JSON, in the log, and on a terminal."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tarkeep.entrypoints.logs import Log, configure
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.server import in_process, live_server
from tests.support.stub_server import Answer, stub_server
from tests.support.tars import END, GNU_MAGIC, gz, header, padded, pax

ESCAPES = "\x1b]0;owned\x07\x1b[2J"
BIDI = "gnp.\u202eexe\u2066\u2069\u200b"
HARM = f"a{ESCAPES}{BIDI}\r\n2026-01-01T00:00:00Z INFO forged"


def strings(value: object) -> list[str]:
    """Every string in a JSON value, keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_no_answer_in_json_has_a_character_that_is_not_plain_writing() -> None:
    """Names, links, owners, and names within sentences, of members and of listings, asked for in every way."""
    harm = HARM.encode()
    base = "/api/v1/profiles/host"
    own = pax({b"path": b"d/" + harm, b"linkpath": harm, b"uname": harm, b"gname": harm}) + header(b"x", type=b"2")
    listings = {letter: letter + harm + b"\0\0" for letter in (b"Y", b"N")}
    full, inc = (
        gz(pax({b"path": b"d"}) + header(b"d", len(listing), b"D", magic=GNU_MAGIC) + padded(listing) + own + END)
        for listing in (b"Ya\0\0", listings[b"N"])
    )
    plain = gz(pax({b"path": harm + b"/a"}) + header(b"x") + own + END)
    seen: list[str] = []
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        for type, name, content in (("FULL", "a", full), ("INC", "b", inc), ("DIFF", "c", plain)):
            put = client.put(f"{base}/archives/{type}/{name}.tar.gz", content=content)
            assert put.status_code == 201
            seen += strings(put.json())
            for path in ("/members", "/members/nothing%1b", "/members/" + "d"):
                seen += strings(client.get(f"{base}/archives/{type}/{name}.tar.gz{path}").json())
            for question in ("tree?recursive=true&", "tree?path=%1b%5b&", "find?name=a&", "plan?", "history?path=d/a&"):
                seen += strings(client.get(f"{base}/{question}at={type}/{name}.tar.gz").json())
        for path in ("points", "chains"):
            seen += strings(client.get(f"{base}/{path}").json())

    assert any(r"\x1b]0;owned\x07" in text for text in seen)
    assert any("lacks 1 name" in text and r"\x1b" in text for text in seen)
    assert [text for text in seen if not text.isprintable()] == []


@pytest.mark.parametrize("format", ["text", "json"])
def test_nothing_can_forge_a_line_of_the_log(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields, events, messages of libraries and what errors say stay within their line, or within its traceback."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure("info", format)
        Log("tarkeep").info(HARM, path=HARM)
        logging.getLogger("library").warning("what: %s", HARM)
        Log("tarkeep").error("bug", error=ValueError(HARM))
    finally:
        root.handlers[:], root.level = before

    lines = stream.getvalue().splitlines()
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("2026-01-01")] == []
    if format == "json":
        assert len([json.loads(line) for line in lines]) == 3


def tarkeep(folder: Path, *arguments: str) -> str:
    """The output of the command, both streams."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    environment = {**clean, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [sys.executable, "-m", "tarkeep", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)
    return (done.stdout + done.stderr).decode(errors="surrogateescape")


def test_an_importer_shows_what_it_meets_escaped(tmp_path: Path) -> None:
    """Anyone may have chosen the names in the folder of an original server."""
    folder = tmp_path / "remote_backups" / "FULL"
    folder.mkdir(parents=True)
    (folder / f"{ESCAPES}{BIDI}.tar.gz").write_bytes(make_targz())

    shown = tarkeep(tmp_path, "import", str(folder.parent), "--data", str(tmp_path / "data"))

    assert "owned" in shown
    assert [line for line in shown.splitlines() if not line.isprintable()] == []


def test_what_a_server_says_cannot_talk_to_the_terminal(tmp_path: Path) -> None:
    """A server can put anything into the sentence of a refusal."""
    body = json.dumps({"code": "invalid-name", "detail": HARM, "error": HARM, "status": 400}).encode()
    with stub_server(Answer(400, body, {"Content-Type": "application/problem+json"})) as stub:
        shown = tarkeep(tmp_path, "list", "--server", stub.url)

    assert "owned" in shown
    assert [line for line in shown.splitlines() if not line.isprintable()] == []
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("command", ["points", "ls", "find", "history", "status", "restore", "cat"])
def test_what_is_in_archives_cannot_talk_to_the_terminal(tmp_path: Path, command: str) -> None:
    """Names of members, and reasons that contain them, in everything that the client shows of a server's answers."""
    harm = HARM.encode()
    listings = (b"Y" + harm + b"\0\0", b"N" + harm + b"x\0\0")
    full, inc = (
        gz(pax({b"path": b"d"}) + header(b"d", len(listing), b"D", magic=GNU_MAGIC) + padded(listing) + END)
        for listing in listings
    )
    inside = pax({b"path": b"d/" + harm}) + header(b"h", 1, b"D", magic=GNU_MAGIC) + padded(b"\0")
    listing = b"D" + harm + b"\0\0"
    other = gz(
        pax({b"path": b"d"}) + header(b"d", len(listing), b"D", magic=GNU_MAGIC) + padded(listing) + inside + END
    )
    place = "/api/v1/profiles/host/archives"
    words = {
        "ls": ["host", "--recursive"],
        "find": ["host", "*owned*"],
        "history": ["host", "d"],
        "restore": ["host", "--into", "there", "--dry-run"],
        "cat": ["host", f"d/{ESCAPES}"],
    }
    with live_server(tmp_path / "data") as server:
        with server.client() as client:
            for path, content in (("FULL/a", full), ("INC/b", inc), ("FULL/c", other)):
                assert client.put(f"{place}/{path}.tar.gz", content=content).status_code == 201
        shown = tarkeep(tmp_path, command, *words.get(command, ["host"]), "--server", server.url)

    assert shown
    assert "Traceback" not in shown
    assert [line for line in shown.splitlines() if not line.isprintable()] == []


@pytest.mark.parametrize("text", ["b.tar.gz", "overlay", "orphan", "no stored FULL or INC was taken before it"])
def test_points_of_a_server_that_means_harm_cannot_talk_to_the_terminal(tmp_path: Path, text: str) -> None:
    """In any name, word or reason."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (client, _):
        client.put("/api/v1/profiles/host/archives/INC/b.tar.gz", content=make_targz())
        honest = client.get("/api/v1/profiles/host/points").text
    assert json.dumps(text) in honest
    told = honest.replace(json.dumps(text), json.dumps(HARM)).encode()

    with stub_server(Answer(200, told, {"Content-Type": "application/json"})) as stub:
        shown = tarkeep(tmp_path, "points", "host", "--server", stub.url)

    assert shown
    assert [line for line in shown.splitlines() if not line.isprintable()] == []
