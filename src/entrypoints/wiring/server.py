"""
The composition root: settings become adapters, by the scheme of their URLs, and adapters become use cases.

Whoever wants Tarkeep in a program of their own calls `open_tarkeep`, or builds a `Tarkeep` from adapters of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta, tzinfo
from pathlib import Path

from attrs import evolve, frozen

from ...adapters.filesystem.archive_store import FilesystemArchiveStore
from ...adapters.filesystem.archive_sums import MemorySums, SumsFolder
from ...adapters.filesystem.audit_log import FileAuditLog
from ...adapters.filesystem.data_directory import AUDIT, AUDIT_KEY, TOKENS
from ...adapters.filesystem.inventory_sorter import SpillingSorter
from ...adapters.filesystem.marker import MARKER
from ...adapters.filesystem.scratch import ScratchFiles
from ...adapters.filesystem.seek_indexes import MemorySeekIndexes, SeekFolder
from ...adapters.filesystem.tokens import FileGatekeeper
from ...adapters.filesystem.upload_sessions import FilesystemUploadSessions
from ...adapters.local.legacy_folder import LegacyFolder
from ...adapters.memory.audit_log import MemoryAuditLog
from ...adapters.memory.catalog import MemoryCatalog
from ...adapters.memory.member_records import MemoryMemberRecords
from ...adapters.memory.store import MemoryArchiveStore
from ...adapters.memory.tokens import MemoryGatekeeper
from ...adapters.memory.upload_sessions import MemoryUploadSessions
from ...adapters.process import openssl_certificate
from ...adapters.process.background import ThreadBudget
from ...adapters.process.clock_and_ids import RandomIds, SystemClock
from ...adapters.process.hashing import HashlibHasher
from ...adapters.process.name_locks import ProcessNameLocks
from ...adapters.process.openssl_certificate import MadeCertificate
from ...adapters.process.turns import ProcessTurns
from ...adapters.process.upload_locks import ProcessUploadLocks
from ...adapters.records.record_files import FilesystemMemberRecords
from ...adapters.sql.catalog import SqlCatalog
from ...adapters.targz.gzip_writer import gzipped
from ...adapters.targz.inspector import InspectionLimits, NoInspector, TargzInspector
from ...adapters.targz.seek_index import SeekIndexes
from ...adapters.targz.unpacker import TargzUnpacker
from ...domain.errors.settings import InvalidSetting
from ...domain.ports.access import AuditLog, Gatekeeper
from ...domain.ports.catalog import Catalog
from ...domain.ports.inspection import Hasher, Inspector
from ...domain.ports.members import MemberRecords
from ...domain.ports.notifier import Notifier
from ...domain.ports.scratch import Scratch
from ...domain.ports.store import ArchiveStore
from ...domain.ports.sums import ArchiveSums
from ...domain.ports.system import Clock, IdSource, NameLocks, Turns
from ...domain.ports.unpacking import Packer, Unpacker
from ...domain.ports.uploads import UploadLocks, UploadSessions
from ...domain.profiles.capacity import NO_RESERVE, Reserve
from ...domain.profiles.rules import NO_RULES, CurrentRules, RuleBook, Rules
from ...domain.tar.paths import MAX_HELD_BYTES
from ...domain.usecases.access.tokens import LetIn, ListTokens, MakeToken, RevokeToken
from ...domain.usecases.access.visible import VisibleProfiles
from ...domain.usecases.keeping.adopt_archives import AdoptArchives
from ...domain.usecases.keeping.adopt_snapshots import AdoptSnapshots
from ...domain.usecases.keeping.import_archives import ImportFolder
from ...domain.usecases.keeping.mend_sidecar import MendSidecar
from ...domain.usecases.keeping.rebuild import RebuildCatalog
from ...domain.usecases.keeping.recover import RecoverInterrupted
from ...domain.usecases.linking.link_profile import LinkArchives
from ...domain.usecases.looking.browse_tree import BrowseTree, ListMembers, ReadMember
from ...domain.usecases.looking.trace_history import TraceHistory
from ...domain.usecases.reading.examine import ExamineArchive
from ...domain.usecases.reading.find_archive import FindArchive
from ...domain.usecases.reading.list_archives import CheckReadiness, ListArchives, Summarise
from ...domain.usecases.reading.read_archive import ReadArchive
from ...domain.usecases.reading.read_members import RecordMembers
from ...domain.usecases.reading.verify_inventory import VerifyInventory
from ...domain.usecases.receiving.receive import ReceiveArchive, SameName
from ...domain.usecases.restoring.list_points import ListPoints
from ...domain.usecases.restoring.make_plan import MakePlan
from ...domain.usecases.restoring.open_point import OpenPoint
from ...domain.usecases.restoring.restore_tar import RestoreTar
from ...domain.usecases.restoring.snapshots import KeepSnapshot, ReadSnapshot
from ...domain.usecases.uploading.append import AppendToUpload, JoinUploads
from ...domain.usecases.uploading.begin import BeginUpload
from ...domain.usecases.uploading.open_uploads import EndUpload, ExpireUploads, RestingArrivals, ShowUpload
from ..logs import Log, LoggedNotices
from ..settings.profiles import read_rules
from ..settings.server import StorageSettings
from ..starting import check_is_there, starting


@frozen
class Uploads:
    """The use cases of resumable uploads. Whoever has them closes them."""

    begin: BeginUpload
    append: AppendToUpload
    show: ShowUpload
    end: EndUpload
    join: JoinUploads
    expire: ExpireUploads

    def check_owner(self, id: str, owner: str | None) -> None:
        """As `ShowUpload.check_owner`."""
        self.show.check_owner(id, owner)

    def close(self) -> None:
        """Let go of uploads that rest between two requests; what they have stays in staging."""
        self.show.resting.close()


@frozen
class UploadLimits:
    """How long an upload may lie untouched, and how many may be unfinished."""

    idle: timedelta = timedelta(hours=24)
    max_open: int = 1000
    max_open_per_client: int = 100
    max_open_per_token: int = 100


def _no_rules_to_read() -> int:
    """Of a Tarkeep that was assembled with its rules."""
    return 0


@frozen
class Tarkeep:
    """Every use case, over one set of adapters."""

    clock: Clock
    ids: IdSource
    gatekeeper: Gatekeeper
    let_in: LetIn
    audit: AuditLog
    receive: ReceiveArchive
    uploads: Uploads
    find: FindArchive
    read: ReadArchive
    examine: ExamineArchive
    record_members: RecordMembers
    list: ListArchives
    summarise: Summarise
    verify: VerifyInventory
    check_readiness: CheckReadiness
    recover: RecoverInterrupted
    rebuild: RebuildCatalog
    adopt_archives: AdoptArchives
    import_folder: ImportFolder
    points: ListPoints
    keep_snapshot: KeepSnapshot
    adopt_snapshots: AdoptSnapshots
    read_snapshot: ReadSnapshot
    open_point: OpenPoint
    make_plan: MakePlan
    restore_tar: RestoreTar
    browse: BrowseTree
    history: TraceHistory
    list_members: ListMembers
    read_member: ReadMember
    unpacker: Unpacker
    pack: Packer
    scratch: Scratch
    max_unpacked_bytes: int | None = None
    """What *receive* takes inside one archive, for whoever asks; None is no limit."""
    reload_rules: Callable[[], int] = _no_rules_to_read


def assemble(
    *,
    store: ArchiveStore,
    catalog: Catalog,
    hasher: Hasher,
    read: ReadArchive,
    inspector: Inspector,
    looking: Inspector,
    records: MemberRecords,
    clock: Clock,
    ids: IdSource,
    names: NameLocks,
    max_bytes: int | None,
    sessions: UploadSessions,
    upload_locks: UploadLocks,
    unpacker: Unpacker,
    pack: Packer,
    same_name: SameName = SameName.REJECT,
    upload_limits: UploadLimits = UploadLimits(),
    rules: Rules = NO_RULES,
    reserve: Reserve = NO_RESERVE,
    gatekeeper: Gatekeeper | None = None,
    audit: AuditLog | None = None,
    scratch: Scratch | None = None,
    max_unpacked_bytes: int | None = None,
    max_adopted: int = 100_000,
    max_tree_bytes: int = MAX_HELD_BYTES,
    turns: Turns | None = None,
) -> Tarkeep:
    """
    Tarkeep over any adapters. Close its `uploads` before them. Without a *gatekeeper* it is open.

    *read*, of `reading`, is what everything that looks at stored bytes goes through, *unpacker* too. *inspector* looks
    at archives that arrive, or does not; *looking* does in any case, at stored ones.
    """
    gatekeeper = gatekeeper or MemoryGatekeeper()
    scratch = scratch or ScratchFiles(None)
    visible = VisibleProfiles(catalog)
    examine = read.examine
    members = RecordMembers(records, read, looking, max_tree_bytes)
    links = LinkArchives(catalog, members, rules, turns or ProcessTurns())
    points = ListPoints(catalog, links, rules)
    open_point = OpenPoint(points, members, examine)
    receive = ReceiveArchive(
        store,
        catalog,
        hasher,
        inspector,
        records,
        clock,
        names,
        max_bytes,
        points,
        read.sums,
        same_name,
        rules=rules,
        reserve=reserve,
        unfinished=sessions.unfinished,
    )
    return Tarkeep(
        clock=clock,
        ids=ids,
        gatekeeper=gatekeeper,
        let_in=LetIn(gatekeeper, clock),
        audit=audit or MemoryAuditLog(),
        receive=receive,
        uploads=_uploads(receive, store, hasher, clock, ids, sessions, upload_locks, upload_limits),
        find=FindArchive(catalog, visible),
        read=read,
        examine=examine,
        record_members=members,
        list=ListArchives(catalog, visible),
        summarise=Summarise(catalog, visible),
        verify=VerifyInventory(catalog, visible, SpillingSorter(scratch)),
        check_readiness=CheckReadiness(store, catalog),
        recover=RecoverInterrupted(store, catalog, sessions),
        rebuild=RebuildCatalog(
            store, catalog, hasher, MendSidecar(store, catalog, hasher, looking, clock, rules), records
        ),
        adopt_archives=AdoptArchives(store, catalog, examine, max_adopted),
        import_folder=ImportFolder(receive),
        points=points,
        keep_snapshot=KeepSnapshot(store, catalog, hasher),
        read_snapshot=ReadSnapshot(store, catalog, hasher, examine.notifier),
        adopt_snapshots=AdoptSnapshots(store, catalog, hasher),
        open_point=open_point,
        make_plan=MakePlan(points, open_point),
        restore_tar=RestoreTar(members, unpacker, examine),
        browse=BrowseTree(members),
        history=TraceHistory(points, members),
        list_members=ListMembers(members),
        read_member=ReadMember(members, unpacker, examine),
        unpacker=unpacker,
        pack=pack,
        max_unpacked_bytes=max_unpacked_bytes,
        scratch=scratch,
    )


def reading(
    store: ArchiveStore, catalog: Catalog, hasher: Hasher, sums: ArchiveSums, notifier: Notifier | None = None
) -> ReadArchive:
    """What reads stored archives and marks those that are damaged; the log is told of them, or *notifier*."""
    notifier = notifier or LoggedNotices(Log("tarkeep.store"))
    return ReadArchive(store, hasher, sums, ExamineArchive(store, catalog, hasher, notifier), ProcessTurns())


def _uploads(
    receive: ReceiveArchive,
    store: ArchiveStore,
    hasher: Hasher,
    clock: Clock,
    ids: IdSource,
    sessions: UploadSessions,
    locks: UploadLocks,
    limits: UploadLimits,
) -> Uploads:
    show = ShowUpload(store, receive.stored_as, sessions, locks, RestingArrivals(), clock, limits.idle)
    expire = ExpireUploads(show)
    begin = BeginUpload(
        show, ids, expire, receive, limits.max_open, limits.max_open_per_client, limits.max_open_per_token
    )
    return Uploads(
        begin=begin,
        append=AppendToUpload(show, receive, hasher),
        show=show,
        end=EndUpload(show),
        join=JoinUploads(show, begin, receive, hasher),
        expire=expire,
    )


@contextmanager
def open_tarkeep(settings: StorageSettings) -> Iterator[Tarkeep]:
    """
    Tarkeep as *settings* describe it, closed at the end of the context.

    Raises:
        InvalidSetting: a store or catalog of an unknown kind, or none where one should be.
        FolderUnusable: it cannot be opened.
    """
    clock = SystemClock()
    ids = RandomIds()
    budget = ThreadBudget()
    with ExitStack() as opened:
        kept = _open_store(settings, clock, ids)
        opened.callback(kept.store.close)
        catalog = opened.enter_context(closing(_open_catalog(settings)))
        hasher = HashlibHasher(budget)
        read = reading(kept.store, catalog, hasher, kept.sums)
        unpacker = opened.enter_context(closing(TargzUnpacker(read.surely, kept.indexes)))
        looking = _inspector(settings, budget)
        rules = CurrentRules(_rules(settings))

        def reload_rules() -> int:
            rules.book = _rules(settings)
            return len(rules.book.entries)

        tarkeep = assemble(
            store=kept.store,
            catalog=catalog,
            hasher=hasher,
            read=read,
            inspector=NoInspector() if settings.validate == "off" else looking,
            looking=looking,
            records=kept.records,
            clock=clock,
            ids=ids,
            names=ProcessNameLocks(),
            max_bytes=settings.max_upload_bytes,
            sessions=kept.sessions,
            upload_locks=ProcessUploadLocks(),
            unpacker=unpacker,
            pack=gzipped,
            same_name=SameName(settings.same_name),
            upload_limits=UploadLimits(
                timedelta(hours=settings.upload_idle_hours),
                settings.max_open_uploads,
                settings.max_open_uploads_per_client,
                settings.max_open_uploads_per_token,
            ),
            rules=rules,
            reserve=Reserve(settings.reserve_bytes),
            max_unpacked_bytes=settings.max_unpacked_bytes if settings.validate == "full" else None,
            max_adopted=settings.max_adopted_archives,
            max_tree_bytes=settings.max_tree_bytes,
            gatekeeper=_gatekeeper(settings),
            scratch=kept.scratch,
            audit=_audit(settings, clock),
        )
        opened.callback(tarkeep.uploads.close)
        opened.callback(tarkeep.gatekeeper.keep_uses)
        yield evolve(tarkeep, reload_rules=reload_rules)


@frozen
class Tokens:
    """The use cases of tokens, and the log of writes, for the server's host: they work while a server runs."""

    make: MakeToken
    all: ListTokens
    revoke: RevokeToken
    audit: AuditLog


