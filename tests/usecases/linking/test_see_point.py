"""What the names of points show: it is kept when an archive arrives; trees are merged only to settle open questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tarkeep.domain.archives.archive import ArchiveState, Offer
from tarkeep.domain.chains.seen import Seen
from tarkeep.domain.chains.standing import Standing
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.names.name_table import OpenTable
from tarkeep.domain.trees.merging import merge
from tarkeep.domain.trees.tree import Tree
from tarkeep.domain.usecases.linking import see_point
from tests.support.assembled import InMemory
from tests.support.hostile_chains import directory, link, listing
from tests.support.tars import END, gz, member

FULL = directory(b"top", listing([b"Yd"])) + link(b"top/d", b"/etc") + END
HARMLESS = directory(b"top", listing([b"Nd", b"Yx"])) + member(b"top/x", b"x") + END
HARMFUL = directory(b"top", listing([b"Nd"])) + member(b"top//d/x", b"x") + END
OVERLAY = member(b"top/./d/x", b"x") + END
TO_NOTHING = link(b"a", b"nothing", b"1")


def id_of(number: int) -> ArchiveId:
    return ArchiveId("host", BackupType.INC if number else BackupType.FULL, f"a_2026-11-0{number + 1}.tar.gz")


def stored(*tars: bytes) -> InMemory:
    memory = InMemory()
    for number, tar in enumerate(tars):
        memory.tarkeep.receive(Offer(id_of(number)), [gz(tar)])
    return memory


def standing(memory: InMemory, number: int) -> Standing:
    """The kept standing of a point, as the catalog has it, without any other query."""
    kept = memory.catalog.placed([id_of(number)])[id_of(number)].standing
    assert kept is not None
    return kept


@pytest.fixture
def merged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of archives of each tree that was merged to examine a point."""
    found: list[int] = []

    def counted(path: Sequence[OpenTable], *more: Any) -> Tree:
        found.append(len(path))
        return merge(path, *more)

    monkeypatch.setattr(see_point, "merge", counted)
    return found


def test_a_plan_through_a_link_is_not_sound() -> None:
    """The plan says why; a plan without a link is sound, as is an older point before the link."""
    memory = stored(FULL, HARMLESS, HARMFUL)

    assert [standing(memory, number).is_sound for number in range(3)] == [True, True, False]
    plan = memory.tarkeep.make_plan(memory.tarkeep.load_points("host")).plan
    assert (plan.is_sound, plan.objection) == (
        False,
        "top/d is a link in one of these archives and a directory in another",
    )


def test_a_plan_of_plain_archives_is_looked_at_too() -> None:
    """tar extracts them over each other, through any link that exists."""
    memory = stored(link(b"top/d", b"/etc") + END, member(b"top/a", b"x") + OVERLAY)

    assert standing(memory, 0).is_sound
    assert not standing(memory, 1).is_sound


def test_what_was_seen_is_kept() -> None:
    """Archives never change: later no record is read; an archive that becomes damaged reports that and nothing else."""
    memory = stored(FULL, HARMFUL, member(b"top/x") + TO_NOTHING + END)
    memory.records.published.clear()
    for number in range(3):
        memory.store.remove(id_of(number))

    points = {place.archive.id: place for place in memory.tarkeep.load_points("host").page().places}
    assert [points[id_of(number)].standing for number in range(3)] == [standing(memory, number) for number in range(3)]
    assert standing(memory, 2).seen.gaps == 2  # the name below the link, and the link to nothing


def test_ordinary_archives_are_not_merged(merged: list[int]) -> None:
    """Exact ones, unrelated plain ones, and hard links to existing files."""
    listed = stored(
        directory(b"top", listing([b"Ya", b"Yb", b"De"])) + directory(b"top/e", listing([])) + member(b"top/a") + END,
    )
    for number, tar in enumerate((FULL, HARMLESS, directory(b"top", listing([b"Nd", b"Nx"])) + END)):
        listed.tarkeep.receive(Offer(id_of(number + 1)), [gz(tar)])
    plain = stored(
        directory(b"top", None) + member(b"top/a", b"x") + link(b"top/b", b"top/a", b"1") + END,
        directory(b"top", None) + member(b"top/c/d", b"x") + END,
        member(b"top/c/e", b"x") + END,
    )

    assert [standing(plain, number).seen for number in range(3)] == [Seen()] * 3
    assert not merged


@pytest.mark.parametrize(
    ("tars", "gaps"),
    [
        ([member(b"top/x") + TO_NOTHING], [1]),
        ([member(b"top/x"), member(b"top") + END, member(b"else") + END], [0, 1, 1]),
        ([member(b"top"), member(b"top/x") + END], [0, 1]),
        ([member(b"top/x"), TO_NOTHING + END, member(b"else") + END], [0, 1, 1]),
        ([member(b"nothing"), TO_NOTHING + END, member(b"else") + END], [0, 0, 0]),
    ],
    ids=["link", "over a folder", "below a file", "link in the second", "link to the first"],
)
def test_gaps_are_known_when_the_archive_has_come(tars: list[bytes], gaps: list[int]) -> None:
    """For plain archives, in the point of the archive and in the later points over it."""
    memory = stored(*(tar if tar.endswith(END) else tar + END for tar in tars))

    assert [standing(memory, number).seen.gaps for number in range(len(tars))] == gaps
    assert all(standing(memory, number).is_restorable for number in range(len(tars)))
    assert memory.tarkeep.make_plan(memory.tarkeep.load_points("host")).counts.lacking == gaps[-1]


def test_what_changes_before_it_is_seen_anew() -> None:
    """The blocking archive is trashed, and comes back."""
    memory = stored(member(b"top/x") + END, member(b"top") + END, member(b"else") + END)

    for state, gaps in ((ArchiveState.TRASHED, 0), (ArchiveState.STORED, 1)):
        memory.catalog.mark(id_of(1), state)
        memory.tarkeep.load_points("host").page()
        assert standing(memory, 2).seen.gaps == gaps
