"""A source of archives in memory that can damage their bytes like bad lines and bad servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType

from attrs import define, field, frozen

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.client import ServerUnreachable
from tarkeep.domain.identity.archive_id import ArchiveId
from tests.support.archives import digests_of

BLOCK_BYTES = 1000


@define
class MemorySource:
    """
    `ArchiveSource` of *contents*. It declares the digests that they had when it was made, whatever changes later.
    *asked* lists the first byte that each download requested.
    """

    contents: dict[ArchiveId, bytes]
    knows_ranges: bool = True
    cuts_bytes: list[int] = field(factory=list)
    """After each of these counts of bytes, one download breaks."""
    ends_bytes: list[int] = field(factory=list)
    """After each of these counts of bytes, one download ends as if it were complete."""
    on_read: Callable[[], None] = lambda: None
    """Called when a download begins."""
    asked: list[int] = field(factory=list, init=False)
    suspected: list[ArchiveId] = field(factory=list, init=False)
    _sha256s: dict[ArchiveId, str] = field(init=False)

    @_sha256s.default
    def _as_they_were(self) -> dict[ArchiveId, str]:
        return {id: digests_of(content).sha256 for id, content in self.contents.items()}

    def keep(self, id: ArchiveId, content: bytes) -> None:
        """Store *content*."""
        self.contents[id], self._sha256s[id] = content, digests_of(content).sha256

    @property
    def shown_url(self) -> str:
        return "memory:"

    def suspect(self, archive: BackupArchive) -> None:
        self.suspected.append(archive.id)

    def read(self, archive: BackupArchive, start: int = 0) -> _Download:
        self.asked.append(start)
        self.on_read()
        if archive.id not in self.contents or self._sha256s[archive.id] != archive.digests.sha256:
            raise ArchiveNotFound(str(archive.id))
        start = start if self.knows_ranges else 0
        rest = self.contents[archive.id][start:]
        if self.ends_bytes:
            rest = rest[: self.ends_bytes.pop(0)]
        return _Download(start, rest, self.cuts_bytes.pop(0) if self.cuts_bytes else None)


@frozen
class _Download:
    start_bytes: int
    _rest: bytes
    _cut: int | None

    def __iter__(self) -> Iterator[bytes]:
        whole = self._rest if self._cut is None else self._rest[: self._cut]
        for position in range(0, len(whole), BLOCK_BYTES):
            yield whole[position : position + BLOCK_BYTES]
        if self._cut is not None:
            raise ServerUnreachable("memory:", "cut")

    def __enter__(self) -> _Download:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
