"""
A medium that forgets: the writes, and what remains of them after a power cut.

Bytes of a file are durable from an fsync of that file, names from an fsync of their directory, and nothing else makes
anything durable. After a power cut the seed decides whether nothing, everything, or some of the rest is kept: any of
the writes of a file, torn between two sectors, and the changes of a directory up to one of them, because file systems
that log their metadata keep its order. Writes for which an fsync failed are never durable, whatever is synced
later, because the kernel marks them clean from then on.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from random import Random

from attrs import define, field

SECTOR = 512


def failed(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@define(eq=False)
class File:
    """*pending* are the writes (where, what) and truncations (length, None) since the last fsync, in order."""

    number: int
    mode: int
    content: bytearray = field(factory=bytearray)
    durable: bytearray = field(factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(factory=list)
    links: int = 0
    changed_ns: int = field(factory=time.time_ns)

    def change(self, where: int, what: bytes | None) -> None:
        _apply(self.content, where, what)
        self.pending.append((where, what))
        self.changed_ns = time.time_ns()

    def sync(self) -> None:
        for where, what in self.pending:
            _apply(self.durable, where, what)
        self.pending.clear()

    def fail_to_sync(self) -> None:
        """Apply a failed fsync: readers see the writes, and no later fsync covers them."""
        self.pending.clear()

    def cut(self, kept: float, random: Random) -> None:
        for where, what in self.pending:
            if random.random() < kept:
                torn = what is not None and kept < 1 and random.random() < 0.5
                part = what[: random.randrange(0, len(what) + 1, SECTOR)] if what and torn else what
                _apply(self.durable, where, part)
        self.pending.clear()
        self.content = bytearray(self.durable)


@define(eq=False)
class Directory:
    """*pending* are the names put (with their target) and removed (None) since the last fsync, in order."""

    number: int
    mode: int
    names: dict[str, File | Directory] = field(factory=dict)
    durable: dict[str, File | Directory] = field(factory=dict)
    pending: list[tuple[str, File | Directory | None]] = field(factory=list)
    links: int = 0
    changed_ns: int = field(factory=time.time_ns)

    def change(self, name: str, what: File | Directory | None) -> None:
        _put(self.names, name, what)
        self.pending.append((name, what))
        self.changed_ns = time.time_ns()

    def sync(self) -> None:
        self.durable = dict(self.names)
        self.pending.clear()

    def cut(self, kept: float, random: Random) -> None:
        self.names = dict(self.durable)
        count = {0.0: 0, 1.0: len(self.pending)}.get(kept, random.randint(0, len(self.pending)))
        for name, what in self.pending[:count]:
            _put(self.names, name, what)
        self.sync()
        for below in self.names.values():
            below.cut(kept, random)


def _apply(content: bytearray, where: int, what: bytes | None) -> None:
    if what is None:
        del content[where:]
        content.extend(bytes(where - len(content)))
    else:
        content.extend(bytes(max(0, where - len(content))))
        content[where : where + len(what)] = what


def _put(names: dict[str, File | Directory], name: str, what: File | Directory | None) -> None:
    if what is None:
        names.pop(name, None)
    else:
        names[name] = what


@define(eq=False)
class Fault:
    """The *which*-th *call* from now on a path that *pattern* matches fails with the error *code*."""

    call: str
    pattern: str
    which: int
    code: int


@define(eq=False)
class Medium:
    """
    The whole medium, for one thread at a time.

    After *changes_left* more calls that change or sync something the power is off: every call fails until `restore`.
    """

    root: Directory = field(factory=lambda: Directory(1, stat.S_IFDIR | 0o700))
    changes_left: int | None = None
    is_off: bool = False
    fault: Fault | None = None
    has_fired: bool = False
    _numbers: int = 1

    def restore(self, seed: int) -> None:
        """Restore power, with what is left after the cut."""
        random = Random(seed)
        self.root.cut(random.choice((0.0, 0.5, 0.9, 1.0)), random)
        for directory in _directories(self.root):
            for below in directory.names.values():
                below.links = 0
        for directory in _directories(self.root):
            for below in directory.names.values():
                below.links += 1
        self.is_off = False
        self.changes_left = None
        self.fault = None

    def looking(self) -> None:
        """Called before any call that changes nothing."""
        if self.is_off:
            raise failed(errno.EIO)

    def changing(self, call: str, path: str) -> None:
        """Called before any call that changes or syncs something."""
        self.looking()
        if self.changes_left is not None:
            if self.changes_left == 0:
                self.is_off = True
                raise failed(errno.EIO)
            self.changes_left -= 1
        fault = self.fault
        if fault is not None and fault.call == call and fnmatch(path, fault.pattern):
            fault.which -= 1
            if fault.which == 0:
                self.fault = None
                self.has_fired = True
                raise failed(fault.code)

    def find(self, path: str) -> File | Directory:
        found: File | Directory = self.root
        for name in filter(None, path.split("/")):
            if not isinstance(found, Directory):
                raise failed(errno.ENOTDIR)
            try:
                found = found.names[name]
            except KeyError:
                raise failed(errno.ENOENT) from None
        return found

    def place(self, path: str) -> tuple[Directory, str]:
        """The directory with the last name of *path*, and this name."""
        above, _, name = path.rpartition("/")
        directory = self.find(above)
        if not isinstance(directory, Directory):
            raise failed(errno.ENOTDIR)
        return directory, name

    def put(self, path: str, what: File | Directory) -> None:
        directory, name = self.place(path)
        if name in directory.names:
            raise failed(errno.EEXIST)
        directory.change(name, what)
        what.links += 1

    def take(self, path: str) -> File | Directory:
        directory, name = self.place(path)
        what = self.find(path)
        directory.change(name, None)
        what.links -= 1
        return what

    def rename(self, old: str, new: str) -> None:
        what = self.take(old)
        directory, name = self.place(new)
        if name in directory.names:
            directory.names[name].links -= 1
        directory.change(name, what)
        what.links += 1

    def new_number(self) -> int:
        self._numbers += 1
        return self._numbers


def _directories(top: Directory) -> Iterator[Directory]:
    yield top
    for below in top.names.values():
        if isinstance(below, Directory):
            yield from _directories(below)
