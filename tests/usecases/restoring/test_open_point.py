"""Points are opened anew after every change of their profile; trees are read in pages of any length."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState, Offer
from tarkeep.domain.errors.restoring import PointNotRestorable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.usecases.looking.browse_tree import TreeEntry
from tarkeep.domain.usecases.restoring.open_point import KeptPlans, OpenedPoint
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.assembled import InMemory, offer
from tests.support.tars import END, gz, header, member

FULL, INC = (ArchiveId("document", type, f"{type.value}.tar.gz".lower()) for type in (BackupType.FULL, BackupType.INC))


def directory(path: bytes, names: bytes) -> bytes:
    return header(path, len(names), b"D") + names.ljust(512, b"\0")


def dump(*members: bytes) -> bytes:
    return gz(b"".join(members) + END)


@pytest.fixture
def memory() -> InMemory:
    memory = InMemory()
    memory.tarkeep.receive(offer(FULL.name), [dump(directory(b"./", b"Ya\0\0"), member(b"a", b"one"))])
    return memory


def sizes(opened: OpenedPoint, tarkeep: Tarkeep) -> list[int]:
    found = tarkeep.list_directory(opened, b"", 10).entries
    return [entry.member.size_bytes for entry in found if entry.member is not None]


def test_what_changed_is_seen_at_once(memory: InMemory) -> None:
    """When an archive arrives, becomes damaged, is trashed, or comes back."""
    tarkeep = memory.tarkeep
    first = tarkeep.open_point("document")
    assert sizes(first, tarkeep) == [3]
    assert tarkeep.open_point("document").archives is first.archives  # as long as nothing changes

    memory.clock.advance(timedelta(days=1))
    inc = dump(directory(b"./", b"Ya\0\0"), member(b"a", b"second"))
    tarkeep.receive(offer(INC.name, type=BackupType.INC), [inc])
    assert sizes(tarkeep.open_point("document"), tarkeep) == [6]

    memory.catalog.mark(INC, ArchiveState.DAMAGED)
    assert tarkeep.open_point("document").damage is not None
    memory.catalog.mark(INC, ArchiveState.TRASHED)
    assert sizes(tarkeep.open_point("document"), tarkeep) == [3]
    memory.catalog.mark(INC, ArchiveState.STORED)
    assert sizes(tarkeep.open_point("document"), tarkeep) == [6]


def test_few_plans_are_kept(memory: InMemory) -> None:
    """The most recently used ones."""
    opened = memory.tarkeep.open_point("document")
    plans = KeptPlans(max_plans=2)

    for profile in "abc":
        plans.put((profile, None, False), 1, opened.way)

    assert [plans.get((profile, None, False), 1) is not None for profile in "abc"] == [False, True, True]
    assert plans.get(("c", None, False), 2) is None
    assert plans.get(("c", None, True), 1) is None
    assert plans.get(("c", FULL, False), 1) is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("pattern", [b"", b"a", b"b?", b"x/*"])
def test_pages_come_to_the_whole(memory: InMemory, limit: int, pattern: bytes) -> None:
    """For everything below a path and for matches, each name comes once, for any page length."""
    paths = [b"a-b", b"a/b", b"a/b0/c", b"a/b/c", b"a/b/x/a", b"a.b/ab", b"ab/a", b"b", b"x/ba/b", b"x/b1"]
    files = [member(path, path) for path in paths if path != b"a/b"]
    memory.tarkeep.receive(offer("other.tar.gz", profile="other"), [dump(*files)])
    tarkeep = memory.tarkeep
    opened = tarkeep.open_point("other")

    for below in (b"", b"a", b"a/b", b"x") if not pattern else (b"",):
        found: list[TreeEntry] = []
        while True:
            after = found[-1].path if found else None
            if pattern:
                page = tarkeep.search_tree(opened, pattern, limit, after)
            else:
                page = tarkeep.list_tree(opened, below, limit, after)
            found += page.entries
            if not page.has_more:
                break
            assert len(page.entries) == limit
        assert [entry.path for entry in found] == [entry.path for entry in opened.tree.search(pattern, below)]
        assert all(entry.member is None or entry.member.size_bytes == len(entry.path) for entry in found)


@pytest.mark.parametrize(("damaged", "whole", "lost"), [(FULL, b"a", b"b"), (INC, b"b", b"a")])
def test_a_damaged_archive_takes_only_what_is_in_it(
    memory: InMemory, damaged: ArchiveId, whole: bytes, lost: bytes
) -> None:
    """Its names are still known, and members of other archives are given; its members and the whole are refused."""
    tarkeep = memory.tarkeep
    full = dump(directory(b"./", b"Ya\0Yb\0\0"), member(b"a", b"one"), member(b"b", b"two"))
    tarkeep.receive(Offer(evolve(FULL, profile="mixed")), [full])
    memory.clock.advance(timedelta(days=1))
    inc = dump(directory(b"./", b"Ya\0Nb\0\0"), member(b"a", b"second"))
    tarkeep.receive(Offer(evolve(INC, profile="mixed")), [inc])
    memory.catalog.mark(evolve(damaged, profile="mixed"), ArchiveState.DAMAGED)

    opened = tarkeep.open_point("mixed")

    assert sizes(opened, tarkeep) == [6, 3]
    assert whole in b"".join(tarkeep.restore_tar(opened, whole))
    for path in (lost, b""):
        with pytest.raises(PointNotRestorable, match="1 requested name is in mixed/"):
            tarkeep.restore_tar(opened, path)
    with pytest.raises(PointNotRestorable, match="its stored bytes are damaged"):
        tarkeep.make_plan(tarkeep.load_points("mixed"))
