"""The table of docs/retention.md: how often ordinary and attacked machines are braked, by simulation."""

from __future__ import annotations

import os
import re

import pytest

from tests.documents.test_retention_table import PAGE
from tests.support.simulated_nights import ATTACKS, ORDINARY, false_brakes, share_braked

_PLACE = re.compile(r"<!-- begin brake -->\n(.*?)<!-- end brake -->", re.DOTALL)
_YEARS = 200  # of each machine: 2,000 together
_ATTACKS = 50


def head() -> list[str]:
    return [
        f"| a machine | braked a year without a reason | {' | '.join(ATTACKS)} |",
        "| --- " * (2 + len(ATTACKS)) + "|",
    ]


def row(name: str) -> str:
    shares = [f"{share_braked(name, attack, _ATTACKS):.0%}" for attack in ATTACKS]
    return f"| {name} | {false_brakes(name, _YEARS).total() / _YEARS:.2f} | {' | '.join(shares)} |"


def stated() -> list[str]:
    found = _PLACE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[1].splitlines()


def test_the_table_has_every_machine_and_none_is_braked_more_than_once_a_year() -> None:
    lines = stated()
    assert lines[:2] == head()
    rows = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert [cells[0] for cells in rows] == list(ORDINARY)
    assert all(float(cells[1]) <= 1 for cells in rows)


@pytest.mark.skipif("TARKEEP_TEST_HISTORIES" not in os.environ, reason="takes minutes; make test-long runs it")
@pytest.mark.parametrize("number", range(len(ORDINARY)))
def test_the_table_is_what_the_simulation_gives(number: int) -> None:
    """Where it is not, the failure shows what to put there."""
    assert stated()[2 + number] == row(list(ORDINARY)[number])
