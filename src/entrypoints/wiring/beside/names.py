"""Who may change an archive that is there: one thread of this process, or of all servers."""

from __future__ import annotations

from ....adapters.process.name_locks import ProcessNameLocks
from ....adapters.process.upkeep.leased_names import LeasedNames
from ....adapters.sql.catalog import SqlCatalog
from ....domain.ports.catalog import Catalog
from ....domain.ports.store import ArchiveStore
from ....domain.ports.system import NameLocks
from ....domain.ports.upkeep.leases import Leases


def names_of(store: ArchiveStore, catalog: Catalog, leases: Leases | None) -> NameLocks:
    """Locks of this process; with *leases* those of all servers, which *store* and *catalog* then look at, too."""
    if leases is None:
        return ProcessNameLocks()
    from ....adapters.s3.archive_store import S3ArchiveStore  # its library is an extra, and slow to import

    names = LeasedNames(ProcessNameLocks(), leases)
    if isinstance(store, S3ArchiveStore):
        store.share(names)
    if isinstance(catalog, SqlCatalog):
        catalog.fence(names.fences)
    return names
