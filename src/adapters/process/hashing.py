"""
MD5 and SHA-256 in one pass, by the standard library's hashlib (OpenSSL).

MD5 is the slower of the two by far (770 against 1,800 MB/s with SHA instructions), so it moves to a thread of its own
once an upload is long enough to be worth it and the budget has a thread left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from types import TracebackType

from attrs import field, frozen

from ...domain.identity.digests import Digests
from ...domain.ports.inspection import RunningChecksum, RunningDigests
from ...domain.ports.store import Block
from ...domain.uploads import ChecksumAlgorithm
from .background import THREAD_FROM_BYTES, BackgroundConsumer, ThreadBudget


@frozen
class HashlibHasher:
    """`Hasher` over hashlib."""

    budget: ThreadBudget = field(factory=ThreadBudget)

    def start(self) -> RunningDigests:
        return _RunningHashes(self.budget)

    def checksum(self, algorithm: ChecksumAlgorithm) -> RunningChecksum:
        return hashlib.new(algorithm.value, usedforsecurity=False)

    def crc32(self, block: Block, before: int = 0) -> int:
        return _fast_crc32()(block, before)


class _RunningHashes:
    def __init__(self, budget: ThreadBudget) -> None:
        self._budget = budget
        # usedforsecurity=False: MD5 is a compatibility field here, and must work where FIPS mode forbids it
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._bytes_until_thread = THREAD_FROM_BYTES
        self._beside: BackgroundConsumer | None = None

    def update(self, block: Block) -> None:
        if self._beside is not None:
            self._beside.put(block)
        else:
            self._md5.update(block)
            self._bytes_until_thread -= len(block)
            if self._bytes_until_thread <= 0:
                self._beside = self._budget.beside(self._md5.update, name="md5")
        self._sha256.update(block)

    def pause(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            try:
                beside.finish()
            finally:
                beside.close()

    def finish(self) -> Digests:
        if self._beside is not None:
            self._beside.finish()
        return Digests(md5=self._md5.hexdigest(), sha256=self._sha256.hexdigest())

    def __enter__(self) -> _RunningHashes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beside is not None:
            self._beside.close()


@cache
def _fast_crc32() -> Callable[[Block, int], int]:
    """isal's CRC-32 runs at 30 GB/s, zlib's at 4; imported late, since the client needs neither."""
    try:
        from isal.isal_zlib import crc32
    except ImportError:  # a platform it has no wheel for
        from zlib import crc32
    return crc32
