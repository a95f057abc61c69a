"""
Directories that tar removes on its way, since a listing above them does not name them.

A tar may hold a directory that the listing above does not name, or a listing that names a directory under another name:
``--transform`` and ``--strip-components`` change the names of members, and not those in listings. Before tar extracts a
directory with a listing, it removes what the listing does not name, with everything below, whatever the same archive
holds of it further on. Only what that holds comes back; what it calls unchanged is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from attrs import define, field, frozen

from ..names.columns import dumpdir_of
from ..names.footprints import shown
from ..names.name_table import NameTable, is_odd
from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import join, split
from .silence import says_nothing_of

_FEW = 4  # so many names are searched in a listing one by one


@frozen
class _Cut:
    """The listing of *above* does not name *path*, which is below, or calls it a file."""

    path: bytes
    above: bytes


def cut_off(child: NameTable, parent: NameTable, origins: DirectoryRenames) -> str:
    """
    The clause about something that *child* leaves to *parent*, and that tar, extracting *child*, removes; empty if
    there is nothing.

    Only directories that differ between the two are examined: where both are the same, *parent* was not sound either,
    or nothing below is left to it.

    Raises:
        MemberUnreadable: a relevant listing is malformed.

    Cost: that of the listings above the directories that differ.
    """
    differing = child.changed(parent)
    ways = _Ways(child)
    ways.look(differing)
    for path in sorted(path for path in differing if not is_odd(path)):
        cut = ways.cut(path)
        if cut is not None and (lost := _left(child, parent, path, origins)):
            return (
                f"tar would remove {shown(lost)}, since the listing of {shown(cut.above) or 'the top directory'} does "
                f"not name {shown(cut.path)}"
            )
    return ""


@define
class _Ways:
    """The ways down to directories, by the listings of *table*."""

    table: NameTable
    _unnamed: set[bytes] = field(factory=set)  # directories that the listing of the one directly above does not name

    def look(self, paths: Iterable[bytes]) -> None:
        """Examine the ways to *paths*."""
        known: set[bytes] = {b""}
        for path in paths:
            while path not in known:
                known.add(path)
                path = split(path)[0]
        known.discard(b"")
        for above, below in groupby(sorted(map(split, known)), key=lambda both: both[0]):
            row = self.table.row(above)
            if row is not None and row.listed:
                names = [name for _, name in below]
                self._unnamed.update(join(above, name) for name in _unnamed(self.table.listings(above)[-1], names))

    def cut(self, path: bytes) -> _Cut | None:
        """
        Where the way to *path* is cut. What *table* has no member of may be deleted, so it is only cut above the
        nearest listing.
        """
        row = self.table.row(path)
        if row is None and not says_nothing_of(self.table, path):
            return None
        at = path
        while at:
            if at in self._unnamed:
                return _Cut(at, split(at)[0])
            at = split(at)[0]
        return None


def _unnamed(listing: bytes, names: list[bytes]) -> Iterator[bytes]:
    """Those of *names* that *listing* does not have as directories, or unchanged."""
    if len(names) <= _FEW:
        whole = b"\0" + listing
        yield from (name for name in names if not any(b"\0%c%b\0" % (mark, name) in whole for mark in b"DN"))
        return
    known = {record[1:] for record in listing.split(b"\0") if record[:1] in (b"D", b"N")}
    yield from (name for name in names if name not in known)


def _left(child: NameTable, parent: NameTable, path: bytes, origins: DirectoryRenames) -> bytes:
    """A name in the directory *path* that *child* leaves to *parent*, or to an archive before it; b"" if none."""
    row = child.row(path)
    if row is None:
        return path
    was = origins.before(path)
    if not row.listed or was is None:
        return b""
    is_silent = says_nothing_of(parent, was)
    had = _names(parent, was)
    for name, mark in _names(child, path).items():
        if mark is Mark.HERE or (name not in had and not is_silent):
            continue
        if mark is Mark.UNCHANGED or child.row(join(path, name)) is None:
            return join(path, name)
    return b""


def _names(table: NameTable, path: bytes) -> dict[bytes, Mark]:
    """The names in the listings of *path*."""
    found: dict[bytes, Mark] = {}
    for listing in table.listings(path):
        found.update(dumpdir_of(table.position(path) * BLOCK_BYTES, listing).names)
    return found
