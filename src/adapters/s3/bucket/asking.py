"""Asking a bucket whether it answers, without waiting for as long as a request may take."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from attrs import define, field

from ....domain.errors.capacity import BackendUnavailable
from .objects import ObjectBucket, SmallObject

_PATIENCE_SECONDS = 2.0


@define(eq=False)
class AskedObject:
    """The object at *key*, which is always there as long as the bucket answers. Any number of threads."""

    _bucket: ObjectBucket
    _key: str
    _patience: float = _PATIENCE_SECONDS
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _asking: Future[SmallObject | None] | None = field(default=None, init=False)

    def check(self) -> None:
        """
        Ask for it.

        Raises:
            BackendUnavailable: no answer came in two seconds, or another one than expected.
        """
        try:
            found = self._asked().result(self._patience)
        except TimeoutError:
            raise BackendUnavailable("store", f"the bucket has not answered for {self._patience:g} s") from None
        if found is None:
            raise BackendUnavailable("store", f"{self._key} is missing in the bucket")

    def _asked(self) -> Future[SmallObject | None]:
        """The answer that is to come: who asks while one is awaited waits for the same."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = Future()
                # a daemon: a request that nobody waits for any more must not keep the process from ending
                threading.Thread(target=self._ask, args=(self._asking,), name="ask bucket", daemon=True).start()
            return self._asking

    def _ask(self, asking: Future[SmallObject | None]) -> None:
        try:
            asking.set_result(self._bucket.get_small(self._key))
        except BaseException as error:
            asking.set_exception(error)
