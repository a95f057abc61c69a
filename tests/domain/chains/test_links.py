"""The steps of evidence, restore points and plans, over made-up archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.chains.groups import chains
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.links import NEAREST_TRIED, link_archives
from tarkeep.domain.chains.points import RestorePoint, plan_restore, restore_points
from tarkeep.domain.chains.standing import DoubtKind, Fidelity, ObstacleKind
from tarkeep.domain.comparing.fit import Agreement, Compatibility, Renamed
from tarkeep.domain.errors.restoring import PointNotFound, PointNotRestorable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.rules import IncBase, ProfileRules

START = datetime(2026, 1, 1, tzinfo=UTC)
FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF
Fits = Callable[[BackupArchive, BackupArchive], Compatibility]


def archive(
    type: BackupType,
    day: int,
    *,
    name: str | None = None,
    kind: Kind = Kind.INCREMENTAL,
    unchanged: bool | None = None,
    roots: tuple[str, ...] = ("root",),
    parent: tuple[BackupType, str] | None = None,
    before: str | None = None,
    after: str | None = None,
    state: ArchiveState = ArchiveState.STORED,
) -> BackupArchive:
    """An archive taken on a day of 2026, named for its type and day. Snapshot digests are given as single digits."""
    at = START + timedelta(days=day)
    return BackupArchive(
        ArchiveId("p", type, name or f"{type.value.lower()}{day}.tar.gz"),
        100 + day,
        Digests("0" * 32, "0" * 64),
        at,
        at,
        Contents(kind, 3, 10_240, None, type is not FULL if unchanged is None else unchanged, roots),
        state,
        Lineage(parent, before and before * 64, after and after * 64),
    )


def any_fit(child: BackupArchive, parent: BackupArchive) -> Compatibility:
    return Compatibility(Agreement.FITS)


def no_fit(child: BackupArchive, parent: BackupArchive) -> Compatibility:
    return Compatibility(Agreement.CONTRADICTS, 2, (b"root/a", b"root/\xff"))


def fits_only(*pairs: tuple[BackupArchive, BackupArchive]) -> Fits:
    """A fit for these pairs of child and parent, and for no other."""
    known = {(child.id, parent.id) for child, parent in pairs}
    return lambda child, parent: any_fit(child, parent) if (child.id, parent.id) in known else no_fit(child, parent)


def never_asked(child: BackupArchive, parent: BackupArchive) -> Compatibility:
    raise AssertionError(f"{child.id} was compared with {parent.id}")


def link(
    child: BackupArchive, archives: Iterable[BackupArchive], fit: Fits = any_fit, rules: ProfileRules | None = None
) -> Link:
    return link_archives(archives, rules or ProfileRules(), fit)[child.id]


# -- evidence in the contents ----------------------------------------------------------------------------------------


def nothing_carried(*_: BackupArchive) -> tuple[bytes, ...]:
    return ()


@pytest.mark.parametrize("says", ["rule", "client"])
def test_what_lies_between_refutes_a_parent(says: str) -> None:
    """What a DIFF carries anew cannot be unchanged since the FULL: the DIFF is the parent, if it has all names."""
    full, diff = archive(FULL, 1), archive(DIFF, 2)
    child = archive(INC, 3, parent=(FULL, "full1.tar.gz") if says == "client" else None)
    archives = (full, diff, child)

    def carried(_child: BackupArchive, between: BackupArchive, _base: BackupArchive) -> tuple[bytes, ...]:
        return (b"root/a",) if between == diff else ()

    refuted = link_archives(archives, ProfileRules(), any_fit, carried)[child.id]
    nowhere = link_archives(archives, ProfileRules(), fits_only((child, full), (diff, full)), carried)[child.id]
    untouched = link_archives(archives, ProfileRules(), any_fit, nothing_carried)[child.id]

    assert (refuted.parent, refuted.evidence) == (diff.id, Evidence.INFERRED)
    assert "it calls root/a unchanged, which DIFF/diff2.tar.gz between the two carries anew" in refuted.reason
    assert (nowhere.parent, nowhere.evidence) == (None, Evidence.CONTRADICTED)
    assert untouched.parent == full.id


def test_what_refutes_a_parent_need_not_be_in_the_newest_archive_since() -> None:
    """A DIFF made from the second INC's snapshot, with nothing new in that INC: the first INC refutes the FULL."""
    full, first, second, child = archive(FULL, 0), archive(INC, 1), archive(INC, 2), archive(DIFF, 3)

    def carried(_child: BackupArchive, between: BackupArchive, _base: BackupArchive) -> tuple[bytes, ...]:
        return (b"root/a",) if between == first else ()

    found = link_archives((full, first, second, child), ProfileRules(), any_fit, carried)[child.id]
    lacking = link_archives((full, first, second, child), ProfileRules(), fits_only((child, full)), carried)[child.id]

    assert (found.parent, found.evidence, found.tried) == (second.id, Evidence.INFERRED, (full.id,))
    assert (lacking.parent, lacking.evidence) == (None, Evidence.CONTRADICTED)
    assert lacking.tried == (full.id, second.id, first.id)


