"""
Reading tars made by GNU tar in the simplest way, and describing real directories in the same terms.

Independent of the code under test, except for the value classes of its results. It knows what GNU tar writes in its gnu
and posix formats and nothing else, holds everything in memory, and trusts its input.
"""

from __future__ import annotations

import os
import stat
from decimal import Decimal
from pathlib import Path

from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename
from tarkeep.domain.tar.members import Member, MemberType

_TYPES = {
    b"0": MemberType.FILE,
    b"S": MemberType.FILE,
    b"1": MemberType.HARD_LINK,
    b"2": MemberType.SYMLINK,
    b"3": MemberType.CHARACTER_DEVICE,
    b"4": MemberType.BLOCK_DEVICE,
    b"5": MemberType.DIRECTORY,
    b"D": MemberType.DIRECTORY,
    b"6": MemberType.FIFO,
}


def dumpdir_of(dumpdir: bytes) -> Dumpdir:
    """A dumpdir by the appendix of GNU tar's manual."""
    names: dict[bytes, Mark] = {}
    renames: list[Rename] = []
    temporaries: list[bytes] = []
    old = b""
    for record in dumpdir.split(b"\0"):
        letter, rest = record[:1], record[1:]
        if letter == b"R":
            old = rest
        elif letter == b"T":
            renames.append(Rename(old, rest))
        elif letter == b"X":
            temporaries.append(rest)
        elif letter in (b"Y", b"N", b"D"):
            names[rest] = Mark(letter)
    return Dumpdir(names, tuple(renames), tuple(temporaries))


def members_of(tar: bytes) -> list[Member]:
    """The members of an inflated tar."""
    members: list[Member] = []
    at = start = 0
    pax: dict[bytes, bytes] = {}
    long: dict[bytes, bytes] = {}
    while (block := tar[at : at + 512]).strip(b"\0"):
        letter, size = block[156:157], _number(block[124:136])
        data = at + 512
        if letter == b"x":
            pax = _records(tar[data : data + size])
        elif letter in (b"L", b"K"):
            long[letter] = tar[data : data + size].rstrip(b"\0")
        else:
            members.append(_member(tar, start, at, pax, long))
            pax, long = {}, {}
            size = int(pax.get(b"size", size)) if letter not in (b"1", b"2") else 0
            if letter == b"S" and block[482] == 1:
                while tar[data + 504] == 1:
                    data += 512
                data += 512
        at = data + (size + 511) // 512 * 512
        if letter not in (b"x", b"L", b"K"):
            start = at
    return members


def _member(tar: bytes, start: int, at: int, pax: dict[bytes, bytes], long: dict[bytes, bytes]) -> Member:
    block = tar[at : at + 512]
    letter = block[156:157]
    size = int(pax.get(b"size", _number(block[124:136])))
    name = _text(block[:100])
    if block[257:265] == b"ustar\x0000" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    dumpdir = pax.get(b"GNU.dumpdir")
    if letter == b"D":
        dumpdir = tar[at + 512 : at + 512 + size]
    type = _TYPES[letter]
    holds = size if type is MemberType.FILE else 0
    return Member(
        path=pax.get(b"path", long.get(b"L", name)).rstrip(b"/"),
        type=type,
        mode=_number(block[100:108]),
        uid=_number(block[108:116]),
        gid=_number(block[116:124]),
        uname=_text(block[265:297]),
        gname=_text(block[297:329]),
        size_bytes=holds,
        mtime_ns=int(Decimal(pax.get(b"mtime", b"%d" % _number(block[136:148])).decode()) * 10**9),
        link=pax.get(b"linkpath", long.get(b"K", _text(block[157:257]))),
        device=None,
        at=start,
        data_at=at + 512,
        stored_bytes=holds,
        is_sparse=letter == b"S",
        listing=dumpdir_of(dumpdir) if dumpdir is not None else None,
    )


def _records(data: bytes) -> dict[bytes, bytes]:
    records = {}
    while data:
        length, _, rest = data.partition(b" ")
        keyword, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        records[keyword] = value
        data = data[int(length) :]
    return records


def _number(field: bytes) -> int:
    return int.from_bytes(field[1:], "big") if field[0] & 0x80 else int(field.strip(b"\0 ") or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


# -- real directories ------------------------------------------------------------------------------------------------


def look_at(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """Every name below *root* -> its type, and its content, link target, or nothing. Sockets are left out."""
    found: dict[bytes, tuple[str, bytes]] = {}
    top = os.fsencode(root)
    for directory, subdirectories, files in os.walk(top):
        for name in subdirectories + files:
            path = os.path.join(directory, name)  # noqa: PTH118  names of bytes, which a Path does not hold
            mode = os.lstat(path).st_mode
            what = (chr(0), b"")
            if stat.S_ISDIR(mode):
                what = ("directory", b"")
            elif stat.S_ISLNK(mode):
                what = ("symlink", os.readlink(path))  # noqa: PTH115
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    what = ("file", file.read())
            elif stat.S_ISFIFO(mode):
                what = ("fifo", b"")
            else:
                continue
            found[os.path.relpath(path, top)] = what
    return found
