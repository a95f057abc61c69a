"""
The command lines of the documents, run as a reader would run them, with their output compared with the documented one.

A page's fenced blocks run in one bash, in order, so that variables and files of one block exist in the next. A block
marked ``sh`` is a script, and each of its commands must succeed. An unmarked block with lines that begin with ``$ ``
shows commands with their output: it must match the real output, except for what differs from run to run (numbers,
digests, tokens, times, and whatever ``...`` or a variable stands for). Other blocks hold no commands.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from attrs import define, field, frozen

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    """The module ``scripts/NAME.py``, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MARK = "@@@ "

# a curl as a reader would look at it: an error response is a failure, and no progress bar is in the output
_CURL = """\
#!/bin/bash
for word; do
    case $word in --fail*) exec {curl} -sS "$@" ;; --*) ;; -*f*) exec {curl} -sS "$@" ;; esac
done
exec {curl} -sS --fail-with-body "$@"
"""


@frozen
class Command:
    """A command line of a page, or a script, and its documented output; None if the page shows none."""

    text: str
    output: str | None


@define
class Played:
    """The result of a command: its whole output, its exit status, and the lines of a script that failed."""

    command: Command
    printed: str
    status: int
    failed: list[str] = field(factory=list)


def commands(page: Path) -> list[Command]:
    """The command lines of *page*, in order."""
    found: list[Command] = []
    for indent, mark, body in _BLOCK.findall(page.read_text()):
        text = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        if mark in ("sh", "bash"):
            found.append(Command(text.rstrip("\n"), None))
        elif mark == "" and re.search(r"^\$ ", text, re.MULTILINE):
            found.extend(_transcript(text))
    return found


def _transcript(text: str) -> list[Command]:
    found = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        length = 1
        while lines[length - 1].endswith("\\"):
            length += 1
        output = "\n".join(lines[length:])
        found.append(Command("\n".join(lines[:length]), output or None))
    return found


@define
class Sandbox:
    """A home with a shell in it. *instead* maps places and addresses of the documents to those of the sandbox."""

    home: Path
    instead: Mapping[str, str]
    programs: Sequence[str] = ()
    """Programs that do nothing and succeed."""

    scripts: Mapping[str, str] = field(factory=dict)
    """Programs that are replaced by bash scripts, by their names."""

    def play(
        self, lines: Sequence[Command], before: Mapping[str, str] | None = None, *, seconds: float = 300
    ) -> list[Played]:
        """
        Run *lines* in one bash, for at most so many *seconds*. *before* maps the beginning of a command to shell lines
        that run ahead of the first such command, for events between two commands of the reader.
        """
        waiting = dict(before or {})
        script = ["set -o pipefail -E", f"cd {self.home}"]
        for number, line in enumerate(lines):
            for start in [start for start in waiting if line.text.startswith(start)]:
                script.append(f"{{ {waiting.pop(start)}\n}}")
            script.append(f"printf '\\n{_MARK}begin {number}\\n'")
            if line.output is None:
                script.append(f'trap \'printf "\\n{_MARK}failed %s\\n" "$BASH_COMMAND"\' ERR')
            script.append(self.here(line.text))
            script.append(f"status=$?; trap - ERR; printf '\\n{_MARK}end %s\\n' $status")
        assert not waiting, f"no command begins with {sorted(waiting)}"
        ran = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            env=self._environment(),
            check=False,
            timeout=seconds,
        )
        return _parsed(lines, ran.stdout)

    def _environment(self) -> dict[str, str]:
        bin = self.home / ".bin"
        bin.mkdir(exist_ok=True)
        curl = bin / "curl"
        curl.write_text(_CURL.format(curl=shutil.which("curl")))
        curl.chmod(0o755)
        for program, script in {**dict.fromkeys(self.programs, ""), **self.scripts}.items():
            (bin / program).write_text(f"#!/bin/bash\n{script}")
            (bin / program).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TARKEEP_", "XDG_"))}
        return kept | {
            "HOME": str(self.home),
            "PATH": f"{bin}:{Path(os.sys.executable).parent}:{kept['PATH']}",  # type: ignore[attr-defined]
            "COLUMNS": "200",
            "LC_ALL": "C.UTF-8",
            "NO_PROXY": "*",
            "TARKEEP_RESERVE_BYTES": "0",
        }

    def here(self, text: str) -> str:
        """*text* with the places of this sandbox, the longest names first; replacements are not replaced again."""
        if not self.instead:
            return text
        there = "|".join(map(re.escape, sorted(self.instead, key=len, reverse=True)))
        return re.sub(there, lambda match: self.instead[match[0]], text)


