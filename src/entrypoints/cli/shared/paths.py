"""Paths inside archives as people give them on a command line."""

from __future__ import annotations

import os

from ....domain.errors.settings import UsageError
from ....domain.text.paths import path_bytes


def given_path(text: str) -> bytes:
    """
    The path for an argument, which is written as ``tarkeep ls`` shows it or byte for byte.

    Raises:
        UsageError: a backslash begins no valid escape.
    """
    try:
        # bytes of an argument that are not UTF-8 are taken as they are
        path = path_bytes(os.fsencode(text).decode(errors="backslashreplace"))
    except ValueError as error:
        raise UsageError(ascii(text), str(error)) from error
    path = path.rstrip(b"/")
    while path.startswith(b"./"):
        path = path[2:]
    return b"" if path == b"." else path
