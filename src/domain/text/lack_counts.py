"""How many names of a point cannot be restored, or only with doubt; servers and clients both report it."""

from __future__ import annotations

from attrs import frozen

from .counted import counted


@frozen
class Counts:
    """How many names are *lacking*, and how many come in the state they had before an archive that is missing."""

    lacking: int = 0
    uncertain: int = 0

    def __bool__(self) -> bool:
        return bool(self.lacking or self.uncertain)

    @property
    def words(self) -> str:
        """``3 names are missing``, ``2 names may be out of date``, or both."""
        told = []
        if self.lacking:
            told.append(f"{counted(self.lacking, 'name')} {'is' if self.lacking == 1 else 'are'} missing")
        if self.uncertain:
            told.append(f"{counted(self.uncertain, 'name')} may be out of date")
        return ", ".join(told)


NONE = Counts()
"""Everything is given, for certain."""
