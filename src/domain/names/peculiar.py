"""
Directories that tar does not update properly from a later archive, because it leaves an existing one as it is.

These are of two kinds. If its owner may not read, write or enter a directory, an ordinary user's tar cannot change
anything in it: tar sets modes after it has extracted everything, and opens nothing before. And tar removes no extended
attribute from an existing directory, except ACLs, so these do not count. The headers of one archive show both.
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
_OWN_MODE = MODE[0] - BLOCK_BYTES  # counted from the end of headers, where the member's own header is last
_OPEN_MODE = re.compile(rb"[0-7]{4}7[0-7]{2}[\0 ]", re.ASCII)


@frozen
class Peculiar:
    """What the owner *may* do with a directory, as permission bits, and the names of its extended *attributes*."""

    may: int = _ALL
    attributes: frozenset[bytes] = frozenset()

    def __bool__(self) -> bool:
        return self.may != _ALL or bool(self.attributes)

    @property
    def is_closed(self) -> bool:
        return self.may != _ALL

    @property
    def written(self) -> bytes:
        """Encode for `read_peculiar`, without a NUL."""
        return b"=".join((b"%o" % self.may, *sorted(self.attributes)))


ORDINARY = Peculiar()


def read_peculiar(written: bytes) -> Peculiar:
    """Decode what `written` returned. No keyword of a pax header contains the separator."""
    may, *attributes = written.split(b"=")
    return Peculiar(int(may, 8), frozenset(attributes))


def peculiar_of(record: MemberRecord) -> Peculiar:
    """
    The peculiarities of a directory, from its record.

    Raises:
        MemberUnreadable: its headers are incomplete.
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
