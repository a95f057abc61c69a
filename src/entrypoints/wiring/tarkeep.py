"""Every use case over one set of adapters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from ...adapters.filesystem.scratch import ScratchFiles
from ...adapters.memory.audit_log import MemoryAuditLog
from ...adapters.memory.tokens import MemoryTokenStore
from ...adapters.process.inventory_sorter import SpillingSorter
from ...adapters.process.turns import ProcessTurns
from ...domain.ports.access import AuditLog, TokenStore
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
from ...domain.profiles.rules import NO_RULES, Rules
from ...domain.tar.paths import MAX_HELD_BYTES
from ...domain.usecases.access.tokens import Authenticate
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
from ...domain.usecases.reading.read_members import ReadMembers
from ...domain.usecases.reading.verify_inventory import VerifyInventory
from ...domain.usecases.receiving.admission import AdmitOffer
from ...domain.usecases.receiving.outcome import SameName
from ...domain.usecases.receiving.receive import ReceiveArchive
from ...domain.usecases.receiving.settle import StoreArchive
from ...domain.usecases.restoring.load_points import LoadPoints
from ...domain.usecases.restoring.make_plan import MakePlan
from ...domain.usecases.restoring.open_point import OpenPoint
from ...domain.usecases.restoring.restore_tar import RestoreTar
from ...domain.usecases.restoring.snapshots import KeepSnapshot, ReadSnapshot
from ...domain.usecases.uploading.append import AppendToUpload, JoinUploads
from ...domain.usecases.uploading.begin import BeginUpload
from ...domain.usecases.uploading.open_uploads import (
    EndUpload,
    ExpireUploads,
    ParkedIntakes,
    ShowUpload,
    UploadsUnderWay,
)
from ..logs import Log, LoggedNotices


@frozen
class Uploads:
    """The use cases of resumable uploads. The caller that opened them closes them."""

    begin: BeginUpload
    append: AppendToUpload
    under_way: UploadsUnderWay
    show: ShowUpload
    end: EndUpload
    join: JoinUploads
    expire: ExpireUploads

    def check_owner(self, id: str, owner: str | None) -> None:
        """As `UploadsUnderWay.check_owner`."""
        self.under_way.check_owner(id, owner)

    def close(self) -> None:
        """Release uploads that rest between two requests; their bytes stay in staging."""
        self.under_way.resting.close()


@frozen
class UploadLimits:
    """How long an upload may be idle, and how many may be unfinished."""

    idle: timedelta = timedelta(hours=24)
    max_open: int = 1000
    max_open_per_client: int = 100
    max_open_per_token: int = 100


def _no_rules_to_read() -> int:
    """For a Tarkeep that was assembled with its rules."""
    return 0


@frozen
class Tarkeep:
    """Every use case, over one set of adapters."""

    clock: Clock
    ids: IdSource
    token_store: TokenStore
    authenticate: Authenticate
    audit: AuditLog
    receive: ReceiveArchive
    uploads: Uploads
    find_archive: FindArchive
    read_archive: ReadArchive
    examine: ExamineArchive
    read_members: ReadMembers
    list_archives: ListArchives
    summarise: Summarise
    verify: VerifyInventory
    check_readiness: CheckReadiness
    recover: RecoverInterrupted
    rebuild: RebuildCatalog
    adopt_archives: AdoptArchives
    import_folder: ImportFolder
    link_archives: LinkArchives
    load_points: LoadPoints
    keep_snapshot: KeepSnapshot
    adopt_snapshots: AdoptSnapshots
    read_snapshot: ReadSnapshot
    open_point: OpenPoint
    make_plan: MakePlan
    restore_tar: RestoreTar
    browse_tree: BrowseTree
    trace_history: TraceHistory
    list_members: ListMembers
    read_member: ReadMember
    unpacker: Unpacker
    pack: Packer
    scratch: Scratch
    max_unpacked_bytes: int | None = None
    """The limits that *receive* applies inside an archive, for reference; None is no limit."""
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
    token_store: TokenStore | None,
    same_name: SameName = SameName.REJECT,
    upload_limits: UploadLimits = UploadLimits(),
    rules: Rules = NO_RULES,
    reserve: Reserve = NO_RESERVE,
    audit: AuditLog | None = None,
    scratch: Scratch | None = None,
    max_unpacked_bytes: int | None = None,
    max_adopted: int = 100_000,
    max_tree_bytes: int = MAX_HELD_BYTES,
    turns: Turns | None = None,
) -> Tarkeep:
    """
    Tarkeep over any adapters. Close its `uploads` before them. Without a *token_store* it is open.

    *read*, from `reading`, is used by everything that reads stored bytes, *unpacker* too. *inspector* inspects incoming
    archives, or does not; *looking* always inspects stored ones.
    """
    token_store = token_store or MemoryTokenStore()
    scratch = scratch or ScratchFiles(None)
    visible = VisibleProfiles(catalog)
    examine = read.examine
    members = ReadMembers(records, read, looking, max_tree_bytes)
    links = LinkArchives(catalog, members, rules, turns or ProcessTurns())
    load_points = LoadPoints(catalog, links, rules)
    open_point = OpenPoint(load_points, members, examine)
    admit = AdmitOffer(store, catalog, load_points, max_bytes, rules, reserve, sessions.unfinished)
    settle = StoreArchive(store, catalog, clock, names, links, admit, same_name)
    receive = ReceiveArchive(admit, settle, store, hasher, inspector, records, read.sums)
    return Tarkeep(
        clock=clock,
        ids=ids,
        token_store=token_store,
        authenticate=Authenticate(token_store, clock),
        audit=audit or MemoryAuditLog(),
        receive=receive,
        uploads=_uploads(receive, store, hasher, clock, ids, sessions, upload_locks, upload_limits),
        find_archive=FindArchive(catalog, visible),
        read_archive=read,
        examine=examine,
        read_members=members,
        list_archives=ListArchives(catalog, visible),
        summarise=Summarise(catalog, visible),
        verify=VerifyInventory(catalog, visible, SpillingSorter(scratch)),
        check_readiness=CheckReadiness(store, catalog),
        recover=RecoverInterrupted(store, catalog, sessions),
        rebuild=RebuildCatalog(
            store, catalog, hasher, MendSidecar(store, catalog, hasher, looking, clock, rules), records
        ),
        adopt_archives=AdoptArchives(store, catalog, examine, max_adopted),
        import_folder=ImportFolder(receive),
        link_archives=links,
        load_points=load_points,
        keep_snapshot=KeepSnapshot(store, catalog, hasher),
        read_snapshot=ReadSnapshot(store, catalog, hasher, examine.notifier),
        adopt_snapshots=AdoptSnapshots(store, catalog, hasher),
        open_point=open_point,
        make_plan=MakePlan(load_points, open_point),
        restore_tar=RestoreTar(members, unpacker, examine),
        browse_tree=BrowseTree(members),
        trace_history=TraceHistory(load_points, members),
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
    """The reader of stored archives, which marks damaged ones and reports them to the log, or to *notifier*."""
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
    under_way = UploadsUnderWay(store, receive.settle.stored_as, sessions, locks, ParkedIntakes(), clock, limits.idle)
    expire = ExpireUploads(under_way)
    begin = BeginUpload(
        under_way, ids, expire, receive, limits.max_open, limits.max_open_per_client, limits.max_open_per_token
    )
    return Uploads(
        begin=begin,
        append=AppendToUpload(under_way, receive, hasher),
        under_way=under_way,
        show=ShowUpload(under_way),
        end=EndUpload(under_way),
        join=JoinUploads(under_way, begin, receive, hasher),
        expire=expire,
    )
