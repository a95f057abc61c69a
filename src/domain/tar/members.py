"""
What a tar holds: its members, as they were recorded and as they are read.

Names are bytes, byte for byte as the archive has them, so names that are not UTF-8 survive. Only what spells one name
in two ways is taken off: ``./`` in front, and the slash that ends a directory's. So ``tar -C DIR .`` and ``tar -C DIR
a b`` tell the same names, and the root of the first is the empty one. Positions are in the inflated tar.
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
    A member as it is recorded while its archive passes: every byte of it but the content of files.

    *at* is the position of the first of its headers. *headers* are these headers as they stand in the tar, in whole
    blocks of 512 bytes: extension headers with their data, the member's own, the extensions of a sparse map, and, of
    gnu format's type ``D``, the listing with its padding. Global pax headers hold for all members behind them, so they
    come first in the headers of each of these, though they stand elsewhere, and are not counted from *at* on.
    *is_directory* tells types ``5`` and ``D``, which may carry a listing, and what is one by the slash that ends its
    name.
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
    nanoseconds since the epoch. *link* is the target of a symbolic link, as it is, or the name of the member that a
    hard link is to. *data_at* of a file that is sparse in the manner of pax 1.0 is where the map stands that its stored
    data begins with. *listing* is the directory's dumpdir, None where there is none. *disputed* says, in a few words
    behind the name, what readers of tar do not agree on; nothing of nearly every member.
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
