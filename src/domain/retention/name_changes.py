"""
How the files of one archive differ from those of an earlier one: what is gone, what is new, and what is in the archive.

Only directories whose names differ are looked at. A file that was moved is neither gone nor new: files count as moved
if one of the same name went from one place and appeared in another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import evolve, frozen

from ..names.name_table import NameTable

_MAX_SUFFIX_BYTES = 24  # a longer one is no suffix, but a part of a name
_SUFFIXES_TRIED = 3


@frozen
class NameChanges:
    """
    Numbers of files, that is of whatever is not a directory.

    *before* were in the earlier tree and *now* are in the later one, of which *carried* are in its archive. *gone* were
    there before only, *new* are there now only: 0 if nobody compared names. *suffix* is the most frequent one of the
    new that no file had before, such as ``b".locked"``, and *suffixed* have it; b"" and 0 without one.
    """

    before: int
    now: int
    carried: int
    gone: int
    new: int = 0
    suffix: bytes = b""
    suffixed: int = 0


def name_changes(counted: NameChanges, later: NameTable, earlier: NameTable, few: int) -> NameChanges:
    """
    *counted*, with what the names say; a suffix of fewer than *few* files is not looked for.

    Archives with listings know the whole tree, others only the files that are in them.

    Raises:
        RecordsMissing: a part of a table is damaged.

    Cost: grows with the directories of both, and with the names of those that changed.
    """
    appeared: Counter[bytes] = Counter()
    vanished: Counter[bytes] = Counter()
    for directory in _changed(later, earlier):
        was, now = _files_in(earlier, directory), _files_in(later, directory)
        appeared.update(now - was)
        vanished.update(was - now)
    new = appeared - vanished
    suffix, suffixed = _unknown_suffix(new, earlier, few)
    return evolve(counted, gone=(vanished - appeared).total(), new=new.total(), suffix=suffix, suffixed=suffixed)


def _changed(later: NameTable, earlier: NameTable) -> Iterable[bytes]:
    if not (later.has_listings and earlier.has_listings):
        return {*later.files.folders, *earlier.files.folders}
    return (directory for directory in later.changed(earlier) if not _names_the_same(later, earlier, directory))


def _names_the_same(later: NameTable, earlier: NameTable, directory: bytes) -> bool:
    now, was = later.row(directory), earlier.row(directory)
    return now is not None and was is not None and now.named == was.named != b""


def _files_in(table: NameTable, directory: bytes) -> set[bytes]:
    if not table.has_listings:
        within = table.files.within(directory)
        return set(table.files.names.some(within.start, within.stop))
    listings = table.listings(directory)
    return {entry[1:] for entry in listings[-1].split(b"\0") if entry[:1] in (b"Y", b"N")} if listings else set()


def _listings(table: NameTable) -> Iterable[bytes]:
    """The last listing of each directory that has one."""
    found = map(table.listings, table.directories())
    return (listings[-1] for listings in found if listings)


def _unknown_suffix(new: Counter[bytes], earlier: NameTable, few: int) -> tuple[bytes, int]:
    if new.total() < few:
        return b"", 0
    suffixes: Counter[bytes] = Counter()
    for name, count in new.items():
        dot = name.rfind(b".")
        if dot > 0 and len(name) - dot <= _MAX_SUFFIX_BYTES:
            suffixes[name[dot:]] += count
    for suffix, count in suffixes.most_common(_SUFFIXES_TRIED):
        if count >= few and not _is_known(suffix, earlier):
            return suffix, count
    return b"", 0


def _is_known(suffix: bytes, table: NameTable) -> bool:
    ending = suffix + b"\0"
    if table.has_listings:
        return any(ending in listing for listing in _listings(table))
    names = table.files.names
    return ending in names.packed(0, len(names))
