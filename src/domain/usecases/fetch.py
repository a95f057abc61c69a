"""Finding an archive and giving its bytes back."""

from __future__ import annotations

from contextlib import suppress

from attrs import frozen

from ..access import ANYBODY, Visitor
from ..archives import ArchiveId, ArchiveState, BackupArchive, BackupType
from ..errors import AmbiguousName, ArchiveCorrupt, ArchiveNotFound, TarkeepError
from ..ports import ArchiveReader, ArchiveStore, Catalog


@frozen
class FindArchive:
    """Look an archive up by as much of its identity as the client knows."""

    catalog: Catalog

    def __call__(
        self,
        type: BackupType,
        name: str,
        profile: str | None = None,
        visitor: Visitor = ANYBODY,
    ) -> BackupArchive:
        """
        The archive of that type and name; without *profile*, in whichever one profile holds it.

        A profile that *visitor* does not see is not looked into: for him there is none.

        Raises:
            ArchiveNotFound: none does.
            AmbiguousName: several do, and none was named.
        """
        if profile is not None:
            id = ArchiveId(profile, type, name)
            if not visitor.sees(profile):
                raise ArchiveNotFound(str(id))
            return self.catalog.find(id)
        found = [archive for archive in self.catalog.named(type, name) if visitor.sees(archive.id.profile)]
        if not found:
            raise ArchiveNotFound(f"{type.value}/{name}")
        if len(found) > 1:
            raise AmbiguousName(type, name, tuple(archive.id.profile for archive in found))
        return found[0]


@frozen
class ReadArchive:
    """Open the bytes of a stored archive."""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self, archive: BackupArchive, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        The bytes from *start* to *stop* (exclusive; None is the end); the caller leaves the reader's context.

        Raises:
            ArchiveCorrupt: the bytes are known to be damaged, or are missing, or have another length than they had.
        """
        if archive.state is ArchiveState.DAMAGED:
            raise ArchiveCorrupt(archive.id)
        end = archive.size_bytes if stop is None else min(stop, archive.size_bytes)
        try:
            reader = self.store.read(archive.id, start, stop)
        except ArchiveNotFound as error:
            raise self._damaged(archive) from error
        if reader.size_bytes != max(0, end - start):
            with reader:
                raise self._damaged(archive)
        return reader

    def _damaged(self, archive: BackupArchive) -> ArchiveCorrupt:
        """The error to raise, after marking the archive; should that fail, the next reader marks it."""
        with suppress(TarkeepError):
            self.catalog.mark(archive.id, ArchiveState.DAMAGED)
        return ArchiveCorrupt(archive.id)