@pytest.mark.parametrize("said", [{}, {"parent": (FULL, "full0.tar.gz")}, {"before": "a"}])
def test_a_directory_of_an_earlier_time_is_a_doubt_unless_digests_prove_the_link(said: dict[str, Any]) -> None:
    """Inferred and declared links are then uncertain, and name the directory."""
    full, child = archive(FULL, 0, after="a"), archive(INC, 1, **said)

    link = link_archives((full, child), ProfileRules(), lambda *_: Compatibility(Agreement.FITS, earlier=b"root/d"))[
        child.id
    ]

    assert link.parent == full.id
    assert link.evidence is (Evidence.PROVEN if said.get("before") else Evidence.UNCERTAIN)
    assert ("root/d is a directory of an earlier time" in link.reason) is not ("before" in said)


@pytest.mark.parametrize("says", ["rule", "client"])
def test_no_parent_is_chosen_for_a_name_in_no_archive(says: str) -> None:
    """It was left out, or is in a missing archive: the point restores, and always says so."""
    january, february = archive(FULL, 1), archive(FULL, 32)
    child = archive(INC, 33, parent=(FULL, february.id.name) if says == "client" else None)
    later = archive(INC, 34)
    archives = (january, february, child, later)
    fit = fits_only((child, january), (later, child))

    links = link_archives(archives, ProfileRules(), fit, nothing_carried, lambda *_: False)
    points = {point.archive.id: point for point in restore_points(archives, links)}
    chosen = link_archives(archives, ProfileRules(), fit, nothing_carried, lambda *_: True)

    assert (links[child.id].parent, links[child.id].evidence) == (february.id, Evidence.UNCERTAIN)
    assert "; no archive before it has them: they were left out of the dump, or an arch" in links[child.id].reason
    assert points[child.id].is_restorable
    assert points[child.id].standing.is_whole
    assert (points[later.id].evidence, links[later.id].evidence) == (Evidence.UNCERTAIN, Evidence.INFERRED)
    assert [doubt.kind for doubt in points[later.id].doubts] == [DoubtKind.UNCERTAIN]
    assert (chosen[child.id].parent, chosen[child.id].evidence) == (january.id, Evidence.UNCERTAIN)


def test_an_archive_with_all_names_is_not_the_parent_if_a_later_one_carries_another_version() -> None:
    """January has the lock file that was excluded since; February, between the two, has other contents."""
    january, february, child = archive(FULL, 1), archive(FULL, 32), archive(INC, 33)
    archives = (january, february, child)

    def carried(_child: BackupArchive, between: BackupArchive, base: BackupArchive) -> tuple[bytes, ...]:
        assert (between, base) == (february, january)
        return (b"root/keep",)

    link = link_archives(archives, ProfileRules(), fits_only((child, january)), carried)[child.id]

    assert (link.parent, link.evidence) == (february.id, Evidence.UNCERTAIN)
    assert "are refuted by root/keep, which that parent carries anew: what it lacks was left out" in link.reason


# -- proven ----------------------------------------------------------------------------------------------------------


def test_the_same_snapshot_digest_proves_a_parent() -> None:
    """The archive that left the snapshot is the parent, whatever the rule says or listings leave out."""
    full, first, second = (
        archive(FULL, 1, after="1"),
        archive(INC, 2, before="1", after="2"),
        archive(INC, 3, before="1"),
    )

    for fit in (any_fit, lambda *_: Compatibility(Agreement.CONTRADICTS, 1, (b"left/out",))):
        links = link_archives((second, full, first), ProfileRules(), fit)

        assert (links[first.id].parent, links[first.id].evidence) == (full.id, Evidence.PROVEN)
        assert (links[second.id].parent, links[second.id].evidence) == (full.id, Evidence.PROVEN)


