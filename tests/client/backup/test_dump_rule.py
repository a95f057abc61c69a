"""Which type comes next: by age, by length, and a FULL if no sound point can be continued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.client.backup.dump_rule import DumpRule, choose_type, parse_period
from tarkeep.domain.client.ports.chains import StoredPoint
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType

NOW = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF


def point(
    type: BackupType, days_old: float, *, restorable: bool = True, snapshot: bool = True, length: int = 1
) -> StoredPoint:
    id = ArchiveId("laptop", type, f"{type.value.lower()}_{days_old}.tar.gz")
    return StoredPoint(
        id=id,
        size_bytes=1,
        taken_at=NOW - timedelta(days=days_old),
        received_at=NOW,
        kind="incremental",
        state="stored",
        is_restorable=restorable,
        fidelity="exact",
        evidence="proven",
        parent=None,
        link_evidence=None,
        reason="",
        length=length,
        path_bytes=1,
        has_snapshot=snapshot,
    )


@pytest.mark.parametrize(
    ("points", "type", "words"),
    [
        ([], FULL, "there is no FULL"),
        ([point(FULL, 1, snapshot=False)], FULL, "there is no FULL"),
        ([point(FULL, 1, restorable=False)], FULL, "no FULL restores"),
        ([point(FULL, 1)], INC, "neither a FULL nor a DIFF is due"),
        ([point(FULL, 29)], DIFF, "29 days old, a DIFF is due every 7 days"),
        ([point(FULL, 30)], FULL, "30 days old, a FULL is due every 30 days"),
        ([point(FULL, 30 - 0.5 / 24)], FULL, "a FULL is due"),
        ([point(FULL, 10), point(DIFF, 3)], INC, "neither"),
        ([point(FULL, 15), point(DIFF, 8), point(INC, 1)], DIFF, "8 days old"),
        ([point(FULL, 3), point(INC, 2, length=40)], FULL, "needs 40 archives, max_chain is 40"),
        ([point(FULL, 3), point(INC, 2, length=39)], INC, "neither"),
        ([point(FULL, 3), point(INC, 2, restorable=False)], FULL, "the chain is broken: INC/inc_2.tar.gz"),
        ([point(FULL, 3), point(INC, 2, restorable=False, snapshot=False)], INC, "neither"),
        ([point(FULL, 40), point(INC, 39, restorable=False), point(FULL, 2)], INC, "since FULL/full_2.tar.gz"),
        ([point(FULL, -1)], INC, "neither"),
        ([point(FULL, -2)], FULL, "FULL/full_-2.tar.gz is dated in the future; check the clocks"),
        ([point(FULL, 3), point(FULL, -9000)], INC, "since FULL/full_3.tar.gz"),
        ([point(FULL, 40), point(INC, -9000)], FULL, "a FULL is due"),
    ],
)
def test_the_rule_decides_and_says_why(points: Sequence[StoredPoint], type: BackupType, words: str) -> None:
    """FULL monthly, DIFF weekly, else INC; only restorable points with a stored snapshot file can be continued."""
    choice = choose_type(DumpRule(), points, NOW)

    assert choice.type is type
    assert words in choice.reason


def test_without_a_period_there_is_never_a_diff() -> None:
    """INC after INC until a FULL is due."""
    rule = DumpRule(full_every=timedelta(days=90), diff_every=None)

    assert choose_type(rule, [point(FULL, 80)], NOW).type is INC


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), (" 2W ", 336), ("1h", 1)])
def test_periods_are_read(text: str, hours: int) -> None:
    """Hours, days and weeks."""
    assert parse_period(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5d", "1y", "٣d", "1d 2h"])
def test_what_is_no_period_is_refused(text: str) -> None:
    """The error shows a valid example."""
    with pytest.raises(ValueError, match="12h, 30d or 2w"):
        parse_period(text)


def test_a_chain_has_at_least_one_archive() -> None:
    """A rule that can never be kept is refused."""
    with pytest.raises(InvalidSetting):
        DumpRule(max_chain=0)
