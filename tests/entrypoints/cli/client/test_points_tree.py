"""Restore points as a person sees them: below what they build on, with what they are worth."""

from __future__ import annotations

from datetime import timedelta

from attrs import evolve

from tarkeep.domain.client.ports.chains import StoredPoint
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.cli.client.points import Line, drawn
from tests.support.archives import NOON


def point(type: BackupType, name: str, parent: StoredPoint | None = None) -> StoredPoint:
    id = ArchiveId("laptop", type, f"{name}.tar.gz")
    return StoredPoint(
        id=id,
        size_bytes=2048,
        taken_at=NOON,
        received_at=NOON,
        kind="incremental",
        state="stored",
        is_restorable=True,
        fidelity="exact",
        evidence="proven",
        parent=parent.id if parent is not None else None,
        link_evidence="proven",
        reason="",
        length=parent.length + 1 if parent is not None else 1,
        path_bytes=2048,
        has_snapshot=True,
    )


FULL = point(BackupType.FULL, "full_1")
INC = point(BackupType.INC, "inc_1", FULL)
LATER = point(BackupType.INC, "inc_2", INC)
DIFF = point(BackupType.DIFF, "diff_1", FULL)


def text(*points: StoredPoint) -> list[str]:
    return [line.text(in_colour=False) for line in drawn(points, NOON + timedelta(days=3))]


def test_each_archive_stands_below_the_one_it_builds_on() -> None:
    """In the order in which they were taken, the FULL at the left."""
    assert text(FULL, INC, LATER, DIFF) == [
        "FULL/full_1.tar.gz    exact             -                2.0 KB  2026-11-23 12:00Z  3 days ago",
        "  INC/inc_1.tar.gz    exact             proven           2.0 KB  2026-11-23 12:00Z  3 days ago",
        "    INC/inc_2.tar.gz  exact             proven           2.0 KB  2026-11-23 12:00Z  3 days ago",
        "  DIFF/diff_1.tar.gz  exact             proven           2.0 KB  2026-11-23 12:00Z  3 days ago",
    ]


def test_what_does_not_restore_says_why() -> None:
    """With every obstacle and doubt on a line of its own."""
    broken = evolve(INC, is_restorable=False, obstacles=("its bytes are wrong",), doubts=("it begins elsewhere",))
    lines = text(FULL, broken)

    assert "  does not restore  proven  " in lines[1]
    assert lines[2:] == ["      its bytes are wrong", "      doubt: it begins elsewhere"]


def test_no_point_is_left_out() -> None:
    """Orphans stand at the left, and so do two that are said to build on each other."""
    orphan = evolve(INC, parent=ArchiveId("laptop", BackupType.FULL, "full_0.tar.gz"))
    one = evolve(point(BackupType.INC, "inc_8", FULL), parent=ArchiveId("laptop", BackupType.INC, "inc_9.tar.gz"))
    other = evolve(point(BackupType.INC, "inc_9", FULL), parent=one.id)

    assert [line.split()[0] for line in text(orphan, one, other)] == [
        "INC/inc_1.tar.gz",
        "INC/inc_8.tar.gz",
        "INC/inc_9.tar.gz",
    ]
    assert text() == []


def test_a_long_chain_stays_on_the_screen() -> None:
    """A point far down is not pushed out at the right."""
    chain = [FULL]
    for number in range(100):
        chain.append(point(BackupType.INC, f"inc_{number:03}", chain[-1]))

    assert max(map(len, text(*chain))) < 140
    assert len(text(*chain)) == 101


def test_only_a_terminal_gets_colours() -> None:
    """Around the mark alone."""
    line = Line("before ", "exact", " after", 32)

    assert line.text(in_colour=True) == "before \x1b[32mexact\x1b[0m after"
    assert line.text(in_colour=False) == "before exact after"


def test_notes_stand_below_their_point() -> None:
    """The first of them, and how many more there are."""
    noted = evolve(FULL, notes=tuple(f"{number} could not be read" for number in range(7)))
    lines = [line.text(in_colour=False) for line in drawn([noted], NOON)]

    assert lines[1:] == [
        *(f"    note: {number} could not be read" for number in range(5)),
        "    note: and 2 more, which --json shows",
    ]
