"""Archives that are read again one after the other: `Rereading` where nothing is to be gained by looking ahead."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from attrs import frozen

from ..domain.identity.archive_id import ArchiveId
from ..domain.ports.store import ArchiveReader, ArchiveStore, LyingBeside


@frozen
class OneByOne:
    """`Rereading` by the other methods of *store*; *ids* come in any order."""

    store: ArchiveStore
    ids: Sequence[ArchiveId]

    def bytes_of(self, id: ArchiveId) -> ArchiveReader:
        return self.store.reread(id)

    def beside(self, id: ArchiveId) -> LyingBeside:
        return LyingBeside(self.store.stat(id).sidecar, self.store.marks(id))

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass
