"""
Archives that tar joined: ``tar --concatenate``, or ``--append`` with a snapshot file, puts several dumps into one tar.

When it extracts, tar carries them out one after the other, so a directory that is listed twice ends as the second
listing says. Such an archive is split into its dumps, and each part is then treated like any other archive: what a
later part calls unchanged is in an earlier one, what it does not list is deleted, and what it renames is renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors.content import MemberUnreadable
from .columns import DIRECTORY, MemberColumns
from .name_table import NameTable, tells_of_renames
from .table_maker import held_table

MAX_PARTS = 64
"""More than any real archive has; each part costs the memory of all its names."""


def taken_apart(archive: Iterable[MemberColumns], limit_bytes: int) -> Sequence[NameTable]:
    """
    The tables of the dumps in *archive*, in their order.

    A new dump begins at a directory that was listed before, or at a listing with renames, which only the first listing
    of a dump has.

    Raises:
        TreeTooLarge: one has more names than *limit_bytes* allows for.
        MemberUnreadable: there are more than `MAX_PARTS`; or as raised by *archive*.
    """
    parts: list[list[MemberColumns]] = [[]]
    listed: set[bytes] = set()
    for names in archive:
        begin = 0
        for place, (letter, path, extra) in enumerate(zip(names.letters, names.paths, names.extras, strict=True)):
            if letter != DIRECTORY or not extra:
                continue
            if path in listed or (listed and tells_of_renames(extra)):
                parts[-1].append(_some(names, begin, place))
                parts.append([])
                begin = place
                listed.clear()
                if len(parts) > MAX_PARTS:
                    raise MemberUnreadable(names.positions[place], f"more than {MAX_PARTS} dumps are joined in it")
            listed.add(path)
        parts[-1].append(_some(names, begin, len(names.positions)))
    return [held_table(part, limit_bytes) for part in parts]


def _some(names: MemberColumns, begin: int, stop: int) -> MemberColumns:
    return MemberColumns(
        names.positions[begin:stop],
        names.letters[begin:stop],
        names.paths[begin:stop],
        names.extras[begin:stop],
        names.spans[begin:stop],
    )
