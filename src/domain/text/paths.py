"""
Names from archives as text, the way the API writes them: a name may hold any bytes, but text has to travel.

Printable UTF-8 stays as it is. Each byte of an unprintable character, and each that is not UTF-8, becomes ``\\xNN``; a
backslash becomes ``\\\\``. So different names have different texts, and no name can move a terminal's cursor.
"""

from __future__ import annotations

import re

SHOWN_BYTES = 200
"""The most bytes of a path that a sentence shows."""

_ESCAPE = re.compile(rb"\\(\\|x[0-9A-Fa-f]{2})?", re.DOTALL)


def path_text(path: bytes) -> str:
    """*path* as text."""
    if path.isascii():
        text = path.decode()
        if text.isprintable() and "\\" not in text:  # nearly all
            return text
    text = path.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
    if text.isprintable() and "\ufffd" not in text:
        return text
    return "".join(
        character
        if character.isprintable() and character != "\ufffd"
        else "".join(f"\\x{byte:02x}" for byte in character.encode())
        for character in text
    )


def path_bytes(text: str) -> bytes:
    """
    The path that `path_text` writes as *text*.

    Raises:
        ValueError: a backslash begins neither ``\\xNN`` nor ``\\\\``.
    """

    def unescape(match: re.Match[bytes]) -> bytes:
        escaped = match[1]
        if escaped is None:
            raise ValueError(r"a backslash in a path is written \\, and another byte \xNN")
        return b"\\" if escaped == b"\\" else bytes([int(escaped[1:], 16)])

    return _ESCAPE.sub(unescape, text.encode())


def printable(text: str) -> str:
    """*text*, such as a sentence with names in it, with every unprintable character escaped; this cannot be undone."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def whole(text: str) -> str:
    """*text* with lone surrogates escaped, which JSON cannot carry; those of bytes that are not UTF-8 as ``\\xNN``."""
    if text.isascii():
        return text
    return "".join(_escaped(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def _escaped(char: str) -> str:
    # a lone surrogate from DC80 to DCFF is how Python passes on a byte that was not UTF-8
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()
