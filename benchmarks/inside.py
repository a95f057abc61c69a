"""
One way to the last file of a ``.tar.gz``, in a process of its own.

``python -m benchmarks.inside WAY PLACE MEMBER START STOP`` prints JSON: seconds until the first byte, the SHA-256 of
the file, and the growth of peak resident memory in MiB. PLACE is the archive for the way ``tarfile``, and for the
ways ``read`` and ``index`` a data directory that holds it as `ARCHIVE`. START and STOP are the positions of the file in
the inflated tar. For ``index`` the seconds are those from the end of a first read until the seek index exists.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from tarkeep.adapters.targz.unpacker import TargzUnpacker
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

ARCHIVE = ArchiveId("bench", BackupType.FULL, "archive.tar.gz")
_BLOCK_BYTES = 512 << 10


def by_tarfile(path: Path, name: str) -> Iterator[bytes]:
    """The content of the member *name*, by the standard library."""
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name == name:
                file = tar.extractfile(member)
                assert file is not None
                while block := file.read(_BLOCK_BYTES):
                    yield block
                return


def main(way: str, place: Path, name: str, start: int, stop: int) -> dict[str, object]:
    """The object to print."""
    before = _peak_mib()
    if way == "tarfile":
        return _measured(by_tarfile(place, name), time.perf_counter(), before)
    with open_tarkeep(StorageSettings(data=place)) as tarkeep:
        archive = tarkeep.find_archive(ARCHIVE.type, ARCHIVE.name, ARCHIVE.profile, principal=ANONYMOUS)
        before = _peak_mib()
        begin = time.perf_counter()
        with tarkeep.unpacker.open(archive) as unpacked:
            found = _measured(unpacked.read(start, stop), begin, before)
        if way == "index":
            begin = time.perf_counter()
            assert isinstance(tarkeep.unpacker, TargzUnpacker)
            tarkeep.unpacker.settle()
            found |= {"seconds": time.perf_counter() - begin, "growth_mib": _peak_mib() - before}
        return found


def _measured(pieces: Iterator[bytes], begin: float, before: float) -> dict[str, object]:
    first = next(pieces)
    seconds = time.perf_counter() - begin
    digest = hashlib.sha256(first)
    for piece in pieces:
        digest.update(piece)
    return {"seconds": seconds, "sha256": digest.hexdigest(), "growth_mib": _peak_mib() - before}


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("the kernel does not tell the peak of resident memory")


if __name__ == "__main__":
    way, place, name, start, stop = sys.argv[1:]
    print(json.dumps(main(way, Path(place), name, int(start), int(stop))))
