"""A folder of a few files, and dumps of it as GNU tar would write them, made by hand because that takes no time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from attrs import define, field

from tarkeep.domain.archives.archive import Lineage
from tarkeep.domain.identity.archive_id import BackupType

from .tars import END, GNU_MAGIC, gz, header, member, padded

NAMES = (b"a", b"b", b"c", b"d")


@define
class DumpedFolder:
    """
    The folder ``root`` of a machine whose clock is right: each name with the second of its last change.

    A FULL holds all, a DIFF what changed since the FULL before it, an INC what changed since the FULL or INC before it.
    """

    word: str
    files: dict[bytes, int] = field(factory=dict)
    _changed: int = 0  # the second in which a name came or went
    _since: dict[BackupType, tuple[int, str]] = field(factory=dict)  # the start of a dump, its snapshot file
    _known: dict[BackupType, set[bytes]] = field(factory=dict)  # the names in it
    _dumps: int = 0

    def write(self, name: bytes, now: datetime) -> None:
        """Give *name* another content."""
        if name not in self.files:
            self._changed = _second(now)
        self.files[name] = _second(now)

    def remove(self, name: bytes, now: datetime) -> None:
        """Remove *name* if it is there."""
        if self.files.pop(name, None) is not None:
            self._changed = _second(now)

    def can(self, type: BackupType) -> bool:
        """Whether there was a FULL to build on, if *type* needs one."""
        return type is BackupType.FULL or type in self._since

    def dump(self, type: BackupType, now: datetime) -> tuple[bytes, Lineage]:
        """The ``.tar.gz`` of a dump that begins *now*, later than every change before, and its lineage."""
        start, before = (0, None) if type is BackupType.FULL else self._since[type]
        known = set() if type is BackupType.FULL else self._known[type]
        listing, held = b"", []
        for name, second in sorted(self.files.items()):
            is_held = second >= start or name not in known
            listing += (b"Y" if is_held else b"N") + name + b"\0"
            if is_held:
                content = b"%s %s at %d\n" % (self.word.encode(), name, second)
                held.append(member(b"root/" + name, content, mtime=second))
        listing += b"\0"
        directory = header(b"root/", len(listing), b"D", magic=GNU_MAGIC, mtime=self._changed) + padded(listing)
        self._dumps += 1
        after = hashlib.sha256(f"{self.word} {self._dumps}".encode()).hexdigest()
        for follower in _FOLLOWERS[type]:
            self._since[follower] = _second(now), after
            self._known[follower] = set(self.files)
        return gz(directory + b"".join(held) + END), Lineage(None, before, after)


_FOLLOWERS = {
    BackupType.FULL: (BackupType.INC, BackupType.DIFF),
    BackupType.INC: (BackupType.INC,),
    BackupType.DIFF: (),
}
"""The types whose next dump starts from one of a type."""

_EPOCH = datetime.fromtimestamp(0, UTC)


def _second(moment: datetime) -> int:
    return int((moment - _EPOCH) / timedelta(seconds=1))
