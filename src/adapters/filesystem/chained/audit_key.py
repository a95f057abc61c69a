"""
The key with which lines of the audit log are sealed, in a file of the server's host.

The rule: a key is made only if there is none, and it stays under another name until the log has the line that announces
it: a crash in between makes no second key. It belongs to the server's user alone. Whoever may read it can seal what he
likes, and whoever may write it can replace it.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ....domain.access.audit import KEY_BYTES
from ....domain.errors.capacity import BackendUnavailable
from ..durable_file import fsync_directory, held, replace_file

_LOG = logging.getLogger("tarkeep.audit")
_ROOT = 0
_NEW = ".new"  # suffix of a key that is being made
_LOCK = ".lock"
_KEY = re.compile(rb"[0-9a-f]{%d}" % (2 * KEY_BYTES))


@frozen
class AuditKeyFile:
    """The key in *file*, of the server with the data directory *folder*."""

    file: Path
    folder: Path

    def read(self) -> bytes | None:
        """The key; None if there is no file. Raises BackendUnavailable."""
        return _read(self.file)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others on this host out that might make the key, too, where the log itself is not there to be locked."""
        with held(self.file.with_name(self.file.name + _LOCK)):
            yield

    def pending(self) -> bytes | None:
        """The key whose making was cut off; None if none was. Raises BackendUnavailable."""
        return _read(self._new)

    def make(self, announce: Callable[[bytes], None]) -> bytes:
        """
        A new key, or the one whose making was cut off. *announce* makes durable what a log says of it.

        Raises:
            OSError: it cannot be made.
        """
        key = self.pending()
        if key is None:
            key = secrets.token_bytes(KEY_BYTES)
            replace_file(self._new, key.hex().encode() + b"\n")
        announce(key)
        self._new.rename(self.file)
        fsync_directory(self.file.parent)
        return key

    def check_access(self) -> None:
        """
        Raises BackendUnavailable if the key belongs to another user, or others may write it; warns if all may read it.
        """
        found = self.file.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid not in (os.geteuid(), _ROOT, self.folder.stat().st_uid):
            raise BackendUnavailable("audit key", f"it is another user's ({found.st_uid}); take it over with chown")
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise BackendUnavailable("audit key", f"others may write it (mode {mode:04o}); close it with: chmod 0600")
        if mode & stat.S_IROTH or (mode & stat.S_IRGRP and found.st_gid != os.getegid()):
            _LOG.warning(
                "others may read the audit key (mode %04o), and seal what they like; close it with: chmod 0600 %s",
                mode,
                self.file,
            )

    @property
    def _new(self) -> Path:
        return self.file.with_name(self.file.name + _NEW)


def _read(file: Path) -> bytes | None:
    try:
        text = file.read_bytes().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackendUnavailable("audit key", os.strerror(error.errno) if error.errno else "") from error
    if not _KEY.fullmatch(text):
        raise BackendUnavailable("audit key", f"it is not {KEY_BYTES} bytes in hex")
    return bytes.fromhex(text.decode())
