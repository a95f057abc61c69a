"""
Test archives of other tar readers (libarchive, CPython, Go and others), and what GNU tar makes of each.

``tests/fetch_corpora`` downloads them.

A corpus is a folder of files as that project keeps them: bare tars, packed ones, uuencoded texts of either, and files
that are no tar at all. `files` gives each as it would be sent to a server, as a ``.tar.gz``.
"""

from __future__ import annotations

import binascii
import bz2
import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

PLACE = Path(os.environ.get("TARKEEP_TEST_CORPORA", "") or Path.home() / ".cache" / "tarkeep-corpora")

_GZIP = b"\x1f\x8b"
_COMPRESS = b"\x1f\x9d"
_BEGIN = re.compile(rb"^begin [0-7]{3} \S+\r?$", re.MULTILINE)
_STEP = 1 << 20
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"r": b"\r", b"v": b"\v"}


@frozen
class ForeignFile:
    """One file of a corpus, packed with gzip unless it is already."""

    name: str
    packed: bytes


def files(corpus: Path) -> Iterator[ForeignFile]:
    """All of *corpus*, by name."""
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if _BEGIN.search(content, 0, 4096):
            content = _uudecoded(content)
        content = _unpacked(content)
        name = str(path.relative_to(corpus))
        yield ForeignFile(name, content if content.startswith(_GZIP) else gzip.compress(content, 1, mtime=0))


def _uudecoded(text: bytes) -> bytes:
    begin = _BEGIN.search(text)
    assert begin is not None
    lines = text[begin.end() :].split(b"\n")[1:]
    found = bytearray()
    for line in lines:
        if line.strip() in (b"end", b"`"):
            break
        if line.strip():
            needed = ((line[0] - 32 & 63) * 4 + 5) // 3  # some writers append more
            found += binascii.a2b_uu(line[:needed])
    return bytes(found)


def _unpacked(content: bytes) -> bytes:
    """*content* decompressed, if its compression is not gzip and this machine supports it."""
    try:
        if content.startswith(b"BZh"):
            return bz2.decompress(content)
        if content.startswith(b"\xfd7zXZ"):
            return lzma.decompress(content)
    except (OSError, EOFError, lzma.LZMAError):
        return content
    if content.startswith(_COMPRESS):
        done = subprocess.run(["gzip", "-dc"], input=content, capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else content
    return content


# -- what GNU tar says -----------------------------------------------------------------------------------------------


@frozen
class Listed:
    """The result of ``tar -tz``: exit status, names in Tarkeep's spelling, and complaints."""

    status: int
    names: list[bytes]
    complaints: str


def listed(file: Path) -> Listed:
    """What GNU tar lists of the archive *file*."""
    done = _tar("--list", "--gzip", f"--file={file}", "--quoting-style=escape", "--absolute-names")
    names = [_spelt(_unescaped(line)) for line in done.stdout.split(b"\n")[:-1]]
    return Listed(done.returncode, names, done.stderr.decode(errors="replace"))


def label(file: Path) -> bytes:
    """The volume label of the archive *file*, or nothing."""
    return _tar("--test-label", "--gzip", f"--file={file}").stdout.rstrip(b"\n")


def _spelt(name: bytes) -> bytes:
    """*name* without ``./`` in front and without slashes at its end."""
    if name.endswith(b"/"):
        name = name.rstrip(b"/") or b"/"
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/")
    return b"" if name == b"." else name


@frozen
class Extracted:
    """The result of ``tar -x``: exit status, the extracted names, and complaints."""

    status: int
    tree: dict[bytes, Seen]
    complaints: str


@frozen
class Seen:
    """Everything visible of one name; a device's *content* is its numbers, *links* are all names of its inode."""

    type: str
    mode: int
    content: str
    mtime: int | None
    links: tuple[bytes, ...] = ()


def extracted(file: Path, into: Path, *options: str) -> Extracted:
    """What GNU tar extracts from the archive *file* into the empty directory *into*, which is removed afterwards."""
    into.mkdir()
    try:
        done = _tar(
            "--extract",
            f"--file={file}",
            f"--directory={into}",
            "--preserve-permissions",
            "--numeric-owner",
            "--delay-directory-restore",
            *options,
        )
        return Extracted(done.returncode, seen(into), done.stderr.decode(errors="replace"))
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(into)], capture_output=True, check=False)
        shutil.rmtree(into)


def _tar(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["tar", *arguments],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def seen(root: Path) -> dict[bytes, Seen]:
    """Every name below *root*."""
    top = os.fsencode(root)
    statuses: dict[bytes, os.stat_result] = {}
    for directory, subdirectories, names in os.walk(top):
        for name in subdirectories + names:
            path = os.path.join(directory, name)  # noqa: PTH118  names of bytes
            statuses[os.path.relpath(path, top)] = os.lstat(path)
    inodes: dict[tuple[int, int], list[bytes]] = {}
    for path, status in statuses.items():
        inodes.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {
        path: Seen(
            _type(status.st_mode),
            stat.S_IMODE(status.st_mode),
            _content(os.path.join(top, path), status),  # noqa: PTH118
            int(status.st_mtime) if stat.S_ISREG(status.st_mode) else None,
            tuple(sorted(inodes[status.st_dev, status.st_ino])) if not stat.S_ISDIR(status.st_mode) else (),
        )
        for path, status in statuses.items()
    }


def _type(mode: int) -> str:
    return {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
        stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "fifo",
        stat.S_IFCHR: "character-device",
        stat.S_IFBLK: "block-device",
    }[stat.S_IFMT(mode)]


def _content(path: bytes, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path).hex()  # noqa: PTH115
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return f"{os.major(status.st_rdev)},{os.minor(status.st_rdev)}"
    if not stat.S_ISREG(status.st_mode):
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        at = 0
        while at < status.st_size:  # of a sparse file, only the data
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            file.seek(at := at - at % _STEP)
            block = file.read(_STEP)
            if block.strip(b"\0"):
                digest.update(b"%d %d " % (at, len(block)))
                digest.update(block)
            at += _STEP
    return f"{status.st_size} {digest.hexdigest()}"


def _unescaped(name: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        what = match[1]
        return bytes((int(what, 8),)) if len(what) == 3 else _LETTERS.get(what, what)

    return _ESCAPED.sub(one, name)