def test_names_that_tar_forgot_do_not_keep_the_rest_from_being_restored() -> None:
    """After renames tar may have forgotten names that are nowhere; no archive is missing, and all of it is reported."""
    full, child = archive(FULL, 1, after="1"), archive(INC, 2, before="1")
    forgotten = Compatibility(Agreement.CONTRADICTS, 2, (b"r/forgotten", b"r/too"), renamed=Renamed.FOUND)

    links = link_archives((full, child), ProfileRules(), lambda *_: forgotten)
    point = restore_points((full, child), links)[-1]

    assert (links[child.id].parent, links[child.id].evidence) == (full.id, Evidence.PROVEN)
    assert point.is_restorable
    assert point.standing.is_whole
    [doubt] = point.own_doubts
    assert doubt.kind is DoubtKind.NOT_ARCHIVED
    assert "2 names that it calls unchanged are in no archive before it, such as r/forgotten" in doubt.reason
    assert "or never archived by tar, which mistakes renamed directories for each other" in doubt.reason


def test_of_several_archives_that_left_the_snapshot_the_newest_before_is_the_parent() -> None:
    """If the same dump is stored twice, the nearest one is taken."""
    early, late, after = (archive(FULL, day, after="1") for day in (1, 2, 4))
    child = archive(INC, 3, before="1")

    assert link(child, (after, early, late, child)).parent == late.id
    assert link(child, (after, child)).parent == after.id


def test_a_snapshot_that_no_archive_left_makes_an_orphan() -> None:
    """The digest proves that no stored archive is the parent, so none is inferred or believed on declaration."""
    full = archive(FULL, 1, after="1")
    child = archive(INC, 2, before="2", parent=(FULL, "full1.tar.gz"))

    found = link(child, (full, child), never_asked)

    assert (found.parent, found.evidence) == (None, Evidence.ORPHAN)
    assert "no stored archive left the snapshot" in found.reason


def test_a_declared_parent_counts_if_its_snapshot_is_unknown() -> None:
    """Its snapshot file may be lost, and the digest with it: that does not contradict the client."""
    full, other = archive(FULL, 1), archive(INC, 2, after="3")
    child = archive(INC, 3, before="2", parent=(FULL, "full1.tar.gz"))

    found = link(child, (full, other, child))
    assert (found.parent, found.evidence) == (full.id, Evidence.DECLARED)
    assert link(child, (full, other, child), no_fit).evidence is Evidence.CONTRADICTED
    for parent in ((INC, "inc2.tar.gz"), (FULL, "gone.tar.gz"), (INC, child.id.name)):
        said = evolve(child, lineage=evolve(child.lineage, parent=parent))
        assert link(said, (full, other, said)).evidence is Evidence.ORPHAN


def test_an_archive_is_not_its_own_parent() -> None:
    """A snapshot that a dump is said to have both started from and left proves nothing."""
    child = archive(INC, 2, before="1", after="1")

    assert link(child, (archive(FULL, 1), child)).evidence is Evidence.ORPHAN
    assert link(evolve(child, lineage=Lineage((INC, child.id.name))), (child,)).evidence is Evidence.ORPHAN


# -- declared --------------------------------------------------------------------------------------------------------


def test_a_declared_parent_that_fits_is_taken() -> None:
    """The client's declaration goes before the rule."""
    full, first = archive(FULL, 1), archive(INC, 2)
    child = archive(INC, 3, parent=(FULL, "full1.tar.gz"))

    found = link(child, (full, first, child))

    assert (found.parent, found.evidence) == (full.id, Evidence.DECLARED)


@pytest.mark.parametrize(("state", "word"), [(None, "is not stored"), (ArchiveState.TRASHED, "was removed by")])
def test_a_declared_parent_that_is_gone_makes_an_orphan(state: ArchiveState | None, word: str) -> None:
    """Nothing is inferred in place of what was declared."""
    child = archive(INC, 3, parent=(INC, "inc2.tar.gz"))
    archives = [archive(FULL, 1), child] + ([archive(INC, 2, state=state)] if state else [])

    found = link(child, archives, never_asked)

    assert (found.parent, found.evidence) == (None, Evidence.ORPHAN)
    assert word in found.reason


