"""
Histories of real directories for tests, and GNU tar's archives of them.

A history is a list of steps drawn by Hypothesis. A step names its targets by numbers, counted among what exists when it
runs, so that a shortened history still means something.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

from tarkeep.domain.tar.members import Member, MemberType
from tarkeep.domain.tar.paths import canonical
from tarkeep.domain.trees.tree import Tree

from .tar_oracle import look_at

NAMES = [
    os.fsdecode(name)
    for name in (
        b"a",
        b"b",
        b"c",
        b"d e",
        "ä".encode(),
        b"\xff",
        b"n" * 120,
        "ö".encode() * 120,
        b"\xfe" * 110,
        b"-x\n\\*'",
    )
]
_TIMES = (1, 999_999_999, 1_500_000_000_123_456_789, 1_600_000_000_000_000_001, -1, -1_500_000_000, 0)
_OWNERS = ((0, 0), (1, 1), (65_534, 12_345), (3_000_000, 0))  # 3,000,000 has more octal digits than the gnu format

Step = tuple[str, int, int, int]

_GROWING = ("write", "write", "write", "make", "make", "link", "symlink")
_CHANGING = (
    "change",
    "remove",
    "remove-tree",
    "move-file",
    "move",
    "move",
    "replace",
    "swap",
    "rotate",
    "chmod",
)
_GROWING_ODD = ("sparse", "fifo", "empty", "empty-directory", "make", "link", "link", "attribute", "past", "own")
_CHANGING_ODD = ("same-second", "chmod-directory", "chmod", "past", "attribute", "unattribute", "own", "rotate")
_RENAMING = ("move", "move", "replace", "swap", "rotate")
_counts = st.integers(0, 11)


def steps(
    least: int = 0, most: int = 8, *, growing: bool = False, odd: bool = False, renaming: bool = False
) -> st.SearchStrategy[list[Step]]:
    """
    Steps of a history; *growing* ones change nothing that exists, *odd* ones add rare things, and most *renaming* ones
    rename directories.

    Odd things are files with holes, fifos, attributes, old times, owners, and edits that keep size and time.
    """
    chosen = _GROWING + _GROWING_ODD * odd
    if not growing:
        chosen += _CHANGING + _CHANGING_ODD * odd + _RENAMING * 4 * renaming
    kinds = st.sampled_from(chosen)
    return st.lists(st.tuples(kinds, _counts, _counts, _counts), min_size=least, max_size=most)


def drawn(rng: random.Random, kinds: tuple[str, ...], count: int) -> list[Step]:
    """Random steps of these *kinds*."""
    return [(rng.choice(kinds), rng.randrange(12), rng.randrange(12), rng.randrange(12)) for _ in range(count)]


class History:
    """A changing directory ``root`` below *place*, and the archives made of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "root"
        self.root.mkdir()
        self._written = 0

    def live(self) -> dict[bytes, tuple[str, bytes]]:
        return below_root(look_at(self.root))

    def dump(self, name: str, snapshot: Path | None, *, posix: bool, only: str = "root", odd: bool = False) -> Path:
        """
        Archive the directory with *snapshot* as tar's snapshot file, which is updated; None makes a plain archive.

        *only* is the part of it to archive; *odd* looks for holes, and for attributes if the format has them. Returns
        after the clock that stamps files has passed the start of the dump.
        """
        archive = self.place / name
        options = [f"--format={'posix' if posix else 'gnu'}", f"--file={archive}"]
        if snapshot is not None:
            options.append(f"--listed-incremental={snapshot}")
        if odd:
            options += ["--sparse", *["--xattrs"] * posix]
        tar(self.place, "--create", *options, "--", only)
        self.wait()
        return archive

    def restored(self, archives: list[Path], *, incremental: bool = True) -> dict[bytes, tuple[str, bytes]] | None:
        """The tree that GNU tar restores from *archives* in order; None if it stops."""
        into = self.place / "restored"
        into.mkdir()
        try:
            for archive in archives:
                options = ["--listed-incremental=/dev/null"] if incremental else []
                # Not with --directory: the temporary names of circles are made in the directory that tar runs in.
                if tar(into, "--extract", *options, f"--file={archive}", check=False):
                    return None
            return below_root(look_at(into / "root"))
        finally:
            shutil.rmtree(into)

    def go_through(self, steps: list[Step]) -> None:
        """Carry out every step that is possible."""
        for kind, first, second, third in steps:
            try:
                self._step(kind, first, second, third)
            except OSError:
                continue  # the target exists, or is inside the directory to move

    def _step(self, kind: str, first: int, second: int, third: int) -> None:
        directories, files = self._directories(), self._files()
        inner = directories[1:]
        target = directories[second % len(directories)] / NAMES[third % len(NAMES)]
        if kind == "write" and (not target.exists() or target.is_file()):
            target.write_bytes(self._new_content())
        elif kind == "make":
            target.mkdir()
            (target / NAMES[first % len(NAMES)]).write_bytes(self._new_content())
        elif kind == "symlink":
            target.symlink_to(NAMES[first % len(NAMES)])
        elif kind == "sparse":
            self._write_sparse(target, first)
        elif kind == "fifo":
            os.mkfifo(target)
        elif kind == "empty":
            target.touch()
        elif kind == "empty-directory":
            target.mkdir()
        elif kind in ("attribute", "unattribute", "past", "own", "chmod-directory"):
            self._step_beside(kind, [*directories, *files], directories, first, third)
        elif files and kind in ("change", "remove", "move-file", "link", "chmod", "same-second"):
            file = files[first % len(files)]
            if kind == "same-second" and stat.S_ISREG(file.lstat().st_mode):
                before = file.stat()
                file.write_bytes(self._new_content().ljust(before.st_size)[: before.st_size])
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            elif kind == "change" and stat.S_ISREG(file.lstat().st_mode):
                file.write_bytes(self._new_content())
            elif kind == "chmod" and not file.is_symlink():
                file.chmod(0o600 + third % 0o100)
            elif kind == "remove":
                file.unlink()
            elif kind == "move-file":
                file.rename(target)
            elif kind == "link":
                os.link(file, target, follow_symlinks=False)
        elif inner and kind == "remove-tree":
            shutil.rmtree(inner[first % len(inner)])
        elif inner and kind in ("move", "replace"):
            moved = inner[first % len(inner)]
            moved.rename(target)
            if kind == "replace":  # a new one in its place
                moved.mkdir()
                (moved / NAMES[third % len(NAMES)]).write_bytes(self._new_content())
        elif kind in ("swap", "rotate"):
            count = 2 if kind == "swap" else 3
            self._exchange([inner[number % len(inner)] for number in (first, second, third)[:count] if inner])

    def _step_beside(self, kind: str, names: list[Path], directories: list[Path], first: int, third: int) -> None:
        """Change the metadata of a name, not its content."""
        one = names[first % len(names)]
        if kind == "attribute" and not one.is_symlink():
            os.setxattr(one, f"user.{'abc'[third % 3]}", b"\0=\n%d" % third)
        elif kind == "unattribute" and not one.is_symlink():
            os.removexattr(one, f"user.{'abc'[third % 3]}")
        elif kind == "past":
            os.utime(one, ns=(0, _TIMES[third % len(_TIMES)]), follow_symlinks=False)
        elif kind == "own" and os.geteuid() == 0:
            os.chown(one, *_OWNERS[third % len(_OWNERS)], follow_symlinks=False)
        elif kind == "chmod-directory":
            directories[first % len(directories)].chmod((0o500, 0o555, 0o750, 0o2755, 0o1777)[third % 5])

    def _write_sparse(self, target: Path, first: int) -> None:
        if target.exists() and not target.is_file():
            return
        with target.open("wb") as file:
            for at in range(1 + first):  # more than the four that fit into a header
                file.seek(at * 8192 + 4096)
                file.write(self._new_content())
            file.truncate((first + 2) * 8192)

    def _exchange(self, circle: list[Path]) -> None:
        """Give each directory the name of the one before it, unless one is inside another."""
        if len(set(circle)) < 2 or any(one in other.parents for one in circle for other in circle):
            return
        circle = list(dict.fromkeys(circle))
        aside = self.place / "aside"
        circle[0].rename(aside)
        for free, moved in pairwise(circle):
            moved.rename(free)
        aside.rename(circle[-1])

    def _directories(self) -> list[Path]:
        return sorted(Path(directory) for directory, _, _ in os.walk(self.root))

    def _files(self) -> list[Path]:
        return sorted(Path(directory) / name for directory, _, names in os.walk(self.root) for name in names)

    def _new_content(self) -> bytes:
        self._written += 1
        return b"content %d" % self._written

    def wait(self) -> None:
        """Wait until new files get a later time than existing ones."""
        # Files are stamped by a clock with a resolution of some milliseconds; tar takes its start from a finer one.
        probe = self.place / "probe"
        probe.touch()
        stamped = probe.stat().st_mtime_ns
        while probe.stat().st_mtime_ns == stamped:
            probe.touch()


