"""
What an object store must do, tried on a few objects below ``PREFIX/probe/`` each time the store is opened.

The rule: what does not hold is named, and nothing is stored there. Object stores answer requests that they ignore as if
they had obeyed, and an archive would be lost long before anybody noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, evolve, field, frozen
from botocore.exceptions import ClientError

from ...domain.errors.capacity import BackendUnavailable
from ...domain.ports.system import IdSource
from ...domain.tarkeep_error import TarkeepError
from .bucket.checksums import Integrity, sums_of
from .bucket.client import BucketAddress, translated
from .bucket.objects import RECEIPT, ObjectBucket, ObjectChanged
from .keys import PROBE

_CONTENT, _OTHER = b"tried by tarkeep", b"TRIED BY TARKEEP"
_AT_ONCE = 8
_PART = 5 << 20  # the shortest part that object stores take, unless it is the last
_CLOCKS_DIFFER = timedelta(minutes=5)


@frozen
class ProbeVerdict:
    """*sentence* says what an object store must do; *broken* what this one does instead, or is None."""

    sentence: str
    broken: str | None


def opened_bucket(address: BucketAddress, ids: IdSource) -> ObjectBucket:
    """
    The bucket at *address*, with the cheapest checksums that it looks at.

    Raises:
        BackendUnavailable: it cannot be reached, or does not do what it must; the reason names that.
    """
    trial = Trial.of(address, ids)
    for verdict in trial.verdicts():
        if verdict.broken is not None:
            raise BackendUnavailable("store", f"the object store {verdict.broken}, so archives are not safe there")
    return trial.proven()


@define(eq=False)
class Trial:
    """An object store under trial, at *address*; made by `of`."""

    address: BucketAddress
    bucket: ObjectBucket
    _key: str
    _integrity: Integrity | None = field(default=None, init=False)

    @classmethod
    def of(cls, address: BucketAddress, ids: IdSource) -> Trial:
        """
        The trial of *address*.

        Raises:
            BackendUnavailable: the object store cannot be reached, or has no such bucket.
        """
        prefix = f"{address.prefix}/" if address.prefix else ""
        bucket = ObjectBucket(address.client(), address.bucket, prefix)
        if not bucket.exists():
            raise BackendUnavailable("store", "the bucket does not exist")
        return cls(address, bucket, PROBE + ids.new())

    def verdicts(self) -> Iterator[ProbeVerdict]:
        """
        Whether each of `PROBES` holds, one by one; what is left of the trial goes when the last was taken.

        Raises:
            BackendUnavailable: the object store fails, or refuses access.
        """
        try:
            for probe in PROBES:
                yield ProbeVerdict(probe.sentence, None if probe.holds(self) else probe.broken)
        finally:
            with suppress(TarkeepError):
                self.bucket.delete(*(one.key for one in self.bucket.listed(self._key)))

    def proven(self) -> ObjectBucket:
        """The bucket with the cheapest checksums that it looks at, after all verdicts were good."""
        assert self._integrity is not None
        bucket = evolve(self.bucket, integrity=self._integrity)
        if self._integrity is Integrity.SHA256:
            bucket = evolve(bucket, client=self.address.client(signs_bodies=True))
        return bucket

    # -- the probes, in their order ------------------------------------------------------------------------------

    def takes_in(self) -> bool:
        if not self.bucket.put_first(self._key, _CONTENT, {RECEIPT: "one"}):
            return False
        found = self.bucket.get_small(self._key)
        return found is not None and found.content == _CONTENT

    def keeps_metadata(self) -> bool:
        found = self.bucket.get_small(self._key)
        return found is not None and found.metadata.get(RECEIPT) == "one"

    def keeps_the_first(self) -> bool:
        key = f"{self._key}-first"
        done = [self.bucket.put_first(key, content, {RECEIPT: content.hex()}) for content in (_CONTENT, _OTHER)]
        found = self.bucket.get_small(key)
        return done == [True, False] and found is not None and found.content == _CONTENT

    def keeps_one_of_many(self) -> bool:
        key = f"{self._key}-raced"

        def attempt(number: int) -> bool:
            return self.bucket.put_first(key, b"%d" % number, {RECEIPT: str(number)})

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            won = [number for number, did in enumerate(pool.map(attempt, range(_AT_ONCE))) if did]
        found = self.bucket.get_small(key)
        return found is not None and [b"%d" % number for number in won] == [found.content]

    def tells_size(self) -> bool:
        seen = self.bucket.head(self._key)
        return seen is not None and seen.size_bytes == len(_CONTENT)

    def gives_range(self) -> bool:
        seen = self.bucket.head(self._key)
        if seen is None:
            return False
        with self.bucket.get(self._key, 2, 7, seen.etag) as body, translated():
            return bool(body.read() == _CONTENT[2:7])

    def refuses_another(self) -> bool:
        try:
            self.bucket.get(self._key, 0, 1, '"0123456789abcdef0123456789abcdef"').close()
        except ObjectChanged:
            return True
        return False

    def lists(self) -> bool:
        return [one.key for one in self.bucket.listed(f"{self._key}-raced")] == [f"{self._key}-raced"]

    def shares_the_time(self) -> bool:
        (listed,) = self.bucket.listed(f"{self._key}-raced") or (None,)
        return listed is not None and abs(datetime.now(UTC) - listed.modified_at) < _CLOCKS_DIFFER

    def replaces_and_removes(self) -> bool:
        key = f"{self._key}-replaced"
        for content in (_CONTENT, _OTHER):
            self.bucket.put(key, content)
        found = self.bucket.get_small(key)
        self.bucket.delete(key)
        return found is not None and found.content == _OTHER and self.bucket.head(key) is None

    def copies(self) -> bool:
        key = f"{self._key}-copied"
        self.bucket.copy(self._key, key)
        found = self.bucket.get_small(key)
        return found is not None and (found.content, found.metadata.get(RECEIPT)) == (_CONTENT, "one")

    def joins_parts(self) -> bool:
        key, first = f"{self._key}-joined", _CONTENT * (_PART // len(_CONTENT))
        upload = self.bucket.begin_parts(key)
        parts = [self.bucket.put_part(key, upload, number, part) for number, part in ((1, first), (2, _OTHER))]
        self.bucket.complete(key, upload, parts)
        seen = self.bucket.head(key)
        if seen is None or seen.size_bytes != len(first) + len(_OTHER):
            return False
        with self.bucket.get(key, len(first) - 4, seen.size_bytes, seen.etag) as body, translated():
            return bool(body.read() == first[-4:] + _OTHER)

    def looks_at_checksums(self) -> bool:
        for kind in Integrity:
            client = _changing(self.address) if kind is Integrity.SHA256 else self.bucket.client
            key = f"{self._key}-wrong"
            with translated():
                try:
                    client.put_object(
                        Bucket=self.bucket.name,
                        Key=self.bucket.prefix + key,
                        Body=_CONTENT,
                        **sums_of(kind, (_OTHER,)),
                    )
                except ClientError:
                    self._integrity = kind
                    return True
        return False


def _changing(address: BucketAddress) -> Any:
    """A connection that changes each body after it was signed."""
    client = address.client(signs_bodies=True)

    def change(request: Any, **_: object) -> None:
        request.body = _OTHER

    client.meta.events.register("before-send.s3.PutObject", change)
    return client


@frozen
class Probe:
    """*sentence* says what must hold, *broken* what an object store does in which it does not."""

    sentence: str
    broken: str
    holds: Callable[[Trial], bool]


PROBES = (
    Probe(
        "An object comes back with the bytes that were sent.", "gives back other bytes than it was sent", Trial.takes_in
    ),
    Probe("The metadata of an object are kept.", "does not keep metadata", Trial.keeps_metadata),
    Probe(
        "A PUT that must be the first is refused where an object is.",
        "replaces an object by a conditional PUT",
        Trial.keeps_the_first,
    ),
    Probe(
        f"Of {_AT_ONCE} such PUTs at once, exactly one succeeds, and its object is there.",
        f"lets more or less than one of {_AT_ONCE} conditional PUTs succeed that come at once",
        Trial.keeps_one_of_many,
    ),
    Probe("The size of an object is told.", "tells a wrong size of an object", Trial.tells_size),
    Probe("A range of an object is given.", "does not give the range that was asked for", Trial.gives_range),
    Probe(
        "An object that has changed is not given for the one that was asked for.",
        "gives an object that is not the one asked for",
        Trial.refuses_another,
    ),
    Probe("An object is listed as soon as it is there.", "does not list an object that is there", Trial.lists),
    Probe(
        "Its clock and that of this machine differ by less than five minutes.",
        "has a clock that differs from that of this machine by five minutes or more",
        Trial.shares_the_time,
    ),
    Probe(
        "A plain PUT replaces an object, and a removed one is gone at once.",
        "still gives an object that was replaced or removed",
        Trial.replaces_and_removes,
    ),
    Probe("A copy has the bytes and the metadata.", "copies an object without its bytes or metadata", Trial.copies),
    Probe(
        "An upload in two parts becomes one object.",
        "does not make one object of an upload in two parts",
        Trial.joins_parts,
    ),
    Probe(
        "Bytes that differ from their checksum are refused.",
        "takes in bytes that differ from their checksum",
        Trial.looks_at_checksums,
    ),
)
