"""
Comparing a local tree with the server's account of it. Pure: two lists of entries in, the differences out.

Names, types, sizes, times and link targets are compared; the digests of the archives have proven the contents.
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
    """A path that differs from the server's account; *what* is a few words."""

    path: bytes
    what: str


def differences(there: Iterable[RemoteTreeEntry], here: Iterable[LocalEntry]) -> Iterator[Difference]:
    """The entries of *there* that are missing or differ *here*, then those only *here*. Memory: all of *here*."""
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
            yield "is not the hard link it was"
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
