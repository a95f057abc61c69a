"""
A member, read from the headers recorded of it.

Pure and per record: no position in an archive, no file. Where readers of tar differ, this follows GNU tar, since GNU
tar restores; `adapters.targz.tar_walk` says which types have data. Names share one spelling: no leading ``./``, no
slash at the end of a directory's name, and the root of ``tar -C DIR .`` is empty; absolute names stay absolute. What
cannot be read raises, except that a number that only informs becomes 0.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import define, evolve, field

from ..errors.content import MemberUnreadable
from .dumpdirs import Dumpdir, parse_dumpdir
from .layout import (
    BLOCK_BYTES,
    DUMPDIR,
    EXTENSIONS,
    HEADER,
    LONG_LINK,
    LONG_NAME,
    MAYBE_DIRECTORIES,
    NEWLINE,
    PAX,
    PAX_HEADER,
    POSIX,
    REAL_SIZE,
    SPARSE_NAME,
    TIMES_ALONE,
    TYPE,
)
from .members import Member, MemberRecord, MemberType
from .paths import relative
from .two_readings import disputed, is_of_one_member, is_sparse_map_odd

_TYPES = {
    b"1": MemberType.HARD_LINK,
    b"2": MemberType.SYMLINK,
    b"3": MemberType.CHARACTER_DEVICE,
    b"4": MemberType.BLOCK_DEVICE,
    b"5": MemberType.DIRECTORY,
    b"6": MemberType.FIFO,
    b"D": MemberType.DIRECTORY,
    b"M": MemberType.OTHER,  # the rest of a file from another volume
    b"N": MemberType.OTHER,  # long names in the format that GNU tar gave up in 1992
}  # all others become files
_CLEAR = frozenset((b"0", b"5"))  # types that need no look at anything but the header
_DEVICES = frozenset((MemberType.CHARACTER_DEVICE, MemberType.BLOCK_DEVICE))

_LARGEST = (1 << 63) - 1
_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?", re.ASCII)


# -- reading ---------------------------------------------------------------------------------------------------------


def read_member(record: MemberRecord) -> Member:
    """
    The member that *record* describes.

    Raises:
        MemberUnreadable: the headers are incomplete, a size is not a number, or the listing is malformed.
    """
    headers = record.headers
    if len(headers) < BLOCK_BYTES:
        raise MemberUnreadable(record.at, "it has no header")
    if headers[TYPE] not in EXTENSIONS:
        return _read(record, 0, _NOTHING, record.at)
    if headers[TYPE] == PAX_HEADER:
        end = BLOCK_BYTES + (_size(record.at, headers[124:136]) + 511 & ~511)
        times = TIMES_ALONE.fullmatch(headers, BLOCK_BYTES, end)
        if times is not None and end + BLOCK_BYTES <= len(headers) and headers[end + TYPE] not in EXTENSIONS:
            return _read(record, end, _NOTHING, record.at, times[1])
    return _read_extended(record)


def read_to_show(record: MemberRecord) -> Member:
    """
    The member without its listing, which may be long and is never shown.

    Raises:
        MemberUnreadable: as `read_member`.
    """
    member = read_member(record)
    return evolve(member, listing=None) if member.listing is not None else member


@define
class _Extensions:
    """The extensions in front of a member's own header, by what they hold."""

    records: dict[bytes, bytes] = field(factory=dict)
    long_name: bytes | None = None
    long_link: bytes | None = None
    disputed: str = ""


_NOTHING = _Extensions()


