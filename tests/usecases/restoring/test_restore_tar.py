"""restore.tar in memory: how much of its sources it holds while it assembles the tar."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import evolve, frozen

from tarkeep.adapters.targz.unpacker import TargzUnpacker
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.unpacking import NOT_YET, NotYet, UnpackedArchive, Unpacker
from tests.support.assembled import InMemory, offer
from tests.support.members import records
from tests.support.pieces import made
from tests.support.tars import END, gnu_tar, gz, member, write_tree

LARGE = 1 << 20
LARGE_ONES = 160


def test_small_members_between_large_ones_are_all_that_is_held() -> None:
    """It does not hold the inflated pieces that they come from."""
    memory = InMemory()
    large = [member(b"large%d" % number, bytes(LARGE)) for number in range(LARGE_ONES)]
    padded = [one.ljust(-(-len(one) // 512) * 512, b"\0") for one in large]
    first = b"".join(one + member(b"small%d" % number) for number, one in enumerate(padded))
    second = b"".join(member(b"large%d" % number) for number in range(LARGE_ONES))
    memory.tarkeep.receive(offer("a_2026-01-01_00-00-00.tar.gz"), [gz(first + END)])
    memory.tarkeep.receive(offer("b_2026-01-02_00-00-00.tar.gz", type=BackupType.INC), [gz(second + END)])
    opened = memory.tarkeep.open_point("document")
    tracemalloc.start()
    try:
        size = sum(map(len, memory.tarkeep.restore_tar(opened)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size < LARGE
    assert peak < 48 << 20


@frozen
class Cut:
    """An `Unpacker` with short pieces of any length."""

    inner: Unpacker
    seed: int

    def open(self, archive: BackupArchive) -> UnpackedArchive:
        return CutArchive(self.inner.open(archive), random.Random(self.seed))

    def close(self) -> None:
        self.inner.close()


@frozen
class CutArchive(AbstractContextManager["CutArchive", None]):
    inner: UnpackedArchive
    rng: random.Random

    def __exit__(self, *_error: object) -> None:
        self.inner.__exit__(None, None, None)

    def through(self, start: int = 0) -> Iterator[bytes | NotYet]:
        rest = b"".join(made(self.inner.through(start)))
        while rest:
            length = self.rng.choice((1, 100, 511, 512, 700, 5_000))
            yield rest[:length]
            rest = rest[length:]
            if self.rng.random() < 0.1:
                yield NOT_YET

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        return self.inner.read(start, stop)


def members(tar: bytes) -> list[bytes]:
    """The members, headers and data, in order of their bytes."""
    begins = [record.at for record in records(tar)]
    return sorted(tar[begin:end] for begin, end in pairwise([*begins, len(tar.rstrip(b"\0")) // 512 * 512 + 512]))


@pytest.mark.parametrize("format", ["gnu", "posix"])
@pytest.mark.parametrize("seed", range(5))
def test_the_tar_is_the_same_however_its_sources_are_cut(tmp_path: Path, format: str, seed: int) -> None:
    """Also if a changed header is cut; apart from the order of turns."""
    write_tree(tmp_path / "tree", seed)
    snapshot = tmp_path / "snapshot"
    options = [f"--format={format}", f"--listed-incremental={snapshot}", "-C", str(tmp_path), "tree"]
    memory = InMemory()
    for number, type in enumerate((BackupType.FULL, BackupType.INC)):
        (tmp_path / "tree" / f"new{number}").write_bytes(bytes(number * 1_000))
        dump = gz(gnu_tar("--create", *options))
        memory.tarkeep.receive(offer(f"{number}_2026-01-0{number + 1}_00-00-00.tar.gz", type=type), [dump])
    opened = memory.tarkeep.open_point("document")
    whole = memory.tarkeep.restore_tar
    cut = evolve(whole, unpacker=Cut(whole.unpacker, seed))

    expected = members(b"".join(whole(opened)))

    assert len(expected) > 20
    assert members(b"".join(cut(opened))) == expected


@pytest.mark.parametrize("has_index", [False, True])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_what_is_not_inflated_is_checked_all_the_same(has_index: bool, place: float) -> None:
    """For a file at the end of an archive the beginning is skipped, but a flipped bit there breaks off the tar."""
    memory = InMemory()
    tarkeep = memory.tarkeep
    unpacker = tarkeep.restore_tar.unpacker
    assert isinstance(unpacker, TargzUnpacker)
    unpacker.skipped_bytes = unpacker.spacing_bytes = 100_000
    unpacker.quiet_seconds = 0
    first = random.Random(1).randbytes(450_000).hex().encode()
    archive = tarkeep.receive(offer(), [gz(member(b"a", first) + member(b"b", b"last") + END)]).archive
    opened = tarkeep.open_point("document")
    whole = b"".join(tarkeep.restore_tar(opened, b"b"))
    unpacker.settle()
    assert b"".join(tarkeep.restore_tar(opened, b"b")) == whole
    if not has_index:
        unpacker.indexes.remove(archive.digests.sha256)

    held = memory.store.archives[archive.id]
    at = int(len(held.content) * place)
    held.content = held.content[:at] + bytes([held.content[at] ^ 1]) + held.content[at + 1 :]

    with pytest.raises(ArchiveCorrupt):
        b"".join(tarkeep.restore_tar(opened, b"b"))
    assert memory.catalog.find(archive.id).state is ArchiveState.DAMAGED
