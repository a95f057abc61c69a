"""How many bytes are in a bucket: counted once, then kept up by what this process adds and drops."""

from __future__ import annotations

import threading

from attrs import define, field

from .objects import ObjectBucket


@define(eq=False)
class UsedBytes:
    """
    The bytes below the prefix of *bucket*, for any number of threads.

    Listing everything takes a request for each 1,000 objects, and happens the first time that the number is asked for.
    """

    _bucket: ObjectBucket
    _bytes: int | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def get(self) -> int:
        """The bytes that are there, as far as this process knows."""
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(one.size_bytes for one in self._bucket.below(""))
            return self._bytes

    def add(self, size_bytes: int) -> None:
        """Count bytes that came, or with a negative number went."""
        with self._lock:
            if self._bytes is not None:
                self._bytes = max(0, self._bytes + size_bytes)