def _parsed(lines: Sequence[Command], printed: str) -> list[Played]:
    played: list[Played] = []
    for part in printed.split(f"\n{_MARK}begin ")[1:]:
        number, _, rest = part.partition("\n")
        body, found, end = rest.partition(f"\n{_MARK}end ")
        assert found, f"the shell ended within: {lines[int(number)].text}\n{rest}"
        failed = re.findall(rf"^{_MARK}failed (.*)$", body, re.MULTILINE)
        shown = re.sub(rf"\n{_MARK}failed .*\n", "", body)
        played.append(Played(lines[int(number)], shown, int(end.split("\n")[0]), failed))
    assert len(played) == len(lines), printed[-2000:]
    return played


# -- what output looks like ------------------------------------------------------------------------------------------

_VARYING = re.compile(
    r"""(?P<any>\.\.\.)
      | (?P<token>\btk_[a-z2-7]{8}_[a-z2-7]{58}\b)
      | (?P<variable>\$[A-Z]+)
      | (?P<age>just\ now|\d+\ (?:second|minute|hour|day|week|month|year)s?\ ago)
      | (?P<duration>\b(?:\d+\ h\ )?(?:\d+\ min\ )?\d+(?:\.\d+)?\ (?:s|min)\b)
      | (?P<hex>\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b)
      | (?P<size>\d[\d.,]*\ (?:bytes|B|KB|MB|GB|TB)\b)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<space>\s+)""",
    re.VERBOSE,
)
_PATTERNS = {
    "any": ".*?",
    "token": "tk_[a-z2-7]{8}_[a-z2-7]{58}",
    "variable": r"\S+",
    "age": r"(?:just now|\d+ \w+ ago)",
    "duration": r"(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d+)? (?:s|min)",
    "hex": "[0-9a-f]+",
    "size": r"\d[\d.,]* (?:bytes|B|KB|MB|GB|TB)",
    "number": r"\d+(?:\.\d+)?",
    "space": r"\s+",
}


def unlike(shown: str, printed: str) -> list[str]:
    """
    The differences between *printed* and the *shown* output: one line for each line without a match, empty if alike.

    Lines may come in another order, as those of concurrent transfers do. JSON may be broken into lines anywhere.
    """
    if shown.lstrip().startswith(("{", "[")):
        printed = printed[printed.find("{") :]  # after curl's error message
        shown, printed = (re.sub(r"\s+", "", text) for text in (shown, printed))
    wanted = [line.strip() for line in shown.splitlines() if line.strip()]
    left = [line.strip() for line in printed.splitlines() if line.strip()]
    missing: list[str] = []
    for line in wanted:
        if line == "...":
            return missing  # and so on
        like = next((other for other in left if _pattern(line).fullmatch(other)), None)
        if like is None:
            missing.append(f"shown and not printed: {line}")
        else:
            left.remove(like)
    return missing + [f"printed and not shown: {line}" for line in left]


def _pattern(line: str) -> re.Pattern[str]:
    pattern, at = "", 0
    for match in _VARYING.finditer(line):
        assert match.lastgroup is not None
        pattern += re.escape(line[at : match.start()]) + _PATTERNS[match.lastgroup]
        at = match.end()
    return re.compile(pattern + re.escape(line[at:]), re.DOTALL)
