"""The map in front of a sparse file's data, in pieces of any size: it matches the size, or the tar is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tarkeep.adapters.targz.limits import InspectionLimits
from tarkeep.adapters.targz.sparse_map import SparseMap
from tarkeep.adapters.targz.tar_walk import TarWalk
from tarkeep.domain.errors.content import ExpandsTooFar, NotATar
from tests.support.tars import BLOCK, END, header, member, padded, pax


def read(data: bytes, size: int, piece: int = 7) -> SparseMap:
    map = SparseMap(0, size)
    for at in range(0, len(data), piece):
        map.feed(data[at : at + piece])
        if map.is_whole:
            break
    map.finish()
    return map


@pytest.mark.parametrize("piece", [1, 7, 512, 10_000])
@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"0\n", BLOCK),
        (b"1\n0\n512\n", 2 * BLOCK),
        (b"2\n0\n512\n4096\n0\n", 2 * BLOCK),
        (b"2\n0\n1024\n4096\n100\n", 3 * BLOCK + 100),
        (b"200\n" + b"".join(b"%d\n512\n" % (number * 1024) for number in range(200)), 205 * BLOCK),
    ],
)
def test_a_map_that_goes_with_its_size_is_let_through(data: bytes, size: int, piece: int) -> None:
    """It takes whole blocks, and so does each region."""
    assert read(data, size, piece).is_whole


@pytest.mark.parametrize("piece", [1, 7, 512])
@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"1\n0\n513\n", 2 * BLOCK),
        (b"1\n0\n512\n", BLOCK),
        (b"2\n0\n100\n200\n100\n", BLOCK + 200),
        (b"1\n0\n", 2 * BLOCK),
        (b"", 0),
        (b"x\n", BLOCK),
        (b"-1\n", BLOCK),
        (b" 1\n0\n0\n", BLOCK),
        (b"1\n0\n99999999999999999999\n", BLOCK),
        (b"9" * 600, 2 * BLOCK),
    ],
)
def test_any_other_is_an_error(data: bytes, size: int, piece: int) -> None:
    """GNU tar would continue at another position than other readers."""
    with pytest.raises(NotATar, match="sparse"):
        read(data, size, piece)


def sparse(map: bytes, size: int) -> bytes:
    words = {b"major": b"1", b"minor": b"0", b"name": b"s", b"realsize": b"4096"}
    records = {b"GNU.sparse." + word: value for word, value in words.items()}
    return pax(records) + header(b"GNUSparseFile.0/s", size) + padded(map).ljust(size + -size % BLOCK, b"\0")


@pytest.mark.parametrize("piece", [100, 512, 100_000])
def test_the_walk_reads_the_map(piece: int) -> None:
    """Wherever the pieces end; and none of the members after it."""

    def walked(tar: bytes) -> int:
        walk = TarWalk(InspectionLimits(max_records=20))
        for at in range(0, len(tar), piece):
            walk.feed(tar[at : at + piece])
        walk.finish()
        return walk.members

    assert walked(sparse(b"1\n0\n512\n", 1_024) + member() + END) == 2
    with pytest.raises(NotATar, match="does not match its size"):
        walked(sparse(b"1\n0\n1024\n", 1_024) + member() + END)
    with pytest.raises(NotATar, match="malformed"):
        walked(sparse(b"", 0) + member() + END)
    with pytest.raises(ExpandsTooFar):
        walked(sparse(b"50\n" + b"0\n" * 100, 1_024) + member() + END)


def test_maps_of_gnu_tar_are_let_through(tmp_path: Path) -> None:
    """For a file with more holes than fit into one block, and for one that is a single hole."""
    with (tmp_path / "holes").open("wb") as file:
        for number in range(200):
            file.seek(number * 16_384)
            file.write(b"x" * 5_000)
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 20)
    command = ["tar", "-c", "--format=posix", "--sparse", "-f-", "-C", str(tmp_path), "holes", "hole"]
    tar = subprocess.run(command, capture_output=True, check=True).stdout

    walk = TarWalk(InspectionLimits())
    walk.feed(tar)
    walk.finish()
    assert walk.members == 2
    assert tar.count(b"GNU.sparse.major=1") == 2
