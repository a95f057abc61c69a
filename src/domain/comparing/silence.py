"""
Completing an archive: what it says nothing of stays as the archive before has it.

An archive speaks for the directories that it has listings of, and for the members it holds. A name missing from a
listing was deleted. The archive says nothing of anything else: of a directory that tar was not given again, of what is
beside a folder that was dumped alone, of an unchanged file given as an argument, of a directory that the listing above
calls unchanged because tar skipped it: it could not be read, is on another file system, was excluded, or was overlooked
after renames. GNU tar, extracting, leaves all of that in place.

So an archive is *completed* from the one before: directories that it says nothing of get a listing that calls all
files in them unchanged. A completed table describes the whole tree, and its readers need no rule for silence. Mostly
nothing needs completing, which shows where the listings of two archives differ.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

from ..errors.restoring import TreeTooLarge
from ..names.columns import dumpdir_of
from ..names.name_table import Files, NameTable, OpenTable, Row, is_odd, mark_of, origins_between
from ..names.table_maker import digest
from ..tar.dumpdirs import Mark, Rename
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import DIRECTORY_BYTES, NAME_BYTES, join, split

_FEW = 1000  # up to this many folders are looked up one by one


def says_nothing_of(table: NameTable, directory: bytes) -> bool:
    """
    Whether the archive says nothing of what is in *directory*, a canonical path: neither that it exists nor is deleted.

    Cost: a look-up for each directory above it.
    """
    said = _said_of(table, directory)
    return said is _NOTHING or (isinstance(said, Mark) and said.may_stay)


def leaves_open(table: NameTable, directory: bytes) -> bool:
    """
    Whether the next archive may call unchanged what is in *directory*, though this one says nothing of it.

    It may not if this one calls the directory itself unchanged, or one above it: tar, which skipped that, forgets what
    it knew, and archives all of it next time.
    """
    said = _said_of(table, directory)
    return said is _NOTHING or said is Mark.DIRECTORY


_NOTHING = object()


def _said_of(table: NameTable, directory: bytes) -> object:
    """
    What the nearest listing above *directory* says of the way down to it: a mark, None if that is deleted; `_NOTHING`
    without such a listing. Also None if *directory* has a listing of its own.
    """
    at, name = directory, b""
    while True:
        row = table.row(at)
        if row is not None and row.listed:
            return mark_of(table, join(at, name)) if at != directory else None
        if not at:
            return _NOTHING
        at, name = split(at)


@frozen
class KeptFolder:
    """
    A directory that an archive says nothing of: the listing that completes it, and where its member is.

    *archive* is the index of the last archive that described it, *position* that of its member there in blocks of 512
    bytes, -1 without one. *listing* calls all files unchanged.
    """

    archive: int
    position: int
    listing: bytes
    row: Row

    @classmethod
    def of(cls, archive: int, position: int, names: Mapping[bytes, Mark]) -> KeptFolder:
        letters = {Mark.DIRECTORY: b"D"}
        listing = b"".join(letters.get(mark, b"N") + name + b"\0" for name, mark in names.items()) + b"\0"
        its = digest(listing)
        return cls(archive, position, listing, Row(its, its, True))


@frozen(eq=False)
class Kept:
    """The directories that an archive says nothing of, by path, ascending."""

    folders: Mapping[bytes, KeptFolder] = field(factory=dict)
    paths: Sequence[bytes] = field(init=False)

    @paths.default
    def _sorted(self) -> Sequence[bytes]:
        return sorted(self.folders)

    def __bool__(self) -> bool:
        return bool(self.folders)

    def below(self, top: bytes) -> Iterator[bytes]:
        """The paths that are *top*, or below it."""
        if not top:
            yield from self.paths
            return
        if top in self.folders:
            yield top
        start = bisect_left(self.paths, top + b"/")
        yield from self.paths[start : bisect_left(self.paths, top + b"0", start)]


NOTHING = Kept()


@frozen(eq=False)
class Completed:
    """The `NameTable` of an archive, completed with what it says nothing of."""

    table: NameTable
    kept: Kept

    @property
    def files(self) -> Files:
        return self.table.files

    @property
    def has_odd_paths(self) -> bool:
        return self.table.has_odd_paths

    @property
    def renames(self) -> Sequence[Rename]:
        return self.table.renames

    @property
    def has_listings(self) -> bool:
        return self.table.has_listings

    @property
    def is_joined(self) -> bool:
        return self.table.is_joined

    def directories(self) -> Sequence[bytes]:
        return sorted({*self.table.directories(), *self.kept.paths})

    def row(self, path: bytes) -> Row | None:
        kept = self.kept.folders.get(path)
        return kept.row if kept is not None else self.table.row(path)

    def position(self, path: bytes) -> int:
        kept = self.kept.folders.get(path)
        return max(0, kept.position) if kept is not None else self.table.position(path)

    def positions(self) -> Sequence[int]:
        return [self.position(path) for path in self.directories()]

    def listings(self, path: bytes) -> Sequence[bytes]:
        kept = self.kept.folders.get(path)
        return (kept.listing,) if kept is not None else self.table.listings(path)

    def changed(self, other: NameTable) -> set[bytes]:
        return changed(self, other)

    def incomplete(self) -> Iterable[bytes]:
        return [path for path in self.table.incomplete() if path not in self.kept.folders]


def changed(one: NameTable, other: NameTable) -> set[bytes]:
    """`NameTable.changed` for tables that may be completed; it may return a few directories too many."""
    (raw, kept), (other_raw, other_kept) = _parts(one), _parts(other)
    found = raw.changed(other_raw)
    if kept is not other_kept:
        found.update(kept.paths, other_kept.paths)
    return found


def leaves_out(table: NameTable, before: NameTable, differing: Iterable[bytes]) -> bool:
    """
    Whether *table* says nothing of something that *before*, the archive before it, describes.

    *differing* are directories whose listings differ, or that have a listing in only one of the two; those with a
    listing in *table* may be missing from it.
    """
    moved = moved_between(table, before)
    if any(True for _ in _left(table, before, differing, moved)):
        return True
    return any(_stays(after(path, moved), table) for path, _ in strays(before))


def completed(path: Sequence[OpenTable], limit_bytes: int) -> tuple[Sequence[OpenTable], Kept]:
    """
    The archives of a restore point, the base first, each completed from those before it; and what the last leaves out.

    *limit_bytes* is how much names and paths may take in memory, by the measure of `tar.paths`.

    Raises:
        TreeTooLarge: what the archives say nothing of takes more.
        MemberUnreadable: a relevant listing is malformed.
    """
    looked = _Looking(limit_bytes)
    before: NameTable | None = None
    found: list[OpenTable] = []
    for index, opened in enumerate(path):
        table = opened()
        if before is not None:
            looked.go_on(index, table, before)
        found.append(_opening(opened, looked.kept))
        before = table
    return found, looked.kept


def _opening(opened: OpenTable, kept: Kept) -> OpenTable:
    return (lambda: Completed(opened(), kept)) if kept else opened


def _parts(table: NameTable) -> tuple[NameTable, Kept]:
    return (table.table, table.kept) if isinstance(table, Completed) else (table, NOTHING)


@define
class _Looking:
    """Goes from archive to archive, with what each says nothing of."""

    limit_bytes: int
    kept: Kept = NOTHING
    _held_bytes: int = 0

    def go_on(self, index: int, table: NameTable, before: NameTable) -> None:
        """Work out what *table*, the archive number *index*, says nothing of; *before* is the one before it."""
        moved = moved_between(table, before)
        differing = table.changed(before)
        left = _by_folder(moved)

        def gone(path: bytes, now: bytes) -> set[bytes]:
            """The names that were in *path* and have since moved out of *now* or been renamed in it."""
            return {name for name, to in left.get(path, ()) if to != join(now, name)}

        found = dict(self.kept.folders)
        if moved or any(map(self._has_kept_below, differing)):
            found = {}
            for path in self.kept.paths:
                if _stays(now := after(path, moved), table):
                    found[now] = self._without(self.kept.folders[path], gone(path, now))
        for path, now in _left(table, before, differing, moved):
            found[now] = self._folder(index - 1, before.position(path), path, before, gone(path, now))
        for path, names in strays(before):
            if _stays(now := after(path, moved), table):
                found[now] = self._with(found.get(now), names)
        for path in {above for kept in found for above in _with_those_above(kept)}:
            if table.files.at(path):
                self._drop(found, path)
        if found.keys() != self.kept.folders.keys() or any(
            folder is not self.kept.folders[path] for path, folder in found.items()
        ):
            self.kept = Kept(found)

    def _has_kept_below(self, path: bytes) -> bool:
        return any(True for _ in self.kept.below(path))

    def _folder(self, archive: int, position: int, path: bytes, table: NameTable, gone: Container[bytes]) -> KeptFolder:
        names: dict[bytes, Mark] = {}
        for listing in table.listings(path):
            for name, mark in dumpdir_of(position * BLOCK_BYTES, listing).names.items():
                if name not in gone and (mark is Mark.DIRECTORY or name not in names):
                    names[name] = mark
        return self._held(path, KeptFolder.of(archive, position, names))

    def _without(self, folder: KeptFolder, gone: Container[bytes]) -> KeptFolder:
        """*folder* without the names in *gone*."""
        known = dumpdir_of(0, folder.listing).names if gone else {}
        left = {name: mark for name, mark in known.items() if name not in gone}
        return folder if len(left) == len(known) else KeptFolder.of(folder.archive, folder.position, left)

    def _with(self, folder: KeptFolder | None, names: Iterable[bytes]) -> KeptFolder:
        """*folder* with *names* added."""
        known = dict(dumpdir_of(0, folder.listing).names) if folder is not None else {}
        new = {name: Mark.UNCHANGED for name in names if name not in known}
        if folder is not None and not new:
            return folder
        archive, position = (folder.archive, folder.position) if folder is not None else (0, -1)
        return self._held(b"", KeptFolder.of(archive, position, {**known, **new}))

    def _held(self, path: bytes, folder: KeptFolder) -> KeptFolder:
        self._held_bytes += len(path) + DIRECTORY_BYTES + len(folder.listing) + NAME_BYTES * folder.listing.count(b"\0")
        if self._held_bytes > self.limit_bytes:
            raise TreeTooLarge(self.limit_bytes)
        return folder

    def _drop(self, found: dict[bytes, KeptFolder], path: bytes) -> None:
        """Drop everything at and below *path*, where a file is now."""
        for gone in [one for one in found if one == path or one.startswith(path + b"/")]:
            del found[gone]


def _left(
    table: NameTable, before: NameTable, differing: Iterable[bytes], moved: Mapping[bytes, bytes]
) -> Iterator[tuple[bytes, bytes]]:
    """The directories of *before* that *table* says nothing of, each with its path in *table*."""
    for path in sorted({*differing}.union(*(_below(path, before) for path in moved))):
        row = before.row(path)
        if row is not None and row.listed and not is_odd(path) and _stays(now := after(path, moved), table):
            yield path, now


def _stays(directory: bytes, table: NameTable) -> bool:
    return not is_odd(directory) and says_nothing_of(table, directory)


def moved_between(table: NameTable, before: NameTable) -> dict[bytes, bytes]:
    """For each renamed directory, its path in *before* -> its path in *table*."""
    origins = origins_between(table, before)
    found: dict[bytes, bytes] = {}
    if origins.is_trivial:
        return found
    for now in sorted(origins.concerned):
        was = origins.before(now)
        if was is not None and was != now:
            found[was] = now
    return found


def _with_those_above(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = split(path)[0]


def _below(path: bytes, table: NameTable) -> Sequence[bytes]:
    """The directories of *table* that are *path*, or below it, and some whose names only begin like that."""
    paths = table.directories()
    if not path:
        return paths
    return paths[bisect_left(paths, path) : bisect_left(paths, path + b"0")]


def after(path: bytes, moved: Mapping[bytes, bytes]) -> bytes:
    """The path of *path* after directories have *moved*."""
    if not moved:
        return path
    at, below = path, b""
    while at:
        if at in moved:
            return moved[at] + below
        at, name = split(at)
        below = b"/" + name + below
    return moved[b""] + below if b"" in moved else path


def _by_folder(moved: Mapping[bytes, bytes]) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """What moved, by the directory that it was in: its name there, and its new path."""
    found: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for was, now in moved.items():
        if was:
            above, name = split(was)
            found.setdefault(above, []).append((name, now))
    return found


def strays(table: NameTable) -> Iterator[tuple[bytes, list[bytes]]]:
    """
    Files in directories that have no member: tar was given these files one by one, and no listing names them.

    Yields each such directory, with the names of these files.
    """
    files = table.files
    folders = files.folders
    alone = set(folders).difference(table.directories()) if len(folders) > _FEW else None
    for number, folder in enumerate(folders):
        if (folder in alone if alone is not None else table.row(folder) is None) and not is_odd(folder):
            names = files.names.some(files.firsts[number], files.firsts[number + 1])
            if names := [name for name in names if name not in (b"", b".", b"..")]:
                yield folder, names
