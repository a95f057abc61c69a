"""
Going on with a restore that was cut while tar extracted.

tar can extract an archive over a part of itself, so a restore goes on with the archive at which it was cut, over what
those before it left. Not so where directories were renamed in that archive, some of them maybe already, nor where
something else is to be restored by now: then what was extracted is removed, and all of it begins again. Both only in
the very directory that the note is about, which was empty when it was written, and only while all that is in it, at any
depth, is what extracting may have put there: tar removes, too, what an archive does not list. For that a trail of every
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
_ASIDE = b"\0"  # the temporary name of a renamed directory: no name has a NUL
_TEMPORARY = rb"tar\.[^/]{6}(?=/|$)"  # what GNU tar calls it


class Work(Landing, LocalFiles, Protocol):
    """What one restore keeps until it is done, and nobody else: archives that have come, a note for the next run."""

    def hold(self, archive: BackupArchive) -> Held:
        """
        *archive*, which has come, open until it is closed.

        Raises:
            FolderUnusable: it is gone, or cannot be opened.
        """

    def note(self) -> bytes | None:
        """What was noted last; None where nothing was."""

    def put_note(self, note: bytes | None) -> None:
        """Note something that survives a power cut, or with None nothing: then the trail goes as well."""

    def begin_trail(self) -> TrailFile:
        """A new trail, which takes the place of the one that is kept once it is kept itself."""

    def trail(self) -> Iterator[bytes]:
        """What was kept of the trail, in blocks; nothing where none was."""

    def remove(self) -> None:
        """Remove what was put here. What cannot be removed stays."""

    @property
    def held_bytes(self) -> int:
        """What all that lies here takes."""

    def close(self) -> None:
        """Let go of it, for the next run. Where nothing was put into it, it does not stay."""


class TrailFile(Protocol):
    """A trail that is being written. Every method may raise `LocalDiskFull` and `FolderUnusable`."""

    def add(self, records: bytes) -> None:
        """Append *records*; they may be lost until `keep` or `flush`."""

    def keep(self) -> None:
        """Let it be the trail that `Work.trail` gives, with what was added, also after a power cut."""

    def flush(self) -> None:
        """See that what was added outlives this process."""

    def close(self) -> None:
        """Let go of it. What was never kept is gone."""


@frozen
class Begun:
    """
    A note about extracting: into the directory *target* (see `LocalTree.identity`), in *steps* that together say what
    is restored, of which that one is under way whose number is *step*.
    """

    target: str
    steps: tuple[str, ...]
    step: int

    def written(self) -> bytes:
        """To be read by `read_begun`."""
        told = {
            "version": _VERSION,
            "target": self.target,
            "steps": list(self.steps),
            "step": self.step,
        }
        return json.dumps(told, indent=1).encode()


def read_begun(note: bytes | None) -> Begun | None:
    """What *note* says; None where there is none, or none that can be understood."""
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
    Those of *paths* in the directory that no step up to the one under way has put there, by the *trail* of them.

    A directory comes before what is in it; then of a strange one nothing more is said.

    Memory: every name of these steps.
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
    Every path that extracting may have left, wherever renames took it; all of it stays where it was, too.

    A folder that was renamed is the same one in both places, so that a rename costs nothing, whatever is in it.
    """

    _root: _Folder = field(factory=dict)
    _temporaries: set[bytes] = field(factory=set)
    _temporary: re.Pattern[bytes] | None = None

    @classmethod
    def by(cls, trail: Iterable[bytes], last_step: int) -> _Left:
        """What those steps have left whose number is at most *last_step*."""
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
        # both may be what is there now
        waiting, seen = [(folder, taken)], set[tuple[int, int]]()
        while waiting:
            one, other = waiting.pop()
            seen.add((id(one), id(other)))
            for inside, below in list(one.items()):
                there = other.setdefault(inside, below)
                if there is not below and (id(below), id(there)) not in seen:
                    waiting.append((below, there))


def _records(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """What ends in *blocks*; the rest of a record that was cut is none."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(TRAIL_END)
        yield from whole


def goes_on_at(begun: Begun, steps: Sequence[str], renames: Sequence[bool]) -> int | None:
    """
    The number of the step from which *steps* go on, None where all of it has to begin again.

    *renames* tells of each whether it cannot be carried out twice.
    """
    if begun.steps != tuple(steps) or not 0 <= begun.step < len(renames) or renames[begun.step]:
        return None
    return begun.step