def _read_extended(record: MemberRecord) -> Member:
    headers, at = record.headers, record.at
    extensions = _Extensions()
    own, of_all = extensions.records, dict[bytes, bytes]()
    start = position = 0  # where the headers begin that stand directly in front of the member
    for type, begin, end, following in extension_headers(record):
        position = following
        if type in PAX:
            own.update(read_pax_records(at, headers[begin:end]))
        elif type == LONG_NAME:
            extensions.long_name = read_text(headers[begin:end])
        elif type == LONG_LINK:
            extensions.long_link = read_text(headers[begin:end])
        else:
            of_all.update(read_pax_records(at, headers[begin:end]))
            if start == begin - BLOCK_BYTES:
                start = following
    if of_all:
        if any(map(is_of_one_member, of_all)):
            extensions.disputed = "takes from a global header what can be true of one member only"
        of_all.pop(DUMPDIR, None)
        extensions.records = of_all | own
    return _read(record, position, extensions, at - start)


def extension_headers(record: MemberRecord) -> list[tuple[int, int, int, int]]:
    """Each extension header: its type, where its data begins and ends, and where the next header begins."""
    headers = record.headers
    position, stop = 0, len(headers)
    found: list[tuple[int, int, int, int]] = []
    while position + BLOCK_BYTES <= stop:
        type = headers[position + TYPE]
        if type not in EXTENSIONS:
            return found
        size = _size(record.at, headers[position + 124 : position + 136])
        begin = position + BLOCK_BYTES
        position = begin + (size + 511 & ~511)
        found.append((type, begin, begin + size, position))
    raise MemberUnreadable(record.at, "its headers are cut")


def _read(
    record: MemberRecord, position: int, extensions: _Extensions, base: int, mtime: bytes | None = None
) -> Member:
    """
    Read the member's own header, at *position* of the record, whose first byte is at *base* in the tar.

    *mtime* comes from a pax header, and is given where *extensions* would hold nothing else.
    """
    headers = record.headers
    at = record.at
    (
        name,
        mode,
        uid_field,
        gid_field,
        size_field,
        mtime_field,
        letter,
        link,
        magic,
        uname,
        gname,
        major,
        minor,
        prefix,
    ) = HEADER.unpack_from(headers, position)
    name = name.partition(b"\0")[0]
    if prefix[0] and magic[:6] == POSIX:
        name = prefix.partition(b"\0")[0] + b"/" + name
    link = link.partition(b"\0")[0]
    has_owners = magic[:5] == b"ustar"
    uname = uname.partition(b"\0")[0] if has_owners else b""
    gname = gname.partition(b"\0")[0] if has_owners else b""
    uid, gid = _usual_number(uid_field), _usual_number(gid_field)
    if mtime is None:
        mtime_ns = read_number(mtime_field) * 1_000_000_000
    else:
        seconds, _, fraction = mtime.partition(b".")
        mtime_ns = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, b"0"))
    listing = None
    type = _TYPES.get(letter, MemberType.FILE)
    real_size: int | None = None
    pax_size: bytes | None = None
    if extensions is not _NOTHING:
        if extensions.long_name is not None:
            name = extensions.long_name
        if extensions.long_link is not None:
            link = extensions.long_link
        records = extensions.records
        if records:
            pax_size = records.get(b"size")
            real_text = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
            if real_text is not None:
                real_size = _decimal(at, real_text)
            name = read_text(records.get(SPARSE_NAME) or records.get(b"path") or name)
            link = read_text(records.get(b"linkpath") or link)
            uname = read_text(records.get(b"uname", uname))
            gname = read_text(records.get(b"gname", gname))
            uid = _pax_number(records.get(b"uid"), uid)
            gid = _pax_number(records.get(b"gid"), gid)
            mtime_ns = _pax_time(records.get(b"mtime"), mtime_ns)
            dumpdir = records.get(DUMPDIR)
            if dumpdir is not None and letter == b"5":
                listing = _listing(at, dumpdir)
    if type is MemberType.FILE and letter in MAYBE_DIRECTORIES and name[-1:] == b"/":
        type = MemberType.DIRECTORY
    end = position + BLOCK_BYTES
    stored = size = 0
    if type is MemberType.FILE:
        stored = size = _size(at, size_field) if pax_size is None else _decimal(at, pax_size)
        if letter == b"S":
            real_size = _size(at, headers[position + REAL_SIZE[0] : position + REAL_SIZE[1]])
            end = len(headers)
        if real_size is not None:
            size = real_size
    elif letter == b"D":
        length = _size(at, size_field) if pax_size is None else _decimal(at, pax_size)
        listing = _listing(at, headers[end : end + length])
        end = len(headers)
    dispute = ""
    if extensions is not _NOTHING or letter not in _CLEAR or (type is MemberType.DIRECTORY and letter != b"5"):
        follow = read_number(size_field) if pax_size is None else _decimal(at, pax_size)
        dispute = extensions.disputed or disputed(
            headers[position:], follow, extensions.records, is_directory=type is MemberType.DIRECTORY
        )
        if letter == b"S" and not dispute and is_sparse_map_odd(headers[position:], follow, read_number):
            dispute = "has a map of a sparse file that does not go with its size"
    return Member(
        relative(name),
        type,
        _usual_number(mode) & 0o7777,
        uid,
        gid,
        uname,
        gname,
        size,
        mtime_ns,
        relative(link) if type is MemberType.HARD_LINK else link,
        (read_number(major), read_number(minor)) if type in _DEVICES else None,
        at,
        base + end,
        stored,
        real_size is not None and type is MemberType.FILE,
        listing,
        dispute,
    )


