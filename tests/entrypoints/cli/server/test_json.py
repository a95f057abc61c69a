"""``--json`` of the commands on a server's host: one object on standard output, whatever comes of the command."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tarkeep.domain.usecases.keeping.validate_store import ValidateStore
from tarkeep.entrypoints.cli import commands
from tarkeep.entrypoints.cli.main import app
from tarkeep.entrypoints.cli.server.access import audit_head, create_token, list_tokens, self_signed, verify_audit
from tarkeep.entrypoints.cli.server.doctor import told
from tarkeep.entrypoints.cli.terminal.output import Output
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.archives import make_targz
from tests.support.faulty import Fault, FaultyStore
from tests.support.require import require


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one object that was printed."""
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_every_command_prints_json_that_prints_anything() -> None:
    """A server prints nothing, a help page and a script are for others."""
    without = set()
    for one in commands.named():
        called = app
        for word in one.name.split():
            called = called[word]
        names = {name for each in called.assemble_argument_collection(parse_docstring=False) for name in each.names}
        without |= set() if "--json" in names else {one.name}
    assert without == {"serve", "help", "completion"}


def test_a_token_is_made_with_what_it_allows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The object is that of the list, and the text that is shown once."""
    storage = StorageSettings(data=tmp_path / "data")

    create_token(scope=["push", "list"], profile=["web-*"], note="nightly", json=True, storage=storage)
    made = said(capsys)
    text = made.pop("token")
    list_tokens(json=True, storage=storage)

    assert made == said(capsys)
    assert text.startswith(f"tk_{made['id']}_")
    assert (made["scopes"], made["profiles"], made["note"]) == (["push", "list"], ["web-*"], "nightly")


def test_the_audit_log_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the line that is wrong; a log that does not verify has no head."""
    storage = StorageSettings(data=tmp_path / "data")
    create_token(scope=["list"], profile=["*"], storage=storage)
    create_token(scope=["list"], profile=["*"], storage=storage)
    capsys.readouterr()

    assert audit_head(json=True, storage=storage) == 0
    head = said(capsys)["head"]
    assert verify_audit(head=head, json=True, storage=storage) == 0
    whole = said(capsys)
    log = tmp_path / "data" / "audit.log"
    log.write_bytes(log.read_bytes().replace(b" list ", b" push "))
    assert verify_audit(json=True, storage=storage) == 1
    broken = said(capsys)
    assert audit_head(json=True, storage=storage) == 1
    refused = said(capsys)

    assert (whole["whole"], whole["lines"], whole["head"], whole["kept_head_line"]) == (True, 2, head, 2)
    assert (broken["whole"], broken["broken_line"]) == (False, 2)
    assert (refused["code"], refused["exit_code"]) == ("audit-broken", 1)


def test_a_certificate_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where both files are, and by what it is trusted."""
    require("openssl", any((Path(at) / "openssl").exists() for at in os.get_exec_path()), "install openssl")

    assert self_signed("127.0.0.1", into=tmp_path, json=True) == 0
    made = said(capsys)

    assert sorted(made) == ["certificate", "fingerprint", "key"]
    assert Path(made["certificate"]).exists()
    assert Path(made["key"]).exists()


def test_the_promises_of_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with whether it is kept, and what is wrong."""
    store = FaultyStore(fault=Fault("read", OSError(5, "Input/output error")))

    code = told("file:///srv", ValidateStore(lambda: nullcontext(store))(), Output(as_json=True, quiet=False))
    found = said(capsys)

    assert (code, found["store"], found["tried"]) == (1, "file:///srv", len(found["promises"]))
    assert sum(one["kept"] for one in found["promises"]) == found["kept"] == 5
    assert found["promises"][0]["error"] == "OSError: [Errno 5] Input/output error"


def test_an_import_and_a_rebuild(tmp_path: Path) -> None:
    """What came of each archive; the log stays on standard error."""
    (tmp_path / "original" / "FULL").mkdir(parents=True)
    content = make_targz({"a.txt": b"first\n"})
    for name, md5 in (("good", hashlib.md5(content).hexdigest()), ("bad", "0" * 32)):
        file = tmp_path / "original" / "FULL" / f"{name}.tar.gz"
        file.write_bytes(content)
        file.with_name(f"{name}.tar.json").write_text(json.dumps({"md5": md5, "profile": "web", "type": "FULL"}))

    def ran(*words: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "tarkeep", *words, "--json", "--data", str(tmp_path / "data")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (line,) = done.stdout.splitlines()
        return done.returncode, json.loads(line)

    code, imported = ran("import", str(tmp_path / "original"))
    assert (code, len(imported["imported"]), imported["already_there"]) == (3, 1, [])
    assert [one["archive"] for one in imported["refused"]] == ["FULL/bad.tar.gz"]
    code, rebuilt = ran("rebuild")
    assert (code, rebuilt["in_order"], rebuilt["entered"]) == (0, True, 1)
