"""
The few operations on objects that the store is made of.

The rule: the only request with a condition that anything rests on is a small PUT that must be the first. An answer that
was lost may have been a success, and a try that the library repeated may meet its own effect; so whoever was refused
looks at the receipt in the metadata, which tells whose object it is. Order is made here: object stores sort keys in
different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import IO, Any

from attrs import frozen
from botocore.exceptions import ClientError

from ....domain.errors.capacity import BackendUnavailable
from .checksums import Integrity, sums_of
from .client import status_of, translated

RECEIPT = "receipt"
_NOT_FOUND, _CONFLICT, _PRECONDITION, _NO_RANGE = 404, 409, 412, 416
_BLOCK_BYTES = 1 << 20


@frozen
class Listed:
    """An object in a listing; *key* is below the prefix, *modified_at* by the clock of the object store."""

    key: str
    size_bytes: int
    modified_at: datetime


@frozen
class SeenObject:
    """What is told of an object without its bytes."""

    size_bytes: int
    etag: str
    metadata: Mapping[str, str]


@frozen
class SmallObject:
    """A small object, whole."""

    content: bytes
    metadata: Mapping[str, str]


@frozen
class SentPart:
    """A part that was uploaded, as the end of the upload has to name it."""

    number: int
    etag: str
    sums: Mapping[str, str]


class ObjectChanged(Exception):
    """An object is no longer the one that was seen; *is_gone* if there is none."""

    def __init__(self, *, is_gone: bool) -> None:
        super().__init__("it is gone" if is_gone else "it is another")
        self.is_gone = is_gone


def _always() -> None:
    """For threads that are alone at what they change."""


@frozen
class ObjectBucket:
    """
    The objects below *prefix*, which is empty or ends in a slash. Keys are given and told without it.

    Methods raise `BackendUnavailable` or `InsufficientStorage` if the object store fails.
    """

    client: Any
    name: str
    prefix: str
    integrity: Integrity = Integrity.MD5
    may_change: Callable[[], None] = _always
    """Raises before each request that changes something, if this thread may not change it any more."""

    def exists(self) -> bool:
        """Whether the bucket is there. Some object stores make one for the first object that is put there."""
        with translated():
            try:
                self.client.head_bucket(Bucket=self.name)
            except ClientError as error:
                if status_of(error) == _NOT_FOUND:
                    return False
                raise
        return True

    def put_first(self, key: str, content: bytes, metadata: Mapping[str, str]) -> bool:
        """
        Put *content* at *key* if nothing is there, and return whether it is this call's content that is there.

        *metadata* hold a receipt of this very call under `RECEIPT`. If this raises, the content may still arrive.
        """
        try:
            with translated():
                self._put(key, content, metadata, IfNoneMatch="*")
        except BackendUnavailable as error:
            is_refused = isinstance(error.__cause__, ClientError) and status_of(error.__cause__) in (
                _CONFLICT,
                _PRECONDITION,
            )
            found = self.head(key)
            if found is not None and found.metadata.get(RECEIPT) == metadata[RECEIPT]:
                return True
            if is_refused and found is not None:
                return False
            raise
        return True

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Put *content* at *key*, instead of what may be there."""
        with translated():
            self._put(key, content, metadata or {})

    def _put(self, key: str, content: bytes, metadata: Mapping[str, str], **condition: str) -> None:
        self.may_change()
        self._call(
            self.client.put_object,
            key,
            Body=content,
            Metadata=dict(metadata),
            **sums_of(self.integrity, (content,)),
            **condition,
        )

    def put_file(self, key: str, file: IO[bytes]) -> None:
        """Put the content of *file* at *key*, instead of what may be there."""
        file.seek(0)
        sums = sums_of(self.integrity, iter(partial(file.read, _BLOCK_BYTES), b""))
        file.seek(0)
        self.may_change()
        with translated():
            self._call(self.client.put_object, key, Body=file, **sums)

    def get_small(self, key: str) -> SmallObject | None:
        """The object at *key*; None if there is none."""
        with translated():
            try:
                answer = self._call(self.client.get_object, key)
            except ClientError as error:
                if status_of(error) == _NOT_FOUND and not _lacks_bucket(error):
                    return None
                raise
            with answer["Body"] as body:
                return SmallObject(body.read(), answer["Metadata"])

    def get(self, key: str, start: int, stop: int, etag: str) -> Any:
        """
        The bytes from *start* to *stop* (exclusive, more than *start*) of the object with that *etag*, as a stream.

        Raises:
            ObjectChanged: it is gone, another, or shorter.
        """
        with translated():
            try:
                # both ends of a range count (RFC 9110, 14.1.2)
                answer = self._call(self.client.get_object, key, Range=f"bytes={start}-{stop - 1}", IfMatch=etag)
            except ClientError as error:
                if status_of(error) in (_NOT_FOUND, _PRECONDITION, _NO_RANGE) and not _lacks_bucket(error):
                    raise ObjectChanged(is_gone=status_of(error) == _NOT_FOUND) from error
                raise
        return answer["Body"]

    def head(self, key: str) -> SeenObject | None:
        """What is told of the object at *key*; None if there is none."""
        with translated():
            try:
                answer = self._call(self.client.head_object, key)
            except ClientError as error:
                if status_of(error) == _NOT_FOUND:
                    return None
                raise
        return SeenObject(answer["ContentLength"], answer["ETag"], answer["Metadata"])

    def copy(self, source: str, target: str) -> None:
        """Put the object at *source*, with its metadata, at *target* as well; at most 5 GiB."""
        self.may_change()
        with translated():
            self._call(self.client.copy_object, target, CopySource={"Bucket": self.name, "Key": self.prefix + source})

    def delete(self, *keys: str) -> None:
        """Remove the objects at *keys*, in this order. A missing one is no error."""
        for key in keys:
            self.may_change()
            with translated():
                self._call(self.client.delete_object, key)

    def listed(self, folder: str) -> list[Listed]:
        """The objects whose keys begin with *folder* and have no slash after that, in the order of their keys."""
        found = [
            Listed(one["Key"][len(self.prefix) :], one["Size"], one["LastModified"])
            for page in self._pages(folder, "/")
            for one in page.get("Contents", ())
        ]
        return sorted(found, key=lambda one: one.key)

    def below(self, folder: str) -> Iterator[Listed]:
        """All objects whose keys begin with *folder*, in any order."""
        for page in self._pages(folder, ""):
            for one in page.get("Contents", ()):
                yield Listed(one["Key"][len(self.prefix) :], one["Size"], one["LastModified"])

    def folders(self, folder: str) -> list[str]:
        """The next parts of the keys that begin with *folder* and go on after a slash, in order."""
        start = len(self.prefix + folder)
        names = [one["Prefix"][start:-1] for page in self._pages(folder, "/") for one in page.get("CommonPrefixes", ())]
        return sorted(set(names))

    def _pages(self, folder: str, delimiter: str) -> Iterator[Mapping[str, Any]]:
        # page by page by the token of the answer: not every object store can start after a given key
        arguments = {"Bucket": self.name, "Prefix": self.prefix + folder, "Delimiter": delimiter}
        while True:
            with translated():
                page = self.client.list_objects_v2(**arguments)
            yield page
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    # -- in parts ------------------------------------------------------------------------------------------------

    def begin_parts(self, key: str) -> str:
        """Begin an upload in parts to *key*; returns the name of the upload."""
        kind = {"ChecksumAlgorithm": "CRC32"} if self.integrity is Integrity.CRC32 else {}
        with translated():
            return str(self._call(self.client.create_multipart_upload, key, **kind)["UploadId"])

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> SentPart:
        """Send part *number*, from 1 on; all but the last have the same length."""
        sums = sums_of(self.integrity, (content,))
        with translated():
            answer = self._call(self.client.upload_part, key, UploadId=upload, PartNumber=number, Body=content, **sums)
        return SentPart(number, answer["ETag"], sums if self.integrity is Integrity.CRC32 else {})

    def complete(self, key: str, upload: str, parts: Sequence[SentPart]) -> None:
        """Make the object of all *parts*. If this raises, it may still come to be."""
        named = [{"PartNumber": part.number, "ETag": part.etag, **part.sums} for part in parts]
        with translated():
            self._call(self.client.complete_multipart_upload, key, UploadId=upload, MultipartUpload={"Parts": named})

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload of which no end was ever asked for. An unknown one is no error."""
        with translated():
            try:
                self._call(self.client.abort_multipart_upload, key, UploadId=upload)
            except ClientError as error:
                if status_of(error) != _NOT_FOUND:
                    raise

    def _call(self, operation: Any, key: str, **arguments: Any) -> Any:
        return operation(Bucket=self.name, Key=self.prefix + key, **arguments)


def _lacks_bucket(error: ClientError) -> bool:
    return bool(error.response.get("Error", {}).get("Code") == "NoSuchBucket")
