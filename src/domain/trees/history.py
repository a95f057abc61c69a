"""
The versions of one path across the archives of a profile: changes of its content, renames, and deletion.

What one dump says of a path is a sighting; events come from comparing each point with the one before it in time.
Nothing is guessed: if a dump says nothing of a path, it is what it was before. If tar joined several dumps in an
archive, they are looked at in order, and only the state after the last one is a point (see `joined`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from attrs import frozen

from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Mark, Rename
from ..tar.members import Member, MemberType
from ..tar.paths import Directories, canonical, split


@frozen
class Sighting:
    """
    What one dump says of one path.

    *mark* is what the listing of its directory says, None without a listing or if that does not name it. *member* is
    the one at this path, if the archive has it. *is_silent* if it says nothing of what is in that directory (see
    `silence`). *renames* are all renames of the archive, *directories* returns all its directories, if available.
    """

    is_silent: bool
    mark: Mark | None
    member: Member | None
    renames: tuple[Rename, ...] = ()
    directories: Directories | None = None


def sightings(path: bytes, members: Iterable[Member]) -> Sequence[Sighting]:
    """
    What an archive with these *members* says of *path*, given in any form: one sighting for each dump in it.

    A new dump begins where a directory above *path* is listed again, or where renames come again. A dump that lists
    none of these says nothing of it.
    """
    path = canonical(path)
    found = [Looking(path)]
    for member in members:
        if found[-1].is_over_with(member):
            found.append(Looking(path))
        found[-1].take(member)
    return [looking.sighting() for looking in found]


class Looking:
    """Searches the members of one dump for a path in canonical form."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._above = _above(path)
        self._marks: dict[bytes, Mark | None] = {}  # for each directory above, its mark for the next one down
        self._member: Member | None = None
        self._renames: tuple[Rename, ...] | None = None

    def is_over_with(self, member: Member) -> bool:
        if member.listing is None or self._renames is None:
            return False
        return bool(member.listing.renames) or canonical(member.path) in self._marks

    def take(self, member: Member) -> None:
        if member.listing is not None:
            if self._renames is None:  # tar writes all of them into the first listing
                self._renames = member.listing.renames
            if (listed := canonical(member.path)) in self._above:
                self._marks[listed] = member.listing.names.get(self._above[listed])
        if member.path.endswith(split(self._path)[1]) and canonical(member.path) == self._path:
            self._member = member

    def sighting(self) -> Sighting:
        directory = split(self._path)[0]
        is_silent = directory not in self._marks
        for at in self._above:
            if at in self._marks:
                mark = self._marks[at]
                is_silent = is_silent and mark is not None and mark.may_stay
                break
        return Sighting(is_silent, self._marks.get(directory), self._member, self._renames or ())


def _above(path: bytes) -> dict[bytes, bytes]:
    """The directories above *path*, the nearest first, each with the name of the next one in it."""
    found: dict[bytes, bytes] = {}
    while path:
        path, name = split(path)
        found[path] = name
    return found


_SECOND = 1_000_000_000


class HistoryEvent(Enum):
    """What happened to a path."""

    APPEARED = "appeared"
    CHANGED = "changed"
    RENAMED = "renamed"  # it was elsewhere before
    DELETED = "deleted"


@frozen
class ContentVersion:
    """
    The state of a path that came with one archive.

    *archive* is the index of the archive whose point shows it first, *member* the member that the path then has, as it
    stands in the archive *stored_in*; both None if it was deleted. *path* is the requested path, *was* its path before.
    """

    archive: int
    change: HistoryEvent
    path: bytes
    was: bytes | None = None
    member: Member | None = None
    stored_in: int | None = None


@frozen
class _State:
    stored_in: int
    member: Member


def history(
    path: bytes, parents: Sequence[int | None], look: Callable[[int, bytes], Sequence[Sighting]]
) -> tuple[ContentVersion, ...]:
    """
    The changes of *path*, the oldest first.

    *parents* has, for every archive in the order in which they were taken, the index of its parent. ``look(index,
    path)`` returns the sightings of a path in an archive, one for each dump in it, and is called once for each; a dump
    without a sighting says nothing. The caller leaves out points that do not restore; a name that is unchanged since a
    missing archive is unknown and shows no change.
    """
    path = canonical(path)
    return _History(parents, look).of(path)


_Dump = tuple[int, int]
"""The index of an archive, and the number of a dump in it."""


