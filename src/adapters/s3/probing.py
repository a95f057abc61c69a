"""
What an object store must do, tried on a few small objects below ``PREFIX/probe/`` each time the store is opened.

The rule: what does not hold is named, and nothing is stored there. Object stores answer requests that they ignore as if
they had obeyed, and an archive would be lost long before anybody noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import evolve, frozen
from botocore.exceptions import ClientError

from ...domain.errors.capacity import BackendUnavailable
from ...domain.ports.system import IdSource
from ...domain.tarkeep_error import TarkeepError
from .bucket.checksums import Integrity, sums_of
from .bucket.client import BucketAddress, translated
from .bucket.objects import RECEIPT, ObjectBucket, ObjectChanged
from .keys import PROBE

_CONTENT, _OTHER = b"tried by tarkeep", b"TRIED BY TARKEEP"


def opened_bucket(address: BucketAddress, ids: IdSource) -> ObjectBucket:
    """
    The bucket at *address*, with the cheapest checksums that it looks at.

    Raises:
        BackendUnavailable: it cannot be reached, or does not do what it must; the reason names that.
    """
    prefix = f"{address.prefix}/" if address.prefix else ""
    bucket = ObjectBucket(address.client(), address.bucket, prefix)
    if not bucket.exists():
        raise BackendUnavailable("store", "the bucket does not exist")
    key = PROBE + ids.new()
    try:
        _Probe(bucket, key).all()
        integrity = _integrity(bucket, address, key)
    finally:
        with suppress(TarkeepError):
            bucket.delete(key)
    if integrity is None:
        raise BackendUnavailable("store", "the object store takes in bytes that differ from their checksum")
    bucket = evolve(bucket, integrity=integrity)
    if integrity is Integrity.SHA256:
        bucket = evolve(bucket, client=address.client(signs_bodies=True))
    return bucket


@frozen
class _Probe:
    bucket: ObjectBucket
    key: str

    def all(self) -> None:
        must = _must
        must(self.bucket.put_first(self.key, _CONTENT, {RECEIPT: "one"}), "refuses an object under a new key")
        must(not self.bucket.put_first(self.key, _OTHER, {RECEIPT: "two"}), "replaces an object by a conditional PUT")
        found = self.bucket.get_small(self.key)
        must(found is not None and found.content == _CONTENT, "gives back other bytes than it was sent")
        must(found is not None and found.metadata.get(RECEIPT) == "one", "does not keep metadata")
        seen = self.bucket.head(self.key)
        must(seen is not None and seen.size_bytes == len(_CONTENT), "tells a wrong size of an object")
        assert seen is not None
        with self.bucket.get(self.key, 2, 7, seen.etag) as body, translated():
            must(body.read() == _CONTENT[2:7], "does not give the range that was asked for")
        must(self._is_refused_by_etag(), "gives an object that is not the one asked for")
        must([one.key for one in self.bucket.listed(self.key)] == [self.key], "does not list an object that is there")

    def _is_refused_by_etag(self) -> bool:
        try:
            self.bucket.get(self.key, 0, 1, '"0123456789abcdef0123456789abcdef"').close()
        except ObjectChanged:
            return True
        return False


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BackendUnavailable("store", f"the object store {otherwise}, so archives are not safe there")


def _integrity(bucket: ObjectBucket, address: BucketAddress, key: str) -> Integrity | None:
    tries: dict[Integrity, Callable[[], object]] = {
        Integrity.CRC32: lambda: _put_wrong(bucket.client, bucket, key, Integrity.CRC32),
        Integrity.SHA256: lambda: _put_wrong(_changing(address), bucket, key, Integrity.SHA256),
        Integrity.MD5: lambda: _put_wrong(bucket.client, bucket, key, Integrity.MD5),
    }
    for kind in Integrity:
        try:
            tries[kind]()
        except ClientError:
            return kind
    return None


def _put_wrong(client: Any, bucket: ObjectBucket, key: str, kind: Integrity) -> None:
    client.put_object(Bucket=bucket.name, Key=bucket.prefix + key, Body=_CONTENT, **sums_of(kind, (_OTHER,)))


def _changing(address: BucketAddress) -> Any:
    """A connection that changes each body after it was signed."""
    client = address.client(signs_bodies=True)

    def change(request: Any, **_: object) -> None:
        request.body = _OTHER

    client.meta.events.register("before-send.s3.PutObject", change)
    return client
