"""
The members of a tar, as they were recorded and as they are read.

Names are bytes, exactly as in the archive, so names that are not UTF-8 survive. Only redundant spelling is stripped:
leading ``./``, and the slash at the end of a directory's name. So ``tar -C DIR .`` and ``tar -C DIR a b`` give the same
names, and the root of the first is the empty name. Positions are in the inflated tar.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from .dumpdirs import Dumpdir


class MemberType(Enum):
    """What a member becomes when it is extracted."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARD_LINK = "hard-link"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    FIFO = "fifo"
    OTHER = "other"


@frozen
class MemberRecord:
    """
    A member as it is recorded while its archive passes: all of its bytes except the content of files.

    *at* is the position of the first of its headers. *headers* are these headers as they stand in the tar, in whole
    blocks of 512 bytes: extension headers with their data, the member's own, the extensions of a sparse map, and, for
    type ``D`` of gnu format, the listing with its padding. A global pax header holds for all members behind it, so it
    comes first in the headers of each of them, though it stands elsewhere, and *at* does not count it.
    *is_directory* covers types ``5`` and ``D``, which may carry a listing, and members that a slash at the end of the
    name makes directories.
    """

    at: int
    headers: bytes
    is_directory: bool


@frozen
class Member:
    """
    One member of a tar, read from its record.

    *size_bytes* is the file's size on disk; *stored_bytes* is what the tar holds of it at *data_at*, without padding:
    less for a sparse file, 0 for anything but files. *mode* holds permission bits alone, *mtime_ns* is nanoseconds
    since the epoch. *link* is the target of a symbolic link, as it is, or the name of the member that a hard link
    points to. For a file that is sparse in pax 1.0 format, *data_at* is the position of the map with which its stored
    data begins. *listing* is the directory's dumpdir, if it has one. *disputed* says, in a few words that follow the
    name, where readers of tar disagree; it is empty for nearly every member.
    """

    path: bytes
    type: MemberType
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    size_bytes: int
    mtime_ns: int
    link: bytes
    device: tuple[int, int] | None
    at: int
    data_at: int
    stored_bytes: int
    is_sparse: bool
    listing: Dumpdir | None
    disputed: str = ""
