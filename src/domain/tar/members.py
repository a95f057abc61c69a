"""
What a tar holds: its members, and the listings of directories that GNU tar's incremental archives carry.

Names are bytes, byte for byte as the archive has them, so names that are not UTF-8 survive. Only what spells one name
in two ways is taken off: ``./`` in front, and the slash that ends a directory's. So ``tar -C DIR .`` and ``tar -C DIR
a b`` tell the same names, and the root of the first is the empty one. Positions are in the inflated tar.
"""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen


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
    listing: Listing | None
    disputed: str = ""


class Mark(Enum):
    """What a listing says of one name; the letters are GNU tar's."""

    HERE = b"Y"  # in this archive
    UNCHANGED = b"N"  # in the directory, as it was before; not in this archive
    DIRECTORY = b"D"  # a directory, which has a listing of its own

    @property
    def may_stay(self) -> bool:
        """A directory of that name, if it has no listing of its own, is said nothing of: see `silence`."""
        return self is not Mark.HERE


@frozen
class Rename:
    """
    A directory was renamed since the parent was taken. Both are paths from the root of the tar, which is ``.`` itself.

    Where names change places, one of them goes through a temporary name, which is then empty here: first as *new*,
    later as *old*.
    """

    old: bytes
    new: bytes


@frozen
class Listing:
    """
    The dumpdir of one directory: every name in it, changed or not, and the renames told at this place.

    *renames* are in the order in which they are to be carried out. GNU tar tells all of an archive in the listing of
    its first directory. *temporaries* are the directories in which tar makes its temporary names, for the time that
    renaming takes; they are no part of what a listing means.
    """

    names: dict[bytes, Mark]
    renames: tuple[Rename, ...] = ()
    temporaries: tuple[bytes, ...] = field(default=(), eq=False)
