"""Tables: columns stand below each other and never run together, whatever is in them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.entrypoints.cli.terminal.columns import in_columns
from tests.support.machine import Machine, some, store
from tests.support.server import LiveServer

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=" ", exclude_categories=["Z", "C", "M"]), min_size=1)


def lines(rows: list[list[str]], right: list[int]) -> list[str]:
    return [line for _, line in in_columns(rows, lambda row: row, right)]


@given(st.lists(st.lists(WORDS, min_size=4, max_size=4), max_size=30))
def test_what_went_in_comes_out_again(rows: list[list[str]]) -> None:
    """Two blanks stand between any two columns, at the least."""
    assert [re.split(r" {2,}", line.strip()) for line in lines(rows, [1])] == rows


def test_columns_are_as_wide_as_what_they_hold() -> None:
    """Characters that take two columns of a terminal count as two."""
    assert lines([["a", "1", "x"], ["bbb", "22", "y"], ["日本", "3", ""]], [1]) == [
        "a      1  x",
        "bbb   22  y",
        "日本   3",
    ]


def test_a_long_table_is_not_waited_for() -> None:
    """It is laid out a thousand rows at a time."""
    rows = (["x" * (number // 1000 + 1), "y"] for number in range(10**9))
    laid_out = in_columns(rows, lambda row: row)

    assert next(laid_out)[1] == "x  y"


def test_a_profile_with_a_long_name_stands_in_line(machine: Machine, live: LiveServer, profile: str) -> None:
    """The longest that there is, beside short ones, in the lists that have profiles and names in them."""
    long = f"{profile}-".ljust(64, "x")
    for name in (long, profile):
        store(live, name, "FULL", "a.tar.gz", some(name))
    counts = [line for line in machine.run("stats").stdout.splitlines() if line.split()[0] in (long, profile)]
    listed = machine.run("list", long).stdout

    assert len({line.index(" FULL ") for line in counts}) == 1
    assert f"stored  {long}/FULL/a.tar.gz" in listed


def test_one_is_no_plural(machine: Machine, live: LiveServer, profile: str) -> None:
    """In what people see most."""
    machine.keep("FULL", f"{profile}.tar.gz", some(profile))
    told = machine.run("status", profile).stdout
    machine.run("push", profile)
    told += machine.run("points", profile).stdout
    told += machine.run("restore", profile, "--into", "back", "--dry-run").stdout

    assert "1 of 1 local archive is not safe" in told
    assert "1 of 1 point can be restored" in told
    assert " from 1 archive, " in told
    assert not re.search(r"\b1 (archives|points|names|files)\b", told)
