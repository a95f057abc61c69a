"""
The marker of a data directory: ``tarkeep.json``, which identifies it as one.

::

    {"format": 1, "id": "...", "tokens": true}

``tokens`` records that tokens were made, so that a token file missing later is known to be lost. The rule: the marker
is made by the process that holds the lock of the directory and changed by the command that changes the tokens; unknown
members in it stay. Until a store was opened in the directory, its id says nothing: tokens may be made before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
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
    The content of the marker of *folder*, at least ``id``; None if there is no marker.

    Raises:
        FormatUnknown: this version does not understand it.
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


def make_marker(folder: Path, ids: IdSource, *, is_used: bool = True, agreed: Callable[[str], str] = str) -> str:
    """
    The id in the marker of *folder*, which is made if it is missing; the caller holds `LOCK`.

    A directory that no store was opened in, unless *is_used*, has the id that *agreed* makes of its own or a new one.
    Raises as `read_marker`.
    """
    marker = read_marker(folder)
    if marker is not None and is_used:
        return str(marker["id"])
    # Without a marker no start has completed, and one that was killed may have made the directory itself just now. This
    # process did not make a parent that it may not read.
    with suppress(PermissionError):
        fsync_directory(folder.parent)
    told = marker or {"format": FORMAT, "id": ids.new()}
    id = agreed(str(told["id"]))
    if marker is None or marker["id"] != id:
        _write(folder, {**told, "id": id})
    return id


def had_tokens(folder: Path) -> bool:
    """Whether tokens were made in *folder*, even if nothing is left of them. Raises as `read_marker`."""
    marker = read_marker(folder)
    return marker is not None and marker.get(_TOKENS) is True


def note_tokens(folder: Path, ids: IdSource) -> None:
    """Record in the marker of *folder* that tokens were made, before they are changed. Raises as `read_marker`."""
    for _ in range(_TRIES):
        marker = read_marker(folder)
        if marker is not None:
            break
        # a server that owns the folder makes the marker at its first start and never changes it afterwards
        with suppress(BlockingIOError), held(folder / LOCK, waiting=False):
            make_marker(folder, ids)
        time.sleep(_TRY_SECONDS)
    else:
        raise BackendUnavailable("store", f"another process holds its file {LOCK} and makes no {MARKER}")
    if marker.get(_TOKENS) is not True:
        _write(folder, {**marker, _TOKENS: True})


def _write(folder: Path, marker: Mapping[str, object]) -> None:
    replace_file(folder / MARKER, json.dumps(marker).encode() + b"\n")
