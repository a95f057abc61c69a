"""
Differences that tar leaves in directories that exist already, though every name comes out right.

They are of three kinds, each about a directory that an earlier archive left. Its *time*: an archive puts something into
it without holding the directory itself, so nothing resets its time. An extended *attribute* that it no longer has: tar
removes none. And an ordinary user's tar changes nothing in a *closed* directory (see `peculiar`): it complains and goes
on. The tree merged by the server has none of these, since it is one archive, extracted into an empty directory.

Modes and owners do not matter: an archive that holds a directory sets them. What no archive states, such as about a
directory above all members, comes out the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen

from ..names.columns import dumpdir_of
from ..names.name_table import NameTable, mark_of
from ..names.peculiar import ENTER, ORDINARY, READ, Peculiar
from ..tar.dumpdirs import Mark
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import canonical, join, split
from ..text.paths import SHOWN_BYTES, path_text
from .silence import after, moved_between, says_nothing_of, strays

_FILES = b""  # in place of a name: everything that is not a directory, which tar creates anew


@frozen
class Layer:
    """One archive, called *label*: its names, and the peculiarities of its directories."""

    label: str
    table: Callable[[], NameTable]
    peculiar: Callable[[], Mapping[bytes, Peculiar]]


def traces(child: Layer, before: Iterable[Layer], *, is_exact: bool) -> str:
    """
    What tar would leave different, extracting *child* over the archives *before* it, the nearest first: a part of a
    sentence, empty if nothing differs. *is_exact* says that all of them have listings, and are extracted by them.

    Raises:
        MemberUnreadable: a relevant listing is malformed.

    Cost: that of the directories of *child*, and of the peculiar ones before it. Only archives that can matter are
    opened, mostly just the nearest.
    """
    looking = _Looking(child, child.table(), is_exact)
    for layer in before:
        if found := looking.at(layer):
            return found
        if not looking.is_open:
            break
    return ""


@frozen
class _Stage:
    """An archive after the current one: where directories that it renames are now, and where they were."""

    table: NameTable
    moved: Mapping[bytes, bytes]
    were: Mapping[bytes, bytes]

    @classmethod
    def of(cls, table: NameTable, before: NameTable | None) -> _Stage:
        moved = {} if before is None else moved_between(table, before)
        return cls(table, moved, {now: was for was, now in moved.items()})


@define
class _Looking:
    """Goes from the nearest archive before *child* to the base."""

    child: Layer
    table: NameTable
    is_exact: bool
    is_open: bool = True
    _stages: list[_Stage] = field(factory=list, init=False)
    _last: NameTable = field(init=False)  # the current one
    _touched: dict[bytes, list[bytes]] = field(init=False)
    _within: dict[bytes, list[bytes]] | None = field(default=None, init=False)

    @_last.default
    def _child_first(self) -> NameTable:
        return self.table

    @_touched.default
    def _touched_by_it(self) -> dict[bytes, list[bytes]]:
        """Directories that it does not hold but changes, with the names it puts into or removes from each."""
        table = self.table
        found = {folder: [_FILES] for folder, _ in strays(table)}
        for path in table.directories():
            above, name = split(path)
            if path and table.row(above) is None:
                found.setdefault(above, []).append(name)
        for rename in table.renames if self.is_exact else ():
            for path in filter(None, (canonical(rename.old), canonical(rename.new))):
                if table.row(above := split(path)[0]) is None:
                    found.setdefault(above, []).append(_FILES)
        return found

    def at(self, layer: Layer) -> str:
        """What the archive *layer*, the next one before, shows."""
        table = layer.table()
        self._stages.append(_Stage.of(self._last, table if self.is_exact else None))
        self._last = table
        found = self._time(layer, table) or self._peculiar(layer, table)
        self.is_open = bool(self._touched) or self._has_open(table)
        return found

    def _time(self, layer: Layer, table: NameTable) -> str:
        """A directory whose time is not reset."""
        for folder, names in list(self._touched.items()):
            was = self._before(folder)
            new = [name for name in names if name == _FILES or not _has_directory(table, join(was, name))]
            if new and table.row(was) is not None:
                return (
                    f"{_shown(folder)} would have the time of the restore, since {self.child.label} puts something "
                    f"into it but does not hold the directory itself, as {layer.label} does"
                )
            self._touched[folder] = new
            if not new:
                del self._touched[folder]
        return ""

    def _peculiar(self, layer: Layer, table: NameTable) -> str:
        own = self.child.peculiar()
        for path, its in layer.peculiar().items():
            now = self._now(path)
            if now is None:
                continue
            is_held = self.table.row(now) is not None
            gone = its.attributes - own.get(now, ORDINARY).attributes if is_held else None
            if gone:
                return (
                    f"{_shown(now)} would keep the attribute {_shown(min(gone))}, which it has in {layer.label} but "
                    f"not in {self.child.label}"
                )
            if its.is_closed and self._is_changed(path, now, its, table):
                return (
                    f"an ordinary user's tar could not change {_shown(now)}, as {self.child.label} does, since its "
                    f"owner may not {_denied(its)} it as {layer.label} has it"
                )
        return ""

    def _is_changed(self, path: bytes, now: bytes, its: Peculiar, table: NameTable) -> bool:
        """Whether a name in the directory, which is *path* in *table*, is added, removed or replaced."""
        row, before = self.table.row(now), table.row(path)
        if self.table.files.within(now):
            return True
        if not (its.may & READ and its.may & ENTER) and (row is not None or self._is_entered(now)):
            return True  # tar reads the directory to find deleted names
        if not self.is_exact:
            return any(not _has_directory(table, join(path, name)) for name in self._directories_in(now))
        if split(now)[0] != self._forward(split(path)[0]):
            return True  # moving a directory updates the parent entry within it
        if row is None:
            return not says_nothing_of(self.table, now) and bool(_names(table, path))
        if not row.listed or (before is not None and row.named == before.named != b""):
            return False
        return _names(self.table, now) != _names(table, path)

    def _directories_in(self, directory: bytes) -> list[bytes]:
        """The names of the last archive's directories that are in *directory*."""
        if self._within is None:
            self._within = {}
            for path in filter(None, self.table.directories()):
                above, name = split(path)
                self._within.setdefault(above, []).append(name)
        return self._within.get(directory, [])

    def _is_entered(self, directory: bytes) -> bool:
        below = directory + b"/" if directory else b""
        used = (*self.table.directories(), *self.table.files.folders)
        return any(path.startswith(below) for path in used if path != directory)

    def _before(self, path: bytes) -> bytes:
        """The path of the last archive's directory *path* in the current one."""
        for stage in self._stages:
            path = after(path, stage.were)
        return path

    def _forward(self, path: bytes) -> bytes:
        """The path in the last archive of *path* in the current one."""
        for stage in reversed(self._stages):
            path = after(path, stage.moved)
        return path

    def _now(self, path: bytes) -> bytes | None:
        """The same, but None if an archive between the two describes it."""
        for stage in reversed(self._stages):
            path = after(path, stage.moved)
            is_between = stage is not self._stages[0]
            if is_between and (stage.table.row(path) is not None or not says_nothing_of(stage.table, path)):
                return None
        return path

    def _has_open(self, table: NameTable) -> bool:
        """Whether *table* says nothing of some directory of the last archive, so that an earlier archive may."""
        held = self.table.changed(table) if len(self._stages) == 1 else self.table.directories()
        for path in held:
            was = self._before(path)
            if self.table.row(path) is not None and table.row(was) is None and says_nothing_of(table, was):
                return True
        return False


def _has_directory(table: NameTable, path: bytes) -> bool:
    return table.row(path) is not None or mark_of(table, path) is Mark.DIRECTORY


def _names(table: NameTable, path: bytes) -> set[tuple[bytes, bool]]:
    """The names in a directory that has a listing, each with whether it is a directory."""
    at = table.position(path) * BLOCK_BYTES
    return {
        (name, mark is Mark.DIRECTORY)
        for listing in table.listings(path)
        for name, mark in dumpdir_of(at, listing).names.items()
    }


def _denied(its: Peculiar) -> str:
    if not its.may & ENTER:
        return "enter"
    return "write into" if its.may & READ else "read"


def _shown(path: bytes) -> str:
    return path_text(path[:SHOWN_BYTES]) or "the directory itself"
