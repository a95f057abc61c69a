"""Writing records in the form for lookups, see `settled_records`."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from attrs import define, field

from ...domain.names.columns import DIRECTORY as IS_DIRECTORY
from ...domain.names.columns import TABLE_MEMBERS, MemberColumns, named
from ...domain.names.name_table import DIGEST_BYTES, Files, Row
from ...domain.names.packed_texts import PackedTexts, Texts
from ...domain.names.table_maker import TableMaker
from ...domain.tar.dumpdirs import Dumpdir, written_dumpdir
from ...domain.tar.members import MemberRecord
from .columns import ColumnsWriter, compress, crc32
from .settled_records import MAGIC, OF_BASE, RECORD, SettledRecords
from .settled_rows import DIRECTORY, IS_COMPLETE, IS_NEW, NO_LISTING, SEVERAL

_LEVEL = 1
_RECORDS_BYTES = 128 << 10  # of headers, before compression: what must be inflated to read one member
_LISTINGS_BYTES = 16 << 10  # likewise for one listing
_MOST_OF_ITS_OWN = 1 / 8  # of the directories, in records on whose base others are still built


def settle(
    records: Iterable[MemberRecord],
    like: SettledRecords | None,
    append: Callable[[bytes], None],
    limit_bytes: int,
) -> None:
    """
    Write *records*, those of a whole archive, with *like* or its base as their base if that is worth it.

    Raises:
        MemberUnreadable: a member has no name that can be found.
        TreeTooLarge: the names need more than *limit_bytes*.
    """
    settling = _Settling(ColumnsWriter(append), _base_of(like), limit_bytes)
    rest = iter(records)
    while some := list(islice(rest, TABLE_MEMBERS)):
        settling.add(some)
    settling.finish()


def _base_of(like: SettledRecords | None) -> SettledRecords | None:
    """The base to use: never one that has a base itself, and none once most of its directories have changed since."""
    if like is None or like.base is None:
        return like
    return like.base if like.own_share <= _MOST_OF_ITS_OWN else None


@define
class _Blocks:
    """Blocks of one kind that are being written."""

    kind: str
    block_bytes: int
    _writer: ColumnsWriter
    _parts: list[bytes] = field(factory=list)
    size_bytes: int = 0
    _firsts: array[int] = field(factory=lambda: array("Q"))
    _starts: array[int] = field(factory=lambda: array("Q"))
    _sizes: array[int] = field(factory=lambda: array("Q"))
    _crcs: array[int] = field(factory=lambda: array("Q"))

    def add(self, first: int, *parts: bytes) -> None:
        """Append parts that belong into one block, found by the number or position *first*."""
        if not self._parts:
            self._firsts.append(first)
        self._parts += parts
        self.size_bytes += sum(map(len, parts))
        if self.size_bytes >= self.block_bytes:
            self.flush()

    def flush(self) -> None:
        if self._parts:
            content = compress(b"".join(self._parts), _LEVEL)
            self._parts.clear()
            self.size_bytes = 0
            self._starts.append(self._writer.append(content))
            self._sizes.append(len(content))
            self._crcs.append(crc32(content, 0))

    def finish(self) -> None:
        """Write the positions of the blocks."""
        self.flush()
        for name, numbers in (
            ("firsts", self._firsts),
            ("starts", self._starts),
            ("sizes", self._sizes),
            ("crcs", self._crcs),
        ):
            self._writer.add_numbers(f"{self.kind}.{name}", numbers)


class _Settling:
    def __init__(self, writer: ColumnsWriter, base: SettledRecords | None, limit_bytes: int) -> None:
        self._writer = writer
        self._base = base
        self._maker = TableMaker(self._keep, limit_bytes)
        self._others = _Blocks("o", _RECORDS_BYTES, writer)
        self._directories = _Blocks("r", _RECORDS_BYTES, writer)
        self._listings = _Blocks("l", _LISTINGS_BYTES, writer)
        self._offsets, self._lengths = array("Q"), array("Q")
        self._listings_of: dict[bytes, list[int]] = {}
        self._passed: deque[int] = deque()  # numbers of the listings of the directories added last

    def add(self, records: Sequence[MemberRecord]) -> None:
        letters, paths, extras, spans = zip(*map(named, records), strict=True)
        self._maker.add(MemberColumns([record.at for record in records], bytes(letters), paths, extras, spans))
        for record, letter, extra in zip(records, letters, extras, strict=True):
            if not record.is_directory:
                self._others.add(record.at, RECORD.pack(record.at, len(record.headers)), record.headers)
                continue
            headers, listing, before = record.headers, NO_LISTING, len(record.headers)
            if letter == IS_DIRECTORY and extra:
                number, place = self._passed.popleft(), headers.find(extra)
                if place >= 0:
                    listing, before = number, place
                    headers = headers[:place] + headers[place + len(extra) :]
            self._directories.add(record.at, DIRECTORY.pack(record.at, listing, before, len(headers) - before), headers)

    def _keep(self, path: bytes, number: int, digest: bytes, listing: bytes) -> None:
        its: int | None = None
        if self._base is not None and not number:
            found = self._base.rows.by_path.get(path)
            if found is not None and found.row.named and found.row.listed == digest:
                its = found.listing | OF_BASE
        if its is None:
            its = len(self._offsets)
            self._offsets.append(self._listings.size_bytes)
            self._lengths.append(len(listing))
            self._listings.add(its, listing)
        self._listings_of.setdefault(path, []).append(its)
        self._passed.append(its)

    def finish(self) -> None:
        files, rows = self._maker.finish()
        for blocks in (self._others, self._directories, self._listings):
            blocks.finish()
        self._writer.add_numbers("l.offsets", self._offsets)
        self._writer.add_numbers("l.lengths", self._lengths)
        self._write_rows(rows)
        self._write_files(files)
        maker, base = self._maker, self._base
        renames = written_dumpdir(Dumpdir({}, tuple(maker.renames))) if maker.renames else b""
        self._writer.add_bytes("renames", [renames])
        self._writer.finish(
            MAGIC,
            {
                "base": None if base is None else base.sha256,
                "stamp": None if base is None else base.stamp,
                "odd": maker.has_odd_paths,
                "listings": maker.has_listings,
                "joined": maker.is_joined,
                "malformed": None if maker.malformed is None else [maker.malformed.at, maker.malformed.reason],
            },
        )

    def _write_rows(self, rows: Iterable[tuple[bytes, Row, int]]) -> None:
        known = {} if self._base is None else dict(self._base.rows.by_path)
        paths, positions = PackedTexts(), array("Q")
        listed, named, flags, listings = bytearray(), bytearray(), bytearray(), array("Q")
        several = array("Q")
        for path, row, position in rows:
            positions.append(position)
            its = self._listings_of.get(path, ())
            in_base = known.pop(path, None)
            if in_base is not None and in_base.row == row and (not its or its == [in_base.listing | OF_BASE]):
                continue
            if len(its) > 1:
                several.extend((len(paths), len(its), *its))
            paths.append(path)
            listed += row.listed.ljust(DIGEST_BYTES, b"\0")
            named += row.named.ljust(DIGEST_BYTES, b"\0")
            flags.append(IS_COMPLETE * row.is_complete | IS_NEW * (in_base is None))
            listings.append(its[0] if len(its) == 1 else SEVERAL if its else NO_LISTING)
        self._writer.add_texts("d.paths", paths.texts())
        for name, content in (("listed", listed), ("named", named), ("flags", flags)):
            self._writer.add_bytes(f"d.{name}", [content])
        self._writer.add_numbers("d.listings", listings)
        self._writer.add_numbers("d.positions", positions)
        self._writer.add_numbers("d.several", several)
        self._writer.add_texts("d.dropped", Texts.of(sorted(known)))

    def _write_files(self, files: Files) -> None:
        self._writer.add_texts("f.folders", files.folders)
        self._writer.add_texts("f.names", files.names)
        self._writer.add_texts("f.targets", files.link_targets)
        self._writer.add_bytes("f.letters", [bytes(files.letters)])
        for name, numbers in (
            ("firsts", files.firsts),
            ("positions", files.positions),
            ("order", files.order),
            ("links", files.link_numbers),
        ):
            self._writer.add_numbers(f"f.{name}", numbers)
        self._writer.add_numbers("f.spans", files.spans, signed=True)
