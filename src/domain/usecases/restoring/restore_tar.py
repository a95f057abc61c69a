"""
One ordinary tar of the tree at a point, made from the archives of its path while they stream by.

Directories come first, so that the reader of the tar can make them before their contents, each with the links that
`early_links` is about. Then come, from all archives, the members that are in the tree, with their bytes unchanged,
under their present names. At the end all directories with contents come again, because creating a file in a directory
changes its time, and because a read-only directory must stay writable until then. The end of the tar is written only
after every archive that had to be read was read to its last byte and found whole.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence, Set
from contextlib import closing
from enum import Enum
from typing import Final, Literal, TypeAlias

from attrs import define, frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import ArchiveCorrupt
from ...identity.archive_id import ArchiveId, BackupType
from ...names.columns import Headers, Spans
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import InUse
from ...ports.unpacking import NOT_YET, NotYet, UnpackedArchive, Unpacker
from ...tar.members import MemberRecord
from ...tar.paths import canonical
from ...tar.read_headers import read_member
from ...tar.write_headers import as_directory, as_hard_link, data_of, drop_times, with_mode, with_path
from ...trees.tree import Taken
from ..reading.archive_members import ArchiveMembers
from ..reading.examiner import Examiner
from ..reading.removed_archives import check_not_removed
from .early_links import EarlyLinks, early_links
from .open_point import OpenedPoint

BLOCK_BYTES = 512
RECORD_BYTES = 20 * BLOCK_BYTES
PIECE_BYTES = 128 << 10
"""Shorter pieces are joined until they have this length."""

_TURN_BYTES = 1 << 20  # taken from an archive that is not inflated ahead before another source has a turn
_TIMED_AT_ONCE = 4096

_STAND, _LOSE_TIMES, _ANEW = Headers.STAND, Headers.LOSE_TIMES, Headers.ANEW

_OWNER_MAY = 0o700
_KEPT_BYTES = 16 << 20  # of directory headers, so that they need not be made twice


class Turn(Enum):
    """Which of several interleaved sources gives the next pieces."""

    OTHERS = "others'"
    """Another source may give pieces before this one continues."""


OTHERS_TURN: Final = Turn.OTHERS
Piece: TypeAlias = bytes | memoryview
PieceOrTurn: TypeAlias = Piece | Literal[Turn.OTHERS]


@frozen
class RestoreTar:
    """Give back the tree at a point as a tar."""

    members: ArchiveMembers
    unpacker: Unpacker
    examiner: Examiner
    in_use: InUse
    catalog: Catalog
    store: ArchiveStore

    def __call__(self, opened: OpenedPoint, path: bytes = b"", *, allow_gaps: bool = False) -> Iterator[bytes]:
        """
        The tar in pieces of at most 1 MiB; with *path* only what is at and below it in the tree. With *allow_gaps*
        names that lack are left out.

        Raises:
            PathNotFound: the tree does not have *path*; raised at the call.
            PointNotRestorable: requested names lack, and *allow_gaps* is false; raised at the call.
            ArchiveRemoved: an archive of the point was removed since it was opened; raised before the first piece.
            ArchiveCorrupt: a source turns out to be damaged; raised while streaming. The pieces so far are no whole
                tar, and from then on the point does not restore.
        """
        below = canonical(path)
        opened.check(below, allow_gaps=allow_gaps)
        return _gathered(self._while_in_use(opened, below))

    def _while_in_use(self, opened: OpenedPoint, below: bytes) -> Iterator[Piece]:
        ids = [archive.id for archive in opened.archives]
        with self.in_use.hold(ids):
            # Looked up once they are in use: a prune first hides an archive, and then looks whether it is.
            self._check_present(ids)
            yield from self._pieces(opened, below)

    def _check_present(self, ids: Sequence[ArchiveId]) -> None:
        names: dict[tuple[str, BackupType], list[str]] = {}
        for id in ids:
            names.setdefault((id.profile, id.type), []).append(id.name)
        for (profile, type), asked in names.items():
            for removed in self.catalog.removed(profile, type, asked):
                check_not_removed(ArchiveId(profile, type, removed.name), self.catalog, self.store)

    def _pieces(self, opened: OpenedPoint, below: bytes) -> Iterator[Piece]:
        kept: list[bytes] = []
        early = early_links(self.members, opened.archives, opened.tree, opened.tree.taken(below), below)
        jobs = [
            (archive, taken)
            for archive, taken in zip(opened.archives, early.taken, strict=True)
            if taken and archive.state is not ArchiveState.DAMAGED
        ]
        # Start inflating the largest archive now; the others are merged meanwhile.
        jobs.sort(key=lambda job: job[0].size_bytes, reverse=True)
        with closing(self._members(jobs[:1])) as largest, closing(self._members(jobs[1:])) as others:
            next(largest, None)
            filled = opened.tree.filled(below)
            yield from self._directories(opened, below, filled, early, kept)
            yield from _in_turns(largest, others)
        yield from kept
        yield from self._directories_again(opened, below, filled, skipped=len(kept))
        yield bytes(2 * BLOCK_BYTES)

    def _directories(
        self, opened: OpenedPoint, below: bytes, filled: Set[bytes], early: EarlyLinks, kept: list[bytes]
    ) -> Iterator[bytes]:
        """
        The headers of all directories, *filled* ones writable for their owner, each with its *early* links behind it;
        the first of the filled ones are *kept*. A directory whose links are not in the first batch comes once more.
        """
        kept_bytes = 0
        for batch, links in enumerate(early.batches()):
            for record, path in self._directory_records(opened, below):
                own = links.get(path, ())
                if batch and not own:
                    continue
                headers = as_directory(record, path or b".")
                if path not in filled:
                    yield headers
                    continue
                yield with_mode(headers, _OWNER_MAY)
                yield from map(early.headers, own)
                if not batch and kept_bytes < _KEPT_BYTES:
                    kept.append(headers)
                    kept_bytes += len(headers)

    def _directories_again(
        self, opened: OpenedPoint, below: bytes, filled: Set[bytes], *, skipped: int
    ) -> Iterator[bytes]:
        """The final headers of directories with contents, except for the first *skipped*."""
        if len(filled) == skipped:
            return
        number = 0
        for record, path in self._directory_records(opened, below):
            if path in filled:
                number += 1
                if number > skipped:
                    yield as_directory(record, path or b".")

    def _directory_records(self, opened: OpenedPoint, below: bytes) -> Iterator[tuple[MemberRecord, bytes]]:
        """The records of directories at and below a path, with their paths in the tree."""
        for archive, paths in zip(opened.archives, opened.tree.directory_places(below), strict=True):
            if paths:
                records = self.members.at(archive, sorted(paths)) if below else self._all_directories(archive)
                for record in records:
                    path = paths.get(record.at)
                    if path is not None:
                        yield record, path

    def _all_directories(self, archive: BackupArchive) -> Iterator[MemberRecord]:
        return self.members.of(archive, directories_only=True)

    def _members(self, jobs: Iterable[tuple[BackupArchive, Taken]]) -> Generator[PieceOrTurn, None, None]:
        for archive, taken in jobs:
            with self.examiner.watching(archive), self.unpacker.open(archive) as unpacked:
                yield from self._contents(archive, unpacked, taken)

    def _contents(self, archive: BackupArchive, unpacked: UnpackedArchive, taken: Taken) -> Iterator[PieceOrTurn]:
        """
        The members taken from one archive, most of them unchanged. Other sources have a turn now and then, the first
        time right after inflating has begun.
        """
        first = min((*taken.positions[:1], *taken.elsewhere))  # an incremental archive begins with all its directories
        source = _Source(archive, unpacked.through(first), at=first)
        source.begin()
        yield OTHERS_TURN
        positions, spans = self._spans(archive, taken)
        anew = [at for at, headers in zip(positions, spans.headers, strict=True) if headers is _ANEW]
        records = self.members.at(archive, anew)
        begin = end = limit = 0  # a run of adjacent members that can stay unchanged, and how far it may grow
        timed: list[int] = []  # positions of members that only lose the times in their headers
        for at, length, headers in zip(positions, spans.lengths, spans.headers, strict=True):
            # Limited to the current piece, so that no run waits for the next piece without offering a turn.
            if at == end and headers is _STAND and end + length <= limit:
                end += length
                continue
            if headers is _ANEW or at != end or at + length > limit or len(timed) == _TIMED_AT_ONCE:
                if begin != end:
                    yield from _without_times(source.take(begin, end - begin), begin, timed)
                    timed.clear()
                yield from source.pass_to(at)
                if not source.is_next_there():
                    yield OTHERS_TURN
                begin, limit = at, source.end
            end = at + length
            if headers is _LOSE_TIMES:
                timed.append(at)
            elif headers is _ANEW:
                end = at
                record = next(records, None)
                if record is None or record.at != at:
                    raise ArchiveCorrupt(archive.id)
                yield from self._rewritten(record, taken.elsewhere.get(at), source)
        yield from _without_times(source.take(begin, end - begin), begin, timed)
        source.finish()

    def _rewritten(self, record: MemberRecord, paths: Sequence[bytes] | None, source: _Source) -> Iterator[Piece]:
        """A member under its own name, or under the first of *paths*; the other paths become hard links to it."""
        path, *others = paths or (canonical(read_member(record).path),)
        data_at, stored_bytes = data_of(record)
        yield with_path(record, path)
        yield from source.take(data_at, -(-stored_bytes // BLOCK_BYTES) * BLOCK_BYTES)
        for other in others:
            yield as_hard_link(record, other, path)

    def _spans(self, archive: BackupArchive, taken: Taken) -> tuple[Sequence[int], Spans]:
        """
        The positions of the taken members, ascending, and their spans. Members that get another path need new headers,
        too.
        """
        positions, elsewhere = taken.positions, taken.elsewhere
        if elsewhere:
            positions = array("Q", sorted((*positions, *elsewhere)))
        spans = self.members.again(lambda: self.members.table(archive).files.spans_at(positions))
        if spans is None:
            raise ArchiveCorrupt(archive.id)
        if elsewhere:
            own = zip(positions, spans.headers, strict=True)
            spans = Spans(spans.lengths, [_ANEW if at in elsewhere else headers for at, headers in own])
        return positions, spans


def _without_times(parts: Iterator[Piece], begin: int, timed: Iterable[int]) -> Iterator[Piece]:
    """*parts* of the tar from *begin* on; headers at the positions *timed* lose the access times of the GNU format."""
    waiting = deque(timed)
    held = b""
    for part in parts:
        if not (waiting or held):
            yield part
            continue
        block = bytearray(held) + part
        end = begin + len(block)
        while waiting and waiting[0] + BLOCK_BYTES <= end:
            drop_times(block, waiting.popleft() - begin)
        stop = min(waiting[0], end) - begin if waiting else len(block)
        held = bytes(block[stop:])  # an incomplete header
        begin += stop
        yield memoryview(block)[:stop]


def _in_turns(*sources: Iterator[PieceOrTurn]) -> Iterator[Piece]:
    """The pieces of all sources; each source that offers a turn is followed by the next."""
    waiting = deque(sources)
    while waiting:
        for piece in waiting[0]:
            if piece is OTHERS_TURN:
                waiting.rotate(-1)
                break
            yield piece
        else:
            waiting.popleft()


def _gathered(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """*pieces*, with short ones joined, padded to a whole number of tar's records."""
    held: list[bytes] = []
    size = total = 0
    for piece in pieces:
        total += len(piece)
        if len(piece) >= PIECE_BYTES:
            if held:
                yield b"".join(held)
                held, size = [], 0
            yield bytes(piece)  # no copy if it is bytes, as every piece is that was not cut
            continue
        held.append(bytes(piece))  # a copy, because a slice would keep the whole piece in memory
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    held.append(bytes(-total % RECORD_BYTES))
    yield b"".join(held)