def open_tokens(settings: StorageSettings) -> Tokens:
    """
    The tokens of the data directory.

    Raises:
        InvalidSetting: the store is memory, which ends with its process and so do its tokens.
    """
    if _is_memory(settings):
        raise InvalidSetting("store", "a server over memory: has no tokens and no log; give it a data directory")
    gatekeeper, audit = FileGatekeeper(settings.data), _audit_file(settings)
    clock = SystemClock()
    return Tokens(
        MakeToken(gatekeeper, clock, secrets.token_bytes, audit),
        ListTokens(gatekeeper),
        RevokeToken(gatekeeper, clock, audit),
        audit,
    )


def check_data_directory(settings: StorageSettings) -> None:
    """
    Judge whether there is a data directory of tokens and of the log of writes; nothing is made.

    Raises:
        InvalidSetting, FolderUnusable: there is none.
    """
    check_is_there(settings.data, (MARKER, TOKENS, AUDIT))


def check_store(settings: StorageSettings) -> None:
    """
    Judge whether there is a store, which is in a data directory of its own; nothing is made.

    Raises:
        InvalidSetting, FolderUnusable: there is none.
    """
    url = settings.store or f"file:{settings.data}"
    if url.startswith("file:"):
        check_is_there(Path(url.removeprefix("file:").removeprefix("//")), (MARKER,))


