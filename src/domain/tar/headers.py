"""
The headers of a tar, read and written: what a record says of its member, and the same headers for another name.

Pure and per record: no position in an archive, no file. Where readers of tar differ GNU tar is followed, since it is
what restores; see `adapters.tar_walk` for which types have data. Names are told as one name space: without leading
``./``, without the slash that ends a directory's, the root of ``tar -C DIR .`` being empty; absolute ones stay so. What
cannot be read raises, a number that only informs is 0 instead.

Headers are written so that every reader of tar finds the same in them: names longer than their field, or not ASCII,
are in a pax record, those that are not UTF-8 in a GNU long name, because a pax record is UTF-8 to most readers. The
prefix area is empty: GNU tar keeps times there that others take for the beginning of the name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from zlib import adler32

from attrs import define, evolve, field

from ..errors.content import MemberUnreadable
from .members import Listing, Mark, Member, MemberRecord, MemberType, Rename
from .rename_records import RenameRecords
from .two_readings import disputed, is_of_one_member, is_sparse_map_odd

BLOCK_BYTES = 512

_HEADER = Struct("100s8s8s8s12s12s8xc100s8s32s32s8s8s155s")
_NAME, _MODE, _SIZE, _MTIME, _TYPE, _LINK = (0, 100), (100, 108), (124, 136), (136, 148), 156, (157, 257)
_SUM_AT, _SUM_END = 148, 156
_MAGIC_AT = 257
_PREFIX_AT = 345
_TIMES = (345, 369)  # of GNU format's atime and ctime
_NO_TIMES = bytes(_TIMES[1] - _TIMES[0])
_REAL_SIZE = (483, 495)
_NAME_BYTES = 100
_NEWLINE = 10
_PAX_NAME = b"./PaxHeaders/member"
_NO_PREFIX = bytes(BLOCK_BYTES - _PREFIX_AT)

_POSIX = b"ustar\0"
_GLOBAL = 103  # g
_PAX_HEADER = 120  # x
_PAX = frozenset(b"xX")
_LONG_NAME, _LONG_LINK = 76, 75  # L, K
_EXTENSIONS = _PAX | {_GLOBAL, _LONG_NAME, _LONG_LINK}
_TYPES = {
    b"1": MemberType.HARD_LINK,
    b"2": MemberType.SYMLINK,
    b"3": MemberType.CHARACTER_DEVICE,
    b"4": MemberType.BLOCK_DEVICE,
    b"5": MemberType.DIRECTORY,
    b"6": MemberType.FIFO,
    b"D": MemberType.DIRECTORY,
    b"M": MemberType.OTHER,  # the rest of a file from another volume
    b"N": MemberType.OTHER,  # names, in a way GNU tar gave up in 1992
}  # all others become files
_CLEAR = frozenset((b"0", b"5"))  # of which a header alone leaves no doubt
_FILE, _DIRECTORY = b"05"
_DIRECTORIES = b"5D"
_SIMPLE = frozenset(b"023456")
_MAYBE_DIRECTORIES = b"0\x007"  # a name that ends in a slash makes them one
_DEVICES = frozenset((MemberType.CHARACTER_DEVICE, MemberType.BLOCK_DEVICE))

_LARGEST = (1 << 63) - 1
_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?", re.ASCII)
ONLY_TIMES = (
    rb"(?:" + b"|".join(b"%d(?=.{%d}\n)" % (n, n - 3) for n in range(30, 10, -1)) + rb") "
    rb"(?:mtime=([0-9]{1,10}(?:\.[0-9]{1,9})?)|[ac]time=[0-9]{1,10}(?:\.[0-9]{1,9})?)\n"
)
"""
One pax record with a time, the first group being mtime's. GNU tar writes nothing else for nearly every member in posix
format. The lookahead checks the length of the record.
"""
_TIMES_FIRST = re.compile(b"(?:" + ONLY_TIMES + b")*")
_DUMPDIR_RECORD = re.compile(rb"([0-9]{1,9}) GNU\.dumpdir=", re.ASCII)
_TIMES_ALONE = re.compile(b"(?:" + ONLY_TIMES + b")+\\0*")
_SPARSE_NAME = b"GNU.sparse.name"
_DUMPDIR = b"GNU.dumpdir"
_MARKS = {mark.value[0]: mark for mark in Mark}


# -- reading ---------------------------------------------------------------------------------------------------------


def read_member(record: MemberRecord) -> Member:
    """
    The member that *record* is of.

    Raises:
        MemberUnreadable: the headers are not whole, a size is none, or the listing is malformed.
    """
    headers = record.headers
    if len(headers) < BLOCK_BYTES:
        raise MemberUnreadable(record.at, "it has no header")
    if headers[_TYPE] not in _EXTENSIONS:
        return _read(record, 0, _NOTHING, record.at)
    if headers[_TYPE] == _PAX_HEADER:
        end = BLOCK_BYTES + (_size(record.at, headers[124:136]) + 511 & ~511)
        times = _TIMES_ALONE.fullmatch(headers, BLOCK_BYTES, end)
        if times is not None and end + BLOCK_BYTES <= len(headers) and headers[end + _TYPE] not in _EXTENSIONS:
            return _read(record, end, _NOTHING, record.at, times[1])
    return _read_extended(record)


def parse_listing(dumpdir: bytes) -> Listing:
    """
    The listing in the bytes of a dumpdir: records ``letter name NUL``, up to an empty one.

    Of one name the last record counts. Letters that are not known are passed over, as GNU tar does, and so are names
    that nothing in a directory can have, such as ``..`` and ``a/b``. In a rename, the temporary name of the directory
    that ``X`` announces is empty.

    Raises:
        ValueError: the renames are not in pairs, or use a temporary name that nothing announced; GNU tar then carries
            out none of them and removes nothing.
    """
    end = dumpdir.find(b"\0\0")
    if dumpdir[:1] == b"\0":
        return Listing({})
    records = (dumpdir[:end] if end >= 0 else dumpdir.rstrip(b"\0")).split(b"\0")
    try:
        names = {record[1:]: _MARKS[record[0]] for record in records}
    except (KeyError, IndexError):  # an unknown letter, or a rename; nothing at all
        return _with_renames(records)
    return Listing(_possible(names, dumpdir))


def _with_renames(records: list[bytes]) -> Listing:
    names: dict[bytes, Mark] = {}
    renames: list[Rename] = []
    temporaries: list[bytes] = []
    source = b""
    order = RenameRecords()
    for record in records:
        letter, name = record[:1], record[1:]
        order.take(letter, bool(name))
        if letter == b"R":
            source = _renamed(name)
        elif letter == b"T":
            renames.append(Rename(source, _renamed(name)))
        elif letter == b"X":
            temporaries.append(relative(name))
        elif letter and letter[0] in _MARKS:
            names[name] = _MARKS[letter[0]]
    order.end()
    return Listing(_possible(names, b"/"), tuple(renames), tuple(temporaries))


def _possible(names: dict[bytes, Mark], dumpdir: bytes) -> dict[bytes, Mark]:
    """Those of *names*, all in *dumpdir*, that something in a directory can have."""
    if b"/" in dumpdir:
        names = {name: mark for name, mark in names.items() if b"/" not in name}
    for name in (b"", b".", b".."):
        names.pop(name, None)
    return names


def read_to_show(record: MemberRecord) -> Member:
    """
    The member without its listing, which nobody is shown, and which may be long.

    Raises:
        MemberUnreadable: as `read_member`.
    """
    member = read_member(record)
    return evolve(member, listing=None) if member.listing is not None else member


def written_listing(listing: Listing) -> bytes:
    """A dumpdir that `parse_listing` reads as *listing*."""
    records: list[bytes] = []
    for rename in listing.renames:
        # A spelling of the empty name that needs no directory announced: it is the temporary name's.
        records += (b"R" + (rename.old or b"./"), b"T" + (rename.new or b"./"))
    records += (mark.value + name for name, mark in listing.names.items())
    return b"".join(record + b"\0" for record in records) + b"\0"


def _renamed(name: bytes) -> bytes:
    """A name in a rename: that of the root is ``.``, since an empty one is the temporary one's."""
    return name if name == b"." else relative(name)


