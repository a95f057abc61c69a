"""
People who back up with tar, and what each of their dumps must restore.

A `Person` has a directory that changes, random habits, and snapshot files; each `Dump` remembers what existed when tar
ran, by the names that tar was given. No two contents that a `History` writes are the same, so an archived file is
recognised by its content, whatever its name is by then.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, field, frozen

from tarkeep.domain.profiles.rules import IncBase
from tarkeep.domain.tar.members import Member, MemberType
from tarkeep.domain.tar.paths import canonical

from .desk import Seen, digest
from .histories import History, drawn
from .tar_oracle import look_at, members_of
from .tars import gz

GROWING = ("write", "make", "write", "write", "link")
CHANGING = ("write", "change", "remove", "make", "move-file", "remove-tree", "move", "link")
ARGUMENTS = (("{}",), ("-C", "{}", "."), ("{}", "second"), ("{}", "second/x"), ("-P", "{place}/{}"))
FORMATS = ("gnu", "oldgnu", "posix")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
CAN_BE_NOBODY = os.geteuid() == 0 and shutil.which("setpriv") is not None


@frozen
class Dump:
    """
    An archive that a person made.

    *parent* is the dump whose snapshot file it started from; *before* and *after* are the digests of that file at the
    start and at the end. *seen* is what existed, by the names that tar was given; places that tar was not given again
    are as last seen. *held* is each archived content, as `look_at` describes it, with the last part of its path, which
    moves along with directories; *folders* are the directories. *passed* are names that tar was told to exclude, or
    could not read, *sockets* those of sockets; *root* is the name tar was given for the changing directory, and
    *is_absolute* tells whether that is its whole path.
    """

    person: int
    number: int
    type: str
    packed: bytes
    parent: Dump | None
    before: str | None
    after: str
    seen: Seen
    held: frozenset[tuple[bytes, str, bytes]]
    folders: frozenset[bytes]
    passed: frozenset[bytes]
    sockets: frozenset[bytes]
    root: bytes
    is_absolute: bool

    def path(self) -> Sequence[Dump]:
        """The dumps that restore it, the FULL first."""
        return (*(self.parent.path() if self.parent is not None else ()), self)

    def differing(self, restored: Seen) -> Iterator[bytes]:
        """The paths at which *restored* differs from what existed, as far as tar archived it."""
        held = frozenset().union(*(dump.held for dump in self.path()))
        for path in sorted(restored.keys() | self.seen.keys()):
            was = self.seen.get(path)
            if was == restored.get(path):
                continue
            if _name(path) in self.passed & self.sockets:
                continue  # it replaced a file, and tar saw it as unchanged
            if was is None or (path in self.folders if was[0] == "directory" else (_name(path), *was) in held):
                yield path

    @property
    def is_explained(self) -> bool:
        """
        Whether a difference has a known cause: tar skipped some place, which may have been renamed since, or all names
        became absolute, which tar treats as different names.
        """
        dumps = self.path()
        return any(dump.passed for dump in dumps) or len({dump.is_absolute for dump in dumps}) > 1


@define
class Person:
    """
    A user who backs up what is in *place*, and makes DIFF and INC according to *inc_base*.

    Everything random is drawn from *rng*. *is_nobody* runs tar as a user who cannot read everything.
    """

    number: int
    place: Path
    rng: random.Random
    inc_base: IncBase
    is_nobody: bool
    history: History = field(init=False)
    dumps: list[Dump] = field(factory=list, init=False)
    _arguments: tuple[str, ...] = field(init=False)
    _dumpers: Path = field(init=False)
    _snapshots: dict[int, Path] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        live, self._dumpers = self.place / "live", self.place / "snapshots"
        live.mkdir(parents=True)
        self._dumpers.mkdir(mode=0o777)
        self._dumpers.chmod(0o777)
        self.history = History(live)
        self.history.go_through(drawn(self.rng, GROWING, 10))
        (live / "second").mkdir()
        (live / "second/x").write_bytes(b"%d: 0" % self.number)
        at = Path.cwd()
        os.chdir(self.history.root)  # the path of a socket has at most 108 bytes
        try:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind("socket")
        finally:
            os.chdir(at)
        self._arguments = self.rng.choice(ARGUMENTS)

    def dump(self, *, full: bool = False) -> Dump:
        """Make one more dump, and change the directory after the clock has advanced."""
        rng = self.rng
        type = "FULL" if full or not self.dumps else rng.choice(("INC", "INC", "DIFF"))
        parent = None if type == "FULL" else self._base(type)
        snapshot = self._dumpers / str(len(self.dumps))
        if parent is not None:
            shutil.copy(self._snapshots[parent.number], snapshot)
            snapshot.chmod(0o666)
        excluded = rng.choice("abc") if rng.random() < 0.3 else None
        if rng.random() < 0.05:
            self._arguments = rng.choice(ARGUMENTS)
        if self.is_nobody and rng.random() < 0.5:
            self._forbid()
        made = self._tar(type, parent, snapshot, excluded)
        self.dumps.append(made)
        self._snapshots[made.number] = snapshot
        self._live_on()
        return made

    def _base(self, type: str) -> Dump:
        """The dump that one of *type* starts from."""
        start = max(at for at, dump in enumerate(self.dumps) if dump.type == "FULL")
        if type == "DIFF" or self.inc_base is IncBase.LAST_FULL:
            return self.dumps[start]
        others = [dump for dump in self.dumps if dump.type != "DIFF" or self.inc_base is IncBase.LAST_ANY]
        return others[-1]

    def _tar(self, type: str, parent: Dump | None, snapshot: Path, excluded: str | None) -> Dump:
        live, name = self.history.place, self.history.root.name
        arguments = [one.format(name, place=live) for one in self._arguments]
        root = b"" if arguments[0] == "-C" else os.fsencode(arguments[arguments[0] == "-P"]).lstrip(b"/")
        before = digest(snapshot) if snapshot.exists() else None
        options = [f"--format={self.rng.choice(FORMATS)}", f"--listed-incremental={snapshot}"]
        options += [f"--exclude={excluded}"] if excluded is not None else []
        command = [*(NOBODY if self.is_nobody else ()), "tar", "-cf-", *options, *arguments]
        ran = subprocess.run(command, cwd=live, capture_output=True, env={**os.environ, "LC_ALL": "C"})
        assert ran.returncode == 0 or self.is_nobody, ran.stderr
        members = members_of(ran.stdout)
        return Dump(
            self.number,
            len(self.dumps),
            type,
            gz(ran.stdout),
            parent,
            before,
            digest(snapshot),
            self._seen(arguments, root, parent),
            frozenset(_held(members, ran.stdout)),
            frozenset(canonical(one.path) for one in members if one.listing is not None),
            frozenset(os.fsencode(name) for name in (excluded, *self._forbidden()) if name is not None),
            frozenset(os.fsencode(path.name) for path in self.history.root.rglob("*") if path.is_socket()),
            root,
            arguments[0] == "-P",
        )

    def _seen(self, arguments: Sequence[str], root: bytes, parent: Dump | None) -> Seen:
        """The tree by the names that tar is given; elsewhere the tree when *parent* was made."""
        live = self.history.place
        found: Seen = {}
        if arguments[0] == "-C":
            return look_at(live / arguments[1])
        covered = {os.fsencode(one).lstrip(b"/") for one in arguments if one != "-P"}
        for path in covered:
            where = live / os.fsdecode(path) if path != root else self.history.root
            above = path.split(b"/")[:-1]
            found |= {b"/".join(above[: count + 1]): ("directory", b"") for count in range(len(above))}
            if where.is_dir():
                found[path] = ("directory", b"")
                found |= {path + b"/" + below: look for below, look in look_at(where).items()}
            else:
                found[path] = ("file", where.read_bytes())
        if parent is not None and parent.root != root:
            covered.add(parent.root)  # it has another name now
        stays = {} if parent is None else parent.seen
        return {path: look for path, look in stays.items() if not any(_is_at(path, top) for top in covered)} | found

    def _forbid(self) -> None:
        """Make some file or directory unreadable for other users."""
        there = sorted(path for path in self.history.root.rglob("*") if not path.is_symlink())
        if there:
            one = self.rng.choice(there)
            one.chmod(0o700 if one.is_dir() else 0o600)

    def _forbidden(self) -> Iterator[str]:
        """The names of everything that other users cannot read."""
        return (path.name for path in self.history.root.rglob("*") if not path.lstat().st_mode & 0o077)

    def _live_on(self) -> None:
        rng, history = self.rng, self.history
        history.go_through(drawn(rng, CHANGING, rng.randrange(1, 5)))
        if rng.random() < 0.5:
            (history.place / "second/x").write_bytes(b"%d: %d" % (self.number, len(self.dumps)))
        if rng.random() < 0.1:
            history.root = history.root.rename(history.place / f"root{len(self.dumps)}")
        if rng.random() < 0.5:
            for path in history.root.rglob("*"):
                with suppress(OSError):
                    path.chmod(0o755 if path.is_dir() else 0o644)
        history.wait()


def _held(members: Sequence[Member], tar: bytes) -> Iterator[tuple[bytes, str, bytes]]:
    """The name of each member except directories, with its type and content."""
    looks: dict[bytes, tuple[str, bytes]] = {}
    for one in members:
        if one.type is MemberType.DIRECTORY:
            continue
        path = canonical(one.path)
        if one.type is MemberType.HARD_LINK:
            looks[path] = looks.get(canonical(one.link), ("hard link to nothing", b""))
        else:
            looks[path] = one.type.value, tar[one.data_at : one.data_at + one.stored_bytes]
        yield _name(path), *looks[path]


def _name(path: bytes) -> bytes:
    return path[path.rfind(b"/") + 1 :]


def _is_at(path: bytes, top: bytes) -> bool:
    return not top or path == top or path.startswith(top + b"/")
