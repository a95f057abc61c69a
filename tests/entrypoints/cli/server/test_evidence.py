"""`tarkeep evidence`: a month for an auditor, whose signature openssl verifies without Tarkeep; and the whole chain."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tarkeep.adapters.filesystem.chained.evidence_log import FileEvidenceLog
from tarkeep.adapters.filesystem.data_directory import DataDirectory
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.errors.access import EvidenceNotFound
from tarkeep.domain.errors.settings import InvalidSetting, UsageError
from tarkeep.domain.evidence.entry import EvidenceEntry, EvidenceKind
from tarkeep.entrypoints.cli.server.watching.evidence import export, verify
from tarkeep.entrypoints.cli.terminal.exits import exit_code
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.require import require

THEN = datetime(2026, 10, 31, 22, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> StorageSettings:
    """A data directory with evidence of two months."""
    data = tmp_path / "data"
    DataDirectory.open(data, ids=RandomIds()).close()
    log = FileEvidenceLog(data)
    for hour in range(4):
        log.append(EvidenceEntry(THEN + timedelta(hours=hour), EvidenceKind.SCRUB, {"due": hour}))
    return StorageSettings(data=data)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    require("openssl", any((Path(at) / "openssl").exists() for at in os.get_exec_path()), "install openssl")
    made = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", made], check=True)
    return made


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def checked(command: str, folder: Path) -> tuple[int, str]:
    ran = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout.strip()


def test_a_signed_month_is_verified_by_openssl_alone(
    storage: StorageSettings, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the three commands that are printed, and no more once a byte of a file is another."""
    folder = tmp_path / "out"
    assert export(month="2026-10", sign=key, output=folder, json=True, storage=storage) == 0
    told = said(capsys)
    assert export(month="2026-10", sign=key, output=folder, storage=storage) == 0
    printed = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  openssl ")]
    files = {Path(file).suffix: Path(file) for file in told["files"]}
    (_, shown), signed, stated = (checked(command, folder) for command in told["checks"])

    assert printed == told["checks"]
    assert shown.endswith(told["key"])
    assert signed == (0, "Signature Verified Successfully")
    assert stated == (0, f"{told['sha256']} *evidence-2026-10.jsonl")
    assert (told["lines"], told["is_over"], told["is_whole"]) == (2, True, True)
    assert files[".jsonl"].read_bytes() == (storage.data / "evidence" / "2026-10.jsonl").read_bytes()
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == sorted(file.name for file in files.values())
    for suffix, check in ((".statement", 1), (".sig", 1), (".jsonl", 2)):
        whole = files[suffix].read_bytes()
        files[suffix].write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
        assert checked(told["checks"][check], folder)[0] != 0
        files[suffix].write_bytes(whole)


def test_a_statement_says_what_is_stated(storage: StorageSettings, tmp_path: Path) -> None:
    """That of the second month follows the first; without a key nothing is signed."""
    for month in ("2026-10", "2026-11"):
        assert export(month=month, output=tmp_path, storage=storage) == 0
    first, second = (
        (tmp_path / f"evidence-{month}.statement").read_text().splitlines() for month in ("2026-10", "2026-11")
    )

    assert first[:3] == ["Evidence of a Tarkeep server", "month: 2026-10", "lines: 2"]
    last = next(line for line in first if line.startswith("SHA-256 of the last line: ")).split()[-1]
    assert f"SHA-256 of the line before the first: {last}" in second
    assert "chain: whole" in second
    assert not list(tmp_path.glob("*.sig"))


def test_a_broken_chain_is_told_by_both(
    storage: StorageSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 13; and lines that were cut off by a digest that was kept."""
    verify(json=True, storage=storage)
    whole = said(capsys)
    file = storage.data / "evidence" / "2026-11.jsonl"
    kept = file.read_bytes()
    file.write_bytes(kept[: kept.index(b"\n") + 1])
    cut = verify(json=True, storage=storage), verify(head=whole["head"], json=True, storage=storage)
    capsys.readouterr()
    file.write_bytes(kept)
    (storage.data / "evidence" / "2026-10.jsonl").unlink()
    assert verify(storage=storage) == 13
    told = capsys.readouterr().out
    assert export(month="2026-11", output=tmp_path, storage=storage) == 13

    assert (whole["whole"], whole["lines"], whole["months"]) == (True, 4, ["2026-10", "2026-11"])
    assert cut == (0, 13)
    assert "broken: line 1 of 2026-11 does not follow the one before it" in told
    assert "chain: broken at line 1 of 2026-11" in (tmp_path / "evidence-2026-11.statement").read_text()


def test_what_cannot_be_exported_is_told(storage: StorageSettings, tmp_path: Path) -> None:
    """A month that is none or has nothing, a key that is missing or of another kind, a folder that is a file."""
    with pytest.raises(UsageError, match="'november' is not a month such as 2026-11"):
        export(month="november", storage=storage)
    with pytest.raises(EvidenceNotFound, match="of 2020-01; the months with some are 2026-10, 2026-11") as caught:
        export(month="2020-01", storage=storage)
    assert exit_code(caught.value) == 10
    with pytest.raises(InvalidSetting, match=r"there is no file .*none; make one with: openssl genpkey"):
        export(month="2026-10", sign=tmp_path / "none", storage=storage)
    other = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", other])
    with pytest.raises(InvalidSetting, match="is not an Ed25519 key"):
        export(month="2026-10", sign=other, output=tmp_path, storage=storage)
    with pytest.raises(InvalidSetting, match=r"Not a directory|File exists"):
        export(month="2026-10", output=other, storage=storage)
    with pytest.raises(UsageError, match="is not a digest of 64 hex digits"):
        verify(head="x", storage=storage)
