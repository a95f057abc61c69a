"""The manual page describes the commands, and renders without warnings; the documents agree on exit codes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from types import ModuleType

import pytest

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS, SERVER_COMMANDS
from tarkeep.entrypoints.cli.terminal import exits
from tests.support.documents import ROOT, script
from tests.support.require import require

PAGE = ROOT / "docs" / "man" / "tarkeep.1"
CODES = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return script("make_man_page")


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a reader sees it, without the control characters for bold text."""
    require("man", shutil.which("man") is not None, "install man-db")
    ran = subprocess.run(
        ["man", "-l", "--warnings", "-E", "UTF-8", "-Tutf8", PAGE],
        capture_output=True,
        text=True,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", ran.stdout)


def test_the_page_is_made_of_the_commands_as_they_are(maker: ModuleType) -> None:
    """After changing a command, run: python scripts/make_man_page.py."""
    assert PAGE.read_text() == maker.page()


def test_the_page_explains_every_command_and_shows_what_is_typed(shown: str) -> None:
    """With hyphens that can be copied, and nothing lost in formatting."""
    for command in (*CLIENT_COMMANDS, *SERVER_COMMANDS, "completion"):
        assert f"tarkeep {command} [OPTION...]" in shown
    for typed in (
        "--limit-rate RATE",
        "--type FULL|INC|DIFF",
        "~/.config/tarkeep/config.toml",
        "tarkeep verify laptop --safe-to-delete -0 | xargs -0 -r rm --",
        "TARKEEP_TOKEN",
    ):
        assert typed in shown


def test_code_page_and_document_have_the_same_exit_codes(maker: ModuleType, shown: str) -> None:
    """Scripts rely on them."""
    table = (ROOT / "docs" / "clients.md").read_text().partition("| exit code |")[2]
    documented = {
        int(code): words.replace("`", "") for code, words in re.findall(r"^\| (\d+) \| (.*) \|$", table, re.MULTILINE)
    }

    assert set(maker.EXIT_CODES) == CODES
    assert documented == maker.EXIT_CODES
    status = re.search(r"EXIT STATUS\n(.*?)\nFILES", shown, re.DOTALL)
    assert status is not None
    assert {int(code) for code in re.findall(r"^ +(\d+) +\w", status[1], re.MULTILINE)} == CODES
    assert {0, 1, 2, 3, 10, 12, 13, 14, 15, 130, 141} == CODES
