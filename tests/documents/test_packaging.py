"""The distribution: the wheel is exactly ``src``, and installs into a working command."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import tarkeep

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution as an index would get it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT], check=True, capture_output=True
    )
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_is_exactly_src(wheel: Path) -> None:
    """Every file of src, under the name tarkeep, with the manual page beside it, and nothing else."""
    tracked = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix("tarkeep/") for name in archive.namelist() if ".dist-info/" not in name}

    assert packed == tracked | {f"tarkeep-{tarkeep.__version__}.data/data/share/man/man1/tarkeep.1"}


def test_the_version_is_the_same_everywhere() -> None:
    """The package, its installed metadata and the command report the same version."""
    said = subprocess.run([sys.executable, "-m", "tarkeep", "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == tarkeep.__version__ == version("tarkeep")


def test_the_wheel_gives_a_working_command(wheel: Path, tmp_path: Path) -> None:
    """Installed away from this tree, the command finds everything it needs inside the wheel."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", tmp_path / "site", wheel], check=True
    )
    asking = "import tarkeep; from tarkeep.entrypoints.cli import main; print(tarkeep.__file__, flush=True); main()"
    (tmp_path / "old" / "FULL").mkdir(parents=True)
    command = [sys.executable, "-c", asking, "import", str(tmp_path / "old"), "--data", str(tmp_path / "data")]

    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True, check=True
    )

    where, answer = done.stdout.splitlines()
    assert where.startswith(str(tmp_path))
    assert answer == "0 imported, 0 already there, 0 refused"


def test_the_locks_name_no_index() -> None:
    """The locked files install from any index or mirror, and every package is pinned by hash."""
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-servers.lock"):
        text = (ROOT / lock).read_text()

        assert "://" not in text
        assert "--index" not in text
        assert all("--hash=sha256:" in text for line in text.splitlines() if "==" in line)
