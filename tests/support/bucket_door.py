"""The back door of the store in a bucket."""

from __future__ import annotations

from pathlib import Path

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.archive_store import S3ArchiveStore
from tarkeep.adapters.s3.bucket.client import BucketAddress
from tarkeep.adapters.s3.bucket.objects import ObjectBucket
from tarkeep.adapters.s3.keys import ARRIVED, PLAIN, SIDECAR, STAGING, Place, key_of
from tarkeep.adapters.s3.places import Names, named_by
from tarkeep.adapters.s3.quarantine import BucketQuarantine
from tarkeep.domain.identity.archive_id import ArchiveId
from tests.support.store_doors import cut_off, descriptors_below


class BucketDoor:
    """For a store at *address* with the data directory *path*, through other requests than the store's."""

    def __init__(self, address: BucketAddress, path: Path) -> None:
        self.address, self.path = address, path
        self.bucket = ObjectBucket(address.client(), address.bucket, f"{address.prefix}/")
        self.store = S3ArchiveStore.open(address, path, ids=RandomIds())

    def staging_is_empty(self) -> bool:
        staged = [*self.nobodys(), *self.uploads(), *self.bucket.below(STAGING), *(self.path / "staging").iterdir()]
        return not staged

    def nobodys(self) -> set[str]:
        """The objects with bytes that nothing names."""
        named = {
            named_by(dict(found.metadata))
            for place in Place
            for one in self.bucket.below(place.value)
            if (found := self.bucket.get_small(one.key)) is not None
        }
        return {one.key for one in self.bucket.below(ARRIVED)} - named

    def uploads(self) -> list[str]:
        """The keys of uploads in parts that were begun and not ended."""
        answer = self.bucket.client.list_multipart_uploads(Bucket=self.address.bucket, Prefix=self.bucket.prefix)
        return [one["Key"] for one in answer.get("Uploads", ())]

    def open_files(self) -> int:
        return len(descriptors_below(self.path / "staging"))

    def shorten(self, id: ArchiveId, size_bytes: int) -> None:
        found = self.bucket.get_small(self._bytes(id))
        assert found is not None
        self.change(id, found.content[:size_bytes])

    def change(self, id: ArchiveId, content: bytes) -> None:
        self.bucket.put(self._bytes(id), content)

    def quarantined(self, id: ArchiveId) -> list[bytes]:
        found = map(self.bucket.get_small, BucketQuarantine(self.bucket).names(id))
        return [one.content for one in found if one is not None]

    def lose_sidecar(self, id: ArchiveId) -> None:
        """Leaves a plain object, as of an archive that a person copied there: without side-car nothing names others."""
        key = self._bytes(id)
        self.bucket.copy(key, key_of(Place.ARCHIVES, id, PLAIN))
        self.bucket.delete(key_of(Place.ARCHIVES, id, SIDECAR), key)

    def leave_sidecar(self, id: ArchiveId) -> None:
        self.bucket.put(key_of(Place.ARCHIVES, id, SIDECAR), b"stale")

    def put_foreign_things(self, profile: str) -> None:
        for folder in ("", f"{profile}/", f"{profile}/FULL/"):
            for name in ("README", "foreign.tar.gz.json", "lost+found/file"):
                self.bucket.put(Place.ARCHIVES.value + folder + name, b"foreign")
        for key in ("file.tar.gz", f"{profile}/full/small.tar.gz", f"{profile}/FULL/bad\nname.tar.gz"):
            self.bucket.put(Place.ARCHIVES.value + key, b"foreign")

    def crash(self) -> None:
        cut_off(self.path)
        self.store = S3ArchiveStore.open(self.address, self.path, ids=RandomIds())

    def close(self) -> None:
        self.store.close()

    def _bytes(self, id: ArchiveId) -> str:
        found = Names(self.bucket, Place.ARCHIVES).look(id)
        assert found is not None
        return found.key