def relative(name: bytes) -> bytes:
    """*name* of a header or a rename as it is told everywhere: without leading ``./``, without slashes at its end."""
    if name[-1:] == b"/":
        name = name.rstrip(b"/") or b"/"
    if name[:1] == b".":
        while name[:2] == b"./":
            name = name[2:].lstrip(b"/")
        if name == b".":
            return b""
    return name


@define
class _Extensions:
    """What stands in front of a member's own header, and where that is."""

    records: dict[bytes, bytes] = field(factory=dict)
    long_name: bytes | None = None
    long_link: bytes | None = None
    disputed: str = ""


_NOTHING = _Extensions()


def _read_extended(record: MemberRecord) -> Member:
    headers, at = record.headers, record.at
    extensions = _Extensions()
    own, of_all = extensions.records, dict[bytes, bytes]()
    start = position = 0  # where what stands right in front of the member begins
    for type, begin, end, following in _extensions(record):
        position = following
        if type in _PAX:
            own.update(_pax_records(at, headers[begin:end]))
        elif type == _LONG_NAME:
            extensions.long_name = _text(headers[begin:end])
        elif type == _LONG_LINK:
            extensions.long_link = _text(headers[begin:end])
        else:
            of_all.update(_pax_records(at, headers[begin:end]))
            if start == begin - BLOCK_BYTES:
                start = following
    if of_all:
        if any(map(is_of_one_member, of_all)):
            extensions.disputed = "is told by a global header what can be true of one member only"
        of_all.pop(_DUMPDIR, None)
        extensions.records = of_all | own
    return _read(record, position, extensions, at - start)


