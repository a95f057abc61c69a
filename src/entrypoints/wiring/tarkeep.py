"""
Every use case over one set of adapters.
It stays one file, though long: a use case is made from others, and all of them are named in one place.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from attrs import field, frozen

from ...adapters.cron_lines import CronsimLines
from ...adapters.filesystem.scratch import ScratchFiles
from ...adapters.memory.audit_log import MemoryAuditLog
from ...adapters.memory.tokens import MemoryTokenStore
from ...adapters.memory.upkeep.ballast import MemoryBallast
from ...adapters.memory.upkeep.clock_notes import MemoryClockNotes
from ...adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from ...adapters.process.in_use import ProcessInUse
from ...adapters.process.inventory_sorter import SpillingSorter
from ...adapters.process.turns import ProcessTurns
from ...adapters.process.upkeep.tally import ProcessTally
from ...domain.drills.choice import DrillLimits
from ...domain.ports.access import AuditLog, SessionTable, TokenStore
from ...domain.ports.catalog import Catalog
from ...domain.ports.inspection import Hasher, Inspector
from ...domain.ports.members import MemberRecords
from ...domain.ports.notifier import Notifier
from ...domain.ports.scratch import Scratch
from ...domain.ports.store import ArchiveStore, Ballast
from ...domain.ports.sums import ArchiveSums
from ...domain.ports.system import Clock, ClockNotes, IdSource, NameLocks, Turns
from ...domain.ports.unpacking import Packer, Unpacker
from ...domain.ports.upkeep.arrivals import ArrivalTable
from ...domain.ports.upkeep.evidence import EvidenceLog
from ...domain.ports.upkeep.figures import Figures
from ...domain.ports.upkeep.leases import Leases
from ...domain.ports.upkeep.scrubbing import Traffic
from ...domain.ports.upkeep.statuses import StatusTable
from ...domain.ports.upkeep.usage import UsageTable
from ...domain.ports.uploads import UploadLocks, UploadSessions
from ...domain.profiles.capacity import NO_RESERVE, Reserve
from ...domain.profiles.rules import NO_RULES, Rules
from ...domain.tar.paths import MAX_HELD_BYTES
from ...domain.usecases.access.read_log import ReadLog, SeeLogEnd
from ...domain.usecases.access.sessions import BeginSession, EndSession, Recognise
from ...domain.usecases.access.tokens import Authenticate, ListTokens, Reauthenticate, RevokeToken
from ...domain.usecases.access.visible import VisibleProfiles
from ...domain.usecases.drills.judge_drill import FindDrill, JudgeDrill, ListDrills, MeasureRestores
from ...domain.usecases.drills.open_drill import OpenDrill
from ...domain.usecases.drills.rehearse import REHEARSE
from ...domain.usecases.jobs.ask_for_copy import AskForCopy
from ...domain.usecases.jobs.ask_for_scrub import SCRUB, AskForScrub
from ...domain.usecases.jobs.run_due import RunDueJobs, SettleRuns
from ...domain.usecases.jobs.show_jobs import AskForRun, ListJobs, ListRuns
from ...domain.usecases.keeping.adopt_archives import AdoptArchives
from ...domain.usecases.keeping.adopt_snapshots import AdoptSnapshots
from ...domain.usecases.keeping.evidence import CheckEvidence, ShowEvidence
from ...domain.usecases.keeping.import_archives import ImportFolder
from ...domain.usecases.keeping.proven_before import RecallProofs
from ...domain.usecases.keeping.rebuild import RebuildCatalog
from ...domain.usecases.keeping.recover import ReapClaims, RecoverInterrupted
from ...domain.usecases.linking.profile_links import ProfileLinks
from ...domain.usecases.looking.browse_tree import DescribedNames, ListDirectory, ListTree, SearchTree
from ...domain.usecases.looking.members import FindMember, ListMembers, ReadMember
from ...domain.usecases.looking.trace_history import TraceHistory
from ...domain.usecases.notices.deliver import DELIVER, DeliverNotices
from ...domain.usecases.notices.heartbeat import Beat
from ...domain.usecases.notices.raise_event import EndEvent, RaiseEvent
from ...domain.usecases.notices.show_channels import ShowChannels
from ...domain.usecases.notices.try_channels import TryChannels
from ...domain.usecases.reading.archive_members import ArchiveMembers
from ...domain.usecases.reading.examiner import Examiner
from ...domain.usecases.reading.find_archive import FindArchive, FindByName
from ...domain.usecases.reading.list_archives import (
    CheckReadiness,
    ListAllArchives,
    ListArchives,
    ShowChecks,
    Summarise,
    SummariseProfile,
    SummariseTypes,
)
from ...domain.usecases.reading.mend_sidecar import MendSidecar
from ...domain.usecases.reading.read_archive import ReadArchive
from ...domain.usecases.reading.verify_inventory import VerifyInventory
from ...domain.usecases.receiving.admission import AdmissionChecks
from ...domain.usecases.receiving.begin_intake import BeginIntake
from ...domain.usecases.receiving.claims import HoldClaim
from ...domain.usecases.receiving.outcome import SameName
from ...domain.usecases.receiving.receive import ReceiveArchive, ReceiveLateOffer
from ...domain.usecases.receiving.settle import StoreArchive
from ...domain.usecases.replicating.sources import REPLICATE
from ...domain.usecases.restoring.load_points import LoadPoints, LoadSettledPoints
from ...domain.usecases.restoring.make_plan import MakePlan
from ...domain.usecases.restoring.open_point import OpenPoint, PointTrees, RecallPoint
from ...domain.usecases.restoring.restore_tar import RestoreTar
from ...domain.usecases.restoring.snapshots import KeepSnapshot, ReadSnapshot
from ...domain.usecases.retention.apply_prune import ApplyPrune
from ...domain.usecases.retention.brake import ReleaseBrake, ShowBrake
from ...domain.usecases.retention.judge import JudgeArchive
from ...domain.usecases.retention.plan_prune import PlanPrune
from ...domain.usecases.retention.protect import LockArchive, MakeHold, ReadAllMarks, ReadMarks, ReleaseHold
from ...domain.usecases.retention.settle_trash import SettleTrash
from ...domain.usecases.retention.simulate_pruning import SimulatePruning
from ...domain.usecases.retention.trash import ListTrash, PurgeTrash
from ...domain.usecases.retention.undelete import HiddenArchives, ShowHidden, Undelete, WayBack
from ...domain.usecases.retention.upkeep import EmptyTrash, PruneProfiles
from ...domain.usecases.retention.watch_clock import AcceptClock, ReadClockNote, WatchClock
from ...domain.usecases.scrubbing.read_scrubs import ReadScrubs
from ...domain.usecases.watching.brakes import KnownBrakes
from ...domain.usecases.watching.check_profile import CheckProfile, CheckServer
from ...domain.usecases.watching.check_profiles import CheckProfiles
from ...domain.usecases.watching.mark_changes import MarkChanges
from ...domain.usecases.watching.profile_look import ProfileLook
from ...domain.usecases.watching.read_calendar import ReadCalendar, ReadStrips, ReadYear
from ...domain.usecases.watching.read_fleet import ReadFleet
from ...domain.usecases.watching.read_metrics import ReadMetrics
from ...domain.usecases.watching.read_storage import KnownGrowth, ReadGrowth, ReadStorage, TrashSize
from ...domain.usecases.watching.sample_usage import SampleUsage
from ...domain.usecases.watching.show_rules import ShowRules
from ...domain.usecases.watching.watch import WATCH, WatchProfiles
from ..logs import Log, LoggedNotices
from .advice import advice
from .jobs import CopyPlan, DrillPlan, JobPlan, ScrubPlan, what_jobs_lack
from .notices import NoticeWiring
from .uploads import UploadLimits, Uploads, uploads_of


def _no_rules_to_read() -> int:
    """For a Tarkeep that was assembled with its rules and its channels."""
    return 0


@frozen
class Tarkeep:
    """Every use case over one set of adapters, and the ports and the objects that several of them share."""

    clock: Clock
    ids: IdSource
    token_store: TokenStore
    authenticate: Authenticate
    reauthenticate: Reauthenticate
    begin_session: BeginSession
    recognise: Recognise
    end_session: EndSession
    list_tokens: ListTokens
    revoke_token: RevokeToken
    audit: AuditLog
    read_log: ReadLog
    see_log_end: SeeLogEnd
    admission: AdmissionChecks
    receive: ReceiveArchive
    receive_late_offer: ReceiveLateOffer
    uploads: Uploads
    find_archive: FindArchive
    find_by_name: FindByName
    read_archive: ReadArchive
    examiner: Examiner
    members: ArchiveMembers
    list_archives: ListArchives
    show_checks: ShowChecks
    list_all_archives: ListAllArchives
    summarise: Summarise
    summarise_profile: SummariseProfile
    summarise_types: SummariseTypes
    verify: VerifyInventory
    check_readiness: CheckReadiness
    recover: RecoverInterrupted
    reap: ReapClaims
    rebuild: RebuildCatalog
    show_evidence: ShowEvidence
    check_evidence: CheckEvidence
    adopt_archives: AdoptArchives
    recall_proofs: RecallProofs
    import_folder: ImportFolder
    links: ProfileLinks
    load_points: LoadPoints
    keep_snapshot: KeepSnapshot
    adopt_snapshots: AdoptSnapshots
    read_snapshot: ReadSnapshot
    open_point: OpenPoint
    recall_point: RecallPoint
    make_plan: MakePlan
    restore_tar: RestoreTar
    list_directory: ListDirectory
    list_tree: ListTree
    search_tree: SearchTree
    trace_history: TraceHistory
    list_members: ListMembers
    find_member: FindMember
    read_member: ReadMember
    plan_prune: PlanPrune
    apply_prune: ApplyPrune
    simulate_pruning: SimulatePruning
    list_trash: ListTrash
    undelete: Undelete
    show_hidden: ShowHidden
    purge_trash: PurgeTrash
    watch_clock: WatchClock
    accept_clock: AcceptClock
    read_clock_note: ReadClockNote
    settle_trash: SettleTrash
    read_marks: ReadMarks
    read_all_marks: ReadAllMarks
    make_hold: MakeHold
    release_hold: ReleaseHold
    lock_archive: LockArchive
    show_brake: ShowBrake
    release_brake: ReleaseBrake
    settle_runs: SettleRuns
    run_due_jobs: RunDueJobs
    list_jobs: ListJobs
    list_runs: ListRuns
    ask_for_run: AskForRun
    ask_for_scrub: AskForScrub
    ask_for_copy: AskForCopy
    open_drill: OpenDrill
    find_drill: FindDrill
    judge_drill: JudgeDrill
    list_drills: ListDrills
    measure_restores: MeasureRestores
    drill_limits: DrillLimits
    check_profile: CheckProfile
    check_profiles: CheckProfiles
    check_server: CheckServer
    read_fleet: ReadFleet
    mark_changes: MarkChanges
    read_calendar: ReadCalendar
    read_strips: ReadStrips
    read_year: ReadYear
    read_metrics: ReadMetrics
    show_rules: ShowRules
    read_storage: ReadStorage
    read_scrubs: ReadScrubs
    show_channels: ShowChannels
    try_channels: TryChannels
    raise_event: RaiseEvent
    end_event: EndEvent
    traffic: Traffic
    unpacker: Unpacker
    pack: Packer
    scratch: Scratch
    max_unpacked_bytes: int | None = None
    """The limits that *receive* applies inside an archive, for reference; None is no limit."""
    ballast: Ballast = field(factory=MemoryBallast)
    is_shared: bool = False
    """Whether other servers may use store and catalog."""
    reload_rules: Callable[[], int] = _no_rules_to_read
    reload_notices: Callable[[], int] = _no_rules_to_read


def _always_readable() -> None:
    """A catalog that this process alone has is of its own version."""


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
    scrub_plan: ScrubPlan,
    figures: Figures,
    statuses: StatusTable,
    browsers: SessionTable,
    arrived: ArrivalTable,
    used: UsageTable,
    max_bytes: int | None,
    sessions: UploadSessions,
    upload_locks: UploadLocks,
    unpacker: Unpacker,
    pack: Packer,
    token_store: TokenStore | None,
    same_name: SameName = SameName.REJECT,
    upload_limits: UploadLimits | None = None,
    rules: Rules = NO_RULES,
    reserve: Reserve = NO_RESERVE,
    audit: AuditLog | None = None,
    evidence: EvidenceLog | None = None,
    scratch: Scratch | None = None,
    max_unpacked_bytes: int | None = None,
    max_adopted: int = 100_000,
    max_tree_bytes: int = MAX_HELD_BYTES,
    turns: Turns | None = None,
    clock_notes: ClockNotes | None = None,
    job_plan: JobPlan | None = None,
    drill_plan: DrillPlan | None = None,
    copy_plan: CopyPlan | None = None,
    ballast: Ballast | None = None,
    notices: NoticeWiring | None = None,
    check_schema: Callable[[], None] = _always_readable,
    is_shared: bool = False,
    leases: Leases | None = None,
) -> Tarkeep:
    """
    Tarkeep over any adapters. Close its `uploads` before them. Without a *token_store* it is open.

    *read*, from `reading`, is used by everything that reads stored bytes, *unpacker* too. *inspector* inspects incoming
    archives, or does not; *looking* always inspects stored ones. *is_shared*: other servers may use store and catalog;
    then *leases* tell who runs a job.
    """
    token_store = token_store or MemoryTokenStore()
    scratch = scratch or ScratchFiles(None)
    visible = VisibleProfiles(catalog)
    examiner = read.examiner
    members = ArchiveMembers(records, read, looking, max_tree_bytes)
    turns = turns or ProcessTurns()
    links = ProfileLinks(catalog, members, rules, turns)
    load_points = LoadPoints(catalog, links, rules)
    trees = PointTrees(load_points, members, examiner)
    described = DescribedNames(members)
    admission = AdmissionChecks(store, catalog, load_points, max_bytes, rules, reserve, sessions.unfinished)
    judge = JudgeArchive(catalog, records, rules, clock, examiner.notifier)
    mend = MendSidecar(store, catalog, hasher, looking, clock, rules)
    way_back = WayBack(store, catalog, rules, HiddenArchives(), mend, examiner)
    claims = HoldClaim(store, catalog, clock, is_alone=not is_shared)
    settle = StoreArchive(store, catalog, clock, names, claims, links, admission, judge, way_back, same_name)
    tally = read.tally or ProcessTally()
    begin_intake = BeginIntake(admission, settle, hasher, inspector, records, read.sums, tally)
    receive = ReceiveArchive(admission, begin_intake, store)
    in_use = ProcessInUse()
    clock_notes, ballast = clock_notes or MemoryClockNotes(), ballast or MemoryBallast()
    job_plan = job_plan or JobPlan()
    watch_clock = WatchClock(clock, clock_notes, catalog, job_plan.table, turns)
    plan_prune = PlanPrune(store, catalog, load_points, links, rules, clock, in_use, watch_clock)
    audit, evidence = audit or MemoryAuditLog(), evidence or MemoryEvidenceLog()
    apply_prune = ApplyPrune(
        plan_prune, store, catalog, load_points, rules, clock, names, way_back, ballast, examiner, evidence
    )
    purge_trash = PurgeTrash(store, catalog, records, rules, clock, watch_clock, ballast, evidence, names)
    scrub = scrub_plan.work(store, catalog, hasher, examiner, mend, names, clock, tally, evidence)
    notices = notices or NoticeWiring()
    drill_plan, copy_plan = drill_plan or DrillPlan(), copy_plan or CopyPlan()
    keep_snapshot = KeepSnapshot(store, catalog, hasher)
    look = ProfileLook(
        store,
        catalog,
        load_points,
        rules,
        clock,
        job_plan.table,
        scrub_plan.table,
        scrub_plan.every,
        statuses,
        drill_plan.table,
        drill_plan.limits,
    )
    trash = TrashSize(store, clock, turns)
    sample = SampleUsage(catalog, trash, arrived, used, clock)
    read_growth = ReadGrowth(catalog, store, trash, used, reserve, clock)
    growth = KnownGrowth(read_growth, clock, turns)
    check_server = CheckServer(
        job_plan.table, clock, watch_clock, store, reserve, notices.table, notices.in_use, growth
    )
    beat = None if notices.heartbeat is None else Beat(notices.heartbeat, job_plan.table, clock, WATCH)
    open_point, restore_tar = (
        OpenPoint(load_points, trees),
        RestoreTar(members, unpacker, examiner, in_use, catalog, store),
    )
    drilling = drill_plan.work(
        catalog,
        statuses,
        load_points,
        open_point,
        restore_tar,
        members,
        unpacker,
        examiner,
        looking,
        pack,
        rules,
        turns,
        clock,
        ids,
        evidence,
    )
    jobs = job_plan.jobs(
        {
            "prune": PruneProfiles(apply_prune, catalog, rules, clock, audit, watch_clock),
            "purge": EmptyTrash(store, purge_trash, clock, audit),
        },
        {
            SCRUB: scrub,
            REHEARSE: drilling.rehearse,
            REPLICATE: copy_plan.work(catalog, receive, keep_snapshot, clock, audit, turns),
        },
        {
            WATCH: WatchProfiles(look, check_server, notices.table, ids, notices.in_use, sample),
            DELIVER: DeliverNotices(
                notices.table,
                notices.current,
                clock,
                ids,
                notices.in_use,
                notices.server,
                advice,
                lambda: "" if beat is None else beat(),
            ),
        },
        what_jobs_lack(
            rules,
            copy_plan.source,
            drill_plan.table,
            lambda: bool(notices.in_use.plan.channels) or beat is not None,
        ),
    )
    ask_for_run, list_runs = AskForRun(jobs, job_plan.table, clock), ListRuns(jobs, job_plan.table)
    recall_proofs = RecallProofs(evidence, scrub_plan.table, drill_plan.table)
    return Tarkeep(
        clock=clock,
        ids=ids,
        token_store=token_store,
        authenticate=Authenticate(token_store, clock),
        reauthenticate=Reauthenticate(token_store, clock),
        begin_session=BeginSession(Authenticate(token_store, clock), browsers, clock, secrets.token_bytes),
        recognise=Recognise(token_store, browsers, clock),
        end_session=EndSession(browsers),
        list_tokens=ListTokens(token_store),
        revoke_token=RevokeToken(token_store, clock, audit),
        read_fleet=ReadFleet(look, check_server, visible, WATCH),
        mark_changes=MarkChanges(look, check_server, WATCH),
        read_calendar=ReadCalendar(arrived, clock),
        read_strips=ReadStrips(arrived, clock),
        read_year=ReadYear(ReadCalendar(arrived, clock), load_points, catalog, rules, clock),
        audit=audit,
        read_log=ReadLog(audit),
        see_log_end=SeeLogEnd(audit),
        admission=admission,
        receive=receive,
        receive_late_offer=ReceiveLateOffer(admission, begin_intake, store),
        uploads=uploads_of(receive, store, hasher, clock, ids, sessions, upload_locks, upload_limits or UploadLimits()),
        find_archive=FindArchive(catalog, visible, store),
        find_by_name=FindByName(catalog, store),
        read_archive=read,
        examiner=examiner,
        members=members,
        list_archives=ListArchives(catalog, visible),
        show_checks=ShowChecks(scrub_plan.table),
        list_all_archives=ListAllArchives(catalog, visible),
        summarise=Summarise(catalog, visible),
        summarise_profile=SummariseProfile(catalog),
        summarise_types=SummariseTypes(catalog, visible),
        verify=VerifyInventory(catalog, visible, SpillingSorter(scratch), checks=scrub_plan.table),
        check_readiness=CheckReadiness(store, catalog, check_schema),
        recover=RecoverInterrupted(store, catalog, sessions, is_alone=not is_shared),
        reap=ReapClaims(store, catalog),
        is_shared=is_shared,
        ballast=ballast,
        rebuild=RebuildCatalog(store, catalog, hasher, mend, records, recall_proofs),
        recall_proofs=recall_proofs,
        show_evidence=ShowEvidence(evidence),
        check_evidence=CheckEvidence(evidence),
        adopt_archives=AdoptArchives(store, catalog, examiner, max_adopted, is_alone=not is_shared),
        import_folder=ImportFolder(receive),
        links=links,
        load_points=load_points,
        keep_snapshot=keep_snapshot,
        read_snapshot=ReadSnapshot(store, catalog, hasher, examiner.notifier),
        adopt_snapshots=AdoptSnapshots(store, catalog, hasher),
        open_point=open_point,
        recall_point=RecallPoint(LoadSettledPoints(load_points), trees),
        make_plan=MakePlan(trees),
        restore_tar=restore_tar,
        list_directory=ListDirectory(described),
        list_tree=ListTree(described),
        search_tree=SearchTree(described),
        trace_history=TraceHistory(load_points, members),
        list_members=ListMembers(members),
        find_member=FindMember(members),
        read_member=ReadMember(unpacker, examiner),
        plan_prune=plan_prune,
        apply_prune=apply_prune,
        simulate_pruning=SimulatePruning(load_points, rules, clock, CronsimLines()),
        list_trash=ListTrash(store),
        undelete=Undelete(way_back, names),
        show_hidden=ShowHidden(way_back, names),
        purge_trash=purge_trash,
        watch_clock=watch_clock,
        accept_clock=AcceptClock(watch_clock, clock_notes),
        read_clock_note=ReadClockNote(clock_notes),
        settle_trash=SettleTrash(store, catalog, clock, way_back, audit, evidence, names),
        read_marks=ReadMarks(store, catalog),
        read_all_marks=ReadAllMarks(store),
        make_hold=MakeHold(store, catalog, clock),
        release_hold=ReleaseHold(store, catalog, clock, evidence),
        lock_archive=LockArchive(store, catalog, clock),
        show_brake=ShowBrake(store, catalog),
        release_brake=ReleaseBrake(store, catalog, clock, evidence),
        settle_runs=SettleRuns(job_plan.table, is_alone=leases is None),
        run_due_jobs=RunDueJobs(jobs, job_plan.table, clock, leases),
        list_jobs=ListJobs(jobs, job_plan.table, clock),
        list_runs=list_runs,
        ask_for_run=ask_for_run,
        ask_for_scrub=AskForScrub(scrub_plan.table, ask_for_run, list_runs),
        ask_for_copy=AskForCopy(copy_plan.source, ask_for_run, turns),
        open_drill=drilling.open,
        find_drill=drilling.judge.find,
        judge_drill=drilling.judge,
        list_drills=ListDrills(drill_plan.table),
        measure_restores=MeasureRestores(drill_plan.table),
        drill_limits=drill_plan.limits,
        check_profile=CheckProfile(look),
        check_profiles=CheckProfiles(look, visible, WATCH),
        read_metrics=ReadMetrics(
            figures,
            links,
            KnownBrakes(store, rules, turns),
            trash,
            store,
            job_plan.table,
            tally,
            reserve,
            statuses,
            notices.table,
            notices.in_use,
            growth,
        ),
        show_rules=ShowRules(rules),
        read_storage=ReadStorage(catalog, arrived, read_growth, clock),
        read_scrubs=ReadScrubs(figures, scrub_plan.table, clock, scrub_plan.every),
        show_channels=ShowChannels(notices.table, notices.in_use),
        try_channels=TryChannels(notices.current, clock, ids, notices.server),
        check_server=check_server,
        raise_event=RaiseEvent(notices.table, clock, ids, notices.in_use),
        end_event=EndEvent(notices.table, clock, ids, notices.in_use),
        traffic=scrub_plan.traffic,
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
    examiner = Examiner(store, catalog, hasher, notifier)
    return ReadArchive(store, hasher, sums, examiner, ProcessTurns(), ProcessTally())
