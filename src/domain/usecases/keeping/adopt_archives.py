"""
At start, adding archives to the catalog that only the store has.

The catalog is an index that can be lost: deleted, emptied by a crash, restored from an older copy. A server that
continued with the rest of it would deny archives that exist. So each start compares every name in the store with the
catalog (a renamed archive changes no count) and looks only at the differences. An archive with a credible side-car is
added; an archive in the catalog without a file in the store is damaged. A catalog whose sums disagree with its entries
has lost some of them, and is first rebuilt from the rest. Many archives are not added silently: an operator has to
decide then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby, islice
from typing import TypeAlias

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound, InvalidSidecar
from ...errors.settings import CatalogLacks
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...scrubbing.findings import MISSING
from ..reading.examiner import Examiner
from .rebuild import described

_AT_ONCE = 1000
_NAMES_AT_ONCE = 10_000

_Place: TypeAlias = tuple[str, BackupType]


def _place(id: ArchiveId) -> _Place:
    return id.profile, id.type


@define
class AdoptionReport:
    """
    How many archives were *adopted*, and which were *unclear*: they have no credible side-car.

    *remade* is true if the catalog was rebuilt from its own entries, because its sums disagreed with them.
    """

    remade: bool = False
    adopted: int = 0
    unclear: list[ArchiveId] = field(factory=list)


@frozen
class AdoptArchives:
    """
    Run at start, after `RecoverInterrupted`. At most *limit* archives are adopted.

    *is_alone*: no other server uses the catalog. Else its sums may change while they are compared, and are believed.
    """

    store: ArchiveStore
    catalog: Catalog
    examiner: Examiner
    limit: int
    is_alone: bool = True

    def __call__(self) -> AdoptionReport:
        """
        Raises:
            CatalogLacks: more than *limit* archives are to be adopted; none was.
        """
        report = AdoptionReport()
        if self.is_alone and not self.catalog.adds_up():
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
        """Every identity that only the store has; those that only the catalog has are marked as damaged."""
        unknown: list[ArchiveId] = []
        count = 0
        for lacking in self._lacking():
            count += len(lacking)
            unknown += lacking[: self.limit + 1 - len(unknown)]
        if count > self.limit:
            raise CatalogLacks(count, self.limit)
        return unknown

    def _lacking(self) -> Iterator[list[ArchiveId]]:
        """What only the store has, by profile and type; small profiles are compared many at once."""
        totals = self.catalog.totals()
        only_known = {(row.profile, row.type) for row in totals}
        entries = Counter[str]()
        for row in totals:
            entries[row.profile] += row.archives
        few: dict[_Place, list[ArchiveId]] = {}
        size = 0
        for place, ids in groupby(self.store.ids(), _place):
            only_known.discard(place)
            if entries[place[0]] > _NAMES_AT_ONCE:
                yield self._differing(place, list(ids), self._names(place))
                continue
            few[place] = list(ids)
            size += len(few[place]) + entries[place[0]]
            if size > _NAMES_AT_ONCE:
                yield from self._differing_of(few)
                few, size = {}, 0
        yield from self._differing_of(few)
        for place in only_known:  # the store has none of their archives
            self._differing(place, [], self._names(place))

    def _differing_of(self, few: Mapping[_Place, Sequence[ArchiveId]]) -> Iterator[list[ArchiveId]]:
        known = self.catalog.names_of({profile for profile, _ in few})
        for place, there in few.items():
            yield self._differing(place, there, set(known.get(place, ())))

    def _differing(self, place: _Place, there: Sequence[ArchiveId], known: AbstractSet[str]) -> list[ArchiveId]:
        for name in sorted(known - {id.name for id in there}):
            self._missing(ArchiveId(*place, name))
        return [id for id in there if id.name not in known]

    def _names(self, place: _Place) -> set[str]:
        names: set[str] = set()
        some = self.catalog.names(*place, limit=_NAMES_AT_ONCE)
        while some:
            names.update(some)
            if len(some) < _NAMES_AT_ONCE:
                break
            some = self.catalog.names(*place, after=some[-1], limit=_NAMES_AT_ONCE)
        return names

    def _missing(self, id: ArchiveId) -> None:
        try:
            self.store.stat(id)
        except ArchiveNotFound:
            self.examiner.found(self.catalog.find(id), MISSING)

    def _described(self, ids: Iterable[ArchiveId], report: AdoptionReport) -> Iterable[BackupArchive]:
        for id in ids:
            try:
                yield described(self.store.stat(id))
            except InvalidSidecar:
                report.unclear.append(id)
            except ArchiveNotFound:  # a folder or a link has that name
                continue
