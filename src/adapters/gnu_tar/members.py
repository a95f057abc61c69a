"""The members of a tar that has been or is being received, read by the walk that also judges what a server receives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import field, frozen

from ...domain.tar.members import Member, MemberRecord
from ...domain.tar.read_headers import read_member
from ..targz.deflate import FASTEST
from ..targz.gzip_stream import GzipStream
from ..targz.limits import InspectionLimits
from ..targz.tar_walk import TarWalk

_NO_LIMIT = (1 << 63) - 1


def _limits() -> InspectionLimits:
    # the server admitted it by limits of its own; only what is held in memory at once is limited here
    return InspectionLimits(max_unpacked_bytes=_NO_LIMIT, max_members=_NO_LIMIT, max_records=_NO_LIMIT)


@frozen
class TarMembers:
    """`Members` by `TarWalk`."""

    limits: InspectionLimits = field(factory=_limits)

    def unpacked(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        stream = GzipStream(FASTEST)
        for block in blocks:
            yield from stream.inflate(memoryview(block))
        stream.finish()

    def watched(self, blocks: Iterable[bytes], check: Callable[[Member], None]) -> Iterator[bytes]:
        def look_at(records: Sequence[MemberRecord]) -> None:
            for record in records:
                check(read_member(record))

        walk = TarWalk(self.limits, look_at)
        for block in blocks:
            walk.feed(block)
            yield block
        walk.finish()
