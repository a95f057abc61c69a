"""
Claims on identities: taking one, holding it, and settling one that was left.

A claim says that somebody is about to publish; whether he did is told by the store. So whoever settles a claim looks at
the side-car under its identity, and removes nothing: a holder who was only slow may publish at any moment, and what he
finds then decides. A server that is alone with its store knows that nobody is slow: it need not wait for leases, and
removes a side-car whose archive never came.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import ArchiveNotFound, ClaimLost, ReceiveInProgress
from ...identity.archive_id import ArchiveId
from ...ports.catalog import AlreadyStored, Catalog, Claimed, Judge, TakenClaim, admits_all
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from .outcome import conflict_with

LEASE = timedelta(seconds=30)
"""How long a claim is its holder's: many times what publishing takes."""

_SHORTEST, _LONGEST = timedelta(seconds=0.1), timedelta(seconds=1)
"""How long to wait before a claim of somebody else is looked at again."""


def settle_claim(claim: TakenClaim, store: ArchiveStore, catalog: Catalog, *, is_alone: bool) -> bool:
    """
    Confirm *claim* if the archive that it describes is published, else release it. Returns whether it was confirmed.

    An archive that is not whole is entered as damaged: sending it again repairs it. *is_alone*: nobody else uses the
    store, so that what lies there without an archive is removed.

    Raises:
        ClaimLost: somebody else settles it.
    """
    archive = claim.archive
    try:
        stored = store.stat(archive.id)
    except ArchiveNotFound:
        stored = None
    if stored is None and is_alone:
        store.remove(archive.id)  # at most a side-car without its archive
    if stored is None or stored.sidecar != sidecar.encode(archive):
        catalog.release(archive.id, claim.token)
        return False
    if stored.size_bytes != archive.size_bytes:
        archive = evolve(archive, state=ArchiveState.DAMAGED)
    catalog.confirm(archive, claim.token)
    return True


@frozen
class HeldClaim:
    """
    A claim on *id*; its lease began no earlier than *since*, by the clock that is never set. *judge* admitted it.
    """

    id: ArchiveId
    token: str
    since: timedelta
    judge: Judge = admits_all


@frozen
class HoldClaim:
    """
    Claims for receives: `take`, `secured`, and then `confirm` or `give_up`.

    *is_alone*: no other server uses the store, and one receive at a time holds an identity in this one.
    """

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    is_alone: bool = True
    lease: timedelta = LEASE

    def take(self, archive: BackupArchive, patience: timedelta, judge: Judge = admits_all) -> HeldClaim | BackupArchive:
        """
        Claim the identity of *archive*, or the archive that has it. A claim of somebody else is waited for.

        Raises:
            ReceiveInProgress: it did not end within *patience*.
            Whatever *judge* raises, as `Catalog.claim` says.
        """
        waiting = _Waiting(self.clock, archive.id, patience)
        while True:
            since = self.clock.monotonic()
            outcome = self.catalog.claim(archive, self.lease, judge)
            if isinstance(outcome, Claimed):
                return HeldClaim(archive.id, outcome.token, since, judge)
            if isinstance(outcome, AlreadyStored):
                return outcome.archive
            if not self.settle_left(archive.id):
                waiting.pause()

    def settle_left(self, id: ArchiveId) -> bool:
        """Settle a claim on *id* that was left; returns whether there was one."""
        left = self.catalog.take_over(1, self.lease, id=id, whatever_lease=self.is_alone)
        for claim in left:
            with suppress(ClaimLost):
                settle_claim(claim, self.store, self.catalog, is_alone=self.is_alone)
        return bool(left)

    def secured(self, held: HeldClaim, archive: BackupArchive) -> HeldClaim:
        """
        The claim of *held* on the identity of *archive*, with half of its lease left: enough to publish in.

        One that was lost, since this server was slow, is made anew if the identity is free again.

        Raises:
            ReceiveInProgress: it is not.
            Whatever its judge raises: others were faster, and the quota has no room any more.
        """
        since = self.clock.monotonic()
        if since - held.since <= self.lease / 2:
            return held
        try:
            self.catalog.renew(held.id, held.token, self.lease)
        except ClaimLost:
            outcome = self.catalog.claim(archive, self.lease, held.judge)
            if not isinstance(outcome, Claimed):
                raise ReceiveInProgress(held.id) from None
            return evolve(held, token=outcome.token, since=since)
        return evolve(held, since=since)

    def give_up(self, held: HeldClaim) -> None:
        """Release the claim; one that was lost is somebody else's to release."""
        with suppress(ClaimLost):
            self.catalog.release(held.id, held.token)

    def enter(self, archive: BackupArchive, patience: timedelta) -> None:
        """
        Enter *archive*, which is published, without a claim of one's own; one of somebody else is waited for.

        Raises:
            NameConflict: the identity has another entry.
            ReceiveInProgress: the identity was claimed all the time.
        """
        waiting = _Waiting(self.clock, archive.id, patience)
        while True:
            self.catalog.adopt([archive])
            with suppress(ArchiveNotFound):
                entry = self.catalog.find(archive.id)
                if entry.digests != archive.digests:
                    raise conflict_with(archive.id, entry)
                return
            if not self.settle_left(archive.id):
                waiting.pause()


class _Waiting:
    """Pauses that grow, until *patience* is over."""

    def __init__(self, clock: Clock, id: ArchiveId, patience: timedelta) -> None:
        self._clock, self._id, self._until, self._next = clock, id, clock.monotonic() + patience, _SHORTEST

    def pause(self) -> None:
        """Raises ReceiveInProgress."""
        if self._clock.monotonic() + self._next > self._until:
            raise ReceiveInProgress(self._id)
        self._clock.wait(self._next)
        self._next = min(2 * self._next, _LONGEST)
