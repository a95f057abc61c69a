"""What an `EvidenceLog` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from tarkeep.domain.access.chain import FIRST, line_digest
from tarkeep.domain.evidence.entry import (
    EvidenceEntry,
    EvidenceKind,
    EvidencePlace,
    EvidenceReport,
    checked,
    entry_of,
)
from tarkeep.domain.ports.upkeep.evidence import EvidenceLog

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, 250_000, tzinfo=UTC)
DECEMBER = NOVEMBER + timedelta(seconds=1)


def entry(at: datetime = NOVEMBER, what: str = "été \udcff\n") -> EvidenceEntry:
    return EvidenceEntry(at, EvidenceKind.DAMAGED, {"profile": "laptop", "archive": "FULL/a.tar.gz", "what": what})


def check(log: EvidenceLog, noted: str | None = None) -> EvidenceReport:
    return checked(((month, log.read(month)) for month in log.months()), noted)


class EvidenceLogContract:
    """A subclass gives the fixture *another*: each call gives the log of one more process."""

    def test_an_empty_log_is_whole(self, another: Callable[[], EvidenceLog]) -> None:
        log = another()

        assert log.months() == []
        assert list(log.read("2026-11")) == []
        assert (check(log).last, check(log).is_whole) == (FIRST, True)
        assert not check(log, "1" * 64).is_whole

    def test_what_was_added_is_there_by_month(self, another: Callable[[], EvidenceLog]) -> None:
        """As it was said, in whatever process; and the chain goes on from month to month."""
        first, second, third = [entry(), entry(what="more")], [entry(DECEMBER)], [entry(DECEMBER + timedelta(days=62))]
        for one in (*first, *second, *third):
            another().append(one)
        log = another()

        assert log.months() == ["2026-11", "2026-12", "2027-02"]
        assert [[entry_of(line) for line in log.read(month)] for month in log.months()] == [first, second, third]
        report = check(log)
        assert report.is_whole
        assert [one.lines for one in report.months] == [2, 1, 1]
        assert [one.follows for one in report.months] == [FIRST, report.months[0].last, report.months[1].last]
        assert check(log, line_digest(list(log.read("2026-11"))[1])).noted == EvidencePlace("2026-11", 2)

    def test_lines_go_into_the_newest_month(self, another: Callable[[], EvidenceLog]) -> None:
        """Also after the clock was set back, so that the order of the files is that of the lines."""
        for at in (DECEMBER, NOVEMBER, DECEMBER):
            another().append(entry(at))

        assert another().months() == ["2026-12"]
        assert check(another()).is_whole

    def test_a_line_may_be_long(self, another: Callable[[], EvidenceLog]) -> None:
        """Longer than what is read at once to find the last line."""
        for at in (NOVEMBER, NOVEMBER, DECEMBER):
            another().append(entry(at, "x" * 200_000))

        assert check(another()).is_whole
        assert [len(line) > 200_000 for line in another().read("2026-11")] == [True, True]

    def test_a_month_has_a_name(self, another: Callable[[], EvidenceLog]) -> None:
        """Nothing else is looked up, in whatever folder."""
        for text in ("../2026-11", "2026-13", "2026-1", "", "2026-11\n"):
            with pytest.raises(ValueError, match="is not a month such as"):
                list(another().read(text))

    def test_a_reading_is_of_one_moment(self, another: Callable[[], EvidenceLog]) -> None:
        """What is added while somebody reads is for the next reader."""
        another().append(entry())
        lines = another().read("2026-11")
        first = next(lines)
        another().append(evolve(entry(), kind=EvidenceKind.REPAIRED))

        assert entry_of(first) == entry()
        assert list(lines) == []
        assert len(list(another().read("2026-11"))) == 2
