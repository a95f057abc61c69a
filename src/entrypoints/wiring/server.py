"""
The composition root: settings become adapters, by the scheme of their URLs, and adapters become use cases.

A program that embeds Tarkeep calls `open_tarkeep`, or builds a `Tarkeep` from adapters of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ...adapters.filesystem.archive_store import FilesystemArchiveStore
from ...adapters.filesystem.archive_sums import MemorySums, SumsFolder
from ...adapters.filesystem.data_directory import FileBallast
from ...adapters.filesystem.scratch import ScratchFiles
from ...adapters.filesystem.seek_indexes import MemorySeekIndexes, SeekFolder
from ...adapters.filesystem.upload_sessions import FilesystemUploadSessions
from ...adapters.memory.catalog import MemoryCatalog
from ...adapters.memory.member_records import MemoryMemberRecords
from ...adapters.memory.store import MemoryArchiveStore
from ...adapters.memory.upload_sessions import MemoryUploadSessions
from ...adapters.process.background import ThreadBudget
from ...adapters.process.clock_and_ids import RandomIds, SystemClock
from ...adapters.process.hashing import HashlibHasher
from ...adapters.process.upkeep.renewed_leases import RenewedLeases
from ...adapters.records.record_files import FilesystemMemberRecords
from ...adapters.sql.catalog import SqlCatalog
from ...adapters.targz.gzip_writer import gzipped
from ...adapters.targz.inspector import InspectionLimits, NoInspector, TargzInspector
from ...adapters.targz.seek_index import SeekIndexes
from ...adapters.targz.unpacker import TargzUnpacker
from ...domain.errors.settings import InvalidSetting
from ...domain.ports.inspection import Inspector
from ...domain.ports.members import MemberRecords
from ...domain.ports.scratch import Scratch
from ...domain.ports.store import ArchiveStore
from ...domain.ports.sums import ArchiveSums
from ...domain.ports.system import Clock, IdSource
from ...domain.ports.uploads import UploadSessions
from ...domain.profiles.capacity import Reserve
from ...domain.usecases.notices.raise_event import RaiseEvent
from ...domain.usecases.receiving.outcome import SameName
from ..logs import Log
from ..settings.server import StorageSettings
from ..starting import starting
from .beside.kept import is_memory, kept_beside, shown
from .beside.names import names_of
from .beside.rules import RulesInUse, RuleSource
from .beside.uploads import kept_uploads
from .buckets import bucket_address
from .jobs import copy_plan, drill_plan, job_plan, scrub_plan, zone_of
from .notices import AlertingNotices, NoticeWiring, channels_of, heartbeat_of, notice_settings
from .tarkeep import Tarkeep, assemble, reading
from .uploads import UploadLimits

if TYPE_CHECKING:
    from ...adapters.s3.archive_store import S3ArchiveStore  # its library is an extra, and slow to import


@contextmanager
def open_tarkeep(settings: StorageSettings) -> Iterator[Tarkeep]:
    """
    Tarkeep as *settings* describe it, closed at the end of the context.

    Raises:
        InvalidSetting: a store or catalog is of an unknown kind, or a required one is missing.
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
        leases = RenewedLeases(catalog.leases, ids.new()) if is_shared(settings) else None
        if leases is not None:
            opened.callback(leases.close)
        notices = NoticeWiring(catalog.notices, heartbeat=heartbeat_of(settings))
        _load_notices(notices, settings, clock)
        raise_event = RaiseEvent(notices.table, clock, ids, notices.in_use)
        beside = opened.enter_context(kept_beside(settings, clock))
        notifier = AlertingNotices(Log("tarkeep.store"), raise_event, beside.evidence, clock)
        read = reading(kept.store, catalog, hasher, kept.sums, notifier)
        unpacker = opened.enter_context(closing(TargzUnpacker(partial(read, sums_first=True), kept.indexes)))
        looking = _inspector(settings, budget)
        rules = RulesInUse(RuleSource(settings, beside.rules))
        rules.load()
        uploads = opened.enter_context(kept_uploads(settings, kept.sessions, leases))

        def reload_notices() -> int:
            return _load_notices(notices, settings, clock)

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
            names=names_of(kept.store, catalog, leases),
            max_bytes=settings.max_upload_bytes,
            sessions=uploads.sessions,
            upload_locks=uploads.locks,
            unpacker=unpacker,
            pack=gzipped,
            same_name=SameName(settings.same_name),
            upload_limits=UploadLimits(
                timedelta(hours=settings.upload_idle_hours),
                settings.max_open_uploads,
                settings.max_open_uploads_per_client,
                settings.max_open_uploads_per_token,
                uploads.may_move,
            ),
            rules=rules,
            reserve=Reserve(settings.reserve_bytes),
            max_unpacked_bytes=settings.max_unpacked_bytes if settings.validate == "full" else None,
            max_adopted=settings.max_adopted_archives,
            max_tree_bytes=settings.max_tree_bytes,
            token_store=beside.token_store,
            scratch=kept.scratch,
            audit=beside.audit,
            evidence=beside.evidence,
            ballast=None if is_memory(settings) else FileBallast(settings.data),
            clock_notes=beside.clock_notes,
            check_schema=beside.check_schema,
            job_plan=job_plan(settings, catalog.jobs, kept.id),
            scrub_plan=scrub_plan(settings, catalog.scrubs),
            figures=catalog.figures,
            statuses=catalog.statuses,
            browsers=catalog.sessions,
            arrived=catalog.arrived,
            used=catalog.used,
            notices=notices,
            drill_plan=drill_plan(settings, catalog.drills),
            copy_plan=copy_plan(settings),
            is_shared=is_shared(settings),
            leases=leases,
        )
        opened.callback(tarkeep.uploads.close)
        opened.callback(tarkeep.token_store.keep_uses)
        yield evolve(tarkeep, reload_rules=rules.load, reload_notices=reload_notices)


