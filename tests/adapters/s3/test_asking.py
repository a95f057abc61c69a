"""Whether a bucket answers is known soon, however long its answer takes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tarkeep.adapters.s3.bucket.asking import AskedObject
from tarkeep.adapters.s3.bucket.objects import SmallObject
from tarkeep.domain.errors.capacity import BackendUnavailable


class Slow:
    """A bucket that answers when it is told to."""

    def __init__(self, found: SmallObject | None) -> None:
        self.found = found
        self.asked = 0
        self.goes_on = threading.Event()

    def get_small(self, _key: str) -> SmallObject | None:
        self.asked += 1
        assert self.goes_on.wait(60)
        if self.found is None:
            return None
        return self.found


def asked(bucket: Any, patience: float) -> AskedObject:
    return AskedObject(bucket, "marker", patience)


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    """And who asks again meanwhile sends no second request."""
    bucket = Slow(SmallObject(b"", {}))
    marker = asked(bucket, 0.05)
    for _ in range(3):
        with pytest.raises(BackendUnavailable, match="has not answered"):
            marker.check()
    assert bucket.asked == 1
    bucket.goes_on.set()
    asked(bucket, 60).check()


def test_a_bucket_that_is_another_one_is_not_there() -> None:
    bucket = Slow(None)
    bucket.goes_on.set()
    with pytest.raises(BackendUnavailable, match="marker is missing"):
        asked(bucket, 60).check()


def test_an_error_reaches_the_caller() -> None:
    class Refusing:
        def get_small(self, _key: str) -> None:
            raise BackendUnavailable("store", "no")

    with pytest.raises(BackendUnavailable, match="no"):
        asked(Refusing(), 60).check()
