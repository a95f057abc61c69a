"""A store in a bucket over a line that fails: what is acknowledged is there, and no wrong byte comes in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from attrs import evolve

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.archive_store import S3ArchiveStore
from tarkeep.adapters.s3.bucket.objects import RECEIPT, ObjectBucket
from tarkeep.adapters.s3.probing import opened_bucket
from tarkeep.domain.errors.archives import AlreadyPublished
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.fault_proxy import FaultyLine, LineFault, faulty_line
from tests.support.object_stores import ObjectStore

pytestmark = pytest.mark.faults

ARCHIVES = 50
EVERY = 9
"""One request of so many fails."""

_Result = TypeVar("_Result")


@pytest.fixture(params=["seaweedfs", "radosgw"])
def line(request: pytest.FixtureRequest) -> Iterator[FaultyLine]:
    server: ObjectStore = request.getfixturevalue(request.param)
    with faulty_line(server.endpoint) as line:
        yield line


@pytest.fixture
def bucket(request: pytest.FixtureRequest, line: FaultyLine) -> ObjectBucket:
    server: ObjectStore = request.getfixturevalue(request.node.callspec.params["line"])
    return opened_bucket(evolve(server.address(), endpoint=line.url), RandomIds())


def until_done(work: Callable[[], _Result]) -> _Result:
    """As a client does it: again, when the store was not available."""
    for _ in range(10):
        try:
            return work()
        except BackendUnavailable:
            continue
    raise AssertionError("the store was never available")


@pytest.mark.parametrize("fault", [LineFault.ANSWER_LOST, LineFault.SLOW_DOWN, LineFault.SLOW, LineFault.CUT])
def test_archives_come_and_go_over_a_line_that_fails(
    line: FaultyLine, bucket: ObjectBucket, tmp_path: Path, fault: LineFault
) -> None:
    """Fifty of them: each is stored once, with its bytes, and read to its end."""
    requests = itertools.count(1)
    line.plan = lambda _method, _path: fault if next(requests) % EVERY == 0 else LineFault.NONE
    stored: dict[ArchiveId, bytes] = {}
    with closing(S3ArchiveStore.over(bucket, tmp_path / "data", ids=RandomIds())) as store:
        for number in range(ARCHIVES):
            id, content = ArchiveId("laptop", BackupType.FULL, f"{number}.tar.gz"), Random(number).randbytes(3000)

            def receive(id: ArchiveId = id, content: bytes = content) -> None:
                with store.begin() as writer:
                    writer.write(content)
                    writer.seal(b"side-car")
                    try:
                        writer.publish(id)
                    except AlreadyPublished:
                        assert read(id) == content

            def read(id: ArchiveId) -> bytes:
                with store.read(id) as reader:
                    return b"".join(reader)

            until_done(receive)
            stored[id] = content
        for id, content in stored.items():
            assert until_done(lambda id=id: read(id)) == content  # type: ignore[misc]  # it is read at once
    assert line.done[fault] >= ARCHIVES // EVERY


def test_no_flipped_bit_comes_in(line: FaultyLine, bucket: ObjectBucket) -> None:
    """A thousand, each in the body of one request: every one is refused, and nothing is there afterwards."""
    content = Random(2).randbytes(500)
    line.plan = lambda method, _path: LineFault.WRONG_BYTES if method == "PUT" else LineFault.NONE
    for number in range(900):
        with pytest.raises(BackendUnavailable):
            bucket.put(f"small/{number}", content)
    for number in range(50):
        with pytest.raises(BackendUnavailable):
            bucket.put_first(f"first/{number}", content, {RECEIPT: str(number)})
    upload = bucket.begin_parts("parted")
    for number in range(1, 51):
        with pytest.raises(BackendUnavailable):
            bucket.put_part("parted", upload, number, content)
    bucket.abort("parted", upload)

    assert list(bucket.below("")) == []
    assert line.done[LineFault.WRONG_BYTES] >= 1000
