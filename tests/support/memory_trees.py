"""
The names after a few incremental dumps, computed in the simplest way: an unlisted name is gone, and a member replaces
whatever had its name. Renames of directories are not tracked.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping

from attrs import frozen

from tarkeep.domain.client.ports.chains import RemoteTreeEntry
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.tar.members import Member, MemberType
from tests.support.tar_oracle import members_of


@frozen
class Name:
    """A name, its member, and its content."""

    member: Member
    archive: ArchiveId
    content: bytes

    @property
    def is_directory(self) -> bool:
        return self.member.type is MemberType.DIRECTORY

    @property
    def entry(self) -> RemoteTreeEntry:
        it = self.member
        return RemoteTreeEntry(
            it.path,
            it.type.value,
            it.size_bytes,
            it.mtime_ns,
            it.mode,
            it.uid,
            it.gid,
            it.uname.decode(),
            it.gname.decode(),
            it.link,
            self.archive,
        )


def names_after(tars: Iterable[tuple[ArchiveId, bytes]]) -> dict[bytes, Name]:
    """The names that exist after all of *tars* were extracted, in order."""
    names: dict[bytes, Name] = {}
    for archive, tar in tars:
        for member in members_of(tar):
            content = tar[member.data_at : member.data_at + member.stored_bytes]
            names[member.path] = Name(member, archive, content)
            for one in [one for one in names if _ends(one, member)]:
                del names[one]
    return names


def _ends(path: bytes, member: Member) -> bool:
    """Whether nothing is at *path* after *member*: a file is in the place of its directory, or a dumpdir omits it."""
    if path == member.path or not is_at_or_below(path, member.path):
        return False
    if member.listing is None:
        return member.type is not MemberType.DIRECTORY
    return path[len(member.path) + 1 :].split(b"/")[0] not in member.listing.names


def is_at_or_below(path: bytes, place: bytes) -> bool:
    return not place or path == place or path.startswith(place + b"/")


def tar_of(names: Mapping[bytes, Name], path: bytes) -> bytes:
    """A tar of what lies at *path* and below, with the directories above it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in sorted(names):
            if is_at_or_below(one, path) or is_at_or_below(path, one):
                it = names[one].member
                info = tarfile.TarInfo(os.fsdecode(it.path))
                info.type = _TYPES[it.type]
                info.size, info.mode, info.mtime = len(names[one].content), it.mode, it.mtime_ns / 1e9
                info.linkname = os.fsdecode(it.link)
                tar.addfile(info, io.BytesIO(names[one].content))
    return packed.getvalue()


_TYPES = {
    MemberType.FILE: tarfile.REGTYPE,
    MemberType.DIRECTORY: tarfile.DIRTYPE,
    MemberType.SYMLINK: tarfile.SYMTYPE,
    MemberType.HARD_LINK: tarfile.LNKTYPE,
}
