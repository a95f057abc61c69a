"""Dumps that tar joined in one archive, taken apart again."""

from __future__ import annotations

import pytest

from tarkeep.domain.errors.content import MemberUnreadable
from tarkeep.domain.names.columns import DIRECTORY, OTHER, MemberColumns
from tarkeep.domain.names.joined import MAX_PARTS, taken_apart
from tarkeep.domain.tar.dumpdirs import Mark
from tarkeep.domain.trees.history import sightings
from tests.support.members import directory, member

LIMIT_BYTES = 1 << 20


def names(*members: tuple[bytes, bytes | None]) -> list[MemberColumns]:
    """Members in two pieces: path and listing, None for a file."""
    half = len(members) // 2
    return [
        MemberColumns(
            [512 * (start + number) for number in range(len(some))],
            bytes(OTHER if listing is None else DIRECTORY for _, listing in some),
            [path for path, _ in some],
            [listing or b"" for _, listing in some],
            [512] * len(some),
        )
        for start, some in ((0, members[:half]), (half, members[half:]))
    ]


def test_a_directory_that_is_listed_again_begins_another_dump() -> None:
    """So do renames behind the first listing; a directory that comes again without a listing does not."""
    archive = names(
        (b"r", b"Ya\0\0"),
        (b"r/a", None),
        (b"r", b""),
        (b"r", b"Yb\0Na\0\0"),
        (b"r/b", None),
        (b"s", b"Rx\0Ty\0Yc\0\0"),
        (b"s/c", None),
    )

    parts = taken_apart(archive, LIMIT_BYTES)

    assert [list(part.directories()) for part in parts] == [[b"r"], [b"r"], [b"s"]]
    assert [list(part.files.positions) for part in parts] == [[1], [4], [6]]
    assert [len(part.renames) for part in parts] == [0, 0, 1]
    assert not any(part.is_joined for part in parts)


def test_too_many_joined_dumps_are_not_taken_apart() -> None:
    """Each part costs the memory of its names."""
    listing = (b"r", b"Ya\0\0")

    assert len(taken_apart(names(*[listing] * MAX_PARTS), LIMIT_BYTES)) == MAX_PARTS
    with pytest.raises(MemberUnreadable, match="more than 64 dumps"):
        taken_apart(names(*[listing] * (MAX_PARTS + 1)), LIMIT_BYTES)


def test_without_a_table_each_dump_is_seen_by_itself() -> None:
    """For one path, by the directories above it."""
    members = [
        directory(b"r", "Dd Ya"),
        directory(b"r/d", "Yx"),
        member(b"r/d/x"),
        directory(b"other", "Yo"),
        directory(b"r", "De", (b"r/d", b"r/e")),
        directory(b"r/e", "Nx"),
        directory(b"r", "Dd"),
        directory(b"r/d", "Yx"),
        member(b"r/d/x"),
    ]

    found = sightings(b"r/d/x", members)

    assert [(one.mark, one.member is not None, one.is_silent) for one in found] == [
        (Mark.HERE, True, False),
        (None, False, False),
        (Mark.HERE, True, False),
    ]
    assert [len(one.renames) for one in found] == [0, 1, 0]
    assert [one.is_silent for one in sightings(b"other/o", members)] == [False, True]
