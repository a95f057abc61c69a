"""
Writing RESULTS.md.

Each bench owns the section between its two marks, the machine owns another; text outside the marks, such as
explanations of a missed figure, is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .report import Table, as_markdown

_PREFACE = """\
# Results

Written by `python -m benchmarks --write-results`; how to read the tables is said in [README.md](README.md).
Text outside of the marked sections is written by hand and kept.
"""


def write_results(path: Path, machine: Sequence[tuple[str, str]], tables: Sequence[Table], rounds: str) -> None:
    """Put the sections of *tables* and of *machine* into *path*, keeping all other text."""
    text = path.read_text() if path.exists() else _PREFACE
    facts = "\n".join(f"- {name}: {value}" for name, value in machine)
    text = _with_section(text, "machine", f"## Machine and versions\n\n{facts}")
    for table in tables:
        told = f"Measured {datetime.now(UTC):%Y-%m-%d}, {rounds}."
        text = _with_section(text, table.name, f"{as_markdown(table)}\n\n{told}")
    path.write_text(text)


def _with_section(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{content}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: section, text)
    return f"{text.rstrip()}\n\n{section}\n"
