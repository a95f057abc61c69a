"""Looking inside: histories, trees and restores of many archives over many names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.identity.archive_id import BackupType

from ..contestants import WrongAnswer
from .measure import Measure, apart, cpu_seconds, made
from .nights import PROFILE, nights, opened, tree


def _data(folder: Path, incs: int, names: int) -> Path:
    return made(folder / f"nights-{incs}-{names}", lambda place: nights(place, incs, names))


def _path(names: int) -> bytes:
    """One name in the middle of the tree."""
    directory, files = list(tree(names))[-(names // 40) - 1]
    return f"{directory}/{files[0]}".encode()


def _history(data: Path, path: bytes, *, is_warm: bool) -> float:
    with opened(data) as tarkeep:
        tarkeep.load_points(PROFILE).all()
        if is_warm:
            tarkeep.trace_history(PROFILE, path)

        def look() -> None:
            if not tarkeep.trace_history(PROFILE, path):
                raise WrongAnswer(f"{path!r} has no history")

        return cpu_seconds(look)


def _history_by_archives(names: int, folder: Path, size: int, *, is_warm: bool) -> float:
    return apart(_history, _data(folder, size, names), _path(names), is_warm=is_warm)


def _history_by_names(folder: Path, size: int) -> float:
    return apart(_history, _data(folder, _INCS, size), _path(size), is_warm=True)


def _one_file(data: Path, path: bytes) -> float:
    with opened(data) as tarkeep:
        full = tarkeep.find_archive(BackupType.FULL, "night00000.tar.gz", PROFILE, principal=ANONYMOUS)

        def look() -> None:
            for _ in range(_FILES):
                tarkeep.find_member(full, path)

        return cpu_seconds(look) / _FILES


def _file_by_names(folder: Path, size: int) -> float:
    return apart(_one_file, _data(folder, _INCS, size), _path(size))


def _tree(data: Path) -> float:
    with opened(data) as tarkeep:
        tarkeep.load_points(PROFILE).all()
        return cpu_seconds(lambda: tarkeep.open_point(PROFILE))


def _pages(data: Path) -> float:
    with opened(data) as tarkeep:

        def walk() -> None:
            after = None
            while True:
                page = tarkeep.list_tree(tarkeep.open_point(PROFILE), b"", _PAGE, after)
                if not page.has_more:
                    return
                after = page.entries[-1].path

        tarkeep.open_point(PROFILE)
        return cpu_seconds(walk)


def _restored(data: Path, path: bytes, *, is_warm: bool) -> float:
    with opened(data) as tarkeep:

        def restore() -> None:
            for _ in tarkeep.restore_tar(tarkeep.open_point(PROFILE), path):
                pass

        tarkeep.load_points(PROFILE).all()
        if is_warm:
            restore()
        return cpu_seconds(restore)


def _by_archives(cost: Callable[[Path], float], folder: Path, size: int) -> float:
    return apart(cost, _data(folder, size, 30_000))


def _by_names(cost: Callable[[Path], float], folder: Path, size: int) -> float:
    return apart(cost, _data(folder, _INCS, size))


def _directory_by_names(folder: Path, size: int) -> float:
    return apart(_restored, _data(folder, _INCS, size), _path(size).rpartition(b"/")[0], is_warm=True)


_INCS = 40
_FILES = 20
_PAGE = 1_000
_ARCHIVES = (40, 120, 365)
_NAMES = (30_000, 100_000, 300_000)

MEASURES = (
    Measure(
        "history of one path, 30,000 names, cold",
        "INC",
        _ARCHIVES,
        partial(_history_by_archives, 30_000, is_warm=False),
        limit=1.0,
    ),
    Measure(
        "history of one path, 30,000 names, warm",
        "INC",
        _ARCHIVES,
        partial(_history_by_archives, 30_000, is_warm=True),
        limit=0.2,
    ),
    Measure(
        f"history of one path, {_INCS} INC, warm", "names in each", _NAMES, _history_by_names, limit=0.1, power=0.3
    ),
    Measure("finding one file of a FULL", "names", _NAMES, _file_by_names, limit=0.01, power=0.3, negligible=0.001),
    Measure("tree, 30,000 names, cold", "INC", _ARCHIVES, partial(_by_archives, _tree)),
    Measure(f"tree, {_INCS} INC, cold", "names", _NAMES, partial(_by_names, _tree), limit=1.5),
    Measure(f"a whole tree in pages of {_PAGE:,}, {_INCS} INC", "names", _NAMES, partial(_by_names, _pages), limit=5.0),
    Measure(
        "restore.tar, 30,000 names, cold",
        "INC",
        _ARCHIVES,
        partial(_by_archives, partial(_restored, path=b"", is_warm=False)),
    ),
    Measure(
        f"restore.tar, {_INCS} INC, warm",
        "names",
        _NAMES,
        partial(_by_names, partial(_restored, path=b"", is_warm=True)),
    ),
    Measure(f"one directory out of restore.tar, {_INCS} INC", "names", _NAMES, _directory_by_names, limit=0.2),
)
