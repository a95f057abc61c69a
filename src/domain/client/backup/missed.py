"""
What a dump missed: the live directory held against the server's account of it. Pure.

Hard links and contents are another matter: the server's tree does not show them (see `check_dump`).

The rule: only what did not change since the dump began can have been missed. Everything else that differs *moved*: it
will be in the next dump.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen

from ...text.counted import counted
from ..ports.chains import RemoteTreeEntry
from ..ports.live_tree import LiveEntry

_HARD_LINK, _FILE, _SYMLINK, _DIRECTORY = "hard-link", "file", "symlink", "directory"
_SECOND_NS = 1_000_000_000


@frozen
class MissedName:
    """A path that differs in the backup; *what* is a few words."""

    path: bytes
    what: str


@frozen
class Compared:
    """
    What is at a place *here* and *there*, on the server, by path. *missed* are differences that were there before the
    dump began, *moved* are paths that changed since. *same* are the paths of files that seem to be the same.
    """

    names: int
    missed: tuple[MissedName, ...] = ()
    moved: tuple[bytes, ...] = ()
    same: tuple[bytes, ...] = field(default=(), repr=False)


def compare(
    there: Iterable[RemoteTreeEntry], here: Iterable[LiveEntry], began_ns: int, passed: frozenset[bytes] = frozenset()
) -> Compared:
    """
    Hold the entries *here* against those *there*; the dump began at *began_ns*.

    The topmost directory itself is not compared. *passed* are paths that are known to lack there, with all below them.
    Memory: all entries of both.
    """
    live = {entry.path: entry for entry in here if not _is_below(entry.path, passed)}
    stored = {entry.path: entry for entry in there if entry.path and not _is_below(entry.path, passed)}
    missed: list[MissedName] = []
    moved: list[bytes] = []
    same: list[bytes] = []
    paths = sorted(path for path in live.keys() | stored.keys() if b"/" in path)
    for path in paths:
        entry, known = live.get(path), stored.get(path)
        what = ", ".join(_differing(entry, known))
        if not what:
            if entry is not None and entry.type == _FILE:
                same.append(path)
        elif _has_changed(path, live, began_ns, is_on_both=entry is not None and known is not None):
            moved.append(path)
        else:
            missed.append(MissedName(path, what))
    return Compared(len(paths), tuple(missed), tuple(moved), tuple(same))


def groups_of(names: Iterable[tuple[bytes, object]]) -> dict[bytes, frozenset[bytes]]:
    """For each path of *names* that has the same file as others, all of these; *names* are paths with their file."""
    by_file: dict[object, set[bytes]] = {}
    for path, file in names:
        by_file.setdefault(file, set()).add(path)
    return {path: frozenset(group) for group in by_file.values() if len(group) > 1 for path in group}


def _differing(here: LiveEntry | None, there: RemoteTreeEntry | None) -> Iterator[str]:
    if here is None:
        yield "is in the backup, and not in the directory"
        return
    if there is None:
        yield "is missing from the backup"
        return
    if there.type == _HARD_LINK:  # the rest is said of the name that it leads to
        return
    if there.type != here.type:
        yield f"is a {here.type}, and a {there.type} in the backup"
        return
    if here.type == _FILE and there.size_bytes != here.size_bytes:
        yield f"has {counted(here.size_bytes, 'byte')}, and {there.size_bytes} in the backup"
    if here.type == _SYMLINK and there.link != here.link:
        yield "points elsewhere in the backup"
    if here.type != _SYMLINK and there.mode is not None and there.mode & 0o7777 != here.mode & 0o7777:
        yield f"has the mode {here.mode & 0o7777:04o}, and {there.mode & 0o7777:04o} in the backup"
    if there.mtime_ns is not None and not _is_same_time(there.mtime_ns, here.mtime_ns):
        yield "has another time in the backup"


def _is_same_time(there_ns: int, here_ns: int) -> bool:
    """An archive may have whole seconds only."""
    return there_ns == here_ns or (there_ns % _SECOND_NS == 0 and there_ns == here_ns // _SECOND_NS * _SECOND_NS)


def _has_changed(path: bytes, live: Mapping[bytes, LiveEntry], began_ns: int, *, is_on_both: bool) -> bool:
    """Whether *path* or what leads to it changed since the dump began."""
    its = live.get(path)
    if its is not None and its.changed_ns >= began_ns:
        return True
    above = [entry for name in _above(path) if (entry := live.get(name)) is not None]
    # renaming a directory, or putting another one in its place, changes it, and not its contents
    if any(entry.changed_ns >= began_ns > entry.mtime_ns for entry in above):
        return True
    return not is_on_both and bool(above) and max(above[0].changed_ns, above[0].mtime_ns) >= began_ns


def _above(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _is_below(path: bytes, passed: frozenset[bytes]) -> bool:
    return bool(passed) and (path in passed or any(name in passed for name in _above(path)))
