"""
The cursors of both catalogs: a place in an order of entries, as short text that is safe in a URL.

A cursor goes out to clients and comes back from them, so decoding accepts exactly what encoding makes: either it gives
plain values of the right types and ranges, or it raises ValueError. A cursor of one order is not one of the other.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..domain.identity.archive_id import ArchiveId, BackupType
from ..domain.identity.invalid import InvalidName
from ..domain.identity.naming import check_archive_name

_TIME = b"t"
_IDENTITY = b"i"
_PLACE = b"p"
_TWO_INTEGERS = struct.Struct(">qq")


def after_time(received_us: int, seq: int) -> str:
    """The place after the entry *seq* received at *received_us* (microseconds since the epoch): 23 characters."""
    return _text(_TIME + _TWO_INTEGERS.pack(received_us, seq))


def read_time(cursor: str) -> tuple[int, int]:
    """
    What `after_time` was given.

    Raises:
        ValueError: it did not make *cursor*.
    """
    packed = _content(cursor, _TIME)
    if len(packed) != _TWO_INTEGERS.size:
        raise _foreign()
    received_us, seq = _TWO_INTEGERS.unpack(packed)
    return received_us, seq


def after_identity(type: str, name: str, profile: str) -> str:
    """The place after an identity; at most 363 characters."""
    return _text(_IDENTITY + f"{type}/{profile}/{name}".encode())


def read_identity(cursor: str) -> tuple[str, str, str]:
    """
    What `after_identity` was given: type, name, profile.

    Raises:
        ValueError: it did not make *cursor*.
    """
    try:
        type, profile, name = _content(cursor, _IDENTITY).decode().split("/")
        ArchiveId(profile, BackupType(type), name)
    except (InvalidName, ValueError):
        raise _foreign() from None
    return type, name, profile


def after_place(position: bytes) -> str:
    """The place after a position in the order of a profile: at most 318 characters."""
    return _text(_PLACE + position)


def read_place(cursor: str) -> bytes:
    """
    What `after_place` was given.

    Raises:
        ValueError: it did not make *cursor*.
    """
    position = _content(cursor, _PLACE)
    try:
        type, _, name = position[_TWO_INTEGERS.size :].decode().partition("/")
        BackupType(type)
        check_archive_name(name)
    except (InvalidName, ValueError):
        raise _foreign() from None
    return position


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _content(cursor: str, order: bytes) -> bytes:
    try:
        content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise _foreign() from None
    # b64decode passes over foreign characters and spare bits: only the one spelling of a place is accepted.
    if _text(content) != cursor or content[:1] != order:
        raise _foreign()
    return content[1:]


def _foreign() -> ValueError:
    return ValueError("not a cursor of this catalog")