def _listing(at: int, dumpdir: bytes) -> Dumpdir:
    try:
        return parse_dumpdir(dumpdir)
    except ValueError as error:
        raise MemberUnreadable(at, f"its listing has {error}") from error


def read_text(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def read_number(text: bytes) -> int:
    """A number of a header: octal, or base 256 if the first bit is set; 0 if it cannot be read."""
    digits = text.strip(b"\0 ")
    if digits.isdigit():
        try:
            return int(digits, 8)
        except ValueError:
            return 0
    if text[0] & 0x80:
        bits = 8 * len(text) - 1
        value = int.from_bytes(text, "big") & (1 << bits) - 1
        return value - (1 << bits) if value >> bits - 1 else value
    digits = digits.partition(b"\0")[0].partition(b" ")[0]
    return int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else 0


_usual_number = lru_cache(1024)(read_number)  # for modes and owners, which take few values


def _size(at: int, text: bytes) -> int:
    size = read_number(text)
    if not 0 <= size <= _LARGEST:
        raise MemberUnreadable(at, "it has an impossible size")
    return size


def _decimal(at: int, text: bytes) -> int:
    if not text.isdigit() or len(text) > 20 or int(text) > _LARGEST:
        raise MemberUnreadable(at, "it has an impossible size")
    return int(text)


def _pax_number(text: bytes | None, otherwise: int) -> int:
    if text is None or len(text) > 20 or not text.removeprefix(b"-").isdigit():
        return otherwise
    return int(text)


def _pax_time(text: bytes | None, otherwise: int) -> int:
    match = _TIME.fullmatch(text) if text is not None else None
    if match is None:
        return otherwise
    ns = int(match[2]) * 1_000_000_000 + int((match[3] or b"")[:9].ljust(9, b"0"))
    return -ns if match[1] else ns


def read_pax_records(at: int, data: bytes) -> list[tuple[bytes, bytes]]:
    """The keywords and values of a pax header, up to a NUL where a record would begin."""
    position, stop = 0, len(data)
    found = []
    while position < stop and data[position]:
        space = data.find(b" ", position, position + 21)
        digits = data[position:space]
        if space < 0 or not digits.isdigit():
            raise MemberUnreadable(at, "a pax record has no length")
        end = position + int(digits)
        equals = data.find(b"=", space, end)
        if equals < 0 or end > stop or data[end - 1] != NEWLINE:
            raise MemberUnreadable(at, "a pax record is malformed")
        keyword = data[space + 1 : equals].lstrip(b" \t")  # GNU tar passes over more than one blank
        if b"\0" in keyword:
            raise MemberUnreadable(at, "a pax record is malformed")
        found.append((keyword, data[equals + 1 : end - 1]))
        position = end
    return found
