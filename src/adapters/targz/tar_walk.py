"""
A walk over the headers of a tar as it passes, piece by piece; the data of files is skipped, never looked at.
It stays one file, though long: every member goes through one loop, and all that the loop calls shares its state.

Pure: no I/O, no thread. It reads v7, ustar, gnu and pax headers and both incremental encodings of GNU tar, holds less
than one block or one short pax record at a time, and spends as few operations per member as it can, because it runs
in the thread that inflates. When members are recorded it also holds the raw headers of one member: the reader of the
record parses them.

If readers of tar differ, this walk follows GNU tar, since that does the restoring:

- A directory has no data whatever its size says, a hard link only if a pax header says so; all other types, including
  symbolic links, are followed by as many bytes as their size says.
- In gnu format the prefix area may hold times and sparse maps, so nothing is ever read from there.
- The first zero block ends the archive. What follows has no members, be it padding, dirt or another archive; but the
  walk reports anything other than zeros, since the sender may take it for a part of the backup.

And it is stricter than GNU tar about anything that would hide a loss or make two readers see different things:

- A tar without a zero block at its end is truncated, even if it ends right after a member.
- An extension header must be followed by its member, with at most one pax header per member, and a global pax header
  may not set the size.
- The map in front of a sparse file's data must match its size.
"""

from __future__ import annotations

import re
from struct import Struct

from ...domain.archives.archive import AfterEnd
from ...domain.errors.content import ExpandsTooFar, MemberUnreadable, NotATar
from ...domain.ports.inspection import Recorder
from ...domain.tar.members import MemberRecord, MemberType
from ...domain.tar.read_headers import read_member
from .dumpdir_scan import DumpdirScan
from .limits import InspectionLimits
from .pax_header import LARGEST_SIZE, ONE_VOLUME, Overrides, PaxHeader
from .sparse_map import SparseMap

try:
    from isal.isal_zlib import adler32
except ImportError:  # a platform it has no wheel for
    from zlib import adler32

BLOCK_BYTES = 512

_FIELDS = Struct("124x12s12s8sc100x6s82xc")  # size, mtime, checksum, type, magic, the first byte of the prefix
_HALVES = Struct("256s256s")
_OCTAL = re.compile(rb"\0? *(?:([0-7]+)(?=[\0 ]|\Z)|(?=\0))")
# What GNU tar writes for nearly every member in posix format: nothing but times. The lookahead checks the length of
# each record.
_ONLY_TIMES = re.compile(
    rb"(?:(?:" + b"|".join(b"%d(?=.{%d}\n)" % (n, n - 3) for n in range(30, 10, -1)) + rb") "
    rb"(?:mtime=([0-9]{1,10})|[ac]time=[0-9]{1,10})(?:\.[0-9]{1,9})?\n)+"
)
_BEFORE_ALL_TIME = -(1 << 63)
_LARGEST_TIME = 253_402_300_799  # the last second of the year 9999
_ABOVE_DIGITS = b":"
_SUM_AT, _SUM_END = 148, 156
_SUM_OF_SPACES = 256  # the checksum counts its own 8 bytes as spaces
_EXTENDED_AT = 482
_EXTENSION_EXTENDED_AT = 504

_LABEL, _SPARSE, _DUMPDIR, _GLOBAL = b"V", b"S", b"D", b"g"
_LONG_NAMES = frozenset((b"L", b"K"))
_PAX_HEADERS = frozenset((b"x", b"X", _GLOBAL))  # X is what Solaris wrote before POSIX had x
_LONG_NAME = b"L"
_HARD_LINK, _DIRECTORY = b"1", b"5"
_MAYBE_DIRECTORIES = frozenset((b"0", b"\0", b"7"))
_EXTENSION_MAY_END_IN_A_SLASH = re.compile(rb"/[\0\n]").search
_SLASH = 47
_LARGE_BYTES = 1 << 16
"""Headers and listings of at least this size are recorded before the end of the current piece."""
_GOES_ON = b"M"
_SPECIAL = _LONG_NAMES | _PAX_HEADERS | {_GOES_ON, _LABEL, _SPARSE, _DUMPDIR, _HARD_LINK, _DIRECTORY}
_NO_PREFIX = b"\0"
_POSIX_MAGIC = b"ustar\0"
_PREFIX_AT, _PREFIX_END = 345, 500

