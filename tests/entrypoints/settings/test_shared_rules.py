"""Rules of all servers, from one catalog: when they are looked at, and what happens when they are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from attrs import define

from tarkeep.adapters.sql.agreed.rule_rows import SqlRuleTexts
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.beside.rules import RulesInUse, RuleSource
from tests.contracts.token_store import NOW

TWO, THREE = ("[laptop]\nmax_archives = 2\n", "[laptop]\nmax_archives = 3\n")


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[SqlRuleTexts]:
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    SqlCatalog.open(url).close()
    with closing(SharedTables.open(url, busy_seconds=60)) as tables:
        yield SqlRuleTexts(tables)


@define
class Seconds:
    """A clock that goes when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def in_use(texts: SqlRuleTexts, data: Path) -> RulesInUse:
    rules = RulesInUse(RuleSource(StorageSettings(data=data), texts), Seconds())
    rules.load()
    return rules


def most(rules: RulesInUse) -> int | None:
    return rules.of("laptop").max_archives


def test_a_servers_own_file_counts_until_some_are_set_for_all(texts: SqlRuleTexts, tmp_path: Path) -> None:
    """Then it must have the same, or be gone."""
    file = tmp_path / "profiles.toml"
    file.write_text(TWO)
    rules = in_use(texts, tmp_path)
    assert most(rules) == 2

    texts.set(THREE, NOW)
    rules.look()
    assert most(rules) == 3
    with pytest.raises(InvalidSetting, match=r"profiles.toml is not what the catalog has"):
        rules.load()
    assert most(rules) == 3
    file.write_text(THREE)
    assert (rules.load(), most(in_use(texts, tmp_path))) == (1, 3)
    file.unlink()
    assert (rules.load(), most(in_use(texts, tmp_path))) == (1, 3)


def test_rules_that_are_wrong_are_not_used(
    texts: SqlRuleTexts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of a newer server may be for this one: the former stay, the log says so once, and no start is made."""
    texts.set(TWO, NOW)
    rules = in_use(texts, tmp_path)
    texts.set("[laptop]\nmax_moons = 3\n", NOW)
    for _ in range(3):
        rules.look()

    assert most(rules) == 2
    assert caplog.text.count("not reloaded") == 1
    with pytest.raises(InvalidSetting, match=r"the rules in the catalog: \[\"laptop\"\]"):
        in_use(texts, tmp_path)
    texts.set(THREE, NOW)
    rules.look()
    assert most(rules) == 3


def test_a_database_that_is_away_changes_nothing(texts: SqlRuleTexts, tmp_path: Path) -> None:
    texts.set(TWO, NOW)
    rules = in_use(texts, tmp_path)
    texts.tables.close()
    rules.look()

    assert most(rules) == 2


def test_the_same_rules_are_set_once(texts: SqlRuleTexts) -> None:
    """So a script that sets them each night makes no server read them again."""
    numbers = [texts.set(text, NOW).number for text in (TWO, TWO, THREE, TWO)]
    assert numbers == [1, 1, 2, 3]
    assert texts.newest_number() == 3


def test_rules_are_looked_at_every_few_seconds(texts: SqlRuleTexts, tmp_path: Path) -> None:
    """By whoever asks for one, without waiting for it."""
    seconds, looked = Seconds(), Event()

    @define(eq=False)
    class Watched(RulesInUse):
        def look(self) -> None:
            looked.set()

    rules = Watched(RuleSource(StorageSettings(data=tmp_path), texts), seconds)
    rules.load()
    for passed, is_due in ((1.9, False), (0.2, True), (1.9, False), (0.2, True)):
        seconds.now += passed
        most(rules)
        assert looked.wait(60 if is_due else 0) is is_due
        looked.clear()
