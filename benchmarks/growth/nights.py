"""
Data directories as nights of backups leave them: a FULL, and INC after INC of a tree with few changes.

The archives are what GNU tar writes with ``--listed-incremental``, made without walking a tree, and received like any
other. One file in `EVERY` changes from night to night, a different one each time; the rest is called unchanged.
"""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from isal import igzip

from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep

PROFILE = "nights"
NIGHTLY = timedelta(days=1)
IN_A_DIRECTORY = 20
EVERY = 3_000
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_EPOCH = 1_700_000_000


def nights(folder: Path, incs: int, names: int, every: timedelta = NIGHTLY) -> None:
    """Fill *folder*, a data directory, with a FULL of so many *names* and so many INC."""
    with opened(folder) as tarkeep:
        for number in range(incs + 1):
            receive(tarkeep, number, names, every=every)


def opened(data: Path) -> AbstractContextManager[Tarkeep]:
    """The server's use cases over *data*."""
    return open_tarkeep(StorageSettings(data=data, reserve_bytes=0, max_upload_bytes=4 << 30))


def receive(
    tarkeep: Tarkeep, number: int, names: int, *, every: timedelta = NIGHTLY, has_own_names: bool = False
) -> None:
    """Store the archive of night *number*: 0 is the FULL."""
    type = BackupType.INC if number else BackupType.FULL
    offer = Offer(ArchiveId(PROFILE, type, f"night{number:05}.tar.gz"), taken_at=_FIRST + number * every)
    tarkeep.receive(offer, iter([night(number, names, has_own_names=has_own_names)]))


def night(number: int, names: int, *, has_own_names: bool = False) -> bytes:
    """The archive of that night; one that *has_own_names* calls a name unchanged that no other has."""
    changed: dict[str, list[str]] = {}
    for directory, files in tree(names) if not number else _changed(number, names):
        changed[directory] = files
    blocks = [
        _directory(directory, files, set(changed[directory])) if directory and directory in changed else unchanged
        for (directory, files), unchanged in zip(tree(names), _unchanged(names), strict=True)
    ]
    if has_own_names:
        directory, files = tree(names)[1]
        blocks[1] = _directory(directory, [*files, f"lost-{number}"], set(changed.get(directory, ())))
    for directory, files in changed.items():
        content = b"%d\n" % number if number else b""
        blocks += (_member(f"{directory}/{file}", content, b"0", number) for file in files)
    blocks.append(bytes(1024))
    return bytes(igzip.compress(b"".join(blocks), 1))


@lru_cache(1)
def tree(names: int) -> Sequence[tuple[str, list[str]]]:
    """The directories with the names of their files, in order; the root, "", has only directories."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for at in range(0, names, IN_A_DIRECTORY):
        draw = random.Random(at)
        files = (
            f"{draw.choice(_WORDS)}-{draw.randbytes(4).hex()}-{at + number:07}"
            for number in range(min(IN_A_DIRECTORY, names - at))
        )
        found.append((f"d{at // IN_A_DIRECTORY:06}", sorted(files)))
    return found


def _changed(number: int, names: int) -> Iterator[tuple[str, list[str]]]:
    """The directories with a file that changed before night *number*, with those files."""
    every = min(EVERY, names)
    found: dict[int, list[str]] = {}
    for at in range(number * 37 % every, names, every):
        place = 1 + at // IN_A_DIRECTORY
        found.setdefault(place, []).extend(file for file in tree(names)[place][1] if int(file[-7:]) == at)
    for place, files in found.items():
        yield tree(names)[place][0], files


@lru_cache(1)
def _unchanged(names: int) -> Sequence[bytes]:
    """The listings of all directories without changes."""
    found = [_directory(directory, files, set()) for directory, files in tree(names)]
    listing = b"".join(b"D%s\0" % directory.encode() for directory, _ in tree(names) if directory)
    return [_member("./", listing + b"\0", b"D", 0), *found[1:]]


def _directory(path: str, files: list[str], changed: set[str]) -> bytes:
    marks = ((b"Y" if file in changed else b"N") + file.encode() for file in files)
    return _member(f"{path}/", b"".join(mark + b"\0" for mark in marks) + b"\0", b"D", 0)


def _member(name: str, content: bytes, type: bytes, number: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mtime = type, len(content), _EPOCH + number
    member.mode = 0o755 if type == b"D" else 0o644
    return member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


_WORDS = ("report", "letter", "scan", "photo", "index", "draft", "invoice", "minutes", "backup", "notes", "a", "config")