# -- inferred --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "inc_base", "parent"),
    [
        (DIFF, IncBase.LAST_ANY, "full1.tar.gz"),
        (INC, IncBase.LAST_INC_OR_FULL, "inc2.tar.gz"),
        (INC, IncBase.LAST_ANY, "diff3.tar.gz"),
        (INC, IncBase.LAST_FULL, "full1.tar.gz"),
    ],
)
def test_without_a_declaration_the_rule_of_the_profile_decides(
    type: BackupType, inc_base: IncBase, parent: str
) -> None:
    """A DIFF builds on the newest FULL, an INC on what the profile says."""
    child = archive(type, 4)
    archives = [archive(FULL, 0), archive(FULL, 1), archive(INC, 2), archive(DIFF, 3), child, archive(FULL, 5)]

    found = link(child, archives, rules=ProfileRules(inc_base))

    assert found.parent is not None
    assert (found.parent.name, found.evidence) == (parent, Evidence.INFERRED)


def test_without_anything_before_it_an_archive_is_an_orphan() -> None:
    """An INC or DIFF whose FULL is not stored, or is in the trash, has no parent."""
    for child in (archive(INC, 2), archive(DIFF, 2)):
        found = link(child, (child, archive(FULL, 3), archive(FULL, 1, state=ArchiveState.TRASHED)), never_asked)

        assert (found.parent, found.evidence) == (None, Evidence.ORPHAN)


def test_before_is_by_taken_then_received_then_identity() -> None:
    """Archives of the same second stay in the order of receipt."""
    full = archive(FULL, 1)
    child = archive(INC, 2, name="b.tar.gz")
    same = archive(INC, 2, name="a.tar.gz")
    received_later = evolve(same, received_at=same.received_at + timedelta(seconds=1))

    assert link(child, (child, same, full)).parent == same.id
    assert link(child, (child, received_later, full)).parent == full.id


def test_archives_without_listings_are_linked_by_rule() -> None:
    """A plain chain cannot be checked but is still a chain."""
    full, child = archive(FULL, 1, kind=Kind.PLAIN), archive(INC, 2, kind=Kind.PLAIN)

    found = link(child, (full, child), lambda child, parent: Compatibility(Agreement.UNKNOWN))

    assert (found.parent, found.evidence) == (full.id, Evidence.INFERRED)
    assert "cannot be checked" in found.reason


# -- contradicted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parent", [None, (INC, "inc2.tar.gz")])
def test_the_only_other_one_that_fits_is_taken(parent: tuple[BackupType, str] | None) -> None:
    """
    A parent that its child contradicts gives way to the one archive that the child does not contradict.

    That link stays uncertain: names that existed before may have come back, and been left out.
    """
    full, diff, first = archive(FULL, 0), archive(DIFF, 1), archive(INC, 2)
    child = archive(INC, 3, parent=parent)

    found = link(child, (full, first, diff, child), fits_only((first, full), (diff, full), (child, diff)))

    assert (found.parent, found.evidence) == (diff.id, Evidence.UNCERTAIN)
    assert set(found.tried) == {first.id, full.id}
    assert "lacks 2 names" in found.reason
    assert "root/a" in found.reason


def test_a_contradiction_that_cannot_be_resolved_leaves_no_parent() -> None:
    """If none of the others fits, or more than one, no parent is guessed."""
    full, first, second = archive(FULL, 0), archive(INC, 1), archive(INC, 2)
    child = archive(INC, 3)
    archives = (full, first, second, child)

    for fit in (
        fits_only((first, full), (second, first)),
        fits_only((first, full), (second, first), (child, first), (child, full)),
    ):
        found = link(child, archives, fit)

        assert (found.parent, found.evidence) == (None, Evidence.CONTRADICTED)
        assert second.id in found.tried


def test_a_bounded_number_of_others_is_tried() -> None:
    """A contradicted archive is compared with the nearest before it, not with all of them."""
    archives = [archive(FULL, 0)] + [archive(INC, day) for day in range(1, 200)]
    child = archives[-1]
    asked: list[ArchiveId] = []

    def fit(one: BackupArchive, parent: BackupArchive) -> Compatibility:
        if one.id != child.id:
            return any_fit(one, parent)
        asked.append(parent.id)
        return no_fit(one, parent)

    assert link(child, archives, fit).evidence is Evidence.CONTRADICTED
    assert asked == [archive.id for archive in reversed(archives[-1 - NEAREST_TRIED : -1])]


