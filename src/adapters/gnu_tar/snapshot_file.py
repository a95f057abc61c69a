r"""
GNU tar's snapshot file (format 2), as far as a backup needs it: which names each directory had.

::

    GNU tar-1.34-2\n  SECONDS\0 NANOSECONDS\0
    then for each directory:  NFS\0 SECONDS\0 NANOSECONDS\0 DEVICE\0 INODE\0 NAME\0  (FLAG NAME\0)...  \0 \0

FLAG is Y for a name that this dump holds, N for one that it does not, D for a directory. The next dump holds a name
that changed since, or that is missing from the snapshot file. So a name removed from the file is in the next dump,
whatever became of it; otherwise tar would take a file that could not be read, or was excluded, for unchanged from then
on, and no archive would hold it until the next full dump.

What the dump was made of (`Selection`) is appended as a directory of no device. tar never finds that directory, and so
neither dumps nor keeps it: //tarkeep, with one name, a JSON text. Other programs can ignore it.

Format: https://www.gnu.org/software/tar/manual/html_node/Snapshot-Files.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from attrs import frozen

from ...domain.client.ports.dumping import Changes
from ...domain.client.selection import Selection

_HEADER = re.compile(rb"GNU tar-[^\n]*-2\n\d+\0\d+\0", re.ASCII)
_FIELDS = 6  # of a directory, before its names
_HELD, _NOT_HELD, _DIRECTORY = b"Y", b"N", b"D"
_REMEMBERED = b"0\0" * 5 + b"//tarkeep\0D"  # no path of a directory has two slashes


@frozen
class Settled:
    """The snapshot file that the next dump continues from, and what this dump found; None if that is unknown."""

    snapshot: bytes
    changes: Changes | None


def settled(before: bytes | None, after: bytes, unreadable: Collection[bytes] = ()) -> Settled:
    """
    The snapshot file that a dump left, without the names that the next dump must look at again.

    These are the *unreadable* ones, as paths relative to tar's starting point, and those that are excluded. *before*
    is the file that the dump continued from, None for a full dump. A file of another format is returned unchanged.
    """
    found, known = _read(after), [] if before is None else _directories(before)
    if found is None or known is None:
        return Settled(after, None)
    header, directories = found
    again = {_plain(path) for path in unreadable}
    earlier = _earlier(known, directories)
    new = changed = unchanged = deleted = 0
    parts: list[bytes] = []
    for directory, old in zip(directories, earlier, strict=True):
        had = old.names if old is not None else {}
        kept = []
        for name, flag in directory.names.items():
            is_known = name in had
            is_excluded = flag == _NOT_HELD and not is_known
            is_unread = flag != _DIRECTORY and bool(again) and _below(directory.path, name) in again
            if is_excluded or is_unread:
                continue
            kept.append(flag + name)
            new += flag == _HELD and not is_known
            changed += flag == _HELD and is_known
            unchanged += flag == _NOT_HELD
        if directory.path not in again:
            deleted += sum(flag != _DIRECTORY and name not in directory.names for name, flag in had.items())
        parts += [*directory.about, *kept, b"", b""]
    there = {id(old) for old in earlier if old is not None}
    gone = (old for old in known if id(old) not in there and not _is_within(old.path, again))
    deleted += sum(flag != _DIRECTORY for old in gone for flag in old.names.values())
    return Settled(header + b"".join(part + b"\0" for part in parts), Changes(new, changed, unchanged, deleted))


def remembering(snapshot: bytes, selection: Selection) -> bytes:
    """*snapshot* with the dump's *selection* added. A file of another format is returned unchanged."""
    if _HEADER.match(snapshot) is None:
        return snapshot
    told = {
        "root": selection.root,
        "exclude": sorted(selection.excluded),
        "options": sorted(selection.options),
        "whole": selection.is_whole,
    }
    return snapshot + _REMEMBERED + json.dumps(told).encode() + b"\0\0\0"


def remembered(snapshot: bytes) -> Selection | None:
    """The selection stored in *snapshot* by `remembering`; None if it stores no selection."""
    told = snapshot.rpartition(_REMEMBERED)[2] if _REMEMBERED in snapshot else b""
    try:
        it = json.loads(told.partition(b"\0")[0])
        return Selection(str(it["root"]), frozenset(it["exclude"]), frozenset(it["options"]), bool(it["whole"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@frozen
class _Directory:
    """*about* is the part before the names: device and inode, which a rename cannot change, and the path."""

    about: tuple[bytes, ...]
    names: dict[bytes, bytes]

    @property
    def path(self) -> bytes:
        return _plain(self.about[-1])

    @property
    def inode(self) -> tuple[bytes, ...]:
        return self.about[3:5]


def _read(snapshot: bytes) -> tuple[bytes, list[_Directory]] | None:
    """The header and the directories; None if the file has another format."""
    match = _HEADER.match(snapshot)
    if match is None:
        return None
    fields = snapshot[match.end() :].split(b"\0")
    directories = []
    at = 0
    while at + _FIELDS < len(fields):
        about = tuple(fields[at : at + _FIELDS])
        at += _FIELDS
        names = {}
        while at < len(fields) and fields[at]:
            names[fields[at][1:]] = fields[at][:1]
            at += 1
        at += 2
        directories.append(_Directory(about, names))
    return match[0], directories


def _directories(snapshot: bytes) -> list[_Directory] | None:
    found = _read(snapshot)
    return found[1] if found is not None else None


def _earlier(known: Sequence[_Directory], directories: Sequence[_Directory]) -> list[_Directory | None]:
    """The earlier entry of each of *directories*: found by inode, as tar does, or else by path."""
    by_inode = {directory.inode: directory for directory in known}
    found = [by_inode.get(directory.inode) for directory in directories]
    taken = {id(directory) for directory in found if directory is not None}
    by_path = {directory.path: directory for directory in known if id(directory) not in taken}
    return [
        by_path.get(directory.path) if old is None else old for directory, old in zip(directories, found, strict=True)
    ]


def _is_within(path: bytes, paths: Collection[bytes]) -> bool:
    """Whether *path* is one of *paths* or below one."""
    if not paths:
        return False
    parts = path.split(b"/")
    return any(b"/".join(parts[:depth]) in paths for depth in range(1, len(parts) + 1))


def _below(path: bytes, name: bytes) -> bytes:
    return name if path == b"." else path + b"/" + name


def _plain(path: bytes) -> bytes:
    return path.removeprefix(b"./").rstrip(b"/") or b"."
