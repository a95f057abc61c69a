"""The environment of the measurements: the machine, the file system, and the versions of all programs."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("starlette", "uvicorn", "httptools", "uvloop", "multipart", "isal", "sqlalchemy", "msgspec")


def describe(work: Path) -> list[tuple[str, str]]:
    """Facts as (name, value); *work* is the folder whose file system was used."""
    memory_kib = int(_first_match("/proc/meminfo", "MemTotal:").split()[0])
    load = os.getloadavg()[0]
    return [
        ("CPU", f"{_first_match('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores"),
        ("memory", f"{memory_kib / 2**20:.1f} GiB"),
        ("system", f"{_first_match('/etc/os-release', 'PRETTY_NAME=')}, Linux {platform.release()}"),
        ("file system", _file_system(work)),
        ("load average before", f"{load:.2f}" + (" (the machine was not idle)" if load > 0.5 else "")),
        ("Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("tarkeep", f"{_version('tarkeep')}, commit {_commit()}"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
        ("tools", ", ".join(_first_line(name) for name in ("curl", "md5sum", "tar", "gzip"))),
    ]


def _first_match(path: str, key: str) -> str:
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(key):
                return line.removeprefix(key).strip().lstrip(":").strip().strip('"')
    except OSError:
        pass
    return "0 unknown"


def _file_system(path: Path) -> str:
    """The type of the file system that *path* is on, and its free space."""
    target = path.resolve()
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, type, *_ = line.split()
        if target.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, type
    return f"{kind}, {shutil.disk_usage(target).free / 1e9:.0f} GB free"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    here = Path(__file__).parent
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
    if found.returncode != 0:
        return "unknown"
    changed = subprocess.run(["git", "status", "--porcelain", "../src"], cwd=here, capture_output=True, text=True)
    return found.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


def _first_line(program: str) -> str:
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return f"{program} unknown"
    return " ".join(text.split()[:4]).removesuffix(" (x86_64-pc-linux-gnu)")
