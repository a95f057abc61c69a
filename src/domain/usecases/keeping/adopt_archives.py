"""
Entering archives that the store holds and the catalog does not know, at a start.

The catalog is an index that can be lost: deleted, emptied by a crash, put back from an older copy. A server that went
on with what is left of it would say that archives are not there which are. So at each start the names in the store are
held against those in the catalog, each of them, since one that was renamed changes no count; only what differs is
looked at. What has a side-car that can be believed is entered; what is in the catalog and not in the store is damaged.
A catalog whose sums are not those of its entries has lost some, and is first made anew of those it has. Many archives
are not entered in passing: an operator has to know then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound, InvalidSidecar
from ...errors.settings import CatalogLacks
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ..reading.examine import ExamineArchive
from .rebuild import described

_AT_ONCE = 1000
_NAMES_AT_ONCE = 10_000


@define
class AdoptionReport:
    """
    How many archives were *adopted*, and which were *unclear*: they have no side-car that could be believed.

    *remade* says that the catalog was made anew, since its sums were not those of its entries.
    """

    remade: bool = False
    adopted: int = 0
    unclear: list[ArchiveId] = field(factory=list)


@frozen
class AdoptArchives:
    """Run at start, after `RecoverInterrupted`. At most *limit* archives are adopted."""

    store: ArchiveStore
    catalog: Catalog
    examine: ExamineArchive
    limit: int

    def __call__(self) -> AdoptionReport:
        """
        Raises:
            CatalogLacks: there are more than *limit* to be adopted; nothing was.
        """
        report = AdoptionReport()
        if not self.catalog.adds_up():
            self.catalog.replace(self._entries())
            report.remade = True
        waiting = iter(self._unknown())
        while some := list(islice(waiting, _AT_ONCE)):
            report.adopted += self.catalog.adopt(list(self._described(some, report)))
        return report

    def _entries(self) -> Iterator[BackupArchive]:
        cursor = None
        while True:
            page = self.catalog.page(cursor=cursor, limit=_AT_ONCE)
            yield from page.archives
            cursor = page.next_cursor
            if cursor is None:
                return

    def _unknown(self) -> list[ArchiveId]:
        """Every identity that is in the store and not in the catalog; those of which it is the other way are marked."""
        only_known = {(row.profile, row.type) for row in self.catalog.totals()}
        unknown: list[ArchiveId] = []
        count = 0
        for (profile, type), ids in groupby(self.store.ids(), lambda id: (id.profile, id.type)):
            only_known.discard((profile, type))
            lacking = self._differing(profile, type, {id.name: id for id in ids})
            count += len(lacking)
            unknown += lacking[: self.limit + 1 - len(unknown)]
        if count > self.limit:
            raise CatalogLacks(count, self.limit)
        for profile, type in only_known:  # of which nothing is in the store
            self._differing(profile, type, {})
        return unknown

    def _differing(self, profile: str, type: BackupType, there: dict[str, ArchiveId]) -> list[ArchiveId]:
        known = self._names(profile, type)
        for name in sorted(known - there.keys()):
            self._missing(ArchiveId(profile, type, name))
        return [id for name, id in there.items() if name not in known]

    def _names(self, profile: str, type: BackupType) -> set[str]:
        names: set[str] = set()
        some = self.catalog.names(profile, type, limit=_NAMES_AT_ONCE)
        while some:
            names.update(some)
            if len(some) < _NAMES_AT_ONCE:
                break
            some = self.catalog.names(profile, type, after=some[-1], limit=_NAMES_AT_ONCE)
        return names

    def _missing(self, id: ArchiveId) -> None:
        try:
            self.store.stat(id)
        except ArchiveNotFound:
            self.examine.found(self.catalog.find(id), "its file is missing")

    def _described(self, ids: Iterable[ArchiveId], report: AdoptionReport) -> Iterable[BackupArchive]:
        for id in ids:
            try:
                yield described(self.store.stat(id))
            except InvalidSidecar:
                report.unclear.append(id)
            except ArchiveNotFound:  # a folder or a link of that name
                continue