def _rules(settings: StorageSettings) -> RuleBook:
    file = settings.profiles or settings.data / "profiles.toml"
    return read_rules(file, must_exist=settings.profiles is not None)


def self_signed_certificate(names: Sequence[str], folder: Path, days: int) -> MadeCertificate:
    """A certificate and its key in *folder*. Raises InvalidSetting."""
    return openssl_certificate.self_signed_certificate(names, folder, days)


def _is_memory(settings: StorageSettings) -> bool:
    return settings.store is not None and settings.store.startswith("memory:")


def _gatekeeper(settings: StorageSettings) -> Gatekeeper:
    if _is_memory(settings):
        return MemoryGatekeeper()
    gatekeeper = FileGatekeeper(settings.data)
    with starting(settings.data):
        gatekeeper.note_tokens()
    return gatekeeper


def _audit(settings: StorageSettings, clock: Clock) -> AuditLog:
    if _is_memory(settings):
        return MemoryAuditLog()
    log = _audit_file(settings)
    with starting(log.key_file, "audit_key"):
        log.begin(clock.now())
    return log


def _audit_file(settings: StorageSettings) -> FileAuditLog:
    return FileAuditLog(settings.data, settings.audit_key or settings.data / AUDIT_KEY)


def legacy_folder(path: Path, zone: tzinfo | None, profile: str) -> LegacyFolder:
    """The folder of the original server, to import from."""
    return LegacyFolder(path, zone, profile)


