"""The rules of profiles, and the file that sets them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.naming import time_in_name
from tarkeep.domain.profiles.rules import IncBase, ProfileRules, RuleBook
from tarkeep.entrypoints.wiring.host import rules_in as read_rules

PARIS = ZoneInfo("Europe/Paris")


def test_the_first_pattern_that_fits_counts_and_all_of_it() -> None:
    """A profile has the rules of one entry, never a mixture."""
    book = RuleBook(
        (("web-1", ProfileRules(allow_opaque=True)), ("web-*", ProfileRules(inc_base=IncBase.LAST_FULL))),
    )

    assert book.of("web-1") == ProfileRules(allow_opaque=True)
    assert book.of("web-2") == ProfileRules(inc_base=IncBase.LAST_FULL)
    assert book.of("WEB-2") == book.of("db") == ProfileRules()
    assert book.may_allow_opaque
    assert not RuleBook().may_allow_opaque


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("full_2025-11-28_19-29-39.tar.gz", datetime(2025, 11, 28, 18, 29, 39, tzinfo=UTC)),
        ("full_2025-07-28_19-29-39.tar.gz", datetime(2025, 7, 28, 17, 29, 39, tzinfo=UTC)),
        ("full_2025-11-28T19-29-39Z.tar.gz", datetime(2025, 11, 28, 19, 29, 39, tzinfo=UTC)),
        ("full_2025-10-26_02-30-00.tar.gz", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),  # the first pass of that hour
    ],
)
def test_a_time_in_a_name_is_of_the_zone_unless_it_says_utc(name: str, expected: datetime) -> None:
    """Scripts write local times; a Z marks one that is not."""
    assert time_in_name(name, PARIS) == expected


def test_a_file_of_rules_is_read_in_its_order(tmp_path: Path) -> None:
    """A rule that a pattern does not set has its default."""
    file = tmp_path / "profiles.toml"
    file.write_text('[web-1]\nallow_opaque = true\n["web-*"]\ninc_base = "last-any"\ntime_zone = "Europe/Paris"\n')

    book = read_rules(file, must_exist=True)

    assert book.entries == (
        ("web-1", ProfileRules(allow_opaque=True)),
        ("web-*", ProfileRules(IncBase.LAST_ANY, PARIS)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\ninc_bas = 1\n", r'profiles.toml: \["web"\] there is no rule inc_bas; did you mean inc_base\?'),
        ('[web]\ninc_base = "last"\n', "inc_base must be last-inc-or-full, last-any or last-full, not 'last'"),
        ('[web]\nmax_archives = "7"\n', "max_archives must be a whole number, and is a text"),
        ('[web]\ntime_zone = "Mars/Olympus"\n', "Mars/Olympus"),
        ('[web]\ntime_zone = "../etc/passwd"\n', "passwd"),
        ("web = 1\n", r'\["web"\] it must be a table, and is a whole number'),
        ("[web\n", "TOML"),
    ],
)
def test_an_unknown_rule_is_an_error_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    """A misspelt rule must not be ignored silently."""
    file = tmp_path / "profiles.toml"
    file.write_text(text)

    with pytest.raises(InvalidSetting, match=said):
        read_rules(file, must_exist=False)


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (
            ["*", "laptop"],
            r'\["laptop"\] is never used, because \["\*"\] before it counts first: put it before that one',
        ),
        (["web-*", "web-db-*"], "never used"),
        (["web-?", "web-1"], "never used"),
        (["Laptop/x"], "no profile has such a name"),
        ([""], "no profile has such a name"),
        (["[a"], "no profile has such a name"),
        (["laptop", "web-[ab]", "web-*", "db-?", "db-*", "*"], None),
    ],
)
def test_a_table_that_is_never_used_is_refused(tmp_path: Path, patterns: list[str], said: str | None) -> None:
    """Its rules would silently not apply."""
    file = tmp_path / "profiles.toml"
    file.write_text("".join(f'["{pattern}"]\nallow_opaque = true\n' for pattern in patterns))
    if said is None:
        assert len(read_rules(file, must_exist=True).entries) == len(patterns)
        return
    with pytest.raises(InvalidSetting, match=said):
        read_rules(file, must_exist=True)


def test_only_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    """Most servers have no rules."""
    assert read_rules(tmp_path / "none.toml", must_exist=False) == RuleBook()
    with pytest.raises(InvalidSetting, match=r"none\.toml"):
        read_rules(tmp_path / "none.toml", must_exist=True)
