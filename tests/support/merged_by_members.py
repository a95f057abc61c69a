"""
Trees merged the slow way: every member of every archive is read, and every name has an entry in a dictionary.

The results of `tarkeep.domain.trees.merging` are compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import TypeAlias

from tarkeep.domain.errors.restoring import TreeTooLarge
from tarkeep.domain.names.columns import DIRECTORY, HARD_LINK, MemberColumns, dumpdir_of, listings
from tarkeep.domain.names.renames import DirectoryRenames
from tarkeep.domain.tar.dumpdirs import Mark, Rename
from tarkeep.domain.tar.paths import (
    DIRECTORY_BYTES,
    MAX_HELD_BYTES,
    MAX_LEVELS,
    NAME_BYTES,
    canonical,
    is_placeable,
    join,
    split,
)
from tarkeep.domain.trees.tree import Entry, Gap, GapKind
from tests.support.members import ArchiveNames

GAPS_NAMED = 1000
"""The maximal number of gaps that a tree names."""

_BLOCK = 512
_WAITING_BYTES = 8 << 20  # of listings that are held while one archive is read
# Values of an entry that are no positions of members, which are numbers from 0 on.
_PROMISED = -1  # a listing says that it is in the current archive
_WANTED = -2  # in an earlier archive
_IMPLIED = -3  # a directory without a member, above the members
_LISTED = {Mark.UNCHANGED: _WANTED, Mark.HERE: _PROMISED, Mark.DIRECTORY: _IMPLIED}


def names_bytes(names: Collection[bytes]) -> int:
    """The memory that *names* count for, out of `MAX_HELD_BYTES`."""
    return sum(map(len, names)) + NAME_BYTES * len(names)


class Tree:
    """
    The names at a point. Paths are canonical (see `listings`), b"" is the root.

    *gaps* are names without content, the first `GAPS_NAMED` of them; *losses* counts the gaps, named or not, that keep
    the point from being restored.
    """

    def __init__(self, archives: int) -> None:
        self._archives = archives
        self._tables: dict[bytes, dict[bytes, int]] = {b"": {}}
        self._root = _IMPLIED
        self._links: dict[int, int] = {}
        self._gaps: list[Gap] = []
        self._losses = 0
        self._held_bytes = 0

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(self._gaps)

    @property
    def losses(self) -> int:
        return self._losses

    def __len__(self) -> int:
        """The number of names, without the root."""
        return sum(map(len, self._tables.values()))

    def entries(self) -> set[Entry]:
        """All names."""
        return {
            self._entry(join(above, name), value)
            for above, names in self._tables.items()
            for name, value in names.items()
        }

    def entry(self, path: bytes) -> Entry | None:
        """The name at *path*, given in any form, or None."""
        path = canonical(path)
        if not path:
            return self._entry(path, self._root)
        directory, name = split(path)
        value = self._tables.get(directory, {}).get(name)
        return self._entry(path, value) if value is not None else None

    def _entry(self, path: bytes, value: int) -> Entry:
        is_directory = path in self._tables
        if value < 0:
            return Entry(path, is_directory, None, None, None, None)
        content = self._links.get(value, value)
        return Entry(
            path,
            is_directory,
            value % self._archives,
            self._at(value),
            content % self._archives,
            self._at(content),
        )

    def _value(self, archive: int, at: int) -> int:
        return at // _BLOCK * self._archives + archive

    def _at(self, value: int) -> int:
        return value // self._archives * _BLOCK

    def _gap(self, path: bytes, kind: GapKind) -> None:
        self._losses += kind.is_loss
        if len(self._gaps) < GAPS_NAMED:
            self._gaps.append(Gap(path, kind))

    def _hold(self, count_bytes: int) -> None:
        self._held_bytes += count_bytes
        if self._held_bytes > MAX_HELD_BYTES:
            self._tables.clear()  # the error keeps this object alive as long as it is referenced
            raise TreeTooLarge(MAX_HELD_BYTES)

    def _put(self, directory: bytes, name: bytes, value: int) -> None:
        table = self._directory(directory)
        if name not in table:
            self._hold(names_bytes((name,)))
        table[name] = value

    def _directory(self, path: bytes) -> dict[bytes, int]:
        """The table of *path*, which is made a directory along with all above it, if necessary."""
        table = self._tables.get(path)
        if table is not None:
            return table
        missing = []
        while path not in self._tables:
            self._hold(len(path) + DIRECTORY_BYTES)
            missing.append(path)
            path = split(path)[0]
        for directory in reversed(missing):
            self._tables[directory] = {}
            above, name = split(directory)
            table = self._tables[above]
            # other listings of the same directory are no longer searched for the name
            if table.get(name, _WANTED) in (_WANTED, _PROMISED):
                table[name] = _IMPLIED
        return self._tables[missing[0]]


def merge(path: Sequence[ArchiveNames], is_exact: bool, is_proven: bool = False) -> Tree:
    """
    The tree at the end of *path*, the archives of a restore point, the base first.

    *is_exact* means that all of them have listings (the point's fidelity). *is_proven* means that all links of the path
    are proven: then a name called unchanged that did not exist before was excluded by an option of tar, and is no loss.
    The exception are renamed directories: tar is known to forget names there that it should archive.

    Each archive is read once, the last first; once more only for a hard link to a member that was replaced. A member
    with ``..`` in its path is ignored, as by tar.

    Raises:
        TreeTooLarge: the tree has more names than can be held.
        MemberUnreadable: a listing that matters is malformed.
    """
    tree = Tree(max(1, len(path)))
    if not path:
        return tree
    return _Exact(tree, path, is_proven).merged() if is_exact else _Overlay(tree, path).merged()


def _renames(archive: ArchiveNames) -> Sequence[Rename]:
    """The renames of an archive. tar writes all of them into the first listing."""
    return next((listing.renames for _, listing in listings(archive())), ())


def _directories(archive: ArchiveNames) -> Sequence[bytes]:
    return sorted(
        {
            path
            for names in archive()
            for letter, path in zip(names.letters, names.paths, strict=True)
            if letter == DIRECTORY
        }
    )


def _placed(
    tree: Tree, archive: Iterable[MemberColumns], wanted: Container[bytes] | None = None
) -> Iterator[tuple[int, int, bytes, bytes]]:
    """
    Position, letter, path and extra of the members of *archive* that have a place in *tree*; members without a place
    matter only in *wanted* directories.
    """
    for names in archive:
        members = zip(names.positions, names.letters, names.paths, names.extras, strict=True)
        if max(map(len, names.paths), default=0) <= MAX_LEVELS and b".." not in b"\0".join(names.paths):
            yield from members
            continue
        for member in members:
            path = member[2]
            leads_upwards = b".." in path and b".." in path.split(b"/")
            if is_placeable(path) and not leads_upwards:
                yield member
            elif wanted is None or split(path)[0] in wanted:
                tree._gap(path, GapKind.UPWARDS if is_placeable(path) else GapKind.TOO_DEEP)


_Wanted: TypeAlias = dict[bytes, tuple[bytes, list[bytes]]]
"""Directories in the tree of the current archive -> the same ones at the end, and their wanted names."""


class _Exact:
    """
    Names of the last archive; then backwards, for the content of names that are called unchanged.

    If a directory has byte for byte the same listing in the current archive as in the next one, it adds nothing: names
    wanted there were called unchanged, and so they are here. A listing with the same names can only tell that some of
    them are here.
    """

    def __init__(self, tree: Tree, path: Sequence[ArchiveNames], is_proven: bool) -> None:
        self._tree = tree
        self._path = path
        self._is_excused = is_proven  # names missing in the current archive were left out
        self._listed: list[tuple[bytes, bytes]] = []  # directories, by where they are and their names
        # Hashes of listings by directory, for listings that call the wanted names unchanged.
        self._behind: dict[bytes, int] = {}
        self._names_behind: dict[bytes, int] = {}  # hashes of their names alone, ignoring the marks of files

    def merged(self) -> Tree:
        tree, tables = self._tree, self._tree._tables
        self._take_last()
        renames = _renames(self._path[-1])
        wanted: _Wanted = {}
        for directory, table in tables.items():
            names = [name for name, value in table.items() if value == _WANTED]
            if names:
                wanted[directory] = (directory, names)
        for index in range(len(self._path) - 2, -1, -1):
            if not wanted:
                break
            earlier = _renames(self._path[index])
            now, before = (partial(_directories, self._path[at]) for at in (index + 1, index))
            origins = DirectoryRenames(renames, earlier, now, before)
            if not origins.is_trivial:
                wanted = self._mapped_back(wanted, origins)
                self._behind.clear()
                self._names_behind.clear()
            self._find(index, wanted)
            renames = earlier
        for final, names in wanted.values():
            for name in names:
                if tables[final].get(name) == _WANTED:
                    del tables[final][name]
                    tree._gap(join(final, name), GapKind.LEFT_OUT)
        return tree

    def _take_last(self) -> None:
        tree, last = self._tree, len(self._path) - 1
        links: dict[int, bytes] = {}
        listed_twice: set[bytes] = set()
        for at, letter, path, extra in _placed(tree, self._path[last]()):
            value = tree._value(last, at)
            directory, name = split(path)
            if letter != DIRECTORY:
                tree._put(directory, name, value)
                if letter == HARD_LINK:
                    links[value] = extra
                continue
            table = tree._directory(path)
            if path:
                tree._tables[directory][name] = value
            else:
                tree._root = value
            if not extra:
                continue
            if path in self._behind:
                listed_twice.add(path)
            self._behind[path] = hash(extra)
            self._names_behind[path] = hash(_names_alone(extra))
            names = dumpdir_of(at, extra).names
            tree._hold(names_bytes(names))
            had = dict(table)
            table.update(zip(names, map(_LISTED.__getitem__, names.values()), strict=True))
            table.update(had)
            if Mark.DIRECTORY in names.values():
                self._take_directories(path, table, names)
        self._drop_listed()
        for path in listed_twice:  # names are wanted of either listing
            del self._behind[path], self._names_behind[path]
        self._drop_promised(
            [
                (directory, name)
                for directory, table in tree._tables.items()
                for name, value in table.items()
                if value == _PROMISED
            ]
        )
        self._follow(last, links, lambda directory: tree._tables.get(directory))

    def _take_directories(self, path: bytes, table: dict[bytes, int], names: dict[bytes, Mark]) -> None:
        """Take directories among *names*, a listing of *path*; those without any member are dropped in the end."""
        for name, mark in names.items():
            if mark is Mark.DIRECTORY and table[name] < 0:
                table[name] = _IMPLIED
                self._listed.append((path, name))

    def _drop_listed(self) -> None:
        """Remove directories that only a listing names."""
        tables = self._tree._tables
        for path, name in self._listed:
            whole = join(path, name)
            if whole not in tables and tables[path].get(name) == _IMPLIED:
                del tables[path][name]
                self._tree._gap(whole, GapKind.NOT_ARCHIVED if is_placeable(whole) else GapKind.TOO_DEEP)

    def _find(self, index: int, jobs: _Wanted) -> None:
        """Take the names in *jobs* that the archive at *index* has, and leave those that are still wanted."""
        tree = self._tree
        links: dict[int, bytes] = {}
        unseen, found = set(jobs), set[bytes]()
        listed: list[tuple[int, bytes, bytes]] = []  # examined after the members, if names are still wanted
        listed_bytes = 0
        promised: list[tuple[bytes, bytes]] = []
        last, table = b"", None
        for at, letter, path, extra in _placed(tree, self._changed(index, unseen), wanted=jobs):
            if letter == DIRECTORY:
                if extra and path in jobs:
                    unseen.discard(path)
                    listed.append((at, path, extra))
                    listed_bytes += len(extra)
                    if listed_bytes > _WAITING_BYTES:
                        self._look_into(listed, jobs, promised, found)
                        listed_bytes = 0
                continue
            directory, _, name = path.rpartition(b"/")
            if directory != last or table is None:  # members of one directory are adjacent
                last = directory
                job = jobs.get(directory)
                table = tree._tables[job[0]] if job is not None else None
                if table is None:
                    continue
            if table.get(name) in (_WANTED, _PROMISED):
                found.add(directory)
                table[name] = value = tree._value(index, at)
                if letter == HARD_LINK:
                    links[value] = extra
        self._look_into(listed, jobs, promised, found)
        for directory in unseen:
            self._look_up(jobs, directory, {})
        self._drop_promised(promised)
        self._follow(index, links, lambda directory: tree._tables[jobs[directory][0]] if directory in jobs else None)
        for directory in found:
            final, names = jobs[directory]
            table = tree._tables[final]
            jobs[directory] = (final, [name for name in names if table.get(name) == _WANTED])
        for directory in [directory for directory, (_, names) in jobs.items() if not names]:
            del jobs[directory]

    def _changed(self, index: int, unseen: set[bytes]) -> Iterator[MemberColumns]:
        """
        The members of the archive at *index*, except directories with the same listings as in the next archive, which
        are removed from *unseen*.
        """
        behind = self._behind.get
        for names in self._path[index]():
            columns = zip(names.letters, names.paths, names.extras, strict=True)
            known = [letter == DIRECTORY and behind(path) == hash(extra) for letter, path, extra in columns]
            unseen.difference_update(compress(names.paths, known))
            if not any(known):
                yield names
            elif not all(known):
                fresh = [number for number, is_known in enumerate(known) if not is_known]
                yield MemberColumns(
                    [names.positions[number] for number in fresh],
                    bytes([names.letters[number] for number in fresh]),
                    [names.paths[number] for number in fresh],
                    [names.extras[number] for number in fresh],
                    [names.spans[number] for number in fresh],
                )

    def _look_into(
        self,
        listed: list[tuple[int, bytes, bytes]],
        jobs: _Wanted,
        promised: list[tuple[bytes, bytes]],
        found: set[bytes],
    ) -> None:
        """
        Judge the names in *jobs* without a member by the listings of their directories, which are removed from *found*;
        then forget.
        """
        found.difference_update(path for _, path, _ in listed)
        for at, path, extra in listed:
            self._behind[path] = hash(extra)  # names wanted from now on are called unchanged here
            was, self._names_behind[path] = self._names_behind.get(path), hash(_names_alone(extra))
            final, names = jobs[path]
            table = self._tree._tables[final]
            if _WANTED not in table.values():
                jobs[path] = (final, [])
            elif names and (
                was != self._names_behind[path] or any(table.get(name) == _WANTED for name in _called_here(extra))
            ):
                promised += self._look_up(jobs, path, dumpdir_of(at, extra).names)
        listed.clear()

    def _look_up(self, jobs: _Wanted, directory: bytes, listed: dict[bytes, Mark]) -> list[tuple[bytes, bytes]]:
        """
        Judge the names wanted in *directory* by its listing: promised names are returned, with the directory's path at
        the end; names called unchanged stay wanted, and the others are gaps.
        """
        final, names = jobs[directory]
        table = self._tree._tables[final]
        # most are; the others, for which a member was found, do no harm
        still = [name for name in names if listed.get(name) is Mark.UNCHANGED]
        promised = []
        others = () if len(still) == len(names) else set(names).difference(still)
        for name in sorted(name for name in others if table.get(name) == _WANTED):
            mark = listed.get(name)
            if mark is Mark.HERE:
                table[name] = _PROMISED
                promised.append((final, name))
            else:
                del table[name]
                kind = GapKind.WAS_DIRECTORY if mark is Mark.DIRECTORY else GapKind.MISSING
                self._tree._gap(join(final, name), GapKind.LEFT_OUT if self._is_excused else kind)
        jobs[directory] = (final, still)
        return promised

    def _drop_promised(self, promised: Iterable[tuple[bytes, bytes]]) -> None:
        for final, name in promised:
            table = self._tree._tables[final]
            if table.get(name) == _PROMISED:
                del table[name]
                self._tree._gap(join(final, name), GapKind.NOT_ARCHIVED)

    def _mapped_back(self, wanted: _Wanted, origins: DirectoryRenames) -> _Wanted:
        """*wanted* under the earlier names of the directories; names in directories that did not exist are gaps."""
        before: _Wanted = {}
        for directory, job in wanted.items():
            was = origins.before(directory)
            if was is None or was in before:
                self._look_up({directory: job}, directory, {})
            else:
                before[was] = job
        return before

    def _follow(
        self, index: int, links: dict[int, bytes], table_of: Callable[[bytes], dict[bytes, int] | None]
    ) -> None:
        """Give every hard link of one archive the position of its target in the same archive."""
        tree = self._tree
        replaced: dict[bytes, list[int]] = {}
        folders = {
            tree._value(index, at)
            for names in self._path[index]()
            for at, letter in zip(names.positions, names.letters, strict=True)
            if letter == DIRECTORY
        }
        for value, target in links.items():
            directory, name = split(target)
            found = (table_of(directory) or {}).get(name, _WANTED)
            if found >= 0 and found % tree._archives == index and found != value and found not in folders:
                tree._links[value] = found
            else:
                replaced.setdefault(target, []).append(value)
        if replaced:
            for at, letter, path, _ in _placed(tree, self._path[index](), wanted=()):
                if path in replaced and letter not in (HARD_LINK, DIRECTORY):
                    for value in replaced[path]:
                        tree._links[value] = tree._value(index, at)
        for value in links:
            hops = 0
            while (further := tree._links.get(tree._links.get(value, value))) is not None and hops < 64:
                tree._links[value] = further
                hops += 1
        nothing = {value for value in links if tree._links.get(value, value) in links}
        for folder, table in tree._tables.items() if nothing else ():
            for name in [name for name, value in table.items() if value in nothing]:
                del table[name]
                tree._gap(join(folder, name), GapKind.NO_TARGET)


def _names_alone(listing: bytes) -> bytes:
    """The listing of a directory in which all files are called unchanged, with the same names as *listing*."""
    return (b"\0" + listing).replace(b"\0Y", b"\0N")


def _called_here(listing: bytes) -> Iterator[bytes]:
    """The names in a listing that are not called unchanged, without directories; it may give a few others, too."""
    return (rest.partition(b"\0")[0] for rest in (b"\0" + listing).split(b"\0Y")[1:])


class _Overlay:
    """Each archive over the earlier ones, as tar extracts them into one directory; nothing is deleted."""

    def __init__(self, tree: Tree, path: Sequence[ArchiveNames]) -> None:
        self._tree = tree
        self._path = path

    def merged(self) -> Tree:
        for index, archive in enumerate(self._path):
            for at, letter, path, extra in _placed(self._tree, archive()):
                self._extract(self._tree._value(index, at), letter, path, extra)
        return self._tree

    def _extract(self, value: int, letter: int, path: bytes, extra: bytes) -> None:
        tree, tables = self._tree, self._tree._tables
        if not path:
            tree._root = value if letter == DIRECTORY else tree._root
            return
        if self._is_below_a_file(path):
            tree._gap(path, GapKind.IN_THE_WAY)
            return
        directory, name = split(path)
        if letter == DIRECTORY:
            self._forget({path})
            tree._directory(path)  # replaces a file of this name
            tables[directory][name] = value
            return
        content = value
        if letter == HARD_LINK:
            linked = tables.get(split(extra)[0], {}).get(split(extra)[1], _IMPLIED)
            if linked < 0 or extra in tables:
                tree._gap(path, GapKind.NO_TARGET)
                return
            content = tree._links.get(linked, linked)
        if tables.get(path):
            tree._gap(path, GapKind.IN_THE_WAY)  # tar removes an empty directory only
            return
        below = path + b"/"
        self._forget({path, *(gap.path for gap in tree._gaps if gap.path.startswith(below))})
        tables.pop(path, None)
        tree._put(directory, name, value)
        if content != value:
            tree._links[value] = content

    def _forget(self, paths: set[bytes]) -> None:
        """Drop the gaps at *paths*, whose members are no longer wanted."""
        kinds = (GapKind.IN_THE_WAY, GapKind.NO_TARGET)
        self._tree._gaps[:] = [gap for gap in self._tree._gaps if gap.kind not in kinds or gap.path not in paths]

    def _is_below_a_file(self, path: bytes) -> bool:
        tables = self._tree._tables
        directory, name = split(path)
        while directory not in tables:
            directory, name = split(directory)
        below = join(directory, name)
        return below != path and name in tables[directory]
