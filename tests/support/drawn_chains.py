"""
Random chains of archives: by GNU tar of a directory that changes, and by hand as no tar would make them.

They contain every kind of trouble: several roots, folders dumped alone, files as arguments, excludes, hard links to
nothing, paths that are too long, files over folders, renames, plain archives between others; with digests of snapshot
files and without. Nothing here uses the code under test.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from tests.support.tars import END, GNU_MAGIC, header, long_name, member, padded

FOLDERS = ("a", "a/x", "a/x/deep", "b", "b/y", "c")
FILES = tuple(f"{folder}/{name}".lstrip("/") for folder in (*FOLDERS, "") for name in ("1", "2"))
NAMED = ("a", "a/x", "b", "b/y/1", "c", "1", "2", "a/1")

HAND_FOLDERS = ("r", "r/d", "r/e", "s", "s/d")
HAND_NAMES = ("a", "b", "c")
TOO_DEEP = b"/".join([b"r", *[b"n" * 200] * 25])


@frozen
class Sent:
    """An archive as it is sent: its type, its name, its bytes, and the declarations in its headers."""

    type: str
    name: str
    content: bytes
    headers: dict[str, str]

    @property
    def label(self) -> str:
        return f"{self.type}/{self.name}"


def by_hand(rng: random.Random) -> list[Sent]:
    """A chain of up to five archives that were not made by tar."""
    is_plain = rng.random() < 0.3
    tars = [
        _plain(rng) if is_plain or (number and rng.random() < 0.1) else _listed(rng, is_first=not number)
        for number in range(rng.randint(1, 5))
    ]
    return _sent(rng, tars, [str(number) for number in range(len(tars))])


def _listed(rng: random.Random, *, is_first: bool) -> bytes:
    folders = [folder for folder in HAND_FOLDERS if rng.random() < 0.8] or ["r"]
    members = []
    for folder in folders:
        letters = {name: rng.choice("YYYY " if is_first else "NNNNNNNYY ") for name in HAND_NAMES}
        below = [other.rpartition("/")[2] for other in HAND_FOLDERS if other.rpartition("/")[0] == folder]
        records = [f"{letter}{name}" for name, letter in letters.items() if letter != " "]
        records += [f"D{name}" for name in below if rng.random() < 0.95]
        renames = b""
        if not is_first and folder == folders[0] and rng.random() < 0.15:
            one, other = rng.sample(HAND_FOLDERS, 2)
            renames = b"R%s\0T%s\0" % (one.encode(), other.encode())
        listing = renames + b"".join(record.encode() + b"\0" for record in records) + b"\0"
        members.append(header(folder.encode(), len(listing), b"D", magic=GNU_MAGIC) + padded(listing))
        for name, letter in letters.items():
            if letter == "Y" and rng.random() < 0.97:
                members.append(_content(rng, f"{folder}/{name}"))
    return b"".join([*members, *_odd(rng)]) + END


def _plain(rng: random.Random) -> bytes:
    paths = [f"{folder}/{name}" for folder in HAND_FOLDERS for name in HAND_NAMES if rng.random() < 0.3]
    folders = [header(f"{folder}/".encode(), 0, b"5") for folder in HAND_FOLDERS if rng.random() < 0.3]
    return b"".join([*folders, *(_content(rng, path) for path in paths), *_odd(rng)]) + END


def _content(rng: random.Random, path: str) -> bytes:
    if rng.random() < 0.03:
        return _hard_link(path.encode(), rng.choice((b"r/a", b"r/d/b", b"s/c", b"nowhere")))
    return member(path.encode(), b"%d" % rng.randrange(1000))


def _hard_link(path: bytes, to: bytes) -> bytes:
    return header(path, 0, b"1", patch=(157, to))


def _odd(rng: random.Random) -> Iterator[bytes]:
    if rng.random() < 0.04:
        yield long_name(TOO_DEEP) + member(b"short", b"deep")
    if rng.random() < 0.04:
        yield member(rng.choice(HAND_FOLDERS).encode(), b"over a folder")
    if rng.random() < 0.03:
        yield _hard_link(b"r/link", b"r/nothing")
    if rng.random() < 0.03:
        yield member(b"r/../up", b"up")
    if rng.random() < 0.03:
        yield header(rng.choice((b"r/sym", b"r/d", b"s")), 0, b"2", patch=(157, b"a"))


def _sent(rng: random.Random, tars: list[bytes], digests: list[str]) -> list[Sent]:
    sent = []
    is_said = rng.random() < 0.4
    for number, tar in enumerate(tars):
        type = "FULL" if not number else rng.choice(["INC"] * 6 + ["DIFF", "FULL"])
        headers = {}
        if is_said:
            headers["Tarkeep-Snapshot-After"] = _digest(digests[number])
            if type != "FULL":
                headers["Tarkeep-Snapshot-Before"] = _digest(digests[number - 1])
        name = f"{type.lower()}_2026-11-{number + 1:02d}_02-00-00.tar.gz"
        sent.append(Sent(type, name, gzip.compress(tar, 1), headers))
    if len(sent) > 2 and rng.random() < 0.25:
        del sent[rng.randrange(1, len(sent) - 1)]
    if rng.random() < 0.2:
        rng.shuffle(sent)
    return sent


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by_tar(rng: random.Random, place: Path) -> list[Sent]:
    """A chain of two to five archives that GNU tar made of a directory below *place*, which changes in between."""
    root = place / "live"
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for file in FILES:
        (root / file).write_text(file)
    tars, digests = [], []
    excluded = [f"--exclude={name}" for name in ("deep", "a/2", "b/y") if rng.random() < 0.15]
    for number in range(rng.randint(2, 5)):
        _change(rng, root)
        named = sorted(name for name in NAMED if rng.random() < (0.6 if number else 0.9))
        named = [name for name in named if (root / name).exists()] or ["."]
        is_plain = rng.random() < 0.08
        listed = [] if is_plain else ["--listed-incremental=../snapshot", "--no-check-device"]
        some = excluded if rng.random() < 0.7 else []
        command = ["tar", "-cf", "../dump.tar", *listed, *some, *named]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
        tars.append((place / "dump.tar").read_bytes())
        snapshot = place / "snapshot"
        digests.append(hashlib.sha256(snapshot.read_bytes()).hexdigest() if snapshot.exists() else "none")
    return _sent(rng, tars, digests)


def _change(rng: random.Random, root: Path) -> None:
    for _ in range(rng.randint(0, 4)):
        file, folder = root / rng.choice(FILES), root / rng.choice(FOLDERS)
        what = rng.choice(["write", "write", "delete", "mkdir", "rmdir", "move", "over", "link"])
        if what == "write" and file.parent.is_dir() and not file.is_dir():
            file.write_text(f"{rng.random()}")
        elif what == "delete" and file.is_file():
            file.unlink()
        elif what == "mkdir" and folder.parent.is_dir() and not folder.exists():
            folder.mkdir()
        elif what == "rmdir" and folder.is_dir():
            shutil.rmtree(folder)
        elif what == "move" and folder.is_dir():
            to = root / rng.choice(FOLDERS)
            if to.parent.is_dir() and not to.exists() and folder not in to.parents:
                folder.rename(to)
        elif what == "over" and folder.is_dir():
            shutil.rmtree(folder)
            folder.write_text("over")
        elif what == "link" and file.is_file() and folder.is_dir() and not (folder / "link").exists():
            os.link(file, folder / "link")
