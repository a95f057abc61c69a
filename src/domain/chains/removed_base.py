"""What an archive builds on, if that was removed: the archive that would have to come back."""

from __future__ import annotations

from ..archives.archive import ArchiveState, BackupArchive
from ..identity.archive_id import ArchiveId, BackupType
from ..profiles.rules import ProfileRules
from .links import base_types, has_unchanged
from .neighbours import Neighbours


def removed_base(child: BackupArchive, among: Neighbours, rules: ProfileRules) -> BackupArchive | None:
    """
    The archive in the trash, or gone from it, that *child* builds on; None if it builds on a stored one or on nothing.

    The evidence is that of `links.link_archive`, in the same order; listings are not compared.
    """
    lineage = child.lineage
    if child.id.type is BackupType.FULL and not has_unchanged(child):
        return None
    if lineage.snapshot_before is not None:
        left_by = [archive for archive in among.leaving(lineage.snapshot_before) if archive.id != child.id]
        if left_by:
            return left_by[-1] if all(map(_is_removed, left_by)) else None
    if lineage.parent is not None:
        declared = among.named(ArchiveId(child.id.profile, *lineage.parent))
        return declared if declared is not None and _is_removed(declared) else None
    types = base_types(child.id.type, rules)
    if lineage.snapshot_before is not None or not types:
        return None
    newest = among.newest_before(child, types)
    return None if newest is None else among.removed_between(newest, child, types)


def _is_removed(archive: BackupArchive) -> bool:
    return archive.state is ArchiveState.TRASHED
