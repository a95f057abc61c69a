"""
Where the data of a sparse file belongs in it, in all formats of GNU tar.

Pure. Everything between the regions is zeros.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors.content import MemberUnreadable
from .layout import BLOCK_BYTES, PAX, TYPE
from .members import MemberRecord
from .read_headers import extension_headers, read_number, read_pax_records

_IN_HEADER, _MAP_AT, _EXTENDED_AT = 4, 386, 482
_IN_EXTENSION, _EXTENSION_EXTENDED_AT = 21, 504
_ENTRY_BYTES, _NUMBER_BYTES = 24, 12
_SPARSE = ord("S")


def regions_in_headers(record: MemberRecord) -> list[tuple[int, int]] | None:
    """
    Start and length of each region, as the headers of *record* state them; None if the map is in front of the data, or
    cannot be read.
    """
    headers, position = record.headers, 0
    try:
        for type, begin, end, following in extension_headers(record):
            position = following
            if type in PAX:
                numbers = _in_pax(read_pax_records(record.at, headers[begin:end]))
                if numbers is not None:
                    return list(zip(numbers[::2], numbers[1::2], strict=True))
    except (MemberUnreadable, ValueError):
        return None
    if headers[position + TYPE] != _SPARSE:
        return None
    regions = _entries(headers, position + _MAP_AT, _IN_HEADER)
    is_extended = headers[position + _EXTENDED_AT]
    while is_extended:
        position += BLOCK_BYTES
        if position + BLOCK_BYTES > len(headers):
            return None
        regions += _entries(headers, position, _IN_EXTENSION)
        is_extended = headers[position + _EXTENSION_EXTENDED_AT]
    return regions


def regions_before_data(head: bytes) -> tuple[list[tuple[int, int]], int] | None:
    """
    The regions of the map that *head*, the beginning of the data in pax format 1.0, starts with, and how many bytes the
    map takes; None if *head* does not have all of it.
    """
    numbers: list[int] = []
    position, wanted = 0, 1
    while len(numbers) < wanted:
        end = head.find(b"\n", position)
        if end < 0:
            return None
        numbers.append(int(head[position:end]))
        position = end + 1
        wanted = 1 + 2 * numbers[0]
    return list(zip(numbers[1::2], numbers[2::2], strict=True)), -(-position // BLOCK_BYTES) * BLOCK_BYTES


def _entries(headers: bytes, at: int, count: int) -> list[tuple[int, int]]:
    found = []
    for number in range(count):
        begin = at + number * _ENTRY_BYTES
        middle, end = begin + _NUMBER_BYTES, begin + _ENTRY_BYTES
        if not headers[begin:middle].strip(b"\0"):
            break
        found.append((read_number(headers[begin:middle]), read_number(headers[middle:end])))
    return found


def _in_pax(records: Iterable[tuple[bytes, bytes]]) -> list[int] | None:
    """The numbers of a map in pax *records*, in one of them (0.1) or in many (0.0); None if they have none."""
    found: list[int] | None = None
    for keyword, value in records:
        if keyword == b"GNU.sparse.map":
            return [int(number) for number in value.split(b",")] if value else []
        if keyword in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            found = [*(found or ()), int(value)]
    return found
