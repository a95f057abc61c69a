"""
The cursors of both catalogs: a position in an ordering of entries, as short text that is safe in a URL.

A cursor goes out to clients and comes back from them, so decoding accepts exactly what encoding makes: it returns plain
values of the right types and ranges, or raises ValueError. A cursor of one ordering is not valid in the other.
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
    """The position after the entry *seq* received at *received_us* (microseconds since the epoch): 23 characters."""
    return _text(_TIME + _TWO_INTEGERS.pack(received_us, seq))


def read_time(cursor: str) -> tuple[int, int]:
    """
    The arguments that `after_time` was called with.

    Raises:
        ValueError: `after_time` did not make *cursor*.
    """
    packed = _content(cursor, _TIME)
    if len(packed) != _TWO_INTEGERS.size:
        raise _foreign()
    received_us, seq = _TWO_INTEGERS.unpack(packed)
    return received_us, seq


def after_identity(type: str, name: str, profile: str) -> str:
    """The position after an identity; at most 363 characters."""
    return _text(_IDENTITY + f"{type}/{profile}/{name}".encode())


def read_identity(cursor: str) -> tuple[str, str, str]:
    """
    The arguments that `after_identity` was called with: type, name, profile.

    Raises:
        ValueError: `after_identity` did not make *cursor*.
    """
    try:
        type, profile, name = _content(cursor, _IDENTITY).decode().split("/")
        ArchiveId(profile, BackupType(type), name)
    except (InvalidName, ValueError):
        raise _foreign() from None
    return type, name, profile


def after_place(position: bytes) -> str:
    """The cursor after *position* in the order of a profile: at most 318 characters."""
    return _text(_PLACE + position)


def read_place(cursor: str) -> bytes:
    """
    The position that `after_place` was called with.

    Raises:
        ValueError: `after_place` did not make *cursor*.
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
    # b64decode ignores foreign characters and spare bits: accept only the one canonical spelling of a position.
    if _text(content) != cursor or content[:1] != order:
        raise _foreign()
    return content[1:]


def _foreign() -> ValueError:
    return ValueError("not a cursor of this catalog")
