"""What a tar that lies or arrives here holds, read by the walk that also judges what a server receives."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator

from attrs import field, frozen

from ..domain.client.ports import LocalArchive
from ..domain.errors import FolderUnusable
from ..domain.members import Member, MemberRecord
from ..domain.tar_headers import read_member
from .inflate import FASTEST, GzipStream
from .tar_walk import InspectionLimits, TarWalk

_NO_LIMIT = (1 << 63) - 1


def _limits() -> InspectionLimits:
    # the server has let it in by limits of its own; only what is held in memory at once is limited here
    return InspectionLimits(max_unpacked_bytes=_NO_LIMIT, max_members=_NO_LIMIT, max_records=_NO_LIMIT)


@frozen
class TarMembers:
    """`Members` by `TarWalk`."""

    limits: InspectionLimits = field(factory=_limits)

    def of(self, archive: LocalArchive) -> Iterator[Member]:
        records: list[MemberRecord] = []
        walk = TarWalk(self.limits, records.append)
        stream = GzipStream(FASTEST)
        for block in _read(archive.path):
            for piece in stream.inflate(memoryview(block)):
                walk.feed(piece)
                yield from map(read_member, records)
                records.clear()
        stream.finish()
        walk.finish()

    def watched(self, blocks: Iterable[bytes], check: Callable[[Member], None]) -> Iterator[bytes]:
        walk = TarWalk(self.limits, lambda record: check(read_member(record)))
        for block in blocks:
            walk.feed(block)
            yield block
        walk.finish()


def _read(path: str) -> Iterator[bytes]:
    try:
        with io.FileIO(path) as file:
            while block := file.read(1 << 20):
                yield block
    except OSError as error:
        raise FolderUnusable(path, error.strerror or str(error)) from error
