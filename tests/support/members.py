"""Members and archives as values, for tests of code that processes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from attrs import evolve

from tarkeep.adapters.targz.limits import InspectionLimits
from tarkeep.adapters.targz.tar_walk import TarWalk
from tarkeep.domain.comparing.directory_times import pairs
from tarkeep.domain.comparing.fit import Compatibility
from tarkeep.domain.comparing.fitting import fit as fit_tables
from tarkeep.domain.names.columns import DIRECTORY, HARD_LINK, OTHER, MemberColumns
from tarkeep.domain.names.name_table import OpenTable
from tarkeep.domain.names.table_maker import held_table
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename, written_dumpdir
from tarkeep.domain.tar.members import Member, MemberRecord, MemberType
from tarkeep.domain.tar.paths import MAX_HELD_BYTES, canonical
from tarkeep.domain.trees.merging import merge as merge_tables
from tarkeep.domain.trees.tree import Tree

ArchiveNames: TypeAlias = Callable[[], Iterable[MemberColumns]]
"""The names of one archive; each call begins anew."""


def records(tar: bytes) -> list[MemberRecord]:
    """The records of a whole tar."""
    found: list[MemberRecord] = []
    walk = TarWalk(InspectionLimits(), found.extend)
    walk.feed(tar)
    walk.finish()
    return found


def member(
    path: bytes, type: MemberType = MemberType.FILE, *, size: int = 1, mtime: int = 1, link: bytes = b""
) -> Member:
    return Member(path, type, 0o644, 0, 0, b"", b"", size, mtime, link, None, 0, 512, size, False, None)


def directory(path: bytes, names: str = "", *renames: tuple[bytes, bytes], mtime: int = 1) -> Member:
    """A directory with a listing; *names* such as ``"Ya Nb Dc"``."""
    marks = {name[1:].encode(): Mark(name[:1].encode()) for name in names.split()}
    listing = Dumpdir(marks, tuple(Rename(*rename) for rename in renames))
    return Member(path, MemberType.DIRECTORY, 0o755, 0, 0, b"", b"", 0, mtime, b"", None, 0, 512, 0, False, listing)


def archive(*members: Member | bytes) -> Callable[[], Sequence[Member]]:
    """An archive of *members*, in order, as `merge` below takes it. A bare name stands for a file of that name."""
    placed = [
        evolve(one if isinstance(one, Member) else member(one), at=number * 1024) for number, one in enumerate(members)
    ]
    return lambda: placed


def names(members: Callable[[], Iterable[Member]]) -> ArchiveNames:
    """The names of an archive as `merge` takes them, three to a table."""

    def tables() -> Iterator[MemberColumns]:
        rest = iter(members())
        while some := list(islice(rest, 3)):
            letters, extras = zip(*map(_letter_and_extra, some), strict=True)
            paths = [canonical(one.path) for one in some]
            yield MemberColumns([one.at for one in some], bytes(letters), paths, extras, [0] * len(some))

    return tables


def _letter_and_extra(one: Member) -> tuple[int, bytes]:
    if one.type is MemberType.DIRECTORY:
        return DIRECTORY, b"" if one.listing is None else written_dumpdir(one.listing)
    return (HARD_LINK, canonical(one.link)) if one.type is MemberType.HARD_LINK else (OTHER, b"")


def merge(path: Sequence[Callable[[], Iterable[Member]]], is_exact: bool, is_proven: bool = False) -> Tree:
    """`tarkeep.domain.trees.merging.merge` for archives of given members."""
    return merge_tables([table(members) for members in path], is_exact, is_proven)


def table(members: Callable[[], Iterable[Member]]) -> OpenTable:
    return lambda: held_table(names(members)(), MAX_HELD_BYTES)


def fit(
    child: Callable[[], Iterable[Member]],
    parent: Callable[[], Iterable[Member]],
    is_left_out: Callable[[bytes], bool] | None = None,
    *,
    is_base: bool = False,
) -> Compatibility:
    """`tarkeep.domain.comparing.fitting.fit` for archives of given members."""
    return fit_tables(table(child)(), table(parent)(), is_left_out, is_base=is_base)


def earlier(child: Callable[[], Iterable[Member]], parent: Callable[[], Iterable[Member]]) -> bytes:
    """A directory with an earlier time in *child*, or b"" (see `directory_times`)."""
    here, there = ({one.at: one.mtime_ns for one in members()} for members in (child, parent))
    found = (
        pair.path
        for pair in pairs(table(child)(), table(parent)())
        if pair.is_earlier(here[pair.child_at], there[pair.parent_at])
    )
    return next(found, b"")
