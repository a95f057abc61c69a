"""The examples that users copy are checked as users would run them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from attrs import fields

from tarkeep.entrypoints.settings import ServerSettings, StorageSettings
from tests.support.require import require

ROOT = Path(__file__).parents[1]


def test_the_systemd_unit_is_accepted(tmp_path: Path) -> None:
    """``systemd-analyze verify`` has nothing to say about it, once the command is where it says."""
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")
    unit = (ROOT / "examples" / "systemd" / "tarkeep.service").read_text()
    command = Path(sys.executable).with_name("tarkeep")
    assert "/opt/tarkeep/bin/tarkeep" in unit
    (tmp_path / "tarkeep.service").write_text(unit.replace("/opt/tarkeep/bin/tarkeep", str(command)))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "tarkeep.service"],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in (done.stdout + done.stderr).splitlines() if "tarkeep" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_settings_table_has_every_setting() -> None:
    """docs/operations.md names each setting once, and nothing that is none."""
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| setting |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    settings = [attribute.name for attribute in (*fields(StorageSettings), *fields(ServerSettings))]
    assert sorted(named) == sorted(settings)
