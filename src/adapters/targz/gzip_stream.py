"""
Gzip as a stream of members, independent of the engine that inflates them (see `deflate`).

An engine only handles raw deflate; member headers, trailers and padding are parsed here, once for all engines, so that
each accepts the same bytes. For damaged data the reason may differ: isal tolerates some broken Huffman codes that zlib
rejects, and the CRC then finds them. The rule: memory stays bounded and work linear, whatever the bytes are. No call
inflates more than `PIECE_BYTES`, and no member is given much more input than it has used up before, because both
libraries copy whatever follows the end of a member.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from ...domain.errors.content import GzipDamaged, NotAGzip
from .deflate import PIECE_BYTES, BadDeflate, InflateEngine, Inflater

_FIRST_BITE_BYTES = 4096
_BITE_BYTES = 64 << 10  # input per call; isal copies what it did not use of it
_TEXT, _HEADER_CRC, _EXTRA, _NAME, _COMMENT = 1, 2, 4, 8, 16
_RESERVED = 0xE0
_MAGIC = b"\x1f\x8b\x08"
_FIXED_BYTES = 10
_TRAILER_BYTES = 8


class GzipStream:
    """
    The members of one gzip file, pushed in chunk by chunk.

    Any number of members, and zeros after the last one, as tapes leave them. *whole_members* counts the members whose
    CRC and length were right, *read_bytes* the bytes used up so far; *member_at* is the position of the header of the
    member that the last piece came from.

    With *inside*, from `begun_inside`, the first chunk starts in the middle of a member, whose CRC and length then
    cannot be checked.
    """

    def __init__(self, engine: InflateEngine, inside: Inflater | None = None) -> None:
        self.whole_members = 0
        self.read_bytes = 0  # of the file, up to the chunk being inflated
        self.member_at = 0
        self._engine = engine
        self._inflater = inside
        self._began_inside = inside is not None
        self._stage: Callable[[memoryview, int], int] = self._magic
        self._held = b""
        self._flags = 0
        self._header_crc = 0
        self._left = 0
        self._used = 0  # compressed bytes of the member so far
        self._unpacked = 0  # inflated bytes of the member so far

    def inflate(self, chunk: memoryview) -> Iterator[bytes]:
        """
        What *chunk*, the next bytes of the file, inflates to, in pieces of at most `PIECE_BYTES`.

        The iterator must be used up before the next chunk. Offsets in errors are positions in the file; for data that
        cannot be inflated, it is the start of the last call to the engine.

        Raises:
            NotAGzip: the file does not begin with a gzip member.
            GzipDamaged: a member cannot be inflated or fails its CRC or length, or data follows the last one.
        """
        position, stop = 0, len(chunk)
        while position < stop:
            if self._inflater is None:
                position = self._stage(chunk, position)
                continue
            inflater = self._inflater
            bite_end = min(position + min(max(_FIRST_BITE_BYTES, self._used), _BITE_BYTES), stop)
            data: memoryview | bytes = chunk[position:bite_end]
            while True:
                try:
                    piece = inflater.inflate(data)
                except BadDeflate as error:
                    raise GzipDamaged(self.read_bytes + position, "the compressed data is invalid") from error
                if piece:
                    self._unpacked += len(piece)
                    yield piece
                if inflater.ended or len(piece) < PIECE_BYTES:
                    break
                data = b""
            if inflater.ended:
                bite_end -= inflater.unused_bytes
                self._stage = self._trailer
                self._inflater = None
                self._left = inflater.crc
            self._used += bite_end - position
            position = bite_end
        self.read_bytes += stop

    def finish(self) -> None:
        """
        End the input.

        Raises:
            GzipDamaged: a member is incomplete; the offset is the length of the file.
        """
        at_rest = self._stage in (self._magic, self._padding) and not self._held and self._inflater is None
        if not self.whole_members or not at_rest:
            raise GzipDamaged(self.read_bytes, "cut short")

    # Each stage takes what it needs of the chunk from a position on, and returns the position after that.

    def _magic(self, chunk: memoryview, position: int) -> int:
        if self.whole_members and not self._held and chunk[position] == 0:
            self._stage = self._padding
            return position
        begin = self.read_bytes + position - len(self._held)
        position, held = self._collect(chunk, position, len(_MAGIC))
        if not _MAGIC.startswith(held):
            if self.whole_members:
                raise GzipDamaged(begin, "data after the end")
            raise NotAGzip(begin)
        if len(held) == len(_MAGIC):
            self.member_at = begin
            self._header_crc = zlib.crc32(held)
            self._turn_to(self._fixed)
        return position

    def _fixed(self, chunk: memoryview, position: int) -> int:
        position, held = self._collect(chunk, position, _FIXED_BYTES - len(_MAGIC))
        if len(held) == _FIXED_BYTES - len(_MAGIC):
            self._header_crc = zlib.crc32(held, self._header_crc)
            self._flags = held[0] & ~_TEXT
            if self._flags & _RESERVED:
                raise GzipDamaged(self.read_bytes + position, "reserved flags are set")
            self._next_field()
        return position

    def _next_field(self) -> None:
        if self._flags & _EXTRA:
            self._flags ^= _EXTRA
            self._turn_to(self._extra_length)
        elif self._flags & (_NAME | _COMMENT):
            self._flags ^= _NAME if self._flags & _NAME else _COMMENT
            self._turn_to(self._text)
        elif self._flags & _HEADER_CRC:
            self._turn_to(self._crc_of_header)
        else:
            self._held = b""
            self._used = self._unpacked = 0
            self._inflater = self._engine()

    def _extra_length(self, chunk: memoryview, position: int) -> int:
        position, held = self._collect(chunk, position, 2)
        if len(held) == 2:
            self._header_crc = zlib.crc32(held, self._header_crc)
            self._left = int.from_bytes(held, "little")
            if self._left:
                self._turn_to(self._extra)
            else:
                self._next_field()
        return position

    def _extra(self, chunk: memoryview, position: int) -> int:
        skipped = chunk[position : position + self._left]
        self._header_crc = zlib.crc32(skipped, self._header_crc)
        self._left -= len(skipped)
        if not self._left:
            self._next_field()
        return position + len(skipped)

    def _text(self, chunk: memoryview, position: int) -> int:
        # In short steps, so that a run of members with names does not copy the whole chunk each time.
        text = bytes(chunk[position : position + 256])
        end = text.find(b"\0") + 1
        text = text[:end] if end else text
        self._header_crc = zlib.crc32(text, self._header_crc)
        if end:
            self._next_field()
        return position + len(text)

    def _crc_of_header(self, chunk: memoryview, position: int) -> int:
        position, held = self._collect(chunk, position, 2)
        if len(held) == 2:
            if int.from_bytes(held, "little") != self._header_crc & 0xFFFF:
                raise GzipDamaged(self.read_bytes + position, "the header's CRC does not match")
            self._flags = 0
            self._next_field()
        return position

    def _trailer(self, chunk: memoryview, position: int) -> int:
        position, held = self._collect(chunk, position, _TRAILER_BYTES)
        if len(held) == _TRAILER_BYTES:
            if not self._began_inside:
                if int.from_bytes(held[:4], "little") != self._left:
                    raise GzipDamaged(self.read_bytes + position, "the CRC does not match")
                if int.from_bytes(held[4:], "little") != self._unpacked & 0xFFFF_FFFF:
                    raise GzipDamaged(self.read_bytes + position, "the length does not match")
            self._began_inside = False
            self.whole_members += 1
            self._turn_to(self._magic)
        return position

    def _padding(self, chunk: memoryview, position: int) -> int:
        rest = bytes(chunk[position:])
        other = rest.lstrip(b"\0")
        if other:
            raise GzipDamaged(self.read_bytes + len(chunk) - len(other), "data after the end")
        return len(chunk)

    def _collect(self, chunk: memoryview, position: int, size: int) -> tuple[int, bytes]:
        taken = bytes(chunk[position : position + size - len(self._held)])
        self._held += taken
        return position + len(taken), self._held

    def _turn_to(self, stage: Callable[[memoryview, int], int]) -> None:
        self._held = b""
        self._stage = stage