def _extensions(record: MemberRecord) -> list[tuple[int, int, int, int]]:
    """Each extension header: its type, where its data begins and ends, and where the next header is."""
    headers = record.headers
    position, stop = 0, len(headers)
    found: list[tuple[int, int, int, int]] = []
    while position + BLOCK_BYTES <= stop:
        type = headers[position + _TYPE]
        if type not in _EXTENSIONS:
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

    *mtime* is that of a pax header, given where this is all that *extensions* would say.
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
    ) = _HEADER.unpack_from(headers, position)
    name = name.partition(b"\0")[0]
    if prefix[0] and magic[:6] == _POSIX:
        name = prefix.partition(b"\0")[0] + b"/" + name
    link = link.partition(b"\0")[0]
    has_owners = magic[:5] == b"ustar"
    uname = uname.partition(b"\0")[0] if has_owners else b""
    gname = gname.partition(b"\0")[0] if has_owners else b""
    uid, gid = _usual_number(uid_field), _usual_number(gid_field)
    if mtime is None:
        mtime_ns = _number(mtime_field) * 1_000_000_000
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
            name = _text(records.get(_SPARSE_NAME) or records.get(b"path") or name)
            link = _text(records.get(b"linkpath") or link)
            uname = _text(records.get(b"uname", uname))
            gname = _text(records.get(b"gname", gname))
            uid = _pax_number(records.get(b"uid"), uid)
            gid = _pax_number(records.get(b"gid"), gid)
            mtime_ns = _pax_time(records.get(b"mtime"), mtime_ns)
            dumpdir = records.get(_DUMPDIR)
            if dumpdir is not None and letter == b"5":
                listing = _listing(at, dumpdir)
    if type is MemberType.FILE and letter in _MAYBE_DIRECTORIES and name[-1:] == b"/":
        type = MemberType.DIRECTORY
    end = position + BLOCK_BYTES
    stored = size = 0
    if type is MemberType.FILE:
        stored = size = _size(at, size_field) if pax_size is None else _decimal(at, pax_size)
        if letter == b"S":
            real_size = _size(at, headers[position + _REAL_SIZE[0] : position + _REAL_SIZE[1]])
            end = len(headers)
        if real_size is not None:
            size = real_size
    elif letter == b"D":
        length = _size(at, size_field) if pax_size is None else _decimal(at, pax_size)
        listing = _listing(at, headers[end : end + length])
        end = len(headers)
    dispute = ""
    if extensions is not _NOTHING or letter not in _CLEAR or (type is MemberType.DIRECTORY and letter != b"5"):
        follow = _number(size_field) if pax_size is None else _decimal(at, pax_size)
        dispute = extensions.disputed or disputed(
            headers[position:], follow, extensions.records, is_directory=type is MemberType.DIRECTORY
        )
        if letter == b"S" and not dispute and is_sparse_map_odd(headers[position:], follow, _number):
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
        (_number(major), _number(minor)) if type in _DEVICES else None,
        at,
        base + end,
        stored,
        real_size is not None and type is MemberType.FILE,
        listing,
        dispute,
    )


