"""When the server's jobs run and what is drilled, as the settings say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

from attrs import field, frozen

from ...adapters.cron_lines import CronsimLines
from ...adapters.http.peer import opened_peer
from ...adapters.memory.one_reader import AnyPace, OneReader
from ...adapters.memory.peers import no_peer
from ...adapters.memory.upkeep.drill_table import MemoryDrillTable
from ...adapters.memory.upkeep.job_table import MemoryJobTable
from ...adapters.process.upkeep.readers import ThreadReaders
from ...adapters.process.upkeep.scrub_pace import ProcessTraffic, SleepingPace
from ...domain.drills.choice import DrillEvery, DrillLimits
from ...domain.drills.drill import DrillKind
from ...domain.errors.settings import InvalidSetting
from ...domain.jobs.job import OFF, Job, JobWork, Timing
from ...domain.ports.access import AuditLog
from ...domain.ports.catalog import Catalog
from ...domain.ports.inspection import Hasher, Inspector
from ...domain.ports.store import ArchiveStore
from ...domain.ports.system import Clock, IdSource, NameLocks, Turns
from ...domain.ports.unpacking import Packer, Unpacker
from ...domain.ports.upkeep.drills import DrillTable
from ...domain.ports.upkeep.evidence import EvidenceLog
from ...domain.ports.upkeep.figures import Tally
from ...domain.ports.upkeep.jobs import JobTable
from ...domain.ports.upkeep.peers import OpenPeer
from ...domain.ports.upkeep.scrubbing import Readers, ReadingPace, Traffic
from ...domain.ports.upkeep.scrubs import ScrubTable
from ...domain.ports.upkeep.statuses import StatusTable
from ...domain.profiles.rules import Rules
from ...domain.profiles.schedule import EverySo
from ...domain.profiles.span import Span
from ...domain.scrubbing.pace import Window
from ...domain.scrubbing.unread import ScrubEvery
from ...domain.usecases.drills.digests import DigestMembers
from ...domain.usecases.drills.expected import ExpectedNames
from ...domain.usecases.drills.judge_drill import FindDrill, JudgeDrill
from ...domain.usecases.drills.open_drill import OpenDrill
from ...domain.usecases.drills.rehearse import REHEARSE, RehearseProfiles
from ...domain.usecases.notices.deliver import DELIVER
from ...domain.usecases.reading.archive_members import ArchiveMembers
from ...domain.usecases.reading.examiner import Examiner
from ...domain.usecases.reading.mend_sidecar import MendSidecar
from ...domain.usecases.receiving.receive import ReceiveArchive
from ...domain.usecases.replicating.arriving import Perseverance
from ...domain.usecases.replicating.replicate import ReplicateArchives
from ...domain.usecases.replicating.sources import REPLICATE, PeerSource
from ...domain.usecases.restoring.load_points import LoadPoints
from ...domain.usecases.restoring.open_point import OpenPoint
from ...domain.usecases.restoring.restore_tar import RestoreTar
from ...domain.usecases.restoring.snapshots import KeepSnapshot
from ...domain.usecases.scrubbing.scrub_archive import ScrubArchive
from ...domain.usecases.scrubbing.scrub_archives import ScrubArchives
from ...domain.usecases.watching.watch import WATCH
from ..settings.replicate import stated_peer
from ..settings.server import StorageSettings

OFTEN = Timing("every 30 s", "UTC", EverySo(timedelta(seconds=30)))
"""So an alert is told within a minute, wherever in it the deadline is."""

_OFTEN = "often"

NO_LACKS: Mapping[str, Callable[[], str]] = MappingProxyType({})
NO_WORK: Mapping[str, JobWork] = MappingProxyType({})


@frozen
class JobPlan:
    """When each job runs, by its name (never, if it is missing), the table of runs, and the server's id."""

    table: JobTable = field(factory=MemoryJobTable)
    timings: Mapping[str, Timing] = field(factory=dict)
    server: str = ""

    def jobs(
        self,
        work: Mapping[str, JobWork],
        long: Mapping[str, JobWork],
        frequent: Mapping[str, JobWork] = NO_WORK,
        lacks: Mapping[str, Callable[[], str]] = NO_LACKS,
    ) -> tuple[Job, ...]:
        """
        The jobs that do *frequent* work, by name, then those that do *work*, and behind them those that do *long* work,
        which gives way; *lacks* is as in `Job`.
        """
        return tuple(
            Job(
                name,
                one,
                self.timings.get(name, OFF),
                self.server,
                gives_way=name in long,
                is_frequent=name in frequent,
                lacks=lacks.get(name, str),
            )
            for name, one in {**frequent, **work, **long}.items()
        )


def what_jobs_lack(
    rules: Rules, source: PeerSource, drills: DrillTable, is_anybody_told: Callable[[], bool]
) -> Mapping[str, Callable[[], str]]:
    """Why a run could do nothing, of jobs that need more than archives; see `Job`."""
    return {
        "prune": lambda: "" if rules.may_prune else "no rule says what to keep",
        REPLICATE: lambda: "" if source.is_known else "no other server is named as replicate_from",
        REHEARSE: lambda: "some machine runs drills" if drills.recent(kind=DrillKind.DRILL, limit=1) else "",
        DELIVER: lambda: "" if is_anybody_told() else "no channel is named in notify.toml",
    }


