"""What tarkeep says of itself: every command and option, at any width, and what it says of words that it has not."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import cyclopts
import pytest
from rich.console import Console

from tarkeep.domain.errors.settings import UsageError
from tarkeep.entrypoints.cli import commands
from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS, app, describe
from tarkeep.entrypoints.cli.shared.needed_scopes import SCOPES, needs
from tarkeep.entrypoints.cli.terminal.usage_errors import sentence

ROOT = Path(__file__).parents[2].parent.parent
NAMES = [one.name for one in commands.named()]


def page(*words: str, columns: int = 80) -> str:
    """The help of a command, on a terminal of so many columns; of tarkeep itself without *words*."""
    shown = io.StringIO()
    describe(words)
    app.meta.help_print(list(words), console=Console(file=shown, width=columns))
    return shown.getvalue()


def test_every_command_has_its_line() -> None:
    """In the group of its kind, without being imported, on one line of 80 columns; a family has its own page."""
    shown = called("--help").stdout  # in a process of its own: a command that was asked for explains itself at length
    families = {name: called(name, "--help").stdout for name in commands.FAMILIES}

    for name in NAMES:
        family, _, word = name.rpartition(" ")
        assert re.search(rf"^  {word} +[A-Z].*\.$", families[family] if family else shown, re.MULTILINE), name
    titles = re.findall(r"^([A-Z][^.:]*):$", shown, re.MULTILINE)
    assert titles == [*commands.GROUPS, "Options of every command"]
    for name, about in commands.FAMILIES.items():
        assert re.search(rf"^  {name} +{re.escape(about)}$", shown, re.MULTILINE)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_stays_within_the_terminal(columns: int) -> None:
    """And within what is read with ease; only a word that is longer stands out."""
    for name in ["", *NAMES]:
        for line in page(*name.split(), columns=columns).splitlines():
            longest = max((len(word) for word in line.split()), default=0)
            assert len(line) <= max(min(columns, 100), longest + 12), line


@pytest.mark.parametrize("name", NAMES)
def test_a_command_explains_itself_in_groups(name: str) -> None:
    """How it is called, what it does, its own options and then those of all; of a client's, the scopes it needs."""
    shown = page(*name.split())
    usage, what, *_ = shown.split("\n\n")

    assert usage.startswith(f"Usage: tarkeep {name} ")
    assert len(what.split()) > 3
    assert not re.search(r"\b(STR|INT|CHOICE|None|False)\b|\[default|: \.", shown)
    if name in CLIENT_COMMANDS:
        assert needs(name) in " ".join(shown.split())
        assert shown.index("Options of every client command:") < shown.index("Options of every command:")


def test_the_table_of_scopes_has_every_client_command() -> None:
    """None is forgotten."""
    assert set(SCOPES) == set(CLIENT_COMMANDS)


def called(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tarkeep", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_each_option_that_is_told_is_one(name: str) -> None:
    """Those in the first line among them."""
    first, _, rest = page(*name.split()).partition("\n\n")
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", first))

    assert {option for option in told if not re.search(rf"^ .*{option}\b", rest, re.MULTILINE)} == set()


def test_help_is_had_as_in_other_programs() -> None:
    """By a word of its own as by an option."""
    assert called("help").stdout == called("--help").stdout == called().stdout
    assert called("help", "token", "create").stdout == called("token", "create", "--help").stdout
    assert "Usage: tarkeep token create" in called("help", "token", "create").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pusch", "there is no command 'pusch'; did you mean push? See tarkeep --help"),
        ("token cretae", "there is no command 'cretae'; did you mean create? See tarkeep token --help"),
        ("xyzzyx", "there is no command 'xyzzyx'; see tarkeep --help"),
        ("--hepl", "there is no option --hepl; did you mean --help? See tarkeep --help"),
        ("push --al", "there is no option --al; did you mean --all? See tarkeep push --help"),
        ("push --limit-rte=2M", "there is no option --limit-rte; did you mean --limit-rate? See tarkeep push --help"),
        ("serve --xyzzyx", "there is no option --xyzzyx; see tarkeep serve --help"),
        ("list a b c", "2 words too many: 'b' and 'c'; see tarkeep list --help"),
        ("list a b", "1 word too many: 'b'; see tarkeep list --help"),
        ("restore p", "tarkeep restore needs --into; see tarkeep restore --help"),
        ("restore p --into", "--into needs a value; see tarkeep restore --help"),
        ("cat p", "tarkeep cat needs PATH; see tarkeep cat --help"),
        ("push --jobs x", "--jobs must be a whole number, not 'x'"),
        ("push --jobs 1 --jobs 2", "--jobs is given more than once; give it once"),
        ("serve --upload-idle-hours x", "--upload-idle-hours must be a number, not 'x'"),
        ("serve --max-upload-bytes 5X", "--max-upload-bytes: '5X' is not a size such as 524288000, 500M or 20G"),
        ("backup p . --type ful", "--type must be auto, full, inc or diff, not 'ful'; did you mean full?"),
        ("completion tcsh", "SHELL must be bash, zsh or fish, not 'tcsh'"),
        ("help pusch", "there is no command 'pusch'; did you mean push? See tarkeep --help"),
        ("--json list", "--json belongs after the command, as in tarkeep COMMAND --json"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words: str, said: str) -> None:
    """With the word that was meant, if one is near, and where the right ones stand."""
    with pytest.raises(cyclopts.CycloptsError) as raised:
        app.meta(words.split())
    assert sentence(raised.value) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("push p --al", "--al: there is no such option; did you mean --all? See tarkeep push --help"),
        ("push p --jbos=3 x", "--jbos=3: there is no such option; did you mean --jobs? See tarkeep push --help"),
        ("push p --xyzzyx", "--xyzzyx: there is no such option; see tarkeep push --help"),
        ("help push pull", "pull: is a word too many"),
        ("help token create x", "x: is a word too many"),
        ("help token cretae", "cretae: token has no such command; did you mean create?"),
    ],
)
def test_so_is_what_is_wrong_with_words_that_may_be_anything(words: str, said: str) -> None:
    """Names of files, and of commands that are asked about."""
    with pytest.raises(UsageError) as raised:
        app.meta(words.split())
    assert str(raised.value) == said


def test_a_wrong_line_ends_with_2_in_the_style_of_all_errors() -> None:
    """On standard error, without a frame around it."""
    ran = called("pusch")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "tarkeep: there is no command 'pusch'; did you mean push? See tarkeep --help\n"


def test_help_and_documentation_name_the_same_scopes() -> None:
    """docs/operations.md has every command that talks to a server, once."""
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| what runs | scopes |")[2].partition("\n\n")[0]
    named = {
        command.removeprefix("tarkeep "): tuple(re.findall(r"`(\w+)`", scopes.partition(":")[0].partition(";")[0]))
        for commands_, scopes in re.findall(r"^\| (.*) \| (.*) \|$", table, re.MULTILINE)
        for command in re.findall(r"`([^`]+)`", commands_)
    }

    assert {command: named[command] for command in SCOPES} == SCOPES
