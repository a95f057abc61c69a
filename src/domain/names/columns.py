"""
The names of an archive in columns: the parts of its members that merging trees needs, and nothing else.

Most directories of an incremental archive have the same listing as in the archive before. Columns can be compared
without an object for each name, and a listing stays as tar wrote it until its content is needed. The rule: headers out
of the ordinary are read by `read_member`, so both ways give the same names.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice

from attrs import frozen

from ..errors.content import MemberUnreadable
from ..tar.dumpdirs import Dumpdir, parse_dumpdir, written_dumpdir
from ..tar.layout import BLOCK_BYTES, ONLY_TIMES
from ..tar.members import MemberRecord, MemberType
from ..tar.paths import canonical, is_target, relative
from ..tar.read_headers import read_member

TABLE_MEMBERS = 4096
"""The most members that `tables` puts into one table."""

DIRECTORY, HARD_LINK, OTHER, UNMADE = b"dh-!"
"""The letters for types in `MemberColumns`; the last is for members that cannot be made (see `named`)."""

_TYPE = 156
_PREFIX_AT = 345
_MAGIC = slice(257, 263)
_POSIX, _GNU = b"ustar\0", b"ustar "
_GNU_TIMES = re.compile(rb"(?:[0-7]{11}\0){2}\0*", re.ASCII)
_NO_PREFIX = bytes(BLOCK_BYTES - _PREFIX_AT)
_NO_SIZE = b"00000000000"
_PAX, _GNU_DIRECTORY, _LINK, _SYMLINK, _FILE = b"xD120"
_TARGET_AT = 157
_IN_ONE_PIECE = frozenset(b"02346")
_MAYBE_DIRECTORIES = b"0\x007"  # directories if their name ends in a slash
_DIRECTORIES = b"5D"
_ORDINARY = frozenset(b"0\0001234567D")
_OCTAL = re.compile(rb"[0-7]{11}[\0 ]", re.ASCII)
_TIMES = re.compile(b"(?:" + ONLY_TIMES + b")*")
_NAMED = re.compile(
    b"(?:" + ONLY_TIMES + rb")*(?P<record>(?P<length>[0-9]{1,4}) path=(?P<name>[^\0\n]+)\n)(?:" + ONLY_TIMES + b")*",
    re.ASCII,
)
_DUMPDIR = re.compile(rb"([0-9]{1,9}) GNU\.dumpdir=", re.ASCII)
_NOTHING_LISTED = b"\0"


@frozen
class MemberColumns:
    """
    Some members of an archive, in the order of its tar, in columns of one length.

    For each: the position of its record; a letter for its type; its path in canonical form; an extra, which for a
    directory is its listing as the tar has it, b"" without one, and for a hard link the canonical path of its target;
    and its span: how many bytes of the tar, from the position on, are an ordinary member of that path as they stand,
    headers and data with its padding, and how its headers are copied. Both are one number, see `Spans.of`.
    """

    positions: Sequence[int]
    letters: bytes
    paths: Sequence[bytes]
    extras: Sequence[bytes]
    spans: Sequence[int]


class Headers(Enum):
    """How a member's headers are copied into another tar, where the member has the same path."""

    STAND = "stand"
    LOSE_TIMES = "lose their times"  # it is one header with times in GNU format, see `drop_times`
    ANEW = "are written anew"  # then the span is unknown


@frozen
class Spans:
    """How many bytes of the tar some members take up, 0 if unknown, and how the headers of each are copied."""

    lengths: Sequence[int]
    headers: Sequence[Headers]

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Spans:
        """Decode *numbers* of blocks: above 0 the headers stay, below 0 they lose their times."""
        stand, lose_times, anew = Headers
        lengths = array("q", [number * (BLOCK_BYTES if number > 0 else -BLOCK_BYTES) for number in numbers])
        return cls(lengths, [stand if number > 0 else lose_times if number else anew for number in numbers])


def tables(records: Iterable[MemberRecord]) -> Iterator[MemberColumns]:
    """
    The names of *records*.

    Raises:
        MemberUnreadable: as `read_member`.
    """
    rest = iter(records)
    while some := list(islice(rest, TABLE_MEMBERS)):
        letters, paths, extras, spans = zip(*map(named, some), strict=True)
        yield MemberColumns([record.at for record in some], bytes(letters), paths, extras, spans)


def dumpdir_of(position: int, extra: bytes) -> Dumpdir:
    """
    Parse a directory's extra.

    Raises:
        MemberUnreadable: the listing is malformed.
    """
    try:
        return parse_dumpdir(extra)
    except ValueError as error:
        raise MemberUnreadable(position, f"its listing has {error}") from error


def listings(archive: Iterable[MemberColumns]) -> Iterator[tuple[bytes, Dumpdir]]:
    """The directories of an archive that have a listing, each with it. Raises like `dumpdir_of`."""
    for position, path, extra in raw_listings(archive):
        yield path, dumpdir_of(position, extra)


def raw_listings(archive: Iterable[MemberColumns]) -> Iterator[tuple[int, bytes, bytes]]:
    """The directories that have a listing, each with its position and the listing as the tar has it."""
    for names in archive:
        for position, letter, path, extra in zip(
            names.positions, names.letters, names.paths, names.extras, strict=True
        ):
            if letter == DIRECTORY and extra:
                yield position, path, extra


