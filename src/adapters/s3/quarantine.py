"""
Damaged bytes that were replaced by right ones, kept for a while: what became of them may tell what the storage does.

A small object names each; its age is the time since the replacement, by the clock of the object store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import frozen

from ...domain.identity.archive_id import ArchiveId
from .bucket.objects import ObjectBucket
from .keys import Place, key_of, object_key, quarantine_key, quarantined_in
from .places import Found, named_by, naming


@frozen
class BucketQuarantine:
    """The names of damaged bytes. One thread at a time may work on one archive."""

    bucket: ObjectBucket

    def take_in(self, found: Found, receipt: str) -> None:
        """Keep the bytes that were *found*, which are about to be replaced; *receipt* is new."""
        key = found.key
        if found.is_plain:
            key = object_key(receipt)
            self.bucket.copy(found.key, key)
        self.bucket.put(quarantine_key(found.id, receipt), found.sidecar or b"", naming(key))

    def names(self, id: ArchiveId) -> Iterator[str]:
        """The keys of the replaced bytes of *id*."""
        for one in self.bucket.listed(key_of(Place.QUARANTINE, id, ".")):
            if (key := self._named(one.key)) is not None:
                yield key

    def empty(self, older_than: datetime, is_stored_at: Callable[[ArchiveId, str], bool]) -> int:
        """
        As `ArchiveStore.empty_quarantine`. *is_stored_at* tells whether a key is that of the bytes of an archive: a
        server that died as it replaced them left them where they were.
        """
        removed = 0
        for one in list(self.bucket.below(Place.QUARANTINE.value)):
            if one.modified_at < older_than:
                key, id = self._named(one.key), quarantined_in(one.key)
                if key is not None and not (id is not None and is_stored_at(id, key)):
                    # the bytes first: what names them is all that tells of them
                    self.bucket.delete(key)
                self.bucket.delete(one.key)
                removed += 1
        return removed

    def _named(self, key: str) -> str | None:
        found = self.bucket.get_small(key)
        return None if found is None else named_by(dict(found.metadata))