@frozen
class _Store:
    """Where archives go, with what lies beside them."""

    store: ArchiveStore
    sessions: UploadSessions
    records: MemberRecords
    indexes: SeekIndexes
    sums: ArchiveSums
    scratch: Scratch


def _open_store(settings: StorageSettings, clock: Clock, ids: IdSource) -> _Store:
    url = settings.store or f"file:{settings.data}"
    scheme, _, rest = url.partition(":")
    if scheme == "file":
        path = Path(rest.removeprefix("//"))
        with starting(path, "data" if settings.store is None else "store"):
            store = FilesystemArchiveStore.open(path, ids=ids)
            try:
                records = FilesystemMemberRecords(store.members, ids)
                records.sweep()
                sums = SumsFolder(store.sums, ids)
                sums.sweep()
                sessions = FilesystemUploadSessions.open(store.staging)
                scratch = ScratchFiles(store.staging)
                return _Store(store, sessions, records, SeekFolder(store.seek), sums, scratch)
            except BaseException:
                store.close()
                raise
    if scheme == "memory":
        return _Store(
            MemoryArchiveStore(clock),
            MemoryUploadSessions(),
            MemoryMemberRecords(),
            MemorySeekIndexes(),
            MemorySums(),
            ScratchFiles(None),
        )
    raise InvalidSetting("store", f"{scheme!r} is not a kind of store; use file:PATH or memory:")


def _open_catalog(settings: StorageSettings) -> Catalog:
    url = settings.catalog or f"sqlite:///{settings.data}/catalog.sqlite"
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        with starting(url.removeprefix("sqlite:///"), "catalog"):
            return SqlCatalog.open(url)
    if scheme == "memory":
        return MemoryCatalog()
    raise InvalidSetting("catalog", f"{scheme!r} is not a kind of catalog; use sqlite:///PATH or memory:")


def _inspector(settings: StorageSettings, budget: ThreadBudget) -> Inspector:
    limits = InspectionLimits(max_unpacked_bytes=settings.max_unpacked_bytes, max_members=settings.max_members)
    return TargzInspector(limits=limits, budget=budget)
