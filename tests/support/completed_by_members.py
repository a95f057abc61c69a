"""
Archives completed the slow way for directories they are silent about: every listing of every archive is read.

The results of `tarkeep.domain.comparing.silence` are compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from tarkeep.domain.names.renames import DirectoryRenames
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename
from tarkeep.domain.tar.members import Member, MemberType
from tarkeep.domain.tar.paths import canonical, is_placeable, join, split
from tests.support.members import directory

MemberColumns = dict[bytes, Mark]


@frozen
class Kept:
    """
    A directory that an archive is silent about: the archive that listed it, its path there (None if absent), its names.

    *last* is its last listing, if it has several.
    """

    archive: int
    at: int | None
    names: MemberColumns
    last: MemberColumns = field(factory=dict)


def completed(path: Sequence[Sequence[Member]]) -> tuple[list[list[Member]], dict[bytes, Kept]]:
    """The archives of *path* with members added for silent directories, and these directories for the last archive."""
    kept: dict[bytes, Kept] = {}
    found = []
    for index, members in enumerate(path):
        if index:
            kept = _kept(index, members, path[index - 1], kept)
        found.append([*members, *(_member(at, folder) for at, folder in kept.items())])
    return found, kept


def _member(path: bytes, folder: Kept) -> Member:
    return evolve(directory(path), listing=Dumpdir(folder.names, ()))


def _kept(
    index: int, members: Sequence[Member], before: Sequence[Member], kept: dict[bytes, Kept]
) -> dict[bytes, Kept]:
    own, earlier = _listed(members), _listed(before)
    moved = _moved(
        DirectoryRenames(
            _renames(members), _renames(before), lambda: _directories(members), lambda: _directories(before)
        )
    )
    found: dict[bytes, Kept] = {}
    for path, folder in [*sorted(kept.items()), *((path, earlier[path]) for path in sorted(earlier))]:
        if _is_silent(now := _after(path, moved), own):
            stays = evolve(folder, archive=index - 1) if folder is earlier.get(path) else folder
            gone = {name for name in folder.names if moved.get(join(path, name), join(now, name)) != join(now, name)}
            found[now] = evolve(stays, names={name: mark for name, mark in folder.names.items() if name not in gone})
    for path, names in _strays(before).items():
        if _is_silent(now := _after(path, moved), own):
            folder = found.get(now, Kept(0, None, {}))
            found[now] = evolve(folder, names={**dict.fromkeys(names, Mark.UNCHANGED), **folder.names})
    files = {canonical(one.path) for one in members if one.type is not MemberType.DIRECTORY}
    return {
        at: folder
        for at, folder in found.items()
        if not any(at == file or at.startswith(file + b"/") for file in files if not _is_odd(file))
    }


def _is_silent(directory: bytes, listed: dict[bytes, Kept]) -> bool:
    if _is_odd(directory) or directory in listed:
        return False
    while directory:
        directory, name = split(directory)
        if directory in listed:
            return listed[directory].last.get(name) in (Mark.DIRECTORY, Mark.UNCHANGED)
    return True


def _is_odd(path: bytes) -> bool:
    return b".." in path.split(b"/") or not is_placeable(path)


def _listed(members: Sequence[Member]) -> dict[bytes, Kept]:
    """The directories with a listing; for several listings all names, which are directories if any listing says so."""
    found: dict[bytes, Kept] = {}
    for one in members:
        path = canonical(one.path)
        if one.listing is not None and not _is_odd(path):
            names = {
                name: mark if mark is Mark.DIRECTORY else Mark.UNCHANGED for name, mark in one.listing.names.items()
            }
            had = found[path].names if path in found else {}
            both = {name for name in had.keys() | names.keys() if Mark.DIRECTORY in (had.get(name), names.get(name))}
            merged = {**names, **had, **dict.fromkeys(both, Mark.DIRECTORY)}
            found[path] = Kept(0, one.at, merged, one.listing.names)
        elif path in found and one.type is MemberType.DIRECTORY:
            found[path] = evolve(found[path], at=one.at)
    return found


def _strays(members: Sequence[Member]) -> dict[bytes, list[bytes]]:
    directories = {canonical(one.path) for one in members if one.type is MemberType.DIRECTORY}
    found: dict[bytes, list[bytes]] = {}
    for one in members:
        path = canonical(one.path)
        folder, name = split(path)
        if one.type is not MemberType.DIRECTORY and folder not in directories and not _is_odd(path):
            found.setdefault(folder, []).append(name)
    return found


def _directories(members: Sequence[Member]) -> Sequence[bytes]:
    return sorted({canonical(one.path) for one in members if one.type is MemberType.DIRECTORY})


def _renames(members: Sequence[Member]) -> Sequence[Rename]:
    return next((one.listing.renames for one in members if one.listing is not None), ())


def _moved(origins: DirectoryRenames) -> dict[bytes, bytes]:
    if origins.is_trivial:
        return {}
    found = {origins.before(now): now for now in sorted(origins.concerned)}
    return {was: now for was, now in found.items() if was is not None and was != now}


def _after(path: bytes, moved: dict[bytes, bytes]) -> bytes:
    at = path
    while at:
        if at in moved:
            return moved[at] + path[len(at) :]
        at = split(at)[0]
    return join(moved[b""], path) if path and b"" in moved else moved.get(path, path)
