"""The result of comparing two archives: whether one can build on the other."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ..ranked import Ranked


class Agreement(Enum):
    """Whether one archive can build on another, by their listings."""

    UNKNOWN = "unknown"  # one of them has no listings
    FITS = "fits"
    CONTRADICTS = "contradicts"


class Renamed(Ranked):
    """What an archive says about renamed directories, judged by its parent."""

    NOTHING = "nothing"
    FOUND = "found"  # the parent has all of them, or may have
    IN_VAIN = "in-vain"  # some are in no earlier archive, so tar cannot rename them


@frozen
class Compatibility:
    """
    The result of comparing the listings of an archive with those of a possible parent.

    *unresolved* counts the names that the archive calls unchanged and the parent does not have, *examples* are the
    first few of them as paths. *unsound* says why GNU tar, extracting the archive over the tree of the parent, would
    not produce the archive's tree (see `soundness`), as a clause; it is empty if tar would. *renamed* is about
    directories renamed between the two: then tar is known to forget names that it should archive, while otherwise a
    name that a proven chain lacks was left out on purpose. *is_open* if some names are in directories that the parent
    says nothing of, so that they have to be found before it. *overlooked* counts directories of the parent
    that the archive names but tar did not look into, so that they stay as they were, *overlooked_examples* are the
    first few of them as paths. *unread* counts files of the parent that the archive lists but does not hold, so that
    the point lacks them, *unread_examples* are the first few of these. *earlier* is a directory with an earlier time
    than in the parent; it is empty if every examined directory has the same time or a later one (see
    `directory_times`).
    """

    verdict: Agreement
    unresolved: int = 0
    examples: tuple[bytes, ...] = ()
    unsound: str = ""
    renamed: Renamed = Renamed.NOTHING
    is_open: bool = False
    overlooked: int = 0
    overlooked_examples: tuple[bytes, ...] = ()
    unread: int = 0
    unread_examples: tuple[bytes, ...] = ()
    earlier: bytes = b""

    @property
    def is_sound(self) -> bool:
        """Whether GNU tar produces the archive's tree; if not, it can still be merged."""
        return not self.unsound

    @property
    def is_excusable(self) -> bool:
        """
        Whether everything that the parent lacks may have been left out of the dump, with no archive missing.

        A renamed directory was in tar's snapshot file, and so must be in an archive.
        """
        return self.renamed is not Renamed.IN_VAIN

    @property
    def completeness(self) -> Completeness:
        """Whether the parent has the names that the archive leaves to it."""
        if self.is_open:
            return Completeness.UNKNOWN
        if self.verdict is Agreement.FITS:
            return Completeness.OVERLOOKED if self.overlooked or self.unread else Completeness.WHOLE
        if self.verdict is Agreement.CONTRADICTS:
            return Completeness.LEFT_OUT
        return Completeness.UNKNOWN


class Completeness(Ranked):
    """Whether an archive's parent has what it leaves to it, from best to worst."""

    WHOLE = "whole"  # all of it
    OVERLOOKED = "overlooked"  # all of it, but tar skipped some directories, or could not read some files
    LEFT_OUT = "left-out"  # all but names that tar or its user left out, if the chain is proven
    UNKNOWN = "unknown"
