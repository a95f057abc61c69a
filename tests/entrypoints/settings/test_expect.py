"""The table of what is to come of a profile: what it says, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.profiles.expectation import NOTHING, Holiday
from tarkeep.domain.profiles.rules import RuleBook
from tarkeep.entrypoints.wiring.host import rules_in


def book(tmp_path: Path, text: str) -> RuleBook:
    file = tmp_path / "profiles.toml"
    file.write_text(text)
    return rules_in(file, must_exist=True)


def test_cron_lines_are_in_the_time_zone_of_the_profile(tmp_path: Path) -> None:
    rules = book(
        tmp_path,
        '["web-*"]\ntime_zone = "Europe/Paris"\n["web-*".expect]\nFULL = "0 2 * * 0"\nany = "1d"\n'
        'grace = "6h"\npauses = ["2026-12-24/2027-01-02", 2027-05-01]\n',
    ).of("web-1")
    expectation = rules.expectation
    assert expectation is not None
    full, any_type = expectation.cadences
    assert (full.type, any_type.type) == (BackupType.FULL, None)
    assert full.every.after(datetime(2026, 7, 1, tzinfo=UTC)) == datetime(2026, 7, 5, 0, tzinfo=UTC)
    assert expectation.grace == timedelta(hours=6)
    assert expectation.holidays == (
        Holiday(date(2026, 12, 24), date(2027, 1, 2)),
        Holiday(date(2027, 5, 1), date(2027, 5, 1)),
    )
    assert not expectation.is_learnt


def test_nothing_may_be_expected(tmp_path: Path) -> None:
    rules = book(tmp_path, '[old]\nexpect = "nothing"\n')
    assert rules.of("old").expectation == NOTHING
    assert rules.of("other").expectation is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('FUL = "1d"', "there is no expectation FUL; did you mean FULL?"),
        ('any = "1 day"', "any: '1 day' is not a cron line of five fields"),
        ('any = "1x"', "any: '1x' is not a span of time such as 36h"),
        ('any = "0d"', "any must be a span such as"),
        ('any = "61 2 * * *"', "any: '61 2 * * *' is not a cron line"),
        ('any = "0 2 30 2 *"', "is not a cron line: bad day-of-month"),
        ('any = "1d"\ngrace = "1m"', "grace must be a span of hours, days or weeks"),
        ('any = "1d"\npauses = ["2026-12-24/2026-12-01"]', "ends before it begins"),
        ('any = "1d"\npauses = "2026-12-24"', "pauses must be a list"),
        ('grace = "1h"', "nothing is said to come"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        book(tmp_path, f'["web-*".expect]\n{table}\n')
    assert str(refused.value).startswith(f'setting profiles: {tmp_path}/profiles.toml: ["web-*".expect] ')
    assert words in str(refused.value)
