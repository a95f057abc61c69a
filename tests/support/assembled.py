"""Tarkeep assembled from memory adapters, with a clock and ids set by the test, and faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from attrs import define, evolve, field

from tarkeep.adapters.filesystem.archive_sums import MemorySums
from tarkeep.adapters.filesystem.seek_indexes import MemorySeekIndexes
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.memory.sessions import MemorySessionTable
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.arrival_table import MemoryArrivalTable
from tarkeep.adapters.memory.upkeep.drill_table import MemoryDrillTable
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.adapters.memory.upkeep.figures import MemoryFigures
from tarkeep.adapters.memory.upkeep.scrub_table import MemoryScrubTable
from tarkeep.adapters.memory.upkeep.status_table import MemoryStatusTable
from tarkeep.adapters.memory.upkeep.usage_table import MemoryUsageTable
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.adapters.process.name_locks import ProcessNameLocks
from tarkeep.adapters.process.upload_locks import ProcessUploadLocks
from tarkeep.adapters.targz.gzip_writer import gzipped
from tarkeep.adapters.targz.inspector import TargzInspector
from tarkeep.adapters.targz.unpacker import TargzUnpacker
from tarkeep.domain.archives.archive import BackupArchive, Offer
from tarkeep.domain.chains.seen import CLEAR, Seen
from tarkeep.domain.chains.standing import PlacedArchive
from tarkeep.domain.errors.content import UploadInterrupted
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.ports.access import AuditLog, SessionTable
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.members import MemberRecords
from tarkeep.domain.ports.notifier import Notifier
from tarkeep.domain.ports.store import ArchiveStore
from tarkeep.domain.ports.sums import ArchiveSums
from tarkeep.domain.ports.system import ClockNotes, IdSource, NameLocks
from tarkeep.domain.ports.upkeep.arrivals import ArrivalTable
from tarkeep.domain.ports.upkeep.evidence import EvidenceLog
from tarkeep.domain.ports.upkeep.figures import Figures
from tarkeep.domain.ports.upkeep.statuses import StatusTable
from tarkeep.domain.ports.upkeep.usage import UsageTable
from tarkeep.domain.ports.uploads import UploadLocks, UploadSessions
from tarkeep.domain.profiles.rules import NO_RULES, Rules
from tarkeep.domain.usecases.linking.see_point import Seeing
from tarkeep.domain.usecases.notices.deliver import DELIVER
from tarkeep.domain.usecases.receiving.outcome import SameName
from tarkeep.domain.usecases.watching.watch import WATCH
from tarkeep.entrypoints.wiring.jobs import OFTEN, CopyPlan, DrillPlan, JobPlan, ScrubPlan
from tarkeep.entrypoints.wiring.notices import NoticeWiring
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep, assemble, reading
from tarkeep.entrypoints.wiring.uploads import UploadLimits
from tests.support.clocks import FixedClock, SequenceIds

Port = TypeVar("Port")

MAX_BYTES = 1 << 20


def assembled(
    store: ArchiveStore,
    catalog: Catalog,
    clock: FixedClock,
    *,
    same_name: SameName = SameName.REJECT,
    sessions: UploadSessions | None = None,
    records: MemberRecords | None = None,
    sums: ArchiveSums | None = None,
    ids: IdSource | None = None,
    notifier: Notifier | None = None,
    rules: Rules = NO_RULES,
    clock_notes: ClockNotes | None = None,
    scrubs: ScrubPlan | None = None,
    audit: AuditLog | None = None,
    evidence: EvidenceLog | None = None,
    statuses: StatusTable | None = None,
    browsers: SessionTable | None = None,
    arrived: ArrivalTable | None = None,
    used: UsageTable | None = None,
    notice_wiring: NoticeWiring | None = None,
    job_plan: JobPlan | None = None,
    drill_plan: DrillPlan | None = None,
    upload_limits: UploadLimits | None = None,
    copy_plan: CopyPlan | None = None,
    is_shared: bool = False,
    names: NameLocks | None = None,
    upload_locks: UploadLocks | None = None,
) -> Tarkeep:
    """Tarkeep over these adapters, without waiting: a name that is held is refused at once."""
    hasher = HashlibHasher()
    read = reading(store, catalog, hasher, sums if sums is not None else MemorySums(), notifier)
    tarkeep = assemble(
        audit=audit,
        evidence=evidence,
        store=store,
        catalog=catalog,
        hasher=hasher,
        read=read,
        inspector=TargzInspector(),
        looking=TargzInspector(),
        records=records if records is not None else MemoryMemberRecords(),
        clock=clock,
        ids=ids if ids is not None else SequenceIds(),
        names=names or ProcessNameLocks(),
        scrub_plan=scrubs or ScrubPlan(MemoryScrubTable(list)),
        figures=figures_of(catalog),
        statuses=statuses or MemoryStatusTable(dict),
        browsers=browsers or MemorySessionTable(),
        arrived=arrived or MemoryArrivalTable(),
        used=used or MemoryUsageTable(),
        notices=notice_wiring,
        max_bytes=MAX_BYTES,
        sessions=sessions if sessions is not None else MemoryUploadSessions(),
        upload_locks=upload_locks or ProcessUploadLocks(),
        upload_limits=upload_limits,
        unpacker=TargzUnpacker(partial(read, sums_first=True), MemorySeekIndexes()),
        pack=gzipped,
        same_name=same_name,
        token_store=None,
        rules=rules,
        clock_notes=clock_notes,
        job_plan=job_plan,
        drill_plan=drill_plan,
        copy_plan=copy_plan,
        is_shared=is_shared,
    )
    intake = tarkeep.receive.begin_intake
    intake = evolve(intake, settle=evolve(intake.settle, patience=timedelta(0)))
    return evolve(
        tarkeep,
        receive=evolve(tarkeep.receive, begin_intake=intake),
        receive_late_offer=evolve(tarkeep.receive_late_offer, begin_intake=intake),
    )


def figures_of(catalog: Catalog) -> Figures:
    """The figures of *catalog*; of one that is broken or watched, as one in memory has them."""
    return (
        catalog.figures
        if isinstance(catalog, MemoryCatalog)
        else MemoryFigures(catalog, MemoryScrubTable(list), MemoryDrillTable())
    )


@define
class Notices:
    """`Notifier` that remembers its notices, in order."""

    told: list[tuple[str, str]] = field(factory=list)

    def damaged(self, id: ArchiveId, what: str) -> None:
        self.told.append((str(id), what))

    def misrecorded(self, id: ArchiveId, what: str) -> None:
        self.told.append((str(id), f"the {what} on record is wrong"))

    def whole(self, id: ArchiveId) -> None:
        self.told.append((str(id), "whole"))

    def unstable(self, id: ArchiveId, what: str) -> None:
        self.told.append((str(id), f"unstable: {what}"))

    def mended(self, id: ArchiveId, what: str) -> None:
        self.told.append((str(id), f"mended: {what}"))

    def suspicious(self, id: ArchiveId, why: str) -> None:
        self.told.append((str(id), f"suspicious: {why}"))

    def unjudged(self, id: ArchiveId, why: str) -> None:
        self.told.append((str(id), f"not judged: {why}"))


class NothingSeen(Seeing):
    """Finds nothing in any point; for archives that exist only as values."""

    def __call__(
        self, place: PlacedArchive, parent: PlacedArchive | None, path: Callable[[], Sequence[BackupArchive]]
    ) -> Seen:
        return CLEAR


@define
class InMemory:
    """Memory adapters and the use cases over them. After changing a field, read `tarkeep` again."""

    clock: FixedClock = field(factory=FixedClock)
    catalog: MemoryCatalog = field(factory=MemoryCatalog)
    same_name: SameName = SameName.REJECT
    sessions: UploadSessions = field(factory=MemoryUploadSessions)
    records: MemoryMemberRecords = field(factory=MemoryMemberRecords)
    notices: Notices = field(factory=Notices)
    sums: MemorySums = field(factory=MemorySums)
    rules: Rules = NO_RULES
    evidence: EvidenceLog = field(factory=MemoryEvidenceLog)
    scrubs: ScrubPlan = field()
    job_plan: JobPlan = field()
    notice_wiring: NoticeWiring = field()
    store: MemoryArchiveStore = field()

    @scrubs.default
    def _scrubs(self) -> ScrubPlan:
        return ScrubPlan(self.catalog.scrubs)

    @job_plan.default
    def _job_plan(self) -> JobPlan:
        return JobPlan(self.catalog.jobs, dict.fromkeys((WATCH, DELIVER), OFTEN))

    @notice_wiring.default
    def _notice_wiring(self) -> NoticeWiring:
        return NoticeWiring(self.catalog.notices)

    @store.default
    def _store(self) -> MemoryArchiveStore:
        return MemoryArchiveStore(self.clock)

    @property
    def tarkeep(self) -> Tarkeep:
        return assembled(
            self.store,
            self.catalog,
            self.clock,
            same_name=self.same_name,
            sessions=self.sessions,
            records=self.records,
            sums=self.sums,
            notifier=self.notices,
            rules=self.rules,
            evidence=self.evidence,
            scrubs=self.scrubs,
            statuses=self.catalog.statuses,
            browsers=self.catalog.sessions,
            arrived=self.catalog.arrived,
            used=self.catalog.used,
            notice_wiring=self.notice_wiring,
            job_plan=self.job_plan,
            drill_plan=DrillPlan(self.catalog.drills),
        )


def offer(
    name: str = "a.tar.gz",
    *,
    profile: str = "document",
    type: BackupType = BackupType.FULL,
    md5: str | None = None,
    sha256: str | None = None,
) -> Offer:
    return Offer(ArchiveId(profile, type, name), DeclaredDigests(md5, sha256))


def pieces(content: bytes, length: int = 100) -> list[bytes]:
    """*content* cut into blocks."""
    return [content[start : start + length] for start in range(0, len(content), length)]


def cut_off(content: bytes, after: int) -> Iterator[bytes]:
    """Blocks of a sender that disconnects after *after* bytes."""
    yield content[:after]
    raise UploadInterrupted(after)


class Crash(BaseException):
    """The process dies here. Not an Exception, so that no code under test can handle it as an error."""


@define
class Fuse:
    """
    Counts the steps of everything wrapped in it, before and after each call, and blows at step *blows_at*.

    From then on every call raises `Crash` and does nothing: a dead process cleans nothing up.
    """

    blows_at: int | None = None
    steps: int = 0

    @property
    def blown(self) -> bool:
        return self.blows_at is not None and self.steps >= self.blows_at

    def step(self) -> None:
        if not self.blown:
            self.steps += 1
        if self.blown:
            raise Crash

    def around(self, port: Port) -> Port:
        """*port*, with every call counted."""
        fused: Any = _Fused(port, self)
        result: Port = fused
        return result


class _Fused:
    def __init__(self, inner: object, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Callable[..., object]:
        call = getattr(self._inner, name)
        if not callable(call):
            return call  # type: ignore[no-any-return]

        def counted(*arguments: object, **options: object) -> object:
            self._fuse.step()
            result = call(*arguments, **options)
            if hasattr(result, "publish"):
                result = _Fused(result, self._fuse)
            self._fuse.step()
            return result

        return counted

    def __enter__(self) -> _Fused:
        self._inner.__enter__()  # type: ignore[attr-defined]  # whatever is entered has it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._fuse.blown:
            self._inner.__exit__(kind, error, trace)  # type: ignore[attr-defined]
