"""The cost of chains by length: one more archive, restore points, and all of it after the catalog was lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from tarkeep.domain.chains.link import Evidence
from tarkeep.entrypoints.http.routes.points import point_in_list
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep

from ..contestants import WrongAnswer
from .measure import Measure, apart, cpu_seconds, made
from .nights import PROFILE, nights, opened, receive

_NAMES = 20
_NAMES_BESIDE = 20_000
_NAMES_LOST = 30_000
_RECEIVED = 20
_PAGE = 1_000
_HOUR = timedelta(hours=1)


def _long(folder: Path, incs: int) -> Path:
    """A chain of so many INC with few names."""
    return made(folder / f"long-{incs}", lambda place: nights(place, incs, _NAMES, every=_HOUR))


def _measured(work: Callable[[Tarkeep], float], folder: Path, size: int) -> float:
    return apart(_with, _long(folder, size), work)


def _with(data: Path, work: Callable[[Tarkeep], float]) -> float:
    with opened(data) as tarkeep:
        return work(tarkeep)


def _receiving(tarkeep: Tarkeep) -> float:
    """The cost of `_RECEIVED` more INC; they stay, so every run finds a few more."""
    first = len(tarkeep.load_points(PROFILE).all())
    receive(tarkeep, first, _NAMES, every=_HOUR)  # exclude the work done once per process

    def more() -> None:
        for number in range(first + 1, first + 1 + _RECEIVED):
            receive(tarkeep, number, _NAMES, every=_HOUR)

    return cpu_seconds(more)


def _pages(tarkeep: Tarkeep) -> float:
    return cpu_seconds(lambda: _bytes_of_pages(tarkeep))


def _megabytes_of_pages(tarkeep: Tarkeep) -> float:
    return _bytes_of_pages(tarkeep) / 1_000_000


def _bytes_of_pages(tarkeep: Tarkeep) -> int:
    count, cursor = 0, None
    while True:
        page = tarkeep.load_points(PROFILE).page(cursor, _PAGE)
        count += len(msgspec.json.encode([point_in_list(place) for place in page.places]))
        cursor = page.next_cursor
        if cursor is None:
            return count


def _plan(tarkeep: Tarkeep) -> float:
    return cpu_seconds(lambda: tarkeep.make_plan(tarkeep.load_points(PROFILE)))


# -- archives with names of their own --------------------------------------------------------------------------------


def _with_own_names(folder: Path, size: int) -> float:
    data = folder / f"own-names-{size}"
    return apart(_one_more_with_own_names, made(data, lambda place: _all_with_own_names(place, size)))


def _all_with_own_names(data: Path, incs: int) -> None:
    with opened(data) as tarkeep:
        for number in range(incs + 1):
            receive(tarkeep, number, _NAMES_BESIDE, has_own_names=number > 0)


def _one_more_with_own_names(data: Path) -> float:
    with opened(data) as tarkeep:
        number = len(tarkeep.load_points(PROFILE).all())
        taken = cpu_seconds(lambda: receive(tarkeep, number, _NAMES_BESIDE, has_own_names=True))
        if tarkeep.load_points(PROFILE).all()[-1].link.evidence is not Evidence.UNCERTAIN:
            raise WrongAnswer("an archive with names that no other has was linked without a doubt")
        return taken


# -- the catalog lost ------------------------------------------------------------------------------------------------


def _after_a_lost_catalog(folder: Path, size: int) -> float:
    data = made(folder / f"nights-{size}-{_NAMES_LOST}", lambda place: nights(place, size, _NAMES_LOST))
    return apart(_first_points, data)


def _first_points(data: Path) -> float:
    for file in data.glob("catalog.sqlite*"):
        file.unlink()
    with opened(data) as tarkeep:
        tarkeep.rebuild()
        return cpu_seconds(lambda: tarkeep.load_points(PROFILE).all())


def _rebuilding(folder: Path, size: int) -> float:
    return apart(_rebuilt, _long(folder, size))


def _rebuilt(data: Path) -> float:
    with opened(data) as tarkeep:
        return cpu_seconds(tarkeep.rebuild)


_LENGTHS = (50, 500, 5_000)

MEASURES = (
    Measure(f"receiving {_RECEIVED} more INC", "INC there", _LENGTHS, partial(_measured, _receiving), power=0.06),
    Measure("points, all pages", "INC", _LENGTHS, partial(_measured, _pages), limit=0.4),
    Measure(
        "bytes of points, all pages", "INC", _LENGTHS, partial(_measured, _megabytes_of_pages), limit=3.0, unit=" MB"
    ),
    Measure("plan of the newest point", "INC", _LENGTHS, partial(_measured, _plan)),
    Measure("rebuilding the catalog", "INC", _LENGTHS, _rebuilding),
    Measure(
        f"receiving one more INC of {_NAMES_BESIDE:,} names, with some that none of the others has",
        "of these there",
        (20, 80, 320),
        _with_own_names,
        power=0.2,
    ),
    Measure(
        f"first points after a lost catalog, {_NAMES_LOST:,} names",
        "INC",
        (40, 120, 365),
        _after_a_lost_catalog,
        limit=3.0,
    ),
)
