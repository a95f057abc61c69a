"""
The footprint of an archive that tar extracts: the links it leaves, and the directories it goes through.

tar follows an existing link. One archive makes it, at its end, and the next writes, empties and removes through it,
outside the directory that is restored. So the rule: **no path is a link in one archive and a directory in the same one
or in a later one.** It does not help that a link is removed before a directory takes its place, because the removal
may fail and tar goes on. Nor does it help that a link has a harmless target, because another link may lie there.

Names are compared in canonical form (see `listings`), as the file system sees them: ``a//b``, ``a/./b`` and ``a/b/``
are one. Absolute names and those that lead upwards are always refused: tar treats them in ways of its own, which
differ. Renames of directories take the links in them along.

A hard link counts as a link, since its target may be a symbolic one. That costs little: few files become directories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b

from attrs import define, field, frozen

from ..errors.content import MemberUnreadable
from ..tar.layout import BLOCK_BYTES
from ..tar.members import Member, MemberRecord, MemberType
from ..tar.paths import DIRECTORY_BYTES, MAX_HELD_BYTES, MAX_PATH_BYTES, canonical, is_placeable, relative, split
from ..tar.read_headers import read_member
from ..text.paths import SHOWN_BYTES, path_text
from .peculiar import Peculiar, peculiar_of

_ASIDE = b"\0"  # where tar puts a directory while it renames others: no name in a tar has a NUL
_MOST_STEPS = 20_000_000  # to find the links that a rename takes along
_STEPS_A_LINK = 20  # the cost of taking one link along
_LINKS = frozenset((MemberType.SYMLINK, MemberType.HARD_LINK))
_MOVES = (b"R", b"T", b"X")  # letters of a listing
_TYPE, _SIZE = 156, slice(124, 135)
_FILE, SYMLINK, PLAIN_DIRECTORY, _LISTED, _PAX = b"025Dx"
_NAME_BYTES = 100
_PREFIX_AT = 345
_MAGIC, _POSIX = slice(257, 263), b"ustar\0"
_NO_SIZE = b"00000000000"


def misspelt(path: bytes) -> str:
    """What is wrong with a path as spelt, in a few words that follow it; empty if it leads downwards."""
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
    """The links that the archives so far have made, at the paths to which renames have since taken them."""

    links: set[bytes] = field(factory=set)
    _steps: int = field(default=0, init=False)

    def rename(self, old: bytes, new: bytes) -> list[bytes]:
        """
        Carry out a rename, in which an empty path is the temporary one, and return the links that it makes. The old
        links are kept, too, since tar goes on after a rename that failed.

        Raises:
            ValueError: the renames move more links than any genuine dump does.
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
    Where tar goes when it extracts one archive. Paths are canonical.

    *links* are the paths it makes links, *renames* its renames, in order, *directories* those that it uses as
    directories, with all above them, and *digest* is the digest of these. *objection* says why tar must not extract it,
    whatever archives come before; it is empty without an objection. *peculiar* are those of its directories that
    `peculiar` is about.
    """

    links: frozenset[bytes]
    renames: tuple[tuple[bytes, bytes], ...]
    objection: str
    peculiar: Mapping[bytes, Peculiar]
    digest: bytes
    _directories: Callable[[], frozenset[bytes]] = field(eq=False, repr=False)

    @classmethod
    def of(
        cls,
        links: Iterable[bytes] = (),
        directories: Iterable[bytes] = (),
        renames: Iterable[tuple[bytes, bytes]] = (),
        objection: str = "",
        peculiar: Mapping[bytes, Peculiar] | None = None,
    ) -> Footprint:
        found = frozenset(directories)
        digest = digest_of(sorted(found))
        return cls(frozenset(links), tuple(renames), objection, peculiar or {}, digest, lambda: found)

    @property
    def directories(self) -> frozenset[bytes]:
        """Read on demand: they are many, and needed only where there are links."""
        return self._directories()


def digest_of(directories: Iterable[bytes]) -> bytes:
    """The digest of a footprint with *directories*, which ascend."""
    return blake2b(b"\0".join(directories), digest_size=16).digest()


@define
class Walk:
    """A sequence of archives that tar extracts, with the *objection* to it, if any."""

    objection: str = ""
    _ground: Ground = field(factory=Ground)
    _looked_at: bytes = b""  # the digest of the directories that the links were compared with last

    def take(self, footprint: Footprint) -> None:
        """
        Add the next archive.

        Cost: next to nothing for an archive without links, or with the directories of the one before.
        """
        if not self.objection:
            self.objection = footprint.objection or self._crossing(footprint)
            self._ground.links |= footprint.links
            self._looked_at = footprint.digest

    def _crossing(self, footprint: Footprint) -> str:
        try:
            for old, new in footprint.renames:
                self._ground.rename(old, new)
        except ValueError as error:
            return str(error)
        # A footprint was already compared with its own links.
        if self._ground.links and (footprint.renames or footprint.digest != self._looked_at):
            crossed = self._ground.links & footprint.directories
            if crossed:
                return f"{shown(min(crossed))} is a link in one of these archives and a directory in another"
        return ""


def objection(footprints: Iterable[Footprint]) -> str:
    """
    Why tar must not extract archives one after the other, in this order; empty if it may.

    Cost: next to nothing for archives without links, or with the directories of the one before.
    """
    walk = Walk()
    for footprint in footprints:
        walk.take(footprint)
        if walk.objection:
            break
    return walk.objection


def places(member: Member) -> Iterator[tuple[bytes, bool]]:
    """
    The paths that tar touches for *member*, as they are spelt, and whether it uses the path itself as a directory.

    The paths of its renames come last, in pairs, in their order.
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
    """The footprint of the archive with *records*, which are in the order of its tar."""
    treading = Treading()
    for _ in treading.on(records):
        pass
    return treading.footprint()


