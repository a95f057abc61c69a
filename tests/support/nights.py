"""A machine that dumps every night, and the server that keeps its archives, for tests of retention."""

from __future__ import annotations

import gzip
import hashlib
from datetime import timedelta
from pathlib import Path
from random import Random

from attrs import define, field

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.archives.inventory import InventoryEntry, SyncReport
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.store import ArchiveStore
from tarkeep.domain.ports.upkeep.evidence import EvidenceLog
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock
from tests.support.histories import History

FULL, INC = BackupType.FULL, BackupType.INC
NIGHT = timedelta(days=1)
UNSTATED = Lineage()
POLICY = RetentionPolicy(
    (KeepRule(Every.DAY, 3),), minimum_points=0, minimum_fulls=1, minimum_age=Span.parse("0d"), largest_share=1.0
)


@define
class Nights:
    """A machine that dumps a directory every night to a server whose rules may change."""

    place: Path
    store: ArchiveStore
    catalog: Catalog = field(factory=MemoryCatalog)
    clock: FixedClock = field(factory=FixedClock)
    rules: CurrentRules = field(factory=lambda: CurrentRules(RuleBook((("laptop", ProfileRules(retention=POLICY)),))))
    file_bytes: int = 3000
    evidence: EvidenceLog = field(factory=MemoryEvidenceLog)
    tarkeep: Tarkeep = field(init=False)
    sent: list[tuple[ArchiveId, bytes]] = field(factory=list)
    _history: History = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._history = History(self.place)
        self.restart()

    def restart(self) -> None:
        """As after a start of the server."""
        self.tarkeep = assembled(self.store, self.catalog, self.clock, rules=self.rules, evidence=self.evidence)
        self.tarkeep.recover()
        self.tarkeep.settle_trash()
        self.tarkeep.adopt_archives()

    def night(self, type: BackupType, *, file: str | None = None, lineage: Lineage = UNSTATED) -> ArchiveId:
        """Change a *file*, a new one by default, dump, and send it; the next day begins."""
        id, content = self.dump(type, file=file)
        self.tarkeep.receive(Offer(id, lineage=lineage), [content])
        self.sent.append((id, content))
        self.clock.advance(NIGHT)
        return id

    def dump(self, type: BackupType, *, file: str | None = None) -> tuple[ArchiveId, bytes]:
        """Change a *file*, and dump; nothing is sent."""
        number = len(self.sent)
        (self._history.root / (file or f"file{number}")).write_bytes(Random(number).randbytes(self.file_bytes))
        if type is FULL:
            (self.place / "snar").unlink(missing_ok=True)
        return ArchiveId("laptop", type, f"night{number:02}.tar.gz"), gzip.compress(self.dumped(), mtime=0)

    def dumped(self) -> bytes:
        """A dump by GNU tar, continued from the snapshot file ``snar`` in *place*."""
        return self._history.dump("dump.tar", self.place / "snar", posix=False).read_bytes()

    @property
    def root(self) -> Path:
        """The directory that is dumped."""
        return self._history.root

    def chain(self, nights: int) -> list[ArchiveId]:
        """A FULL, and an INC in each further night."""
        return [self.night(FULL), *(self.night(INC) for _ in range(nights - 1))]

    def restored(self, id: ArchiveId) -> bytes:
        """restore.tar of a point."""
        return b"".join(self.tarkeep.restore_tar(self.tarkeep.open_point("laptop", id)))

    def prune(self) -> list[ArchiveId]:
        """Carry out the present plan; returns what went."""
        plan = self.tarkeep.plan_prune("laptop")
        done = self.tarkeep.apply_prune("laptop", plan.digest)
        assert done == plan
        return [one.archive.id for one in done.removed]

    def damage_sidecar(self, id: ArchiveId) -> None:
        """Overwrite the side-car that *id* has in the trash, by the back door."""
        if isinstance(self.store, MemoryArchiveStore):
            held = self.store.in_trash[id].held
            assert held is not None
            held.sidecar = b"not a side-car"
            return
        (file,) = self.place.parent.glob(f"data/trash/*/{id.type.value}/{id.name}.json")
        file.unlink()
        file.write_bytes(b"not a side-car")

    def harm(self, id: ArchiveId, *, keep_bytes: int | None = None, place: str = "archives") -> None:
        """Cut the file of *id*, in *place* or in the ``trash``, to so many bytes, or take it away, by the back door."""
        if isinstance(self.store, MemoryArchiveStore):
            held = self.store.archives[id] if place == "archives" else self.store.in_trash[id].held
            assert held is not None
            held.content = held.content[:keep_bytes]
            if keep_bytes is None:
                del self.store.archives[id]
            return
        (file,) = self.place.parent.glob(f"data/{place}/*/{id.type.value}/{id.name}")
        content = file.read_bytes()
        file.unlink()
        if keep_bytes is not None:
            file.write_bytes(content[:keep_bytes])

    def damage_note(self, id: ArchiveId) -> None:
        """Overwrite the note that *id* has in the trash, by the back door."""
        if isinstance(self.store, MemoryArchiveStore):
            self.store.in_trash[id].note = b"not a note"
            return
        (note,) = self.place.parent.glob(f"data/trash/*/{id.type.value}/{id.name}.trashed.json")
        note.unlink()
        note.write_bytes(b"not a note")

    def stored(self) -> list[ArchiveId]:
        return [archive.id for archive in self.catalog.page(limit=1000).archives]

    def compared(self) -> SyncReport:
        """The server's comparison with everything that was ever sent."""
        entries = [
            InventoryEntry(id.type, id.name, len(content), sha256=hashlib.sha256(content).hexdigest())
            for id, content in self.sent
        ]
        return SyncReport.of(self.tarkeep.verify(entries, lambda: "laptop", principal=ANONYMOUS))
