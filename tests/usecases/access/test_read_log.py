"""The audit log is read from its end, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tarkeep.adapters.filesystem.audit_log import FileAuditLog
from tarkeep.adapters.memory.audit_log import MemoryAuditLog
from tarkeep.domain.access.audit import AuditEntry
from tarkeep.domain.access.log_filter import LogFilter
from tarkeep.domain.ports.access import AuditLog
from tarkeep.domain.usecases.access.read_log import ReadLog, SeeLogEnd

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def written(log: AuditLog, count: int) -> None:
    for number in range(count):
        what = f"{('web', 'laptop')[number % 2]}/FULL/{number}.tar.gz"
        log.append(AuditEntry(NOON + timedelta(minutes=number), "aaaa", "10.0.0.1", what, None, "new"))


def test_pages_have_every_line_once() -> None:
    log = MemoryAuditLog()
    written(log, 25)
    read, seen, below = ReadLog(log), [], None
    while True:
        page = read(LogFilter(profile="web"), None, below=below, limit=5)
        seen += [one.what for one in page.entries]
        below = page.below
        if below is None:
            break

    assert seen == [f"web/FULL/{number}.tar.gz" for number in range(24, -1, -2)]


def test_a_page_says_that_it_was_cut_off() -> None:
    """Whoever sees one of many profiles is not made to wait for all lines of the others."""
    log = MemoryAuditLog()
    written(log, 10)
    read = ReadLog(log, most_read=9)

    cut = read(LogFilter(), "nobody".__eq__)
    assert (cut.entries, cut.is_cut) == ((), True)
    rest = read(LogFilter(), "web".__eq__, below=cut.below)
    assert ([one.what for one in rest.entries], rest.below) == (["web/FULL/0.tar.gz"], None)


def test_a_page_that_looked_through_a_lot_says_how_far(tmp_path: Path) -> None:
    """And the next one goes on from there."""
    log = FileAuditLog(tmp_path)
    written(log, 30)
    read = ReadLog(log, most_bytes=(tmp_path / "audit.log").stat().st_size // 3)

    wanted, below, told = LogFilter(profile="nobody"), None, list[datetime | None]()
    while True:
        page = read(wanted, None, below=below)
        assert page.entries == ()
        if page.below is None:
            break
        assert page.is_cut
        told.append(page.looked_to)
        below = page.below
    assert len(told) in (2, 3)
    assert told == sorted(filter(None, told), reverse=True)


def test_the_end_of_a_log_that_was_changed_does_not_fit(tmp_path: Path) -> None:
    log, file = FileAuditLog(tmp_path), tmp_path / "audit.log"
    assert SeeLogEnd(log)().head is None
    written(log, 9)
    end = SeeLogEnd(log)()
    assert (end.lines, end.follow, end.head) == (9, True, log.check().last)

    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:6], lines[6].replace(b"new", b"old"), *lines[7:]]))
    assert not SeeLogEnd(log)().follow
    file.write_bytes(b"".join([*lines[:6], *lines[7:]]))
    assert not SeeLogEnd(log)().follow


def test_below_a_line_that_a_torn_one_follows(tmp_path: Path) -> None:
    """It is found although no line names it."""
    log, file = FileAuditLog(tmp_path), tmp_path / "audit.log"
    written(log, 4)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    written(log, 1)
    page = ReadLog(log)(LogFilter(), None, limit=2)
    assert [one.what for one in page.entries] == ["web/FULL/0.tar.gz", "web/FULL/2.tar.gz"]
    assert SeeLogEnd(log)().follow

    rest = ReadLog(log)(LogFilter(), None, below=page.below, limit=9)
    assert [one.what for one in rest.entries] == ["laptop/FULL/1.tar.gz", "web/FULL/0.tar.gz"]
