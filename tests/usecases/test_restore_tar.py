"""restore.tar in memory: how much of its sources it holds while it puts them together."""

from __future__ import annotations

import tracemalloc

from tarkeep.domain.archives import BackupType
from tests.support.assembled import InMemory, offer
from tests.support.tars import END, gz, member

LARGE = 1 << 20


def test_small_members_between_large_ones_are_all_that_is_held() -> None:
    """Not the inflated pieces that they stood in."""
    memory = InMemory()
    large = [member(b"large%d" % number, bytes(LARGE)) for number in range(60)]
    padded = [one.ljust(-(-len(one) // 512) * 512, b"\0") for one in large]
    first = b"".join(one + member(b"small%d" % number) for number, one in enumerate(padded))
    second = b"".join(member(b"large%d" % number) for number in range(60))
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
    assert peak < 16 << 20
