"""Paths inside archives as people give them on a command line."""

from __future__ import annotations

import os

from ....domain.errors.settings import UsageError
from ....domain.text.paths import path_bytes


def given_path(text: str) -> bytes:
    """
    The path that an argument names, written as ``tarkeep ls`` shows it or byte for byte.

    Raises:
        UsageError: a backslash stands alone.
    """
    try:
        # what is not UTF-8 in an argument stands for itself
        path = path_bytes(os.fsencode(text).decode(errors="backslashreplace"))
    except ValueError as error:
        raise UsageError(ascii(text), str(error)) from error
    path = path.rstrip(b"/")
    while path.startswith(b"./"):
        path = path[2:]
    return b"" if path == b"." else path
