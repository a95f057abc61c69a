"""A server in memory whose jobs run when a test says so, with one channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import define, field

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.channel import MemoryChannel
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.notices.message import Message
from tarkeep.domain.notices.notice import NoticeKind
from tarkeep.domain.notices.routes import Digest, NoticePlan, PlanInUse, Route
from tarkeep.domain.ports.upkeep.notices import Channel
from tarkeep.domain.profiles.expectation import Expectation
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.usecases.notices.deliver import DELIVER
from tarkeep.domain.usecases.watching.watch import WATCH
from tarkeep.entrypoints.wiring.jobs import OFTEN, JobPlan, ScrubPlan
from tarkeep.entrypoints.wiring.notices import NoticeWiring
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import NOON, make_targz
from tests.support.assembled import Fuse, assembled
from tests.support.clocks import FixedClock, SequenceIds

CONTENT = make_targz({"file": b"content"})
OPS = "ops"


@define
class Watched:
    """
    The tables outlive `restart`, and so does what was sent. With a *fuse*, every call of the tables of alerts and
    statuses and of the channel is a step of it.
    """

    expectation: Expectation | None = None
    route: Route = field(factory=lambda: Route((OPS,)))
    digest: Digest | None = None
    clock: FixedClock = field(factory=lambda: FixedClock(NOON + timedelta(seconds=5)))  # past the delays of the jobs
    catalog: MemoryCatalog = field(factory=MemoryCatalog)
    channel: MemoryChannel = field(factory=MemoryChannel)
    ids: SequenceIds = field(factory=SequenceIds)
    fuse: Fuse = field(factory=Fuse)
    store: MemoryArchiveStore = field(init=False)
    tarkeep: Tarkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryArchiveStore(self.clock)
        self.restart()

    def restart(self) -> None:
        """Another process over the same tables."""
        self.fuse = Fuse()
        self.start()

    def start(self) -> None:
        """A process whose calls are steps of the fuse."""
        plan = NoticePlan((OPS,), (self.route,), self.digest)
        channel: Channel = self.fuse.around(self.channel)
        wiring = NoticeWiring(self.fuse.around(self.catalog.notices), PlanInUse(plan), {OPS: channel}, "backup1")
        rules = RuleBook((("*", ProfileRules(expectation=self.expectation)),))
        self.tarkeep = assembled(
            self.store,
            self.catalog,
            self.clock,
            ids=self.ids,
            rules=rules,
            scrubs=ScrubPlan(self.catalog.scrubs),
            statuses=self.fuse.around(self.catalog.statuses),
            browsers=self.catalog.sessions,
            arrived=self.catalog.arrived,
            used=self.catalog.used,
            notice_wiring=wiring,
            job_plan=JobPlan(self.catalog.jobs, dict.fromkeys((WATCH, DELIVER), OFTEN)),
        )
        self.tarkeep.settle_runs()

    def receive(self, name: str, profile: str = "web") -> ArchiveId:
        id = ArchiveId(profile, BackupType.FULL, f"{name}.tar.gz")
        self.tarkeep.receive(Offer(id), iter([CONTENT]))
        return id

    def look(self, after: timedelta = timedelta(seconds=30)) -> None:
        """Run the jobs that are due once *after* has passed."""
        self.clock.advance(after)
        failed: list[object] = []

        def tell(run: Any, error: Exception | None) -> None:
            if error is not None:
                failed.append(error)

        self.tarkeep.run_due_jobs(lambda: True, tell)
        assert not failed

    def told(self, *kinds: NoticeKind) -> list[Message]:
        """What was sent, of these kinds or of all."""
        return [one for one in self.channel.taken if not kinds or one.kind in kinds]

    def events(self, *kinds: NoticeKind) -> list[tuple[str, str]]:
        """Event and subject of each alert in what was sent."""
        return [(item.key.event.value, item.key.subject) for one in self.told(*kinds) for item in one.items]
