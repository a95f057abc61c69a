"""
The symbolic links that stand directly behind the header of their directory in `restore.tar`.

GNU tar makes a link with an absolute target, or with ``..`` in it, only when everything else is extracted; until then
an empty file stands in its place. Replacing that changes the time of the directory. tar sets this time afterwards only
if it still knew of the directory when it met the link, and it forgets a directory as soon as a member of another one
follows. So such a link follows the header of its directory; the time in a later header of the same directory then
counts, and is set last.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field, frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...names.columns import OTHER
from ...names.footprints import SYMLINK
from ...tar.layout import BLOCK_BYTES, TYPE
from ...tar.members import MemberRecord
from ...tar.paths import canonical, is_at_or_below, split
from ...tar.read_headers import read_member
from ...tar.write_headers import as_hard_link, with_path
from ...trees.tree import Taken, Tree
from ..reading.archive_members import ArchiveMembers

BATCH_LINKS = 10_000
"""The headers of so many links are held at once."""


def is_delayed(target: bytes) -> bool:
    """Whether GNU tar makes a symbolic link to *target* only at the end."""
    return target.startswith(b"/") or (b".." in target and b".." in target.split(b"/"))


@frozen
class _Place:
    """A name of a link: its path, and the number of the archive and the position there of the link's member."""

    path: bytes
    archive: int
    at: int


@frozen
class EarlyLink:
    """One name of a link, with the record of the member."""

    place: _Place
    record: MemberRecord


@define(eq=False)
class EarlyLinks:
    """
    The links of a tree that stand behind their directories, and *taken*: what its archives hold besides.

    A link with several names is the symbolic link where it comes first, and a hard link to that elsewhere.
    """

    taken: Sequence[Taken]
    _members: ArchiveMembers
    _archives: Sequence[BackupArchive]
    _folders: Mapping[bytes, Sequence[_Place]]
    _first: dict[tuple[int, int], bytes] = field(factory=dict)

    def batches(self) -> Iterator[Mapping[bytes, Sequence[EarlyLink]]]:
        """The links by the paths of their directories, in at least one batch."""
        batch: list[_Place] = []
        for folder in sorted(self._folders):
            batch += self._folders[folder]
            if len(batch) >= BATCH_LINKS:
                yield self._read(batch)
                batch = []
        if batch or not self._folders:
            yield self._read(batch)

    def _read(self, places: Sequence[_Place]) -> Mapping[bytes, Sequence[EarlyLink]]:
        found: dict[bytes, list[EarlyLink]] = {}
        for number, archive in enumerate(self._archives):
            wanted: dict[int, list[_Place]] = {}
            for place in places:
                if place.archive == number:
                    wanted.setdefault(place.at, []).append(place)
            for record in self._members.at(archive, sorted(wanted)) if wanted else ():
                for place in wanted[record.at]:
                    found.setdefault(split(place.path)[0], []).append(EarlyLink(place, record))
        return found

    def headers(self, link: EarlyLink) -> bytes:
        """The headers of *link*, which comes next in the tar."""
        path = link.place.path
        first = self._first.setdefault((link.place.archive, link.place.at), path)
        return with_path(link.record, path) if first == path else as_hard_link(link.record, path, first)


def early_links(
    members: ArchiveMembers, archives: Sequence[BackupArchive], tree: Tree, taken: Sequence[Taken], below: bytes
) -> EarlyLinks:
    """
    Find these links among what is *taken* from *archives* for the names at and below *below* of *tree*.

    A link that has a name in a directory without a member is left where it is: nothing sets the time of that directory.
    So are those of damaged archives, and those in the root, whose time tar always sets last.

    Cost: reads the records of the symbolic links.
    """
    folders: dict[bytes, list[_Place]] = {}
    others = list(taken)
    for number, (archive, own) in enumerate(zip(archives, taken, strict=True)):
        if not own or archive.state is ArchiveState.DAMAGED:
            continue
        early: set[int] = set()
        for record in _symlinks(members, archive, own):
            member = read_member(record)
            paths = own.elsewhere.get(record.at) or (canonical(member.path),)
            if is_delayed(member.link) and all(_has_header(tree, split(path)[0], below) for path in paths):
                early.add(record.at)
                for path in paths:
                    folders.setdefault(split(path)[0], []).append(_Place(path, number, record.at))
        if early:
            others[number] = own.without(early)
    return EarlyLinks(others, members, archives, folders)


def _has_header(tree: Tree, folder: bytes, below: bytes) -> bool:
    entry = tree.entry(folder) if folder and is_at_or_below(folder, below) else None
    return entry is not None and entry.at is not None


def _symlinks(members: ArchiveMembers, archive: BackupArchive, taken: Taken) -> Iterator[MemberRecord]:
    """The records of the symbolic links among *taken*, and of some other members."""
    footprint = members.footprint(archive)
    if footprint.objection:  # then it has no links
        for record in members.of(archive):
            if _is_symlink(record) and _is_taken(taken, record.at):
                yield record
        return
    if not footprint.links:
        return
    positions = members.again(lambda: _positions(members, archive, footprint.links, taken))
    yield from filter(_is_symlink, members.at(archive, positions))


def _positions(members: ArchiveMembers, archive: BackupArchive, links: frozenset[bytes], taken: Taken) -> list[int]:
    files = members.table(archive).files
    found = {
        files.positions[number] * BLOCK_BYTES
        for path in links
        for number in files.at(path)
        if files.letters[number] == OTHER
    }
    return sorted(at for at in found if _is_taken(taken, at))


def _is_symlink(record: MemberRecord) -> bool:
    return record.headers[TYPE - BLOCK_BYTES] == SYMLINK


def _is_taken(taken: Taken, at: int) -> bool:
    place = bisect_left(taken.positions, at)
    return at in taken.elsewhere or (place < len(taken.positions) and taken.positions[place] == at)
