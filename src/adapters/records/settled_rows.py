"""The rows of the directories in settled records, and the blocks that hold their listings."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from struct import Struct
from typing import NamedTuple

from ...domain.names.name_table import DIGEST_BYTES, Row
from .columns import ColumnsFile

HELD_ROWS = 50_000  # of a file, as objects: some 20 MiB


class ListedAs(NamedTuple):
    """A row with the number of its listing."""

    row: Row
    listing: int


class Rows:
    """The rows of one file."""

    def __init__(self, file: ColumnsFile) -> None:
        self.paths = file.texts("d.paths")
        self._listed = file.text("d.listed")
        self._named = file.text("d.named")
        self.flags = file.text("d.flags")
        self._listings = file.numbers("d.listings")
        self.dropped = file.texts("d.dropped")
        self._has_dropped = len(self.dropped) > 0
        self._last: tuple[int, bytes | None, ListedAs | None] = (-1, None, None)  # the row found last

    def find(self, path: bytes) -> ListedAs | None:
        if "by_path" in self.__dict__:
            return self.by_path.get(path)
        number, last, found = self._last
        if path == last:
            return found
        number += 1  # rows are mostly asked for in order
        if number == len(self.paths) or self.paths[number] != path:
            number = self.paths.place(path)
        if number == len(self.paths) or self.paths[number] != path:
            return None
        at = slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
        found = _listed(self._listed[at], self._named[at], self.flags[number], self._listings[number])
        self._last = (number, path, found)
        return found

    def has_dropped(self, path: bytes) -> bool:
        return self._has_dropped and self.dropped.find(path) is not None

    def expect_many(self) -> None:
        """Prepare for many lookups, in any order."""
        if len(self.paths) <= HELD_ROWS:
            self.by_path  # noqa: B018  # computed now and cached, so that `find` has a dictionary

    @cached_property
    def by_path(self) -> dict[bytes, ListedAs]:
        listed, named = self._listed[:], self._named[:]
        places = [slice(at, at + DIGEST_BYTES) for at in range(0, len(listed), DIGEST_BYTES)]
        rows = map(
            _listed, map(listed.__getitem__, places), map(named.__getitem__, places), self.flags[:], self._listings[:]
        )
        return dict(zip(self.paths, rows, strict=True))

    def in_order(self) -> Iterator[tuple[bytes, bytes]]:
        """The directories with the digests of their listings, ascending."""
        begin = 0
        for path, listing in zip(self.paths, self._listings, strict=True):
            yield path, b"" if listing == NO_LISTING else self._listed[begin : begin + DIGEST_BYTES]
            begin += DIGEST_BYTES

    def incomplete(self) -> Iterator[bytes]:
        """The directories whose rows are not complete."""
        return (self.paths[found.start()] for found in INCOMPLETE.finditer(self.flags[:]))

    @cached_property
    def listed(self) -> dict[bytes, bytes | None]:
        """The digests of listings by their directories; None for those that only the base has."""
        found: dict[bytes, bytes | None] = {path: one.row.listed for path, one in self.by_path.items()}
        return found | dict.fromkeys(self.dropped)


def _listed(listed: bytes, named: bytes, flags: int, listing: int) -> ListedAs:
    has_one = listing not in (NO_LISTING, SEVERAL)
    return ListedAs(
        Row(b"" if listing == NO_LISTING else listed, named if has_one else b"", bool(flags & IS_COMPLETE)), listing
    )


class Blocks:
    """Compressed blocks of one kind, and the first number or position in each."""

    def __init__(self, file: ColumnsFile, kind: str) -> None:
        self._file = file
        self._kind = kind
        self._last: tuple[int, bytes] = (-1, b"")

    def __len__(self) -> int:
        return len(self._column("firsts"))

    def _column(self, name: str) -> array[int]:
        return self._file.kept_numbers(f"{self._kind}.{name}")

    def with_number(self, first: int) -> int:
        """The block that would hold *first*; -1 before all."""
        return bisect_right(self._column("firsts"), first) - 1

    def __getitem__(self, number: int) -> bytes:
        known = self._last
        if known[0] == number:
            return known[1]
        size, start, crc = (self._column(name)[number] for name in ("sizes", "starts", "crcs"))
        content = self._file.block(size, start, crc)
        self._last = (number, content)
        return content


DIRECTORY = Struct("<QIII")  # place in the tar, listing, lengths of the headers before and behind it


NO_LISTING = 0xFFFF_FFFF  # instead of the number of a listing


SEVERAL = 0xFFFF_FFFE


IS_COMPLETE, IS_NEW = 1, 2  # of a row; new means that the directory has no row in the base


INCOMPLETE = re.compile(b"[%c%c]" % (0, IS_NEW))
