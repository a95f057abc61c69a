"""A path is looked up in sorted names; if names cannot be sorted, by reading everything, with the same result."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import define, evolve

from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.errors.restoring import MemberNotFound
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.tar.members import MemberRecord
from tarkeep.domain.trees.history import HistoryEvent
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.assembled import InMemory, offer
from tests.support.tars import END, gz, header, member


@define(eq=False)
class CountedRecords(MemoryMemberRecords):
    """`MemberRecords` that count how often all records of an archive are read."""

    readings: int = 0

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        self.readings += 1
        return super().read(sha256, directories_only=directories_only, start=start)


def dump(names: bytes, *members: bytes) -> bytes:
    return gz(header(b"./", len(names), b"D") + names.ljust(512, b"\0") + b"".join(members) + END)


@pytest.fixture(params=["in order", "too many for that"])
def looked_into(request: pytest.FixtureRequest) -> tuple[Tarkeep, CountedRecords, bool]:
    """A chain in which `a` changes and is deleted, and `b` is a hard link; and whether its names can be sorted."""
    records, is_in_order = CountedRecords(), request.param == "in order"
    memory = InMemory(records=records)
    tarkeep = memory.tarkeep
    if not is_in_order:
        few = evolve(tarkeep.trace_history.members, max_names_bytes=1)
        tarkeep = evolve(
            tarkeep,
            trace_history=evolve(tarkeep.trace_history, members=few),
            find_member=evolve(tarkeep.find_member, members=few),
        )
    link = header(b"b", 0, b"1", patch=(157, b"a"))
    nights = (
        dump(b"Ya\0Yb\0\0", member(b"a", b"one"), link, member(b"./a", b"second")),
        dump(b"Na\0Nb\0\0"),
        dump(b"Ya\0\0", member(b"a", b"third")),
        dump(b"\0"),
    )
    for number, night in enumerate(nights):
        type = BackupType.INC if number else BackupType.FULL
        tarkeep.receive(offer(f"night{number}.tar.gz", type=type), [night])
        memory.clock.advance(timedelta(days=1))
    tarkeep.load_points("document").all()
    records.readings = 0
    return tarkeep, records, is_in_order


def test_a_member_is_found(looked_into: tuple[Tarkeep, CountedRecords, bool]) -> None:
    """The last one of that name, which a hard link also leads to; never a directory or a missing name."""
    tarkeep, records, is_in_order = looked_into
    archive = tarkeep.find_archive(BackupType.FULL, "night0.tar.gz", "document", principal=ANONYMOUS)

    for path in (b"a", b"./b", b"//a"):
        found = tarkeep.find_member(archive, path)
        assert b"".join(tarkeep.read_member(archive, found, 0, found.size_bytes)) == b"second"
    for path in (b"c", b"", b"a/b"):
        with pytest.raises(MemberNotFound):
            tarkeep.find_member(archive, path)
    assert (records.readings == 0) is is_in_order


def test_a_history_lists_every_change(looked_into: tuple[Tarkeep, CountedRecords, bool]) -> None:
    """With sorted names, only the members in the history are read."""
    tarkeep, records, is_in_order = looked_into

    versions = tarkeep.trace_history("document", b"./a")

    assert [(one.change, one.member and one.member.size_bytes) for one in versions] == [
        (HistoryEvent.APPEARED, 6),
        (HistoryEvent.CHANGED, 5),
        (HistoryEvent.DELETED, None),
    ]
    assert [one.change for one in tarkeep.trace_history("document", b"b")] == [
        HistoryEvent.APPEARED,
        HistoryEvent.DELETED,
    ]
    assert (records.readings == 0) is is_in_order
