"""
Names from archives as text, the way the API writes them: bytes are anything, text has to travel.

UTF-8 stands as it is, but for what cannot be printed. Each byte of that, and each that is not UTF-8, is ``\\xNN``, and
a backslash is ``\\\\``. So different names have different texts, and no name can move a terminal's cursor.
"""

from __future__ import annotations

import re

SHOWN_BYTES = 200
"""Of a path in a sentence."""

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
    The path that *text* is of.

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
    """*text*, such as a sentence with names in it, with everything that is not plain writing escaped for good."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def whole(text: str) -> str:
    """*text* with half characters escaped, as JSON can have none; bytes that are not UTF-8 come as such."""
    if text.isascii():
        return text
    return "".join(_escaped(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def _escaped(char: str) -> str:
    # a lone surrogate from DC80 to DCFF is how Python passes on a byte that was not UTF-8
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()
