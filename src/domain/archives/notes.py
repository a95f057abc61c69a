"""
Notes on an archive: what whoever made it has to say of it, such as which files could not be read.

A note is a line for people. They are few and short, because they travel in the head of a request and stand in every
list of points; what does not fit is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_NOTES = 200
MAX_NOTE_CHARACTERS = 1000
MAX_NOTES_BYTES = 8192
"""Of all notes of an archive together, as UTF-8."""

_ROOM_FOR_COUNT_BYTES = 32


def check_notes(notes: Sequence[str]) -> tuple[str, ...]:
    """
    *notes* as they are, if an archive may have them.

    Raises:
        ValueError: one is empty, too long, or not plain writing; or they are too many, or too much together.
    """
    for note in notes:
        if not isinstance(note, str) or not note.strip() or not note.isprintable():
            raise ValueError(f"a note is a line of plain writing, not {str(note)[:80]!a}")
        if len(note) > MAX_NOTE_CHARACTERS:
            raise ValueError(f"a note has at most {MAX_NOTE_CHARACTERS} characters, this one has {len(note)}")
    if len(notes) > MAX_NOTES:
        raise ValueError(f"an archive has at most {MAX_NOTES} notes, these are {len(notes)}")
    size = sum(len(note.encode()) for note in notes)
    if size > MAX_NOTES_BYTES:
        raise ValueError(f"the notes of an archive have at most {MAX_NOTES_BYTES} bytes together, these have {size}")
    return tuple(notes)


def fitting(notes: Sequence[str]) -> tuple[str, ...]:
    """The first of *notes*, as many as an archive may have, too long ones cut; and how many more there are."""
    kept: list[str] = []
    left = MAX_NOTES_BYTES - _ROOM_FOR_COUNT_BYTES
    for note in notes:
        line = note if len(note) <= MAX_NOTE_CHARACTERS else note[: MAX_NOTE_CHARACTERS - 3] + "..."
        left -= len(line.encode())
        if left < 0 or len(kept) == MAX_NOTES - 1:
            break
        kept.append(line)
    more = len(notes) - len(kept)
    return (*kept, f"and {more} more") if more else tuple(kept)
