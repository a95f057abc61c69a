"""
The directory that holds everything of one server: its layout, its marker, and the lock that keeps a second process out.

::

    DATA/archives/   published archives and their side-cars
    DATA/staging/    archives on their way in
    DATA/trash/      archives on their way out
    DATA/quarantine/ damaged bytes that were replaced; made when it is needed
    DATA/evidence/   what was proven, by month; made when it is needed
    DATA/members/    records of archives' members, a cache
    DATA/seek/       seek indexes, a cache
    DATA/sums/       sums of archives' blocks, a cache
    DATA/tokens.json     tokens; may exist before anything else
    DATA/token-uses.json when each token was last used
    DATA/tarkeep.json    marker, see `marker`
    DATA/clock.json      when the server last ran, and whether its clock is trusted
    DATA/ballast         space set aside: it is given up when a full disk has no room for what frees space
    DATA/host.sock       while a server runs: the socket by which commands on its host speak to it
    DATA/lock            held, with the directory itself, while a process owns it; holds its process id

The rule: only a directory with a marker is ever written to, and a marker is only put into a directory that was empty,
so that a mistyped path cannot turn a folder of other things into a store. How `translated` maps an error of the
operating system holds for every adapter that works on this directory.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ...domain.errors.capacity import BackendUnavailable
from ...domain.errors.settings import DataDirectoryInUse, DataDirectoryUnsafe, FormatUnknown
from ...domain.ports.system import IdSource
from ..process.os_errors import translated
from .durable_file import fsync_directory
from .marker import LOCK, MARKER, make_marker

TOKENS = "tokens.json"
TOKENS_LOCK = "tokens.lock"
TOKEN_USES = "token-uses.json"
AUDIT = "audit.log"
AUDIT_KEY = "audit.key"
EVIDENCE = "evidence"
BALLAST = "ballast"
RULES = "profiles.toml"
NOTIFY = "notify.toml"

# Left by an interrupted first start, made before the first start, or put by mkfs.ext4 into every new file system.
_NOT_FOREIGN = frozenset(
    {
        *(LOCK, MARKER + ".part", TOKENS, TOKENS + ".part", TOKENS_LOCK),
        *(
            AUDIT,
            AUDIT_KEY,
            AUDIT_KEY + ".new",
            AUDIT_KEY + ".new.part",
            AUDIT_KEY + ".lock",
            RULES,
            NOTIFY,
            "lost+found",
        ),
    }
)

_LINK_PROBE, _LINK_TRIES = "link-probe", 10
_NO_LOCKS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_NEEDS_LINKS = (
    "its file system has no hard links, by which archives are published; "
    "put the data directory on one that has, such as ext4, XFS, Btrfs or ZFS"
)

_ROOT = 0
_LOG = logging.getLogger("tarkeep.data")


@define
class DataDirectory:
    """A data directory that this process owns until `close`. *id* comes from its marker; *path* is absolute."""

    path: Path
    id: str
    _locks: tuple[int, ...] = field(repr=False)

    @classmethod
    def open(cls, path: Path, *, ids: IdSource, agreed: Callable[[str], str] = str) -> DataDirectory:
        """
        Take ownership of *path*; a missing or empty directory becomes a data directory, durably.

        At the first time its id is what *agreed* makes of a new one.

        Raises:
            DataDirectoryInUse: another process, or another part of this one, owns it.
            FormatUnknown: it holds other things and no marker, or this version does not understand its marker.
            DataDirectoryUnsafe: it belongs to another user, or everybody may write to it.
            BackendUnavailable: it cannot be used; for example, its file system has no hard links.
        """
        path = path.absolute()
        with translated(writing=True):
            make_directory(path)
            refuse_foreign(path)
            _check_access(path)
            locks = _take_locks(path)
            try:
                id = make_marker(path, ids, is_used=(path / "staging").exists(), agreed=agreed)
                for part in (path / "archives", path / "staging", path / "trash", path / "members"):
                    make_directory(part)
                _check_links(path / MARKER, path / "staging" / _LINK_PROBE)
                # Existing ones too: a start that was killed may have made them and not reached this line.
                fsync_directory(path)
            except BaseException:
                _let_go(locks)
                raise
        return cls(path, id, locks)

    @property
    def archives(self) -> Path:
        return self.path / "archives"

    @property
    def staging(self) -> Path:
        return self.path / "staging"

    @property
    def members(self) -> Path:
        return self.path / "members"

    @property
    def trash(self) -> Path:
        return self.path / "trash"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine"

    @property
    def seek(self) -> Path:
        return self.path / "seek"

    @property
    def sums(self) -> Path:
        return self.path / "sums"

    def close(self) -> None:
        """Release the directory. Idempotent."""
        locks, self._locks = self._locks, ()
        # The file stays: if a lock file is unlinked, two processes can each hold a lock of that name.
        _let_go(locks)


def _allocated(descriptor: int, size_bytes: int) -> None:
    os.posix_fallocate(descriptor, 0, size_bytes)


@define(eq=False)
class FileBallast:
    """
    `Ballast` as a file in the data directory *data*: *most_bytes*, but at most 1 % of the disk.

    It is made if *times* that much is free.
    """

    data: Path
    most_bytes: int = 16 << 20
    times: int = 4
    allocate: Callable[[int, int], None] = _allocated
    _turn: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def keep(self) -> bool:
        with self._turn, suppress(OSError):
            if self._file.exists():
                return True
            medium = os.statvfs(self.data)
            size = min(self.most_bytes, medium.f_blocks * medium.f_frsize // 100)
            if size and medium.f_bavail * medium.f_frsize > self.times * size:
                self._make(size)
                return True
        return False

    def give_up(self) -> bool:
        with self._turn, suppress(OSError):
            self._file.unlink()
            return True
        return False

    @property
    def _file(self) -> Path:
        return self.data / BALLAST

    def _make(self, size: int) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self.allocate(descriptor, size)
        except BaseException:
            self._file.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make the directory *path* and its parents, durably; an existing one stays as it is."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    fsync_directory(path.parent)


def _check_links(existing: Path, probe: Path) -> None:
    # Checked at start and not with the first archive: network mounts and FAT lack the links that publishing needs.
    probe.unlink(missing_ok=True)
    for tries_left in reversed(range(_LINK_TRIES)):
        try:
            os.link(existing, probe)
            break
        except FileNotFoundError:  # a command that notes tokens replaced the marker in this very moment
            if not tries_left:
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise BackendUnavailable("store", _NEEDS_LINKS) from error
    probe.unlink()


def refuse_foreign(path: Path) -> None:
    """Raises FormatUnknown if *path* holds other things and no marker."""
    # Before the lock is taken, so that nothing at all is put into a directory of someone else's.
    present = {entry.name for entry in path.iterdir()}
    if MARKER not in present and not present <= _NOT_FOREIGN:
        raise FormatUnknown(
            f"the data directory is not empty and has no {MARKER}, so it is not Tarkeep's",
            "give a new or an empty directory, or put the marker back",
        )


def _check_access(path: Path) -> None:
    """
    Whoever may write to the directory can replace archives, and whoever may read it has the backups. This process
    changes neither permission, which the operator may have intended, but reports it.
    """
    found = path.stat()
    owner, mode = found.st_uid, stat.S_IMODE(found.st_mode)
    if owner not in (os.geteuid(), _ROOT):
        raise DataDirectoryUnsafe(f"the data directory belongs to user {owner} and this is user {os.geteuid()}", owner)
    if mode & stat.S_IWOTH:
        raise DataDirectoryUnsafe(f"everybody may write to the data directory (mode {mode:04o})")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        _LOG.warning("the data directory is open to others (mode %04o); close it with: chmod 0700 %s", mode, path)


def _take_locks(path: Path) -> tuple[int, ...]:
    """
    Lock the directory itself, and the file in it that names the owning process.

    If someone removes a lock file, another can be made and locked; the directory cannot be replaced under a server.
    On network mounts that cannot lock a directory, only the file is locked.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            _flock(directory, path)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return directory, _take_lock_file(path)
    except BaseException:
        os.close(directory)
        raise


def _take_lock_file(path: Path) -> int:
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _flock(lock, path)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _flock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataDirectoryInUse(_owner(path)) from error


def _owner(path: Path) -> str:
    with suppress(OSError):
        return (path / LOCK).read_bytes()[:32].decode("ascii", "replace").strip()
    return ""


def _let_go(locks: Iterable[int]) -> None:
    for lock in locks:
        os.close(lock)