# -- doubtful types --------------------------------------------------------------------------------------------------


def test_a_full_builds_on_nothing() -> None:
    """A FULL begins a chain without further proof."""
    full = archive(FULL, 1, before="1", parent=(INC, "inc0.tar.gz"))

    found = link(full, (archive(INC, 0), full), never_asked)

    assert (found.parent, found.is_base) == (None, True)
    assert not restore_points((full,), {full.id: found})[0].doubts


def test_a_full_with_unchanged_names_is_doubted_and_linked_if_it_says_to_what() -> None:
    """It may be an INC sent as a FULL, or a FULL that left something out; only its lineage can tell."""
    full, child = archive(FULL, 1, after="1"), archive(FULL, 2, unchanged=True)
    said = evolve(child, lineage=Lineage(snapshot_before="1" * 64))
    missing = evolve(child, lineage=Lineage(snapshot_before="2" * 64))

    for one, parent, evidence in (
        (child, None, Evidence.INFERRED),
        (said, full.id, Evidence.PROVEN),
        (missing, None, Evidence.ORPHAN),
    ):
        links = link_archives((full, one), ProfileRules(), any_fit)
        point = restore_points((full, one), links)[1]

        assert (links[one.id].parent, links[one.id].evidence) == (parent, evidence)
        assert [doubt.kind for doubt in point.own_doubts] == [DoubtKind.UNCHANGED_IN_FULL]
        assert point.is_restorable is (one is not missing)


def test_what_a_full_left_out_makes_its_chain_no_less_proven() -> None:
    """An excluded name is called unchanged, but the digests still prove that no archive is missing."""
    full, inc = archive(FULL, 1, after="1", unchanged=True), archive(INC, 2, before="1", after="2")
    points = points_of(full, inc)

    assert {point.evidence for point in points.values()} == {Evidence.PROVEN}
    assert [doubt.kind for doubt in points["full1"].doubts] == [DoubtKind.UNCHANGED_IN_FULL]
    assert link_archives([archive(FULL, 1, unchanged=True)], ProfileRules(), never_asked)[full.id].evidence is (
        Evidence.INFERRED
    )


def test_names_in_no_archive_are_reported_for_a_proven_chain() -> None:
    """They were excluded, or tar missed their change: the point restores, and says so."""
    lacking = Compatibility(Agreement.CONTRADICTS, 2, (b"src/a",))
    full, inc, later = archive(FULL, 1, after="1"), archive(INC, 2, before="1", after="2"), archive(INC, 3, before="2")
    points = points_of(
        full,
        inc,
        later,
        fit=lambda child, parent: lacking if child == inc else Compatibility(Agreement.FITS),
    )

    for name in ("inc2", "inc3"):
        assert points[name].is_restorable
        assert [doubt.archive for doubt in points[name].doubts] == [inc.id]
        assert (
            "2 names that it calls unchanged are in no archive before it, such as src/a"
            in points[name].doubts[0].reason
        )


def test_an_inc_that_holds_all_it_lists_restores_by_itself() -> None:
    """Without an unchanged name it needs no earlier archive, so a missing parent is no loss; but it is unusual."""
    child = archive(INC, 2, unchanged=False, before="7")

    links = link_archives((archive(FULL, 1), child), ProfileRules(), never_asked)
    point = restore_points((archive(FULL, 1), child), links)[1]

    assert links[child.id].is_base
    assert (point.is_restorable, point.path) == (True, (child.id,))
    assert [doubt.kind for doubt in point.doubts] == [DoubtKind.NOTHING_UNCHANGED]


@pytest.mark.parametrize(("before", "told"), [("1", []), (None, [DoubtKind.NOTHING_UNCHANGED])])
def test_an_inc_without_unchanged_names_is_not_doubted_if_its_parent_is_proven(
    before: str | None, told: list[DoubtKind]
) -> None:
    """A dump of a tree in which everything changed builds on its proven parent like any other."""
    known = (archive(FULL, 1, after="1"), archive(INC, 2, unchanged=False, before=before))

    points = restore_points(known, link_archives(known, ProfileRules(), any_fit))

    assert points[1].link.parent == known[0].id
    assert [doubt.kind for doubt in points[1].doubts] == told