def _load_notices(notices: NoticeWiring, settings: StorageSettings, clock: Clock) -> int:
    """Use what notify.toml says now; returns the number of channels."""
    told = notice_settings(settings, zone_of(settings.job_time_zone))
    notices.use(told.plan, channels_of(told, clock))
    return len(told.channels)


def is_shared(settings: StorageSettings) -> bool:
    """Whether other servers may use store and catalog: neither is in the data directory, which one process owns."""
    return (settings.store or "").startswith("s3:") and (settings.catalog or "").startswith("postgresql:")


@frozen
class _Store:
    """The store of archives, with what is kept beside them; *id* is that of the data directory."""

    id: str
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
            files = FilesystemArchiveStore.open(path, ids=ids)
            return _with_caches(files, files, ids)
    if scheme == "s3":
        with starting(url, "store"):
            bucket = _bucket(url, settings, ids)
            return _with_caches(bucket, bucket.local, ids)
    if scheme == "memory":
        return _Store(
            scheme,
            MemoryArchiveStore(clock),
            MemoryUploadSessions(),
            MemoryMemberRecords(),
            MemorySeekIndexes(),
            MemorySums(),
            ScratchFiles(None),
        )
    raise InvalidSetting("store", f"{scheme!r} is not a kind of store; use file:PATH, s3://BUCKET/PREFIX or memory:")


def _with_caches(
    store: FilesystemArchiveStore | S3ArchiveStore, files: FilesystemArchiveStore, ids: IdSource
) -> _Store:
    """*store* with what the data directory of *files* keeps beside it; closed if that cannot be used."""
    try:
        records = FilesystemMemberRecords(files.members, ids)
        records.sweep()
        sums = SumsFolder(files.sums, ids)
        sums.sweep()
        sessions = FilesystemUploadSessions.open(files.staging)
        scratch = ScratchFiles(files.staging)
        return _Store(files.id, store, sessions, records, SeekFolder(files.seek), sums, scratch)
    except BaseException:
        store.close()
        raise


def _bucket(url: str, settings: StorageSettings, ids: IdSource) -> S3ArchiveStore:
    address = bucket_address(url, settings)
    from ...adapters.s3.archive_store import S3ArchiveStore

    largest, room = settings.max_upload_bytes, settings.store_max_bytes
    return S3ArchiveStore.open(address, settings.data, ids=ids, max_bytes=largest, room_bytes=room)


def _open_catalog(settings: StorageSettings) -> SqlCatalog | MemoryCatalog:
    url = settings.catalog or f"sqlite:///{settings.data}/catalog.sqlite"
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        with starting(url.removeprefix("sqlite:///"), "catalog"):
            return SqlCatalog.open(url)
    if scheme == "postgresql":
        with starting(shown(url), "catalog"):
            return SqlCatalog.open(url)
    if scheme == "memory":
        return MemoryCatalog()
    raise InvalidSetting(
        "catalog", f"{scheme!r} is no kind of catalog; use sqlite:///PATH, postgresql://HOST/NAME, memory:"
    )


def _inspector(settings: StorageSettings, budget: ThreadBudget) -> Inspector:
    limits = InspectionLimits(max_unpacked_bytes=settings.max_unpacked_bytes, max_members=settings.max_members)
    return TargzInspector(limits=limits, budget=budget)
