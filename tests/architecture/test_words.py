"""
The domain speaks neither HTTP nor the command line: no word of its sentences says what to type, or what to send.

What to do about an error stands in one table for each way in: `http/answers/ways_out.py`, `cli/terminal/hints.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tarkeep.entrypoints.cli import commands
from tests.architecture.test_layers import ROOT

_COMMANDS = "|".join(sorted({one.name.partition(" ")[0] for one in commands.named()}))
_STATUSES = "|".join(str(status.value) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)
FORBIDDEN = {
    "an option": re.compile(r"(?<![\w-])--[a-z]|(?<![\w-])-[a-zA-Z]\b(?!-)"),
    "a command": re.compile(rf"\btarkeep (?:{_COMMANDS})\b|\bcurl\b|\bsudo\b"),
    "an environment variable": re.compile(r"\b[A-Z]{2,}_[A-Z_]*[A-Z]\b|\bTARKEEP_"),
    "a status of HTTP": re.compile(rf"(?<![\w.-])(?:{_STATUSES})(?![\w.-])|\bHTTP\b"),
    "a query": re.compile(r"\?[a-z_]+=|\b[a-z_]+=(?:1|true)\b"),
    "a header": re.compile(r"\bAuthorization\b|\bRetry-After\b|\b(?:Content|Upload|Tarkeep|If)-[A-Z]"),
}


def words_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts in *tree* with their lines, but docstrings and those of attributes."""
    documenting = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documenting:
            yield node.lineno, node.value


def said_there(source: str) -> list[str]:
    """What of the words in *source* a domain must not say."""
    return [
        f"{line}: {what}: {text!r}"
        for line, text in words_of(ast.parse(source))
        for what, pattern in FORBIDDEN.items()
        if pattern.search(text)
    ]


def test_the_domain_names_no_option_no_command_no_variable_and_no_status() -> None:
    """It says what happened, with which thing, and why; what to do next depends on who asks."""
    found = [
        f"{file.relative_to(ROOT)}:{said}"
        for file in sorted((ROOT / "src" / "domain").rglob("*.py"))
        for said in said_there(file.read_text())
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "replace it with --force",
        "or say -n",
        "run tarkeep rebuild on the server",
        "tarkeep token list shows them",
        "put it into TARKEEP_TOKEN",
        "or set BACKUP_DIR",
        "it answers 409",
        "choose one with ?profile=",
        "with allow_gaps=1 it is given",
        "send Authorization: Bearer tk_...",
        "as password (curl -u :tk_...)",
    ],
)
def test_such_words_would_be_found(text: str) -> None:
    """Also in the midst of a sentence that is put together; in a docstring they may stand."""
    assert said_there(f"def say(it):\n    '''{text}'''\n    return f'{{it}}; {text}'") != []
    assert said_there(f"def say(it):\n    '''{text}'''\n    return it") == []
