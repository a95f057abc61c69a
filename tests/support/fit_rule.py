"""The rule of `compatibility.fit`, applied to every listing one by one: slow, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tarkeep.domain.comparing.fit import Agreement, Renamed
from tarkeep.domain.names.renames import DirectoryRenames
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark
from tarkeep.domain.tar.paths import canonical, join, split

Listings = Iterable[tuple[bytes, Dumpdir]]


def fit_by_the_rule(
    child: Listings,
    parent: Listings,
    is_left_out: Callable[[bytes], bool] = lambda _path: False,
    *,
    is_base: bool = False,
) -> tuple[Agreement, set[bytes], Renamed, bool]:
    """The verdict, every path that the parent lacks, the renames, and whether anything is left open."""
    listed = [(canonical(path), listing) for path, listing in child]
    had = [(canonical(path), listing) for path, listing in parent]
    if not listed or not had:
        return Agreement.UNKNOWN, set(), Renamed.NOTHING, False
    directories = {path for path, _ in listed}
    origins = DirectoryRenames(  # tar writes all renames into the first listing
        listed[0][1].renames,
        had[0][1].renames,
        lambda: sorted(directories),
        lambda: sorted({path for path, _ in had}),
    )
    # A directory may have several listings, if tar was given it twice.
    wanted: dict[bytes, set[bytes]] = {}
    for path, listing in listed:
        if unchanged := {name for name, mark in listing.names.items() if mark is Mark.UNCHANGED}:
            wanted.setdefault(path, set()).update(unchanged)
    for path, listing in listed:  # a name that any of several listings calls present is in the archive
        wanted.get(path, set()).difference_update(name for name, mark in listing.names.items() if mark is Mark.HERE)
    have: dict[bytes, set[bytes]] = {}
    for path, listing in had:
        gone = {name for name, mark in listing.names.items() if join(path, name) in origins.moved_from}
        here = {name for name, mark in listing.names.items() if mark is not Mark.DIRECTORY or name not in gone}
        have.setdefault(path, set()).update(here)
    marks = {path: listing.names for path, listing in had}  # the last of several listings

    def is_silent(directory: bytes | None) -> bool:
        if directory is None or directory in marks or is_base:
            return False
        while directory:
            directory, name = split(directory)
            if directory in marks:
                return marks[directory].get(name) is Mark.DIRECTORY
        return True

    def is_left_out_there(path: bytes) -> bool:
        above, name = split(path)
        return any(one.names.get(name) in (Mark.HERE, Mark.UNCHANGED) for at, one in had if at == above)

    lacking = {
        path for path in origins.moved_from if path not in have and not is_silent(path) and not is_left_out_there(path)
    }
    renamed = Renamed.IN_VAIN if lacking else Renamed.NOTHING if origins.is_trivial else Renamed.FOUND
    taken: set[bytes] = set()
    is_open = False
    for path in sorted(wanted):
        before = origins.before(path)
        there = have.get(before, set()) if before is not None and before not in taken else set()
        is_first = before is not None and before not in taken
        if before is not None:
            taken.add(before)
        names = {
            whole
            for name in wanted[path]
            if (whole := join(path, name)) not in directories and not is_left_out(whole) and name not in there
        }
        if names and is_first and is_silent(before):
            is_open = True
        else:
            lacking |= names
    verdict = Agreement.CONTRADICTS if lacking else Agreement.FITS
    return verdict, lacking, renamed, is_open
