"""Names of a tree as its page shows them: a row for each, and what is known of the one that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from attrs import frozen

from .....domain.archives.archive import BackupArchive
from .....domain.identity.archive_id import ArchiveId
from .....domain.tar.members import Member, MemberType
from .....domain.text.paths import path_text, printable
from .....domain.usecases.looking.browse_tree import TreeEntry
from .....domain.usecases.looking.trace_history import PathVersion
from .archive import archive_url

LinkTo = Callable[[bytes, str], str]
"""The address of the page for the folder that has a path, with a name in it chosen; empty for none."""


@frozen
class ShownName:
    """
    A name as it is shown, printable; *to* is where it leads, and *get* to its content, empty if it has none.

    *folder* is the path of its folder where names of several are shown, else empty.
    """

    name: str
    folder: str
    kind: str
    size_bytes: int | None
    modified_at: datetime | None
    target: str
    to: str
    get: str

    @property
    def is_folder(self) -> bool:
        return self.kind == "folder"


@frozen
class ShownVersion:
    """What became of a name with an archive: *event* at *at*; *was* is its path before, *point* its tree then."""

    at: datetime
    event: str
    was: str
    size_bytes: int | None
    point: str
    get: str


@frozen
class ChosenName:
    """A name with what its archive says of it, and the archive's own page; it may be described by none."""

    shown: ShownName
    mode: str
    owner: str
    archive: ArchiveId | None
    archive_url: str


def shown_name(entry: TreeEntry, link_to: LinkTo, *, with_folder: bool = False) -> ShownName:
    """*entry*, with the path of its folder where names of several folders are shown together."""
    member = entry.member
    folder, _, name = entry.path.rpartition(b"/")
    is_folder = member is None or member.type is MemberType.DIRECTORY
    is_file = member is not None and member.type is MemberType.FILE
    return ShownName(
        printable(path_text(name)),
        printable(path_text(folder)) if with_folder else "",
        "folder" if is_folder else member.type.value if member is not None else "",
        member.size_bytes if member is not None and is_file else None,
        _modified(member),
        printable(path_text(member.link)) if member is not None and member.link else "",
        link_to(entry.path, "") if is_folder else link_to(folder, path_text(name)),
        _content(entry.archive, member),
    )


def chosen_name(entry: TreeEntry, link_to: LinkTo) -> ChosenName:
    """What is known of *entry*."""
    member, archive = entry.member, entry.archive
    return ChosenName(
        shown_name(entry, link_to),
        "" if member is None else f"{member.mode:04o}",
        "" if member is None else _owner(member),
        None if archive is None else archive.id,
        "" if archive is None else archive_url(archive.id),
    )


def shown_versions(versions: Iterable[PathVersion], point: Callable[[ArchiveId], str]) -> list[ShownVersion]:
    """*versions*, the newest first; *point* gives the address of the tree right after an archive."""
    found = [
        ShownVersion(
            one.archive.taken_at,
            one.change.value,
            "" if one.was is None else printable(path_text(one.was)),
            None if one.member is None or one.member.type is not MemberType.FILE else one.member.size_bytes,
            "" if one.member is None else point(one.archive.id),
            _content(one.stored_in, one.member),
        )
        for one in versions
    ]
    return found[::-1]


def _content(archive: BackupArchive | None, member: Member | None) -> str:
    """Where the bytes of a file are; of a sparse one only a tar has its holes."""
    if archive is None or member is None or member.type is not MemberType.FILE or member.is_sparse:
        return ""
    id = archive.id
    folder = f"/ui/p/{id.profile}/archives/{id.type.value}/{quote(id.name, safe='')}"
    return f"{folder}/members/{quote(path_text(member.path), safe='/')}"


def _owner(member: Member) -> str:
    user = printable(path_text(member.uname)) or str(member.uid)
    group = printable(path_text(member.gname)) or str(member.gid)
    return f"{user}:{group}"


def _modified(member: Member | None) -> datetime | None:
    if member is None:
        return None
    try:
        return datetime.fromtimestamp(member.mtime_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
