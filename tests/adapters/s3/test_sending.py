"""Objects on their way into a bucket, of which one request has its effect and no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tarkeep.adapters.s3.bucket.objects import ObjectBucket
from tarkeep.adapters.s3.keys import object_key
from tarkeep.adapters.s3.register import Loose, Register
from tarkeep.adapters.s3.sending import Sending
from tarkeep.domain.errors.capacity import BackendUnavailable
from tests.support.memory_bucket import MemoryClient


class LosesEnds(MemoryClient):
    """Loses the answer to each end of an upload in parts, and notes what is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted: list[str] = []

    def complete_multipart_upload(self, Key: str, UploadId: str, **said: Any) -> dict[str, Any]:
        super().complete_multipart_upload(Key=Key, UploadId=UploadId, **said)
        raise ConnectionClosedError(endpoint_url="")

    def abort_multipart_upload(self, UploadId: str, **said: Any) -> dict[str, Any]:
        self.aborted.append(UploadId)
        return super().abort_multipart_upload(UploadId=UploadId, **said)


def test_an_upload_whose_end_was_asked_for_is_never_aborted(tmp_path: Path) -> None:
    """Some object stores then answer with an object that cannot be read; the object is deleted instead."""
    client = LosesEnds()
    sending = Sending.begun(ObjectBucket(client, "bucket", ""), Register(tmp_path), 4, Loose("r1", object_key("r1")))
    sending.write(b"0123456789")

    with pytest.raises(BackendUnavailable):
        sending.end()
    sending.give_up()

    assert client.aborted == []
    assert client.objects == {}
    assert list(tmp_path.iterdir()) != [], "the object may still come to be, so its note stays"


def test_an_upload_that_is_given_up_before_its_end_is_aborted(tmp_path: Path) -> None:
    """And nothing is left of it."""
    client = LosesEnds()
    sending = Sending.begun(ObjectBucket(client, "bucket", ""), Register(tmp_path), 4, Loose("r1", object_key("r1")))
    sending.write(b"0123456789")

    sending.give_up()

    assert client.aborted == ["0"]
    assert list(tmp_path.iterdir()) == []
