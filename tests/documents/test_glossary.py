"""The glossary: each word once, and each class that it names exists under that name, once."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
DESIGN = ("archive", "profile", "type", "kind", "parent, link", "chain", "restore point", "plan", "claim", "state")


def rows() -> list[tuple[str, str]]:
    cells = [line.strip("| ").split(" | ") for line in GLOSSARY.splitlines() if line.startswith("| ")]
    return [(word, meaning) for word, meaning in cells if word not in ("word", "---")]


def classes() -> Counter[str]:
    """How often each class is defined in the domain."""
    found: Counter[str] = Counter()
    for file in (ROOT / "src" / "domain").rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name] += 1
    return found


def test_each_word_stands_there_once() -> None:
    words = [word for word, _ in rows()]

    assert sorted(words) == sorted(set(words))
    assert set(DESIGN) <= set(words)


def test_each_class_is_there_once() -> None:
    """So a word leads to one place in the code, and renaming a class changes its entry."""
    named = [name for _, meaning in rows() for name in re.findall(r"`([A-Z]\w+)`", meaning)]
    defined = classes()

    assert len(named) > 30
    assert [name for name in named if defined[name] != 1] == []
