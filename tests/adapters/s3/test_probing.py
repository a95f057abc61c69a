"""What an object store must do: two that do it, two that do not, and one that does each thing but one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.bucket.client import BucketAddress
from tarkeep.adapters.s3.probing import PROBES, Trial, opened_bucket
from tarkeep.domain.errors.capacity import BackendUnavailable
from tests.support.object_stores import ObjectStore, credentials, running_moto, running_rclone

SENTENCES = [probe.sentence for probe in PROBES]


def broken(store: ObjectStore) -> dict[str, str]:
    """What each of the promises that *store* breaks says it does instead."""
    verdicts = list(Trial.of(store.address(), RandomIds()).verdicts())
    assert [one.sentence for one in verdicts] == SENTENCES  # the others are tried all the same
    return {one.sentence: one.broken for one in verdicts if one.broken is not None}


@pytest.mark.parametrize("name", ["seaweedfs", "radosgw"])
def test_what_must_hold_holds(request: pytest.FixtureRequest, name: str) -> None:
    """And nothing of the trial is left."""
    store: ObjectStore = request.getfixturevalue(name)
    address = store.address()

    assert broken(store) == {}
    assert list(opened_bucket(address, RandomIds()).below("")) == []


def test_moto_takes_in_what_contradicts_its_checksum() -> None:
    with credentials(), running_moto() as store:
        assert broken(store) == {SENTENCES[-1]: "takes in bytes that differ from their checksum"}
        with pytest.raises(BackendUnavailable, match="differ from their checksum, so archives are not safe there"):
            opened_bucket(store.address(), RandomIds())


def test_rclone_knows_no_conditions_and_no_metadata() -> None:
    with credentials(), running_rclone() as store:
        said = list(broken(store).values())
        assert said == [
            "does not keep metadata",
            "replaces an object by a conditional PUT",
            "lets more or less than one of 8 conditional PUTs succeed that come at once",
            "gives an object that is not the one asked for",
            "copies an object without its bytes or metadata",
        ]
        with pytest.raises(BackendUnavailable, match="does not keep metadata"):
            opened_bucket(store.address(), RandomIds())


def left_out(*names: str) -> Callable[[Any], Callable[..., Any]]:
    """Requests without these arguments, as an object store sees them that ignores them."""
    return lambda call: lambda **said: call(**{name: value for name, value in said.items() if name not in names})


def first_part_alone(call: Any) -> Callable[..., Any]:
    """The end of an upload that forgets all parts but the first."""

    def shortened(MultipartUpload: dict[str, list[Any]], **said: Any) -> Any:
        return call(MultipartUpload={"Parts": MultipartUpload["Parts"][:1]}, **said)

    return shortened


def without_its_end(call: Any) -> Callable[..., Any]:
    """A PUT that stores all but the last byte."""

    def shortened(Body: bytes, **said: Any) -> Any:
        said.pop("ChecksumCRC32", None)
        said.pop("ContentMD5", None)
        return call(Body=Body[:-1], **said)

    return shortened


def nothing(call: Any) -> Callable[..., Any]:
    """A request that is answered, and does nothing."""
    return lambda **_: None


@contextmanager
def changed(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Callable[[Any], Any]]) -> Iterator[None]:
    real = BucketAddress.client

    def client(address: BucketAddress, **how: bool) -> Any:
        present = real(address, **how)

        class Changed:
            meta = present.meta

            def __getattr__(self, name: str) -> Any:
                call = getattr(present, name)
                return changes[name](call) if name in changes else call

        return Changed()

    with monkeypatch.context() as patched:
        patched.setattr(BucketAddress, "client", client)
        yield


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"put_object": without_its_end}, "gives back other bytes than it was sent"),
        ({"put_object": left_out("Metadata")}, "does not keep metadata"),
        ({"put_object": left_out("IfNoneMatch")}, "replaces an object by a conditional PUT"),
        ({"get_object": left_out("Range")}, "does not give the range that was asked for"),
        ({"get_object": left_out("IfMatch")}, "gives an object that is not the one asked for"),
        ({"list_objects_v2": lambda _: lambda **_: {}}, "does not list an object that is there"),
        ({"delete_object": nothing}, "still gives an object that was replaced or removed"),
        ({"complete_multipart_upload": first_part_alone}, "does not make one object of an upload in two parts"),
        ({"put_object": left_out("ChecksumCRC32", "ContentMD5")}, "takes in bytes that differ from their checksum"),
    ],
)
def test_each_thing_that_does_not_hold_is_named(
    seaweedfs: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Callable[[Any], Any]],
    named: str,
) -> None:
    with changed(monkeypatch, changes), pytest.raises(BackendUnavailable, match=named):
        opened_bucket(seaweedfs.address(), RandomIds())


def test_another_clock_is_named(seaweedfs: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Object stores refuse requests that are signed a quarter of an hour off; Tarkeep says so earlier."""

    def late(call: Any) -> Callable[..., Any]:
        def listed(**said: Any) -> Any:
            page = call(**said)
            for one in page.get("Contents", ()):
                one["LastModified"] += timedelta(minutes=6)
            return page

        return listed

    with (
        changed(monkeypatch, {"list_objects_v2": late}),
        pytest.raises(BackendUnavailable, match="a clock that differs"),
    ):
        opened_bucket(seaweedfs.address(), RandomIds())
