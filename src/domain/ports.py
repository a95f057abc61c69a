"""
What the use cases need from the outside world, and what they may rely on.

Each port is a `typing.Protocol`: an adapter implements it by having its methods, not by inheriting. The promises are
written here; the contract test of the same name under ``tests/contracts`` proves them for every adapter. All ports are
synchronous and, unless said otherwise, safe to call from several threads at once.

Errors are those of `domain.errors`; besides the ones named at a method, every method of a store or catalog may raise
`BackendUnavailable`, and every writing one `InsufficientStorage` or `ReadOnly`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from attrs import frozen

from .access.audit import AuditEntry, AuditReport
from .access.tokens import Keyring, Token
from .archives.archive import ArchiveState, BackupArchive, Contents
from .archives.block_sums import BlockSums
from .archives.inventory import InventoryEntry
from .chains.kept_links import KeptLinks
from .chains.links import Fit
from .identity.archive_id import ArchiveId, BackupType
from .identity.digests import Digests
from .names.footprints import Footprint
from .names.name_table import NameTable
from .tar.members import MemberRecord
from .uploads import ChecksumAlgorithm, Upload

Block: TypeAlias = bytes | bytearray | memoryview
"""A piece of an archive of any length. Unless the method says otherwise it may be kept only until the call returns."""


# -- the store -------------------------------------------------------------------------------------------------------


@frozen
class StoredArchive:
    """
    What a store holds under one identity: the number of bytes, and the side-car, None where it is missing.

    *has_snapshot* tells whether tar's snapshot file is kept with it.
    """

    id: ArchiveId
    size_bytes: int
    sidecar: bytes | None
    has_snapshot: bool = False


@frozen
class Usage:
    """Used and free bytes of the medium below a store."""

    used_bytes: int
    free_bytes: int


class ArchiveReader(AbstractContextManager["ArchiveReader", None], Protocol):
    """
    The bytes of one archive, or of a range of it; leaving the context releases what it holds.

    Iterating gives blocks of at most 1 MiB, in order; their lengths sum up to *size_bytes*. An archive that turns out
    shorter than it was when opened, or of which the medium gives a part no more, raises `ArchiveCorrupt`. Used by one
    thread at a time.
    """

    @property
    def size_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class ArchiveWriter(AbstractContextManager["ArchiveWriter", None], Protocol):
    """
    An archive on its way into a store; used by one thread at a time.

    The order is ``write`` any number of times, ``seal``, ``publish``; until ``publish`` returned nothing is visible
    through the store. Leaving the context before that drops everything written, or, of a writer that goes on with an
    upload (`ArchiveStore.resume`), keeps what `sync` made durable.
    """

    @property
    def size_bytes(self) -> int:
        """The bytes written so far, by this writer and by those before it."""

    def write(self, block: Block) -> None:
        """Append *block*."""

    def sync(self) -> None:
        """
        Make what was written durable in staging. A failure is final, as in `seal`.

        May run in another thread than the rest; it then covers what was written before it was called.
        """

    def staged(self, start: int = 0) -> Iterator[bytes]:
        """What was written, from *start* on, in blocks of at most 1 MiB."""

    def truncate(self, size_bytes: int) -> None:
        """Take back what was written beyond *size_bytes*."""

    def seal(self, sidecar: bytes) -> None:
        """
        Make what was written, and *sidecar*, durable in staging.

        May be called again with another side-car. A failure is final: the writer cannot be sealed any more.
        """

    def publish(self, id: ArchiveId) -> None:
        """
        Make the sealed archive visible as *id*. When this returns, bytes and side-car survive a power cut.

        Atomic: other callers see nothing or everything. Never overwrites. A side-car without an archive, as a crash
        can leave it, is not an archive and gives way.

        Raises:
            AlreadyPublished: the store holds *id*; it is untouched. The writer may be sealed again and published under
                another identity.
            ValueError: not sealed, written to since, or published already.
        """

    def replace(self, id: ArchiveId) -> None:
        """
        As `publish`, but what the store holds of the archive *id* gives way; the snapshot file kept with it stays.

        Others may see neither for a moment, and a crash may leave neither; the snapshot file outlives that, too.
        """


class ArchiveStore(Protocol):
    """The bytes of archives and their side-cars, by identity. The truth."""

    def begin(self) -> ArchiveWriter:
        """Start receiving an archive into staging."""

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        """
        Go on with the first *size_bytes* bytes that an earlier writer of *upload* left; the rest of them is dropped.

        *upload* is 1 to 64 characters of ``a-z0-9-``; 0 bytes begin it. One writer at a time may be open for it.

        Raises:
            StagedBytesMissing: staging holds fewer bytes than that.
        """

    def staged_bytes(self, upload: str) -> int:
        """How many bytes `resume` finds of *upload*; 0 where there is nothing of it."""

    def discard(self, upload: str) -> None:
        """Drop what staging holds of *upload*. Nothing there is no error."""

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        The bytes from *start* (inclusive) to *stop* (exclusive; None is the end), clipped to the archive.

        Raises:
            ArchiveNotFound: at this call, not at the first block.
        """

    def stat(self, id: ArchiveId) -> StoredArchive:
        """
        What is stored under *id*.

        Raises:
            ArchiveNotFound: nothing is.
        """

    def scan(self) -> Iterator[StoredArchive]:
        """
        Every published archive, in the order of `ArchiveId`.

        Anything else that lies about (names that break the rules, foreign files) is passed over. What is published
        or removed meanwhile may or may not be seen.
        """

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        """
        Durably give the archive *id* a side-car: the one it lacks, or another *instead_of* the one it has.

        Others see the one or the other, whole, and so does whoever comes after a crash.

        Raises:
            AlreadyPublished: it has one, and not that; it stays.
            ArchiveNotFound: there is no such archive.
        """

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        """
        Durably keep tar's snapshot file, the bytes of *blocks*, with the archive *id*. The same again are no error.

        With *replace* another one gives way, whole to whole: for who knows that what is kept is damaged. *blocks* are
        read once, into staging, in bounded memory. An error they raise comes through, and nothing is kept.

        Raises:
            AlreadyPublished: another one is kept with it; that stays.
            ArchiveNotFound: there is no such archive.
        """

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        """
        The bytes of the snapshot file kept with *id*.

        Raises:
            SnapshotNotFound: there is none, or no such archive.
        """

    def ids(self) -> Iterator[ArchiveId]:
        """
        Every identity under whose name an archive lies, those of one profile and type together.

        Only names are looked at, so that it costs less than `scan`.
        """

    def snapshots(self) -> Iterator[ArchiveId]:
        """
        Every identity under whose name a snapshot file lies, those of one profile and type together.

        Only names are looked at: whether the archive is there is not.
        """

    def remove(self, id: ArchiveId) -> None:
        """Take archive, snapshot file and side-car away, durably. Whatever of them is not there is no error."""

    def usage(self) -> Usage:
        """Used and free bytes of the medium."""

    def sweep(self, older_than: datetime, keeping: Collection[str] = ()) -> int:
        """
        Drop what abandoned writers left in staging and did not touch since *older_than*; how many were dropped.

        Writers of this process that are still open are never touched, nor are the uploads named in *keeping*.
        """

    def close(self) -> None:
        """Release what the store holds, such as its lock. Idempotent."""


