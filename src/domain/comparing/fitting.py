"""
Whether one archive can build on another, judged by their listings.

From one dump to the next hardly any directory changes. Name tables know which listings differ (see `name_table`), and
only those, and the listings of renamed directories, are parsed: a few of thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain, islice

from attrs import frozen

from ..errors.restoring import TreeTooLarge
from ..names.columns import dumpdir_of
from ..names.footprints import shown
from ..names.name_table import NameTable, has_unchanged, origins_between
from ..names.renames import DirectoryRenames
from ..tar.dumpdirs import Dumpdir, Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import MAX_HELD_BYTES, canonical, is_placeable, join, split
from .fit import Agreement, Compatibility, Renamed
from .silence import leaves_open
from .soundness import why_unsound

RULE = 15
"""Changes whenever a fit may come out differently than before; fits kept under an older number are then worthless."""

EXAMPLES = 10
"""The most paths that a fit names."""


def fit(
    child: NameTable,
    parent: NameTable,
    is_left_out: Callable[[bytes], bool] | None = None,
    *,
    is_base: bool = False,
) -> Compatibility:
    """
    Whether *parent* has every name that *child* calls unchanged, and every directory that it renames.

    An archive without listings neither fits nor contradicts. If *parent* says nothing of a directory (see `silence`),
    its names may be in earlier archives; *is_base* says that none exist. A directory of *parent* that *child* calls
    unchanged was skipped by tar, and stays as it was.

    GNU tar also calls unchanged what it saw but was told to leave out (``--exclude`` and the like), so a name that is
    new and left out looks like a missing one. *is_left_out* recognizes such paths, if the profile says what its dumps
    leave out.

    Raises:
        TreeTooLarge: a directory lies deeper than tar could extract it.
        MemberUnreadable: a relevant listing is malformed.

    Cost: that of finding the differing directories and parsing them; after renames, of all of them.
    """
    if not child.has_listings or not parent.has_listings:
        return Compatibility(Agreement.UNKNOWN)
    if child.has_odd_paths and not all(map(is_placeable, child.directories())):
        raise TreeTooLarge(MAX_HELD_BYTES)
    origins = origins_between(child, parent)
    listed = _Listed(child)
    unsound = why_unsound(child, parent, origins)
    before = _Listed(parent)
    moved = sorted(path for path in origins.moved_from if path not in before and not _names(parent, path))
    if not is_base:
        moved = [path for path in moved if not leaves_open(parent, path)]
    count = 0
    examples: list[bytes] = []
    is_open = False
    staying = [path for path in origins.uncertain if any(map(has_unchanged, child.listings(path)))]
    for path, was in _differing(child, parent, origins):
        names = [
            name
            for name in _lacking(child, path, parent, was)
            # A name with a listing of its own is a directory, whatever the listing above says: tar was given it twice.
            if (whole := join(path, name)) not in listed and not (is_left_out is not None and is_left_out(whole))
        ]
        stay = _directories(parent, was, origins).intersection(names) if names and was is not None else ()
        staying += (join(path, name) for name in names if name in stay)
        names = [name for name in names if name not in stay]
        if names and was is not None and not is_base and leaves_open(parent, was):
            is_open = True
            continue
        count += len(names)
        examples += (join(path, name) for name in islice(names, EXAMPLES - len(examples)))
    unread = _unread(child, parent, origins)
    if unread and not unsound:
        unsound = f"tar would leave {shown(unread[0])} as it was before, since it is listed but not in the archive"
    count += len(moved)
    examples += moved[: EXAMPLES - len(examples)]
    verdict = Agreement.CONTRADICTS if count else Agreement.FITS
    return Compatibility(
        verdict,
        count,
        tuple(examples),
        unsound,
        Renamed.IN_VAIN if moved else Renamed.NOTHING if origins.is_trivial else Renamed.FOUND,
        is_open,
        len(staying),
        tuple(staying[:EXAMPLES]),
        len(unread),
        tuple(unread[:EXAMPLES]),
    )


def together(fits: Sequence[Compatibility]) -> Compatibility:
    """Combine the fits of dumps that tar joined, each with the one before it; at least one."""
    verdicts = {one.verdict for one in fits}
    worst = next(one for one in (Agreement.CONTRADICTS, Agreement.UNKNOWN, Agreement.FITS) if one in verdicts)
    return Compatibility(
        worst,
        sum(one.unresolved for one in fits),
        tuple(islice(chain.from_iterable(one.examples for one in fits), EXAMPLES)),
        next((one.unsound for one in fits if one.unsound), ""),
        max((one.renamed for one in fits), key=lambda one: one.rank),
        any(one.is_open for one in fits),
        sum(one.overlooked for one in fits),
        tuple(islice(chain.from_iterable(one.overlooked_examples for one in fits), EXAMPLES)),
        sum(one.unread for one in fits),
        tuple(islice(chain.from_iterable(one.unread_examples for one in fits), EXAMPLES)),
    )


def unread(table: NameTable) -> list[bytes]:
    """
    The files that an archive lists as present but does not hold: sockets, and files that tar could not read or that
    vanished first.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: that of the directories that are not complete.
    """
    found: list[bytes] = []
    for path in sorted(table.incomplete()):
        found += _without_member(table, path)
    return found


def unchanged(table: NameTable) -> list[bytes]:
    """
    The names that an archive calls unchanged.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: that of all its listings.
    """
    return [
        join(path, name)
        for path in table.directories()
        if any(map(has_unchanged, table.listings(path)))
        for name in _marked(table, path, (Mark.UNCHANGED,))
    ]


def overruled(child: NameTable, between: NameTable, limit: int = EXAMPLES) -> tuple[bytes, ...]:
    """
    Files that *between* carries and *child* calls unchanged, the first *limit* of them by path.
    If *child* built on an archive before *between*, these files would be unchanged since then, but they are not. Files
    below directories that either archive renames are not reported: there, one path may mean two files.
    is reported below directories that either archive renames: there, one path may mean two files.

    Raises:
        MemberUnreadable: a listing is malformed.

    Cost: that of the directories in which *between* carries something.
    """
    found: list[bytes] = []
    files = between.files
    if between.has_odd_paths:
        return ()
    renamed = {canonical(path) for one in (*child.renames, *between.renames) for path in (one.old, one.new)}
    for number, folder in enumerate(files.folders):
        row = child.row(folder)
        if row is None or not row.listed or (renamed and _is_within(folder, renamed)):
            continue
        unchanged = _marked(child, folder, (Mark.UNCHANGED,))
        names = files.names.some(files.firsts[number], files.firsts[number + 1]) if unchanged else ()
        found += (join(folder, name) for name in names if name in unchanged)
        if len(found) >= limit:
            break
    return tuple(found[:limit])


def _is_within(path: bytes, directories: Container[bytes]) -> bool:
    """Whether *path*, or a directory above it, is one of *directories*."""
    while path not in directories:
        if not path:
            return False
        path = split(path)[0]
    return True


@frozen
class _Listed:
    """The directories of an archive that have a listing."""

    table: NameTable

    def __contains__(self, path: object) -> bool:
        row = self.table.row(path) if isinstance(path, bytes) else None
        return row is not None and bool(row.listed)


def _differing(child: NameTable, parent: NameTable, origins: DirectoryRenames) -> Iterator[tuple[bytes, bytes | None]]:
    """
    The directories of *child* whose names may differ from those in *parent*, each with its path there: None if it did
    not exist, or if another directory has taken its place.
    """
    if origins.is_trivial:
        for path in sorted(child.changed(parent)):
            if not _is_plain(child, path, parent, path):
                yield path, path
        return
    taken: set[bytes] = set()
    for path in child.directories():
        if not any(map(has_unchanged, child.listings(path))):
            continue
        was = origins.before(path)
        if was is None or was in taken:
            yield path, None
            continue
        taken.add(was)
        if not _is_plain(child, path, parent, was):
            yield path, was


def _is_plain(child: NameTable, path: bytes, parent: NameTable, was: bytes) -> bool:
    """Whether both have the same names, whatever they say of files: what the child calls unchanged was there."""
    row, before = child.row(path), parent.row(was)
    if row is None or not row.listed:
        return True
    return before is not None and row.named != b"" and row.named == before.named


def _names(table: NameTable, path: bytes) -> bool:
    """Whether a listing names *path* without saying what is in it: tar saw it, and left it out."""
    above, name = split(path)
    marks = (Mark.HERE, Mark.UNCHANGED)
    return name in _marked(table, above, marks)


def _lacking(child: NameTable, path: bytes, parent: NameTable, was: bytes | None) -> list[bytes]:
    """The names that *child* calls unchanged in *path* and that *parent* lacks at *was*, its path there."""
    unchanged = _marked(child, path, (Mark.UNCHANGED,))
    have = _marked(parent, was, (Mark.HERE, Mark.UNCHANGED)) if was is not None else {}
    # Names called here by an earlier listing, if tar joined several dumps.
    here = _marked(child, path, (Mark.HERE,)) if unchanged and len(child.listings(path)) > 1 else {}
    return [name for name in unchanged if name not in have and name not in here]


def _unread(child: NameTable, parent: NameTable, origins: DirectoryRenames) -> list[bytes]:
    """The files that *child* lists as present but does not hold, and *parent* has: tar could not read them."""
    found: list[bytes] = []
    for path in sorted(child.incomplete()):
        row, was = child.row(path), origins.before(path)
        if row is None or not row.listed or was is None:
            continue
        unchanged, here = _marked(parent, was, (Mark.UNCHANGED,)), _members(parent, was)
        for whole in _without_member(child, path):
            name = whole.rpartition(b"/")[2]
            if name in unchanged or name in here:
                found.append(whole)
    return found


def _without_member(table: NameTable, path: bytes) -> list[bytes]:
    """The names that a listing of *path* calls here, as paths, if the archive has no member for them."""
    have = _members(table, path)
    lacking = (name for name in _marked(table, path, (Mark.HERE,)) if name not in have)
    return [whole for name in lacking if table.row(whole := join(path, name)) is None]


def _members(table: NameTable, path: bytes) -> set[bytes]:
    """The names of the files in *path* that the archive holds."""
    within = table.files.within(path)
    return set(table.files.names.some(within.start, within.stop))


def _directories(parent: NameTable, was: bytes, origins: DirectoryRenames) -> set[bytes]:
    """The names of directories that *parent* has in *was*, and that have not moved elsewhere."""
    moved = origins.moved_from
    return {name for name in _marked(parent, was, (Mark.DIRECTORY,)) if join(was, name) not in moved}


def _marked(table: NameTable, path: bytes, marks: tuple[Mark, ...]) -> dict[bytes, Mark]:
    """The names with one of *marks* in a listing of *path*; several exist if tar was given the directory twice."""
    return {name: mark for listing in _listings(table, path) for name, mark in listing.names.items() if mark in marks}


def _listings(table: NameTable, path: bytes) -> Iterator[Dumpdir]:
    for listing in table.listings(path):
        yield dumpdir_of(table.position(path) * BLOCK_BYTES, listing)
