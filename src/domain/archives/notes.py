"""
Notes on an archive: remarks by its maker, such as which files could not be read.

A note is a line for people. Notes are few and short, because they travel in request headers and appear in every list
of points; notes beyond the limits are only counted.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_NOTES = 200
MAX_NOTE_CHARACTERS = 1000
MAX_NOTES_BYTES = 8192
"""The most bytes of UTF-8 for all notes of an archive together."""

_ROOM_FOR_COUNT_BYTES = 32


def check_notes(notes: Sequence[str]) -> tuple[str, ...]:
    """
    *notes* unchanged, if an archive may have them.

    Raises:
        ValueError: a note is empty, too long, or not printable; or the notes are too many, or too long together.
    """
    for note in notes:
        if not isinstance(note, str) or not note.strip() or not note.isprintable():
            raise ValueError(f"a note is a line of printable characters, not {str(note)[:80]!a}")
        if len(note) > MAX_NOTE_CHARACTERS:
            raise ValueError(f"a note has at most {MAX_NOTE_CHARACTERS} characters, this one has {len(note)}")
    if len(notes) > MAX_NOTES:
        raise ValueError(f"an archive has at most {MAX_NOTES} notes, not {len(notes)}")
    size = sum(len(note.encode()) for note in notes)
    if size > MAX_NOTES_BYTES:
        raise ValueError(f"the notes of an archive have at most {MAX_NOTES_BYTES} bytes together, these have {size}")
    return tuple(notes)


def fitting(notes: Sequence[str]) -> tuple[str, ...]:
    """As many of *notes* as an archive may have, from the first, long ones cut; then a count of the rest."""
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
