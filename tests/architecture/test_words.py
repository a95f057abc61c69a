"""
Neither domain nor adapters speak HTTP or the command line: their sentences do not say what to type, or what to send.

What to do about an error stands in one table for each way in: `http/answers/ways_out.py`, `cli/terminal/hints.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib import import_module
from inspect import Parameter, signature

import pytest
from attrs import fields

from tarkeep.entrypoints.cli import commands
from tarkeep.entrypoints.settings.backups import BackupOptions
from tarkeep.entrypoints.settings.client import ClientSettings
from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tests.architecture.test_layers import ROOT

SETTINGS = (BackupOptions, ClientSettings, ServerSettings, StorageSettings)
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


@cache
def options() -> frozenset[str]:
    """Every option of every command, as it is typed."""
    found = {"--" + one.name.replace("_", "-") for group in SETTINGS for one in fields(group)}
    for command in commands.named():
        module, _, function = command.place.partition(":")
        main = getattr(import_module(f"tarkeep.entrypoints.cli.{module}"), function)
        keywords = (one for one in signature(main).parameters.values() if one.kind is Parameter.KEYWORD_ONLY)
        found |= {"--" + one.name.replace("_", "-") for one in keywords}
    return frozenset(found)


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
SENTENCES = ("a command", "an environment variable", "a query")


def advice_in(source: str) -> list[str]:
    """
    The sentences in *source* that say what to type: an option of ours, a command, a variable.

    Single words are what an adapter passes on to another program, such as the options of tar.
    """
    return [
        f"{line}: {text!r}"
        for line, text in words_of(ast.parse(source))
        if text.count(" ") > 1
        if options().intersection(OPTION.findall(text)) or any(FORBIDDEN[what].search(text) for what in SENTENCES)
    ]


def test_no_adapter_says_what_to_type() -> None:
    """The same adapter is used by commands and by a server, whose clients know no options of its commands."""
    found = [
        f"{file.relative_to(ROOT)}:{said}"
        for file in sorted((ROOT / "src" / "adapters").rglob("*.py"))
        for said in advice_in(file.read_text())
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "name another folder with --work",
        "there is no such folder; set --backup-dir",
        "it is damaged; remove its file, if it has one, and run tarkeep rebuild",
        "set TARKEEP_SERVER to another one",
    ],
)
def test_such_advice_would_be_found(text: str) -> None:
    assert advice_in(f"raise Error('{text}')") != []


@pytest.mark.parametrize("text", ["--work", "make it without --multi-volume", "SQLITE_BUSY"])
def test_words_for_other_programs_are_none(text: str) -> None:
    assert advice_in(f"raise Error('{text}')") == []


@pytest.mark.parametrize(
    "text",
    [
        "replace it with --force",
        "or say -n",
        "run tarkeep rebuild on the server",
        "tarkeep token list shows the tokens",
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
