"""
The cost of chains, and the speed of restoring them: restore.tar, recorded members, points and large trees.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..contestants import WrongAnswer
from ..corpus import Archive, real_archive
from ..report import Table, Target, race_row, value_row
from ..runner import Context, Entrant, Sample, command_entrant, race

RESTORED = Target(1.25)
RECORDED = Target(1.15)
POINTS = Target(0.2, unit=" s")
PAGE = Target(0.3, unit=" s")

INCREMENTS = 10
CHANGED = 0.01  # of the files, from dump to dump
ARCHIVES = 1_000


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    names = 100_000 if context.quick else 1_000_000
    with tempfile.TemporaryDirectory(dir=context.work, prefix="chains-") as scratch:
        place = Path(scratch)
        context.say("  making a chain of real files, and 1,000 small ones, and a large tree")
        chain = _chain(archive, place)
        _fill(place / "restored", chain)
        _fill(place / "many", _many(place))
        _fill(place / "names", [_names(place, names)])
        inflating = _entrant("isal inflating the archives", archive, "inflate", *map(str, chain))
        restoring = _entrant("restore.tar of the chain", archive, "restore", str(place / "restored"))
        again = _entrant("restore.tar, its tree at hand", archive, "restore-again", str(place / "restored"))
        fresh = _Fresh(archive, chain[0])
        plain, recording = fresh.entrant("receiving, not recording"), fresh.entrant("receiving, members recorded")
        points = _entrant(f"points of {ARCHIVES:,} archives", archive, "points", str(place / "many"))
        page = _entrant(f"first page of {names:,} names, warm", archive, "tree", str(place / "names"), "d0500")
        restored = race(inflating, [restoring, again], context)
        received = race(plain, [recording], context)
        looked = race(points, [page], context)
        size = sum(path.stat().st_size for path in chain)
    return Table(
        name="chains",
        title=f"a FULL and {INCREMENTS} INC of real files ({size / 1e6:.0f} MB)",
        rows=[
            race_row(restored, inflating.label),
            race_row(restored, restoring.label, to=inflating.label, target=RESTORED),
            race_row(restored, again.label, to=inflating.label, target=RESTORED),
            race_row(received, plain.label),
            race_row(received, recording.label, to=plain.label, target=RECORDED),
            value_row(points.label, looked.seconds(points.label), 3, " s", POINTS),
            value_row(page.label, looked.seconds(page.label), 3, " s", PAGE),
        ],
        remarks=[
            "restore.tar in this process, to nowhere: 1.25x the time is 0.8x the speed of inflating",
            "the tree of the point is merged in that time, or was before, as by whoever looked into the point",
            "points with what comparing the archives showed in the catalog, and as JSON",
            restored.disturbance(),
        ],
    )


def _entrant(label: str, archive: Archive, way: str, *arguments: str) -> Entrant:
    def check(output: str) -> float:
        found = json.loads(output)
        if not found["result"]:
            raise WrongAnswer(f"{label}: nothing came")
        return float(found["seconds"])

    return command_entrant(label, [sys.executable, "-m", "benchmarks.chain", way, *arguments], archive, check)


class _Fresh:
    """Receiving into a new data directory each time."""

    def __init__(self, archive: Archive, file: Path) -> None:
        self._archive = archive
        self._file = file

    def entrant(self, label: str) -> Entrant:
        way = "not-recording" if "not" in label else "recording"

        def run(folder: Path) -> Sample:
            data = folder / "received"
            shutil.rmtree(data, ignore_errors=True)
            return _entrant(label, self._archive, way, str(data), str(self._file)).run(folder)

        return Entrant(label, run)


def _fill(data: Path, archives: Sequence[Path]) -> None:
    command = [sys.executable, "-m", "benchmarks.chain", "fill", str(data), *map(str, archives)]
    subprocess.run(command, check=True)


def _chain(archive: Archive, place: Path) -> list[Path]:
    root = place / "tree"
    root.mkdir()
    subprocess.run(["tar", "-xzf", archive.path, "-C", root], check=True)
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    rng = random.Random(7)

    def change() -> None:
        for path in rng.sample(files, max(1, int(len(files) * CHANGED))):
            with path.open("ab") as file:
                file.write(b"changed\n")

    made = _dumps(place, root.name, INCREMENTS + 1, change)
    shutil.rmtree(root)
    return made


def _many(place: Path) -> list[Path]:
    root = place / "few"
    root.mkdir()
    for number in range(20):
        (root / f"file{number}").write_text("first\n")

    def change() -> None:
        with (root / "file0").open("a") as file:
            file.write("more\n")

    return _dumps(place, root.name, ARCHIVES, change)


def _dumps(place: Path, name: str, count: int, change: Callable[[], None]) -> list[Path]:
    """A FULL, and INC after INC, of the directory *name* in *place*, which changes in between."""
    snapshot = place / f"{name}.snar"
    made = []
    for number in range(count):
        if number:
            change()
        made.append(place / f"{name}-{number:04}.tar.gz")
        incremental = [f"--listed-incremental={snapshot}", "--format=posix", "-C", str(place), name]
        subprocess.run(["tar", "-czf", made[-1], *incremental], check=True)
    return made


def _names(place: Path, count: int) -> Path:
    path = place / "names.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as tar:
        for number in range(count):
            tar.addfile(tarfile.TarInfo(f"d{number * 1000 // count:04}/name{number:07}"))
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep all of them
    return path