class Treading:
    """Collects the footprint of one archive, member by member."""

    def __init__(self) -> None:
        self._links: set[bytes] = set()
        self._directories: set[bytes] = {b""}
        self._renames: list[tuple[bytes, bytes]] = []
        self._peculiar: dict[bytes, Peculiar] = {}
        self._objection = ""
        self._held_bytes = 0
        self._has_directories = False

    def on(self, records: Iterable[MemberRecord]) -> Iterator[MemberRecord]:
        """*records* in the order of the tar, each yielded after it was examined."""
        last = b""
        for record in records:
            found = plain(record.headers)
            if found is None:
                self._add_odd(record)
                self._has_directories = self._has_directories or record.is_directory
            else:
                type, path = found
                directory = path if type == PLAIN_DIRECTORY else path.rpartition(b"/")[0]
                self._has_directories = self._has_directories or type == PLAIN_DIRECTORY
                if directory != last:
                    self._use(directory)
                    last = directory
                if type == SYMLINK:
                    self._link(path)
                elif type == PLAIN_DIRECTORY:
                    self._look_at_directory(record, path)
            yield record

    def footprint(self) -> Footprint:
        """The footprint of all members so far."""
        crossed = self._links & self._directories
        if crossed:
            self._object(f"{shown(min(crossed))} is a link and a directory in one archive")
        if self._objection:
            return Footprint.of(objection=self._objection)
        return Footprint.of(self._links, self._directories, self._renames, peculiar=self._peculiar)

    def _add_odd(self, record: MemberRecord) -> None:
        try:
            self._add_member(record, read_member(record))
        except MemberUnreadable as error:
            self._object(str(error))

    def _add_member(self, record: MemberRecord, member: Member) -> None:
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
            if self._links:  # which of them a rename moves is then unknown
                self._object(f"{shown(member.path)} lists renames after links")
            if self._has_directories:  # what tar does with these was never examined
                self._object(f"{shown(member.path)} lists renames in a dump that was joined to another")
            self._renames += ((canonical(rename.old), canonical(rename.new)) for rename in member.listing.renames)
        if member.type in _LINKS:
            self._link(canonical(member.path))
        elif member.type is MemberType.DIRECTORY:
            self._look_at_directory(record, canonical(member.path))

    def _look_at_directory(self, record: MemberRecord, path: bytes) -> None:
        try:
            its = peculiar_of(record)
        except MemberUnreadable as error:
            self._object(str(error))
            return
        if its:
            self._hold(path)
            self._peculiar[path] = its
        elif self._peculiar:
            self._peculiar.pop(path, None)  # the directory has an earlier member

    def _link(self, path: bytes) -> None:
        self._hold(path)
        self._links.add(path)

    def _use(self, directory: bytes) -> None:
        """Note *directory* and all above it, unless an objection already decides."""
        while not self._objection and directory not in self._directories:
            self._hold(directory)
            self._directories.add(directory)
            directory = split(directory)[0]

    def _hold(self, path: bytes) -> None:
        self._held_bytes += len(path) + DIRECTORY_BYTES
        if self._held_bytes > MAX_HELD_BYTES or not is_placeable(path):
            self._object("it has more directories and links, or deeper ones, than can be held")
            self._links.clear()
            self._peculiar.clear()
            self._directories = {b""}
            self._held_bytes = 0

    def _object(self, *words: str) -> None:
        self._objection = self._objection or " ".join(words)


def plain(headers: bytes) -> tuple[int, bytes] | None:
    """
    The type and the canonical path of a file, a symbolic link or a directory whose own header suffices: no odd size, no
    odd path, no renames, nothing in a pax header that matters here. None for any other member.
    """
    if len(headers) < BLOCK_BYTES:
        return None
    own, type = headers, headers[_TYPE]
    has_listing = type == _LISTED
    if has_listing:  # which stands behind the header
        own, type = headers[:BLOCK_BYTES], PLAIN_DIRECTORY
        if _tells_of_renames(headers, BLOCK_BYTES):
            return None
    elif type == _PAX:
        own = headers[-BLOCK_BYTES:]
        digits = headers[_SIZE]
        if not digits.isdigit() or len(headers) != 2 * BLOCK_BYTES + (int(digits, 8) + 511 & ~511):
            return None
        if b"path=" in headers or b"size=" in headers:
            return None
        type = own[_TYPE]
        listings = headers.count(b"GNU.")
        if listings:
            at = headers.find(b" GNU.dumpdir=")
            if listings > 1 or at < 0 or type != PLAIN_DIRECTORY or _tells_of_renames(headers, at + 13):
                return None
    elif len(headers) != BLOCK_BYTES:
        return None
    name = own[:_NAME_BYTES].partition(b"\0")[0]
    if name[:1] == b"/" or (own[_PREFIX_AT] and own[_MAGIC] == _POSIX) or (b".." in name and misspelt(name)):
        return None
    if type == _FILE:
        return None if name[-1:] == b"/" else (type, canonical(name))
    if type == PLAIN_DIRECTORY or (type == SYMLINK and own[_SIZE] == _NO_SIZE):
        return type, canonical(relative(name))
    return None


def _tells_of_renames(headers: bytes, listing_at: int) -> bool:
    """Whether the listing that begins at *listing_at* may contain renames."""
    # Searching for one byte costs a tenth of searching for two, and few names have any of these letters.
    return headers[listing_at : listing_at + 1] in _MOVES or any(
        letter in headers and b"\0" + letter in headers for letter in _MOVES
    )
