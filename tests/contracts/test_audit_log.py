"""The audit logs keep their contract; and what somebody does to the file is found."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tarkeep.adapters.audit_file import FileAuditLog
from tarkeep.adapters.memory_audit import MemoryAuditLog
from tarkeep.domain.ports import AuditLog
from tests.contracts.audit_log import AuditLogContract, entry


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def another(self) -> Callable[[], AuditLog]:
        log = MemoryAuditLog()
        return lambda: log


class TestFileAuditLog(AuditLogContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], AuditLog]:
        return lambda: FileAuditLog(tmp_path)


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The five lines of a log in *tmp_path*."""
    log = FileAuditLog(tmp_path)
    for number in range(5):
        log.append(entry(f"laptop/FULL/{number}.tar.gz"))
    return (tmp_path / "audit.log").read_bytes().splitlines(keepends=True)


def checked(folder: Path, *lines: bytes, noted: str | None = None) -> tuple[int | None, bool]:
    (folder / "audit.log").write_bytes(b"".join(lines))
    report = FileAuditLog(folder).check(noted)
    return report.broken, report.holds_noted


def test_whatever_is_done_to_lines_is_found_at_the_next(tmp_path: Path, lines: list[bytes]) -> None:
    """Changed by one character, taken out, put in, put elsewhere."""
    assert checked(tmp_path, *lines) == (None, True)
    assert checked(tmp_path, lines[0], lines[1].replace(b"new", b"old"), *lines[2:]) == (3, True)
    assert checked(tmp_path, lines[0], *lines[2:]) == (2, True)
    assert checked(tmp_path, *lines[1:]) == (1, True)
    assert checked(tmp_path, *lines[:2], lines[0], *lines[2:]) == (3, True)
    assert checked(tmp_path, lines[0], lines[2], lines[1], *lines[3:]) == (2, True)
    assert checked(tmp_path, lines[0], b"garbage\n", *lines[1:]) == (3, True)


def test_lines_cut_off_are_found_by_whom_noted_the_last(tmp_path: Path, lines: list[bytes]) -> None:
    """The chain alone cannot tell."""
    noted = FileAuditLog(tmp_path).check().last

    assert checked(tmp_path, *lines[:3]) == (None, True)
    assert checked(tmp_path, *lines[:3], noted=noted) == (None, False)


def test_a_line_torn_by_a_crash_stays_and_the_next_follows_it(tmp_path: Path, lines: list[bytes]) -> None:
    """At whatever byte it was cut."""
    for length in range(1, len(lines[4]) - 1):
        (tmp_path / "audit.log").write_bytes(b"".join(lines[:4]) + lines[4][:length])
        FileAuditLog(tmp_path).append(entry())

        report = FileAuditLog(tmp_path).check()
        assert (report.lines, report.broken, report.torn) == (6, None, 1)


def test_lines_are_whole_whoever_adds_at_once(tmp_path: Path) -> None:
    """Threads of one process and other processes, which share nothing but the file."""
    shared = FileAuditLog(tmp_path)
    adders = [
        threading.Thread(target=lambda log=log: [log.append(entry()) for _ in range(20)])
        for log in (shared, shared, FileAuditLog(tmp_path), FileAuditLog(tmp_path))
    ]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()

    report = shared.check()
    assert (report.lines, report.broken, report.torn) == (80, None, 0)


def test_the_log_is_its_owners_alone_and_says_who_did_what(tmp_path: Path, lines: list[bytes]) -> None:
    """In JSON, a line for each."""
    told = json.loads(lines[0])

    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.log").stat().st_uid == os.geteuid()
    assert told | {"before": ""} == {
        "at": "2026-11-24T01:02:03Z",
        "who": "aaaaaaaa",
        "address": "127.0.0.1",
        "what": "laptop/FULL/0.tar.gz",
        "sha256": "0" * 64,
        "result": "new",
        "before": "",
    }
