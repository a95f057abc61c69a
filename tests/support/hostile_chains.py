"""
Chains of archives that try to write, overwrite or remove files beside the directory they are restored into.

Each archive alone is harmless to GNU tar, which creates links that lead outwards only at its end; in a row they are
not. Drawn from a seed: links of every kind, members, listings and renames behind or over them, and every spelling of a
name. Nothing here uses the code under test.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from attrs import frozen

from tests.support.tars import END, GNU_MAGIC, gz, header, long_name, member, padded, pax, pax_record

PRECIOUS = {"precious": b"mine\n", "deep/inner": b"mine, too\n", "empty/": b""}
"""The files in the directory that the links lead to."""


@frozen
class HostileChain:
    """Tars to be stored in order, the first as a FULL; *is_exact* means that they have listings."""

    tars: tuple[bytes, ...]
    is_exact: bool
    recipe: str

    @property
    def archives(self) -> tuple[bytes, ...]:
        return tuple(map(gz, self.tars))


def make_outside(folder: Path) -> None:
    """Put precious files into *folder*."""
    for name, content in PRECIOUS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(content)
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1_500_000_000, 1_500_000_000))


def surroundings(folder: Path, besides: Iterable[str]) -> dict[str, tuple[object, ...]]:
    """Everything in *folder* except *besides*: types, modes, owners, times, numbers of links, and contents."""
    found: dict[str, tuple[object, ...]] = {}
    left_out = {folder / name for name in besides}
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if path in left_out:
                continue
            its = path.lstat()
            content: object = None
            if stat.S_ISREG(its.st_mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(its.st_mode):
                content = path.readlink()
            elif stat.S_ISDIR(its.st_mode):
                waiting.append(path)
            when = None if stat.S_ISDIR(its.st_mode) and path.parent == folder else its.st_mtime_ns
            what = (its.st_mode, its.st_uid, its.st_nlink if stat.S_ISREG(its.st_mode) else 0, when, content)
            found[str(path.relative_to(folder))] = what
    return found


# -- members in all forms --------------------------------------------------------------------------------------------


def link(name: bytes, target: bytes, type: bytes = b"2") -> bytes:
    return header(name, 0, type, patch=(157, target))


def directory(name: bytes, dumpdir: bytes | None, how: str = "gnu") -> bytes:
    """A directory, with a listing unless *dumpdir* is None, in gnu or pax format."""
    if dumpdir is None:
        return header(name + b"/", 0, b"5", patch=(100, b"0000755\0"))
    if how == "gnu":
        return header(name, len(dumpdir), b"D", magic=GNU_MAGIC, patch=(100, b"0000755\0")) + padded(dumpdir)
    type = {"pax": b"5", "type 0": b"0", "type 7": b"7", "type NUL": b"\0"}[how]
    return pax({b"GNU.dumpdir": dumpdir}) + header(name + b"/", 0, type, patch=(100, b"0000755\0"))


def listing(names: Iterable[bytes], renames: bytes = b"") -> bytes:
    return renames + b"".join(name + b"\0" for name in names) + b"\0"


def _blanks(name: bytes) -> bytes:
    record = pax_record(b" path", name)
    return pax(record) + member(b"top/harmless", b"evil\n")


_WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "file": lambda name: member(name, b"evil\n"),
    "long name": lambda name: long_name(name) + member(b"top/harmless", b"evil\n"),
    "pax name": lambda name: pax({b"path": name}) + member(b"top/harmless", b"evil\n"),
    "pax name behind two blanks": _blanks,
    "directory": lambda name: directory(name, None),
    "listing of nothing": lambda name: directory(name, b"\0"),
    "listing of nothing in pax": lambda name: directory(name, b"\0", "pax"),
    "listing of an old directory": lambda name: directory(name, b"\0", "type 0"),
    "listing of a contiguous directory": lambda name: directory(name, b"\0", "type 7"),
    "listing of something": lambda name: directory(name, b"Yother\0\0"),
    "symbolic link": lambda name: link(name, b"anywhere"),
    "hard link": lambda name: link(name, b"top/keep", b"1"),
    "fifo": lambda name: header(name, 0, b"6"),
    "file behind a link with data": lambda name: (
        header(b"top/small", len(member(name, b"evil\n")), b"2", patch=(157, b"keep")) + member(name, b"evil\n")
    ),
    "file behind a fifo with data": lambda name: (
        header(b"top/fifo", len(member(name, b"evil\n")), b"6") + member(name, b"evil\n")
    ),
    "file behind a directory with data": lambda name: (
        header(b"top/sub/", len(member(name, b"evil\n")), b"0") + member(name, b"evil\n")
    ),
    "file behind a sparse map that lies": lambda name: (
        header(b"top/sparse", 512, b"S", magic=GNU_MAGIC, patch=(386, b"%011o\0%011o\0" % (0, 100) * 2 + bytes(49)))
        + padded(member(name, b"evil\n"))
    ),
}

_SPELLINGS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "plain": lambda base, name: base + b"/" + name,
    "doubled slash": lambda base, name: base.replace(b"/", b"//", 1) + b"/" + name,
    "doubled slash behind": lambda base, name: base + b"//" + name,
    "dot": lambda base, name: base.replace(b"/", b"/./", 1) + b"/" + name,
    "dot behind": lambda base, name: base + b"/./" + name,
    "leading dot": lambda base, name: b"./" + base + b"/" + name,
    "leading dots": lambda base, name: b".//././" + base + b"/" + name,
    "trailing slash": lambda base, name: base + b"/" + name + b"/",
    "trailing dot": lambda base, name: base + b"/" + name + b"/.",
    "absolute": lambda base, name: b"/" + base + b"/" + name,
    "up and down": lambda base, name: b"top/sub/../../" + base + b"/" + name,
    "up within": lambda base, name: base + b"/deep/../" + name,
    "down a level": lambda base, name: base + b"/deep/" + name,
}


# -- chains ----------------------------------------------------------------------------------------------------------


def hostile_chain(seed: int, outside: bytes) -> HostileChain:
    """The chain of *seed*; *outside* is the absolute path of the directory that it attacks."""
    return _Draw(seed, outside).chain()


class _Draw:
    def __init__(self, seed: int, outside: bytes) -> None:
        self._random = random.Random(seed)
        self._outside = outside
        self._words: list[str] = []

    def chain(self) -> HostileChain:
        make = self._random.choice(
            [self._through, self._through, self._through, self._over, self._renamed, self._temporary, self._replaced]
        )
        is_exact = self._random.random() < 0.75 or make in (self._renamed, self._temporary)
        tars = tuple(b"".join((*tar, END)) for tar in make(is_exact))
        return HostileChain(tars, is_exact, ", ".join(self._words))

    def _pick(self, what: str, of: dict[str, Callable[..., bytes]]) -> Callable[..., bytes]:
        """One of a table; half the time one of the first, which GNU tar is most prone to."""
        name = self._random.choice(list(of)[: 7 if self._random.random() < 0.5 else None])
        self._words.append(f"{what}: {name}")
        return of[name]

    def _target(self, levels: int) -> bytes:
        """The target of a link *levels* below the restored directory: the precious files."""
        name = self._outside.rpartition(b"/")[2]
        return self._random.choice([self._outside, b"../" * (levels + 1) + name, self._outside + b"/./"])

    def _top(self, is_exact: bool, names: Sequence[bytes], renames: bytes = b"") -> bytes:
        how = self._random.choice(["gnu", "pax"])
        return directory(b"top", listing(names, renames) if is_exact else None, how)

    def _first(self, is_exact: bool, more: Sequence[bytes], members: Sequence[bytes]) -> list[bytes]:
        """A FULL with harmless contents and the given additions: names in its listing, and members."""
        return [self._top(is_exact, [b"Ykeep", *more]), member(b"top/keep", b"1\n"), *members]

    def _link(self) -> tuple[bytes, list[bytes], list[bytes]]:
        """A link that leads outwards: its path, and the names and members that it needs."""
        kind = self._random.choice(["one", "below", "hard", "two"])
        self._words.append(f"link: {kind}")
        if kind == "below":
            sub = directory(b"top/sub", b"Yd\0\0" if self._random.random() < 0.5 else None)
            return b"top/sub/d", [b"Dsub"], [sub, link(b"top/sub/d", self._target(2))]
        if kind == "hard":
            return b"top/d", [b"Yl", b"Yd"], [link(b"top/l", self._target(1)), link(b"top/d", b"top/l", b"1")]
        if kind == "two":
            return b"top/d", [b"Yl", b"Yd"], [link(b"top/l", self._target(1)), link(b"top/d", b"l")]
        return b"top/d", [b"Yd"], [link(b"top/d", self._target(1))]

    def _said(self, names: Sequence[bytes]) -> list[bytes]:
        """What the next listing says of *names*: mostly unchanged, or directories, or nothing."""
        letter = self._random.choice([b"N", b"N", b"N", b"D"])
        return [b"Nkeep", *(name if name[:1] == b"D" else letter + name[1:] for name in names)]

    def _through(self, is_exact: bool) -> list[list[bytes]]:
        """Something behind a link."""
        base, names, members = self._link()
        what, spell = self._pick("member", _WRITERS), self._pick("spelling", _SPELLINGS)
        name = self._random.choice([b"pwned", b"precious", b"deep", b"inner"])
        evil = [what(spell(base, name))]
        if self._random.random() < 0.3:
            evil.append(what(base))
        second = [self._top(is_exact, self._said(names))]
        if any(one[:1] == b"D" for one in names) and is_exact:
            second.append(directory(b"top/sub", b"Nd\0\0"))
        chain = [self._first(is_exact, names, members), [*second, *evil]]
        if self._random.random() < 0.3:  # with an unsuspecting archive in between
            chain.insert(1, list(second))
        return chain

    def _over(self, is_exact: bool) -> list[list[bytes]]:
        """A directory with a listing, or another one, over a link."""
        base, names, members = self._link()
        spell = self._pick("spelling", _SPELLINGS)
        how = self._random.choice(["gnu", "pax", "type 0", "type 7", "type NUL"])
        self._words.append(f"over it: {how}")
        spelt = spell(*base.rpartition(b"/")[::2])
        evil = [directory(spelt, b"\0" if is_exact else None, how)]
        if self._random.random() < 0.5:
            evil.append(member(spelt + b"/pwned", b"evil\n"))
        return [self._first(is_exact, names, members), [self._top(is_exact, self._said(names)), *evil]]

    def _renamed(self, is_exact: bool) -> list[list[bytes]]:
        """A directory that moves with a link in it, a link that moves, or a move through a link."""
        kind = self._random.choice(["with a link in it", "a link", "out of a link", "into a link", "aside"])
        self._words.append(f"renamed: {kind}")
        sub = [directory(b"top/sub", b"Yd\0\0"), link(b"top/sub/d", self._target(2))]
        first = self._first(is_exact, [b"Dsub", b"Yl"], [*sub, link(b"top/l", self._target(1))])
        spell = self._pick("spelling", _SPELLINGS)
        if kind == "with a link in it":
            second = [
                self._top(is_exact, [b"Nkeep", b"Nl", b"Dnew"], b"Rtop/sub\0Ttop/new\0"),
                directory(b"top/new", b"Nd\0\0"),
                member(spell(b"top/new/d", b"pwned"), b"evil\n"),
            ]
        elif kind == "a link":
            second = [
                self._top(is_exact, [b"Nkeep", b"Dsub", b"Dnew"], b"Rtop/l\0Ttop/new\0"),
                directory(b"top/sub", b"Nd\0\0"),
                directory(spell(b"top", b"new"), b"\0"),
            ]
        elif kind == "out of a link":
            second = [
                self._top(
                    is_exact, [b"Nkeep", b"Nl", b"Dsub", b"Dnew"], b"R" + spell(b"top/l", b"deep") + b"\0Ttop/new\0"
                ),
                directory(b"top/sub", b"Nd\0\0"),
                directory(b"top/new", b"\0"),
            ]
        elif kind == "into a link":
            second = [
                self._top(is_exact, [b"Nkeep", b"Nl"], b"Rtop/sub\0T" + spell(b"top/l", b"stolen") + b"\0"),
            ]
        else:
            second = [
                self._top(is_exact, [b"Nkeep", b"Nl", b"Dnew"], b"Xtop\0Rtop/sub\0T\0R\0Ttop/new\0"),
                directory(b"top/new", b"Nd\0\0"),
                member(spell(b"top/new/d", b"pwned"), b"evil\n"),
            ]
        return [first, second]

    def _temporary(self, is_exact: bool) -> list[list[bytes]]:
        """A temporary name that is made elsewhere."""
        place = self._random.choice(
            [self._outside, b"top/../../" + self._outside.rpartition(b"/")[2], b"top/l", b"top//l", b"./top/l/deep"]
        )
        self._words.append(f"temporary: {place.decode()}")
        first = self._first(is_exact, [b"Dsub", b"Yl"], [directory(b"top/sub", b"\0"), link(b"top/l", self._target(1))])
        second = [
            self._top(is_exact, [b"Nkeep", b"Nl", b"Dnew"], b"X" + place + b"\0Rtop/sub\0T\0R\0Ttop/new\0"),
            directory(b"top/new", b"\0"),
        ]
        return [first, second]

    def _replaced(self, is_exact: bool) -> list[list[bytes]]:
        """A directory that becomes a link and a directory again."""
        spell = self._pick("spelling", _SPELLINGS)
        what = self._pick("member", _WRITERS)
        first = self._first(is_exact, [b"Dd"], [directory(b"top/d", b"\0" if is_exact else None)])
        second = [self._top(is_exact, [b"Nkeep", b"Yd"]), link(b"top/d", self._target(1))]
        third = [
            self._top(is_exact, [b"Nkeep", self._random.choice([b"Dd", b"Nd", b"Yd"])]),
            directory(spell(b"top", b"d"), b"\0" if is_exact else None),
            what(spell(b"top/d", self._random.choice([b"pwned", b"precious", b"deep"]))),
        ]
        return [first, second, third]
