"""
Making an object an archive, or another object the bytes of an archive that is there.

The rule: the side-car makes the archive, and is put under the condition that it is the first; so publishing needs no
turn among servers. What a late request could take away from another server's archive is done in a turn: removing what
an earlier archive left beside the name, putting marks there, and putting another side-car.
"""

from __future__ import annotations

from attrs import evolve, frozen

from ...domain.errors.archives import AlreadyPublished
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.system import IdSource
from .bucket.objects import ObjectBucket
from .bucket.turns import NameTurns
from .bucket.used_bytes import UsedBytes
from .keys import MARKS, PLAIN, SIDECAR
from .places import Names, naming
from .quarantine import BucketQuarantine
from .register import Loose, Register
from .writer import Sealed


@frozen
class BucketPublisher:
    """Publishes among *archives* what is not in the *trash*."""

    bucket: ObjectBucket
    archives: Names
    trash: Names
    quarantine: BucketQuarantine
    register: Register
    used: UsedBytes
    turns: NameTurns
    ids: IdSource

    def publish(self, id: ArchiveId, sealed: Sealed) -> None:
        """As `ArchiveWriter.publish`."""
        loose = meant_for(id, sealed.loose)
        with self.turns.here(id):
            if sealed.marks is None and not self._left(id):
                self._be_first(id, sealed, loose)
            else:
                with self.turns.take(id):
                    # by a crash in the middle of publishing or removing, or by a person who removed the bytes
                    self.bucket.delete(*self._left(id))
                    if sealed.marks is not None:
                        self.bucket.put(self.archives.key(id, MARKS), sealed.marks)
                    self._be_first(id, sealed, loose)
        self._kept(loose, sealed)

    def _left(self, id: ArchiveId) -> list[str]:
        """What lies beside the name of *id*, which no archive has. Raises AlreadyPublished if one does."""
        left = self.archives.beside(id)
        if (left and self.archives.look(id) is not None) or (self.trash.beside(id) and self.trash.look(id) is not None):
            raise AlreadyPublished(id)
        return left

    def _be_first(self, id: ArchiveId, sealed: Sealed, loose: Loose) -> None:
        self.register.keep(loose)
        if not self.bucket.put_first(self.archives.key(id, SIDECAR), sealed.sidecar, naming(loose.key)):
            raise AlreadyPublished(id)

    def replace(self, id: ArchiveId, sealed: Sealed) -> None:
        """As `ArchiveWriter.replace`."""
        loose = meant_for(id, sealed.loose)
        with self.turns.take(id):
            self.register.keep(loose)
            before = self.archives.look(id)
            if before is not None:
                self.quarantine.take_in(before, self.ids.new())
            self.bucket.put(self.archives.key(id, SIDECAR), sealed.sidecar, naming(loose.key))
            self.bucket.delete(self.archives.key(id, PLAIN))
        self._kept(loose, sealed)

    def _kept(self, loose: Loose, sealed: Sealed) -> None:
        self.used.add(sealed.size_bytes)
        self.register.drop(loose.receipt)


def meant_for(id: ArchiveId, loose: Loose) -> Loose:
    """*loose*, noted to be the bytes of *id*."""
    return evolve(loose, profile=id.profile, type=id.type.value, name=id.name)
