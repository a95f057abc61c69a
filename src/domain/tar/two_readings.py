"""
Where readers of tar disagree, so that a hostile tar could look harmless in one reader and do harm in another.

GNU tar extracts, so its reading can do the harm. It skips data only behind files when it extracts, but behind every
member when it lists; it believes the map of a sparse file more than its size, whatever its type; it obeys a listing
wherever one stands; and it takes an empty name in a pax header for a name, where POSIX says that such a record takes
back an earlier one. No archiver writes such things. Tar does not extract an archive with any of them on top of other
archives: see `footprints`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

BLOCK_BYTES = 512

_TYPE = 156
_FILES = frozenset(b"0\x007")
_LISTED = frozenset(b"5D")
_LINK, _DIRECTORY = b"15"
_WITHOUT_DATA = frozenset(b"2346")
_FIRST_MAP, _NEXT_MAP = (386, 482), (0, 504)
_REAL_SIZE = slice(483, 495)
_ENTRY_BYTES, _NUMBER_BYTES = 24, 12
_DUMPDIR = b"GNU.dumpdir"
_SPARSE_PREFIX = b"GNU.sparse."
_NAMES = (b"path", b"linkpath", b"GNU.sparse.name")
_MAJOR, _MINOR = b"GNU.sparse.major", b"GNU.sparse.minor"
_SPARSE_1_0 = frozenset((_MAJOR, _MINOR, b"GNU.sparse.name", b"GNU.sparse.realsize"))  # all keywords of that format

Number = Callable[[bytes], int]


def is_of_one_member(keyword: bytes) -> bool:
    """Whether *keyword* of a pax header can be true of one member only, so that no global header should have it."""
    return keyword == _DUMPDIR or keyword.startswith(_SPARSE_PREFIX)


def disputed(header: bytes, size_bytes: int, records: Mapping[bytes, bytes], *, is_directory: bool) -> str:
    """
    What readers disagree on about a member, in a few words that follow its name; empty where they agree.

    *header* is its own, followed by the extensions of a sparse map; *size_bytes* the size of its data according to a
    pax header or to this one; *records* those of all pax headers that apply to it, by keyword.
    """
    letter = header[_TYPE]
    if any(records.get(keyword) == b"" for keyword in _NAMES):
        return "has an empty name in a pax header"
    if _DUMPDIR in records and letter != _DIRECTORY:
        return "has a listing where none belongs"
    sparse = {keyword for keyword in records if keyword.startswith(_SPARSE_PREFIX)}
    if sparse and (
        letter not in _FILES
        or is_directory
        or sparse != _SPARSE_1_0
        or (records[_MAJOR], records[_MINOR]) != (b"1", b"0")
    ):
        return "is sparse in a way that readers of tar do not agree on"
    if size_bytes and (
        letter in _WITHOUT_DATA or (is_directory and letter not in _LISTED) or (letter == _LINK and b"size" in records)
    ):
        return "is not a file but has data behind it"
    return ""


def is_sparse_map_odd(header: bytes, size_bytes: int, number: Number) -> bool:
    """
    Whether GNU tar reads something other than *size_bytes*, with their padding, behind a member of type ``S``.

    *header* is as for `disputed`; *number* reads a number of a header.
    """
    blocks = [header[at : at + BLOCK_BYTES] for at in range(0, len(header), BLOCK_BYTES)]
    file_bytes = number(blocks[0][_REAL_SIZE])
    regions: list[int] = []
    for position, block in enumerate(blocks):
        begin, stop = _NEXT_MAP if position else _FIRST_MAP
        for at in range(begin, stop, _ENTRY_BYTES):
            offset, length = block[at : at + _NUMBER_BYTES], block[at + _NUMBER_BYTES : at + _ENTRY_BYTES]
            if length[:1] == b"\0":  # GNU tar ends the map here, and takes what follows for data
                if position < len(blocks) - 1:
                    return True
                return not regions_fit(regions, size_bytes)
            regions.append(number(length))
            if not 0 <= number(offset) <= file_bytes - regions[-1]:
                return True
    return not regions_fit(regions, size_bytes)


def regions_fit(regions: Collection[int], size_bytes: int) -> bool:
    """
    Whether data of *regions*, in bytes, fill *size_bytes* as GNU tar counts.

    GNU tar takes whole blocks for each region, and then the rest of the size after subtracting their bytes.
    """
    if any(region < 0 for region in regions):
        return False
    total = sum(regions)
    taken = sum(-(-region // BLOCK_BYTES) for region in regions) + -(-max(0, size_bytes - total) // BLOCK_BYTES)
    return total <= size_bytes and taken == -(-size_bytes // BLOCK_BYTES)