_MAX_ROOTS = 16
_MAX_ROOT_BYTES = 255  # no file system has longer names
_ANY_ROOT = b""  # a prefix of every name
_NO_ROOT = b"\0"  # a prefix of no name


class TarWalk:
    """
    The walk over one tar; *members*, *incremental*, *listed*, *unchanged*, *roots*, *newest_mtime* (seconds since
    the epoch) and *after_end* are valid for what was read so far.

    Members are what a listing of the archive would show, without a volume label; *recorder* is given each of them.
    After an error the walk is over.
    """

    def __init__(self, limits: InspectionLimits, recorder: Recorder | None = None) -> None:
        self.members = 0
        self.incremental = False
        self.roots: list[bytes] = []
        self._limits = limits
        self._recorder = recorder
        self._passed: list[MemberRecord] = []  # in the current piece
        self._root = _NO_ROOT  # prefix of a name that has the same root as the one before
        self._listings = DumpdirScan(limits.max_members, limits.max_name_bytes)
        self._long_name: bytes | None = None
        self._parts: list[bytes] = []  # of the current member, from its first extension header on
        self._parts_at = 0
        self._parts_bytes = 0
        self._parts_global = b""  # the global headers in front of it
        self._kept_from = 0  # the first part that belongs to the header being read
        self._bytes_before = 0  # of the parts in front of it
        self._global = b""  # whole headers
        self._global_bytes = 0
        self._global_matters = False  # the last one
        self._keeps: bytes | None = None  # the type of the header whose data is being kept; self._skip counts it
        self._newest = _BEFORE_ALL_TIME
        self._records = 0
        self._total = 0  # bytes fed
        self._held = b""  # the beginning of a block whose end is in the next piece
        self._skip = 0  # bytes before the next header or sparse extension block
        self._sparse_data: int | None = None  # data bytes after the next sparse extension block
        self._pax: PaxHeader | None = None  # the one being read; self._skip includes its padding
        self._overrides: Overrides | None = None  # from the pax header of the next member
        self._map: SparseMap | None = None  # in front of the data of the current member
        self._global_mtime: int | None = None
        self._awaits_member = False
        self._ended = False
        self._after_end_at: int | None = None  # the first block after the end that is not all zeros
        self._after_end_head = b""  # the part of that block read so far
        self._newest_field = b""

    @property
    def listed(self) -> int:
        """How many files the listings have."""
        return self._listings.here + self._listings.unchanged

    @property
    def unchanged(self) -> int:
        """How many files the listings mark as unchanged."""
        return self._listings.unchanged

    @property
    def newest_mtime(self) -> int | None:
        return None if self._newest == _BEFORE_ALL_TIME else self._newest

    @property
    def after_end(self) -> AfterEnd | None:
        """What follows the end, other than zeros."""
        if self._after_end_at is None:
            return None
        return AfterEnd(self._total - self._after_end_at, self._is_header(self._after_end_head))

    def feed(self, piece: bytes) -> None:
        """
        Take in the next bytes of the tar.

        Raises:
            NotATar: they are not a tar.
            ExpandsTooFar: more members or records, or longer names, than the limits.
        """
        start = self._total
        self._total += len(piece)
        position = 0
        if self._held:
            position = BLOCK_BYTES - len(self._held)
            block = self._held + piece[:position]
            if len(block) < BLOCK_BYTES:
                self._held = block
                return
            self._walk(block, 0, start - len(self._held))
        self._walk(piece, position, start)

    def finish(self) -> None:
        """
        End the input.

        Raises:
            NotATar: the tar is incomplete.
        """
        if self._ended:
            return
        if self._skip:
            raise NotATar(self._total, "cut inside a member")
        if self._held or self._sparse_data is not None:
            raise NotATar(self._total, "cut inside a header")
        raise NotATar(self._total, "ends without an end-of-archive block")

    def _walk(self, piece: bytes, position: int, start: int) -> None:
        """Go through *piece*, whose first byte is at *start* in the tar, from *position* on."""
        try:
            position = self._walk_to_the_end(piece, position, start)
        finally:
            self._hand_over()
        if self._ended:
            self._look_behind(piece, position, start)

    def _walk_to_the_end(self, piece: bytes, position: int, start: int) -> int:
        """Walk to the end of the piece or of the tar; returns that position."""
        stop = len(piece)
        self._held = b""
        while position < stop and not self._ended:
            if self._skip:
                position = self._pass_over(piece, position, stop)
            elif stop - position < BLOCK_BYTES:
                self._held = piece[position:]
                return stop
            elif self._sparse_data is not None:
                position = self._read_sparse_extension(piece, position, start)
            else:
                position = self._read_headers(piece, position, start)
        return position

    def _look_behind(self, piece: bytes, position: int, start: int) -> None:
        """Note where data other than zeros begins after the end, and its first block."""
        if self._after_end_at is None:
            rest = piece[position:].lstrip(b"\0")
            if not rest:
                return
            at = start + len(piece) - len(rest)
            self._after_end_at = at - at % BLOCK_BYTES
            self._after_end_head = bytes(at % BLOCK_BYTES)
            position = len(piece) - len(rest)
        missing = BLOCK_BYTES - len(self._after_end_head)
        self._after_end_head += piece[position : position + missing]

    def _pass_over(self, piece: bytes, position: int, stop: int) -> int:
        taken = min(self._skip, stop - position)
        self._skip -= taken
        if self._pax is not None:
            self._read_pax(self._pax, piece[position : position + min(taken, self._pax.missing_bytes)])
        if self._map is not None:
            self._read_map(self._map, piece[position : position + taken], is_last=not self._skip)
        if self._keeps is not None:
            self._keep_data(self._keeps, piece[position : position + taken])
        return position + taken

    def _read_headers(self, piece: bytes, position: int, start: int) -> int:
        """
        Read header after header, skipping data, until the piece has no whole one left; return where to go on.

        Every member of every archive goes through this loop: ordinary ones are handled inline, without a call.
        """
        stop = len(piece)
        last = stop - BLOCK_BYTES
        members, limit = self.members, self._limits.max_members
        newest_field = self._newest_field
        is_recorded, passed = self._recorder is not None, self._passed
        root = self._root
        overridden = self._is_overridden()
        while position <= last:
            size_field, mtime_field, sum_field, type, magic, prefix = _FIELDS.unpack_from(piece, position)
            first, second = _HALVES.unpack_from(piece, position)
            # The lower half of Adler-32 is 1 + the sum of the bytes modulo 65,521, which 256 bytes cannot reach:
            # an exact sum, at a tenth of the cost of sum().
            total = (adler32(first) & 0xFFFF) + (adler32(second) & 0xFFFF) - 2
            unsigned = total + _SUM_OF_SPACES + 1 - (adler32(sum_field) & 0xFFFF)
            try:
                is_right = int(sum_field[:6], 8) == unsigned
            except ValueError:
                is_right = False
            if not is_right:
                if not total:
                    self._end(start + position)
                    position += BLOCK_BYTES
                    break
                self._check_sum(piece[position : position + BLOCK_BYTES], unsigned, start + position)
            if overridden or type in _SPECIAL:
                self.members = members
                size = self._read_special(piece, position, start, (type, size_field, mtime_field))
                members = self.members
                root = self._root
                overridden = self._is_overridden()
            else:
                if members == limit:
                    raise ExpandsTooFar("max_members", limit)
                members += 1
                digits = size_field.rstrip(b"\0 ")
                try:
                    size = int(digits, 8) if digits.isdigit() else _parse_size(size_field, start + position)
                except ValueError:
                    size = _parse_size(size_field, start + position)
                # One writer pads all its times alike, so they compare as text; base 256 sorts above any digit.
                if mtime_field > newest_field:
                    newest_field = self._read_time(mtime_field)
                if not piece.startswith(root, position) or (prefix != _NO_PREFIX and magic == _POSIX_MAGIC):
                    self._note_root(_name_in(piece, position))
                    root = self._root
                if is_recorded:
                    is_directory = (
                        type in _MAYBE_DIRECTORIES
                        and (b"/\0" in first or first[99] == _SLASH or not first[0])  # `_may_end_in_a_slash`
                        and _name_in(piece, position)[-1:] == b"/"
                    )
                    header = piece[position : position + BLOCK_BYTES]
                    passed.append(MemberRecord(start + position, header, is_directory))
            position += BLOCK_BYTES + (size + 511 & ~511)
            if position > stop:
                self._skip = position - stop
                position = stop
                break
            if self._sparse_data is not None:
                break
        self.members = members
        return position

    def _is_overridden(self) -> bool:
        return (
            self._awaits_member or self._overrides is not None or bool(self._global) or self._global_mtime is not None
        )

    def _read_special(self, piece: bytes, position: int, start: int, fields: tuple[bytes, bytes, bytes]) -> int:
        """Read the header at *position*, of any type; return how many bytes of data follow it."""
        type, size_field, mtime_field = fields
        at = start + position
        if type in _PAX_HEADERS:
            return self._read_pax_header(piece, position, at, type, _parse_size(size_field, at))
        if type in _LONG_NAMES:
            size = _parse_size(size_field, at)
            if size > self._limits.max_name_bytes + 1:  # a NUL ends the name
                raise ExpandsTooFar("max_name_bytes", self._limits.max_name_bytes)
            self._count_records(1)
            self._awaits_member = True
            self._keep(piece, position, at, size, type)
            return size
        if type == _GOES_ON:
            raise NotATar(at, ONE_VOLUME)
        overrides, self._overrides, self._awaits_member = self._overrides, None, False
        if type == _DIRECTORY:
            size = 0
        elif overrides is not None and overrides.size is not None:
            size = overrides.size
        elif type == _HARD_LINK:
            size = 0
        else:
            size = _parse_size(size_field, at)
        long_name, self._long_name = self._long_name, None
        if type == _LABEL:
            self._drop_parts()
            return size
        if self.members == self._limits.max_members:
            raise ExpandsTooFar("max_members", self._limits.max_members)
        self.members += 1
        if overrides is not None and overrides.mtime is not None:
            self._note_time(overrides.mtime)
        elif self._global_mtime is not None:
            self._note_time(self._global_mtime)
        else:
            self._read_time(mtime_field)
        if self._root != _ANY_ROOT:
            pax_name = overrides.sparse_name or overrides.name if overrides is not None else None
            self._note_root(pax_name or long_name or _name_in(piece, position))
        if type == _DUMPDIR:
            self.incremental = True
            self._keep(piece, position, at, size, type)
            return size
        if overrides is not None and overrides.has_dumpdir:
            self.incremental = True
        self._keep(piece, position, at, 0, type)
        if type == _SPARSE and piece[position + _EXTENDED_AT]:
            self._sparse_data = size
            return 0
        self._record(type == _DIRECTORY or (type in _MAYBE_DIRECTORIES and self._ends_in_a_slash()))
        if overrides is not None and overrides.has_sparse_map:
            begin = position + BLOCK_BYTES
            self._map = SparseMap(at, size)
            self._read_map(self._map, piece[begin : begin + size], is_last=begin + size <= len(piece))
        return size

    def _read_pax_header(self, piece: bytes, position: int, at: int, type: bytes, size: int) -> int:
        if type != _GLOBAL and self._overrides is not None:
            raise NotATar(at, "two pax headers for one member")
        self._count_records(1)
        begin = position + BLOCK_BYTES
        end = begin + size
        times = _ONLY_TIMES.fullmatch(piece, begin, end) if end <= len(piece) and type != _GLOBAL else None
        if times is not None:
            count = piece.count(b"\n", begin, end)
            if count > self._limits.max_pax_records:
                raise ExpandsTooFar("max_pax_records", self._limits.max_pax_records)
            self._count_records(count)
            self._overrides = Overrides(mtime=None if times[1] is None else int(times[1]))
            self._keep(piece, position, at, size, type)
            return size
        self._begin_part(at, size)
        limits = self._limits
        self._pax = PaxHeader(
            at,
            size,
            limits.max_name_bytes,
            limits.max_pax_records,
            self._listings,
            is_global=type == _GLOBAL,
        )
        self._read_pax(self._pax, piece[begin:end])
        self._keep_begun(piece, position, size, type)
        return size

    def _read_sparse_extension(self, piece: bytes, position: int, start: int) -> int:
        self._count_records(1)
        self._keep(piece, position, start + position, 0, _SPARSE)
        if not piece[position + _EXTENSION_EXTENDED_AT]:
            self._skip = (self._sparse_data or 0) + 511 & ~511
            self._sparse_data = None
            self._record(False)
        return position + BLOCK_BYTES

    def _read_map(self, map: SparseMap, data: bytes, *, is_last: bool) -> None:
        """Read the next *data* of a member that begins with a map, as far as the map goes."""
        self._count_records(map.feed(data))
        if is_last:
            map.finish()
        if map.is_whole:
            self._map = None

    def _read_pax(self, pax: PaxHeader, data: bytes) -> None:
        self._count_records(pax.feed(data))
        if pax.missing_bytes:
            return
        pax.close()
        self._pax = None
        if not pax.is_global:
            self._overrides = pax.overrides
            return
        self._global_matters = pax.matters
        if pax.overrides.mtime is not None:
            self._global_mtime = pax.overrides.mtime

    # -- what is recorded ----------------------------------------------------------------------------------------

    def _keep(self, piece: bytes, position: int, at: int, size: int, type: bytes) -> None:
        """Keep the block at *position*, and the *size* bytes of data after it, as part of the current member."""
        self._begin_part(at, size)
        self._keep_begun(piece, position, size, type)

    def _begin_part(self, at: int, size: int) -> None:
        if not self._parts_bytes:
            self._parts_at = at
            self._parts_global = self._global
        self._bytes_before = self._parts_bytes
        self._kept_from = len(self._parts)
        self._parts_bytes += BLOCK_BYTES + (size + 511 & ~511)
        if self._parts_bytes > self._limits.max_header_bytes:
            raise ExpandsTooFar("max_header_bytes", self._limits.max_header_bytes)

    def _keep_begun(self, piece: bytes, position: int, size: int, type: bytes) -> None:
        end = position + BLOCK_BYTES + (size + 511 & ~511)
        if type == _DUMPDIR:
            self._listings.begin(size, self._parts_at)
            self._listings.feed(piece[position + BLOCK_BYTES : end])
        if self._recorder is not None or (type == _LONG_NAME and self._root != _ANY_ROOT):
            self._parts.append(piece[position:end])
        if end > len(piece):
            self._keeps = type
        else:
            self._have_kept(type)

    def _keep_data(self, type: bytes, data: bytes) -> None:
        if type == _DUMPDIR:
            self._listings.feed(data)
        if self._recorder is not None or self._parts:
            self._parts.append(data)
        if not self._skip:
            self._keeps = None
            self._have_kept(type)

    def _have_kept(self, type: bytes) -> None:
        """Called when the data after a header is complete."""
        if type == _LONG_NAME and self._parts:
            self._long_name = b"".join(self._parts[self._kept_from :])[BLOCK_BYTES:].partition(b"\0")[0]
            if self._recorder is None:
                self._parts.clear()
        elif type == _DUMPDIR:
            self._record(True)
        elif type == _GLOBAL:
            self._keep_global()

    def _keep_global(self) -> None:
        if self._global_matters:
            self._global_bytes += self._parts_bytes - self._bytes_before
            if self._global_bytes > self._limits.max_global_bytes:
                raise ExpandsTooFar("max_global_bytes", self._limits.max_global_bytes)
            self._global += b"".join(self._parts[self._kept_from :])
        if not self._bytes_before:
            # It belongs to no member in particular.
            self._drop_parts()

    def _ends_in_a_slash(self) -> bool:
        """Whether the name of the member, whose headers are complete, ends in a slash: before ustar, a directory."""
        if self._recorder is None or not (
            _may_end_in_a_slash(self._parts[-1]) or any(map(_EXTENSION_MAY_END_IN_A_SLASH, self._parts[:-1]))
        ):
            return False
        record = MemberRecord(self._parts_at, self._parts_global + b"".join(self._parts), False)
        try:
            return read_member(record).type is MemberType.DIRECTORY
        except MemberUnreadable:
            return False  # the reader of the record reports it

    def _record(self, is_directory: bool) -> None:
        """Called when all headers of the member are complete."""
        if self._recorder is not None:
            headers = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._passed.append(MemberRecord(self._parts_at, self._parts_global + headers, is_directory))
            if len(headers) > _LARGE_BYTES:
                self._hand_over()
        self._drop_parts()

    def _hand_over(self) -> None:
        """Give the recorder the members so far."""
        passed, self._passed[:] = self._passed[:], ()
        if passed and self._recorder is not None:
            self._recorder(passed)

    def _drop_parts(self) -> None:
        self._parts.clear()
        self._parts_bytes = 0

    def _note_root(self, name: bytes) -> None:
        if self._root == _ANY_ROOT:
            return
        root = b"/" if name[:1] == b"/" else name.partition(b"/")[0]
        if not root:
            return
        prefix = root + b"/" if root != b"/" else root
        within = name[1:].lstrip(b"/") if root == b"." else b""
        if within and root not in self.roots:  # spelt like this, and the directory itself is not a member
            root = within.partition(b"/")[0]
            prefix = name[: len(name) - len(within)] + root + b"/"
        self._root = prefix
        if root[:_MAX_ROOT_BYTES] not in self.roots:
            self.roots.append(root[:_MAX_ROOT_BYTES])
            if len(self.roots) == _MAX_ROOTS:
                self._root = _ANY_ROOT

    # -- what is counted -----------------------------------------------------------------------------------------

    def _count_records(self, count: int) -> None:
        self._records += count
        if self._records > self._limits.max_records:
            raise ExpandsTooFar("max_records", self._limits.max_records)

    def _note_time(self, mtime: int | None) -> None:
        if mtime is not None and self._newest < mtime <= _LARGEST_TIME:
            self._newest = mtime

    def _read_time(self, mtime_field: bytes) -> bytes:
        """Note the time in a header; return the field that a later one must exceed to be worth parsing."""
        self._note_time(_parse_time(mtime_field))
        if self._newest_field < mtime_field < _ABOVE_DIGITS:
            self._newest_field = mtime_field
        return self._newest_field

    def _check_sum(self, header: bytes, unsigned: int, at: int) -> None:
        """Judge a checksum that is wrong or in a rarer format; *unsigned* is what it should be."""
        match = _OCTAL.match(header[_SUM_AT:_SUM_END])
        stored = int(match[1] or b"0", 8) if match is not None else -1
        # Some old tars summed up signed characters.
        signed = unsigned - 256 * sum(byte > 127 for byte in header[:_SUM_AT] + header[_SUM_END:])
        if stored not in (unsigned, signed):
            raise NotATar(at, "the header's checksum does not match", begins_as_one=at > 0)

    def _is_header(self, block: bytes) -> bool:
        if len(block) < BLOCK_BYTES:
            return False
        try:
            self._check_sum(block, sum(block) - sum(block[_SUM_AT:_SUM_END]) + _SUM_OF_SPACES, 0)
        except NotATar:
            return False
        return True

    def _end(self, at: int) -> None:
        if self._awaits_member or self._overrides is not None:
            raise NotATar(at, "an extension header without its member")
        self._ended = True


