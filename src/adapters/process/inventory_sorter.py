"""
Sorting of inventories of any length: sorted runs, merged while they are read; runs that do not fit into memory go to a
scratch file.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from operator import attrgetter

import msgspec
from attrs import frozen

from ...domain.archives.inventory import InventoryEntry
from ...domain.identity.archive_id import BackupType
from ...domain.ports.scratch import Scratch, ScratchFile

RUN_BYTES = 16 << 20
"""Bytes held in memory before they are sorted and written to a run."""

_ENTRY_BYTES = 400  # in memory, besides the name
_CHUNK = 256  # entries written and read together

_by_name = attrgetter("name")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[InventoryEntry])


@frozen
class SpillingSorter:
    """An `InventorySorter` that holds at most *run_bytes* of entries in memory, and the rest in *scratch*."""

    scratch: Scratch
    run_bytes: int = RUN_BYTES

    @contextmanager
    def in_order(self, entries: Iterable[InventoryEntry]) -> Iterator[Iterator[InventoryEntry]]:
        with self.scratch.file() as file:
            runs: dict[BackupType, list[Iterable[InventoryEntry]]] = {type: [] for type in BackupType}
            held: dict[BackupType, list[InventoryEntry]] = {type: [] for type in BackupType}
            held_bytes = 0
            current = next(iter(BackupType))
            those = held[current]
            for entry in entries:
                if entry.type is not current:
                    current = entry.type
                    those = held[current]
                those.append(entry)
                held_bytes += _ENTRY_BYTES + len(entry.name)
                if held_bytes >= self.run_bytes:
                    for type, some in held.items():
                        if some:
                            runs[type].append(_written(sorted(some, key=_by_name), file))
                            some.clear()
                    held_bytes = 0
            for type, rest in held.items():
                rest.sort(key=_by_name)
                runs[type].append(rest)  # last, since equal entries must keep their order of arrival
            yield chain.from_iterable(heapq.merge(*runs[type], key=_by_name) for type in BackupType)


def _written(entries: list[InventoryEntry], file: ScratchFile) -> Iterable[InventoryEntry]:
    """Write *entries* to *file*; the result reads them back each time it is iterated over."""
    begin = file.size_bytes
    for at in range(0, len(entries), _CHUNK):
        chunk = _encoder.encode(entries[at : at + _CHUNK])
        file.append(len(chunk).to_bytes(4, "big"))
        file.append(chunk)
    return _Run(file, begin, file.size_bytes)


@frozen
class _Run:
    _file: ScratchFile
    _begin: int
    _end: int

    def __iter__(self) -> Iterator[InventoryEntry]:
        position = self._begin
        while position < self._end:
            size = int.from_bytes(self._file.read(position, 4), "big")
            yield from _decoder.decode(self._file.read(position + 4, size))
            position += 4 + size
