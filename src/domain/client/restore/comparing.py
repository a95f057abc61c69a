"""
Is what lies here what the server says the tree was? Pure: two accounts of a tree in, what differs out.

Names, types, sizes, times and link targets are compared; contents were proven by the digests of the archives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from ...text.counted import counted
from ..ports.chains import RemoteTreeEntry
from ..ports.local_tree import LocalEntry

_HARD_LINK, _FILE, _SYMLINK, _DIRECTORY = "hard-link", "file", "symlink", "directory"


@frozen
class Difference:
    """Something that is not here as the server says it was; *what* is a few words."""

    path: bytes
    what: str


def differences(there: Iterable[RemoteTreeEntry], here: Iterable[LocalEntry]) -> Iterator[Difference]:
    """What of *there* is missing or differs *here*, in that order, then what is *here* alone. Memory: all of *here*."""
    left = {entry.path: entry for entry in here}
    seen: dict[bytes, LocalEntry] = {}
    for entry in there:
        if not entry.path:
            continue
        found = left.pop(entry.path, None)
        if found is None:
            yield Difference(entry.path, "is missing")
            continue
        if entry.type != _DIRECTORY:
            seen[entry.path] = found
        what = ", ".join(_differing(entry, found, left.get(entry.link) or seen.get(entry.link)))
        if what:
            yield Difference(entry.path, what)
    for path in left:
        yield Difference(path, "is not in the backup")


def _differing(there: RemoteTreeEntry, here: LocalEntry, linked: LocalEntry | None) -> Iterator[str]:
    if there.type == _HARD_LINK:
        if linked is None or linked.inode != here.inode:
            yield "is no hard link to what it was"
        return
    if there.type != here.type:
        yield f"is a {here.type}, was a {there.type}"
        return
    if there.type == _FILE and there.size_bytes != here.size_bytes:
        yield f"has {counted(here.size_bytes, 'byte')}, had {there.size_bytes}"
    if there.type == _SYMLINK and there.link != here.link:
        yield "points elsewhere"
    if there.mtime_ns is not None and there.mtime_ns != here.mtime_ns:
        yield "has another time"
