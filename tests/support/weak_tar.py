"""A GNU tar that cannot read what permissions forbid, even if the tests run as root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.require import require


def weak_tar(folder: Path) -> str:
    """The path of such a program, made in *folder*."""
    drop = ""
    if os.geteuid() == 0:
        require("setpriv", shutil.which("setpriv") is not None, "apt install util-linux")
        drop = "setpriv --bounding-set -dac_override,-dac_read_search "
    program = folder / "weak-tar"
    program.write_text(f'#!/bin/sh\nexec {drop}tar "$@"\n')
    program.chmod(0o755)
    return str(program)
