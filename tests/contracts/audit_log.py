"""What an `AuditLog` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import evolve

from tarkeep.domain.access.audit import AuditEntry
from tarkeep.domain.access.chain import FIRST, line_digest
from tarkeep.domain.ports.access import AuditLog

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)


def entry(what: str = "laptop/FULL/a.tar.gz") -> AuditEntry:
    return AuditEntry(NOW, "aaaaaaaa", "127.0.0.1", what, "0" * 64, "new")


class AuditLogContract:
    """A subclass gives the fixture *another*: each call gives the log of one more process."""

    def test_an_empty_log_is_whole(self, another: Callable[[], AuditLog]) -> None:
        """It has no digest that an operator could have noted."""
        report = another().check()

        assert (report.lines, report.last, report.broken, report.torn, report.holds_noted) == (0, FIRST, None, 0, True)
        assert not another().check("1" * 64).holds_noted

    def test_the_result_of_a_line_is_found(self, another: Callable[[], AuditLog]) -> None:
        """Only as a whole result, even if an archive's name contains it."""
        log = another()
        assert not log.has("stored by upload x")
        log.append(entry('a", "result": "stored by upload x", "b'))
        assert not another().has("stored by upload x")
        log.append(evolve(entry(), result="stored by upload x"))

        assert another().has("stored by upload x")
        assert not another().has("stored by upload")

    def test_the_newest_line_about_an_archive_is_found(self, another: Callable[[], AuditLog]) -> None:
        """That of some words, about this archive and no other, whatever is between."""
        log = another()
        assert log.newest("laptop/FULL/a.tar.gz", ("moved",)) is None
        for number, (what, result) in enumerate(
            [
                ("laptop/FULL/a.tar.gz", "moved to the trash by plan 1"),
                ("laptop/FULL/a.tar.gz", "brought back from the trash"),
                ("laptop/FULL/a.tar.gz", "held by audit: moved"),
                ("laptop/FULL/\udcff.tar.gz", 'moved "x"'),
                ('a", "what": "laptop/FULL/a.tar.gz", "sha256": "', "moved"),
            ]
        ):
            log.append(evolve(entry(what), at=NOW + timedelta(seconds=number), who=None, result=result))

        newest = another().newest
        back = evolve(entry(), at=NOW + timedelta(seconds=1), who=None, result="brought back from the trash")
        assert newest("laptop/FULL/a.tar.gz", ("moved", "brought")) == back
        moved = newest("laptop/FULL/a.tar.gz", ("moved",))
        assert moved == evolve(back, at=NOW, result="moved to the trash by plan 1")
        assert newest("laptop/FULL/a.tar.gz", ("purged",)) is None
        assert newest("laptop/FULL/\udcff.tar.gz", ("moved",)) is not None
        assert newest("laptop/FULL/a.tar", ("moved",)) is None

    def test_lines_of_several_processes_make_one_chain(self, another: Callable[[], AuditLog]) -> None:
        """They alternate; and every digest that was the last one is found later."""
        logs = another(), another()
        noted = []
        for number in range(6):
            logs[number % 2].append(entry(f"été {number}"))
            noted.append(another().check().last)

        report = another().check()
        assert (report.lines, report.broken, report.torn) == (6, None, 0)
        assert len(set(noted)) == 6
        assert all(another().check(digest).holds_noted for digest in noted)

    def test_lines_are_read_from_the_newest_on(self, another: Callable[[], AuditLog]) -> None:
        """Each once, whole or those with some bytes; and under any of them by its digest."""
        log = another()
        assert list(log.newest_first()) == []
        for number in range(5):
            log.append(entry(f"{'ab'[number % 2]}/FULL/{number}.tar.gz"))

        lines = list(another().newest_first())
        assert [f"FULL/{number}.".encode() in line for number, line in zip(range(4, -1, -1), lines, strict=True)] == [
            True
        ] * 5
        assert line_digest(lines[0]) == another().check().last
        assert list(another().newest_first(containing=b'"b/')) == [lines[1], lines[3]]
        for number, line in enumerate(lines):
            assert list(another().newest_first(line_digest(line))) == lines[number + 1 :]
            assert list(another().newest_first(line_digest(line), b'"a/')) == [
                one for one in lines[number + 1 :] if b'"a/' in one
            ]
        assert list(another().newest_first("1" * 64)) == []

    def test_only_so_much_is_looked_through(self, another: Callable[[], AuditLog]) -> None:
        """Whoever goes on below the last line of each part, which was not looked for, finds all of them."""
        log = another()
        for number in range(40):
            log.append(entry(f"{'b' if number in (3, 4, 5, 20, 39) else 'a'}/FULL/{number}.tar.gz"))
        lines = list(log.newest_first())
        size_bytes = sum(len(line) + 1 for line in lines)

        for most_bytes in (1, 300, len(lines[0]) + 1, 2000, size_bytes - 5, size_bytes, size_bytes * 2):
            below, found, parts = None, list[bytes](), 0
            while True:
                part = list(another().newest_first(below, b'"b/', most_bytes=most_bytes))
                found += [line for line in part if b'"b/' in line]
                parts += 1
                assert all(b'"b/' in line for line in part[:-1])
                if not part or b'"b/' in part[-1]:
                    break
                below = line_digest(part[-1])
            assert found == [line for line in lines if b'"b/' in line]
            assert parts >= size_bytes / (most_bytes + 6 * len(lines[0]))