@define
class _Source:
    """The inflated bytes of one archive, read forwards."""

    _archive: BackupArchive
    _pieces: Iterator[bytes | NotYet]
    _piece: bytes = b""
    _at: int = 0  # the position of the piece's first byte
    _following: bytes | None = None  # the piece after it, if it was fetched already
    _is_made_ahead: bool = False
    _turn_bytes: int = 0

    def begin(self) -> None:
        """Start to inflate the archive."""
        self.is_next_there()

    @property
    def end(self) -> int:
        """Where the current piece ends."""
        return self._at + len(self._piece)

    def pass_to(self, start: int) -> Iterator[Literal[Turn.OTHERS]]:
        """Skip to *start*, which is not before the bytes taken last, offering turns to other sources."""
        while self.end <= start:
            if not self.is_next_there():
                yield OTHERS_TURN
            self._next()

    def take(self, start: int, count: int) -> Iterator[Piece]:
        """The *count* bytes from *start* on, which is not before the bytes taken last."""
        position = start - self._at
        while count > 0:
            while position >= len(self._piece):
                position -= len(self._piece)
                self._next()
            part: Piece = self._piece
            if position or count < len(self._piece):
                part = memoryview(self._piece)[position : position + count]
            position += len(part)
            count -= len(part)
            yield part

    def finish(self) -> None:
        """Read to the end, where damage shows at the latest."""
        for _ in self._pieces:
            pass

    def _next(self) -> None:
        piece: bytes | NotYet | None = self._following
        while piece is None or piece is NOT_YET:
            try:
                piece = next(self._pieces)
            except StopIteration:
                raise ArchiveCorrupt(self._archive.id) from None
        self._at, self._piece, self._following = self.end, piece, None

    def is_next_there(self) -> bool:
        """
        Whether the next piece is ready, so that this source need not offer a turn.

        If the archive is not inflated ahead, a piece is always ready; then a turn is offered every `_TURN_BYTES`.
        """
        if self._following is not None:
            return True
        piece = next(self._pieces, None)
        if piece is None:  # at the end: nothing to wait for
            return True
        if piece is NOT_YET:
            self._is_made_ahead = True
            return False
        self._following = piece
        self._turn_bytes += len(piece)
        if self._is_made_ahead or self._turn_bytes < _TURN_BYTES:
            return True
        self._turn_bytes = 0
        return False
