"""
Several servers over one bucket in memory and one database, in one process, in an order that the test says.

As in `tests.support.schedules` one of them stops before or after a chosen step, which here is each request to the
bucket, each call of the catalog and each one about a lease. Whoever stands still loses his leases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.process.name_locks import ProcessNameLocks
from tarkeep.adapters.process.upkeep.leased_names import LeasedNames
from tarkeep.adapters.process.upkeep.renewed_leases import RenewedLeases
from tarkeep.adapters.process.upload_locks import ProcessUploadLocks
from tarkeep.adapters.s3.archive_store import S3ArchiveStore
from tarkeep.adapters.s3.keys import ARRIVED, Place
from tarkeep.adapters.s3.places import named_by
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.shared.upload_rows import LeasedUploadLocks, SqlUploadSessions
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.profiles.rules import NO_RULES, Rules
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tarkeep.entrypoints.wiring.uploads import UploadLimits
from tests.support.archives import NOON
from tests.support.assembled import Crash, Notices, assembled
from tests.support.claims import OVER
from tests.support.clocks import FixedClock
from tests.support.memory_bucket import MemoryClient, WatchedBucket
from tests.support.schedules import Stops

_NEVER = timedelta(days=1)
_NO_TIME = timedelta(0)


@define(eq=False)
class BucketSite:
    """
    What the servers share: *catalog*, the *tables* of uploads, and the bucket of *client*; *told* has what they
    answered. Their data directories are below *folder*.
    """

    folder: Path
    catalog: SqlCatalog
    tables: SharedTables
    rules: Rules = NO_RULES
    client: MemoryClient = field(factory=MemoryClient)
    told: list[str] = field(factory=list)
    now: timedelta = _NO_TIME
    _servers: list[BucketServer] = field(factory=list)
    _numbers: Iterator[int] = field(factory=itertools.count)

    def server(self, stops: Stops | None = None) -> BucketServer:
        """Another server, with a data directory of its own."""
        stops, number = stops or Stops(), next(self._numbers)
        (self.folder / f"data-{number}").mkdir(0o700)
        clock = FixedClock(NOON + self.now, self.now)
        table: Any = stops.around(self.catalog.leases)
        leases = RenewedLeases(table, f"server-{number}", every=_NEVER, ticks=lambda: clock.monotonic().total_seconds())
        steps: list[Callable[[str], None]] = []  # none as it opens the bucket
        bucket = WatchedBucket(self.client, "bucket", "", step=lambda name: steps[0](name) if steps else None)
        store = S3ArchiveStore.over(bucket, self.folder / f"data-{number}", ids=RandomIds())
        steps.append(stops.step)
        names = LeasedNames(ProcessNameLocks(), leases)
        store.share(names)
        catalog: Any = _FencedCatalog(self.catalog, names)
        locks = LeasedUploadLocks(ProcessUploadLocks(), leases)
        tarkeep = assembled(
            store,
            stops.around(catalog),
            clock,
            ids=RandomIds(),
            rules=self.rules,
            names=names,
            sessions=stops.around(SqlUploadSessions(self.tables, locks.lease_of, leases.holder)),
            upload_locks=locks,
            upload_limits=UploadLimits(may_move=True),
            notifier=Notices(),
            is_shared=True,
        )
        intake = tarkeep.receive.begin_intake
        settle = evolve(intake.settle, claims=evolve(intake.settle.claims, lease=OVER))
        intake, uploads = evolve(intake, settle=settle), tarkeep.uploads
        uploads = evolve(uploads, append=evolve(uploads.append, begin_intake=intake))
        tarkeep = evolve(tarkeep, receive=evolve(tarkeep.receive, begin_intake=intake), uploads=uploads)
        self._servers.append(BucketServer(self, tarkeep, clock, store, leases))
        return self._servers[-1]

    def close(self) -> None:
        """End all servers."""
        while self._servers:
            self._servers.pop().close()

    def end(self) -> None:
        """Likewise, and sweep what they left for their next start."""
        folders = [self.folder / f"data-{number}" for number in range(next(self._numbers))]
        self.close()
        for folder in filter(Path.exists, folders):
            with closing(
                S3ArchiveStore.over(WatchedBucket(self.client, "bucket", ""), folder, ids=RandomIds())
            ) as store:
                store.sweep(datetime.max.replace(tzinfo=UTC))

    def nobodys(self) -> set[str]:
        """The objects with bytes that nothing names."""
        objects = self.client.objects
        named = {
            named_by(dict(found.metadata))
            for key, found in objects.items()
            if key.startswith(tuple(place.value for place in Place))
        }
        return {key for key in objects if key.startswith(ARRIVED)} - named


@frozen
class _FencedCatalog:
    """The catalog as the server with *names* has it: the servers share one object, since making it takes long."""

    catalog: SqlCatalog
    names: LeasedNames

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.catalog, name)
        if not callable(call):
            return call

        def fenced(*arguments: Any, **options: Any) -> Any:
            self.catalog.fence(self.names.fences)
            return call(*arguments, **options)

        return fenced


@define(eq=False)
class BucketServer:
    """One of the servers."""

    site: BucketSite
    tarkeep: Tarkeep
    clock: FixedClock
    store: S3ArchiveStore
    leases: RenewedLeases

    def tries(self, work: Callable[[Tarkeep], object]) -> bool:
        """Do *work*; whether somebody was told that it is done. A refusal, or a server that dies, tells nothing."""
        try:
            done = work(self.tarkeep)
        except (TarkeepError, Crash):
            return False
        if done is not False:
            self.site.told.append(work.__name__)
        return done is not False

    def content(self, id: ArchiveId) -> bytes:
        """The stored bytes; an `AssertionError` if there are none."""
        try:
            with self.store.read(id) as reader:
                return b"".join(reader)
        except ArchiveNotFound:
            raise AssertionError(f"{id} is listed and cannot be read") from None

    def sleep(self) -> None:
        """The machine of this server stands still for longer than any lease, and nobody else's."""
        self.clock.advance(timedelta(minutes=1))
        self.site.catalog.leases.renew(self.leases.holder, timedelta(0))

    def close(self) -> None:
        self.tarkeep.uploads.close()
        self.leases.close()
        self.store.close()