def test_other_roots_than_the_parent_are_doubted() -> None:
    """An archive of another directory in the same chain is noticed; fewer directories are not."""
    full = archive(FULL, 1, roots=("a", "b"))
    other, fewer = archive(DIFF, 2, roots=("c", "a")), archive(DIFF, 3, roots=("a",))

    points = restore_points((full, other, fewer), link_archives((full, other, fewer), ProfileRules(), any_fit))

    assert [[doubt.kind for doubt in point.doubts] for point in points] == [[], [DoubtKind.OTHER_ROOTS], []]
    assert "begins at c" in points[1].doubts[0].reason


# -- points ----------------------------------------------------------------------------------------------------------


def points_of(*archives: BackupArchive, fit: Fits = any_fit) -> dict[str, RestorePoint]:
    points = restore_points(archives, link_archives(archives, ProfileRules(), fit))
    return {point.archive.id.name.removesuffix(".tar.gz"): point for point in points}


def test_a_point_has_its_path_its_bytes_and_its_weakest_evidence() -> None:
    """A DIFF skips the INCs before it; everything in the path is counted."""
    points = points_of(
        archive(FULL, 1, after="1"), archive(INC, 2, before="1"), archive(INC, 3), archive(DIFF, 4, before="1")
    )

    assert [id.name for id in points["inc3"].path] == ["full1.tar.gz", "inc2.tar.gz", "inc3.tar.gz"]
    assert [id.name for id in points["diff4"].path] == ["full1.tar.gz", "diff4.tar.gz"]
    assert (points["inc3"].size_bytes, points["inc3"].length) == (101 + 102 + 103, 3)
    assert [points[name].evidence for name in ("inc2", "inc3")] == [Evidence.PROVEN, Evidence.INFERRED]
    assert all(point.is_restorable and point.fidelity is Fidelity.EXACT for point in points.values())


def test_an_obstacle_of_a_point_is_one_for_all_points_that_build_on_it() -> None:
    """Damage, a missing parent and unreadable content are reported at each later point, with the archive at fault."""
    for broken, kind in (
        (archive(INC, 2, state=ArchiveState.DAMAGED), ObstacleKind.DAMAGED),
        (archive(INC, 2, before="9"), ObstacleKind.MISSING_PARENT),
        (archive(INC, 2, kind=Kind.OPAQUE), ObstacleKind.OPAQUE),
        (evolve(archive(INC, 2), contents=None), ObstacleKind.OPAQUE),
    ):
        points = points_of(archive(FULL, 1), broken, archive(INC, 3), archive(DIFF, 4))

        assert [name for name, point in points.items() if point.is_restorable] == ["full1", "diff4"]
        for name in ("inc2", "inc3"):
            assert [(found.kind, found.archive) for found in points[name].obstacles] == [(kind, broken.id)]


def test_a_contradicted_point_does_not_restore() -> None:
    """Names in no archive are an obstacle."""
    point = points_of(archive(FULL, 1), archive(INC, 2), fit=no_fit)["inc2"]

    assert [obstacle.kind for obstacle in point.obstacles] == [ObstacleKind.CONTRADICTED]
    assert point.path == (point.archive.id,)


def test_archives_that_build_on_each_other_restore_nothing() -> None:
    """A circle, which only false declarations make, is an obstacle and not an endless loop."""
    one, other = archive(INC, 1, before="1", after="2"), archive(INC, 2, before="2", after="1")
    behind = archive(INC, 3, parent=(INC, "inc2.tar.gz"))
    links = link_archives((one, other, behind), ProfileRules(), any_fit)

    points = restore_points((one, other, behind), links)

    assert not any(point.is_restorable for point in points)
    assert {obstacle.kind for point in points for obstacle in point.obstacles} == {ObstacleKind.CIRCLE}
    assert [len(chain.archives) for chain in chains(links)] == [3]


def test_a_plain_archive_makes_an_overlay_of_all_behind_it() -> None:
    """From there on, deletions are unknown."""
    points = points_of(archive(FULL, 1), archive(INC, 2, kind=Kind.PLAIN), archive(INC, 3), archive(DIFF, 4))

    assert [point.fidelity for point in points.values()] == [
        Fidelity.EXACT,
        Fidelity.OVERLAY,
        Fidelity.OVERLAY,
        Fidelity.EXACT,
    ]


