"""npm packages for tests: installed once according to their lock file, outside the source tree."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.support.require import require


def installed(project: Path, cache: Path) -> Path:
    """
    A copy of the folder *project* below *cache*, with the packages of its ``package-lock.json`` beside its scripts.

    Safe for several processes at once. After a change of any file in *project*, a new copy replaces the old one.
    """
    require("node", bool(shutil.which("node") and shutil.which("npm")), "apt install nodejs npm")
    files = sorted(path for path in project.iterdir() if path.is_file())
    key = hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in files)).hexdigest()[:16]
    folder, mark = cache / key, cache / key / "installed"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            for old in cache.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            folder.mkdir()
            for path in files:
                shutil.copy(path, folder)
            npm = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, text=True
            )
            said = npm.stderr.strip()[-500:]
            require("node", npm.returncode == 0, f"npm ci must reach a registry; it said: {said}")
            mark.touch()
    return folder
