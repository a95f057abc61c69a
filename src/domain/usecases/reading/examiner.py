"""
Is a stored archive still what was received? Only this module decides that.

A reader that meets an unexpected error in an archive calls it, whatever the error. The result is recorded: a damaged
archive is marked, so that it is neither served nor called safe, and the operator is notified once, with its name. A
marked archive that turns out to be whole is unmarked. It reads what the medium has, and not what a cache remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import ArchiveCorrupt, ArchiveNotFound
from ...errors.capacity import BackendUnavailable
from ...errors.content import MemberUnreadable, RejectedContent
from ...identity.digests import Digests
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher
from ...ports.notifier import Notifier
from ...ports.store import ArchiveStore
from ...scrubbing.findings import MISSING, UNREADABLE, Damage, Fault, other_bytes, other_length
from ...tarkeep_error import TarkeepError

_PERHAPS_DAMAGE = (ArchiveCorrupt, RejectedContent, MemberUnreadable)
"""Errors of the domain that damaged bytes can cause."""


@frozen
class Examiner:
    """
    Judges stored archives, and records which are damaged.

    No use case: every reader reports here what it met, and some have no bytes to read again.
    """

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    notifier: Notifier

    def examine(self, archive: BackupArchive) -> ArchiveState:
        """
        Read the stored bytes of *archive* again. Returns its state, as it is recorded now.

        Raises:
            BackendUnavailable, and other errors of reading or recording: then the state is unknown.
        """
        return ArchiveState.STORED if self.damage(archive) is None else ArchiveState.DAMAGED

    def damage(self, archive: BackupArchive) -> Damage | None:
        """The same, and how damage shows; None if the bytes are right."""
        found = self._digests(archive)
        if isinstance(found, Damage):
            self.found(archive, found)
            return found
        if found.sha256 != archive.digests.sha256:
            damage = other_bytes(found.sha256)
            if found.md5 == archive.digests.md5:  # an equal MD5 is no coincidence
                tell = partial(self.notifier.misrecorded, archive.id, "SHA-256")
                self._enter_damage(archive, damage.fault, tell)
            else:
                self.found(archive, damage)
            return damage
        if found != archive.digests:
            self.notifier.misrecorded(archive.id, "MD5")
        if self.catalog.find(archive.id).state is ArchiveState.DAMAGED:
            self._mark(archive, ArchiveState.STORED)
            self.notifier.whole(archive.id)
        return None

    def found(self, archive: BackupArchive, damage: Damage) -> ArchiveCorrupt:
        """
        Record that *archive* is damaged, and how that shows. Returns the error to raise to the reader.

        If it cannot be recorded now, the next reader does it.
        """
        self._enter_damage(archive, damage.fault, partial(self.notifier.damaged, archive.id, damage.what))
        return ArchiveCorrupt(archive.id)

    def is_there(self, archive: BackupArchive) -> bool:
        """
        Whether *archive* has its full size in the store; reads no bytes. A missing or shorter file is recorded as
        damage.

        Raises:
            BackendUnavailable: the store cannot tell.
        """
        try:
            size_bytes = self.store.stat(archive.id).size_bytes
        except ArchiveNotFound:
            self.found(archive, MISSING)
            return False
        if size_bytes != archive.size_bytes:
            self.found(archive, other_length(size_bytes, archive))
            return False
        return True

    @contextmanager
    def watching(self, archive: BackupArchive) -> Iterator[None]:
        """
        A context for work on the bytes of *archive*. An error in it may be caused by damaged bytes, so these are
        examined before the error passes through.

        Raises:
            ArchiveCorrupt: the bytes are damaged.
            BackendUnavailable: the bytes are whole, although the error said that they are damaged.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, TarkeepError) and not isinstance(error, _PERHAPS_DAMAGE):
                raise
            if isinstance(error, ArchiveCorrupt) and self._is_known(archive):
                raise
            if self.examine(archive) is ArchiveState.DAMAGED:
                raise ArchiveCorrupt(archive.id) from error
            if isinstance(error, ArchiveCorrupt):
                reason = f"{archive.id} is whole, but its index or its sums were damaged; try again"
                raise BackendUnavailable("store", reason) from error
            raise

    def _enter_damage(self, archive: BackupArchive, fault: Fault, tell: Callable[[], None]) -> None:
        with suppress(TarkeepError):  # also if it is not stored any more: it may have been removed while it was read
            if self.catalog.find(archive.id).state is not ArchiveState.DAMAGED:
                self._mark(archive, ArchiveState.DAMAGED, fault)
                tell()
            else:
                self.catalog.mark(archive.id, ArchiveState.DAMAGED, fault)

    def _mark(self, archive: BackupArchive, state: ArchiveState, fault: Fault | None = None) -> None:
        """Record *state* in the catalog, and in the side-car, where it outlives a lost catalog."""
        self.catalog.mark(archive.id, state, fault)
        with suppress(TarkeepError):  # the file may be missing, or the disk full: the catalog has the state
            present = self.store.stat(archive.id).sidecar
            if present is not None:
                described = sidecar.decode(present)
                self.store.annotate(archive.id, sidecar.encode(evolve(described, state=state)), present)

    def _is_known(self, archive: BackupArchive) -> bool:
        with suppress(TarkeepError):
            return self.catalog.find(archive.id).state is ArchiveState.DAMAGED
        return False

    def _digests(self, archive: BackupArchive) -> Digests | Damage:
        """The digests of the stored bytes; or the reason why these cannot be those of *archive*."""
        try:
            with self.store.reread(archive.id) as reader, self.hasher.start() as running:
                if reader.size_bytes != archive.size_bytes:
                    return other_length(reader.size_bytes, archive)
                for block in reader:
                    running.update(block)
                return running.finish()
        except ArchiveNotFound:
            return MISSING
        except ArchiveCorrupt:
            return UNREADABLE
