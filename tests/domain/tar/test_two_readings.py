"""A member is marked where readers of tar disagree about it, and never for what archivers write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.tar.two_readings import regions_fit
from tests.support.members import records
from tests.support.tars import BLOCK, END, GNU_MAGIC, header, octal, padded, pax, write_tree


@pytest.mark.parametrize("format", ["v7", "ustar", "oldgnu", "gnu", "posix"])
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_that_gnu_tar_writes_is_disputed(tmp_path: Path, format: str, seed: int) -> None:
    """Sparse files, links of both kinds, listings and long names, in every format that supports them."""
    write_tree(tmp_path / "tree", seed, sparse=format in ("oldgnu", "gnu", "posix"))
    options = ["--sparse", "-g", str(tmp_path / "snapshot")] if format in ("gnu", "posix") else []
    command = ["tar", "-c", f"--format={format}", *options, "-f-", "-C", str(tmp_path), "tree"]
    made = subprocess.run(command, capture_output=True, check=False)  # old formats leave out what they cannot hold

    members = [read_member(record) for record in records(made.stdout)]
    assert len(members) > 5
    assert [member.disputed for member in members] == [""] * len(members)


@pytest.mark.parametrize(
    ("regions", "size_bytes", "fit"),
    [
        ([], 0, True),
        ([0], 0, True),
        ([512, 1024, 100], 1636, True),
        ([512], 5_000, True),  # data behind the last region are skipped
        ([513], 512, False),
        ([100, 100], 200, False),  # GNU tar takes two blocks for these, and others one
        ([100, 100], 1_024, False),
        ([-512, 1024], 512, False),
    ],
)
def test_regions_fill_the_stated_size(regions: list[int], size_bytes: int, fit: bool) -> None:
    """In whole blocks for each region, as GNU tar counts."""
    assert regions_fit(regions, size_bytes) is fit


def sparse(first: list[tuple[int, int]], more: list[list[tuple[int, int]]], size: int, real_size: int) -> bytes:
    """A sparse file of gnu format, with blocks of *more* regions behind its header."""

    def entries(regions: list[tuple[int, int]], room: int) -> bytes:
        return b"".join(octal(at) + octal(length) for at, length in regions).ljust(24 * room, b"\0")

    patch = entries(first, 4) + (b"\1" if more else b"\0") + octal(real_size)
    blocks = [
        (entries(block, 21) + (b"\1" if number + 1 < len(more) else b"\0")).ljust(BLOCK, b"\0")
        for number, block in enumerate(more)
    ]
    return header(b"s", size, b"S", magic=GNU_MAGIC, patch=(386, patch)) + b"".join(blocks) + padded(bytes(size)) + END


FOUR = [(number * 1_024, 512) for number in range(4)]


@pytest.mark.parametrize(
    ("tar", "is_odd"),
    [
        (sparse([(0, 512), (4_096, 0)], [], 512, 4_096), False),
        (sparse(FOUR, [[(8_192, 512)]], 2_560, 9_000), False),
        (sparse(FOUR, [[]], 2_048, 9_000), False),
        (sparse([(0, 1_024)], [], 512, 4_096), True),
        (sparse([(0, 512)], [[(8_192, 512)]], 1_024, 9_000), True),  # the second block is never read
        (sparse([(4_000, 512)], [], 512, 4_096), True),  # beyond the end: GNU tar reads no data at all
    ],
    ids=["ordinary", "extended", "extended by nothing", "more than exists", "ended early", "beyond the end"],
)
def test_a_map_of_gnu_format_must_match_its_size(tar: bytes, is_odd: bool) -> None:
    """As GNU tar follows it."""
    disputed = read_member(records(tar)[0]).disputed
    assert bool(disputed) is is_odd, disputed


@pytest.mark.parametrize("keyword", [b"path", b"linkpath", b"GNU.sparse.name"])
@pytest.mark.parametrize("type", [b"x", b"g"])
def test_an_empty_name_in_a_pax_header_is_disputed(keyword: bytes, type: bytes) -> None:
    """GNU tar takes it for the name; to POSIX it takes back what a global header said before."""
    (told,) = records(pax({keyword: b""}, type) + header(b"a") + END)
    (plain,) = records(pax({b"comment": b""}, type) + header(b"a") + END)

    assert read_member(told).disputed
    assert not read_member(plain).disputed
