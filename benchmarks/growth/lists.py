"""The cost of lists, tokens bound by patterns, statistics and comparisons, by the number of archives and profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

from tarkeep.adapters.filesystem.scratch import ScratchFiles
from tarkeep.adapters.process.inventory_sorter import SpillingSorter
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import ANONYMOUS, Principal, Scope
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import Catalog, ListedArchive
from tarkeep.domain.usecases.access.visible import VisibleProfiles
from tarkeep.domain.usecases.reading.list_archives import ListAllArchives, ListArchives, SummariseTypes
from tarkeep.domain.usecases.reading.verify_inventory import VerifyInventory
from tarkeep.entrypoints.http.answers.archives import listed_by_type

from ..population import archive_rows, catalog_only
from .measure import Measure, apart, cpu_seconds, peak_mib

PROFILES = 100
COMPARED = 100_000
PAGES = 20
STATISTICS = 100


def _of_some_profiles(archives: int) -> Mapping[str, int]:
    return {f"machine-{number:05}": archives // PROFILES for number in range(PROFILES)}


def _of_ten_each(profiles: int) -> Mapping[str, int]:
    return {f"machine-{number:05}": 10 for number in range(profiles)}


def _cost(
    profiles: Callable[[int], Mapping[str, int]], work: Callable[[Catalog], object], folder: Path, size: int
) -> float:
    return apart(_in_catalog, catalog_only(folder, profiles(size)), work)


def _in_catalog(data: Path, work: Callable[[Catalog], object]) -> float:
    with closing(SqlCatalog.open(f"sqlite:///{data / 'catalog.sqlite'}")) as catalog:
        return cpu_seconds(lambda: work(catalog))


def _whole_list(catalog: Catalog) -> None:
    everything = ListAllArchives(catalog, VisibleProfiles(catalog))

    def pages(type: BackupType) -> Iterator[tuple[ListedArchive, ...]]:
        yield from map(tuple, everything(type=type, principal=ANONYMOUS))

    for _ in listed_by_type(pages):
        pass


def _peak_of_list(folder: Path, size: int) -> float:
    return apart(_peak, catalog_only(folder, _of_some_profiles(size)))


def _peak(data: Path) -> float:
    _in_catalog(data, _whole_list)
    return peak_mib()


def _pages_for(patterns: tuple[str, ...], catalog: Catalog) -> None:
    lists = ListArchives(catalog, VisibleProfiles(catalog))
    principal = Principal("bench", frozenset(Scope), patterns)
    for _ in range(PAGES):
        lists(principal=principal)


def _statistics(principal: Principal, catalog: Catalog) -> None:
    summarise = SummariseTypes(catalog, VisibleProfiles(catalog))
    summarise(principal=principal)  # the profiles that the principal sees are worked out once
    for _ in range(STATISTICS):
        summarise(principal=principal)


def _compared(catalog: Catalog) -> None:
    rows = islice(archive_rows({"rest": COMPARED}), COMPARED)
    mine = [
        InventoryEntry(row.id.type, row.id.name, row.size_bytes, row.digests.md5, row.digests.sha256) for row in rows
    ]
    verify = VerifyInventory(catalog, VisibleProfiles(catalog), SpillingSorter(ScratchFiles(None)))
    for _ in verify(mine, lambda: "rest", principal=ANONYMOUS):
        pass


_SIZES = (10_000, 100_000, 1_000_000)
_SEES_HALF = Principal("bench", frozenset(Scope), ("machine-*[02468]",))

MEASURES = (
    Measure("list", "archives", _SIZES, partial(_cost, _of_some_profiles, _whole_list), limit=8.0),
    Measure("peak of list", "archives", _SIZES, _peak_of_list, limit=100.0, power=0.2, unit=" MiB"),
    *(
        Measure(
            f"{PAGES} pages for a token that sees {who}",
            "archives",
            _SIZES,
            partial(_cost, _of_some_profiles, partial(_pages_for, patterns)),
            limit=PAGES * 0.005,
            power=0.2,
        )
        for who, patterns in (("none", ("nobody-*",)), ("one in ten", ("machine-*7",)), ("half", ("machine-*[02468]",)))
    ),
    Measure(
        f"statistics, {STATISTICS} times",
        "profiles",
        (100, 1_000, 10_000),
        partial(_cost, _of_ten_each, partial(_statistics, ANONYMOUS)),
        power=0.2,
    ),
    Measure(
        f"statistics, {STATISTICS} times, for a token that sees half",
        "profiles",
        (100, 1_000, 10_000),
        partial(_cost, _of_ten_each, partial(_statistics, _SEES_HALF)),
        limit=STATISTICS * 0.005,
    ),
    Measure(
        f"comparing {COMPARED:,} archives with a profile",
        "archives in it",
        (100_000, 400_000, 815_000),
        partial(_cost, lambda archives: {"rest": archives}, _compared),
        limit=2.0,
    ),
)
