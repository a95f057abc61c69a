"""What a run of the scrub has come to."""

from __future__ import annotations

from tarkeep.domain.jobs.job import Remark
from tarkeep.domain.scrubbing.account import ScrubAccount
from tarkeep.domain.scrubbing.findings import Fault, Finding, ScrubbedPart, ScrubVerdict
from tests.support.archives import make_archive

ID = make_archive("a.tar.gz", profile="web").id


def finding(
    verdict: ScrubVerdict, part: ScrubbedPart = ScrubbedPart.BYTES, what: str = "its bytes are not what was received"
) -> Finding:
    return Finding(ID, part, Fault.DIGEST, verdict, what)


def test_a_run_tells_what_was_due_checked_damaged_unstable_and_left() -> None:
    account = ScrubAccount(due=5)
    account.enter(100, ())
    account.enter(50, (finding(ScrubVerdict.DAMAGED), finding(ScrubVerdict.DAMAGED, ScrubbedPart.SNAPSHOT)))
    account.left.append(Remark("it is locked", "db"))
    report = account.report({}, 3, is_stopped=True)

    assert report.summary == "2 archives read again, 1 damaged, 3 left"
    assert report.counts == {
        "due": 5,
        "checked": 2,
        "checked_bytes": 150,
        "damaged": 1,
        "mended": 0,
        "unstable": 0,
        "left": 3,
        "behind": 0,
    }
    assert report.did_something
    assert report.is_stopped


def test_each_finding_says_what_to_do() -> None:
    account = ScrubAccount(due=1)
    account.enter(
        1,
        (
            finding(ScrubVerdict.DAMAGED),
            finding(ScrubVerdict.UNSTABLE),
            finding(ScrubVerdict.MENDED, ScrubbedPart.SIDECAR, "its side-car"),
        ),
    )
    account.left.append(Remark("FULL/b.tar.gz could not be read", "web"))

    assert [(remark.profile, remark.text) for remark in account.report({"db": 2}, 0, is_stopped=False).problems] == [
        (
            "web",
            "FULL/a.tar.gz is damaged: its bytes are not what was received; send the same archive again to repair it",
        ),
        (
            "web",
            "FULL/a.tar.gz: its bytes are not what was received, and was right when it was read again: test the "
            "memory, the cables and the disk of this machine",
        ),
        ("web", "FULL/a.tar.gz: its side-car, and was made anew"),
        ("web", "FULL/b.tar.gz could not be read"),
        (
            "db",
            "scrub-behind: 2 archives were not read for twice as long as intended; allow a higher rate",
        ),
    ]


def test_a_run_that_read_nothing_says_so() -> None:
    """A check that checked nothing is no success."""
    nothing_due = ScrubAccount().report({}, 0, is_stopped=False)
    nothing_read = ScrubAccount(due=2, left=[Remark("the disk is gone")]).report({}, 2, is_stopped=False)

    assert (nothing_due.summary, nothing_due.did_something) == ("no archive was due", False)
    assert (nothing_read.summary, nothing_read.did_something) == ("no archive was read again, 2 left", False)
