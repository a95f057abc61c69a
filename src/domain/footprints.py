"""
Where an archive goes when tar extracts it: the links it leaves, and the directories it goes through.

tar follows a link that is there. One archive makes it, at its end, and the next writes, empties and removes through it,
beside the directory that is restored. So the rule: **no path is a link in one archive and a directory in the same one
or in one behind it.** That a link is removed before a directory takes its place counts for nothing, because removing
may fail and tar goes on. Neither does it count that a link leads nowhere bad, because another one may lie there.

Names are compared in canonical form (see `listings`), as the file system takes them: ``a//b``, ``a/./b`` and ``a/b/``
are one. Absolute ones and those that lead upwards are never good: tar has its own ways with them, which differ. Renames
of directories take the links in them along.

A hard link counts as a link, since it may be to a symbolic one. That costs little: few files become directories.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from .errors import MemberUnreadable
from .listings import DIRECTORY_BYTES, MAX_HELD_BYTES, MAX_PATH_BYTES, canonical, is_placeable, split
from .members import Member, MemberRecord, MemberType
from .names import DIRECTORY, ordinary
from .path_text import path_text
from .tar_headers import BLOCK_BYTES, read_member

SHOWN_BYTES = 200
"""Of a path in a sentence."""

_ASIDE = b"\0"  # what tar moves a directory to for the time between: no name of tar has a NUL
_MOST_STEPS = 20_000_000  # of looking which links a rename takes along, of which
_STEPS_A_LINK = 20  # each that it does is worth so many
_LINKS = frozenset((MemberType.SYMLINK, MemberType.HARD_LINK))
_MOVES = re.compile(rb"(?:\A|\0)[RTX]")
_TYPE, _SIZE = 156, slice(124, 135)
_FILE, _SYMLINK, _PLAIN_DIRECTORY, _LISTED, _SLASH = b"025D/"
_NO_SIZE = b"00000000000"


def misspelt(path: bytes) -> str:
    """What is wrong with a path as it is spelt, a few words to go behind it; nothing where it leads downwards."""
    if path.startswith(b"/"):
        return "is absolute"
    if b".." in path and b".." in path.split(b"/"):
        return "leads upwards"
    return ""


def shown(path: bytes) -> str:
    """*path* in a sentence."""
    return path_text(path[:SHOWN_BYTES])


@define
class Ground:
    """What the archives so far have made links, wherever renames have taken them since; a path for each."""

    links: set[bytes] = field(factory=set)
    _steps: int = field(default=0, init=False)

    def rename(self, old: bytes, new: bytes) -> list[bytes]:
        """
        Carry out a rename, an empty path being the temporary one; the links that it makes. They stay where they were,
        too, since tar goes on where it could not carry a rename out.

        Raises:
            ValueError: there is more to follow than any tar tells of.
        """
        old, new = canonical(old) or _ASIDE, canonical(new) or _ASIDE
        below = old + b"/"
        moved = [new + link[len(old) :] for link in self.links if link == old or link.startswith(below)]
        moved = [link for link in moved if len(link) <= MAX_PATH_BYTES]
        self._steps += len(self.links) + _STEPS_A_LINK * len(moved) + 1
        self.links.update(moved)
        if self._steps > _MOST_STEPS:
            raise ValueError("renames more directories with links in them than can be followed")
        return moved

    def crossing(self, path: bytes) -> bytes | None:
        """The first link on the way to *path*, which is canonical."""
        links = self.links
        if links:
            at = path.find(b"/")
            while at >= 0:
                if path[:at] in links:
                    return path[:at]
                at = path.find(b"/", at + 1)
        return None


@frozen
class Footprint:
    """
    Where one archive goes. Paths are canonical.

    *links* are the paths it makes links, *directories* those that it uses as directories, with all above them,
    *renames* those that it tells of, in order. *objection* says why it is not to be extracted by tar, whatever archives
    are before it; it is empty where nothing is against it.
    """

    links: frozenset[bytes] = frozenset()
    directories: frozenset[bytes] = frozenset()
    renames: tuple[tuple[bytes, bytes], ...] = ()
    objection: str = ""


def objection(footprints: Iterable[Footprint]) -> str:
    """Why archives must not be extracted by tar one after the other, in this order; nothing where they may."""
    ground = Ground()
    for footprint in footprints:
        if footprint.objection:
            return footprint.objection
        try:
            for old, new in footprint.renames:
                ground.rename(old, new)
        except ValueError as error:
            return str(error)
        ground.links |= footprint.links
        crossed = ground.links & footprint.directories
        if crossed:
            return f"{shown(min(crossed))} is a link in one of these archives and a directory in another"
    return ""


def places(member: Member) -> Iterator[tuple[bytes, bool]]:
    """
    The paths that tar goes to for *member*, as they are spelt, and whether it uses the path itself as a directory.

    Those of its renames come last, in pairs, in their order.
    """
    yield member.path, member.type is MemberType.DIRECTORY
    if member.type is MemberType.HARD_LINK:
        yield member.link, False
    if member.listing is not None:
        for temporary in member.listing.temporaries:
            yield temporary, True
        for rename in member.listing.renames:
            yield rename.old, False
            yield rename.new, False


def footprint_of(records: Iterable[MemberRecord]) -> Footprint:
    """Where the archive with *records* goes; they are in the order of its tar."""
    treading = _Treading()
    for record in records:
        treading.add(record)
    return treading.footprint()


class _Treading:
    """Finds out where one archive goes, member by member."""

    def __init__(self) -> None:
        self._links: set[bytes] = set()
        self._directories: set[bytes] = {b""}
        self._renames: list[tuple[bytes, bytes]] = []
        self._objection = ""
        self._last = b""
        self._held_bytes = 0

    def add(self, record: MemberRecord) -> None:
        """Look at the next member."""
        headers = record.headers
        found = ordinary(headers)
        if found is None or not _is_clear(headers, *found[:3]):
            try:
                self._add_member(read_member(record))
            except MemberUnreadable as error:
                self._object(str(error))
            return
        letter, path = found[:2]
        if letter == DIRECTORY:
            self._use(path)
            return
        directory = path.rpartition(b"/")[0]
        if directory != self._last:
            self._use(directory)
            self._last = directory
        if headers[-BLOCK_BYTES + _TYPE] == _SYMLINK:
            self._link(path)

    def footprint(self) -> Footprint:
        """That of all members so far."""
        crossed = self._links & self._directories
        if crossed:
            self._object(f"{shown(min(crossed))} is a link and a directory in one archive")
        if self._objection:
            return Footprint(objection=self._objection)
        return Footprint(frozenset(self._links), frozenset(self._directories), tuple(self._renames))

    def _add_member(self, member: Member) -> None:
        if member.disputed:
            self._object(f"{shown(member.path)} {member.disputed}")
        for place, is_directory in places(member):
            wrong = misspelt(place)
            if wrong:
                self._object(
                    shown(member.path) + ("" if place is member.path else f" names {shown(place)}, which"), wrong
                )
            path = canonical(place)
            self._use(path if is_directory else split(path)[0])
        if member.listing is not None and member.listing.renames:
            if self._links:  # which of them are moved, then, nobody could say
                self._object(f"{shown(member.path)} tells of renames behind links")
            self._renames += ((canonical(rename.old), canonical(rename.new)) for rename in member.listing.renames)
        if member.type in _LINKS:
            self._link(canonical(member.path))

    def _link(self, path: bytes) -> None:
        self._hold(path)
        self._links.add(path)

    def _use(self, directory: bytes) -> None:
        """Note *directory* and all above it."""
        while directory not in self._directories:
            self._hold(directory)
            self._directories.add(directory)
            directory = split(directory)[0]

    def _hold(self, path: bytes) -> None:
        self._held_bytes += len(path) + DIRECTORY_BYTES
        if self._held_bytes > MAX_HELD_BYTES or not is_placeable(path):
            self._object("it has more directories and links, or deeper ones, than can be held")
            self._links.clear()
            self._directories = {b""}
            self._held_bytes = 0

    def _object(self, *words: str) -> None:
        self._objection = self._objection or " ".join(words)


def _is_clear(headers: bytes, letter: int, path: bytes, extra: bytes) -> bool:
    """Whether all that matters here was seen of an ordinary member: no odd size, no odd path, no renames."""
    if b".." in path and misspelt(path):
        return False
    if headers[_TYPE] == _LISTED:  # whose listing stands behind its header
        return headers[0] != _SLASH and not _MOVES.search(extra)
    own = headers[-BLOCK_BYTES:]
    pax = headers[BLOCK_BYTES:-BLOCK_BYTES]
    if own[0] == _SLASH or b"size=" in pax or b"path=/" in pax:
        return False
    type = own[_TYPE]
    if letter == DIRECTORY:
        return type == _PLAIN_DIRECTORY and not _MOVES.search(extra)
    return type == _FILE or (type == _SYMLINK and own[_SIZE] == _NO_SIZE)
