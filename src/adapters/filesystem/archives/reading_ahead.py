"""
Reading many archives from the disk, of which the next ones are on their way meanwhile.

A small archive and its side-car keep a reader waiting for the disk twice, for longer than all work on them takes. So
those that come next are dropped from the page cache, and asked for again at once; what is then read of them was read
from the disk after that. A few are under way, whose bytes are at most a few MiB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType

from ....domain.errors.archives import ArchiveNotFound
from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.store import ArchiveReader, LyingBeside
from ...process.os_errors import translated
from .archive_files import look_beside
from .medium_reader import MediumReader, read_medium
from .type_folders import TypeFolders

_AHEAD = 16
_FOLDERS = 32
"""Folders that stay open. None of them is ever removed."""


class ReadingAhead:
    """`Rereading` of *ids* in *folders*."""

    def __init__(self, folders: TypeFolders, ids: Iterable[ArchiveId]) -> None:
        self._folders = folders
        self._coming = iter(ids)
        self._fetched: deque[tuple[ArchiveId, MediumReader]] = deque()
        self._open: dict[tuple[str, str], _OpenFolder] = {}  # the one that was used last is last

    def bytes_of(self, id: ArchiveId) -> ArchiveReader:
        while len(self._fetched) < _AHEAD and (following := next(self._coming, None)) is not None:
            with suppress(OSError):  # its own call tells
                self._fetched.append((following, read_medium(following, self._directory(following), is_soon=True)))
        if self._fetched and self._fetched[0][0] == id:
            return self._fetched.popleft()[1]
        with translated(looking_for=id):
            return read_medium(id, self._directory(id))

    def beside(self, id: ArchiveId) -> LyingBeside:
        with translated(looking_for=id):
            found = look_beside(id, self._directory(id))
        if found is None:
            raise ArchiveNotFound(str(id))
        return found

    def _directory(self, id: ArchiveId) -> int:
        place = id.profile, id.type.value
        found = self._open.pop(place, None) or _OpenFolder(self._folders.opened(id.profile, id.type))
        self._open[place] = found
        if len(self._open) > _FOLDERS:
            self._open.pop(next(iter(self._open))).close()
        return found.descriptor

    def __enter__(self) -> ReadingAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as left:
            for folder in self._open.values():
                left.push(folder)
            for _, reader in self._fetched:
                left.push(reader)
            self._open.clear()
            self._fetched.clear()


class _OpenFolder(ExitStack):
    """A folder, until this is closed."""

    def __init__(self, opened: AbstractContextManager[int]) -> None:
        super().__init__()
        self.descriptor = self.enter_context(opened)
