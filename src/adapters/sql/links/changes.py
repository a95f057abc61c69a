"""
Updates of the links in the SQL catalog when an archive is added, removed or changed, in the same transaction.

Every entry of ``archives``, including the trash, has a row in ``links``. What a link asked about is stored in the
``since_`` columns, the moments from which on archives of that type matter to it, and as short hashes in ``asked``: if
two keys share a hash, the only cost is working out a link for nothing.

``changed`` is the version of the profile at which the archive itself last changed. Links are worked out from data read
at some version; the transaction that stores them applies again everything that changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from struct import Struct

import msgspec
from attrs import frozen
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Update,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.archives.archive import AHEAD, ArchiveState, BackupArchive
from ....domain.chains.neighbours import Moment, keys_of, moment, name_key, snapshot_key
from ....domain.identity.archive_id import ArchiveId, BackupType
from ..engine import is_one_of
from ..rows import TYPES, Values, microseconds
from ..schema import LISTED_LINK, archives, asked, linked_profiles, links
from ..statements import Transaction

MANY = 50
"""Above this number of archives, the whole profile is scanned instead of looking up each of them."""

_MOMENT = Struct(">QQ")
_MICROSECOND = timedelta(microseconds=1)
_ZERO = 1 << 63  # so that times before 1970 sort correctly, too


@frozen
class LinkChange:
    """
    An archive that was added or changed: its row, and what links may have asked about it.

    *moment* orders it among others, except for those of the same moment; *position* is a total order.
    """

    seq: int
    profile: str
    type: BackupType
    moment: bytes
    position: bytes
    keys: tuple[bytes, ...]
    is_listed: bool


def change_of(seq: int, archive: BackupArchive, was: BackupArchive | None = None) -> LinkChange:
    """The change to *archive* in the row *seq*, which held *was* before."""
    keys = {*keys_of(archive), *(keys_of(was) if was is not None else ())}
    return LinkChange(
        seq,
        archive.id.profile,
        archive.id.type,
        moment_key(moment(archive)),
        position(archive),
        tuple(hashed(key) for key in keys),
        archive.state is not ArchiveState.TRASHED,
    )


def change_of_row(
    seq: int,
    profile: str,
    type: str,
    state: str,
    name: str,
    taken_us: int,
    received_us: int,
    snapshot_after: str | None,
) -> LinkChange:
    """The change for an archive that is added, from its row."""
    placed_us = received_us if taken_us - received_us > AHEAD // _MICROSECOND else taken_us
    at = _MOMENT.pack(placed_us + _ZERO, received_us + _ZERO)
    return _found(profile, seq, at + f"{type}/{name}".encode(), state != ArchiveState.TRASHED.value, snapshot_after)


def moment_key(moment: Moment) -> bytes:
    """16 bytes that sort as moments do."""
    placed_at, received_at = moment
    return _MOMENT.pack(microseconds(placed_at) + _ZERO, microseconds(received_at) + _ZERO)


def placed_key(placed_us: int) -> bytes:
    """The first moment that an archive placed at that time, in microseconds since the epoch, can have."""
    return _MOMENT.pack(placed_us + _ZERO, 0)


def position(archive: BackupArchive) -> bytes:
    """Bytes that sort as the archives of a profile do."""
    return moment_key(moment(archive)) + archive.id.label.encode()


def named(position: bytes) -> tuple[BackupType, str]:
    """The type and the name of the archive at *position*."""
    type, _, name = position[_MOMENT.size :].decode().partition("/")
    return TYPES[type], name


def hashed(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


class LinkChanges:
    """The statements, built once for a database of *dialect*."""

    def __init__(self, dialect: str) -> None:
        upsert = sqlite.insert if dialect == "sqlite" else postgresql.insert
        first = upsert(linked_profiles).values(version=1)
        self._next_version = first.on_conflict_do_update(
            index_elements=list(linked_profiles.primary_key), set_={"version": linked_profiles.c.version + 1}
        ).returning(linked_profiles.c.version)

    def came(self, transaction: Transaction, changes: Sequence[LinkChange]) -> None:
        """Entries were added, of any profiles."""
        by_profile: dict[str, list[LinkChange]] = {}
        for change in changes:
            by_profile.setdefault(change.profile, []).append(change)
        for profile, new in by_profile.items():
            version = self._version(transaction, profile)
            transaction.run_each(_ENTER, [_row(change, version) for change in new])
            if len(new) > MANY:
                forget_all(transaction, profile)
            else:
                for change in new:
                    forget(transaction, behind(transaction, change))

    def changed(self, transaction: Transaction, change: LinkChange) -> None:
        """An existing entry, in the trash or not, has changed."""
        row = _row(change, self._version(transaction, change.profile))
        transaction.run(_RESTART, {"sought": row.pop("seq"), **_NOTHING, **row})
        apply_again(transaction, change)

    def _version(self, transaction: Transaction, profile: str) -> int:
        ((version,),) = transaction.rows(self._next_version, {"profile": profile})
        return int(version)


def version_of(transaction: Transaction, profile: str) -> int:
    """The version of *profile*, 0 if it never had an archive."""
    return next((int(version) for (version,) in transaction.rows(_VERSION_OF, {"of_profile": profile})), 0)


def apply_again(transaction: Transaction, change: LinkChange) -> None:
    """Drop what follows from an archive as it was before."""
    touched = behind(transaction, change)
    forget_standings_behind(transaction, [change.seq])
    forget(transaction, touched)


def behind(transaction: Transaction, change: LinkChange) -> list[int]:
    """The rows whose links asked about an archive."""
    found = transaction.rows(_BEHIND[change.type], {"of_profile": change.profile, "moment": change.moment})
    for key in change.keys:
        found = [*found, *transaction.rows(_ASKED, {"of_profile": change.profile, "key": key})]
    return [seq for seq in dict.fromkeys(seq for (seq,) in found) if seq != change.seq]


def forget(transaction: Transaction, rows: Sequence[int]) -> None:
    """Drop the links of *rows*, and all standings that follow from them."""
    if rows:
        transaction.run(_FORGET, these(rows))
        forget_standings_behind(transaction, rows)


def forget_standings_behind(transaction: Transaction, rows: Sequence[int]) -> None:
    """Drop the standings of all that builds on *rows*; if one is dropped already, so are those behind it."""
    if rows:
        transaction.run(_FORGET_STANDINGS, these(rows))


def these(rows: Sequence[int]) -> Values:
    """The values for a statement over ``rows``."""
    return {"rows": msgspec.json.encode(rows).decode()}


def forget_all(transaction: Transaction, profile: str) -> None:
    """Drop every link of *profile*."""
    transaction.run(_FORGET_ALL, {"of_profile": profile})
    transaction.run(_FORGET_ASKED, {"of_profile": profile})


def changed_since(transaction: Transaction, profile: str, version: int) -> list[LinkChange]:
    """The archives of *profile*, in the trash or not, that were added or changed after *version*."""
    found = transaction.rows(_CHANGED_SINCE, {"of_profile": profile, "version": version})
    return [_found(profile, *row) for row in found]


def _found(profile: str, seq: int, at: bytes, is_listed: bool, snapshot_after: str | None) -> LinkChange:
    type, name = named(at)
    keys = [name_key(ArchiveId(profile, type, name))]
    if snapshot_after is not None:
        keys.append(snapshot_key(snapshot_after))
    return LinkChange(seq, profile, type, at[: _MOMENT.size], at, tuple(map(hashed, keys)), bool(is_listed))


def _row(change: LinkChange, version: int) -> Values:
    return {
        "seq": change.seq,
        "profile": change.profile,
        "type": change.type.value,
        "position": change.position,
        "is_listed": change.is_listed,
        "is_pending": True,
        "changed": version,
    }


# -- statements ------------------------------------------------------------------------------------------------------

_l = links.c
_of_profile = _l.profile == bindparam("of_profile")
_NOTHING = {
    "is_pending": True,
    "parent": None,
    "link": None,
    "since_full": None,
    "since_inc": None,
    "since_diff": None,
    "standing": None,
    "is_restorable": None,
}

SINCE = {BackupType.FULL: _l.since_full, BackupType.INC: _l.since_inc, BackupType.DIFF: _l.since_diff}

_ENTER = links.insert().inline()
_RESTART = update(links).where(_l.seq == bindparam("sought"))
_FORGET = update(links).where(is_one_of(_l.seq, "rows")).values(_NOTHING)
_FORGET_ALL = update(links).where(_of_profile, LISTED_LINK).values(_NOTHING)
_FORGET_ASKED = delete(asked).where(asked.c.profile == bindparam("of_profile"))


def _forget_standings() -> Update:
    first = select(_l.seq).where(is_one_of(_l.parent, "rows"), _l.standing.is_not(None)).cte("behind", recursive=True)
    more = links.alias("more")
    reached = first.union(select(more.c.seq).where(more.c.parent == first.c.seq, more.c.standing.is_not(None)))
    return update(links).where(_l.seq.in_(select(reached.c.seq))).values(standing=None, is_restorable=None)


_FORGET_STANDINGS = _forget_standings()


def _behind(since: ColumnElement[bytes]) -> Select[int]:
    # Every position at that moment is longer than the moment's key, and so sorts after it.
    at: BindParameter[bytes] = bindparam("moment")
    return select(_l.seq).where(_of_profile, _l.position > at, since <= at, LISTED_LINK)


_ASKED = select(asked.c.seq).where(asked.c.profile == bindparam("of_profile"), asked.c.key == bindparam("key"))
_BEHIND = {type: _behind(since) for type, since in SINCE.items()}
_VERSION_OF = select(linked_profiles.c.version).where(linked_profiles.c.profile == bindparam("of_profile"))
_CHANGED_SINCE = (
    select(_l.seq, _l.position, _l.is_listed, archives.c.snapshot_after)
    .join(archives, archives.c.seq == _l.seq)
    .where(_of_profile, _l.changed > bindparam("version"))
)
