"""The table of docs/retention.md: what its policies keep, as the simulation of the domain has it."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.profiles.rules import ProfileRules
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.retention.simulation import Expected, simulate
from tarkeep.entrypoints.settings.retention import policy_of

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"
_PLACE = re.compile(r"<!-- begin policies -->\n(.*?)<!-- end policies -->", re.DOTALL)
_FULL_BYTES = 30
_DAYS = 400


def policies() -> dict[str, str]:
    """The five policies of the page, as the rows of its table state them."""
    section = PAGE.read_text(encoding="utf-8").partition("## Five policies to copy")[2]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ") and "keep_" in line]
    return {name: settings for name, settings, _ in rows}


def table() -> str:
    lines = ["| for | points | archives | as many bytes as | longest chain |", "| --- | --- | --- | --- | --- |"]
    coming = [Expected(BackupType.FULL, Span.parse("7d"), _FULL_BYTES), Expected(BackupType.INC, Span.parse("1d"), 1)]
    for name, settings in policies().items():
        stated = tomllib.loads("\n".join(re.findall(r"`([^`]*)`", settings)))
        rules = ProfileRules(retention=policy_of(stated))
        last = simulate("p", [], coming, rules, datetime(2026, 1, 1, 2, tzinfo=UTC), _DAYS).days[-1]
        fulls = last.size_bytes / _FULL_BYTES
        lines.append(f"| {name} | {last.points} | {last.archives} | {fulls:.1f} FULLs | {last.longest} |")
    return "\n".join(lines) + "\n"


def test_the_table_is_what_the_simulation_gives() -> None:
    """Where it is not, the failure shows what to put there."""
    found = _PLACE.search(PAGE.read_text(encoding="utf-8"))

    assert found is not None
    assert len(policies()) == 5
    assert found[1] == table()
