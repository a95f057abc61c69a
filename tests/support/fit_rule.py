"""The rule of `tarkeep.domain.fitting.fit`, told with every listing taken apart: slow, and to be compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tarkeep.domain.chains import FitVerdict
from tarkeep.domain.listings import Origins, canonical, join, split
from tarkeep.domain.members import Listing, Mark

Listings = Iterable[tuple[bytes, Listing]]


def fit_by_the_rule(
    child: Listings, parent: Listings, is_left_out: Callable[[bytes], bool] = lambda _path: False
) -> tuple[FitVerdict, set[bytes], bool, bool]:
    """The verdict, every path that the parent lacks, whether it is sound, and whether excusable."""
    listed = [(canonical(path), listing) for path, listing in child]
    had = [(canonical(path), listing) for path, listing in parent]
    if not listed or not had:
        return FitVerdict.UNKNOWN, set(), True, True
    origins = Origins([rename for _, listing in listed for rename in listing.renames], had[0][1].renames)
    directories = {path for path, _ in listed}
    wanted: dict[bytes, list[bytes]] = {}
    for path, listing in listed:
        if unchanged := [name for name, mark in listing.names.items() if mark is Mark.UNCHANGED]:
            wanted[path] = unchanged
    tree: dict[bytes, Listing] = {}
    for path, listing in had:
        tree.setdefault(path, listing)
    lacking: set[bytes] = set(origins.moved_from) - set(tree)
    taken: set[bytes] = set()
    for path, names in wanted.items():
        before = origins.before(path)
        have = tree[before].names if before is not None and before in tree and before not in taken else {}
        if before is not None:
            taken.add(before)
        lacking |= {
            whole
            for name in names
            if (whole := join(path, name)) not in directories
            and not is_left_out(whole)
            and have.get(name) not in (Mark.HERE, Mark.UNCHANGED)
        }
    is_sound = origins.is_sound(directories)
    for path, listing in had:
        if path in origins.targets and listing.names:
            is_sound = False
    for path in origins.targets | origins.ways:
        above, name = split(path)
        if origins.targets and any(
            listing.names.get(name, Mark.DIRECTORY) is not Mark.DIRECTORY for at, listing in had if at == above
        ):
            is_sound = False
    verdict = FitVerdict.CONTRADICTS if lacking else FitVerdict.FITS
    return verdict, lacking, is_sound, origins.is_trivial
