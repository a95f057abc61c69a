"""
A cache of recently read files of columns: their tables, and their blocks as inflated.

A page of a tree of many archives asks each of them for a few members, and so does the next page. Files never change
under their names, but may be written anew, so cached data is tied to one inode at one time.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable
from typing import NamedTuple

from attrs import define, field

MAX_HEADS = 1024
MAX_BLOCK_BYTES = 32 << 20


class Head(NamedTuple):
    """
    The result of opening a file of columns: its *stamp*, the CRC-32s of its pieces, and its table.

    *identity* tells the file from another one of its name. *columns* are those that were read as a whole.
    """

    identity: tuple[int, int, int]
    stamp: int
    crcs: array[int]
    about: dict[str, object]
    table: dict[str, tuple[str, int, int, int]]
    columns: dict[str, array[int]]


@define(eq=False)
class KeptColumns:
    """At most *max_heads* heads by SHA-256, and blocks of at most *max_block_bytes*; thread-safe."""

    max_heads: int = MAX_HEADS
    max_block_bytes: int = MAX_BLOCK_BYTES
    _heads: dict[str, Head] = field(factory=dict, init=False, repr=False)
    _blocks: dict[tuple[str, int, int], bytes] = field(factory=dict, init=False, repr=False)
    _block_bytes: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def head(self, sha256: str, identity: tuple[int, int, int], read: Callable[[], Head]) -> Head:
        """The head of that archive's records; calls *read* if none of that *identity* is cached."""
        with self._lock:
            found = self._heads.pop(sha256, None)
            if found is not None and found.identity == identity:
                self._heads[sha256] = found
                return found
        found = read()
        with self._lock:
            self._heads[sha256] = found
            if len(self._heads) > self.max_heads:
                del self._heads[next(iter(self._heads))]
        return found

    def block(self, sha256: str, stamp: int, at: int, read: Callable[[], bytes]) -> bytes:
        """The block at a position of the file with that stamp; calls *read* if it is not cached."""
        key = (sha256, stamp, at)
        with self._lock:
            found = self._blocks.pop(key, None)
            if found is not None:
                self._blocks[key] = found
                return found
        found = read()
        with self._lock:
            self._block_bytes += len(found) - len(self._blocks.pop(key, b""))
            self._blocks[key] = found
            while self._block_bytes > self.max_block_bytes:
                self._block_bytes -= len(self._blocks.pop(next(iter(self._blocks))))
        return found
