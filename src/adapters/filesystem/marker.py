"""
The marker of a data directory: ``tarkeep.json``, by which it is known to be one.

::

    {"format": 1, "id": "...", "tokens": true}

``tokens`` tells that tokens were made, so that a token file which is missing later is one that was lost. The rule: the
marker is made by whoever holds the lock of the directory and changed by whoever changes the tokens; what is in it and
not known here stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ...domain.errors.capacity import BackendUnavailable
from ...domain.errors.settings import FormatUnknown
from ...domain.ports.system import IdSource
from .durable_file import fsync_directory, held, replace_file

FORMAT = 1
MARKER = "tarkeep.json"
LOCK = "lock"

_TOKENS = "tokens"
_TRIES, _TRY_SECONDS = 1000, 0.01


def read_marker(folder: Path) -> Mapping[str, object] | None:
    """
    What the marker of *folder* says, at least ``id``; None where there is none.

    Raises:
        FormatUnknown: it is not one that this version understands.
        OSError: it cannot be read.
    """
    try:
        text = (folder / MARKER).read_bytes()
    except FileNotFoundError:
        return None
    try:
        marker = json.loads(text)
    except ValueError as error:
        raise FormatUnknown(f"the marker {MARKER} of the data directory cannot be read") from error
    format = marker.get("format") if isinstance(marker, dict) else None
    if format != FORMAT or not isinstance(marker.get("id"), str):
        raise FormatUnknown(f"the data directory has format {format!a}, this version knows {FORMAT}")
    return dict(marker)


def make_marker(folder: Path, ids: IdSource) -> str:
    """The id in the marker of *folder*, made where there is none; for whoever holds `LOCK`. Raises as `read_marker`."""
    marker = read_marker(folder)
    if marker is not None:
        return str(marker["id"])
    # Without a marker no start came to its end, and one that was killed may have made the directory itself just now. A
    # parent that may not be read is none that this made.
    with suppress(PermissionError):
        fsync_directory(folder.parent)
    id = ids.new()
    _write(folder, {"format": FORMAT, "id": id})
    return id


def had_tokens(folder: Path) -> bool:
    """Whether tokens were made in *folder*, even if nothing is left of them. Raises as `read_marker`."""
    marker = read_marker(folder)
    return marker is not None and marker.get(_TOKENS) is True


def note_tokens(folder: Path, ids: IdSource) -> None:
    """Have the marker of *folder* tell that tokens were made; for whoever changes them. Raises as `read_marker`."""
    for _ in range(_TRIES):
        marker = read_marker(folder)
        if marker is not None:
            break
        # a server that owns the folder makes the marker at its first start and never changes it afterwards
        with suppress(BlockingIOError), held(folder / LOCK, waiting=False):
            make_marker(folder, ids)
        time.sleep(_TRY_SECONDS)
    else:
        raise BackendUnavailable("store", f"whoever holds its file {LOCK} makes no {MARKER}")
    if marker.get(_TOKENS) is not True:
        _write(folder, {**marker, _TOKENS: True})


def _write(folder: Path, marker: Mapping[str, object]) -> None:
    replace_file(folder / MARKER, json.dumps(marker).encode() + b"\n")