def _listing(at: int, dumpdir: bytes) -> Listing:
    try:
        return parse_listing(dumpdir)
    except ValueError as error:
        raise MemberUnreadable(at, f"its listing has {error}") from error


def _text(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _number(text: bytes) -> int:
    """A number of a header: octal, or base 256 where the first bit says so; 0 where it cannot be read."""
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


_usual_number = lru_cache(1024)(_number)  # of modes and owners, of which there are few


def _size(at: int, text: bytes) -> int:
    size = _number(text)
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


def _pax_records(at: int, data: bytes) -> list[tuple[bytes, bytes]]:
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
        if equals < 0 or end > stop or data[end - 1] != _NEWLINE:
            raise MemberUnreadable(at, "a pax record is malformed")
        keyword = data[space + 1 : equals].lstrip(b" \t")  # GNU tar passes over more than one blank
        if b"\0" in keyword:
            raise MemberUnreadable(at, "a pax record is malformed")
        found.append((keyword, data[equals + 1 : end - 1]))
        position = end
    return found


# -- writing ---------------------------------------------------------------------------------------------------------


def data_of(record: MemberRecord) -> tuple[int, int]:
    """
    Where the data of a member begins in the tar, and how many bytes it has there, without padding.

    Raises:
        MemberUnreadable: as `read_member`.
    """
    member = read_member(record)
    return member.data_at, member.stored_bytes


def with_path(record: MemberRecord, path: bytes, link: bytes | None = None) -> bytes:
    """
    The headers of *record* for an ordinary tar, under another name, and with another link target unless that is None.

    Everything else of the member is kept: owners, times, attributes, the map of a sparse file; but not a listing, nor
    a size of what has no data. A file's data follows as it was stored.
    """
    simple = _renamed_in_place(record.headers, path) if link is None else None
    if simple is not None:
        return simple
    headers = _Headers.of(record)
    headers.rename(path, headers.link if link is None else link)
    return headers.written()


def as_directory(record: MemberRecord, path: bytes) -> bytes:
    """The headers of a directory, whatever it was that was recorded, with owners and attributes of *record*."""
    simple = _directory_in_place(record.headers, path)
    if simple is not None:
        return simple
    headers = _Headers.of(record)
    headers.become(b"5")
    headers.rename(path, b"")
    return headers.written()


def with_mode(headers: bytes, bits: int) -> bytes:
    """What `as_directory` gave, with *bits* in the mode, too."""
    block = bytearray(headers[-BLOCK_BYTES:])
    mode = _number(bytes(block[slice(*_MODE)])) & 0o7777
    if mode & bits == bits:
        return headers
    block[slice(*_MODE)] = b"%07o\0" % (mode | bits)
    return headers[:-BLOCK_BYTES] + _summed(block)


def drop_times(headers: bytearray, at: int) -> None:
    """
    Clear the times that GNU format keeps where others look for the beginning of a name, in a member's own header.

    It begins at *at* of *headers*, and its sum is that of unsigned bytes, in six digits.
    """
    begin, end = at + _TIMES[0], at + _TIMES[1]
    total = int(headers[at + _SUM_AT : at + _SUM_AT + 6], 8) - sum(headers[begin:end])
    headers[begin:end] = _NO_TIMES
    headers[at + _SUM_AT : at + _SUM_AT + 6] = b"%06o" % total


def as_hard_link(record: MemberRecord, path: bytes, target: bytes) -> bytes:
    """The headers of a hard link to the member *target*, with owners, mode and times of *record*."""
    headers = _Headers.of(record)
    headers.become(b"1")
    headers.rename(path, target)
    return headers.written()


def _renamed_in_place(headers: bytes, path: bytes) -> bytes | None:
    """
    *headers* with another name in the name's field, at a tenth of the price of taking them apart; None where that
    would not do.
    """
    if len(headers) < BLOCK_BYTES:
        return None
    position = 0
    if headers[_TYPE] in _PAX:
        position = BLOCK_BYTES + (_number(headers[slice(*_SIZE)]) + 511 & ~511)
        # Also in values: then it is taken apart for nothing.
        if b"path=" in (pax := headers[BLOCK_BYTES:position]) or b"GNU." in pax or b"size=" in pax:
            return None
    if len(headers) != position + BLOCK_BYTES or not path.isascii():
        return None
    letter = headers[position + _TYPE]
    if letter == _DIRECTORY:
        path = (path or b".") + b"/"
    old_name = _text(headers[position : position + _NAME_BYTES])
    is_empty = headers[position + _SIZE[0] : position + _SIZE[1] - 1] == b"00000000000"
    if len(path) > _NAME_BYTES or letter not in _SIMPLE or (old_name[-1:] or b"/") == b"/" != path[-1:]:
        return None
    if not is_empty and letter != _FILE:
        return None
    block = bytearray(headers[position:])
    block[:_NAME_BYTES] = path.ljust(_NAME_BYTES, b"\0")
    block[_PREFIX_AT:] = _NO_PREFIX
    return headers[:position] + _summed(block)


def _directory_in_place(headers: bytes, path: bytes) -> bytes | None:
    """
    The headers of a directory that has nothing but times and a listing beside its own header, with another name and
    without the listing; None of any other, and where the name does not fit.
    """
    length, path = len(headers), (path or b".") + b"/"
    if length < BLOCK_BYTES or len(path) > _NAME_BYTES or not path.isascii() or path[:1] == b"/":
        return None
    position, pax = 0, b""
    if headers[_TYPE] == _PAX_HEADER:
        end = BLOCK_BYTES + _number(headers[slice(*_SIZE)])
        position = end + 511 & ~511
        if not BLOCK_BYTES <= end <= length - BLOCK_BYTES:
            return None
        times = _TIMES_FIRST.match(headers, BLOCK_BYTES, end)
        stop = times.end() if times is not None else end
        listing = _DUMPDIR_RECORD.match(headers, stop, end)
        if stop + (int(listing[1]) if listing is not None else 0) != end:
            return None
        if stop > BLOCK_BYTES:
            pax = _extension(b"x", _PAX_NAME, headers[BLOCK_BYTES:stop])
    letter = headers[position + _TYPE] if position + BLOCK_BYTES <= length else _FILE
    if letter != _DIRECTORY if position else letter not in _DIRECTORIES:
        return None
    if letter == _DIRECTORY and length != position + BLOCK_BYTES:
        return None
    block = bytearray(headers[position : position + BLOCK_BYTES])
    block[:_NAME_BYTES] = path.ljust(_NAME_BYTES, b"\0")
    block[slice(*_SIZE)] = b"%011o\0" % 0
    block[_TYPE] = _DIRECTORY
    block[_LINK[0] : _LINK[1]] = bytes(_NAME_BYTES)
    block[_PREFIX_AT:] = _NO_PREFIX
    return pax + _summed(block)


@define
class _Headers:
    """The headers of one member, taken apart: pax records, the names, the member's own block, and its sparse map."""

    records: list[tuple[bytes, bytes]]  # a keyword may come again: the oldest maps of sparse files are written so
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
        for type, begin, end, following in _extensions(record):
            position = following
            if type in _PAX:
                own += _pax_records(record.at, headers[begin:end])
            elif type == _GLOBAL:
                of_all.update(_pax_records(record.at, headers[begin:end]))
        keywords = {keyword for keyword, _ in own}
        records = [pair for pair in of_all.items() if pair[0] not in keywords] + own
        block = bytearray(headers[position : position + BLOCK_BYTES])
        sparse_map = b""
        if block[_TYPE : _TYPE + 1] == b"S":
            sparse_map = headers[position + BLOCK_BYTES :]
            block[slice(*_TIMES)] = _NO_TIMES
        else:
            block[_PREFIX_AT:] = _NO_PREFIX
        taken = cls(records, block, sparse_map, member.link, member.type is MemberType.DIRECTORY)
        taken.drop(b"path", b"linkpath", _DUMPDIR)
        if taken.is_directory:
            taken.become(b"5")
        elif member.type is not MemberType.FILE:
            taken.drop_data()
        return taken

    def become(self, letter: bytes) -> None:
        """Be of another type, which has no data."""
        self.block[_TYPE : _TYPE + 1] = letter
        self.block[_PREFIX_AT:] = _NO_PREFIX
        self.sparse_map = b""
        self.is_directory = letter == b"5"
        self.drop_data()

    def drop_data(self) -> None:
        self.block[slice(*_SIZE)] = b"%011o\0" % 0
        self.records = [pair for pair in self.records if pair[0] != b"size" and not pair[0].startswith(b"GNU.sparse.")]

    def drop(self, *keywords: bytes) -> None:
        self.records = [pair for pair in self.records if pair[0] not in keywords]

    def rename(self, path: bytes, link: bytes) -> None:
        name = (path or b".") + b"/" if self.is_directory and path != b"/" else path
        if any(keyword == _SPARSE_NAME for keyword, _ in self.records):
            # The name of the header is one that nothing else has, for readers that would take the map for data. It
            # comes first: to Python the last of the two counts.
            self.drop(_SPARSE_NAME)
            folder, slash, last = name.rpartition(b"/")
            self.long_name = self._place((folder if slash else b".") + b"/GNUSparseFile.0/" + last, _NAME, b"path")
            self.records.append((_SPARSE_NAME, name))
        else:
            self.long_name = self._place(name, _NAME, b"path")
        self.long_link = self._place(link, _LINK, b"linkpath")

    def _place(self, name: bytes, place: tuple[int, int], keyword: bytes) -> bytes | None:
        """Put *name* into its field and, where that is not enough, into a record; or return it for a long name."""
        self.block[slice(*place)] = name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
        if len(name) <= _NAME_BYTES and name.isascii():
            return None
        try:
            name.decode()
        except UnicodeDecodeError:
            return name if len(name) > _NAME_BYTES else None
        self.records.append((keyword, name))
        return None

    def written(self) -> bytes:
        parts = []
        if self.records:
            data = b"".join(_pax_record(keyword, value) for keyword, value in self.records)
            parts.append(_extension(b"x", _PAX_NAME, data))
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
    block[slice(*_SIZE)] = b"%011o\0" % size
    block[slice(*_MTIME)] = b"%011o\0" % 0
    block[_TYPE : _TYPE + 1] = letter
    block[_MAGIC_AT : _MAGIC_AT + 8] = b"ustar\00000" if letter == b"x" else b"ustar  \0"
    return _summed(block)


def _summed(block: bytearray) -> bytes:
    block[_SUM_AT:_SUM_END] = b" " * 8
    # Adler-32 of 256 bytes has 1 + their sum in its lower half, at a tenth of the price of sum().
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    block[_SUM_AT:_SUM_END] = b"%06o\0 " % total
    return bytes(block)
