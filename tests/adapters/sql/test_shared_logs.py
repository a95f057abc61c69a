"""The audit log and the evidence in tables: one chain of several servers, one key, and what comes from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Barrier, Thread

import psycopg
import pytest
from attrs import evolve
from sqlalchemy import text

from tarkeep.adapters.filesystem.audit_log import FileAuditLog
from tarkeep.adapters.filesystem.chained.audit_key import AuditKeyFile
from tarkeep.adapters.filesystem.chained.evidence_log import FileEvidenceLog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.audit_rows import SqlAuditLog
from tarkeep.adapters.sql.shared.evidence_rows import SqlEvidenceLog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.statements import Transaction
from tarkeep.domain.access.audit import KEYED
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.evidence.entry import EvidencePlace
from tests.contracts import evidence_log
from tests.contracts.audit_log import NOW, entry
from tests.support.postgres import Postgres


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[[], SharedTables]]:
    """Each call gives the tables of one more server, in one database."""
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    SqlCatalog.open(url).close()
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(SharedTables.open(url, busy_seconds=60)))


def log_of(tables: SharedTables, folder: Path) -> SqlAuditLog:
    """The log of a server with the data directory *folder*, which has its key."""
    folder.mkdir(exist_ok=True)
    return SqlAuditLog(tables, AuditKeyFile(folder / "audit.key", folder))


def change(tables: SharedTables, statement: str) -> None:
    """As somebody does who can write the table, and has no key."""
    with tables.engine.begin() as connection:
        connection.execute(text(statement))


def lines_of(tables: SharedTables) -> list[bytes]:
    return [bytes(line) for (line,) in tables.engine.connect().execute(text("SELECT line FROM audit ORDER BY number"))]


# -- the key ----------------------------------------------------------------------------------------------------------


def test_a_log_begins_with_the_name_of_its_key(another: Callable[[], SharedTables], tmp_path: Path) -> None:
    """So a second server that has no key, or one of its own, sees at its start that it may not go on."""
    log = log_of(another(), tmp_path / "one")
    log.begin(NOW)
    log.begin(NOW)
    log_of(another(), tmp_path / "one").begin(NOW)
    assert (log.check().lines, log.check().is_whole) == (1, True)

    with pytest.raises(BackendUnavailable, match="does not have its key; copy it from a server that has it"):
        log_of(another(), tmp_path / "two").begin(NOW)
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["audit.key.lock"]
    (tmp_path / "two" / "audit.key").write_text("0" * 64)
    (tmp_path / "two" / "audit.key").chmod(0o600)
    with pytest.raises(BackendUnavailable, match="not the one that the log in the catalog is sealed with"):
        log_of(another(), tmp_path / "two").begin(NOW)
    with pytest.raises(BackendUnavailable, match="not the one that the log in the catalog is sealed with"):
        log_of(another(), tmp_path / "two").append(entry())
    (tmp_path / "two" / "audit.key").write_bytes((tmp_path / "one" / "audit.key").read_bytes())
    two = log_of(another(), tmp_path / "two")
    two.begin(NOW)
    two.append(entry())

    assert (log.check().lines, log.check().is_whole) == (2, True)


def test_a_crash_while_the_key_is_made_makes_no_second_one(another: Callable[[], SharedTables], tmp_path: Path) -> None:
    """Whether or not the line that names it was committed."""
    log_of(another(), tmp_path / "one").begin(NOW)
    key = (tmp_path / "one" / "audit.key").read_bytes()
    for statement in ("SELECT 1", "DELETE FROM audit"):
        (tmp_path / "one" / "audit.key").rename(tmp_path / "one" / "audit.key.new")
        change(another(), statement)
        log = log_of(another(), tmp_path / "one")
        log.append(entry())

        assert (tmp_path / "one" / "audit.key").read_bytes() == key
        assert log.check().is_whole
        assert sum(KEYED.encode() in line for line in lines_of(another())) == 1


def test_what_is_done_to_the_table_without_the_key_is_found(
    another: Callable[[], SharedTables], tmp_path: Path
) -> None:
    """A line that was changed, removed, moved or put in; the hashes beside the lines prove nothing and hide nothing."""
    log = log_of(another(), tmp_path / "one")
    for number in range(5):
        log.append(entry(f"laptop/FULL/{number}.tar.gz"))
    assert log.check().is_whole
    kept = lines_of(another())
    for number in range(1, len(kept) + 1):
        for statement in (
            f"UPDATE audit SET line = CAST(replace(CAST(line AS TEXT), '2026', '25') AS BLOB) WHERE number = {number}",
            f"DELETE FROM audit WHERE number = {min(number, len(kept) - 1)}",
            f"UPDATE audit SET number = {-number} WHERE number = {min(max(number, 2), len(kept) - 1)}",
        ):
            change(another(), statement)
            assert not log.check().is_whole, statement
            change(another(), "DELETE FROM audit")
            assert log.take_over(kept)
            assert log.check().is_whole


# -- one chain --------------------------------------------------------------------------------------------------------


def test_lines_of_many_writers_make_one_chain(postgres: Postgres, tmp_path: Path) -> None:
    """Threads of several servers; each line is there once, and the chain has no gap and no fork."""
    writers, each = 8, 25
    with postgres.database() as url, ExitStack() as opened:
        log_of(opened.enter_context(closing(SharedTables.open(url))), tmp_path / "one").begin(NOW)
        logs = [
            log_of(opened.enter_context(closing(SharedTables.open(url, busy_seconds=60))), tmp_path / "one")
            for _ in range(3)
        ]
        begin = Barrier(writers)

        def write(number: int) -> None:
            begin.wait(60)
            for line in range(each):
                logs[number % 3].append(entry(f"laptop/FULL/{number}-{line}.tar.gz"))

        threads = [Thread(target=write, args=[number]) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        report = logs[0].check()
        assert (report.is_whole, report.lines, report.torn) == (True, 1 + writers * each, 0)
        told = [line.split(b'"what": "')[1].split(b'"')[0] for line in logs[1].newest_first()]
        assert len(set(told)) == len(told)


def test_a_line_whose_commit_was_not_answered_is_there_once(postgres: Postgres, tmp_path: Path) -> None:
    """The connection is lost right after, or right before the commit: the line is looked for, and else added again."""
    with postgres.database() as url, closing(SharedTables.open(url, busy_seconds=60)) as tables:
        log = log_of(tables, tmp_path / "one")
        log.begin(NOW)
        for number, is_committed in enumerate((True, False)):
            cutting(tables, log, is_committed)
            log.append(entry(f"laptop/FULL/{number}.tar.gz"))
        log.append(entry("laptop/FULL/2.tar.gz"))

        report = log.check()
        assert (report.is_whole, report.lines) == (True, 4)


def cutting(tables: SharedTables, log: SqlAuditLog, is_committed: bool) -> None:
    """Let the next transaction of *log* lose its connection, after it was committed or before."""
    rows = log._rows
    begin = rows._begin

    @contextmanager
    def cut(of: str | None) -> Iterator[Transaction]:
        rows._begin = begin
        with begin(of) as transaction:
            yield transaction
            if not is_committed:
                end_others(tables)
        end_others(tables)
        raise psycopg.OperationalError("the connection was lost")

    rows._begin = cut


def end_others(tables: SharedTables) -> None:
    with psycopg.connect(str(tables.engine.url.set(drivername="postgresql")), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# -- from files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [b"", b'{"at": "2026-11-24T01:0'])
def test_the_log_of_a_data_directory_comes_in_whole(
    another: Callable[[], SharedTables], tmp_path: Path, torn: bytes
) -> None:
    """Every line as it was, a torn one at its end, too; the chain goes on, and a kept head is found."""
    files = FileAuditLog(tmp_path)
    for number in range(3):
        files.append(entry(f"laptop/FULL/{number}.tar.gz"))
    head = files.check().last
    with (tmp_path / "audit.log").open("ab") as log:
        log.write(torn)
    before = (tmp_path / "audit.log").read_bytes().splitlines()
    rows = SqlAuditLog(another(), AuditKeyFile(tmp_path / "audit.key", tmp_path))

    assert files.give_away(rows.take_over)
    assert files.give_away(rows.take_over)
    rows.begin(NOW)
    rows.append(entry("laptop/INC/a.tar.gz"))

    assert lines_of(another())[: len(before)] == before
    report = rows.check(head)
    assert (report.is_whole, report.lines, report.torn, report.noted_line) == (True, len(before) + 1, bool(torn), 3)
    assert rows.newest("laptop/FULL/1.tar.gz", ("new",)) == entry("laptop/FULL/1.tar.gz")
    assert (tmp_path / "audit.moved.log").exists()
    assert not files.is_there


def test_a_log_that_was_begun_without_a_key_goes_on_with_one(
    another: Callable[[], SharedTables], tmp_path: Path
) -> None:
    """As in a file: behind a line that says so, before which nothing is proven."""
    rows = log_of(another(), tmp_path / "one")
    old = b'{"at": "2026-11-24T01:02:03Z", "who": null, "address": "", "what": "a", "sha256": null, "result": "new", '
    assert rows.take_over([old + b'"before": "' + b"0" * 64 + b'"}'])
    rows.begin(NOW)
    rows.append(entry())

    report = rows.check()
    assert (report.is_whole, report.lines, report.unproven) == (True, 3, 1)


def test_of_two_logs_one_stays_where_it_is(another: Callable[[], SharedTables], tmp_path: Path) -> None:
    """Two chains cannot become one; a move that a crash cut off is finished, also after others went on."""
    one, two = (FileAuditLog(tmp_path / name) for name in ("one", "two"))
    for log in (one, two):
        log.folder.mkdir()
        log.append(entry())
        log.append(entry("laptop/FULL/b.tar.gz"))
    rows = log_of(another(), tmp_path / "one")
    kept = (tmp_path / "one" / "audit.log").read_bytes()
    assert one.give_away(rows.take_over)
    rows.append(entry())
    (tmp_path / "one" / "audit.log").write_bytes(kept)

    assert not two.give_away(rows.take_over)
    assert one.give_away(rows.take_over)
    assert (two.is_there, one.is_there) == (True, False)
    assert rows.check().lines == 3
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "audit.key",
        "audit.key.lock",
        "audit.moved.log",
        "audit.moved2.log",
    ]


def test_the_evidence_of_a_data_directory_comes_in_whole(another: Callable[[], SharedTables], tmp_path: Path) -> None:
    """Month by month, and goes on in the newest one."""
    files = FileEvidenceLog(tmp_path)
    for at in (evidence_log.NOVEMBER, evidence_log.DECEMBER, evidence_log.DECEMBER):
        files.append(evidence_log.entry(at))
    before = evidence_log.check(files)
    rows = SqlEvidenceLog(another())
    assert rows.is_empty

    assert files.give_away(rows.take_over)
    assert evidence_log.check(rows, before.last) == evolve(before, noted=EvidencePlace("2026-12", 2))
    rows.append(evidence_log.entry())

    assert [one.lines for one in evidence_log.check(rows).months] == [1, 3]
    assert evidence_log.check(rows, before.last).is_whole
    assert (files.months(), (tmp_path / "evidence.moved").is_dir()) == ([], True)
