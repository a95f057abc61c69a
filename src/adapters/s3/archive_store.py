"""
Archives as objects in a bucket, for one process, or for several that `share` it. `keys` has the layout, `places` what
makes an archive.

An archive is received in this order: a note that its object is nobody's, the object with the bytes under a key of its
own, and then, in `publish`, a PUT of its side-car that fails if one is there. With that request the archive exists. The
metadata of the side-car name the object, and hold a receipt that tells whose side-car it is after an answer was lost.

Marks, the trash and replacing are changed in turns, see `bucket.turns`. The bytes of an upload that can be resumed are
staged in the bucket, and become an object when all have come. Nothing of an archive is on the local disk: there are
notes on objects that may be nobody's, and caches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

from attrs import define, evolve, field

from ...domain.archives.totals import Usage
from ...domain.errors.archives import AlreadyPublished, ArchiveNotFound, SnapshotNotFound
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import ArchiveReader, ArchiveWriter, Block, Rereading, StoredArchive, TrashedArchive, untold
from ...domain.ports.system import IdSource
from ..filesystem.archive_store import FilesystemArchiveStore
from ..filesystem.archives.packed_snapshot import are_equal, packed, snapshot_reader
from ..filesystem.data_directory import DataDirectory
from ..process.os_errors import translated as translated_locally
from ..rereading import OneByOne
from .bucket.asking import AskedObject
from .bucket.client import BucketAddress
from .bucket.objects import ObjectBucket
from .bucket.turns import NameTurns, TurnsAmongServers
from .bucket.used_bytes import UsedBytes
from .keys import MARKER, MARKS, PLAIN, SIDECAR, SNAPSHOT, Place, object_key, receipt_of
from .marker import check_pair, mark, marker_of
from .places import Found, Names, ids_among, naming
from .probing import opened_bucket
from .publishing import BucketPublisher, meant_for
from .quarantine import BucketQuarantine
from .reader import ObjectReader
from .register import Loose, Register
from .sending import MAX_PARTS, Sending, drop
from .staging.uploads import StagedUploads
from .trash import BucketTrash
from .writer import BucketWriter, Publishing, ResumedWriter

PART_BYTES = 16 << 20

_WAIT_FOR_END = timedelta(days=1)
"""How long an upload whose end was asked for may still end; it is not touched before."""


@define(eq=False)
class S3ArchiveStore:
    """
    An `ArchiveStore` in a bucket, with a data directory that it owns until `close`.

    *room_bytes* is how much its archives may use; None if there is no end.
    """

    _bucket: ObjectBucket
    local: FilesystemArchiveStore
    _ids: IdSource
    _part_bytes: int = PART_BYTES
    _room_bytes: int | None = None
    _archives: Names = field(init=False, repr=False)
    _trash: BucketTrash = field(init=False, repr=False)
    _quarantine: BucketQuarantine = field(init=False, repr=False)
    _register: Register = field(init=False, repr=False)
    _used: UsedBytes = field(init=False, repr=False)
    _staged: StagedUploads = field(init=False, repr=False)
    _resumed: Counter[str] = field(factory=Counter, init=False, repr=False)  # the uploads that writers are open for
    _open: set[str] = field(factory=set, init=False, repr=False)
    _turns: NameTurns = field(factory=NameTurns, init=False, repr=False)
    _publisher: BucketPublisher = field(init=False, repr=False)
    _marker: AskedObject = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._bucket = evolve(self._bucket, may_change=self._turns.check)
        self._archives = Names(self._bucket, Place.ARCHIVES)
        self._trash = BucketTrash(self._archives, Names(self._bucket, Place.TRASH), self._dropping)
        self._quarantine = BucketQuarantine(self._bucket)
        self._register = Register(self.local.staging)
        self._used = UsedBytes(self._bucket)
        self._staged = StagedUploads(self._bucket, self._ids)
        self._marker = AskedObject(self._bucket, MARKER)
        self._publisher = BucketPublisher(
            self._bucket,
            self._archives,
            self._trash.trash,
            self._quarantine,
            self._register,
            self._used,
            self._turns,
            self._ids,
        )

    @classmethod
    def open(
        cls,
        address: BucketAddress,
        data: Path,
        *,
        ids: IdSource,
        max_bytes: int | None = None,
        room_bytes: int | None = None,
    ) -> S3ArchiveStore:
        """
        The store at *address*, with the data directory *data*, which is made if it is missing or empty.

        *max_bytes* is the size of the largest archive; without it, one may have 160 GiB.

        Raises:
            BackendUnavailable: the bucket cannot be used; the reason says why.
            DataDirectoryInUse: as `DataDirectory.open`.
            FormatUnknown: bucket and data directory do not belong together, or another version wrote one of them.
        """
        return cls.over(opened_bucket(address, ids), data, ids=ids, max_bytes=max_bytes, room_bytes=room_bytes)

    @classmethod
    def over(
        cls,
        bucket: ObjectBucket,
        data: Path,
        *,
        ids: IdSource,
        max_bytes: int | None = None,
        room_bytes: int | None = None,
    ) -> S3ArchiveStore:
        """Like `open`, of a *bucket* that is known to do what it must."""
        # of servers that begin at the same moment, one marks the bucket, and the others have the same id
        owned = DataDirectory.open(data, ids=ids, agreed=lambda id: mark(bucket, id))
        local = FilesystemArchiveStore(owned, ids)
        try:
            check_pair(local, marker_of(bucket) or mark(bucket, local.id))
        except BaseException:
            local.close()
            raise
        part_bytes = PART_BYTES if max_bytes is None else max(PART_BYTES, -(-max_bytes // (MAX_PARTS - 1)))
        return cls(bucket, local, ids, part_bytes, room_bytes)

    @property
    def id(self) -> str:
        """The id of the bucket's content and of the data directory."""
        return self.local.id

    def share(self, turns: TurnsAmongServers) -> None:
        """From now on other servers may use the bucket, too; *turns* are among all of them."""
        self._turns.among = turns

    # -- receiving -----------------------------------------------------------------------------------------------

    def begin(self) -> ArchiveWriter:
        return BucketWriter(self._publishing(), self._send)

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        self._resumed[upload] += 1
        try:
            staged = self._staged.resume(upload, size_bytes)
        except BaseException:
            self._leave(upload)
            raise
        return ResumedWriter(
            self._publishing(), self._send, staged, partial(self._staged.drop, upload), partial(self._leave, upload)
        )

    def _leave(self, upload: str) -> None:
        self._resumed[upload] -= 1
        if not self._resumed[upload]:
            del self._resumed[upload]

    def staged_bytes(self, upload: str) -> int:
        return self._staged.size_bytes(upload)

    def discard(self, upload: str) -> None:
        self._staged.drop(upload)

    def _send(self) -> Sending:
        receipt = self._ids.new()
        # open before the note exists, so that a sweep never sees one of an unknown writer
        self._open.add(receipt)
        try:
            return Sending.begun(self._bucket, self._register, self._part_bytes, Loose(receipt, object_key(receipt)))
        except BaseException:
            self._open.discard(receipt)
            raise

    def _publishing(self) -> Publishing:
        return Publishing(self._publisher.publish, self._publisher.replace, self._open.discard)

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        found = self._found(id)
        return ObjectReader.of(self._bucket, id, found.key, found.seen, start, stop)

    def reread(self, id: ArchiveId) -> ArchiveReader:
        return self.read(id)  # nothing of this machine holds a copy

    def rereading(self, ids: Sequence[ArchiveId]) -> Rereading:
        return OneByOne(self, ids)

    def stat(self, id: ArchiveId) -> StoredArchive:
        return self._archives.stored(self._found(id))

    def scan(self) -> Iterator[StoredArchive]:
        for profile, type in self._archives.folders():
            listed = self._archives.inside(profile, type)
            for id in sorted(ids_among(listed, profile, type, SIDECAR, PLAIN)):
                found = self._archives.look(id)
                if found is not None:
                    yield self._archives.stored(found)

    def ids(self) -> Iterator[ArchiveId]:
        return self._archives.ids(SIDECAR, PLAIN)

    def _found(self, id: ArchiveId) -> Found:
        found = self._archives.look(id)
        if found is None:
            raise ArchiveNotFound(str(id))
        return found

    # -- what lies beside ----------------------------------------------------------------------------------------

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        with self._turns.take(id):
            found = self._found(id)
            if found.sidecar not in (None, instead_of):
                raise AlreadyPublished(id)
            self._bucket.put(self._archives.key(id, SIDECAR), sidecar, naming(found.key))

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        self._found(id)
        with TemporaryFile(dir=self.local.staging) as file:
            for block in packed(blocks):
                with translated_locally(writing=True):
                    file.write(block)
            with self._turns.take(id):
                self._found(id)
                kept = self._written_snapshot(id)
                if kept is not None:
                    file.seek(0)
                    with kept:
                        is_same = are_equal(kept, iter(partial(file.read, 1 << 20), b""))
                    if is_same:
                        return
                    if not replace:
                        raise AlreadyPublished(id)
                self._bucket.put_file(self._archives.key(id, SNAPSHOT), file)

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        written = None if self._archives.look(id) is None else self._written_snapshot(id)
        if written is None:
            raise SnapshotNotFound(id)
        return snapshot_reader(id, written)

    def _written_snapshot(self, id: ArchiveId) -> ObjectReader | None:
        key = self._archives.key(id, SNAPSHOT)
        seen = self._bucket.head(key)
        return None if seen is None else ObjectReader.of(self._bucket, id, key, seen)

    def snapshots(self) -> Iterator[ArchiveId]:
        return self._archives.ids(SNAPSHOT)

    def remove(self, id: ArchiveId) -> None:
        with self._turns.take(id):
            found, trashed = self._archives.look(id), self._trash.trash.look(id)
            is_needed = found is None or (trashed is not None and trashed.is_same(found))
            dropped = None if is_needed or found is None else self._dropping(found)
            self._archives.remove(id)
            if dropped is not None:
                dropped()

    def _dropping(self, found: Found) -> Callable[[], None]:
        """Note that the object of an archive is about to be nobody's; returns what drops it then."""
        if found.is_plain:
            return untold  # it went with the names
        loose = meant_for(found.id, Loose(receipt_of(found.key), found.key))
        self._open.add(loose.receipt)
        self._register.keep(loose)

        def dropped() -> None:
            self._bucket.delete(loose.key)
            self._used.add(-found.seen.size_bytes)
            self._register.drop(loose.receipt)
            self._open.discard(loose.receipt)

        return dropped

    # -- marks and the trash -------------------------------------------------------------------------------------

    def marks(self, id: ArchiveId) -> bytes | None:
        with self._turns.here(id):
            return self._place_of(id).marks(id)

    def mark(self, id: ArchiveId, marks: bytes, instead_of: bytes | None) -> None:
        with self._turns.take(id):
            place = self._place_of(id)
            if place.marks(id) != instead_of:
                raise AlreadyPublished(id)
            self._bucket.put(place.key(id, MARKS), marks)

    def marked(self, profile: str | None = None) -> Iterator[ArchiveId]:
        places = (self._archives, self._trash.trash)
        yield from sorted({id for place in places for id in place.ids(MARKS, profile=profile)})

    def _place_of(self, id: ArchiveId) -> Names:
        for place in (self._archives, self._trash.trash):
            if place.look(id) is not None:
                return place
        raise ArchiveNotFound(str(id))

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._turns.take(id):
            self._trash.take_in(id, note, now, tell)

    def untrash(self, id: ArchiveId) -> None:
        with self._turns.take(id):
            self._trash.give_back(id)

    def trashed(self) -> Iterator[TrashedArchive]:
        return self._trash.all()

    def note(self, id: ArchiveId) -> bytes | None:
        return self._trash.note(id)

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._turns.take(id):
            self._trash.purge(id, note, now, tell)

    def forget(self, id: ArchiveId) -> None:
        with self._turns.take(id):
            self._trash.forget(id)

    # -- the medium ----------------------------------------------------------------------------------------------

    def empty_quarantine(self, older_than: datetime) -> int:
        return self._quarantine.empty(older_than, self._is_stored_at)

    def check(self) -> None:
        self._marker.check()

    def usage(self) -> Usage:
        used = self._used.get()
        return Usage(used, None if self._room_bytes is None else max(self._room_bytes - used, 0))

    def sweep(self, older_than: datetime, keeping: Callable[[], Collection[str]] = tuple) -> int:
        swept = self.local.sweep(older_than) + self._staged.sweep(older_than, lambda: {*keeping(), *self._resumed})
        for loose, seconds in list(self._register.before(older_than)):
            is_waiting = loose.is_ending and seconds > (older_than - _WAIT_FOR_END).timestamp()
            if loose.receipt not in self._open and not is_waiting:
                swept += self._settle(loose)
        return swept

    def _settle(self, loose: Loose) -> bool:
        """Drop an object that no side-car names; returns whether that was so."""
        is_named = loose.id is not None and self._is_named(loose.id, loose.key)
        if not is_named:
            drop(self._bucket, loose)
        self._register.drop(loose.receipt)
        return not is_named

    def _is_named(self, id: ArchiveId, key: str) -> bool:
        with self._turns.here(id):
            return self._is_stored_at(id, key) or key in self._quarantine.names(id)

    def _is_stored_at(self, id: ArchiveId, key: str) -> bool:
        found = (self._archives.look(id), self._trash.trash.look(id))
        return any(one is not None and one.key == key for one in found)

    def close(self) -> None:
        self.local.close()
