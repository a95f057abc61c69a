"""
The note that an archive carries in the trash, and that remains after its bytes were removed.

In the trash it says when and why the archive was removed and until when it can be brought back. After that it keeps the
name known, so that a client that still has these bytes is not asked for them again, and so that the same bytes, sent
all the same, do not count as new.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from attrs import evolve, field, frozen

from ..archives.archive import BackupArchive
from ..errors.archives import InvalidSidecar
from ..identity.archive_id import ArchiveId, BackupType
from ..identity.digests import Digests
from ..tarkeep_error import TarkeepError
from ..text.times import rfc3339

FORMAT = 1


@frozen
class TrashNote:
    """
    What is known of a removed archive: *id*, *size_bytes*, *digests* and the times at which it was received and
    taken are those of the archive.

    *plan* is the digest of the plan that removed it, *reasons* are those of the decision. It stays in the trash until
    *keep_until* at least. *parent* is what it built on, None for nothing. *purged_at* is when its bytes were removed.
    *who* asked for the removal, as in `AuditEntry`.
    """

    id: ArchiveId
    size_bytes: int
    digests: Digests
    received_at: datetime
    taken_at: datetime
    trashed_at: datetime
    keep_until: datetime
    plan: str
    reasons: tuple[str, ...]
    parent: ArchiveId | None = None
    purged_at: datetime | None = field(default=None)
    who: str | None = None

    @classmethod
    def of(
        cls,
        archive: BackupArchive,
        parent: ArchiveId | None,
        *,
        trashed_at: datetime,
        keep_until: datetime,
        plan: str,
        reasons: tuple[str, ...],
        who: str | None = None,
    ) -> TrashNote:
        """The note on *archive*, which builds on *parent*."""
        return cls(
            archive.id,
            archive.size_bytes,
            archive.digests,
            archive.received_at,
            archive.taken_at,
            trashed_at,
            keep_until,
            plan,
            reasons,
            parent,
            who=who,
        )

    def purged(self, now: datetime) -> TrashNote:
        """The note that remains once the bytes are removed."""
        return evolve(self, purged_at=now)


def encode(note: TrashNote) -> bytes:
    """*note* as UTF-8 JSON, indented for people, ending in a newline."""
    members = {
        "format": FORMAT,
        "profile": note.id.profile,
        "type": note.id.type.value,
        "name": note.id.name,
        "size": note.size_bytes,
        "md5": note.digests.md5,
        "sha256": note.digests.sha256,
        "received_at": rfc3339(note.received_at),
        "taken_at": rfc3339(note.taken_at),
        "trashed_at": rfc3339(note.trashed_at),
        "keep_until": rfc3339(note.keep_until),
        "plan": note.plan,
        "reasons": list(note.reasons),
        "parent": note.parent and {"type": note.parent.type.value, "name": note.parent.name},
        "purged_at": note.purged_at and rfc3339(note.purged_at),
        "who": note.who,
    }
    return json.dumps(members, ensure_ascii=False, indent=2).encode(errors="surrogatepass") + b"\n"


def decode(raw: bytes) -> TrashNote:
    """
    The note that `encode` wrote.

    Raises:
        InvalidSidecar: not JSON, another format, or a member missing or of the wrong kind.
    """
    try:
        members = json.loads(raw)
        _check_format(members["format"])
        parent, purged_at = members["parent"], members["purged_at"]
        profile = members["profile"]
        return TrashNote(
            ArchiveId(profile, BackupType(members["type"]), members["name"]),
            members["size"],
            Digests(md5=members["md5"], sha256=members["sha256"]),
            _parse(members["received_at"]),
            _parse(members["taken_at"]),
            _parse(members["trashed_at"]),
            _parse(members["keep_until"]),
            members["plan"],
            tuple(map(str, members["reasons"])),
            parent and ArchiveId(profile, BackupType(parent["type"]), parent["name"]),
            purged_at and _parse(purged_at),
            None if (who := members.get("who")) is None else str(who),
        )
    except InvalidSidecar:
        raise
    except KeyError as error:
        raise InvalidSidecar(f"member {error} is missing") from error
    except (ValueError, TypeError, AttributeError, RecursionError, TarkeepError) as error:
        raise InvalidSidecar(str(error)) from error


def is_purged(raw: bytes | None) -> bool:
    """Whether *raw* is a note that says that the bytes were removed; False if it cannot be read."""
    try:
        return raw is not None and decode(raw).purged_at is not None
    except InvalidSidecar:
        return False


def _check_format(found: object) -> None:
    if found != FORMAT:
        raise InvalidSidecar(f"format {found!r} is not {FORMAT}")


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
