"""The completion scripts, in the shells they are for."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS, SERVER_COMMANDS
from tests.support.require import require

SHELLS = ["bash", "zsh", "fish"]
CASES = [
    (["pus"], ["push"]),
    (["st"], ["stats", "status"]),
    (["push", "--limit"], ["--limit-rate"]),
    (["push", "laptop", "--type", ""], ["DIFF", "FULL", "INC"]),
    (["completion", ""], ["bash", "fish", "zsh"]),
    (["serve", "--validate", ""], ["full", "off"]),
    (["push", "laptop", "only_f"], ["only_file.tar.gz"]),
    (["pull", "laptop", "--into", "only_f"], ["only_file.tar.gz"]),
]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three scripts, and one file to be found."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        made = subprocess.run([sys.executable, "-m", "tarkeep", "completion", shell], capture_output=True, text=True)
        assert (made.returncode, made.stderr) == (0, "")
        (folder / f"_tarkeep.{shell}").write_text(made.stdout)
    (folder / "only_file.tar.gz").write_bytes(b"")
    return folder


def has(shell: str) -> None:
    require(shell, shutil.which(shell) is not None, f"install {shell}")


def spoken(shell: str, program: str, folder: Path) -> list[str]:
    ran = subprocess.run(
        [shell, "-c", program], cwd=folder, capture_output=True, text=True, env={**os.environ, "HOME": str(folder)}
    )
    assert ran.returncode == 0, ran.stderr
    return sorted(filter(None, (line.partition("\t")[0] for line in ran.stdout.splitlines())))


@pytest.mark.parametrize(("words", "offered"), CASES, ids=lambda value: " ".join(value))
def test_bash_completes(scripts: Path, words: list[str], offered: list[str]) -> None:
    """By the function that the script registers for the command."""
    has("bash")
    line = shlex.join(["tarkeep", *words])
    program = (
        "source ./_tarkeep.bash; set -- $(complete -p tarkeep); function=$3\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; $function tarkeep\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    assert spoken("bash", program, scripts) == offered


@pytest.mark.parametrize(("words", "offered"), CASES, ids=lambda value: " ".join(value))
def test_fish_completes(scripts: Path, words: list[str], offered: list[str]) -> None:
    """As fish itself is asked for completions."""
    has("fish")
    line = " ".join(["tarkeep", *words])

    assert spoken("fish", f"source ./_tarkeep.fish; complete -C {shlex.quote(line)}", scripts) == offered


def typed_into_zsh(folder: Path, keys: str, begin: str = "") -> str:
    """The line after *keys*, the tabulator among them, were typed into a zsh that *begin* was said to."""
    functions = folder / "functions"
    (folder / ".zshrc").write_text(
        f"fpath=({shlex.quote(str(functions))} $fpath); autoload -Uz compinit; compinit -u -D; {begin}\n"
        'show() { print -rn -- "<<$BUFFER>>" }; zle -N show; bindkey "^X" show; bindkey "^I" complete-word\n'
        "PS1='ready> '\n"
    )
    process_id, terminal = pty.fork()
    if process_id == 0:
        os.chdir(folder)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
        os.execvpe("zsh", ["zsh", "-i"], {**kept, "HOME": str(folder), "ZDOTDIR": str(folder), "TERM": "dumb"})
    try:
        seen = ""
        while "ready> " not in seen:
            seen += os.read(terminal, 4096).decode(errors="replace")
        os.write(terminal, (keys + "\x18").encode())
        seen = ""
        while ">>" not in seen:
            seen += os.read(terminal, 4096).decode(errors="replace")
        return seen.rpartition("<<")[2].partition(">>")[0]
    finally:
        os.close(terminal)
        os.waitpid(process_id, 0)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("tarkeep pus\t", "tarkeep push "),
        ("tarkeep push laptop --limit\t", "tarkeep push laptop --limit-rate "),
        ("tarkeep push laptop --type F\t", "tarkeep push laptop --type FULL "),
        ("tarkeep completion f\t", "tarkeep completion fish "),
        ("tarkeep serve --validate o\t", "tarkeep serve --validate off "),
        ("tarkeep push laptop only_f\t", "tarkeep push laptop only_file.tar.gz "),
        ("tarkeep pull laptop --into fun\t", "tarkeep pull laptop --into functions/"),
    ],
)
def test_zsh_completes(scripts: Path, typed: str, line: str) -> None:
    """What stands on the line after the tabulator key, the script lying in a folder of fpath."""
    has("zsh")
    functions = scripts / "functions"
    functions.mkdir(exist_ok=True)
    shutil.copy(scripts / "_tarkeep.zsh", functions / "_tarkeep")

    assert typed_into_zsh(scripts, typed) == line


def test_zsh_completes_from_a_script_that_was_sourced(scripts: Path) -> None:
    """The other way that people do it."""
    has("zsh")

    assert typed_into_zsh(scripts, "tarkeep comp\t", "source ./_tarkeep.zsh") == "tarkeep completion "


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(scripts: Path, shell: str) -> None:
    """None is forgotten, and the script reads no settings, so that a wrong one cannot break a shell."""
    script = (scripts / f"_tarkeep.{shell}").read_text()
    words = {word for command in (*CLIENT_COMMANDS, *SERVER_COMMANDS, "completion") for word in command.split()}
    assert {word for word in words if word not in script} == set()
    (scripts / "tarkeep.toml").write_text("bogus = 1\n")

    again = subprocess.run(
        [sys.executable, "-m", "tarkeep", "completion", shell], cwd=scripts, capture_output=True, text=True
    )
    assert (again.returncode, again.stdout) == (0, script)
