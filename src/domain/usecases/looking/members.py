"""Looking into one archive: its members, and the content of one file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from attrs import frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveCorrupt
from ...errors.restoring import MemberNotFound
from ...ports.unpacking import Unpacker
from ...tar.members import Member, MemberType
from ...tar.paths import canonical
from ...tar.read_headers import read_to_show
from ..reading.archive_members import ArchiveMembers
from ..reading.examiner import Examiner
from .pages import ShownPage, filled, shown_bytes

_MAX_LINKS = 8  # hops from one hard link to the next; GNU tar links only to files


@frozen
class ListMembers:
    """The members of one archive, in its order."""

    members: ArchiveMembers

    def __call__(self, archive: BackupArchive, limit: int, after: int = -1) -> ShownPage[Member]:
        """Up to *limit* members, in the order of the tar, after the position *after*."""
        records = self.members.of(archive, start=after + 1)
        shown = map(read_to_show, islice(records, limit))
        page = filled((member, shown_bytes(member)) for member in shown)
        return ShownPage(page, next(records, None) is not None)


@frozen
class FindMember:
    """The file at a path of one archive."""

    members: ArchiveMembers

    def __call__(self, archive: BackupArchive, path: bytes) -> Member:
        """
        The member that extracting would leave at *path*: the last of that name; a hard link is followed to its file.

        Raises:
            MemberNotFound: the archive has no regular file with content at that path.
        """
        wanted = canonical(path)
        for _ in range(_MAX_LINKS):
            member = self.members.last(archive, wanted)
            if member is None:
                break
            if member.type is MemberType.FILE and not member.is_sparse:
                return member
            if member.type is not MemberType.HARD_LINK:
                break
            wanted = canonical(member.link)
        raise MemberNotFound(archive.id, path)


@frozen
class ReadMember:
    """The content of one file in an archive."""

    unpacker: Unpacker
    examiner: Examiner

    def __call__(self, archive: BackupArchive, member: Member, start: int, stop: int) -> Iterator[bytes]:
        """
        The bytes of *member* from *start* to *stop*.

        Raises:
            ArchiveCorrupt: at the call if the damage is known, else while reading.
        """
        unpacked = self.unpacker.open(archive)

        def blocks() -> Iterator[bytes]:
            with self.examiner.watching(archive), unpacked:
                left = stop - start
                for block in unpacked.read(member.data_at + start, member.data_at + stop):
                    left -= len(block)
                    yield block
                if left:
                    raise ArchiveCorrupt(archive.id)

        return blocks()
