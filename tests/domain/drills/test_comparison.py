"""Comparing trees: whatever differs in one name is found, and a comparison of nothing is no success."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from tarkeep.domain.drills.comparison import MOST_DIFFERENCES, NameDiffers, compare
from tarkeep.domain.drills.manifest import ManifestLine
from tarkeep.domain.tar.members import MemberType

FILE = ManifestLine(b"d/f", MemberType.FILE, 0o644, 5, 7, b"ab" * 32)
OTHER = evolve(FILE, path=b"d/g", group=b"d/g")
SAME = evolve(OTHER, path=b"d/h")
LINK = ManifestLine(b"d/link", MemberType.SYMLINK, None, 6, None, b"f")
TREE = (
    ManifestLine(b"", MemberType.DIRECTORY, 0o755, 1),
    ManifestLine(b"d", MemberType.DIRECTORY, 0o555, 3),
    FILE,
    OTHER,
    SAME,
    LINK,
)


def test_the_same_tree_is_equal() -> None:
    found = compare(TREE, TREE)

    assert found.is_equal
    assert (found.expected, found.observed, found.observed_bytes, found.differences) == (6, 6, 21, ())


def test_nothing_is_never_equal() -> None:
    """Not even to nothing: a check that checked nothing is no success."""
    assert not compare((), ()).is_equal
    assert not compare(TREE, ()).is_equal
    assert not compare((), TREE).is_equal
    assert not compare((ManifestLine(b"dev", MemberType.BLOCK_DEVICE),), ()).is_equal


def replaced(line: ManifestLine, **changed: object) -> Sequence[ManifestLine]:
    return [evolve(line, **changed) if one is line else one for one in TREE]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("observed", "path", "what"),
    [
        (replaced(FILE, content=b"cd" * 32), b"d/f", "has other contents"),
        (replaced(FILE, size_bytes=8), b"d/f", "has 8 bytes, had 7"),
        (replaced(FILE, mode=0o4644), b"d/f", "has the mode 4644, had 0644"),
        (replaced(TREE[1], mode=0o755), b"d", "has the mode 0755, had 0555"),
        (replaced(FILE, mtime_ns=6), b"d/f", "has another time"),
        (replaced(TREE[0], mtime_ns=6), b"", "has another time"),
        (replaced(LINK, content=b"g"), b"d/link", "points elsewhere"),
        (replaced(LINK, mtime_ns=7), b"d/link", "has another time"),
        (replaced(SAME, group=None), b"d/h", "is not the hard link it was"),
        (replaced(FILE, group=b"d/f"), b"d/f", "is not the hard link it was"),
        (replaced(FILE, type=MemberType.FIFO), b"d/f", "is a fifo, was a file"),
        ([one for one in TREE if one is not FILE], b"d/f", "is missing"),
        ([*TREE, ManifestLine(b"d/new", MemberType.FILE, 0o644, 1, 0, b"ab" * 32)], b"d/new", "is not in the backup"),
    ],
)
def test_one_difference_is_found(observed: Sequence[ManifestLine], path: bytes, what: str) -> None:
    """A byte, a mode, a time, a target, a link group, a type, a name too few, a name too many."""
    found = compare(TREE, observed)

    assert not found.is_equal
    assert found.different == 1
    assert found.differences == (NameDiffers(path, what),)


def test_a_changed_name_is_one_too_few_and_one_too_many() -> None:
    assert {one.what for one in compare(TREE, replaced(LINK, path=b"d/linc")).differences} == {
        "is missing",
        "is not in the backup",
    }


def test_so_many_differences_are_named_and_all_counted() -> None:
    wanted = [evolve(FILE, path=b"%05d" % number) for number in range(2 * MOST_DIFFERENCES)]

    found = compare(wanted, ())

    assert (found.different, len(found.differences)) == (2 * MOST_DIFFERENCES, MOST_DIFFERENCES)


def test_devices_are_left_out_and_counted() -> None:
    """Nobody but root makes them; whether they were made or not, the rest is compared."""
    device = ManifestLine(b"zz", MemberType.CHARACTER_DEVICE, 0o600, 1)

    for observed in (TREE, (*TREE, device)):
        found = compare((*TREE, device), observed)
        assert found.is_equal
        assert found.left_out == {"devices": 1}

    instead = evolve(FILE, path=b"zz")
    assert not compare((*TREE, device), (*TREE, instead)).is_equal


def test_what_is_not_known_is_not_compared_and_counted() -> None:
    wanted = replaced(FILE, content=None, mtime_ns=None)

    found = compare(wanted, replaced(FILE, mtime_ns=99))

    assert found.is_equal
    assert found.left_out == {"contents of sparse files": 1, "times": 1}


def test_what_lies_beside_the_tree_does_not_count() -> None:
    found = compare(TREE[2:], TREE, is_beside=lambda line: line.path in (b"", b"d"))

    assert (found.is_equal, found.expected, found.observed) == (True, 4, 4)
