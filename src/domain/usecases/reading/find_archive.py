"""Finding an archive by a part of its identity."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from attrs import frozen

from ...access.tokens import Principal
from ...archives.archive import BackupArchive
from ...errors.archives import AmbiguousName, AmbiguousType, ArchiveNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ..access.visible import VisibleProfiles
from .removed_archives import check_not_removed


@frozen
class FindArchive:
    """Look an archive up by as much of its identity as the client knows."""

    catalog: Catalog
    visible: VisibleProfiles
    store: ArchiveStore

    def __call__(
        self,
        type: BackupType,
        name: str,
        profile: str | None = None,
        *,
        principal: Principal,
    ) -> BackupArchive:
        """
        The archive of that type and name; without *profile*, in the one profile that holds it.

        A profile that *principal* may not see is treated as if it did not exist.

        Raises:
            ArchiveRemoved: *profile* held it, and it was removed by the profile's policy.
            ArchiveNotFound: no profile holds it.
            AmbiguousName: several profiles hold it, and *profile* is None.
        """
        if profile is not None:
            id = ArchiveId(profile, type, name)
            if not principal.sees(profile):
                raise ArchiveNotFound(str(id))
            return self._found(id)
        found = self.catalog.named(type, name, profiles=self.visible(principal))
        if not found:
            raise ArchiveNotFound(f"{type.value}/{name}")
        if len(found) > 1:
            raise AmbiguousName(type, name, tuple(archive.id.profile for archive in found))
        return found[0]

    def _found(self, id: ArchiveId) -> BackupArchive:
        try:
            return self.catalog.find(id)
        except ArchiveNotFound:
            check_not_removed(id, self.catalog, self.store)
            raise


@frozen
class FindByName:
    """Look an archive of one profile up by its name."""

    catalog: Catalog
    store: ArchiveStore

    def __call__(self, profile: str, types: Sequence[BackupType], name: str) -> BackupArchive:
        """
        The archive of *profile* with that name and one of *types*.

        Raises:
            ArchiveRemoved: the only one with that name and type was removed by the profile's policy.
            ArchiveNotFound: no archive has that name and type.
            AmbiguousType: archives of several types have that name.
        """
        found = []
        for type in types:
            with suppress(ArchiveNotFound):
                found.append(self.catalog.find(ArchiveId(profile, type, name)))
        if not found:
            for type in types:
                check_not_removed(ArchiveId(profile, type, name), self.catalog, self.store)
            raise ArchiveNotFound(f"{profile}/{types[0].value + '/' if len(types) == 1 else ''}{name}")
        if len(found) > 1:
            raise AmbiguousType(name, tuple(archive.id.type for archive in found))
        return found[0]
