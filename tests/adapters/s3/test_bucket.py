"""The requests that a store in a bucket is made of, on object stores that each ignore what the other obeys."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from attrs import evolve
from botocore.exceptions import ClientError, ConnectionClosedError

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.bucket.checksums import Integrity, sums_of
from tarkeep.adapters.s3.bucket.objects import RECEIPT, ObjectBucket, ObjectChanged
from tarkeep.adapters.s3.probing import opened_bucket
from tarkeep.domain.errors.capacity import BackendUnavailable
from tests.support.object_stores import ObjectStore

PART = 5 << 20
"""The shortest part that an object store takes, unless it is the last."""


@pytest.fixture(params=["seaweedfs", "radosgw"])
def server(request: pytest.FixtureRequest) -> ObjectStore:
    server: ObjectStore = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket(server: ObjectStore) -> ObjectBucket:
    return opened_bucket(server.address(), RandomIds())


@pytest.fixture
def answers_lost(bucket: ObjectBucket) -> ObjectBucket:
    """A bucket whose small PUTs have their effect, and whose answers never arrive."""

    class Losing:
        def __getattr__(self, name: str) -> Any:
            return getattr(bucket.client, name)

        def put_object(self, **arguments: Any) -> None:
            bucket.client.put_object(**arguments)
            raise ConnectionClosedError(endpoint_url="")

    return evolve(bucket, client=Losing())


def test_of_several_that_put_first_exactly_one_did(bucket: ObjectBucket) -> None:
    """Each is told whether it was the one, and its content is what is there."""
    for turn in range(3):
        start = Barrier(8)

        def attempt(number: int, key: str = f"race-{turn}", start: Barrier = start) -> bool:
            start.wait()
            return bucket.put_first(key, b"%d" % number, {RECEIPT: f"receipt-{number}"})

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(attempt, range(8)))

        found = bucket.get_small(f"race-{turn}")
        assert found is not None
        assert [number for number, did in enumerate(won) if did] == [int(found.content)]


def test_a_lost_answer_is_looked_up(answers_lost: ObjectBucket) -> None:
    """What arrived counts as put by whoever bears the receipt, and by nobody else."""
    assert answers_lost.put_first("key", b"mine", {RECEIPT: "mine"})
    assert not answers_lost.put_first("key", b"mine", {RECEIPT: "other"})


def test_a_small_object_comes_back_with_its_metadata(bucket: ObjectBucket) -> None:
    """Also after another one replaced it; and none is none."""
    assert bucket.get_small("key") is None
    assert bucket.head("key") is None
    bucket.put("key", b"first", {"object": "one"})
    bucket.put("key", b"second", {"object": "two"})

    found, seen = bucket.get_small("key"), bucket.head("key")
    assert found is not None
    assert seen is not None
    assert (found.content, found.metadata) == (b"second", {"object": "two"})
    assert (seen.size_bytes, seen.metadata) == (6, {"object": "two"})
    bucket.delete("key", "never-there")
    assert bucket.get_small("key") is None


def test_a_range_is_read_of_the_object_that_was_seen(bucket: ObjectBucket) -> None:
    """Of another, a shorter or none, nothing is read."""
    bucket.put("key", b"0123456789")
    seen = bucket.head("key")
    assert seen is not None
    with bucket.get("key", 2, 5, seen.etag) as body:
        assert body.read() == b"234"
    bucket.put("key", b"9876543210")
    with pytest.raises(ObjectChanged) as caught:
        bucket.get("key", 2, 5, seen.etag)
    assert not caught.value.is_gone
    bucket.delete("key")
    with pytest.raises(ObjectChanged) as caught:
        bucket.get("key", 2, 5, seen.etag)
    assert caught.value.is_gone


def test_listings_are_in_order_whatever_the_object_store_does(bucket: ObjectBucket) -> None:
    """Keys of one folder, and the folders of one, with names of any script."""
    for key in ("f/b", "f/a b", "f/é", "f/a", "f/a/inside", "f/a-b/inside", "f/Z", "g"):
        bucket.put(key, b"x")

    assert [one.key for one in bucket.listed("f/")] == ["f/Z", "f/a", "f/a b", "f/b", "f/é"]
    assert bucket.folders("f/") == ["a", "a-b"]
    assert {one.key for one in bucket.below("f/")} == {
        *("f/b", "f/a b", "f/é", "f/a", "f/a/inside", "f/a-b/inside", "f/Z")
    }


def test_a_listing_goes_on_over_its_pages(bucket: ObjectBucket) -> None:
    """Nothing is listed twice or left out where one answer does not hold all."""

    class InSmallPages:
        def list_objects_v2(self, **arguments: Any) -> Any:
            return bucket.client.list_objects_v2(**arguments, MaxKeys=2)

    for number in range(5):
        bucket.put(f"f/{number}", b"x")
        bucket.put(f"f/d{number}/x", b"x")
    paged = evolve(bucket, client=InSmallPages())

    assert [one.key for one in paged.listed("f/")] == [f"f/{number}" for number in range(5)]
    assert paged.folders("f/") == [f"d{number}" for number in range(5)]


def test_a_copy_has_content_and_metadata(bucket: ObjectBucket) -> None:
    """And outlives what it was made of."""
    bucket.put("one", b"bytes", {"object": "it"})
    bucket.copy("one", "two")
    bucket.delete("one")

    found = bucket.get_small("two")
    assert found is not None
    assert (found.content, found.metadata) == (b"bytes", {"object": "it"})


def test_a_file_is_put_whole(bucket: ObjectBucket) -> None:
    """From its beginning, wherever it was read to."""
    file = io.BytesIO(b"abc" * 1_000_000)
    file.seek(7)
    bucket.put_file("key", file)

    found = bucket.get_small("key")
    assert found is not None
    assert found.content == b"abc" * 1_000_000


def test_parts_become_one_object(bucket: ObjectBucket) -> None:
    """Ended again after a lost answer, it is still that object."""
    upload = bucket.begin_parts("key")
    parts = [bucket.put_part("key", upload, 1, b"a" * PART), bucket.put_part("key", upload, 2, b"b")]
    assert bucket.head("key") is None
    bucket.complete("key", upload, parts)
    bucket.complete("key", upload, parts)

    found = bucket.get_small("key")
    assert found is not None
    assert found.content == b"a" * PART + b"b"


def test_an_upload_that_is_given_up_leaves_nothing(bucket: ObjectBucket) -> None:
    """Giving it up twice is no error."""
    upload = bucket.begin_parts("key")
    bucket.put_part("key", upload, 1, b"a")
    bucket.abort("key", upload)
    bucket.abort("key", upload)

    assert bucket.head("key") is None
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.prefix)


def test_wrong_bytes_are_refused(bucket: ObjectBucket) -> None:
    """For a small object as for a part, by MD5, which both look at; the start tries what is used."""
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key=bucket.prefix + "key")["UploadId"]
    wrong = sums_of(Integrity.MD5, (b"other",))
    where = {"Bucket": bucket.name, "Key": bucket.prefix + "key", "Body": b"bytes", **wrong}
    with pytest.raises(ClientError, match="Digest"):
        bucket.client.put_object(**where)
    with pytest.raises(ClientError, match="Digest"):
        bucket.client.upload_part(**where, UploadId=upload, PartNumber=1)
    bucket.abort("key", upload)

    assert bucket.head("key") is None


def test_a_start_leaves_nothing_behind(bucket: ObjectBucket) -> None:
    """What was tried is removed."""
    assert list(bucket.below("")) == []


def test_the_cheapest_checksum_that_is_looked_at_is_used(request: pytest.FixtureRequest) -> None:
    """One of the two takes in what contradicts its CRC-32."""
    weed, ceph = (
        opened_bucket(request.getfixturevalue(name).address(), RandomIds()).integrity
        for name in ("seaweedfs", "radosgw")
    )

    assert (weed, ceph) == (Integrity.CRC32, Integrity.SHA256)


def test_a_bucket_that_cannot_be_used_says_why(server: ObjectStore) -> None:
    """Missing, or at an address where nobody answers; in words without its address."""
    address = server.address()
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="the bucket does not exist"):
            opened_bucket(evolve(address, bucket="missing"), RandomIds())
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        ObjectBucket(evolve(address, endpoint="http://127.0.0.1:1").client(), address.bucket, "").head("key")
