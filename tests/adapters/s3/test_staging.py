"""The bytes of resumable uploads in a bucket: whoever goes on last finds what was acknowledged, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.s3.bucket.objects import Listed, ObjectBucket, SmallObject
from tarkeep.adapters.s3.keys import STAGING
from tarkeep.adapters.s3.staging import segments
from tarkeep.adapters.s3.staging.segments import SEGMENT_BYTES, Segment
from tarkeep.adapters.s3.staging.uploads import StagedUploads, StagedWriter
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.uploads import StagedBytesMissing
from tests.support.clocks import SequenceIds

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@define(eq=False)
class HeldBucket:
    """Objects in memory, with the few operations that staging is made of; *requests* counts them."""

    objects: dict[str, bytes] = field(factory=dict)
    requests: int = 0

    def put_first(self, key: str, content: bytes, metadata: Mapping[str, str]) -> bool:
        self.requests += 1
        return self.objects.setdefault(key, content) is content

    def put(self, key: str, content: bytes) -> None:
        self.requests += 1
        assert key not in self.objects, "a key was written twice"
        self.objects[key] = bytes(content)

    def get_small(self, key: str) -> SmallObject | None:
        self.requests += 1
        return SmallObject(self.objects[key], {}) if key in self.objects else None

    def delete(self, *keys: str) -> None:
        self.requests += len(keys)
        for key in keys:
            self.objects.pop(key, None)

    def listed(self, folder: str) -> list[Listed]:
        self.requests += 1
        return [one for one in self.below(folder) if "/" not in one.key.removeprefix(folder)]

    def below(self, folder: str) -> Iterator[Listed]:
        return iter([Listed(key, len(one), NOW) for key, one in sorted(self.objects.items()) if key.startswith(folder)])


def staged_uploads(bucket: HeldBucket) -> StagedUploads:
    held: ObjectBucket = bucket  # type: ignore[assignment]  # the operations that are used
    return StagedUploads(held, SequenceIds())


def content_of(writer: StagedWriter) -> bytes:
    return b"".join(writer.staged())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("sync"), st.none()),
        st.tuples(st.just("truncate"), st.integers(0, 100)),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("stale"), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("cut off"), st.none()),
    ),
    max_size=30,
)


@given(STEPS)
def test_whoever_goes_on_finds_what_was_acknowledged(steps: list[tuple[str, bytes | int | None]]) -> None:
    """Whatever earlier writers still do, which were stopped in the middle, and were told that others go on."""
    bucket = HeldBucket()
    staged = staged_uploads(bucket)
    writer, stale = staged.resume("upload", 0), []
    written, acknowledged = b"", b""
    for step, value in steps:
        if step == "write":
            assert isinstance(value, bytes)
            writer.write(value)
            written += value
        elif step == "sync":
            writer.sync()
            acknowledged = written
        elif step == "truncate":
            assert isinstance(value, int)
            writer.truncate(min(value, len(written)))
            written = written[:value]
            acknowledged = acknowledged[:value] if len(acknowledged) > value else acknowledged
        elif step in ("resume", "cut off"):
            stale.append(writer)
            writer = staged.resume("upload", len(acknowledged))
            written = acknowledged
        elif stale:
            assert isinstance(value, bytes)
            stale[-1].write(value)
            with pytest.raises(BackendUnavailable):
                stale[-1].sync()
        assert (writer.size_bytes, content_of(writer)) == (len(written), written)

    writer.sync()
    assert staged.size_bytes("upload") >= len(written)
    assert content_of(staged.resume("upload", len(written))) == written


@given(st.integers(0, 12), st.integers(0, 20))
def test_what_a_stopped_writer_adds_late_is_read_by_nobody(resumed_at: int, late_at: int) -> None:
    """Its segment arrives after another began to go on: it looked before that."""
    bucket = HeldBucket()
    staged = staged_uploads(bucket)
    first = staged.resume("upload", 0)
    first.write(b"acknowledged")
    first.sync()
    second = staged.resume("upload", resumed_at)
    kept = content_of(second)
    late = segments.name_of(1, 2, late_at, 4)
    bucket.put(f"{STAGING}upload/{late}", b"late")
    second.write(b"more")
    second.sync()

    assert content_of(staged.resume("upload", len(kept) + 4)) == kept + b"more"


def test_of_two_that_go_on_at_once_one_does() -> None:
    """The other begins the generation after it."""
    bucket = HeldBucket()
    staged = staged_uploads(bucket)
    first, second = staged.resume("upload", 0), staged.resume("upload", 0)
    first.write(b"first")
    second.write(b"second")
    second.sync()

    with pytest.raises(BackendUnavailable, match="another request goes on with this upload"):
        first.sync()
    assert content_of(staged.resume("upload", 6)) == b"second"


def test_pieces_of_any_size_become_few_segments() -> None:
    """A hundred thousand bytes at a time, by another writer each time: the requests grow with the logarithm."""
    costs = []
    for pieces in (16, 64, 256):
        bucket = HeldBucket()
        staged = staged_uploads(bucket)
        piece = bytes(100_000)
        for number in range(pieces):
            writer = staged.resume("upload", number * len(piece))
            writer.write(piece)
            writer.sync()
        assert staged.size_bytes("upload") == pieces * len(piece)
        assert len(bucket.objects) < 10 + pieces * len(piece) // (SEGMENT_BYTES // 4)
        costs.append(bucket.requests / pieces)

    assert costs[2] < 1.3 * costs[0]


def test_much_is_written_in_segments() -> None:
    """At most one of them is in memory."""
    bucket = HeldBucket()
    writer = staged_uploads(bucket).resume("upload", 0)
    for number in range(40):
        writer.write(bytes([number]) * 1_000_000)
    writer.sync()

    assert content_of(writer) == b"".join(bytes([number]) * 1_000_000 for number in range(40))
    assert max(map(len, bucket.objects.values())) == SEGMENT_BYTES


def test_what_is_lost_is_told() -> None:
    """A segment, the list of what came before, or all."""
    for lost in ("1-0", ".list", ""):
        bucket = HeldBucket()
        staged = staged_uploads(bucket)
        writer = staged.resume("upload", 0)
        writer.write(b"bytes")
        writer.sync()
        for key in [key for key in bucket.objects if lost in key]:
            del bucket.objects[key]

        assert staged.size_bytes("upload") == 0
        with pytest.raises(StagedBytesMissing):
            staged.resume("upload", 5)


def test_a_damaged_list_is_told() -> None:
    bucket = HeldBucket()
    staged = staged_uploads(bucket)
    staged.resume("upload", 0)
    (key,) = bucket.objects
    bucket.objects[key] = b"not a list"

    with pytest.raises(StagedBytesMissing):
        staged.resume("upload", 0)


def test_a_sweep_drops_what_nobody_keeps() -> None:
    """If it is old enough; and a dropped upload leaves nothing."""
    bucket = HeldBucket()
    staged = staged_uploads(bucket)
    for name in ("kept", "old"):
        writer = staged.resume(name, 0)
        writer.write(b"bytes")
        writer.sync()

    assert staged.sweep(NOW, lambda: ["kept"]) == 0
    assert staged.sweep(LATER, lambda: ["kept"]) == 1
    assert {key.split("/")[1] for key in bucket.objects} == {"kept"}
    staged.drop("kept")
    assert bucket.objects == {}


@given(st.lists(st.integers(1, 3 * SEGMENT_BYTES), max_size=40))
def test_segments_that_are_taken_in_have_room(lengths: list[int]) -> None:
    """No segment grows beyond the limit by what it takes in."""
    chain: segments.Chain = ()
    for coming in lengths:
        count = segments.taken_in(chain, coming)
        small = chain[len(chain) - count :]
        length = coming + sum(one.length for one in small)
        assert not small or length <= SEGMENT_BYTES
        kept = chain[: len(chain) - count]
        chain = (*kept, Segment("x", segments.size_of(kept), length))

    assert segments.size_of(chain) == sum(lengths)
