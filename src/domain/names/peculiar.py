"""
Directories over which tar does not extract a later archive as it should: it finds them, and they stay what they are.

Two kinds. One that its owner may not read, write or enter keeps an ordinary user's tar from changing anything in it:
tar sets modes when it has extracted everything, and opens nothing before. And tar takes no extended attribute off a
directory that it finds; ACLs it does, so these count for nothing. Both are told by the headers of one archive.
"""

from __future__ import annotations

import re

from attrs import frozen

from ..errors.content import MemberUnreadable
from ..tar.layout import BLOCK_BYTES, EXTENSIONS, MODE, PAX, PAX_HEADER, TYPE
from ..tar.members import MemberRecord
from ..tar.read_headers import extension_headers, read_number, read_pax_records

READ, WRITE, ENTER = 0o400, 0o200, 0o100
_ALL = READ | WRITE | ENTER

_ATTRIBUTE = b"SCHILY.xattr."
_ACLS = frozenset((b"system.posix_acl_access", b"system.posix_acl_default"))
_OWN_MODE = MODE[0] - BLOCK_BYTES  # from the end of headers that end with the member's own
_OPEN_MODE = re.compile(rb"[0-7]{4}7[0-7]{2}[\0 ]", re.ASCII)


@frozen
class Peculiar:
    """What its owner *may* do with a directory, permission bits, and the names of its extended *attributes*."""

    may: int = _ALL
    attributes: frozenset[bytes] = frozenset()

    def __bool__(self) -> bool:
        return self.may != _ALL or bool(self.attributes)

    @property
    def is_closed(self) -> bool:
        return self.may != _ALL

    @property
    def written(self) -> bytes:
        """To be read by `read_peculiar`, without a NUL."""
        return b"=".join((b"%o" % self.may, *sorted(self.attributes)))


ORDINARY = Peculiar()


def read_peculiar(written: bytes) -> Peculiar:
    """What was *written*. No keyword of a pax header has the sign between them."""
    may, *attributes = written.split(b"=")
    return Peculiar(int(may, 8), frozenset(attributes))


def peculiar_of(record: MemberRecord) -> Peculiar:
    """
    What is peculiar about a directory, by its record.

    Raises:
        MemberUnreadable: its headers are not whole.
    """
    headers = record.headers
    if headers[TYPE] not in EXTENSIONS:
        return ORDINARY if _OPEN_MODE.match(headers, MODE[0]) else Peculiar(_may(headers))
    has_attributes = _ATTRIBUTE in headers
    if not has_attributes and headers[TYPE] == PAX_HEADER and _OPEN_MODE.match(headers, len(headers) + _OWN_MODE):
        return ORDINARY
    attributes: set[bytes] = set()
    position = 0
    for type, begin, end, following in extension_headers(record):
        position = following
        if has_attributes and type in PAX:
            found = (keyword for keyword, _ in read_pax_records(record.at, headers[begin:end]))
            attributes.update(keyword.removeprefix(_ATTRIBUTE) for keyword in found if keyword.startswith(_ATTRIBUTE))
    if position + BLOCK_BYTES > len(headers):
        raise MemberUnreadable(record.at, "its headers are cut")
    return Peculiar(_may(headers[position : position + BLOCK_BYTES]), frozenset(attributes - _ACLS))


def _may(header: bytes) -> int:
    return read_number(header[slice(*MODE)]) & _ALL