def test_a_thousand_points_in_one_chain_share_their_paths() -> None:
    """No point repeats the path of the one before it, and every path can still be read."""
    archives = [archive(FULL, 0)] + [archive(INC, day) for day in range(1, 1000)]
    Random(1).shuffle(archives)

    points = restore_points(archives, link_archives(archives, ProfileRules(), any_fit))

    assert [point.length for point in points] == list(range(1, 1001))
    assert len(points[-1].path) == 1000
    assert sum(len(point.own_obstacles) + len(point.own_doubts) for point in points) == 0


# -- plans -----------------------------------------------------------------------------------------------------------


def test_a_plan_is_for_the_newest_point_at_or_before_the_time() -> None:
    """The exact time counts as before; no time means the newest of all; an archive means its own point."""
    points = tuple(points_of(archive(FULL, 1), archive(INC, 3)).values())

    for at, name in (
        (START + timedelta(days=3, seconds=-1), "full1.tar.gz"),
        (START + timedelta(days=3), "inc3.tar.gz"),
        (None, "inc3.tar.gz"),
        (points[0].archive.id, "full1.tar.gz"),
    ):
        assert plan_restore(points, at).archives[-1].name == name


def test_no_older_state_replaces_the_requested_one() -> None:
    """A point that does not restore is refused with the reasons and the points that restore, the nearest first."""
    points = tuple(
        points_of(archive(FULL, 1), archive(DIFF, 2), archive(INC, 9, before="9"), archive(DIFF, 10)).values()
    )

    for at in (START + timedelta(days=9, hours=1), points[2].archive.id):
        with pytest.raises(PointNotRestorable) as refused:
            plan_restore(points, at)

        assert [id.name for id in refused.value.nearest] == ["diff10.tar.gz", "diff2.tar.gz", "full1.tar.gz"]
        assert "no stored archive left the snapshot" in str(refused.value)
        assert "the nearest that can is p/DIFF/diff10.tar.gz" in str(refused.value)
    with pytest.raises(PointNotRestorable, match="no other point can"):
        plan_restore(points_of(archive(INC, 1)).values())


def test_a_time_before_everything_has_no_point() -> None:
    """The error gives the time of the earliest point."""
    points = tuple(points_of(archive(FULL, 1)).values())

    with pytest.raises(PointNotFound, match="earliest was taken at 2026-01-02"):
        plan_restore(points, START)
    with pytest.raises(PointNotFound):
        plan_restore(points, ArchiveId("p", INC, "inc1.tar.gz"))
    with pytest.raises(PointNotFound, match="latest"):
        plan_restore(())


def test_an_archive_dated_ahead_of_its_receipt_hides_no_other() -> None:
    """A wrong clock, a slip in a name: the archive is chosen only if all are like that."""
    ahead = evolve(archive(FULL, 300), received_at=START + timedelta(days=2))
    slightly = evolve(archive(FULL, 5), received_at=START + timedelta(days=4))
    points = tuple(points_of(archive(FULL, 1), archive(INC, 3), ahead).values())
    only = tuple(points_of(ahead).values())

    assert plan_restore(points).point.archive.id.name == "inc3.tar.gz"
    assert plan_restore(points, START + timedelta(days=301)).point.archive.id.name == "inc3.tar.gz"
    assert plan_restore(points, ahead.id).point.archive == ahead
    assert plan_restore(points, START + timedelta(days=2)).point.archive.id.name == "full1.tar.gz"
    assert plan_restore(only, START + timedelta(days=2)).point.archive == ahead
    assert plan_restore(only).point.archive == ahead
    [doubt] = only[0].doubts
    assert doubt.kind is DoubtKind.DATED_AHEAD
    assert "in the future when it was received: a clock was wrong, or the name" in doubt.reason
    assert plan_restore(points_of(archive(FULL, 4), slightly).values()).point.archive == slightly


def test_an_archive_dated_ahead_is_ordered_by_its_receipt() -> None:
    """The next INC builds on it, and an INC of a FULL that is dated ahead finds it."""
    inc_ahead = evolve(archive(INC, 900), received_at=START + timedelta(days=3))
    full_ahead = evolve(archive(FULL, 900), received_at=START + timedelta(days=1))

    middle = points_of(archive(FULL, 1), archive(INC, 2), inc_ahead, archive(INC, 4))
    first = points_of(full_ahead, archive(INC, 2))

    assert [id.name for id in middle["inc4"].path] == [
        "full1.tar.gz",
        "inc2.tar.gz",
        "inc900.tar.gz",
        "inc4.tar.gz",
    ]
    assert [id.name for id in first["inc2"].path] == ["full900.tar.gz", "inc2.tar.gz"]


