"""
Folders ``<profile>/<TYPE>`` below a folder of the data directory, where archives lie.

Each is opened by its name within the folder above and without following symbolic links, so that no name leads out of
the data directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from attrs import define, field

from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.invalid import InvalidName
from ....domain.identity.naming import ARCHIVE_SUFFIX
from ...process.os_errors import translated
from ..open_files import TYPE_WORDS, is_profile, made_directory, names_in, opened_directory


@define(eq=False)
class TypeFolders:
    """The folders below *root*, for any number of threads."""

    root: Path
    _durable: set[tuple[str, BackupType]] = field(factory=set, init=False, repr=False)

    @contextmanager
    def opened(self, profile: str, type: BackupType) -> Iterator[int]:
        """The descriptor of a folder. Raises OSError, such as FileNotFoundError."""
        with (
            opened_directory(self.root) as root,
            opened_directory(profile, root) as outer,
            opened_directory(type.value, outer) as inner,
        ):
            yield inner

    @contextmanager
    def opened_if_there(self, profile: str, type: BackupType) -> Iterator[int | None]:
        """The descriptor of a folder; None if the folder does not exist."""
        with ExitStack() as opened:
            found = None
            with suppress(FileNotFoundError, NotADirectoryError):
                found = opened.enter_context(self.opened(profile, type))
            yield found

    @contextmanager
    def made(self, profile: str, type: BackupType) -> Iterator[int]:
        """The descriptor of a folder, which is made if it is missing, and is durable."""
        with ExitStack() as opened:
            yield self._opened_or_made(profile, type, opened)

    def _opened_or_made(self, profile: str, type: BackupType, opened: ExitStack) -> int:
        key = (profile, type)
        if key in self._durable:
            with suppress(FileNotFoundError):  # removed since by another process
                return opened.enter_context(self.opened(profile, type))
        root = opened.enter_context(opened_directory(self.root))
        is_new = made_directory(profile, root)
        outer = opened.enter_context(opened_directory(profile, root))
        is_new |= made_directory(type.value, outer)
        # Once per process even for existing directories: the process that made them may have died before the fsync.
        if is_new or key not in self._durable:
            os.fsync(outer)
            os.fsync(root)
            self._durable.add(key)
        return opened.enter_context(opened_directory(type.value, outer))

    def all(self, profile: str | None = None) -> Iterator[tuple[str, BackupType]]:
        """Every profile and type that may have a folder, in order; only those of *profile*, if one is given."""
        with translated():
            profiles = names_in(self.root) if profile is None else [profile]
        for profile in sorted(filter(is_profile, profiles)):
            for word in TYPE_WORDS:
                yield profile, BackupType(word)

    def ids(self, suffix: str, profile: str | None = None) -> Iterator[ArchiveId]:
        """The archives whose name followed by *suffix* is the name of a file; those of one folder together."""
        for whose, folders in groupby(self.all(profile), itemgetter(0)):
            with translated():
                names = self._names(whose, [type for _, type in folders])
            for type, inside in names:
                yield from ids_among(inside, whose, type, suffix)

    def _names(self, profile: str, types: Iterable[BackupType]) -> list[tuple[BackupType, list[str]]]:
        """What lies in each folder of *profile*; opening that of the profile once takes a third less time."""
        found = []
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            opened_directory(self.root) as root,
            opened_directory(profile, root) as outer,
        ):
            for type in types:
                with suppress(FileNotFoundError, NotADirectoryError), opened_directory(type.value, outer) as inner:
                    found.append((type, names_in(inner)))
        return found


def ids_among(names: list[str], profile: str, type: BackupType, suffix: str) -> Iterator[ArchiveId]:
    """The archives whose name followed by *suffix* is one of *names*."""
    for name in names:
        if name.endswith(ARCHIVE_SUFFIX + suffix):
            with suppress(InvalidName):
                yield ArchiveId(profile, type, name.removesuffix(suffix))