def named(record: MemberRecord) -> tuple[int, bytes, bytes, int]:
    """
    The letter, path, extra and span of one member.

    A member without a name that is not a directory cannot be made; nor can a symbolic link whose target is empty or too
    long.

    Raises:
        MemberUnreadable: as `read_member`; but a listing need not be parsed.
    """
    return _ordinary(record.headers) or _any(record)


def _any(record: MemberRecord) -> tuple[int, bytes, bytes, int]:
    member = read_member(record)
    path = canonical(member.path)
    if member.type is MemberType.DIRECTORY:
        return DIRECTORY, path, b"" if member.listing is None else written_dumpdir(member.listing), 0
    if not path or (member.type is MemberType.SYMLINK and not is_target(member.link)):
        return UNMADE, path, b"", 0
    if member.type is MemberType.HARD_LINK:
        return HARD_LINK, path, canonical(member.link), 0
    return OTHER, path, b"", 0


def _ordinary(headers: bytes) -> tuple[int, bytes, bytes, int] | None:
    """Read the common case: a single header, or one behind a pax header that does not touch the names."""
    length = len(headers)
    position, pax, extra = 0, b"", b""
    if length < BLOCK_BYTES:
        return None
    letter = headers[_TYPE]
    if letter == _PAX:
        if not _OCTAL.fullmatch(headers, 124, 136):
            return None
        end = BLOCK_BYTES + int(headers[124:135], 8)
        position = end + 511 & ~511
        if position + BLOCK_BYTES != length:
            return None
        letter = headers[position + _TYPE]
        pax = headers[BLOCK_BYTES:end]
        if b"path=" in pax:
            return _long_named(pax, headers[position:], position)
        if b"GNU." in pax:
            found = _listed(pax)
            if found is None or letter != _DIRECTORIES[0]:
                return None
            extra = found
    elif letter == _GNU_DIRECTORY:
        if not _OCTAL.fullmatch(headers, 124, 136):
            return None
        size = int(headers[124:135], 8)
        if length != BLOCK_BYTES + (size + 511 & ~511):
            return None
        extra = headers[BLOCK_BYTES : BLOCK_BYTES + size] or _NOTHING_LISTED
    elif length != BLOCK_BYTES:
        return None
    if letter not in _ORDINARY or (headers[position + _PREFIX_AT] and headers[position:][_MAGIC] == _POSIX):
        return None
    name = headers[position : position + 100].partition(b"\0")[0]
    path = canonical(relative(name))
    if letter in _DIRECTORIES or (letter in _MAYBE_DIRECTORIES and name[-1:] == b"/"):
        return DIRECTORY, path, extra, 0
    if not path or (letter == _SYMLINK and not headers[position + _TARGET_AT]):
        return None
    if letter == _LINK:
        return HARD_LINK, path, canonical(relative(headers[position + 157 : position + 257].partition(b"\0")[0])), 0
    if b"size=" in pax or headers[position : position + 100] != path.ljust(100, b"\0") or not path.isascii():
        return OTHER, path, b"", 0
    return OTHER, path, b"", _span(headers[position:], letter, position)


def _long_named(pax: bytes, block: bytes, length: int) -> tuple[int, bytes, bytes, int] | None:
    """Read a member named in *pax*, with nothing but times beside it, *length* bytes before its own header *block*."""
    letter = block[_TYPE]
    found = _NAMED.fullmatch(pax)
    if found is None or len(found["record"]) != int(found["length"]) or letter not in _IN_ONE_PIECE:
        return None
    if letter == _SYMLINK and not block[_TARGET_AT]:
        return None
    name = found["name"]
    if name[-1:] == b"/":
        return None
    path = canonical(relative(name))
    if not path:
        return None
    return OTHER, path, b"", _span(block, letter, length) if path == name and _is_text(name) else 0


def _is_text(name: bytes) -> bool:
    """Whether every reader finds the same name in a pax record."""
    try:
        return name.isascii() or bool(name.decode())
    except UnicodeDecodeError:
        return False


def _span(block: bytes, letter: int, length: int) -> int:
    """The span, as a number, of a member with *length* bytes of headers in front of its own, which is *block*."""
    rest = block[_PREFIX_AT:]
    has_times = rest != _NO_PREFIX
    if has_times and (length or block[_MAGIC] != _GNU or not _GNU_TIMES.fullmatch(rest)):
        return 0
    if letter not in _IN_ONE_PIECE:
        return 0
    if block[154:156] != b"\0 " or not block[148:154].isdigit():  # a checksum can be written in more than one way
        return 0
    if not block.isascii() and b"%06o" % (sum(block) - sum(block[148:156]) + 8 * 0x20) != block[148:154]:
        return 0  # old tars summed signed characters
    span = length + BLOCK_BYTES
    size_field = block[124:135]
    if size_field != _NO_SIZE:
        if letter != _FILE or not _OCTAL.fullmatch(block, 124, 136):
            return 0
        span += int(size_field, 8) + 511 & ~511
    return -span if has_times else span


def _listed(pax: bytes) -> bytes | None:
    """The listing in a pax header that has only times and a listing; None for any other header."""
    times = _TIMES.match(pax)
    begin = times.end() if times is not None else 0
    head = _DUMPDIR.match(pax, begin)
    if head is None or begin + int(head[1]) != len(pax) or pax[-1:] != b"\n":
        return None
    return pax[head.end() : -1] or _NOTHING_LISTED
