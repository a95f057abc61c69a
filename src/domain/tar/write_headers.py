"""
The headers of a member rewritten for another name, mode or kind, without touching its data.

All readers of tar find the same in them. A name that is longer than its field, or not ASCII, goes into a pax record; a
name that is not UTF-8 goes into a GNU long name, because most readers take a pax record for UTF-8. The prefix area is
empty: GNU tar keeps times there, which other readers take for the beginning of the name.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import adler32

from attrs import define

from .layout import (
    BLOCK_BYTES,
    DIRECTORIES,
    DIRECTORY,
    DUMPDIR,
    DUMPDIR_RECORD,
    FILE,
    GLOBAL,
    LINK,
    MAGIC_AT,
    MODE,
    MTIME,
    NAME,
    NAME_FIELD_BYTES,
    NO_PREFIX,
    NO_TIMES,
    PAX,
    PAX_HEADER,
    PAX_NAME,
    PREFIX_AT,
    SIMPLE,
    SIZE,
    SPARSE_NAME,
    SUM_AT,
    SUM_END,
    TIMES,
    TIMES_FIRST,
    TYPE,
)
from .members import MemberRecord, MemberType
from .read_headers import extension_headers, read_member, read_number, read_pax_records, read_text


def data_of(record: MemberRecord) -> tuple[int, int]:
    """
    Where the data of a member begins in the tar, and how many bytes the tar holds of it, without padding.

    Raises:
        MemberUnreadable: as `read_member`.
    """
    member = read_member(record)
    return member.data_at, member.stored_bytes


def with_path(record: MemberRecord, path: bytes, link: bytes | None = None) -> bytes:
    """
    The headers of *record* for an ordinary tar, under another name, and with another link target if *link* is given.

    Everything else is kept: owners, times, attributes, the map of a sparse file; but not a listing, nor the size of a
    member without data. A file's data follows as it was stored.
    """
    simple = _renamed_in_place(record.headers, path) if link is None else None
    if simple is not None:
        return simple
    headers = _Headers.of(record)
    headers.rename(path, headers.link if link is None else link)
    return headers.written()


def as_directory(record: MemberRecord, path: bytes) -> bytes:
    """The headers of a directory with the owners and attributes of *record*, whatever kind of member that is."""
    simple = _directory_in_place(record.headers, path)
    if simple is not None:
        return simple
    headers = _Headers.of(record)
    headers.become(b"5")
    headers.rename(path, b"")
    return headers.written()


def with_mode(headers: bytes, bits: int) -> bytes:
    """The headers from `as_directory`, with *bits* added to the mode."""
    block = bytearray(headers[-BLOCK_BYTES:])
    mode = read_number(bytes(block[slice(*MODE)])) & 0o7777
    if mode & bits == bits:
        return headers
    block[slice(*MODE)] = b"%07o\0" % (mode | bits)
    return headers[:-BLOCK_BYTES] + _summed(block)


def drop_times(headers: bytearray, at: int) -> None:
    """
    Clear the times in a member's own header that GNU format keeps where other readers expect the beginning of a name.

    The header begins at *at* of *headers*, and its checksum is that of unsigned bytes, in six digits.
    """
    begin, end = at + TIMES[0], at + TIMES[1]
    total = int(headers[at + SUM_AT : at + SUM_AT + 6], 8) - sum(headers[begin:end])
    headers[begin:end] = NO_TIMES
    headers[at + SUM_AT : at + SUM_AT + 6] = b"%06o" % total


def as_hard_link(record: MemberRecord, path: bytes, target: bytes) -> bytes:
    """The headers of a hard link to the member *target*, with owners, mode and times of *record*."""
    headers = _Headers.of(record)
    headers.become(b"1")
    headers.rename(path, target)
    return headers.written()


def _renamed_in_place(headers: bytes, path: bytes) -> bytes | None:
    """
    *headers* with another name in the name's field, at a tenth of the cost of parsing them; None where the name does
    not fit or the headers need parsing.
    """
    if len(headers) < BLOCK_BYTES:
        return None
    position = 0
    if headers[TYPE] in PAX:
        position = BLOCK_BYTES + (read_number(headers[slice(*SIZE)]) + 511 & ~511)
        # Values may contain it too: then the headers are parsed for nothing.
        if b"path=" in (pax := headers[BLOCK_BYTES:position]) or b"GNU." in pax or b"size=" in pax:
            return None
    if len(headers) != position + BLOCK_BYTES or not path.isascii():
        return None
    letter = headers[position + TYPE]
    if letter == DIRECTORY:
        path = (path or b".") + b"/"
    old_name = read_text(headers[position : position + NAME_FIELD_BYTES])
    is_empty = headers[position + SIZE[0] : position + SIZE[1] - 1] == b"00000000000"
    if len(path) > NAME_FIELD_BYTES or letter not in SIMPLE or (old_name[-1:] or b"/") == b"/" != path[-1:]:
        return None
    if not is_empty and letter != FILE:
        return None
    block = bytearray(headers[position:])
    block[:NAME_FIELD_BYTES] = path.ljust(NAME_FIELD_BYTES, b"\0")
    block[PREFIX_AT:] = NO_PREFIX
    return headers[:position] + _summed(block)


def _directory_in_place(headers: bytes, path: bytes) -> bytes | None:
    """
    The headers of a directory that has only times and a listing beside its own header, with another name and without
    the listing; None for any other member, and where the name does not fit.
    """
    length, path = len(headers), (path or b".") + b"/"
    if length < BLOCK_BYTES or len(path) > NAME_FIELD_BYTES or not path.isascii() or path[:1] == b"/":
        return None
    position, pax = 0, b""
    if headers[TYPE] == PAX_HEADER:
        end = BLOCK_BYTES + read_number(headers[slice(*SIZE)])
        position = end + 511 & ~511
        if not BLOCK_BYTES <= end <= length - BLOCK_BYTES:
            return None
        times = TIMES_FIRST.match(headers, BLOCK_BYTES, end)
        stop = times.end() if times is not None else end
        listing = DUMPDIR_RECORD.match(headers, stop, end)
        if stop + (int(listing[1]) if listing is not None else 0) != end:
            return None
        if stop > BLOCK_BYTES:
            pax = _extension(b"x", PAX_NAME, headers[BLOCK_BYTES:stop])
    letter = headers[position + TYPE] if position + BLOCK_BYTES <= length else FILE
    if letter != DIRECTORY if position else letter not in DIRECTORIES:
        return None
    if letter == DIRECTORY and length != position + BLOCK_BYTES:
        return None
    block = bytearray(headers[position : position + BLOCK_BYTES])
    block[:NAME_FIELD_BYTES] = path.ljust(NAME_FIELD_BYTES, b"\0")
    block[slice(*SIZE)] = b"%011o\0" % 0
    block[TYPE] = DIRECTORY
    block[LINK[0] : LINK[1]] = bytes(NAME_FIELD_BYTES)
    block[PREFIX_AT:] = NO_PREFIX
    return pax + _summed(block)


@define
class _Headers:
    """The headers of one member, parsed: pax records, the names, the member's own block, and its sparse map."""

    records: list[tuple[bytes, bytes]]  # a keyword may repeat: the oldest maps of sparse files do
    block: bytearray
    sparse_map: bytes
    link: bytes
    is_directory: bool
    long_name: bytes | None = None
    long_link: bytes | None = None

    @classmethod
    def of(cls, record: MemberRecord) -> _Headers:
        member = read_member(record)
        headers = record.headers
        own: list[tuple[bytes, bytes]] = []
        of_all: dict[bytes, bytes] = {}
        position = 0
        for type, begin, end, following in extension_headers(record):
            position = following
            if type in PAX:
                own += read_pax_records(record.at, headers[begin:end])
            elif type == GLOBAL:
                of_all.update(read_pax_records(record.at, headers[begin:end]))
        keywords = {keyword for keyword, _ in own}
        records = [pair for pair in of_all.items() if pair[0] not in keywords] + own
        block = bytearray(headers[position : position + BLOCK_BYTES])
        sparse_map = b""
        if block[TYPE : TYPE + 1] == b"S":
            sparse_map = headers[position + BLOCK_BYTES :]
            block[slice(*TIMES)] = NO_TIMES
        else:
            block[PREFIX_AT:] = NO_PREFIX
        taken = cls(records, block, sparse_map, member.link, member.type is MemberType.DIRECTORY)
        taken.drop(b"path", b"linkpath", DUMPDIR)
        if taken.is_directory:
            taken.become(b"5")
        elif member.type is not MemberType.FILE:
            taken.drop_data()
        return taken

    def become(self, letter: bytes) -> None:
        """Change to another type, which has no data."""
        self.block[TYPE : TYPE + 1] = letter
        self.block[PREFIX_AT:] = NO_PREFIX
        self.sparse_map = b""
        self.is_directory = letter == b"5"
        self.drop_data()

    def drop_data(self) -> None:
        self.block[slice(*SIZE)] = b"%011o\0" % 0
        self.records = [pair for pair in self.records if pair[0] != b"size" and not pair[0].startswith(b"GNU.sparse.")]

    def drop(self, *keywords: bytes) -> None:
        self.records = [pair for pair in self.records if pair[0] not in keywords]

    def rename(self, path: bytes, link: bytes) -> None:
        name = (path or b".") + b"/" if self.is_directory and path != b"/" else path
        if any(keyword == SPARSE_NAME for keyword, _ in self.records):
            # The header gets a name that nothing else has, for readers that would take the map for data. It comes
            # first: Python uses the last of the two.
            self.drop(SPARSE_NAME)
            folder, slash, last = name.rpartition(b"/")
            self.long_name = self._place((folder if slash else b".") + b"/GNUSparseFile.0/" + last, NAME, b"path")
            self.records.append((SPARSE_NAME, name))
        else:
            self.long_name = self._place(name, NAME, b"path")
        self.long_link = self._place(link, LINK, b"linkpath")

    def _place(self, name: bytes, place: tuple[int, int], keyword: bytes) -> bytes | None:
        """Put *name* into its field and, if it does not fit there, into a record; or return it for a long name."""
        self.block[slice(*place)] = name[:NAME_FIELD_BYTES].ljust(NAME_FIELD_BYTES, b"\0")
        if len(name) <= NAME_FIELD_BYTES and name.isascii():
            return None
        try:
            name.decode()
        except UnicodeDecodeError:
            return name if len(name) > NAME_FIELD_BYTES else None
        self.records.append((keyword, name))
        return None

    def written(self) -> bytes:
        parts = []
        if self.records:
            data = b"".join(_pax_record(keyword, value) for keyword, value in self.records)
            parts.append(_extension(b"x", PAX_NAME, data))
        if self.long_link is not None:
            parts.append(_extension(b"K", b"././@LongLink", self.long_link + b"\0"))
        if self.long_name is not None:
            parts.append(_extension(b"L", b"././@LongLink", self.long_name + b"\0"))
        parts += [_summed(self.block), self.sparse_map]
        return b"".join(parts)


def _pax_record(keyword: bytes, value: bytes) -> bytes:
    length = content = len(keyword) + len(value) + 3
    while len(b"%d" % length) + content != length:
        length = len(b"%d" % length) + content
    return b"%d %s=%s\n" % (length, keyword, value)


def _extension(letter: bytes, name: bytes, data: bytes) -> bytes:
    return _extension_header(letter, name, len(data)) + data + bytes(-len(data) % BLOCK_BYTES)


@lru_cache(1000)
def _extension_header(letter: bytes, name: bytes, size: int) -> bytes:
    block = bytearray(BLOCK_BYTES)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[slice(*SIZE)] = b"%011o\0" % size
    block[slice(*MTIME)] = b"%011o\0" % 0
    block[TYPE : TYPE + 1] = letter
    block[MAGIC_AT : MAGIC_AT + 8] = b"ustar\00000" if letter == b"x" else b"ustar  \0"
    return _summed(block)


def _summed(block: bytearray) -> bytes:
    block[SUM_AT:SUM_END] = b" " * 8
    # Adler-32 of 256 bytes has 1 + their sum in its lower half, at a tenth of the cost of sum().
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    block[SUM_AT:SUM_END] = b"%06o\0 " % total
    return bytes(block)