# -- what follows ----------------------------------------------------------------------------------------------------


def test_chains_hold_every_archive_once() -> None:
    """A FULL with all that builds on it; an archive without a known parent begins a chain that is not whole."""
    archives = (archive(FULL, 1), archive(INC, 2), archive(FULL, 3), archive(INC, 4), archive(INC, 5, before="9"))
    lost = archive(INC, 6, parent=(INC, "inc5.tar.gz"))

    found = chains(link_archives((*archives, lost), ProfileRules(), any_fit))

    assert [[id.name[:4] for id in chain.archives] for chain in found] == [
        ["full", "inc2"],
        ["full", "inc4"],
        ["inc5", "inc6"],
    ]
    assert [chain.is_whole for chain in found] == [True, True, False]


# -- any archives ----------------------------------------------------------------------------------------------------

digests = st.sampled_from([None, "1", "2", "3"])
names = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def profiles(draw: st.DrawFn) -> list[BackupArchive]:
    """Archives of one profile with any lineage, true or not."""
    identities = draw(st.lists(st.tuples(st.sampled_from(BackupType), names), max_size=10, unique=True))
    return [
        archive(
            type,
            draw(st.integers(0, 5)),
            name=f"{name}.tar.gz",
            kind=draw(st.sampled_from(Kind)),
            unchanged=draw(st.booleans()),
            parent=draw(st.none() | st.tuples(st.sampled_from(BackupType), names.map("{}.tar.gz".format))),
            before=draw(digests),
            after=draw(digests),
            state=draw(st.sampled_from(ArchiveState)),
        )
        for type, name in identities
    ]


def by_name(child: BackupArchive, parent: BackupArchive) -> Compatibility:
    """A fit that depends on the two archives and on nothing else."""
    verdicts = list(Agreement)
    return Compatibility(verdicts[sum(map(ord, child.id.name + parent.id.type.value + parent.id.name)) % 3])


@given(profiles(), st.randoms(use_true_random=False), st.sampled_from(IncBase))
def test_links_do_not_depend_on_the_order_of_arrival(
    archives: list[BackupArchive], random: Random, inc_base: IncBase
) -> None:
    """The same archives have the same links, in the same order, however they arrive."""
    shuffled = random.sample(archives, len(archives))

    links = link_archives(archives, ProfileRules(inc_base), by_name)

    again = link_archives(shuffled, ProfileRules(inc_base), by_name)
    assert list(links.items()) == list(again.items())
    assert restore_points(shuffled, again) == restore_points(archives, links)


@given(profiles(), st.sampled_from(IncBase))
def test_a_restorable_point_has_a_whole_path(archives: list[BackupArchive], inc_base: IncBase) -> None:
    """It begins at an archive without a parent, and each is the parent of the next; any other point gives a reason."""
    stored = {one.id: one for one in archives if one.state is ArchiveState.STORED}
    links = link_archives(archives, ProfileRules(inc_base), by_name)

    points = restore_points(archives, links)

    assert {point.archive.id for point in points} == {
        one.id for one in archives if one.state is not ArchiveState.TRASHED
    }
    for point in points:
        assert point.is_restorable is not bool(point.obstacles)
        assert point.length == len(point.path)
        if point.is_restorable:
            assert point.path[-1] == point.archive.id
            assert links[point.path[0]].is_base
            assert all(links[id].parent == parent for parent, id in zip(point.path, point.path[1:], strict=False))
            assert point.size_bytes == sum(stored[id].size_bytes for id in point.path)
            assert all(
                one.contents and one.contents.kind is not Kind.OPAQUE for one in map(stored.get, point.path) if one
            )


@given(profiles())
def test_every_archive_is_in_one_chain(archives: list[BackupArchive]) -> None:
    """Chains divide the profile."""
    links = link_archives(archives, ProfileRules(), by_name)
    found = chains(links)

    assert sorted(id for chain in found for id in chain.archives) == sorted(links)
