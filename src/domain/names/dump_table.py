"""
Which directory each rename record means: a replay of GNU tar's table of directories during a dump.

tar writes the renames when it has seen everything, with the names that its table has by then, and these need not be
names of anything. Whenever tar reaches a directory that it knows by its inode under another name, it writes the new
name in front of *every* entry of the table that begins with the old one, whether below that directory or below one that
had the name before it. So if ``b`` becomes ``c`` and then ``a`` becomes ``b``, what was ``a/d`` is called ``c/d`` in
the end. Entries are still looked up by the names that they were read under, and those are the names wanted here.

The records show only the end state. So the dump is replayed from its beginning: assume which directories the records
mean, replay, and compare the end with the records. (tar 1.34, incremen.c: procdir, dirlist_replace_prefix.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

MAX_TOUCHED = 1_000_000
"""The most entries that a replay renames; beyond that, a record means the directory with its name."""

_ROUNDS = 10  # of assuming and replaying


@frozen
class ToldRename:
    """A record: the final name in tar's table of a directory, and of the entry that it was before."""

    now: bytes
    before: bytes


@frozen
class Meant:
    """
    The directory that a record means, by its path, and the entry of the table that it was before.

    *is_certain* unless the record may mean another entry as well.
    """

    now: bytes
    before: bytes
    is_certain: bool


@define
class _Supposed:
    """The current assumption about a record, as `Meant`; None for a part without one."""

    now: bytes | None
    before: bytes | None


def entries_meant(told: Sequence[ToldRename], now: Sequence[bytes], entries: Sequence[bytes]) -> list[Meant | None]:
    """
    What each record of *told* means; None where nothing fits it.

    *now* are the directories of the archive, *entries* those of the table when the dump began; both ascending.

    Cost: proportional to the directories below renamed ones, a few times.
    """
    here, known = set(now), set(entries)
    supposed = [
        _Supposed(one.now if one.now in here else None, one.before if one.before in known else None) for one in told
    ]
    for _ in range(_ROUNDS):
        table = _Table(now, entries, known)
        if not table.tell(supposed):
            return [None] * len(told)
        if not _mend(told, supposed, table, here):
            break
    fitting = _Fitting(supposed, table, here)
    return [
        Meant(one.now, one.before, len(fitting(one, record)) <= 1)
        if one.now is not None and one.before is not None
        else None
        for one, record in zip(supposed, told, strict=True)
    ]


def _mend(told: Sequence[ToldRename], supposed: list[_Supposed], table: _Table, here: Collection[bytes]) -> bool:
    """Change the assumptions whose replay ended otherwise than their record says; return whether any changed."""
    is_mended = False
    called = table.called()
    taken = {one.now for one in supposed}
    for one, record in zip(supposed, told, strict=True):
        if one.now is None or table.name(one.now) != record.now:
            found = [path for path in called.get(record.now, ()) if path in here and path not in taken]
            if found:
                taken.discard(one.now)
                taken.add(found[0])
                one.now, is_mended = found[0], True
    fitting = _Fitting(supposed, table, here)
    for one, record in zip(supposed, told, strict=True):
        fits = fitting(one, record)
        if fits and one.before not in fits:
            fitting.suppose(one, fits[0])
            is_mended = True
    return is_mended


