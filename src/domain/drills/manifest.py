"""
A tree as lines of text, one for each name, in one order: what a drill reports, and what it is compared with.

The rule: two trees that are the same, as far as a drill compares them, have the same lines. A line is a JSON array of
path, type, mode, time, size, content and link group; see `ManifestLine`. Lines are ordered by the path of the
directory, then by the name in it, both by their bytes, so that neither side has to sort the whole tree in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from ..errors.drills import ReportInvalid
from ..tar.members import MemberType
from ..tar.paths import canonical, split
from ..text.paths import path_bytes, path_text

MOST_NAMES = 10_000_000
LONGEST_LINE = 64 << 10

_TYPES = {type.value: type for type in MemberType}
_MODE = re.compile(r"[0-7]{4}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEMBERS = 7
_LARGEST = 1 << 63
DEVICES = frozenset({MemberType.CHARACTER_DEVICE, MemberType.BLOCK_DEVICE})


@frozen
class ManifestLine:
    """
    One name of a tree, the top directory with an empty path included.

    *mode* has permission bits, *mtime_ns* is nanoseconds since the epoch. *content* is the SHA-256 of a file in hex, or
    the target of a symbolic link. *group* is the first path, in the order of the lines, of the names that are one file
    with this one, if there are several. In what a tree must be like, None means that it is not compared.
    """

    path: bytes
    type: MemberType
    mode: int | None = None
    mtime_ns: int | None = None
    size_bytes: int | None = None
    content: bytes | None = None
    group: bytes | None = None

    @property
    def place(self) -> tuple[bytes, bytes]:
        """By what lines are ordered."""
        return split(self.path)


def written(line: ManifestLine) -> bytes:
    """*line* as text, with its newline."""
    told = [
        path_text(line.path),
        line.type.value,
        None if line.mode is None else f"{line.mode:04o}",
        line.mtime_ns,
        line.size_bytes,
        None if line.content is None else path_text(line.content),
        None if line.group is None else path_text(line.group),
    ]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read(lines: Iterable[bytes], first: int = 1) -> Iterator[ManifestLine]:
    """
    The names that *lines* tell of; the first of these has the number *first*.

    Raises:
        ReportInvalid: a line is malformed, out of order, or tells of a path once more; or there are too many.
    """
    before: tuple[bytes, bytes] | None = None
    for number, text in enumerate(lines, first):
        if number - first >= MOST_NAMES:
            raise ReportInvalid(number, f"is one too many: a tree may have {MOST_NAMES:,} names")
        try:
            line = _line(text)
        except (ValueError, RecursionError) as error:
            raise ReportInvalid(number, f"is malformed: {error}") from None
        place = line.place
        if before is not None and place <= before:
            why = "tells of the same path as the line before" if place == before else "is out of order"
            raise ReportInvalid(number, f"{why}: {path_text(line.path)[:200]}")
        before = place
        yield line


def _line(text: bytes) -> ManifestLine:
    told = json.loads(text)
    if not isinstance(told, list) or len(told) != _MEMBERS:
        raise ValueError("it is no array of path, type, mode, time, size, content and link group")
    path, type, mode, mtime, size, content, group = told
    if type not in _TYPES:
        raise ValueError("the type is unknown")
    if mode is not None and not (isinstance(mode, str) and _MODE.fullmatch(mode)):
        raise ValueError("the mode is not four octal digits")
    for number in (mtime, size):
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or abs(number) >= _LARGEST):
            raise ValueError("the time or the size is no number")
    kind = _TYPES[type]
    if kind is MemberType.FILE and not (isinstance(content, str) and _DIGEST.fullmatch(content)):
        raise ValueError("the content of a file is its SHA-256")
    return ManifestLine(
        _path(path),
        kind,
        None if mode is None else int(mode, 8),
        mtime,
        size,
        None if content is None else _bytes(content),
        None if group is None else _path(group),
    )


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("a path or a target is no text")  # noqa: TRY004  what a client sends, not what code passes
    return path_bytes(text)


def _path(text: object) -> bytes:
    path = _bytes(text)
    if canonical(path) != path or b"\0" in path or b".." in path.split(b"/"):
        raise ValueError("the path is not in the form that ls shows")
    return path
