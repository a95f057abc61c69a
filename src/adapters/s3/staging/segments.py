"""
What an upload has so far, as segments: each an object with some of its bytes.

The rule: who goes on with an upload begins a *generation*, which only one can begin. Its list says what it found, and
what it adds are segments with its number, one after the other. What a writer of an earlier generation adds late,
because it was stopped for a while, is not in that list, and nobody reads it.

Segments are few: a new one takes in those before it that are not larger than what has come, like the digits of a binary
number, so pieces of any size lead to a handful of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from attrs import evolve, frozen

SEGMENT_BYTES = 8 << 20
"""The most bytes in a segment, and so in the memory of a writer."""

LIST_SUFFIX = ".list"
_SEGMENT = re.compile(r"(\d{6})-(\d{6})-(\d{1,18})-(\d{1,18})")
_LIST = re.compile(r"(\d{6})" + re.escape(LIST_SUFFIX))


@frozen
class Segment:
    """The first *length* bytes of the object *name*, which are those of the upload from *offset* on."""

    name: str
    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + self.length


Chain: TypeAlias = tuple[Segment, ...]
"""Segments from offset 0 on, each where the one before ends."""


def size_of(chain: Chain) -> int:
    """How many bytes *chain* has."""
    return chain[-1].end if chain else 0


def cut(chain: Chain, size_bytes: int) -> Chain:
    """The first *size_bytes* bytes of *chain*."""
    kept = (one for one in chain if one.offset < size_bytes)
    return tuple(evolve(one, length=min(one.length, size_bytes - one.offset)) for one in kept)


def taken_in(chain: Chain, coming_bytes: int) -> int:
    """How many of the last segments of *chain* belong into one with *coming_bytes* that follow."""
    count = 0
    for one in reversed(chain):
        if one.length > coming_bytes or one.length + coming_bytes > SEGMENT_BYTES:
            break
        count, coming_bytes = count + 1, coming_bytes + one.length
    return count


def name_of(generation: int, number: int, offset: int, length: int) -> str:
    """The name of the segment that is the *number*-th of its generation."""
    return f"{generation:06}-{number:06}-{offset}-{length}"


def list_of(generation: int) -> str:
    """The name of the list with which a generation begins."""
    return f"{generation:06}{LIST_SUFFIX}"


def newest_generation(names: Iterable[str]) -> int:
    """The number of the newest generation that has a list among *names*; 0 for none."""
    return max((int(match[1]) for match in map(_LIST.fullmatch, names) if match), default=0)


def goes_on(found: Chain, generation: int, names: Iterable[str]) -> Chain:
    """What *generation*, which *found* that, has made of it, by the segments among *names*."""
    added = sorted(
        (int(match[2]), Segment(match[0], int(match[3]), int(match[4])))
        for match in map(_SEGMENT.fullmatch, names)
        if match and int(match[1]) == generation
    )
    for _, segment in added:
        before = cut(found, segment.offset)
        if size_of(before) != segment.offset:
            break  # what comes before it is not there: a writer was cut off
        found = (*before, segment)
    return found


def encoded(chain: Chain) -> bytes:
    """*chain* as a list."""
    return json.dumps([[one.name, one.offset, one.length] for one in chain]).encode()


def decoded(content: bytes) -> Chain:
    """
    The chain in a list.

    Raises:
        ValueError: it is none.
    """
    try:
        read: Sequence[Sequence[object]] = json.loads(content)
        return tuple(Segment(str(name), int(str(offset)), int(str(length))) for name, offset, length in read)
    except (ValueError, TypeError) as error:
        raise ValueError("not a list of segments") from error
