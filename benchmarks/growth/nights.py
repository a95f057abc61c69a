"""
Data directories as nights of backups leave them: a FULL, and INC after INC of a tree of which little changes.

The archives are what GNU tar writes with ``--listed-incremental``, made without walking a tree, and received like any
other. One file in `EVERY` changes from night to night, always another; the rest is called unchanged.
"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tarkeep.domain.archives import ArchiveId, BackupType, Offer
from tarkeep.entrypoints.settings import StorageSettings
from tarkeep.entrypoints.wiring import Tarkeep, open_tarkeep

PROFILE = "nights"
IN_A_DIRECTORY = 20
EVERY = 3_000
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_EPOCH = 1_700_000_000


def nights(folder: Path, incs: int, names: int) -> None:
    """Fill *folder*, a data directory, with a FULL of so many *names* and so many INC."""
    with opened(folder) as tarkeep:
        for number in range(incs + 1):
            receive(tarkeep, number, names)


def opened(data: Path) -> AbstractContextManager[Tarkeep]:
    """The server's use cases over *data*."""
    return open_tarkeep(StorageSettings(data=data, reserve_bytes=0, max_upload_bytes=4 << 30))


def receive(tarkeep: Tarkeep, number: int, names: int, profile: str = PROFILE) -> None:
    """Store the archive of night *number*: 0 is the FULL."""
    type = BackupType.INC if number else BackupType.FULL
    offer = Offer(ArchiveId(profile, type, f"night{number:05}.tar.gz"), taken_at=_FIRST + timedelta(days=number))
    tarkeep.receive(offer, iter([night(number, names)]))


def night(number: int, names: int) -> bytes:
    """The archive of that night."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for directory, files in tree(names):
            marks = [b"Y" if not number or changes(number, file, names) else b"N" for file in files]
            listing = b"".join(mark + file.encode() + b"\0" for mark, file in zip(marks, files, strict=True)) + b"\0"
            if not directory:
                listing = b"".join(b"D%s\0" % path.encode() for path, _ in tree(names) if path) + b"\0"
            _add(tar, f"{directory}/" if directory else "./", listing, b"D", number)
        for directory, files in tree(names):
            for file in files:
                if not number or changes(number, file, names):
                    _add(tar, f"{directory}/{file}", b"%d\n" % number if number else b"", tarfile.REGTYPE, number)
            tar.members = []  # type: ignore[attr-defined]  # which it would keep, all of them
    return gzip.compress(buffer.getvalue(), 1, mtime=_EPOCH)


def tree(names: int) -> Iterator[tuple[str, list[str]]]:
    """The directories with the names of their files, in order; the root, "", has directories alone."""
    yield "", []
    for at in range(0, names, IN_A_DIRECTORY):
        draw = random.Random(at)
        files = {
            f"{draw.choice(_WORDS)}-{draw.choice(_WORDS)}{at + number:07}"
            for number in range(min(IN_A_DIRECTORY, names - at))
        }
        yield f"d{at // IN_A_DIRECTORY:06}", sorted(files)


def changes(number: int, file: str, names: int) -> bool:
    """Whether that file changed before night *number*."""
    return int(file[-7:]) % min(EVERY, names) == number * 37 % min(EVERY, names)


def _add(tar: tarfile.TarFile, name: str, content: bytes, type: bytes, number: int) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mtime = type, len(content), _EPOCH + number
    tar.addfile(member, io.BytesIO(content))


_WORDS = ("report", "letter", "scan", "photo", "index", "draft", "invoice", "minutes", "backup", "notes", "a", "config")
