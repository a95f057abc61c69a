"""
Independent gzip members, compressed by zlib in several threads, since zlib releases the GIL.

Cut every few MiB of input, the archive remains readable by gzip and tar, and can be entered at each member without an
index. pigz with several threads writes a single member, which can only be read from its beginning.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import field, frozen
from attrs.validators import ge

MEMBER_BYTES = 4 << 20
"""Bytes of input per member. Smaller ones compress worse (at 1 MiB by about 1 %), larger ones are slower to enter."""
_WITH_GZIP_HEADER = 31


@frozen
class GzipMembers:
    """`Compressor` with *jobs* threads, at zlib's *level*; holds less than 2 * *jobs* + 2 members in memory."""

    level: int = 6
    jobs: int = field(default=1, validator=ge(1))
    member_bytes: int = field(default=MEMBER_BYTES, validator=ge(1))

    def __call__(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(self.jobs, "gzip") as threads:
            try:
                for piece in self._pieces(blocks):
                    waiting.append(threads.submit(zlib.compress, piece, self.level, _WITH_GZIP_HEADER))
                    while waiting and (len(waiting) > 2 * self.jobs or waiting[0].done()):
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _pieces(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """
        *blocks* as pieces of at most *member_bytes*, only the last one shorter. The last is held back until *blocks*
        have ended without an error, since a receiver that has every byte takes the archive for whole.
        """
        held: list[bytes] = []
        size = 0
        for block in blocks:
            held.append(block)
            size += len(block)
            while size > self.member_bytes:
                joined = b"".join(held)
                yield joined[: self.member_bytes]
                held, size = [joined[self.member_bytes :]], size - self.member_bytes
        if size:
            yield b"".join(held)