class _History:
    def __init__(self, parents: Sequence[int | None], look: Callable[[int, bytes], Sequence[Sighting]]) -> None:
        self._parents = parents
        self._look = look
        self._sightings: dict[tuple[int, bytes], Sequence[Sighting]] = {}
        self._states: dict[tuple[_Dump, bytes], _State | None] = {}

    def of(self, path: bytes) -> tuple[ContentVersion, ...]:
        versions: list[ContentVersion] = []
        last: _State | None = None
        for index in range(len(self._parents)):
            state = self._state(index, path)
            if not self._is_same(index, last, state):
                versions.append(self._version(index, path, state, last))
            last = state
        return tuple(versions)

    def _version(self, index: int, path: bytes, state: _State | None, last: _State | None) -> ContentVersion:
        if state is None:
            return ContentVersion(index, HistoryEvent.DELETED, path)
        was = self._before_all(index, path)
        is_here = state.stored_in == index and state.member.type is not MemberType.DIRECTORY
        if was is not None and was != path and not is_here:
            return ContentVersion(index, HistoryEvent.RENAMED, path, was, state.member, state.stored_in)
        change = HistoryEvent.APPEARED if last is None else HistoryEvent.CHANGED
        return ContentVersion(index, change, path, None, state.member, state.stored_in)

    def _state(self, index: int, path: bytes) -> _State | None:
        """The state of *path* at the point of an archive, None if it is not known to exist."""
        climbed: list[tuple[_Dump, bytes]] = []
        state: _State | None = None
        at: _Dump | None = self._last(index, path)
        while at is not None and (at, path) not in self._states:
            sighting = self._sighting(at, path)
            climbed.append((at, path))
            if sighting.member is not None:
                state = _State(at[0], sighting.member)
                break
            # A directory that is listed but not in the archive existed before, unless it is new.
            if not sighting.is_silent and sighting.mark not in (Mark.UNCHANGED, Mark.DIRECTORY):
                break
            before = self._before(at, path)
            if before is None:
                break
            at, path = self._previous(at, path), before
        else:
            if at is not None:
                state = self._states[at, path]
        for key in climbed:
            self._states[key] = state
        return state

    def _last(self, index: int, path: bytes) -> _Dump:
        return index, len(self._seen(index, path)) - 1

    def _previous(self, dump: _Dump, path: bytes) -> _Dump | None:
        """The dump that *dump* builds on, in the same archive or its parent."""
        index, part = dump
        if part:
            return index, part - 1
        parent = self._parents[index]
        return None if parent is None else self._last(parent, path)

    def _before(self, dump: _Dump, path: bytes) -> bytes | None:
        """The path of *path* after the dump that *dump* builds on; None if it cannot have existed there."""
        previous = self._previous(dump, path)
        if previous is None:
            return None
        now, before = self._sighting(dump, path), self._sighting(previous, path)
        return DirectoryRenames(now.renames, before.renames, now.directories, before.directories).before(path)

    def _before_all(self, index: int, path: bytes) -> bytes | None:
        """The path of *path* at the point that the archive builds on; None if it cannot have existed there."""
        was: bytes | None = path
        for part in range(self._last(index, path)[1], -1, -1):
            if was is None:
                return None
            was = self._before((index, part), was)
        return was

    def _is_same(self, index: int, last: _State | None, state: _State | None) -> bool:
        """
        Whether the path is unchanged. A FULL carries everything, changed or not, and all archives with listings carry
        every directory: there, other metadata counts as a change, as it does between two points that have the path from
        different archives, each from its FULL for example. An INC or DIFF carries a file because it has changed.
        """
        if last is None or state is None or last == state:
            return last == state
        if state.member.type is not MemberType.DIRECTORY:
            if state.stored_in == index and self._parents[index] is not None:
                return False
            if state.stored_in != index and canonical(state.member.path) != canonical(last.member.path):
                return False  # the file here now was elsewhere then
        return _looks_like(last.member, state.member)

    def _sighting(self, dump: _Dump, path: bytes) -> Sighting:
        index, part = dump
        seen = self._seen(index, path)
        return seen[part] if part < len(seen) else Sighting(is_silent=True, mark=None, member=None)

    def _seen(self, index: int, path: bytes) -> Sequence[Sighting]:
        key = (index, path)
        if key not in self._sightings:
            self._sightings[key] = self._look(index, path)
        return self._sightings[key]


def _looks_like(one: Member, other: Member) -> bool:
    """
    Same type, size, owners, mode, target and time; compared to the second if either time has no fraction.

    If a file has several names, the one that tar met first has its size, and the others are links to it.
    """
    if (one.mode, one.uid, one.gid) != (other.mode, other.uid, other.gid):
        return False
    if {one.type, other.type} != {MemberType.FILE, MemberType.HARD_LINK}:
        if one.type is not other.type:
            return False
        is_told = one.type not in (MemberType.DIRECTORY, MemberType.HARD_LINK)
        if is_told and (one.size_bytes, one.link, one.device) != (other.size_bytes, other.link, other.device):
            return False
    seconds = [time // _SECOND for time in (one.mtime_ns, other.mtime_ns)]
    has_fractions = one.mtime_ns % _SECOND and other.mtime_ns % _SECOND
    return one.mtime_ns == other.mtime_ns if has_fractions else seconds[0] == seconds[1]
