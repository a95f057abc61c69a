"""
The side-car: everything the server knows of an archive, as JSON beside its bytes.

The format is documented for users in ``docs/storage-format.md``. A reader ignores members it does not know, so a
later version may add some, and members that were added after the first version may be missing; ``format`` changes only
when that is not enough. The member ``sum`` covers all others, so that a single flipped bit is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from ..errors.archives import InvalidSidecar
from ..identity.archive_id import ArchiveId, BackupType
from ..identity.digests import Digests
from ..tarkeep_error import TarkeepError
from ..text.times import rfc3339
from .archive import AfterEnd, ArchiveState, BackupArchive, Contents, Copied, Kind, Lineage
from .summed import is_as_summed, sha256, summed, text_of

FORMAT = 1


def encode(archive: BackupArchive) -> bytes:
    """
    The side-car of *archive*: UTF-8 JSON, indented for people, ending in a newline.

    The only state it records is *damaged*; an archive in the trash is recognized by its place.
    """
    return summed(_members(archive))


def _members(archive: BackupArchive) -> dict[str, object]:
    contents, lineage = archive.contents, archive.lineage
    members: dict[str, object] = {
        "format": FORMAT,
        "profile": archive.id.profile,
        "type": archive.id.type.value,
        "name": archive.id.name,
        "size": archive.size_bytes,
        "md5": archive.digests.md5,
        "sha256": archive.digests.sha256,
        "received_at": rfc3339(archive.received_at),
        "taken_at": rfc3339(archive.taken_at),
        "contents": contents and _contents(contents),
        "parent": lineage.parent and {"type": lineage.parent[0].value, "name": lineage.parent[1]},
        "snapshot_before": lineage.snapshot_before,
        "snapshot_after": lineage.snapshot_after,
        "notes": list(archive.notes),
    }
    if archive.copied is not None:  # not in side-cars of others, which have to stay as they are
        members["copied"] = {"at": rfc3339(archive.copied.at), "is_late": archive.copied.is_late}
    if archive.state is ArchiveState.DAMAGED:
        members["state"] = archive.state.value
    return members


def _contents(contents: Contents) -> dict[str, object]:
    members: dict[str, object] = {
        "kind": contents.kind.value,
        "members": contents.members,
        "unpacked_size": contents.unpacked_bytes,
        "newest_member": contents.newest_member and rfc3339(contents.newest_member),
        "has_unchanged": contents.has_unchanged,
        "roots": list(contents.roots),
        "after_end": contents.after_end
        and {"size": contents.after_end.size_bytes, "is_tar": contents.after_end.is_tar},
    }
    if contents.listed is not None:  # not in side-cars of earlier versions, which have to stay as they are
        members |= {"listed": contents.listed, "unchanged": contents.unchanged}
    return members


def decode(sidecar: bytes, *, is_doubtful: bool = False) -> BackupArchive:
    """
    The archive that *sidecar* describes, ``stored`` unless the side-car says that it is damaged.

    With *is_doubtful* a wrong sum is accepted: some member has changed, and the sum does not show which.

    Raises:
        InvalidSidecar: not JSON, another format, a member missing or of the wrong kind, or a wrong sum.
    """
    try:
        members = json.loads(sidecar)
        _check_format(members["format"])
        if not is_doubtful:
            _check_sum(members, sidecar)
        contents = members["contents"]
        return BackupArchive(
            id=ArchiveId(members["profile"], BackupType(members["type"]), members["name"]),
            size_bytes=members["size"],
            digests=Digests(md5=members["md5"], sha256=members["sha256"]),
            received_at=_parse(members["received_at"]),
            taken_at=_parse(members["taken_at"]),
            contents=contents
            and Contents(
                kind=Kind(contents["kind"]),
                members=contents["members"],
                unpacked_bytes=contents["unpacked_size"],
                newest_member=contents["newest_member"] and _parse(contents["newest_member"]),
                has_unchanged=_boolean(contents.get("has_unchanged", False)),
                roots=tuple(_text(root) for root in contents.get("roots", ())),
                after_end=(behind := contents.get("after_end"))
                and AfterEnd(behind["size"], _boolean(behind["is_tar"])),
                listed=contents.get("listed"),
                unchanged=contents.get("unchanged"),
            ),
            lineage=Lineage(
                parent=(parent := members.get("parent")) and (BackupType(parent["type"]), _text(parent["name"])),
                snapshot_before=members.get("snapshot_before"),
                snapshot_after=members.get("snapshot_after"),
            ),
            state=ArchiveState(members.get("state", ArchiveState.STORED.value)),
            notes=tuple(_text(note) for note in members.get("notes", ())),
            copied=(copied := members.get("copied")) and Copied(_parse(copied["at"]), _boolean(copied["is_late"])),
        )
    except InvalidSidecar:
        raise
    except KeyError as error:
        raise InvalidSidecar(f"member {error} is missing") from error
    except (ValueError, TypeError, AttributeError, TarkeepError) as error:
        raise InvalidSidecar(str(error)) from error


def says_just(archive: BackupArchive, sidecar: bytes) -> bool:
    """
    Whether *sidecar* is one of *archive*, to the last byte as this version writes it; False says nothing.

    Takes a third of the time of `decode` and a comparison. Whoever reads a whole store finds nearly all side-cars so.
    """
    if not is_as_summed(sidecar):
        return False
    try:
        said = json.loads(sidecar)
    except ValueError:
        return False
    if isinstance(said, dict):
        said.pop("sum", None)
    return bool(said == _members(archive))


def is_unchanged(sidecar: bytes) -> bool:
    """
    Whether *sidecar*, which can be decoded, has every byte as it was written, as far as it tells.

    The first side-cars had no sum, and no members that are unknown here.
    """
    return is_as_summed(sidecar) or not json.loads(sidecar).keys() - _FIRST


_FIRST = frozenset(
    {
        *("format", "profile", "type", "name", "size", "md5", "sha256", "received_at", "taken_at", "contents"),
        *("parent", "snapshot_before", "snapshot_after", "notes", "state"),
    }
)


def _check_format(found: object) -> None:
    if found != FORMAT:
        raise InvalidSidecar(f"format {found!r} is not {FORMAT}")


def _check_sum(members: Mapping[str, object], sidecar: bytes) -> None:
    """Raise InvalidSidecar unless ``sum`` is the SHA-256 of all other members, laid out as by `encode`."""
    if is_as_summed(sidecar):
        return  # the text matches as it stands; laying the members out anew takes 40 times as long
    rest = {name: value for name, value in members.items() if name != "sum"}
    if members.get("sum") not in (None, sha256(text_of(rest)).decode()):  # the first side-cars had no sum
        raise InvalidSidecar("its sum says that it was changed since it was written")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidSidecar(f"{value!r} is neither true nor false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSidecar(f"{value!r} is not text")
    return value


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
