"""Whether a restore that was cut goes on, and from which archive."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.client.resuming import Begun, goes_on_at, read_begun, strangers

STEPS = ("exact a", "exact b", "exact c")
CUT = Begun("1:2", STEPS, 1, frozenset([b"document"]))


@given(st.text(), st.lists(st.text()), st.integers(0, 100), st.frozensets(st.binary(max_size=9)))
def test_a_note_is_read_as_it_was_written(target: str, steps: list[str], step: int, roots: frozenset[bytes]) -> None:
    """Names of any bytes among it."""
    begun = Begun(target, tuple(steps), step, roots)
    assert read_begun(begun.written()) == begun


@pytest.mark.parametrize(
    "note",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        json.dumps({**json.loads(CUT.written()), "version": 2}).encode(),
        json.dumps({**json.loads(CUT.written()), "roots": ["\\"]}).encode(),
        json.dumps({**json.loads(CUT.written()), "steps": 3}).encode(),
        CUT.written()[:-9],
    ],
)
def test_what_is_no_note_says_nothing(note: bytes | None) -> None:
    """Then nothing was begun, and a directory that holds something is refused as ever."""
    assert read_begun(note) is None


def test_it_goes_on_with_the_archive_at_which_it_was_cut() -> None:
    """Unless something else is restored by now, or directories were renamed in it: some of them may have been."""
    assert goes_on_at(CUT, STEPS, [True, False, True]) == 1
    assert goes_on_at(CUT, STEPS, [False, True, False]) is None
    assert goes_on_at(CUT, (*STEPS, "exact d"), [False] * 4) is None
    assert goes_on_at(CUT, ("overlay a", *STEPS[1:]), [False] * 3) is None
    assert goes_on_at(Begun("1:2", STEPS, 3, frozenset()), STEPS, [False] * 3) is None
    assert goes_on_at(Begun("1:2", STEPS, -1, frozenset()), STEPS, [False] * 3) is None


def test_what_no_archive_has_put_there_is_a_stranger() -> None:
    """It is not to be removed."""
    assert strangers(CUT, [b"document"]) == []
    assert strangers(CUT, [b"notes", b"document", b"a"]) == [b"a", b"notes"]
