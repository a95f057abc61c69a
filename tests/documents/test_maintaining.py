"""The tools of maintainers: the matrix of Pythons, and the hooks before a commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.documents import ROOT

# stands in for make: an environment whose Python passes or fails the tests
_MAKE = """\
#!/bin/sh
for target; do :; done
mkdir -p "$(dirname "$target")/bin"
printf '#!/bin/sh\\necho "tested with $*"; exit %s\\n' "$TESTED" >"$(dirname "$target")/bin/python"
chmod +x "$(dirname "$target")/bin/python"
"""


def matrix(place: Path, present: list[str], *, tested: int = 0) -> tuple[int, str]:
    """Status and output of the script below *place*, on a machine that has the Pythons *present*."""
    bin = place / "bin"
    (place / "scripts").mkdir()
    bin.mkdir()
    shutil.copy(ROOT / "scripts" / "matrix", place / "scripts")
    shutil.copy(ROOT / "pyproject.toml", place)
    for version in ("3.11", "3.12", "3.13"):
        answer = f"[ '{version}' = \"$(echo \"$2\" | grep -o '3[.][0-9]*')\" ]" if version in present else "exit 127"
        (bin / f"python{version}").write_text(f"#!/bin/sh\n{answer}\n")
    (bin / "make").write_text(_MAKE)
    for program in bin.iterdir():
        program.chmod(0o755)
    ran = subprocess.run(
        [place / "scripts" / "matrix", "-k", "quick"],
        env={"PATH": f"{bin}:{os.environ['PATH']}", "TESTED": str(tested)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def test_the_matrix_says_which_pythons_are_absent(tmp_path: Path) -> None:
    """The others are tested, with the arguments that were given."""
    status, told = matrix(tmp_path, ["3.11", "3.13"])

    assert told.splitlines() == [
        "tested with -m pytest -n auto -k quick",
        "tested with -m pytest -n auto -k quick",
        "",
        "Python 3.11: passed",
        "Python 3.12: absent: no python3.12 runs on this machine",
        "Python 3.13: passed",
    ]
    assert status == 0


@pytest.mark.parametrize(("present", "tested"), [(["3.12"], 1), ([], 0)])
def test_the_matrix_fails_where_tests_do_or_no_python_is_there(tmp_path: Path, present: list[str], tested: int) -> None:
    """So that an empty run does not count as a success."""
    status, told = matrix(tmp_path, present, tested=tested)

    assert status == 1
    assert ("Python 3.12: failed: the tests" in told) == bool(present)


def test_the_hooks_fetch_nothing_and_call_what_check_calls() -> None:
    """Each is local, of the system, and a line of `make check`."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = makefile.partition("\ncheck:")[2].partition("\n\n")[0].replace("$(BIN)", ".venv/bin")

    hooks = [(repository["repo"], hook) for repository in config["repos"] for hook in repository["hooks"]]
    assert {(repository, hook["language"]) for repository, hook in hooks} == {("local", "system")}
    assert [hook["entry"] for _, hook in hooks] == [line.strip() for line in check.splitlines()[1:]]
