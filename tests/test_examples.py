"""The examples that users copy are checked as users would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields

from tarkeep.entrypoints.settings import ServerSettings, StorageSettings
from tests.support.require import require

ROOT = Path(__file__).parents[1]


SYSTEMD = ROOT / "examples" / "systemd"


@pytest.mark.parametrize("unit", ["tarkeep.service", "tarkeep-nightly.service", "tarkeep-nightly.timer"])
def test_the_systemd_units_are_accepted(tmp_path: Path, unit: str) -> None:
    """``systemd-analyze verify`` has nothing to say about them, once the commands are where they say."""
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "tarkeep").symlink_to(Path(sys.executable).with_name("tarkeep"))
    (commands / "tarkeep-nightly").symlink_to(SYSTEMD / "tarkeep-nightly")
    for file in [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.timer")]:
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/tarkeep/bin", str(commands)))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in (done.stdout + done.stderr).splitlines() if "tarkeep" in line]
    assert (done.returncode, ours) == (0, [])
    assert "/opt/tarkeep/bin/" in (SYSTEMD / unit.replace(".timer", ".service")).read_text()


def test_shellcheck_finds_nothing_in_the_nightly_script() -> None:
    """It is plain POSIX sh without the usual mistakes."""
    require("shellcheck", shutil.which("shellcheck") is not None, "apt install shellcheck")

    checked = subprocess.run(
        ["shellcheck", "--shell=sh", SYSTEMD / "tarkeep-nightly"], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout) == (0, "")
    assert os.access(SYSTEMD / "tarkeep-nightly", os.X_OK)


def test_the_settings_table_has_every_setting() -> None:
    """docs/operations.md names each setting once, and nothing that is none."""
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| setting |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    settings = [attribute.name for attribute in (*fields(StorageSettings), *fields(ServerSettings))]
    assert sorted(named) == sorted(settings)
