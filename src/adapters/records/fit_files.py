"""
Results of comparing archives, in a file beside the records of the later one: ``DATA/members/ab/<sha256>.fits``.

A line with the CRC-32 of the rest, then JSON: the result for each parent that was tried, by its SHA-256. It is written
to a temporary name and renamed, without a sync: it can be computed again, and a file torn by a power cut counts as
missing. So does the result of another version of the rule.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ...domain.comparing.fit import Agreement, Compatibility, Renamed
from ...domain.comparing.fitting import RULE

FITS_SUFFIX = ".fits"
_VERDICTS = {verdict.value: verdict for verdict in Agreement}
_RENAMED = {renamed.value: renamed for renamed in Renamed}
_MAX_BYTES = 4 << 20
_SMALL_BYTES = 4 << 10
_NOTHING: Mapping[str, Compatibility] = {}


def read_fits(place: str | Path) -> dict[str, Compatibility]:
    """The content of the file at *place*; empty if there is no such file, or it is damaged."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            content = os.read(descriptor, _SMALL_BYTES)
            if len(content) == _SMALL_BYTES:
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    content += file.read(_MAX_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        return {}
    return dict(_parsed(content) if len(content) < _SMALL_BYTES else _parse(content))


def _parse(content: bytes) -> Mapping[str, Compatibility]:
    """What *content* of a file tells; nothing, if it is damaged."""
    crc, _, text = content.partition(b"\n")
    try:
        if int(crc, 16) != zlib.crc32(text):
            return _NOTHING
        kept = json.loads(text)
        if kept["rule"] != RULE:
            return _NOTHING
        return {parent: _fit(told) for parent, told in kept["fits"].items()}
    except (ValueError, KeyError, TypeError):
        return _NOTHING


_parsed = lru_cache(4096)(_parse)
"""Whoever links a profile anew, as for each try of another policy, reads the same again; parsing takes the longest."""


def write_fits(place: Path, part: Path, fits: Mapping[str, Compatibility]) -> None:
    """Write *fits* to *place*, by way of *part*. A failure to keep them is not an error."""
    content = json.dumps({"rule": RULE, "fits": {parent: _told(fit) for parent, fit in fits.items()}}).encode()
    try:
        for folder in (part.parent, place.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"%08x\n" % zlib.crc32(content) + content)
        part.rename(place)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _told(fit: Compatibility) -> dict[str, object]:
    return {
        "verdict": fit.verdict.value,
        "unresolved": fit.unresolved,
        "examples": _texts(fit.examples),
        "unsound": fit.unsound,
        "renamed": fit.renamed.value,
        "is_open": fit.is_open,
        "overlooked": fit.overlooked,
        "overlooked_examples": _texts(fit.overlooked_examples),
        "unread": fit.unread,
        "unread_examples": _texts(fit.unread_examples),
        "earlier": _texts([fit.earlier]),
    }


def _fit(told: Mapping[str, object]) -> Compatibility:
    (earlier,) = _paths(told["earlier"])
    return Compatibility(
        _VERDICTS[str(told["verdict"])],
        _count(told["unresolved"]),
        _paths(told["examples"]),
        str(told["unsound"]),
        _RENAMED[str(told["renamed"])],
        bool(told["is_open"]),
        _count(told["overlooked"]),
        _paths(told["overlooked_examples"]),
        _count(told["unread"]),
        _paths(told["unread_examples"]),
        earlier,
    )


def _texts(paths: Iterable[bytes]) -> list[str]:
    return [path.decode("latin-1") for path in paths]


def _paths(told: object) -> tuple[bytes, ...]:
    if not isinstance(told, list):
        raise TypeError("these are not paths")
    return tuple(str(path).encode("latin-1") for path in told)


def _count(told: object) -> int:
    if not isinstance(told, int):
        raise TypeError("this is not a count")
    return told
