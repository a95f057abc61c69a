"""Finding an archive by what is known of it."""

from __future__ import annotations

from attrs import frozen

from ...access.tokens import Principal
from ...archives.archive import BackupArchive
from ...errors.archives import AmbiguousName, ArchiveNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ..access.visible import VisibleProfiles


@frozen
class FindArchive:
    """Look an archive up by as much of its identity as the client knows."""

    catalog: Catalog
    visible: VisibleProfiles

    def __call__(
        self,
        type: BackupType,
        name: str,
        profile: str | None = None,
        *,
        principal: Principal,
    ) -> BackupArchive:
        """
        The archive of that type and name; without *profile*, in whichever one profile holds it.

        A profile that *principal* may not see is not looked into, as if it did not exist.

        Raises:
            ArchiveNotFound: none does.
            AmbiguousName: several do, and none was named.
        """
        if profile is not None:
            id = ArchiveId(profile, type, name)
            if not principal.sees(profile):
                raise ArchiveNotFound(str(id))
            return self.catalog.find(id)
        found = self.catalog.named(type, name, profiles=self.visible(principal))
        if not found:
            raise ArchiveNotFound(f"{type.value}/{name}")
        if len(found) > 1:
            raise AmbiguousName(type, name, tuple(archive.id.profile for archive in found))
        return found[0]
