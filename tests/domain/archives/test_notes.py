"""Notes on an archive: which are allowed, and how many fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.notes import MAX_NOTES, check_notes, fitting

LINES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=2000)


@given(st.lists(LINES, max_size=MAX_NOTES + 20))
def test_fitting_notes_are_kept_and_the_rest_counted(notes: list[str]) -> None:
    """However many and long they are; in order, and any that do not fit are counted."""
    kept = fitting(notes)

    assert check_notes(kept) == kept
    more = 0
    if len(kept) < len(notes) or (kept and kept[-1] != notes[-1] and kept[-1].startswith("and ")):
        more = int(kept[-1].split()[1])
        kept = kept[:-1]
    assert len(kept) + more == len(notes)
    for short, whole in zip(kept, notes, strict=False):
        assert short == whole or whole.startswith(short.removesuffix("..."))


@pytest.mark.parametrize("note", ["", "  ", "a\nb", "\x1b[31m", "\udcff", "x" * 1001])
def test_a_note_is_a_line_of_printable_characters(note: str) -> None:
    """No control characters for a terminal, and not too long."""
    with pytest.raises(ValueError, match="a note"):
        check_notes([note])