# -- the catalog -----------------------------------------------------------------------------------------------------


@frozen
class Claimed:
    """The identity is yours: publish, then `Catalog.confirm`; or `Catalog.release`."""


@frozen
class AlreadyStored:
    """An archive of that identity is in the catalog."""

    archive: BackupArchive


@frozen
class ClaimedElsewhere:
    """A receive that is still running holds the identity."""


ClaimOutcome: TypeAlias = Claimed | AlreadyStored | ClaimedElsewhere


@frozen
class Page:
    """Some archives in order, and where the next page begins: None at the end."""

    archives: tuple[BackupArchive, ...]
    next_cursor: str | None


class ListedArchive(NamedTuple):
    """What lists of the original say of an archive. A plain tuple, because there may be millions."""

    profile: str
    type: BackupType
    name: str
    size_bytes: int
    md5: str
    sha256: str
    received_at: datetime
    state: ArchiveState


@frozen
class ListedPage:
    """Like `Page`, with what lists show and nothing else."""

    archives: tuple[ListedArchive, ...]
    next_cursor: str | None


@frozen
class InventoryPage:
    """Like `Page`, with the entries a comparison needs and nothing else."""

    entries: tuple[InventoryEntry, ...]
    next_cursor: str | None


@frozen
class Totals:
    """How many archives of one type one profile holds, their bytes, and when the newest was received."""

    profile: str
    type: BackupType
    archives: int
    size_bytes: int
    newest: datetime


