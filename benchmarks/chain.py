"""
Operations on a chain, timed from inside: ``python -m benchmarks.chain WAY ARGUMENT...`` prints one JSON object.

The seconds exclude the start of the interpreter and the opening of the data directory.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
from attrs import evolve, frozen

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.inspection import Inspector, Recorder, RunningInspection
from tarkeep.entrypoints.http.routes.points import point_in_list
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep

from .inflate import inflate

PROFILE = "chain"


@frozen
class _NotRecording:
    """An `Inspector` that inspects as usual, and records nothing."""

    inner: Inspector

    def start(self, recorder: Recorder | None = None) -> RunningInspection:
        del recorder
        return self.inner.start(None)


def blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            yield block


def _timed(work: Callable[[], int]) -> None:
    begin = time.perf_counter()
    result = work()
    print(json.dumps({"seconds": time.perf_counter() - begin, "result": result}))


def _restored(tarkeep: Tarkeep) -> int:
    return sum(map(len, tarkeep.restore_tar(tarkeep.open_point(PROFILE))))


def _page(tarkeep: Tarkeep, directory: str) -> int:
    opened = tarkeep.open_point(PROFILE)
    return len(tarkeep.list_directory(opened, directory.encode(), 100).entries)


def _points_text(tarkeep: Tarkeep) -> bytes:
    return msgspec.json.encode(
        [point_in_list(place) for place in tarkeep.load_points(PROFILE).page(limit=10_000).places]
    )


def main(way: str, *arguments: str) -> None:
    if way == "inflate":
        _timed(lambda: sum(inflate(Path(path)) for path in arguments))
        return
    data, *rest = arguments
    with open_tarkeep(StorageSettings(data=Path(data), reserve_bytes=0, max_upload_bytes=4 << 30)) as tarkeep:
        if way == "restore":
            _timed(lambda: _restored(tarkeep))
        elif way == "restore-again":
            tarkeep.open_point(PROFILE)
            _timed(lambda: _restored(tarkeep))
        elif way == "points":
            tarkeep.load_points(PROFILE).all()
            _timed(lambda: len(_points_text(tarkeep)))
        elif way == "tree":
            _page(tarkeep, rest[0])
            _timed(lambda: _page(tarkeep, rest[0]))
        elif way in ("recording", "not-recording"):
            receive = tarkeep.receive
            if way == "not-recording":
                intake = receive.begin_intake
                intake = evolve(intake, inspector=_NotRecording(intake.inspector))
                receive = evolve(receive, begin_intake=intake)
            offer = Offer(ArchiveId(PROFILE, BackupType.FULL, "full.tar.gz"))
            _timed(lambda: receive(offer, blocks_of(Path(rest[0]))).archive.size_bytes)
        elif way == "fill":  # the archives in their order, each an hour after the one before
            clock = tarkeep.clock.now() - timedelta(hours=len(rest))
            for number, path in enumerate(map(Path, rest)):
                type = BackupType.FULL if number == 0 else BackupType.INC
                taken_at = clock + timedelta(hours=number)
                tarkeep.receive(Offer(ArchiveId(PROFILE, type, path.name), taken_at=taken_at), blocks_of(path))
        else:
            raise SystemExit(f"no such way: {way}")


if __name__ == "__main__":
    main(*sys.argv[1:])
