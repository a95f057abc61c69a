r"""
GNU tar's snapshot file (format 2), as far as a backup must know it: which names each directory had.

::

    GNU tar-1.34-2\n  SECONDS\0 NANOSECONDS\0
    then for each directory:  NFS\0 SECONDS\0 NANOSECONDS\0 DEVICE\0 INODE\0 NAME\0  (FLAG NAME\0)...  \0 \0

FLAG is Y for a name that this dump holds, N for one that it does not, D for a directory. tar dumps a name the next time
if it changed since, or if the file before does not have it. So a name that is taken out of the file is dumped by the
next dump, whatever became of it; without that, a file that could not be read, or was excluded, is taken for unchanged
from then on, and stands in no archive until the next full dump.

What the dump was made of (`Selection`) stands behind all of it, as a directory of no device that tar never finds and so
neither dumps nor takes over: //tarkeep, with one name, a JSON text. Whoever knows nothing of it is not disturbed by it.

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
    """The snapshot file that the next dump is to continue from, and what this one found; None where nobody can say."""

    snapshot: bytes
    changes: Changes | None


def settled(before: bytes | None, after: bytes, unreadable: Collection[bytes] = ()) -> Settled:
    """
    What a dump left behind, without the names that the next dump must look at again.

    These are the *unreadable* ones, as paths from where tar began, and those that are excluded. *before* is what the
    dump continued from, None for a full one. A file of another format stays as it is.
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
    """*snapshot* with what the dump was made of. A file of another format stays as it is."""
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
    """What the dump that left *snapshot* was made of; None where that does not stand in it."""
    told = snapshot.rpartition(_REMEMBERED)[2] if _REMEMBERED in snapshot else b""
    try:
        it = json.loads(told.partition(b"\0")[0])
        return Selection(str(it["root"]), frozenset(it["exclude"]), frozenset(it["options"]), bool(it["whole"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@frozen
class _Directory:
    """*about* is what the file says before the names: device and inode, which rename cannot change, and the path."""

    about: tuple[bytes, ...]
    names: dict[bytes, bytes]

    @property
    def path(self) -> bytes:
        return _plain(self.about[-1])

    @property
    def inode(self) -> tuple[bytes, ...]:
        return self.about[3:5]


def _read(snapshot: bytes) -> tuple[bytes, list[_Directory]] | None:
    """The header and the directories; None where it is of another format."""
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
    """What each of *directories* was before, under whatever name: by its inode as tar itself does, else by its path."""
    by_inode = {directory.inode: directory for directory in known}
    found = [by_inode.get(directory.inode) for directory in directories]
    taken = {id(directory) for directory in found if directory is not None}
    by_path = {directory.path: directory for directory in known if id(directory) not in taken}
    return [
        by_path.get(directory.path) if old is None else old for directory, old in zip(directories, found, strict=True)
    ]


def _is_within(path: bytes, paths: Collection[bytes]) -> bool:
    """Whether *path* is one of *paths*, or lies below one."""
    if not paths:
        return False
    parts = path.split(b"/")
    return any(b"/".join(parts[:depth]) in paths for depth in range(1, len(parts) + 1))


def _below(path: bytes, name: bytes) -> bytes:
    return name if path == b"." else path + b"/" + name


def _plain(path: bytes) -> bytes:
    return path.removeprefix(b"./").rstrip(b"/") or b"."
