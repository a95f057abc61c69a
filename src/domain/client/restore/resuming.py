"""
Continuing a restore that was interrupted while tar extracted.

tar can extract an archive over a part of itself, so a restore continues with the archive at which it was interrupted,
over the results of those before. It cannot if that archive renames directories, some of which may be renamed already,
or if the plan has changed: then everything extracted is removed, and the restore begins again. Both happen only in the
very directory of the note, which was empty when the note was written, and only while everything in it, at any depth,
may come from the extraction: tar also removes files that an archive does not list. For this check, a trail of every
name is kept before tar gets the first of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...tar.paths import canonical
from ..ports.extracting import Held
from ..ports.landing import Landing
from ..ports.local_archives import LocalFiles
from .restore import TRAIL_ASIDE, TRAIL_END, TRAIL_NEW, TRAIL_OLD, TRAIL_PATH, TRAIL_STEP

_VERSION = 2
_ASIDE = b"\0"  # stands for the temporary name of a renamed directory: no file name has a NUL
_TEMPORARY = rb"tar\.[^/]{6}(?=/|$)"  # the temporary name that GNU tar uses


class Work(Landing, LocalFiles, Protocol):
    """What one restore keeps to itself until it is done: pulled archives, and a note for the next run."""

    def hold(self, archive: BackupArchive) -> Held:
        """
        Open the pulled *archive*, until it is closed.

        Raises:
            FolderUnusable: the file is gone, or cannot be opened.
        """

    def note(self) -> bytes | None:
        """The last note, or None."""

    def put_note(self, note: bytes | None) -> None:
        """Save *note* durably; None removes the note and the trail."""

    def begin_trail(self) -> TrailFile:
        """Begin a new trail, which replaces the kept one once it is kept itself."""

    def trail(self) -> Iterator[bytes]:
        """The kept trail, in blocks; empty if none was kept."""

    def remove(self) -> None:
        """Remove everything that was put here. Files that cannot be removed stay."""

    @property
    def held_bytes(self) -> int:
        """The size of everything kept here."""

    def close(self) -> None:
        """Release it, for the next run. It is removed if it is empty."""


class TrailFile(Protocol):
    """A trail that is being written. Every method may raise `LocalDiskFull` and `FolderUnusable`."""

    def add(self, records: bytes) -> None:
        """Append *records*; they may be lost until `keep` or `flush`."""

    def keep(self) -> None:
        """Make this the trail of `Work.trail`, with everything added so far, durably."""

    def flush(self) -> None:
        """Make sure that everything added outlives this process."""

    def close(self) -> None:
        """Release it. A trail that was never kept is dropped."""


@frozen
class Begun:
    """
    A note about extracting into the directory *target* (see `LocalTree.identity`). Together, *steps* identify what is
    restored; *step* is the index of the current one.
    """

    target: str
    steps: tuple[str, ...]
    step: int

    def written(self) -> bytes:
        """The note as text for `read_begun`."""
        told = {
            "version": _VERSION,
            "target": self.target,
            "steps": list(self.steps),
            "step": self.step,
        }
        return json.dumps(told, indent=1).encode()


def read_begun(note: bytes | None) -> Begun | None:
    """The content of *note*; None if it is missing or cannot be understood."""
    if note is None:
        return None
    try:
        told = json.loads(note)
        if told["version"] != _VERSION:
            return None
        return Begun(str(told["target"]), tuple(map(str, told["steps"])), int(told["step"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def strangers(begun: Begun, trail: Iterable[bytes], paths: Iterable[bytes]) -> list[bytes]:
    """
    Those of *paths* in the directory that no step up to the current one can have created, by their *trail*.

    A directory must come before its contents; the contents of a foreign directory are not listed.

    Memory: all names of these steps.
    """
    left = _Left.by(trail, begun.step)
    found: set[bytes] = set()
    for path in paths:
        if path.rpartition(b"/")[0] in found or path not in left:
            found.add(path)
    return sorted(path for path in found if path.rpartition(b"/")[0] not in found)


_Folder = dict[bytes, "_Folder"]


@define
class _Left:
    """
    Every path that extracting may have left, in every place that renames may have moved it to or from.

    A renamed folder is the same object in both places, so that a rename costs nothing, whatever its contents.
    """

    _root: _Folder = field(factory=dict)
    _temporaries: set[bytes] = field(factory=set)
    _temporary: re.Pattern[bytes] | None = None

    @classmethod
    def by(cls, trail: Iterable[bytes], last_step: int) -> _Left:
        """The paths left by the steps up to the index *last_step*."""
        left, step, old = cls(), -1, b""
        for record in _records(trail):
            kind, path = record[:1], canonical(record[1:])
            if kind == TRAIL_STEP:
                step += 1
                if step > last_step:
                    break
            elif kind == TRAIL_PATH:
                left._made(path)
            elif kind == TRAIL_ASIDE:
                left._temporaries.add(path)
            elif kind == TRAIL_OLD:
                old = path
            elif kind == TRAIL_NEW:
                left._rename(old or _ASIDE, path or _ASIDE)
        if left._temporaries:
            above = b"|".join(re.escape(path + b"/") if path else b"" for path in sorted(left._temporaries))
            left._temporary = re.compile(b"(?:%b)%b" % (above, _TEMPORARY))
        return left

    def __contains__(self, path: bytes) -> bool:
        if self._has(path):
            return True
        aside = self._temporary.match(path) if self._temporary is not None else None
        return aside is not None and self._has(_ASIDE + path[aside.end() :])

    def _has(self, path: bytes) -> bool:
        at: _Folder | None = self._root
        for name in path.split(b"/"):
            at = at.get(name) if at is not None else None
        return at is not None

    def _made(self, path: bytes) -> _Folder:
        at = self._root
        for name in path.split(b"/") if path else ():
            at = at.setdefault(name, {})
        return at

    def _rename(self, old: bytes, new: bytes) -> None:
        above, _, name = new.rpartition(b"/")
        folder, place = self._made(old), self._made(above)
        taken = place.setdefault(name, folder)
        if taken is folder:
            return
        # the directory may now hold the contents of either
        waiting, seen = [(folder, taken)], set[tuple[int, int]]()
        while waiting:
            one, other = waiting.pop()
            seen.add((id(one), id(other)))
            for inside, below in list(one.items()):
                there = other.setdefault(inside, below)
                if there is not below and (id(below), id(there)) not in seen:
                    waiting.append((below, there))


def _records(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The complete records in *blocks*; an incomplete last one is dropped."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(TRAIL_END)
        yield from whole


def goes_on_at(begun: Begun, steps: Sequence[str], renames: Sequence[bool]) -> int | None:
    """
    The index of the step at which *steps* continue; None if everything has to begin again.

    *renames* tells for each step whether it cannot be repeated.
    """
    if begun.steps != tuple(steps) or not 0 <= begun.step < len(renames) or renames[begun.step]:
        return None
    return begun.step
