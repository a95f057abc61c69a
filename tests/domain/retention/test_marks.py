"""Marks: what they protect, how they are written, and that a lock never becomes shorter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.retention.marks import MAX_HOLDS, UNMARKED, UNREADABLE, Hold, Marks, decode, encode
from tarkeep.domain.retention.suspicion import Indication, Sign, Suspicion

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
REASONS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=200)
HOLDS = st.builds(
    Hold, st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), REASONS, MOMENTS, st.one_of(st.none(), MOMENTS)
)
SIGNS = st.builds(Indication, st.sampled_from(Sign), st.integers(1, 2), st.text())
MARKS = st.builds(
    Marks,
    st.lists(HOLDS, max_size=4, unique_by=lambda hold: hold.id).map(tuple),
    st.one_of(st.none(), MOMENTS),
    suspicion=st.one_of(st.none(), st.builds(Suspicion, MOMENTS, st.lists(SIGNS, min_size=1, max_size=3).map(tuple))),
)


@given(MARKS)
def test_marks_read_what_they_write(marks: Marks) -> None:
    assert decode(encode(marks)) == marks


def test_no_file_is_no_mark() -> None:
    assert decode(None) == UNMARKED
    assert UNMARKED.protection(NOW) == ()


@given(st.one_of(st.binary(), MARKS.map(encode).map(lambda raw: raw[:-5]), st.just(b'{"format": 2}')))
def test_what_cannot_be_read_protects(raw: bytes) -> None:
    """What protected the archive is unknown, not gone."""
    assert decode(raw) == UNREADABLE
    assert UNREADABLE.protection(NOW)


@given(MARKS.map(encode), st.integers(0), st.integers(1, 255))
def test_a_flipped_byte_never_frees_what_a_lock_protects(raw: bytes, at: int, change: int) -> None:
    """Whatever the damage makes of the file, it is noticed, protects, and never raises."""
    place = at % len(raw)
    assert decode(raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]) == UNREADABLE


@given(MARKS, st.lists(MOMENTS, max_size=5))
def test_a_lock_never_becomes_shorter(marks: Marks, ends: list[datetime]) -> None:
    for end in ends:
        before, marks = marks, marks.locked(end)
        assert marks.locked_until is not None
        assert marks.locked_until >= end
        assert before.locked_until is None or marks.locked_until >= before.locked_until


def test_a_lock_ends_by_itself() -> None:
    marks = UNMARKED.locked(NOW + timedelta(days=1))

    assert marks.protection(NOW) == ("locked until 2026-11-30T12:00:00Z",)
    assert marks.protection(NOW + timedelta(days=1)) == ()


def test_holds_are_independent() -> None:
    """Releasing one leaves the others; one that has ended no longer protects."""
    audit, move = Hold("audit", "tax audit 2026", NOW), Hold("move", "until moved", NOW, NOW + timedelta(days=2))
    marks = UNMARKED.held(audit).held(move)

    assert marks.protection(NOW) == ("hold audit: tax audit 2026", "hold move until 2026-12-01T12:00:00Z: until moved")
    assert marks.protection(NOW + timedelta(days=2)) == ("hold audit: tax audit 2026",)
    assert marks.released("audit").holds == (move,)
    assert marks.released("other") == marks


def test_a_hold_made_again_replaces_itself() -> None:
    marks = UNMARKED.held(Hold("audit", "one", NOW)).held(Hold("audit", "two", NOW))

    assert [hold.reason for hold in marks.holds] == ["two"]


@pytest.mark.parametrize(("id", "reason"), [("", "why"), ("a b", "why"), ("a", ""), ("a", " "), ("a", "x" * 201)])
def test_a_hold_has_a_name_and_a_reason(id: str, reason: str) -> None:
    with pytest.raises(ValueError, match="hold"):
        Hold(id, reason, NOW)


def test_holds_are_bounded() -> None:
    marks = UNMARKED
    for number in range(MAX_HOLDS):
        marks = marks.held(Hold(f"h{number}", "why", NOW))

    with pytest.raises(ValueError, match="at most 100 holds"):
        marks.held(Hold("more", "why", NOW))


@given(MARKS)
def test_marks_that_a_person_put_right_need_no_sum(marks: Marks) -> None:
    members = json.loads(encode(marks))
    del members["sum"]

    assert decode(json.dumps(members).encode()) == marks
    assert decode(json.dumps({**members, "holdings": []}).encode()) == UNREADABLE