@frozen
class Sums:
    """How many archives of one type there are, and their bytes."""

    archives: int
    size_bytes: int


class Catalog(KeptLinks, Protocol):
    """
    What is known about archives: an index of the store, which can always be rebuilt from it.

    Each method is one transaction. When a writing method returns, its effect survives a power cut. An archive is an
    entry from `confirm`, `adopt` or `replace` on; open claims are seen by `claim` and `open_claims` only. A trashed
    entry is hidden from `find`, `named`, `page`, `inventory` and `totals` but keeps its identity taken: `claim`
    answers `AlreadyStored` with it (its state says so), `adopt` leaves it, `mark` brings it back. Every writing method
    may raise `CatalogBusy`.
    """

    def claim(self, archive: BackupArchive) -> ClaimOutcome:
        """Reserve the identity of *archive*, remembering all of it, unless it is stored or claimed."""

    def confirm(self, archive: BackupArchive) -> None:
        """
        Turn the claim on the identity of *archive* into an entry, equal to *archive*.

        Raises:
            ArchiveNotFound: there is no open claim on it.
        """

    def release(self, id: ArchiveId) -> None:
        """Give up the claim on *id*. No claim is no error; an entry is not touched."""

    def open_claims(self) -> list[BackupArchive]:
        """Every claim neither confirmed nor released, in the order of their ids."""

    def adopt(self, archives: Sequence[BackupArchive]) -> int:
        """
        Enter archives found in a store, all in one transaction; the number of entries that are new.

        An entry or claim that exists under an identity stays as it is; of several with one identity the first counts.
        """

    def replace(self, archives: Iterable[BackupArchive]) -> int:
        """
        Forget everything, claims too, and enter *archives* instead, in one transaction; their number.

        *archives* may be long and is read once; an error it raises leaves everything as it was. Other writers wait
        meanwhile. Of several with one identity the first counts.
        """

    def is_sound(self) -> bool:
        """Whether what is kept agrees with itself, indexes too. All of it is read; `replace` mends what does not."""

    def adds_up(self) -> bool:
        """
        Whether `totals`, `sums` and the links that are kept are those of the entries; `replace` mends where not. A part
        of `is_sound`.

        One pass over the entries, less than 1 us each.
        """

    def find(self, id: ArchiveId) -> BackupArchive:
        """
        The entry of *id*.

        Raises:
            ArchiveNotFound: there is none.
        """

    def named(self, type: BackupType, name: str, *, profiles: Collection[str] | None = None) -> list[BackupArchive]:
        """The entries of that type and name in any profile, or in any of *profiles*, in the order of profiles."""

    def page(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page:
        """
        At most *limit* entries, by `received_at` ascending (equal times in a fixed order), from *cursor* on.

        Of one *profile*, of several *profiles*, or of all. A cursor comes from the page before, with the same profiles
        and *type*, and is not to be looked into. Entries that were there throughout are seen exactly once, whatever is
        added meanwhile. Cost does not grow with the number of entries before the cursor, nor with those of profiles
        that are not asked for.

        Raises:
            ValueError: *cursor* is not one of this catalog's, or *limit* is below 1.
        """

    def listed(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> ListedPage:
        """Like `page`, in the same order and by the same cursors."""

    def inventory(self, *, profile: str | None = None, cursor: str | None = None, limit: int = 10_000) -> InventoryPage:
        """Like `page`, in the order (type, name, profile); for comparing with what a client has."""

    def names(self, profile: str, type: BackupType, *, after: str = "", limit: int = 10_000) -> list[str]:
        """At most *limit* names of entries of that profile and type, in order, of those that come after *after*."""

    def look_up(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        """What an inventory says of those of *names* that are entries of that profile and type, in any order."""

    def totals(self, profile: str | None = None, *, profiles: Collection[str] | None = None) -> list[Totals]:
        """
        One row per profile and type that holds an archive, ordered by these: of one *profile*, of *profiles*, or all.

        Cost does not grow with archives.
        """

    def sums(self, profiles: Collection[str] | None = None) -> dict[BackupType, Sums]:
        """
        What there is of each type, in all profiles or in *profiles*.

        Cost grows neither with archives nor, of all, with profiles.
        """

    def profiles_since(self, mark: int) -> tuple[list[str], int]:
        """
        The profiles that came since *mark*, 0 at first, in the order they came, and the mark to ask with next.

        One that was told of may come again, and one that has lost its archives is not taken back. Cost grows with the
        number of those that came.
        """

    def mark(self, id: ArchiveId, state: ArchiveState) -> None:
        """
        Set the state of the entry of *id*.

        Raises:
            ArchiveNotFound: there is none.
        """

    def note_snapshot(self, id: ArchiveId, sha256: str | None) -> None:
        """
        Enter that the snapshot file with that digest is kept with *id*; or, with None, that none is which could be
        given out. What the dump left behind stays known.

        Raises:
            ArchiveNotFound: there is no such entry.
        """

    def names_without_snapshot(self, profile: str, type: BackupType) -> set[str]:
        """The names of those entries of that profile and type with which no snapshot file is kept."""

    def close(self) -> None:
        """Release connections. Idempotent."""


# -- more than fits into memory --------------------------------------------------------------------------------------


class ScratchFile(AbstractContextManager["ScratchFile", None], Protocol):
    """Bytes that are appended and read again; gone when the context is left. Used by one thread at a time."""

    @property
    def size_bytes(self) -> int: ...

    def append(self, block: Block) -> None:
        """Put *block* behind what is there."""

    def read(self, start: int, size: int) -> bytes:
        """At most *size* bytes from *start* on; fewer only at the end."""


class Scratch(Protocol):
    """Room for what is too long for memory and wanted for a moment only."""

    def file(self) -> ScratchFile:
        """An empty file. Neither a crash nor a file that nobody left outlives the process."""


class InventorySorter(Protocol):
    """Puts inventories of any length in order, in bounded memory."""

    def in_order(self, entries: Iterable[InventoryEntry]) -> AbstractContextManager[Iterator[InventoryEntry]]:
        """
        *entries*, which are read on entering, type by type as `BackupType` has them, and by name within.

        Equal places stay in the order they came in.
        """


# -- looking at bytes while they pass --------------------------------------------------------------------------------


class RunningDigests(AbstractContextManager["RunningDigests", None], Protocol):
    """Digests of the blocks so far; used by one thread at a time. Leaving the context drops it."""

    def update(self, block: Block) -> None:
        """Take *block* in. It may be looked at until `finish` returns or the context is left: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block was taken in, and hold no thread until the next one comes."""

    def finish(self) -> Digests:
        """The digests of all blocks; the last call."""


class RunningChecksum(Protocol):
    """One checksum of the blocks so far; used by one thread at a time."""

    def update(self, block: Block, /) -> None: ...

    def digest(self) -> bytes: ...


class Hasher(Protocol):
    """MD5 and SHA-256 in one pass; and single checksums for pieces of a transfer."""

    def start(self) -> RunningDigests:
        """Start on an empty stream."""

    def checksum(self, algorithm: ChecksumAlgorithm) -> RunningChecksum:
        """Start a checksum of an empty stream."""

    def crc32(self, block: Block, before: int = 0) -> int:
        """The CRC-32 of what has the one *before*, followed by *block*; as in gzip."""


class RunningInspection(AbstractContextManager["RunningInspection", None], Protocol):
    """
    An inspection of the blocks so far; used by one thread at a time. Leaving the context drops it.

    Blocks may be cut anywhere. What is wrong is raised by `feed` or `finish`, not necessarily by the call that brought
    the offending byte; after an error the inspection is over. The error itself does not depend on how blocks were cut.
    """

    def feed(self, block: Block) -> None:
        """Take *block* in. It may be looked at until `finish` returns or the context is left: pass immutable blocks."""

    def pause(self) -> None:
        """Wait until every block was looked at, and hold no thread until the next one comes. Raises like `feed`."""

    def finish(self) -> Contents | None:
        """What all blocks together hold; None from an inspector that does not look. The last call."""


class Inspector(Protocol):
    """
    Is it a whole gzip (any number of members, zero padding allowed after the last) of a whole tar, and of what kind?

    Works in bounded memory whatever the bytes are. What is found does not depend on whether members are recorded.
    Raises, from the running inspection:
        EmptyArchive: no bytes at all.
        NotAGzip: the first bytes do not begin a gzip member.
        GzipDamaged: cannot be inflated, cut, wrong CRC or length, something else after the last member.
        NotATar: the inflated bytes are not a whole tar.
        ExpandsTooFar: more inflated bytes, members, or longer names than its limits.
    """

    def start(self, recorder: Recorder | None = None) -> RunningInspection:
        """
        Start on an empty stream.

        *recorder* is given every member, some at a time, in the order of the tar, by one thread at a time, which need
        not be the one that feeds; an inspector that does not look never calls it.
        """


# -- the members of archives -----------------------------------------------------------------------------------------


Recorder: TypeAlias = Callable[[Sequence[MemberRecord]], None]
"""Takes the records of members that follow one another. It must not raise."""


class RecordsWriter(AbstractContextManager["RecordsWriter", None], Protocol):
    """
    Records of one archive on their way; used by one thread at a time.

    None of its methods raises for what the medium does: these records can be made again, and what they are made of
    must not suffer. Once something could not be kept, the rest is dropped and nothing is published. Leaving the context
    drops what is not published.
    """

    def write(self, records: Sequence[MemberRecord]) -> None:
        """Append *records*, which stand behind all others in the tar, in its order."""

    def publish(self, sha256: str) -> None:
        """Keep what was written, if all of it could be, as the records of the archive with this digest. Once."""


class MemberRecords(Protocol):
    """
    The members of archives, as they were recorded while these passed. A cache: it may lose what it holds at any time.

    Records are found by the SHA-256 of their archive, in lower-case hex, so they cannot be out of date. Whole or
    missing: those of a writer that was not published, or damaged since, are not there.
    """

    def begin(self) -> RecordsWriter:
        """Start recording an archive."""

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """
        The records of an archive, in the order of its tar, from the position *start* on; or only those of directories.

        Cost: of what is not asked for, next to nothing.

        Works in bounded memory, besides the largest record.

        Raises:
            RecordsMissing: there are none, at this call; or later, once a record turns out to be damaged.
        """

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """
        Those records of an archive that stand at *positions*, which ascend; where none stands, none.

        Raises:
            RecordsMissing: as `read`.
        """

    def table(self, sha256: str, limit_bytes: int, like: str | None = None) -> NameTable:
        """
        What the members of an archive are called, by directory and name.

        *like* is an archive that says mostly the same, so that room is saved where nothing is told twice. What is read
        of the table later may raise RecordsMissing, too.

        Raises:
            RecordsMissing: as `read`.
            MemberUnreadable: at a member whose headers are not.
            TreeTooLarge: there are more names than *limit_bytes* allows for.
        """

    def fits(self, child: str) -> dict[str, Fit]:
        """
        What was kept of comparing *child* with others, by the SHA-256 of these, and by its own of looking at it alone
        (see `untroubled`). No errors.
        """

    def keep_fits(self, child: str, fits: Mapping[str, Fit]) -> None:
        """Keep *fits* with the records of *child* instead of what was kept before, if it can be done. No errors."""

    def footprint(self, sha256: str) -> Footprint:
        """
        Where tar goes when it extracts an archive.

        Raises:
            RecordsMissing: as `read`.
        """

    def is_whole(self, sha256: str) -> bool:
        """Whether the records of an archive are what was written, or there are none. Reads all of them. No errors."""

    def remove(self, sha256: str) -> None:
        """
        Forget the records of an archive, and its fits. None there is no error, nor that they could not be removed.
        """

    def sweep(self) -> None:
        """Drop what writers of former processes left unpublished."""


class ArchiveSums(Protocol):
    """
    Sums of the blocks of archives, by the SHA-256 of the archive in lower-case hex. A cache, like `MemberRecords`: it
    may lose what it holds, and none of its methods raises for what the medium does.
    """

    def get(self, sha256: str) -> BlockSums | None:
        """The sums of that archive, exactly as they were put; None where there are none."""

    def put(self, sha256: str, sums: BlockSums) -> None:
        """Keep *sums*, if that is possible."""


# -- looking inside --------------------------------------------------------------------------------------------------


class UnpackedArchive(AbstractContextManager["UnpackedArchive", None], Protocol):
    """
    The inflated bytes of one stored archive; used by one thread at a time, one iterator at a time.

    Both iterators give pieces of at most 512 KiB, in order, in bounded memory. They keep the last piece back until
    whatever check there is has passed: who counts bytes never finds as many as asked for where an error follows.

    Raises, from both iterators:
        ArchiveCorrupt: what is stored does not inflate, fails a check, or has another length than it had.
        NotAGzip, GzipDamaged: the same, of an archive that was taken in without a look inside, or is opaque: nothing
            says that it ever was a gzip.
    """

    def through(self, start: int = 0) -> Iterator[bytes]:
        """
        All of it, from the inflated byte *start* on. An end without an error says that the file was read to its last
        byte and is whole: CRC and length of every gzip member were right. Where a seek index leads to a place far from
        the beginning, what is before that is not inflated, and whole as far as whoever opens the bytes checks them.

        It may be inflated ahead of the caller. Then an empty piece says that the next is still being made: asking for
        it waits.
        """

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """
        The inflated bytes from *start* (inclusive) to *stop* (exclusive), clipped to the end; 0 <= start <= stop.

        Cost: with a seek index that of a few megabytes before *start*, at most; without one, of everything before. An
        index is made in the background once somebody read far into an archive.

        With an index every byte given is covered by a check of the megabytes around it. Without one, only those are
        whose gzip member ends before *stop*; of the rest is known no more than that they could be inflated.
        """


class Unpacker(Protocol):
    """Gives back what archives hold, whole and verified, or from any position and fast."""

    def open(self, archive: BackupArchive) -> UnpackedArchive:
        """
        Look inside *archive*.

        Raises:
            ArchiveCorrupt: it is known to be damaged.
        """

    def close(self) -> None:
        """End what goes on in the background; nothing half made counts. Idempotent."""


Packer: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Packs what passes as one gzip member; what the source raises comes through, and no whole member then."""


# -- resumable uploads -----------------------------------------------------------------------------------------------


class UploadSessions(Protocol):
    """
    What is known of resumable uploads, whose bytes are in the store's staging.

    When a writing method returns, its effect survives a power cut.
    """

    def save(self, upload: Upload) -> None:
        """Enter *upload*, or take it as the new state of the one with its id."""

    def get(self, id: str) -> Upload:
        """
        The upload *id*.

        Raises:
            UploadNotFound: there is none.
        """

    def all(self) -> list[Upload]:
        """Every upload, oldest first."""

    def unfinished(self) -> list[Upload]:
        """Every upload that is open, in any order. Cost does not grow with those that are not."""

    def remove(self, id: str) -> None:
        """Forget *id*. Nothing there is no error."""


class UploadLocks(Protocol):
    """One writer per upload, who lets go when somebody else wants it."""

    def hold(
        self, upload: str, patience: timedelta, when_wanted: Callable[[], None] = ...
    ) -> AbstractContextManager[None]:
        """
        Hold *upload* alone while in the context, waiting at most *patience* for the one who has it.

        *when_wanted* is called, from another thread and perhaps several times, when somebody begins to wait for this
        holder, who should then leave unless it is at work.

        Raises:
            UploadLocked: on entering, after *patience*.
        """


# -- who comes in ----------------------------------------------------------------------------------------------------


class Gatekeeper(Protocol):
    """
    The tokens that there are.

    Several processes may share them: a server that asks, and commands that make and revoke. When `add` or `revoke`
    returns, its effect survives a power cut, and every `keyring` of any process has it within a second.
    """

    def keyring(self) -> Keyring:
        """
        Every token, revoked ones too. Cheap: asked with each request.

        Raises:
            BackendUnavailable: they cannot be read; then nobody is to be let in.
        """

    def add(self, token: Token) -> None:
        """
        Enter *token*; from then on no `keyring` is open.

        Raises:
            ValueError: there is one with its id.
        """

    def revoke(self, id: str, at: datetime) -> Token:
        """
        Let *id* be revoked since *at*, unless it is already; the token as it is then.

        Raises:
            TokenNotFound: there is none.
        """

    def note_use(self, id: str, at: datetime) -> None:
        """Note that a token was used; kept to the minute, and only in memory until `keep_uses`. Never raises."""

    def keep_uses(self) -> None:
        """Keep what was noted where other processes see it. A loss is no error: it is for people."""

    def uses(self) -> dict[str, datetime]:
        """When each token was last used, by its id, as far as known; times to the minute."""


class AuditLog(Protocol):
    """The log of writes, to which several processes may add."""

    def append(self, entry: AuditEntry) -> None:
        """Add *entry*, chained to the line before. When this returns it survives a power cut."""

    def check(self, noted: str | None = None) -> AuditReport:
        """Check the whole log, as `audit.check` does, with the key that is here."""

    def has(self, result: str) -> bool:
        """Whether a line tells that *result*. Cost may grow with the log."""


# -- small ones ------------------------------------------------------------------------------------------------------


class Notifier(Protocol):
    """Tells whoever runs the server what they should know at once: a line in the log, or more. Never raises."""

    def damaged(self, id: ArchiveId, what: str) -> None:
        """Something that is kept of *id* is not what it was. *what* begins with what it is, in a few words."""

    def whole(self, id: ArchiveId) -> None:
        """*id*, which was taken for damaged, is what it was."""


class Clock(Protocol):
    """The server's time."""

    def now(self) -> datetime:
        """Aware, in UTC."""


class NameLocks(Protocol):
    """One receive at a time per identity, and one at a time that counts what a profile holds."""

    def hold(self, id: ArchiveId, patience: timedelta) -> AbstractContextManager[None]:
        """
        Hold *id* alone while in the context. Whoever comes second waits at most *patience*.

        Raises:
            ReceiveInProgress: on entering, after *patience*.
        """

    def hold_profile(self, profile: str) -> AbstractContextManager[None]:
        """
        Hold *profile* alone while in the context, whoever holds identities in it; others wait as long as it takes.

        Who holds a profile must not enter any other context of these locks.
        """


class Turns(Protocol):
    """Work that several may ask for at the same time and that only one needs to do."""

    def take(self, what: str, patience: timedelta | None = None) -> AbstractContextManager[None]:
        """
        Be the only one at *what* while in the context; who comes second waits, and looks then whether it is done.

        Who has a turn takes no other of the same kind.

        Raises:
            CatalogBusy: on entering, after *patience*; never where that is None.
        """


class IdSource(Protocol):
    """Names nobody used before."""

    def new(self) -> str:
        """1 to 64 characters of ``a-z0-9-``, unique for all practical purposes."""
