"""
What a tar holds: its members, and the listings of directories that GNU tar's incremental archives carry.

Names are bytes, exactly as the archive has them, without the slash that ends a directory's; nothing is decoded, so
names that are not UTF-8 survive. Positions are in the inflated tar.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen


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
    A member as it is recorded while its archive passes: every byte of it but the content of files.

    *at* is the position of the first of its headers. *headers* are these headers as they stand in the tar, in whole
    blocks of 512 bytes: extension headers with their data, the member's own, the extensions of a sparse map, and, of
    gnu format's type ``D``, the listing with its padding. *is_directory* tells those that may carry a listing.
    """

    at: int
    headers: bytes
    is_directory: bool


@frozen
class Member:
    """
    One member of a tar, read from its record.

    *size_bytes* is that of the file on a disk; *stored_bytes* is what the tar holds of it at *data_at*, without
    padding: less for a sparse file, none for anything but files. *mode* holds permission bits alone, *mtime_ns* is
    nanoseconds since the epoch. *link* is the target of a symbolic or hard link. *listing* is the directory's dumpdir,
    None where there is none.
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
    listing: Listing | None


class Mark(Enum):
    """What a listing says of one name; the letters are GNU tar's."""

    HERE = b"Y"  # in this archive
    UNCHANGED = b"N"  # in the directory, as it was before; not in this archive
    DIRECTORY = b"D"  # a directory, which has a listing of its own


@frozen
class Rename:
    """
    A directory was renamed since the parent was taken. Both are paths from the root of the tar.

    One that takes part in a cycle of names goes through a temporary one, which is then empty here.
    """

    old: bytes
    new: bytes


@frozen
class Listing:
    """
    The dumpdir of one directory: every name in it, changed or not, and the renames told at this place.

    *renames* are in the order in which they are to be carried out.
    """

    names: dict[bytes, Mark]
    renames: tuple[Rename, ...] = ()