def job_plan(settings: StorageSettings, table: JobTable, server: str) -> JobPlan:
    """
    The plan of *settings* for the server with the id *server*.

    Raises:
        InvalidSetting: a time is neither a cron line nor ``off``, or the zone is none.
    """
    zone = zone_of(settings.job_time_zone)
    lines = {
        "prune": settings.job_prune,
        "purge": settings.job_purge,
        "scrub": settings.job_scrub,
        REHEARSE: settings.job_rehearse,
        REPLICATE: settings.job_replicate if settings.replicate_from.strip() else OFF.line,
    }
    watch = settings.job_watch
    timings = dict.fromkeys(
        (WATCH, DELIVER),
        OFTEN if watch.strip() == _OFTEN else _timing("job_watch", watch, settings.job_time_zone, zone),
    )
    timings |= {name: _timing(f"job_{name}", line, settings.job_time_zone, zone) for name, line in lines.items()}
    return JobPlan(table, timings, server)


@frozen
class ScrubPlan:
    """What is read again, how often, when and how fast, by which threads; the table says when it was read."""

    table: ScrubTable
    every: ScrubEvery = field(factory=ScrubEvery)
    window: Window | None = None
    readers: Readers = field(factory=OneReader)
    pace: ReadingPace = field(factory=AnyPace)
    traffic: Traffic = field(factory=ProcessTraffic)

    def work(
        self,
        store: ArchiveStore,
        catalog: Catalog,
        hasher: Hasher,
        examiner: Examiner,
        mend: MendSidecar,
        names: NameLocks,
        clock: Clock,
        tally: Tally,
        evidence: EvidenceLog,
    ) -> ScrubArchives:
        """What the job does, over these ports."""
        scrub = ScrubArchive(
            store, catalog, self.table, hasher, examiner, mend, names, examiner.notifier, clock, self.pace, tally
        )
        return ScrubArchives(self.table, scrub, self.readers, clock, evidence, self.every, self.window)


def scrub_plan(settings: StorageSettings, table: ScrubTable) -> ScrubPlan:
    """
    The plan of *settings*.

    Raises:
        InvalidSetting: a span or a part of the day is none.
    """
    try:
        every = ScrubEvery(Span.parse(settings.scrub_every))
    except ValueError as error:
        raise InvalidSetting("scrub_every", str(error)) from None
    window = None
    if settings.scrub_window.strip():
        try:
            window = Window.parse(settings.scrub_window, zone_of(settings.job_time_zone))
        except ValueError as error:
            raise InvalidSetting("scrub_window", str(error)) from None
    traffic = ProcessTraffic()
    return ScrubPlan(table, every, window, ThreadReaders(), SleepingPace(settings.scrub_rate, traffic), traffic)


def _timing(setting: str, line: str, name: str, zone: tzinfo) -> Timing:
    if line.strip() == OFF.line:
        return OFF
    try:
        return Timing(" ".join(line.split()), name, CronsimLines().read(line, zone))
    except ValueError as error:
        raise InvalidSetting(setting, f"{error}; or say {OFF.line}") from None


def zone_of(name: str) -> tzinfo:
    """The zone of the setting ``job_time_zone``. Raises InvalidSetting."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder of zones is an OSError
        reason = f"{name!r} is not a time zone; use one such as Europe/Paris"
        raise InvalidSetting("job_time_zone", reason) from None


@frozen
class Drilling:
    """The use cases of drills."""

    open: OpenDrill
    judge: JudgeDrill
    rehearse: RehearseProfiles


@frozen
class DrillPlan:
    """How often what is drilled; the table says what came of it."""

    table: DrillTable = field(factory=MemoryDrillTable)
    limits: DrillLimits = field(factory=DrillLimits)

    def work(
        self,
        catalog: Catalog,
        statuses: StatusTable,
        load_points: LoadPoints,
        open_point: OpenPoint,
        restore_tar: RestoreTar,
        members: ArchiveMembers,
        unpacker: Unpacker,
        examiner: Examiner,
        looking: Inspector,
        pack: Packer,
        rules: Rules,
        turns: Turns,
        clock: Clock,
        ids: IdSource,
        evidence: EvidenceLog,
    ) -> Drilling:
        """The use cases over these ports."""
        expected = ExpectedNames(members, DigestMembers(members, unpacker, examiner))
        find = FindDrill(self.table)
        return Drilling(
            OpenDrill(catalog, self.table, load_points, open_point, members, rules, clock, ids, self.limits),
            JudgeDrill(find, self.table, statuses, open_point, expected, turns, clock, evidence),
            RehearseProfiles(
                catalog,
                self.table,
                statuses,
                load_points,
                open_point,
                restore_tar,
                expected,
                looking,
                pack,
                rules,
                clock,
                ids,
                self.limits,
                evidence,
            ),
        )


def drill_plan(settings: StorageSettings, table: DrillTable) -> DrillPlan:
    """
    The plan of *settings*.

    Raises:
        InvalidSetting: a span is none.
    """
    try:
        every = DrillEvery(Span.parse(settings.drill_every))
    except ValueError as error:
        raise InvalidSetting("drill_every", str(error)) from None
    return DrillPlan(table, DrillLimits(every, settings.drill_bytes, settings.drill_minutes))


@frozen
class CopyPlan:
    """Where archives are copied from, and the way there; *wait* sleeps for seconds between two tries."""

    source: PeerSource = field(factory=PeerSource)
    open_peer: OpenPeer = no_peer
    wait: Callable[[float], None] = time.sleep

    def work(
        self, catalog: Catalog, receive: ReceiveArchive, keep: KeepSnapshot, clock: Clock, audit: AuditLog, turns: Turns
    ) -> ReplicateArchives:
        """What the job does, over these ports."""
        return ReplicateArchives(
            self.source, self.open_peer, catalog, receive, keep, clock, audit, Perseverance(self.wait), turns
        )


def copy_plan(settings: StorageSettings) -> CopyPlan:
    """
    The plan of *settings*. Files that they name are read at each run.

    Raises:
        InvalidSetting: the other server has no address, or a file cannot be read.
    """
    stated_peer(settings)
    return CopyPlan(PeerSource(lambda: stated_peer(settings)), opened_peer)
