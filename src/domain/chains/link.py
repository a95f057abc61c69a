"""What an archive builds on, and on what evidence."""

from __future__ import annotations

from attrs import evolve, frozen

from ..comparing.fit import Compatibility, Completeness
from ..identity.archive_id import ArchiveId, BackupType
from ..ranked import Ranked
from ..text.counted import counted
from ..text.paths import SHOWN_BYTES, path_text


class Evidence(Ranked):
    """How surely a parent is known, from best to worst."""

    PROVEN = "proven"
    DECLARED = "declared"
    INFERRED = "inferred"
    UNCERTAIN = "uncertain"  # names are in no archive, or directories are older: the parent may be another archive
    CONTRADICTED = "contradicted"
    ORPHAN = "orphan"


_UNCHANGED_SHOWN = 3


@frozen
class Link:
    """
    What *child* builds on, and on what evidence.

    *parent* is None for an archive that builds on nothing (`is_base`) and for one whose parent is unknown. *tried* are
    the archives that were tried as the parent and rejected. *unsound* and *completeness* are those of the
    `Compatibility` with the parent. *trouble* says which member of the child tar could not extract by itself (see
    `untroubled`), as a clause, empty without one. *unchanged* lists, as text, names that a child sent as a FULL calls
    unchanged.
    """

    child: ArchiveId
    parent: ArchiveId | None
    evidence: Evidence
    reason: str
    tried: tuple[ArchiveId, ...] = ()
    unsound: str = ""
    completeness: Completeness = Completeness.WHOLE
    trouble: str = ""
    unchanged: str = ""

    @property
    def is_untroubled(self) -> bool:
        return not self.trouble

    @property
    def is_base(self) -> bool:
        """Whether it builds on nothing, so that a chain begins here."""
        return self.parent is None and self.evidence.rank < Evidence.CONTRADICTED.rank


def with_own(link: Link, alone: Compatibility) -> Link:
    """*link* with what its child shows by itself, whatever it builds on (see `untroubled.alone`)."""
    is_base = link.parent is None  # then it cannot rename anything either
    names = alone.examples if link.child.type is BackupType.FULL else ()
    unchanged = ", ".join(path_text(path[:SHOWN_BYTES]) for path in names[:_UNCHANGED_SHOWN])
    if names and alone.unresolved > _UNCHANGED_SHOWN:
        unchanged += f" and {alone.unresolved - _UNCHANGED_SHOWN} more"
    trouble = alone.unsound
    if not alone.is_excusable and is_base:
        trouble = trouble or "it renames directories, though it builds on nothing"
    link = evolve(link, trouble=trouble, unchanged=unchanged)
    if not alone.unread or link.completeness is Completeness.OVERLOOKED:  # whose reason already says so
        return link
    are = "is" if alone.unread == 1 else "are"
    told = (
        f"; {counted(alone.unread, 'file')} that it lists {are} not in it, such as "
        f"{path_text(alone.unread_examples[0][:SHOWN_BYTES])} (unreadable, vanished, or a socket)"
    )
    completeness = max(link.completeness, Completeness.LEFT_OUT, key=lambda one: one.rank)
    return evolve(link, reason=link.reason + told, completeness=completeness)


def overlooked_text(found: Compatibility) -> str:
    """What tar skipped, as the rest of a sentence."""
    text = ""
    if found.overlooked:
        it = "it" if found.overlooked == 1 else "them"
        text += (
            f"; tar did not look into {counted(found.overlooked, 'directory', 'directories')}, such as "
            f"{path_text(found.overlooked_examples[0][:SHOWN_BYTES])} (excluded, unreadable, on another file system), "
            f"or took {it} for another one after renames: what was in {it} before stays"
        )
    if found.unread:
        are, them = ("is", "it") if found.unread == 1 else ("are", "them")
        text += (
            f"; {counted(found.unread, 'file')} that it lists {are} not in it, such as "
            f"{path_text(found.unread_examples[0][:SHOWN_BYTES])} (unreadable, vanished, or a socket): only earlier "
            f"points may have {them}"
        )
    return text
