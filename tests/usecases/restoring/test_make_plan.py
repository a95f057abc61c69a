"""Plans, and when making one requires the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.restoring import PointNotRestorable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.usecases.restoring.make_plan import MakePlan
from tarkeep.domain.usecases.restoring.open_point import PointTrees
from tests.support.assembled import InMemory
from tests.support.histories import History
from tests.support.tars import END, gz, member


def test_what_comparing_showed_to_be_whole_is_planned_without_its_tree(tmp_path: Path) -> None:
    """No tree is merged, and the plan equals that of the opened point."""
    history, tarkeep = History(tmp_path), InMemory().tarkeep
    for number, type in enumerate((BackupType.FULL, BackupType.INC, BackupType.INC)):
        (history.root / f"file{number}").write_text("content")
        content = history.dump(f"{number}.tar", tmp_path / "snar", posix=False).read_bytes()
        tarkeep.receive(Offer(ArchiveId("host", type, f"a_2026-11-0{number + 1}.tar.gz")), [gz(content)])

    made = tarkeep.make_plan(tarkeep.load_points("host"))

    assert not tarkeep.open_point.trees.kept._trees
    assert (made.plan, made.archives, made.unseen) == (
        (opened := tarkeep.open_point("host")).plan,
        opened.archives,
        "",
    )


def test_a_tree_that_is_too_large_still_has_a_plan() -> None:
    """The plan says that missing names could not be ruled out; the tree itself is refused."""
    tarkeep = InMemory().tarkeep
    in_the_way = member(b"a/b", b"1") + member(b"a", b"2")
    tarkeep.receive(Offer(ArchiveId("host", BackupType.FULL, "a.tar.gz")), [gz(in_the_way + END)])
    members = evolve(tarkeep.members, max_names_bytes=10)
    load = evolve(tarkeep.load_points, links=evolve(tarkeep.links, members=members))
    trees = PointTrees(load, members, tarkeep.examiner)
    made = MakePlan(trees)(load("host"))

    assert [archive.id.name for archive in made.archives] == ["a.tar.gz"]
    assert made.plan.is_sound
    assert made.unseen
    with pytest.raises(PointNotRestorable):
        trees.open(load("host"), None)
