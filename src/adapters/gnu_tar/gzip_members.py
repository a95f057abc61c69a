"""
Gzip in members that stand alone, compressed by zlib in several threads, which it lets run side by side.

Cut every few MiB of input, an archive is still what gzip and tar read, and can be entered at each member without an
index. What several threads of pigz write is one member, which can only be read from its beginning.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import field, frozen
from attrs.validators import ge

MEMBER_BYTES = 4 << 20
"""Of input. Smaller ones compress worse (at 1 MiB by about 1 %), larger ones are slower to enter."""
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
        *blocks* as pieces of *member_bytes*, the last one shorter or as long; that is held until *blocks* have ended
        well, since whoever has all of an archive takes it for whole.
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
