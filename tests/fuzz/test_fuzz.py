"""
Every target runs its seeds, and with FUZZ_SECONDS in the environment the inputs that atheris generates in that time.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS
from tests.support.require import require

ROOT = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "seeds"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_break_nothing(name: str) -> None:
    """Inputs that are known to reach certain code, or once broke something."""
    found = sorted((SEEDS / name).iterdir())
    assert found

    for seed in found:
        TARGETS[name](seed.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_what_is_fuzzed(tmp_path: Path, name: str) -> None:
    """No input that atheris finds in the time makes a target fail, take 10 seconds or a gigabyte."""
    require("fuzz", SECONDS > 0, "set FUZZ_SECONDS to the seconds for each target, or: make fuzz")
    require("fuzz", importlib.util.find_spec("atheris") is not None, "pip install atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    options = [
        f"-max_total_time={SECONDS}",
        "-max_len=8192",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    command: list[str | Path] = [
        # Started directly, it would inherit the peak of memory of this process.
        *("sh", "-c", '"$@"; exit $?', "sh"),
        sys.executable,
        "-m",
        "tests.fuzz.run",
        name,
        *options,
        f"-artifact_prefix={tmp_path}/",
        corpus,
    ]

    done = subprocess.run([*command, SEEDS / name], cwd=ROOT, capture_output=True, text=True, check=False)

    # atheris prints the exception on standard output, and libFuzzer its cause on standard error
    assert done.returncode == 0, (
        done.stdout[-4000:] + done.stderr[-1000:] + str([p.read_bytes() for p in tmp_path.glob("*-*")])
    )
    assert "stat::number_of_executed_units" in done.stderr
