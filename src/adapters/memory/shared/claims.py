"""Claims on identities in memory, each with the token of its holder and the end of its lease."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

from attrs import define, evolve, field, frozen

from ....domain.archives.archive import BackupArchive
from ....domain.errors.archives import ClaimLost
from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.catalog import TakenClaim


@frozen
class _Held:
    archive: BackupArchive
    token: str
    until_seconds: float


@define(eq=False)
class Claims:
    """The open claims; the caller sees to it that one thread at a time uses them."""

    _held: dict[ArchiveId, _Held] = field(factory=dict, init=False)

    def __contains__(self, id: object) -> bool:
        return id in self._held

    def enter(self, archive: BackupArchive, lease: timedelta) -> str:
        """Enter a claim on an identity that has none; returns its token."""
        token = secrets.token_hex(16)
        self._held[archive.id] = _Held(archive, token, _end_of(lease))
        return token

    def renew(self, id: ArchiveId, token: str, lease: timedelta) -> None:
        """Raises ClaimLost."""
        self._held[id] = evolve(self._ours(id, token), until_seconds=_end_of(lease))

    def end(self, id: ArchiveId, token: str) -> None:
        """Raises ClaimLost."""
        self._ours(id, token)
        del self._held[id]

    def take_over(
        self, limit: int, lease: timedelta, id: ArchiveId | None, *, whatever_lease: bool
    ) -> list[TakenClaim]:
        """As the port says."""
        now = time.monotonic()
        ended = [
            held.archive
            for held in self._held.values()
            if id in (None, held.archive.id) and (whatever_lease or held.until_seconds <= now)
        ]
        return [TakenClaim(archive, self.enter(archive, lease)) for archive in ended[:limit]]

    def all(self) -> list[BackupArchive]:
        """In the order of their ids."""
        return [self._held[id].archive for id in sorted(self._held)]

    def _ours(self, id: ArchiveId, token: str) -> _Held:
        held = self._held.get(id)
        if held is None or held.token != token:
            raise ClaimLost(id)
        return held


def _end_of(lease: timedelta) -> float:
    return time.monotonic() + lease.total_seconds()
