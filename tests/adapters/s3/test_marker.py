"""The marker of a bucket: servers that share one have its id, whichever begins first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from tarkeep.adapters.filesystem.marker import note_tokens
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.archive_store import S3ArchiveStore
from tarkeep.adapters.s3.bucket.objects import ObjectBucket
from tarkeep.adapters.s3.probing import opened_bucket
from tarkeep.domain.errors.settings import FormatUnknown
from tests.support.object_stores import ObjectStore


@pytest.fixture
def bucket(seaweedfs: ObjectStore) -> ObjectBucket:
    return opened_bucket(seaweedfs.address(), RandomIds())


def opened(bucket: ObjectBucket, data: Path) -> S3ArchiveStore:
    return S3ArchiveStore.over(bucket, data, ids=RandomIds())


def test_servers_that_begin_at_once_have_one_id(bucket: ObjectBucket, tmp_path: Path) -> None:
    """With an empty bucket and empty data directories."""
    at_once = Barrier(4)

    def begin(number: int) -> S3ArchiveStore:
        at_once.wait(60)
        return opened(bucket, tmp_path / str(number))

    with ThreadPoolExecutor(4) as pool, ExitStack() as closed:
        stores = [closed.enter_context(closing(store)) for store in pool.map(begin, range(4))]
        ids = {store.id for store in stores}

    assert len(ids) == 1


def test_a_token_may_be_made_before_the_first_start(bucket: ObjectBucket, tmp_path: Path) -> None:
    """Also if another server begins before this one, whose data directory has a marker by then."""
    (tmp_path / "first").mkdir(mode=0o700)
    note_tokens(tmp_path / "first", RandomIds())
    with closing(opened(bucket, tmp_path / "second")) as second, closing(opened(bucket, tmp_path / "first")) as first:
        assert first.id == second.id
    with closing(opened(bucket, tmp_path / "first")) as first:
        assert first.id == second.id


def test_a_data_directory_stays_with_its_bucket(bucket: ObjectBucket, seaweedfs: ObjectStore, tmp_path: Path) -> None:
    """It has notes on objects of that one."""
    opened(bucket, tmp_path / "first").close()
    other = opened_bucket(seaweedfs.address(), RandomIds())
    opened(other, tmp_path / "second").close()

    with pytest.raises(FormatUnknown, match="belongs to another data directory"):
        opened(other, tmp_path / "first")
