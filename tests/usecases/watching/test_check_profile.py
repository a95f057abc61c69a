"""Whether everything about a profile and the server is as it should be, and what to do if not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.archives.archive import ArchiveState, Lineage, Offer
from tarkeep.domain.errors.archives import ProfileNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.jobs.job import JobReport, Remark
from tarkeep.domain.jobs.run import RunCause
from tarkeep.domain.notices.routes import NOBODY, SILENT, NoticePlan
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.usecases.watching.profile_look import ProfileStatus
from tarkeep.domain.watching.arrived import day_of
from tarkeep.domain.watching.light import ConcernKind, Light
from tarkeep.domain.watching.used import UsedOnDay
from tests.support.archives import make_archive, make_targz
from tests.support.assembled import InMemory, offer
from tests.support.clocks import FixedClock
from tests.support.nights import NIGHT, POLICY, Nights

FULL, INC = BackupType.FULL, BackupType.INC


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path, MemoryArchiveStore(FixedClock()))


def status(nights: Nights) -> ProfileStatus:
    return nights.tarkeep.check_profile("laptop")


def kinds(nights: Nights) -> list[tuple[ConcernKind, Light]]:
    return [(concern.kind, concern.light) for concern in status(nights).concerns]


def test_where_nothing_is_wrong_the_light_is_green(nights: Nights) -> None:
    nights.chain(3)
    found = status(nights)
    assert (found.light, found.concerns, found.newest.archive.id.name) == (Light.GREEN, (), "night02.tar.gz")
    with pytest.raises(ProfileNotFound):
        nights.tarkeep.check_profile("nobody")


def test_damage_is_red_with_what_to_do(nights: Nights) -> None:
    """The archive, and the newest point, which needs it."""
    chain = nights.chain(3)
    nights.catalog.mark(chain[1], ArchiveState.DAMAGED)
    first, second = status(nights).concerns
    assert (first.kind, first.light, first.text) == (
        ConcernKind.DAMAGED,
        Light.RED,
        "1 archive is damaged: INC/night01.tar.gz",
    )
    assert (second.kind, second.light) == (ConcernKind.UNRESTORABLE, Light.RED)
    assert second.text == (
        "the newest point, INC/night02.tar.gz, does not restore: INC/night01.tar.gz: its stored bytes are damaged; "
        "send the same archive again"
    )


def test_an_old_point_that_is_broken_is_no_reason_to_get_up_at_night(nights: Nights) -> None:
    """As long as its archives are whole, and a newer one restores."""
    nights.chain(2)
    id, content = nights.dump(INC)
    nights.tarkeep.receive(Offer(id, lineage=Lineage(snapshot_before="0" * 64)), [content])
    nights.sent.append((id, content))
    assert kinds(nights) == [(ConcernKind.UNRESTORABLE, Light.RED)]
    nights.clock.advance(NIGHT)
    nights.night(FULL)
    assert kinds(nights) == []


def test_an_archive_that_does_not_come_as_so_far_is_yellow_until_one_comes(nights: Nights) -> None:
    nights.chain(8)  # a day has passed since the last one
    assert kinds(nights) == []
    nights.clock.advance(timedelta(hours=5, minutes=59))
    assert kinds(nights) == []
    nights.clock.advance(timedelta(minutes=1))
    (concern,) = status(nights).concerns
    assert (concern.kind, concern.light) == (ConcernKind.OVERDUE, Light.YELLOW)
    assert "by the schedule that was learnt; the last one that restores came at" in concern.text
    nights.night(INC)
    assert kinds(nights) == []


def test_only_an_archive_that_restores_is_one_that_came(nights: Nights) -> None:
    """Other writes would hide for months that nothing can be restored."""
    nights.chain(8)
    nights.clock.advance(timedelta(hours=7))
    id, content = nights.dump(INC)
    orphan = Offer(evolve(id, name="orphan.tar.gz"), lineage=Lineage(snapshot_before="0" * 64))
    nights.tarkeep.receive(orphan, [content])
    assert kinds(nights) == [(ConcernKind.UNRESTORABLE, Light.RED), (ConcernKind.OVERDUE, Light.YELLOW)]


def test_a_braked_profile_is_red_if_it_is_pruned_at_all(tmp_path: Path) -> None:
    nights = Nights(tmp_path, MemoryArchiveStore(FixedClock()), file_bytes=100)
    for number in range(200):
        (nights.root / f"document{number}").write_bytes(b"text")
    nights.chain(3)
    for number in range(150):
        (nights.root / f"document{number}").unlink()
    nights.night(INC)
    (concern,) = status(nights).concerns
    assert (concern.kind, concern.light) == (ConcernKind.BRAKED, Light.RED)
    assert concern.text.startswith("pruning is stopped: INC/night03.tar.gz is suspicious")
    nights.rules.book = RuleBook((("laptop", ProfileRules(retention=evolve(POLICY, brake=False))),))
    assert kinds(nights) == []


def test_what_the_last_prune_left_to_a_person_is_yellow(nights: Nights) -> None:
    nights.chain(2)
    table = nights.tarkeep.check_server.jobs
    run = table.begin("prune", RunCause.SCHEDULED, nights.clock.now())
    report = JobReport("1 profile waits", {}, False, waits=(Remark("9 of 10 would go at once", "laptop"),))
    table.end(run.ended(report, nights.clock.now()))
    (concern,) = status(nights).concerns
    assert (concern.kind, concern.light, concern.text) == (
        ConcernKind.PRUNE_PAUSED,
        Light.YELLOW,
        "pruning waits for a person: 9 of 10 would go at once",
    )


def test_what_was_not_read_again_for_twice_as_long_as_it_should_is_yellow() -> None:
    server = InMemory()
    server.tarkeep.receive(offer(), [make_targz({"a": b"text"})])
    for days, expected in ((59, []), (2, [(ConcernKind.SCRUB_BEHIND, Light.YELLOW)])):
        server.clock.advance(timedelta(days=days))
        found = server.tarkeep.check_profile("document").concerns
        found = tuple(one for one in found if one.kind is not ConcernKind.DRILL_BEHIND)
        assert [(one.kind, one.light) for one in found] == expected


def test_a_quota_that_is_nearly_used_is_yellow(nights: Nights) -> None:
    nights.night(FULL)
    held = status(nights).newest.archive.size_bytes
    for max_bytes, expected in ((held * 2, []), (held, [(ConcernKind.QUOTA, Light.YELLOW)])):
        nights.rules.book = RuleBook((("laptop", ProfileRules(max_bytes=max_bytes)),))
        assert kinds(nights) == expected


def test_what_cannot_be_read_as_a_tar_is_grey(nights: Nights) -> None:
    """Whether it restores cannot be known: that is neither right nor wrong."""
    nights.rules.book = RuleBook((("*", ProfileRules(allow_opaque=True)),))
    nights.tarkeep.receive(Offer(ArchiveId("laptop", FULL, "opaque.tar.gz")), [b"encrypted" * 100])
    assert kinds(nights) == [(ConcernKind.UNKNOWN, Light.GREY)]


def test_a_server_that_can_tell_nobody_is_yellow_unless_somebody_decided_that() -> None:
    for plan, expected in (
        (NOBODY, [(ConcernKind.NO_CHANNEL, Light.YELLOW)]),
        (SILENT, []),
        (NoticePlan(("ops",)), []),
    ):
        server = InMemory()
        server.notice_wiring.use(plan, {})
        tarkeep = server.tarkeep
        assert [(one.kind, one.light) for one in tarkeep.check_server()] == expected
        assert tarkeep.show_channels().are_missing == bool(expected)


def test_a_server_that_may_be_full_within_30_days_is_yellow_once_two_weeks_are_known() -> None:
    """Neither before, nor for growth that lasts longer, nor beside the red light of one that is full."""
    size = 100_000_000

    def found(days: int, room_days: int) -> list[tuple[ConcernKind, Light]]:
        server = InMemory()
        server.notice_wiring.use(SILENT, {})
        today = day_of(server.clock.now())
        used = [UsedOnDay(today - timedelta(days=ago), {FULL: (days - ago) * size}) for ago in range(1, days)]
        server.catalog.used.keep(used)
        server.catalog.adopt([evolve(make_archive(), size_bytes=days * size)])
        server.store.free_bytes = room_days * size
        return [(one.kind, one.light) for one in server.tarkeep.check_server()]

    assert found(14, 29) == [(ConcernKind.FULL_SOON, Light.YELLOW)]
    assert found(14, 32) == []
    assert found(13, 1) == []
    assert found(14, -1) == [(ConcernKind.DISK, Light.RED)]


def test_the_growth_of_the_store_is_looked_at_once_a_minute() -> None:
    """Each open page asks for what is wrong with the server twice as often."""
    server = InMemory()
    growth = server.tarkeep.check_server.growth
    first = growth.growth()
    server.clock.advance(timedelta(seconds=59))
    assert growth.growth() is first
    server.clock.advance(timedelta(seconds=1))
    assert growth.growth() is not first


def test_a_failed_job_concerns_the_server(nights: Nights) -> None:
    nights.tarkeep.check_server.in_use.plan = SILENT
    table = nights.tarkeep.check_server.jobs
    run = table.begin("purge", RunCause.SCHEDULED, nights.clock.now())
    table.end(run.failed("the disk cannot be read", nights.clock.now()))
    (concern,) = nights.tarkeep.check_server()
    assert (concern.kind, concern.light) == (ConcernKind.JOB_FAILED, Light.RED)
    assert concern.text.endswith("the disk cannot be read")
    table.end(
        table.begin("purge", RunCause.BY_HAND, nights.clock.now()).ended(
            JobReport("nothing", {}, False), nights.clock.now()
        )
    )
    assert nights.tarkeep.check_server() == ()
