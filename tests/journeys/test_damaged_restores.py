"""
A restore whose source turns out to be damaged: the stream breaks and never looks complete.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.errors.content import RejectedContent
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.assembled import InMemory
from tests.support.server import live_server
from tests.support.store_doors import MemoryDoor
from tests.support.tars import gnu_tar, gz

FULL, INC = ArchiveId("p", BackupType.FULL, "full.tar.gz"), ArchiveId("p", BackupType.INC, "inc.tar.gz")
SAMPLED = 60


def flipped_everywhere(content: bytes, places: list[int]) -> Iterator[tuple[int, bytes]]:
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        yield place, bytes(damaged)


@pytest.mark.parametrize("size", [0, 300_000])
def test_no_flipped_bit_lets_a_restore_end_as_if_it_were_whole(tmp_path: Path, size: int) -> None:
    """
    For any byte of a source that changes after it was stored, the tar either breaks off or is right.

    It is right only if the bit has no meaning: the time in the header of the gzip, the code of a symbol that does not
    occur, a repetition that is equal in another place.
    Tests every byte of a small chain, and a sample of a larger one.
    """
    root, snapshot = tmp_path / "root", tmp_path / "snapshot"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(name.encode() + random.Random(1).randbytes(size))
    full = gz(gnu_tar("-C", tmp_path, "-c", "-g", snapshot, "-f", "-", "root"))
    (root / "a").write_bytes(b"changed")
    inc = gz(gnu_tar("-C", tmp_path, "-c", "-g", snapshot, "-f", "-", "root"))
    doors = MemoryDoor()
    tarkeep = InMemory(store=doors.store).tarkeep
    tarkeep.receive(Offer(FULL), [full])
    tarkeep.receive(Offer(INC), [inc])
    opened = tarkeep.open_point("p")
    whole = b"".join(tarkeep.restore_tar(opened))
    tried = broken = 0

    for id, content in ((FULL, full), (INC, inc)):
        places = list(range(len(content)))
        if len(places) > 2000:
            places = sorted({*random.Random(2).sample(places, SAMPLED), *places[:20], *places[-9:]})
        for place, damaged in flipped_everywhere(content, places):
            tried += 1
            doors.change(id, damaged)
            try:
                restored = b"".join(tarkeep.restore_tar(opened))
            except (ArchiveCorrupt, RejectedContent):
                broken += 1
                continue
            finally:
                doors.change(id, content)
            assert restored == whole, f"{id} changed at {place}"
    assert broken > tried // 2


def test_a_large_file_is_given_back_in_little_memory(tmp_path: Path) -> None:
    """The peak memory of a server for 300 MB equals that for 1 MB, plus what is inflated ahead."""
    peaks = []
    for mebibytes in (1, 300):
        root = tmp_path / f"tree{mebibytes}"
        root.mkdir()
        with (root / "large").open("wb") as file:
            for _ in range(mebibytes):
                file.write(b"some text that packs well, but not to nothing\n" * 22_795)
        with live_server(tmp_path / f"data{mebibytes}") as server, server.client() as client:
            packed = gnu_tar("-C", tmp_path, "-c", "-z", "-g", tmp_path / f"s{mebibytes}", "-f", "-", root.name)
            url = "/api/v1/profiles/p"
            assert client.put(f"{url}/archives/FULL/full.tar.gz", content=packed).status_code == 201
            with client.stream("GET", f"{url}/restore.tar") as stream:
                received = sum(map(len, stream.iter_raw()))
            peaks.append(peak_kib(server.process.pid))
            assert received > mebibytes * 1_000_000

    assert peaks[1] - peaks[0] < (24 + 32) << 10  # some buffers, and 32 MiB that are inflated ahead


def peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