def tar(directory: Path, *arguments: str, check: bool = True) -> int:
    """Run GNU tar in *directory*. Returns its exit status."""
    done = subprocess.run(
        ["tar", *arguments], cwd=directory, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert not check or done.returncode == 0, done.stderr.decode(errors="replace")
    return done.returncode


def below_root(found: dict[bytes, tuple[str, bytes]]) -> dict[bytes, tuple[str, bytes]]:
    return {b"root": ("directory", b""), **{b"root/" + path: what for path, what in found.items()}}


def put_together(tree: Tree, path: Sequence[tuple[Sequence[Member], bytes]]) -> dict[bytes, tuple[str, bytes]]:
    """The result of restoring *tree*, from the members and bytes of its archives: names with type and content."""
    found = {entry.path: ("directory", b"") for entry in tree.directories()}
    for (members, content), taken in zip(path, tree.taken(), strict=True):
        at = {member.at: member for member in members}
        placed = [(position, canonical(at[position].path)) for position in taken.positions]
        placed += ((position, name) for position, names in taken.elsewhere.items() for name in names)
        for position, name in placed:
            member = at[position]
            assert member.type is not MemberType.HARD_LINK
            held = content[member.data_at : member.data_at + member.stored_bytes]
            found[name] = (member.type.value, held if member.type is MemberType.FILE else member.link)
    return found