@define
class _Fitting:
    """Finds the entries that a record may mean, given what the other records are assumed to mean."""

    supposed: Sequence[_Supposed]
    table: _Table
    here: Collection[bytes]
    _called_so: Mapping[bytes, Sequence[bytes]] = field(init=False)
    _moved: dict[bytes, bytes] = field(init=False)
    _taken: Counter[bytes | None] = field(init=False)
    _told: Collection[bytes | None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._called_so = self.table.called()
        self._told = {one.now for one in self.supposed}
        self._learn()

    def _learn(self) -> None:
        supposed = self.supposed
        self._moved = {one.before: one.now for one in supposed if one.before is not None and one.now is not None}
        self._taken = Counter(one.before for one in supposed)

    def __call__(self, one: _Supposed, record: ToldRename) -> list[bytes]:
        """
        The entries that *record* may mean, all equally good: those whose final name it has and that are at no other
        place. An entry that reached the record's new place because a directory above it moved is the only answer.
        """
        fits = []
        for entry in self._called(record.before):
            lands = _lands(entry, self._moved)
            if lands == one.now:
                return [entry]
            is_taken = self._taken[entry] > (entry == one.before)  # by another record
            if entry in self.table.known and not is_taken and (lands in self._told or lands not in self.here):
                fits.append(entry)
        return fits

    def suppose(self, one: _Supposed, entry: bytes) -> None:
        """Assume that *one* was *entry*."""
        one.before = entry
        self._learn()

    def _called(self, name: bytes) -> list[bytes]:
        found = list(self._called_so.get(name, ()))
        if name in self.table.known and self.table.name(name) == name and name not in found:
            found.insert(0, name)
        return found


def _lands(entry: bytes, moved: Mapping[bytes, bytes]) -> bytes:
    """Where *entry* ends up, moved along with the nearest directory above it in *moved*."""
    at, below = entry, b""
    while at:
        at, name = at.rpartition(b"/")[0], at[at.rfind(b"/") + 1 :]
        below = name + b"/" + below if below else name
        if at in moved:
            return _within(moved[at]) + below
    return below


@define
class _Table:
    """The entries whose names differ from those they were read under."""

    now: Sequence[bytes]
    entries: Sequence[bytes]
    known: Collection[bytes]
    _names: dict[bytes, bytes] = field(factory=dict)
    _touched: int = 0

    def name(self, entry: bytes) -> bytes:
        """The final name of an entry."""
        return self._names.get(entry, entry)

    def called(self) -> dict[bytes, list[bytes]]:
        """The entries whose final name differs, by that name."""
        found: dict[bytes, list[bytes]] = {}
        for entry in sorted(self._names):
            found.setdefault(self._names[entry], []).append(entry)
        return found

    def tell(self, supposed: Sequence[_Supposed]) -> bool:
        """Replay the renames in the order in which tar reaches the directories; False if it takes too long."""
        found = list(tops(self.now))
        events = sorted(
            (_when(one.now, found), one.now, one.before)
            for one in supposed
            if one.now is not None and one.before is not None
        )
        for when, path, before in events:
            old = self.name(before)
            if old != path:
                self._rewrite(_within(old), _within(path), when, found)
            if self._touched > MAX_TOUCHED:
                return False
        return True

    def _rewrite(self, old: bytes, new: bytes, when: tuple[bytes, ...], tops: Sequence[bytes]) -> None:
        for entry, name in self._names.items():
            if name.startswith(old):
                self._names[entry] = new + name[len(old) :]
        self._touched += len(self._names)
        for entry in _below(self.entries, old):
            self._names.setdefault(entry, new + entry[len(old) :])
            self._touched += 1
        for path in _below(self.now, old):  # directories new in the table that tar has reached already
            self._touched += 1
            if path not in self.known and path not in self._names and _when(path, tops) < when:
                self._names[path] = new + path[len(old) :]


def _within(path: bytes) -> bytes:
    """The prefix of all paths within *path*."""
    return path + b"/" if path else b""


def _below(paths: Sequence[bytes], prefix: bytes) -> Iterator[bytes]:
    for place in range(bisect_left(paths, prefix), len(paths)):
        if not paths[place].startswith(prefix):
            return
        yield paths[place]


def tops(paths: Iterable[bytes]) -> Iterator[bytes]:
    """Those of *paths*, which ascend, that are below no other."""
    top: bytes | None = None
    for path in paths:
        if top is None or not (not top or path.startswith(top + b"/")):
            yield path
            top = path


def _when(path: bytes, tops: Sequence[bytes]) -> tuple[bytes, ...]:
    """
    The place of a directory in the order in which tar reaches them: a top, the directories in it, then those in each of
    these.
    """
    place = bisect_left(tops, path + b"\0") - 1
    top = tops[place] if place >= 0 and (not tops[place] or (path + b"/").startswith(tops[place] + b"/")) else b""
    *above, name = path.split(b"/")
    return (top, *above, b"", name)
