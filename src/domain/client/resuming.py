"""
Going on with a restore that was cut while tar extracted.

tar can extract an archive over a part of itself, so a restore goes on with the archive at which it was cut, over what
those before it left. Not so where directories were renamed in that archive, some of them maybe already, nor where
something else is to be restored by now: then what was extracted is removed, and all of it begins again. Both only in
the very directory that the note is about, which was empty when it was written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from ..archives import BackupArchive
from ..listings import canonical
from ..path_text import path_bytes, path_text
from .ports import Landing, LocalFiles
from .restoring import Held

_VERSION = 1


class Work(Landing, LocalFiles, Protocol):
    """What one restore keeps until it is done, and nobody else: archives that have come, a note for the next run."""

    def hold(self, archive: BackupArchive) -> Held:
        """
        *archive*, which has come, open until it is closed.

        Raises:
            FolderUnusable: it is gone, or cannot be opened.
        """

    def note(self) -> bytes | None:
        """What was noted last; None where nothing was."""

    def put_note(self, note: bytes | None) -> None:
        """Note something that survives a power cut, or with None nothing."""

    def remove(self) -> None:
        """Remove what was put here. What cannot be removed stays."""

    def close(self) -> None:
        """Let go of it, for the next run."""


@frozen
class Begun:
    """
    A note about extracting: into the directory *target* (see `LocalTree.identity`), in *steps* that together say what
    is restored, of which that one is under way whose number is *step*; *roots* are the names that may be there since.
    """

    target: str
    steps: tuple[str, ...]
    step: int
    roots: frozenset[bytes]

    def written(self) -> bytes:
        """To be read by `read_begun`."""
        told = {
            "version": _VERSION,
            "target": self.target,
            "steps": list(self.steps),
            "step": self.step,
            "roots": sorted(map(path_text, self.roots)),
        }
        return json.dumps(told, indent=1).encode()


def read_begun(note: bytes | None) -> Begun | None:
    """What *note* says; None where there is none, or none that can be understood."""
    if note is None:
        return None
    try:
        told = json.loads(note)
        if told["version"] != _VERSION:
            return None
        roots = frozenset(path_bytes(root) for root in told["roots"])
        return Begun(str(told["target"]), tuple(map(str, told["steps"])), int(told["step"]), roots)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def strangers(begun: Begun, names: Sequence[bytes]) -> list[bytes]:
    """Those of *names* in the directory that no archive has put there."""
    return sorted(name for name in names if canonical(name) not in begun.roots)


def goes_on_at(begun: Begun, steps: Sequence[str], renames: Sequence[bool]) -> int | None:
    """
    The number of the step from which *steps* go on, None where all of it has to begin again.

    *renames* tells of each whether it cannot be carried out twice.
    """
    if begun.steps != tuple(steps) or not 0 <= begun.step < len(renames) or renames[begun.step]:
        return None
    return begun.step
