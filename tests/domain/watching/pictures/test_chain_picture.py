"""The picture of chains: everything is shown or counted once, and nothing is in anything's way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.standing import PlacedArchive, placed
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.watching.pictures.chain_picture import MOST_IN_ROW, MOST_NODES, ChainPicture, chain_picture
from tests.support.archives import NOON, make_archive

Parents = list[int | None]


def place(number: int, parent: int | None, evidence: Evidence = Evidence.PROVEN) -> PlacedArchive:
    id = _id(number)
    archive = make_archive(id.name, profile=id.profile, type=id.type, received_at=NOON + timedelta(hours=number))
    return PlacedArchive(archive, Link(id, None if parent is None else _id(parent), evidence, "so it is"))


def _id(number: int) -> ArchiveId:
    return ArchiveId("laptop", BackupType.INC, f"inc_{number:06}.tar.gz")


def pictured(parents: Parents, **more: Evidence) -> ChainPicture:
    return chain_picture([place(number, parent, **more) for number, parent in enumerate(parents)])


def places(picture: ChainPicture) -> list[tuple[int, int]]:
    return [(one.row, one.column) for one in picture.archives] + [(fold.row, fold.column) for fold in picture.folds]


@st.composite
def forests(draw: st.DrawFn) -> Parents:
    """Any number of archives, each on an earlier one or on none: long runs, wide fans, or anything between."""
    back = draw(st.sampled_from([1, 2, 5, 1000]))
    fan = draw(st.booleans())
    parents: Parents = [None]
    for number in range(1, draw(st.integers(1, 320))):
        is_base = draw(st.integers(0, 60)) == 0
        earlier = number - 1 if fan else min(number - 1, draw(st.integers(0, back)))
        parents.append(None if is_base else number - 1 - earlier)
    return parents


@given(forests())
def test_each_archive_and_each_link_is_there_once(parents: Parents) -> None:
    picture = pictured(parents)

    shown = [one.place.archive.id for one in picture.archives]
    assert len(set(shown)) == len(shown) <= MOST_NODES
    assert len(shown) + sum(fold.archives for fold in picture.folds) == len(parents)
    linked = [line.child for line in picture.lines if line.child is not None]
    assert len(set(linked)) == len(linked)
    assert len(linked) + sum(fold.links for fold in picture.folds) == sum(parent is not None for parent in parents)
    assert picture.chains == parents.count(None)
    assert all(fold.archives for fold in picture.folds)


@given(forests())
def test_lines_lead_to_what_they_are_the_link_of(parents: Parents) -> None:
    picture = pictured(parents)

    at = {(one.row, one.column): one.place.archive.id for one in picture.archives}
    folds = {(fold.row, fold.column) for fold in picture.folds}
    assert len(at) == len(picture.archives)
    assert len(folds) == len(picture.folds)
    assert not folds & at.keys()
    for line in picture.lines:
        start, end = (line.from_row, line.from_column), (line.row, line.column)
        assert end in folds if line.child is None else at[end] == line.child
        if line.child is not None and start in at:
            assert parents[int(line.child.name[4:10])] == int(at[start].name[4:10])
        else:
            assert start in folds or start in at
        assert line.row > line.from_row or line.column == line.from_column + 1


@given(forests())
def test_no_line_crosses_an_archive(parents: Parents) -> None:
    """A line goes down in the column where it begins; in the rows between everything stands to the right of that."""
    picture = pictured(parents)

    taken = places(picture)
    for line in picture.lines:
        between = [column for row, column in taken if line.from_row < row <= line.row]
        assert all(column > line.from_column for column in between)


@given(forests())
def test_the_picture_stays_small(parents: Parents) -> None:
    picture = pictured(parents)

    assert picture.rows <= 2 * MOST_NODES + 1
    for row in range(picture.rows):
        assert sum(one.row == row for one in picture.archives) <= MOST_IN_ROW
    assert picture.rows == 1 + max(row for row, _ in places(picture))


def test_a_long_run_keeps_its_beginning_and_more_of_its_end() -> None:
    picture = pictured([None, *range(30)])

    (fold,) = picture.folds
    assert (fold.archives, fold.column, picture.rows, picture.columns) == (20, 4, 1, 12)
    assert picture.words == "31 archives in 1 chain, 11 of them shown"


def test_what_builds_on_a_full_alone_is_in_one_row_below_it() -> None:
    """A FULL with INCs, each on the one before, and two DIFFs on the FULL."""
    picture = pictured([None, 0, 1, 0, 2, 0])

    assert [(one.row, one.column) for one in picture.archives] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]
    assert picture.words == "6 archives in 1 chain"


def test_newer_chains_are_above() -> None:
    picture = pictured([None, 0, None])

    assert [one.place.archive.id for one in picture.archives] == [_id(2), _id(0), _id(1)]


def test_many_old_chains_are_one_fold() -> None:
    picture = pictured([None] * 1000)

    (fold,) = picture.folds
    assert (fold.archives, fold.links, fold.row) == (800, 0, -(-MOST_NODES // MOST_IN_ROW))


def test_archives_that_carry_nothing_are_beside_each_other() -> None:
    """As of somebody who sends nothing but FULLs; a chain between them begins anew."""
    picture = pictured([None, None, None, 2, *[None] * 13])

    assert [(one.row, one.column) for one in picture.archives][:13] == [(0, at) for at in range(12)] + [(1, 0)]
    assert [(one.row, one.column) for one in picture.archives][13:] == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert [(line.from_row, line.row) for line in picture.lines] == [(2, 2)]
    assert picture.chains == 16


def test_archives_in_a_circle_are_shown_once() -> None:
    """Nothing makes such links, but a hand may write them."""
    picture = pictured([1, 0, 1])

    assert len(picture.archives) == 3
    assert picture.chains == 1


@pytest.mark.parametrize("evidence", [Evidence.ORPHAN, Evidence.CONTRADICTED])
def test_what_lacks_its_parent_is_lost(evidence: Evidence) -> None:
    (one,) = chain_picture([place(0, None, evidence)]).archives

    assert one.is_lost


@given(forests(), st.data())
def test_a_line_is_solid_only_if_all_that_it_stands_for_is_proven(parents: Parents, data: st.DataObject) -> None:
    weak = data.draw(st.sets(st.integers(0, len(parents) - 1), max_size=2))
    evidence = [Evidence.INFERRED if number in weak else Evidence.PROVEN for number in range(len(parents))]
    picture = chain_picture([place(number, parent, evidence[number]) for number, parent in enumerate(parents)])

    for line in picture.lines:
        if line.child is not None:
            assert line.is_proven == (int(line.child.name[4:10]) not in weak)
    if not weak:
        assert all(line.is_proven for line in picture.lines)


def test_a_fold_with_an_unproven_link_has_a_dashed_line() -> None:
    run = [place(number, number - 1 if number else None) for number in range(30)]
    run[10] = place(10, 9, Evidence.INFERRED)

    assert [line.is_proven for line in chain_picture(run).lines if line.child is None] == [False]


def test_nothing_is_an_empty_picture() -> None:
    assert (chain_picture([]).rows, chain_picture([]).columns) == (0, 0)


def test_a_very_long_chain_takes_no_recursion() -> None:
    assert len(pictured([None, *range(5000)]).archives) == MOST_IN_ROW - 1


def test_standings_do_not_matter() -> None:
    rows = [(one.archive, one.link) for one in (place(0, None), place(1, 0)) if one.link is not None]

    assert len(chain_picture(list(placed(rows).values())).archives) == 2
