"""The proofs that the documents name exist: a promise whose test was renamed or removed is no longer shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "SECURITY.md", "docs/comparison.md", "docs/promises.md"]
_FILE = re.compile(r"\b(?:tests/[\w/]*/)?test_\w+\.py")
_TEST = re.compile(r"\btest_[a-z0-9_]+(?![\w.*])")
_TARGET = re.compile(r"`make ([a-z-]+)")


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_as_proof_is_there(page: str) -> None:
    """Every test file, test and target of make; files without their folder are in one of those named before."""
    text = (ROOT / page).read_text(encoding="utf-8")
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    names = {path.rpartition("/")[2] for path in there}
    code = "\n".join((ROOT / path).read_text(encoding="utf-8") for path in there)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    files = _FILE.findall(text)
    assert files
    assert [file for file in files if file not in (there if "/" in file else names)] == []
    assert [test for test in _TEST.findall(text) if f"def {test}(" not in code and f"{test}.py" not in names] == []
    assert [target for target in _TARGET.findall(text) if target not in targets] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_row_names_a_proof(page: str) -> None:
    """No promise in a table stands alone: a test, a benchmark or a page is named beside it."""
    proof = re.compile(r"test_|test-|bench|the same|SLOW|no test")
    rows = [row for table in tables(page) if not re.search(r"Borg|version", table[0]) for row in table[2:]]

    assert len(rows) >= 6
    assert [row for row in rows if not proof.search(row.partition("|")[2].partition("|")[2])] == []


def test_each_answer_about_other_tools_has_its_source() -> None:
    """The rows of the README's comparison are those of the page that gives their sources."""
    (answers,) = [table for table in tables("README.md") if "Borg" in table[0]]
    (sources,) = tables("docs/comparison.md")

    assert [subject(row) for row in answers[2:]] == [subject(row) for row in sources[2:]]


def tables(page: str) -> list[list[str]]:
    """The lines of each table of *page*."""
    found = re.findall(r"(?:^\|.*\n)+", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [table.splitlines() for table in found]


def subject(row: str) -> str:
    return row.split("|")[1].strip()
