"""Whether tar is to be trusted with a plan: told with the reason, and looked up once for the same archives."""

from __future__ import annotations

from tarkeep.domain.archives import ArchiveId, BackupType, Offer
from tarkeep.domain.usecases.judge_plan import KeptVerdicts
from tests.support.assembled import InMemory
from tests.support.hostile_chains import directory, link, listing
from tests.support.tars import END, gz, member

FULL = directory(b"top", listing([b"Yd"])) + link(b"top/d", b"/etc") + END
HARMLESS = directory(b"top", listing([b"Nd", b"Yx"])) + member(b"top/x", b"x") + END
HARMFUL = directory(b"top", listing([b"Nd"])) + member(b"top//d/x", b"x") + END
OVERLAY = member(b"top/./d/x", b"x") + END


def stored(*tars: bytes) -> InMemory:
    memory = InMemory()
    for number, tar in enumerate(tars):
        type = BackupType.INC if number else BackupType.FULL
        memory.tarkeep.receive(Offer(ArchiveId("host", type, f"a_2026-11-0{number + 1}.tar.gz")), [gz(tar)])
    return memory


def test_a_plan_through_a_link_is_not_sound() -> None:
    """And says why; one without is, and so is an older point before it."""
    tarkeep = stored(FULL, HARMLESS, HARMFUL).tarkeep
    opened = tarkeep.open_point("host")
    judged = tarkeep.judge_plan(opened.plan, opened.archives)

    assert not judged.is_sound
    assert judged.objection == "top/d is a link in one of these archives and a directory in another"
    earlier = tarkeep.open_point("host", opened.plan.archives[1])
    assert tarkeep.judge_plan(earlier.plan, earlier.archives) == earlier.plan


def test_a_plan_of_plain_archives_is_looked_at_too() -> None:
    """There tar extracts them over each other, through whatever is there."""
    tarkeep = stored(FULL, HARMLESS).tarkeep
    archives = tarkeep.open_point("host").archives
    plain = stored(link(b"top/d", b"/etc") + END, member(b"top/a", b"x") + OVERLAY).tarkeep
    plan = plain.points.plan("host")

    judged = plain.judge_plan(plan, [plain.find(id.type, id.name, id.profile) for id in plan.archives])
    assert not judged.is_sound
    assert tarkeep.judge_plan(tarkeep.points.plan("host"), archives).is_sound


def test_a_verdict_is_found_once() -> None:
    """Archives never change: the second time no record is read."""
    memory = stored(FULL, HARMFUL)
    tarkeep = memory.tarkeep
    opened = tarkeep.open_point("host")
    first = tarkeep.judge_plan(opened.plan, opened.archives)
    memory.records.published.clear()
    for archive in opened.archives:
        memory.store.remove(archive.id)

    assert tarkeep.judge_plan(opened.plan, opened.archives) == first


def test_few_verdicts_are_kept() -> None:
    """Those found last."""
    kept = KeptVerdicts(most=2)
    for key in ("a", "b", "c"):
        kept.put((key,), key)

    assert [kept.get((key,)) for key in ("a", "b", "c")] == [None, "b", "c"]
