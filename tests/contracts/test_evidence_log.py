"""The logs of evidence keep their contract; and tampering with the files is found."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.chained.evidence_log import FileEvidenceLog
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.evidence_rows import SqlEvidenceLog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.domain.evidence.entry import EvidencePlace, entry_of
from tarkeep.domain.ports.upkeep.evidence import EvidenceLog
from tests.contracts.evidence_log import DECEMBER, NOVEMBER, EvidenceLogContract, check, entry


class TestMemoryEvidenceLog(EvidenceLogContract):
    @pytest.fixture
    def another(self) -> Callable[[], EvidenceLog]:
        log = MemoryEvidenceLog()
        return lambda: log


class TestFileEvidenceLog(EvidenceLogContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], EvidenceLog]:
        return lambda: FileEvidenceLog(tmp_path)


class TestSqlEvidenceLog(EvidenceLogContract):
    @pytest.fixture
    def another(self, catalog_url: str) -> Iterator[Callable[[], EvidenceLog]]:
        SqlCatalog.open(catalog_url).close()
        with ExitStack() as opened:

            def open_another() -> EvidenceLog:
                return SqlEvidenceLog(opened.enter_context(closing(SharedTables.open(catalog_url, busy_seconds=60))))

            yield open_another


@pytest.fixture
def log(tmp_path: Path) -> FileEvidenceLog:
    """A log with three months, of three lines each."""
    log = FileEvidenceLog(tmp_path)
    for number in range(9):
        log.append(entry(NOVEMBER + timedelta(days=31 * (number // 3)), f"line {number}"))
    return log


def test_files_are_for_their_owner_only(log: FileEvidenceLog) -> None:
    assert stat.S_IMODE(log.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in log.folder.iterdir()} == {0o600}


def test_what_is_changed_is_found(log: FileEvidenceLog) -> None:
    """A changed letter, a line removed or doubled; at every line but the last, which nothing follows."""
    files = sorted(log.folder.iterdir())
    for file in files:
        whole = file.read_bytes()
        lines = whole.splitlines(keepends=True)
        for number in range(2 if file == files[-1] else 3):
            changed = [*lines]
            changed[number] = changed[number].replace(b"line", b"lime")
            for way in (changed, lines[:number] + lines[number + 1 :], [*lines[: number + 1], *lines[number:]]):
                file.write_bytes(b"".join(way))
                assert check(log).broken is not None
        file.write_bytes(whole)
        assert check(log).is_whole


def test_a_month_that_is_missing_is_found(log: FileEvidenceLog) -> None:
    """By the first line of the next one; the newest one by a digest that was kept."""
    newest = check(log).last
    for month, place in (("2026-11", EvidencePlace("2026-12", 1)), ("2026-12", EvidencePlace("2027-01", 1))):
        file = log.folder / f"{month}.jsonl"
        kept = file.read_bytes()
        file.unlink()
        assert check(log).broken == place
        file.write_bytes(kept)
    (log.folder / "2027-01.jsonl").unlink()
    assert check(log).broken is None
    assert not check(log, newest).is_whole


@pytest.mark.parametrize("at", [NOVEMBER + timedelta(days=62), NOVEMBER + timedelta(days=100)])
def test_a_line_torn_by_a_crash_stays_and_the_next_one_follows_it(log: FileEvidenceLog, at: datetime) -> None:
    """In the same month, or in the next one; also if the crash left a file with no line at all."""
    file = log.folder / "2027-01.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    (log.folder / "2027-03.jsonl").touch()
    log.append(entry(at, "after"))
    report = check(log)

    assert (report.is_whole, report.torn, report.lines) == (True, 1, 10)
    last = [entry_of(line) for line in log.read(log.months()[-1])][-1]
    assert last is not None
    assert last.told["what"] == "after"


def test_other_files_in_the_folder_are_passed_over(log: FileEvidenceLog) -> None:
    (log.folder / "2026-11.jsonl.part").write_bytes(b"x")
    (log.folder / "notes.txt").write_bytes(b"x")
    log.append(entry(DECEMBER + timedelta(days=40)))

    assert log.months() == ["2026-11", "2026-12", "2027-01"]
    assert check(log).is_whole
