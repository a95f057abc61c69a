"""
The first byte of the last file of a large archive: with a seek index, without one, and by `tarfile`.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from attrs import define, field, frozen

from tarkeep.domain.archives.archive import Offer
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from ..contestants import WrongAnswer
from ..corpus import Archive, real_archive
from ..inside import ARCHIVE
from ..report import Table, Target, race_row, value_row
from ..runner import Context, Entrant, Sample, Spread, command_entrant, race

WITHOUT = Target(0.5)
WITH = Target(0.1, unit=" s")


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    context.say("  looking for the last file, and storing the archive")
    last = _last_file(archive)
    with tempfile.TemporaryDirectory(dir=context.work, prefix="inside-") as scratch:
        data = Path(scratch)
        _store(archive, data)
        ways = _Ways(archive, last, data)
        yardstick = ways.entrant("tarfile", "tarfile")
        streamed = ways.entrant("without an index", "read", forget_index=True)
        index = ways.entrant("making the index", "index", forget_index=True)
        indexed = ways.entrant("with the index", "read", after=index)
        result = race(yardstick, [streamed, indexed], context)
        size = sum(path.stat().st_size for path in (data / "seek").rglob("*") if path.is_file())
    return Table(
        name="inside",
        title=f"first byte of the last file ({archive.label})",
        rows=[
            race_row(result, yardstick.label),
            race_row(result, streamed.label, to=yardstick.label, target=WITHOUT),
            value_row(indexed.label, result.seconds(indexed.label), 4, " s", WITH),
            value_row("making the index, in the background", Spread.of(ways.making), 2, " s"),
            value_row("growth of peak memory, without", Spread.of(ways.growth[streamed.label]), 1, " MiB"),
            value_row("growth of peak memory, with", Spread.of(ways.growth[indexed.label]), 1, " MiB"),
            value_row("growth of peak memory, making the index", Spread.of(ways.growth[index.label]), 1, " MiB"),
        ],
        remarks=[
            "seconds from opening the archive; the process and the server in it are there already",
            f"the index takes {size / archive.size_bytes:.2%} of the archive",
            result.disturbance(),
        ],
    )


@frozen
class _File:
    """A member of an archive; *start* and *stop* are the positions of its content in the inflated tar."""

    name: str
    start: int
    stop: int


def _last_file(archive: Archive) -> _File:
    with tarfile.open(archive.path, "r|gz") as tar:
        files = (_File(m.name, m.offset_data, m.offset_data + m.size) for m in tar if m.isreg() and m.size)
        *_, last = files
    return last


def _store(archive: Archive, data: Path) -> None:
    with open_tarkeep(StorageSettings(data=data)) as tarkeep, archive.path.open("rb") as file:
        tarkeep.receive(Offer(ARCHIVE), iter(lambda: file.read(1 << 20), b""))


@define
class _Ways:
    archive: Archive
    last: _File
    data: Path
    growth: dict[str, list[float]] = field(factory=dict)
    making: list[float] = field(factory=list)
    _sha256: set[str] = field(factory=set)

    def entrant(self, label: str, way: str, *, forget_index: bool = False, after: Entrant | None = None) -> Entrant:
        """That *way* of `benchmarks.inside`, if needed after another, whose time does not count."""

        def check(output: str) -> float:
            found = json.loads(output)
            self._sha256.add(found["sha256"])
            if len(self._sha256) != 1:
                raise WrongAnswer(f"{label}: another content of {self.last.name}")
            self.growth.setdefault(label, []).append(found["growth_mib"])
            if way == "index":
                self.making.append(found["seconds"])
            return float(found["seconds"])

        place = self.archive.path if way == "tarfile" else self.data
        arguments = [way, str(place), self.last.name, str(self.last.start), str(self.last.stop)]
        timed = command_entrant(label, [sys.executable, "-m", "benchmarks.inside", *arguments], self.archive, check)

        def run(folder: Path) -> Sample:
            if forget_index:
                shutil.rmtree(self.data / "seek", ignore_errors=True)
            if after is not None:
                after.run(folder)
            return timed.run(folder)

        return Entrant(label, run)