def _may_end_in_a_slash(header: bytes) -> bool:
    """A cheap test of the beginning of a member's own header, with false positives."""
    return b"/\0" in header or header[99] == _SLASH or not header[0]


def _name_in(piece: bytes, position: int) -> bytes:
    """The name in the header at *position*, ignoring extension headers."""
    name = piece[position : position + 100].partition(b"\0")[0]
    prefix = piece[position + _PREFIX_AT : position + _PREFIX_END].partition(b"\0")[0]
    if prefix and piece[position + 257 : position + 263] == _POSIX_MAGIC:
        return prefix + b"/" + name
    return name


def _parse_size(text: bytes, at: int) -> int:
    """
    A size in a header: octal, or base 256 if the first byte is 0x80; an empty field is 0.

    Raises:
        NotATar: it is not a number, or not within 0 to 2**63 - 1.
    """
    if text[0] in (0x80, 0xFF):
        size = int.from_bytes(text[1:], "big") if text[0] == 0x80 else -1
        if not 0 <= size <= LARGEST_SIZE:
            raise NotATar(at, "an impossible size")
        return size
    digits = text.rstrip(b"\0 ")
    if digits.isdigit() and b"8" not in digits and b"9" not in digits:
        return int(digits, 8)
    match = _OCTAL.match(text)
    if match is None:
        raise NotATar(at, "a size that is not a number")
    return int(match[1] or b"0", 8)


def _parse_time(text: bytes) -> int | None:
    """A time in a header, base 256 for those before 1970; None if it cannot be parsed."""
    if text[0] in (0x80, 0xFF):
        return int.from_bytes(text[1:], "big", signed=text[0] == 0xFF)
    match = _OCTAL.match(text)
    return None if match is None else int(match[1] or b"0", 8)
