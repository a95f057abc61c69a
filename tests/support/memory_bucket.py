"""A bucket in memory: what stands in for the library of an object store where every request is to be counted."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from attrs import define, field, frozen
from botocore.exceptions import ClientError

from tarkeep.adapters.s3.bucket.objects import Listed, ObjectBucket, SeenObject, SmallObject

_MISSING, _REFUSED = (404, "NoSuchKey"), (412, "PreconditionFailed")


@frozen
class _Object:
    content: bytes
    metadata: Mapping[str, str]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


@define(eq=False)
class MemoryClient:
    """The requests that `ObjectBucket` makes, over *objects*; one page has all keys."""

    objects: dict[str, _Object] = field(factory=dict)
    _uploads: dict[str, dict[int, bytes]] = field(factory=dict, init=False)
    _numbers: Iterator[int] = field(factory=itertools.count, init=False)

    def put_object(self, Key: str, Body: Any, **said: Any) -> dict[str, Any]:
        if said.get("IfNoneMatch") and Key in self.objects:
            raise _refusal(*_REFUSED)
        content = Body if isinstance(Body, bytes) else Body.read()
        self.objects[Key] = _Object(content, said.get("Metadata", {}))
        return {}

    def get_object(self, Key: str, **said: Any) -> dict[str, Any]:
        found = self._found(Key)
        if said.get("IfMatch") not in (None, found.etag):
            raise _refusal(*_REFUSED)
        content = found.content
        if "Range" in said:
            first, last = map(int, said["Range"].removeprefix("bytes=").split("-"))
            content = content[first : last + 1]
        return {"Body": io.BytesIO(content), "Metadata": found.metadata}

    def head_object(self, Key: str, **_said: Any) -> dict[str, Any]:
        found = self._found(Key)
        return {"ContentLength": len(found.content), "ETag": found.etag, "Metadata": found.metadata}

    def copy_object(self, Key: str, CopySource: Mapping[str, str], **_said: Any) -> dict[str, Any]:
        self.objects[Key] = self._found(CopySource["Key"])
        return {}

    def delete_object(self, Key: str, **_said: Any) -> dict[str, Any]:
        self.objects.pop(Key, None)
        return {}

    def list_objects_v2(self, Prefix: str, Delimiter: str, **_said: Any) -> dict[str, Any]:
        contents, folders = [], set()
        for key, found in self.objects.items():
            if key.startswith(Prefix):
                inside, slash, _ = key[len(Prefix) :].partition("/")
                if Delimiter and slash:
                    folders.add(Prefix + inside + slash)
                else:
                    contents.append({"Key": key, "Size": len(found.content), "LastModified": datetime.now(UTC)})
        return {"Contents": contents, "CommonPrefixes": [{"Prefix": one} for one in sorted(folders)]}

    def create_multipart_upload(self, **_said: Any) -> dict[str, Any]:
        upload = str(next(self._numbers))
        self._uploads[upload] = {}
        return {"UploadId": upload}

    def upload_part(self, UploadId: str, PartNumber: int, Body: bytes, **_said: Any) -> dict[str, Any]:
        self._uploads[UploadId][PartNumber] = Body
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(self, Key: str, UploadId: str, **_said: Any) -> dict[str, Any]:
        parts = self._uploads.pop(UploadId)
        self.objects[Key] = _Object(b"".join(parts[number] for number in sorted(parts)), {})
        return {}

    def abort_multipart_upload(self, UploadId: str, **_said: Any) -> dict[str, Any]:
        self._uploads.pop(UploadId, None)
        return {}

    def _found(self, key: str) -> _Object:
        if key not in self.objects:
            raise _refusal(*_MISSING)
        return self.objects[key]


def _refusal(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "request")


def _at_no_step(_name: str) -> None:
    """For buckets that nobody watches."""


@frozen
class WatchedBucket(ObjectBucket):
    """Tells *step* before and after each request what it is."""

    step: Callable[[str], None] = _at_no_step

    def put_first(self, key: str, content: bytes, metadata: Mapping[str, str]) -> bool:
        with self._told("put first", key):
            return super().put_first(key, content, metadata)

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        with self._told("put", key):
            super().put(key, content, metadata)

    def put_file(self, key: str, file: IO[bytes]) -> None:
        with self._told("put", key):
            super().put_file(key, file)

    def get_small(self, key: str) -> SmallObject | None:
        with self._told("get", key):
            return super().get_small(key)

    def get(self, key: str, start: int, stop: int, etag: str) -> Any:
        with self._told("get", key):
            return super().get(key, start, stop, etag)

    def head(self, key: str) -> SeenObject | None:
        with self._told("head", key):
            return super().head(key)

    def copy(self, source: str, target: str) -> None:
        with self._told("copy", target):
            super().copy(source, target)

    def delete(self, *keys: str) -> None:
        for key in keys:
            with self._told("delete", key):
                super().delete(key)

    def listed(self, folder: str) -> list[Listed]:
        with self._told("list", folder):
            return super().listed(folder)

    def folders(self, folder: str) -> list[str]:
        with self._told("list", folder):
            return super().folders(folder)

    @contextmanager
    def _told(self, what: str, key: str) -> Iterator[None]:
        name = f"{what} {key.rpartition('/')[2]}"
        self.step(f"before {name}")
        yield
        self.step(f"after {name}")
