"""Two accounts of a tree, and their differences."""

from __future__ import annotations

from tarkeep.domain.client.ports.chains import RemoteTreeEntry
from tarkeep.domain.client.ports.local_tree import LocalEntry
from tarkeep.domain.client.restore.comparing import differences


def there(
    path: bytes, type: str = "file", size: int = 3, mtime_ns: int | None = 5, link: bytes = b""
) -> RemoteTreeEntry:
    return RemoteTreeEntry(path, type, size, mtime_ns, 0o644, 0, 0, "", "", link, None)


def here(
    path: bytes, type: str = "file", size: int = 3, mtime_ns: int = 5, link: bytes = b"", inode: int = 1
) -> LocalEntry:
    return LocalEntry(path, type, size, mtime_ns, link, inode)


def test_what_is_equal_differs_in_nothing() -> None:
    """The size of a directory depends on its file system, and a hard link has the inode of its target."""
    server = [
        there(b""),
        there(b"d", "directory", 0),
        there(b"untold", "directory", 0, None),
        there(b"d/a"),
        there(b"d/b", "hard-link", 0, link=b"d/a"),
        there(b"d/l", "symlink", 0, link=b"/etc"),
        there(b"early", "hard-link", 0, link=b"late"),
        there(b"late"),
    ]
    local = [
        here(b"d", "directory", 4096),
        here(b"untold", "directory", 4096),
        here(b"d/a", inode=7),
        here(b"d/b", inode=7),
        here(b"d/l", "symlink", 4, link=b"/etc"),
        here(b"early", inode=9),
        here(b"late", inode=9),
    ]

    assert list(differences(server, local)) == []


def test_each_difference_is_reported_once() -> None:
    """Missing, extra, another type, size, time or target, or a copy in place of a hard link."""
    server = [
        there(b"gone"),
        there(b"type", "symlink", link=b"x"),
        there(b"size"),
        there(b"time"),
        there(b"link", "symlink", 0, link=b"x"),
        there(b"hard", "hard-link", link=b"size"),
        there(b"both"),
    ]
    local = [
        here(b"more"),
        here(b"type"),
        here(b"size", size=4),
        here(b"time", mtime_ns=6),
        here(b"link", "symlink", 0, link=b"y"),
        here(b"hard", inode=2),
        here(b"both", size=1, mtime_ns=1),
    ]

    assert [(each.path, each.what) for each in differences(server, local)] == [
        (b"gone", "is missing"),
        (b"type", "is a file, was a symlink"),
        (b"size", "has 4 bytes, had 3"),
        (b"time", "has another time"),
        (b"link", "points elsewhere"),
        (b"hard", "is not the hard link it was"),
        (b"both", "has 1 byte, had 3, has another time"),
        (b"more", "is not in the backup"),
    ]
