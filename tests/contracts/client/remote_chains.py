"""What every `RemoteChains` promises. The directory, as it was when GNU tar dumped it, tells what a point holds."""

from __future__ import annotations

import gzip
import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from attrs import define, field
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import BackupArchive, Lineage
from tarkeep.domain.client.ports.chains import LATEST, RemoteChains
from tarkeep.domain.client.ports.remote import Download, RemoteStore
from tarkeep.domain.errors.client import NotRestorable, RemoteNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tests.support.histories import History, Step, tar
from tests.support.tar_oracle import look_at

FULL, INC, DIFF = BackupType
AT = datetime(2026, 11, 20, 2, 0, 0, tzinfo=UTC)
INHERITED = settings(
    max_examples=6, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)
Seen = dict[bytes, tuple[str, bytes]]
_KINDS = ("write", "write", "make", "symlink", "change", "remove", "remove-tree", "move-file", "empty-directory")
_counts = st.integers(0, 11)
days = st.lists(
    st.lists(st.tuples(st.sampled_from(_KINDS), _counts, _counts, _counts), max_size=5), min_size=1, max_size=3
)


class ChainsDoor(Protocol):
    """The chains of a server, and the same server as a store, to fill it."""

    @property
    def chains(self) -> RemoteChains: ...

    @property
    def source(self) -> RemoteStore: ...

    @property
    def fresh_profile(self) -> str:
        """A profile without archives, a new one each time."""

    def damage(self, archive: BackupArchive) -> None:
        """Make the server know that the stored bytes of *archive* are damaged."""


@define
class Machine:
    """A machine that dumps one directory every day, and sends the dumps."""

    door: ChainsDoor
    history: History
    profile: str
    archives: list[BackupArchive] = field(factory=list)
    snapshots: dict[ArchiveId, bytes] = field(factory=dict)
    lives: list[Seen] = field(factory=list)

    def dump(
        self, type: BackupType, on: ArchiveId | None = None, *, keep: bool = True, notes: tuple[str, ...] = ()
    ) -> ArchiveId:
        """Dump on top of *on*, and *keep* the snapshot file on the server."""
        day = AT + timedelta(days=len(self.archives))
        id = ArchiveId(self.profile, type, f"{type.value.lower()}_{day:%Y-%m-%d_%H-%M-%S}.tar.gz")
        file = self.history.place / "snapshot"
        file.unlink(missing_ok=True)
        if on is not None:
            file.write_bytes(self.snapshots[on])
        content = gzip.compress(self.history.dump("dump.tar", file, posix=True).read_bytes(), mtime=0)
        after = file.read_bytes()
        parent = None if on is None else (on.type, on.name)
        lineage = Lineage(parent, None if on is None else digest(self.snapshots[on]), digest(after))
        stored = self.door.source.put(id, iter([content]), len(content), DeclaredDigests(), lineage, day, notes)
        self.archives.append(stored)
        self.snapshots[id] = after
        self.lives.append(self.history.live())
        if keep:
            self.door.chains.put_snapshot(id, after)
        return id


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def received(download: Download) -> bytes:
    with download:
        assert download.start_bytes == 0
        return b"".join(download)


def extracted(content: bytes, into: Path) -> Seen:
    into.mkdir()
    (into.with_suffix(".tar")).write_bytes(content)
    tar(into, "--extract", f"--file={into.with_suffix('.tar')}")
    return look_at(into)


class RemoteChainsContract:
    """A subclass gives the fixture *door*."""

    @pytest.fixture
    def machine(self, door: ChainsDoor, tmp_path: Path) -> Machine:
        """A machine with a few files."""
        machine = Machine(door, History(tmp_path), door.fresh_profile)
        (machine.history.root / "folder").mkdir()
        (machine.history.root / "folder" / "letter.txt").write_bytes(b"Dear Sir")
        (machine.history.root / "report").write_bytes(b"draft")
        machine.history.wait()
        return machine

    # -- points and plans ----------------------------------------------------------------------------------------------

    def test_points_are_listed_oldest_first(self, door: ChainsDoor, machine: Machine) -> None:
        """Each with its parent, and the number and size of the archives that restore it."""
        full = machine.dump(FULL, notes=("made by hand",))
        inc = machine.dump(INC, full, keep=False)
        first, second = door.chains.points(machine.profile)

        assert (first.id, first.parent, first.length, first.has_snapshot) == (full, None, 1, True)
        assert (second.id, second.parent, second.length, second.has_snapshot) == (inc, full, 2, False)
        assert first.notes == ("made by hand",)
        sizes = [archive.size_bytes for archive in machine.archives]
        assert [(point.size_bytes, point.path_bytes) for point in (first, second)] == [
            (sizes[0], sizes[0]),
            (sizes[1], sum(sizes)),
        ]
        for point, archive in zip((first, second), machine.archives, strict=True):
            assert (point.taken_at, point.received_at) == (archive.taken_at, archive.received_at)
            assert (point.is_restorable, point.is_sound, point.fidelity, point.state) == (True, True, "exact", "stored")
            assert (point.obstacles, point.gaps) == ((), 0)

    def test_a_single_point_is_described(self, door: ChainsDoor, machine: Machine) -> None:
        """The same as in the list, with its obstacles."""
        full = machine.dump(FULL)
        inc = machine.dump(INC, full)
        alone = door.chains.detail(inc)
        assert (alone.id, alone.fidelity, alone.obstacles, alone.gaps) == (inc, "exact", (), 0)

        door.damage(machine.archives[0])
        assert door.chains.detail(inc).obstacles
        assert [point.is_restorable for point in door.chains.points(machine.profile)] == [False, False]
        assert all(point.obstacles for point in door.chains.points(machine.profile))

    def test_a_dump_continues_from_the_newest_that_it_can(self, door: ChainsDoor, machine: Machine) -> None:
        """A DIFF from a FULL, an INC from any type; only from archives with a stored snapshot file."""
        assert [door.chains.base(machine.profile, type) for type in (INC, DIFF)] == [None, None]
        full = machine.dump(FULL)
        inc = machine.dump(INC, full)
        machine.dump(INC, inc, keep=False)

        for type, id, length in ((INC, inc, 2), (DIFF, full, 1)):
            base = door.chains.base(machine.profile, type)
            assert base is not None
            assert (base.id, base.chain_length) == (id, length)
            assert base.snapshot_sha256 == digest(machine.snapshots[id])
            assert base.taken_at in [archive.taken_at for archive in machine.archives if archive.id == id]

    def test_snapshot_files_are_kept_as_they_are(self, door: ChainsDoor, machine: Machine) -> None:
        """Byte for byte; sending one again changes nothing."""
        full = machine.dump(FULL)
        door.chains.put_snapshot(full, machine.snapshots[full])
        assert door.chains.snapshot(full) == machine.snapshots[full]

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_a_plan_is_the_way_to_a_point(self, door: ChainsDoor, machine: Machine, number: int) -> None:
        """Its archives in the order of extraction; for a time, a name, or the latest."""
        full = machine.dump(FULL)
        inc = machine.dump(INC, full)
        machine.dump(DIFF, full)
        way = [[0], [0, 1], [0, 2]][number]
        archive = machine.archives[number]
        between = (archive.taken_at + timedelta(hours=3)).isoformat()
        assert machine.archives[1].id == inc

        for at in (archive.id.name, f"{archive.id.type.value}/{archive.id.name}", between, LATEST)[: 3 + (number == 2)]:
            plan = door.chains.plan(machine.profile, at)
            assert (plan.point, plan.taken_at) == (archive.id, archive.taken_at)
            assert [(step.id, step.size_bytes, step.sha256) for step in plan.steps] == [
                (one.id, one.size_bytes, one.digests.sha256) for one in (machine.archives[place] for place in way)
            ]
            assert plan.size_bytes == sum(step.size_bytes for step in plan.steps)
            assert (plan.is_exact, plan.is_whole, plan.is_sound) == (True, True, True)

    def test_what_does_not_restore_has_no_plan(self, door: ChainsDoor, machine: Machine) -> None:
        """Nor a tree; the error gives the reasons."""
        full = machine.dump(FULL)
        door.damage(machine.archives[0])
        for ask in (
            lambda: door.chains.plan(machine.profile, full.name),
            lambda: received(door.chains.restored(machine.profile, full.name, b"")),
        ):
            with pytest.raises(NotRestorable) as caught:
                ask()
            assert caught.value.obstacles

    def test_what_is_not_there_is_not_found(self, door: ChainsDoor, machine: Machine) -> None:
        """For every method."""
        full = machine.dump(FULL, keep=False)
        none = ArchiveId(machine.profile, INC, "none.tar.gz")
        chains, nowhere = door.chains, b"root/nowhere"
        asking: list[Callable[[], object]] = [
            lambda: chains.detail(none),
            lambda: chains.snapshot(none),
            lambda: chains.snapshot(full),
            lambda: chains.plan(machine.profile, none.name),
            lambda: chains.plan(machine.profile, LATEST, path=nowhere),
            lambda: list(chains.tree(machine.profile, none.name)),
            lambda: list(chains.tree(machine.profile, LATEST, nowhere)),
            lambda: list(chains.tree(machine.profile, LATEST, nowhere, recursive=True)),
            lambda: list(chains.find(machine.profile, none.name, "a")),
            lambda: received(chains.restored(machine.profile, none.name, b"")),
            lambda: received(chains.restored(machine.profile, LATEST, nowhere)),
            lambda: chains.points(door.fresh_profile),
            lambda: chains.history(door.fresh_profile, b"root"),
        ]
        for ask in asking:
            with pytest.raises(RemoteNotFound):
                ask()

    # -- trees ---------------------------------------------------------------------------------------------------------

    @INHERITED
    @example([[("empty-directory", 0, 0, 0), ("write", 0, 1, 0)], [("remove-tree", 0, 0, 0), ("write", 0, 0, 0)]])
    @given(days)
    def test_every_point_is_the_directory_as_it_was(
        self, door: ChainsDoor, tmp_path_factory: pytest.TempPathFactory, days: list[list[Step]]
    ) -> None:
        """In its tree, below every path, and in its tar; no name is missing, and *tell* is not called."""
        machine = Machine(door, History(tmp_path_factory.mktemp("history")), door.fresh_profile)
        last: ArchiveId | None = None
        for day in days:
            machine.history.go_through(day)
            machine.history.wait()
            last = machine.dump(INC if last else FULL, last)
        into = (machine.history.place / f"into-{number}" for number in itertools.count())

        for archive, live in zip(machine.archives, machine.lives, strict=True):
            told: list[object] = []
            at = (machine.profile, archive.id.name)
            entries = {
                one.path: one for one in door.chains.tree(*at, recursive=True, tell=told.append, warn=told.append)
            }
            assert {path: one.type for path, one in entries.items()} == {path: type for path, (type, _) in live.items()}
            for path, (type, content) in live.items():
                entry = entries[path]
                assert type != "file" or entry.size_bytes == len(content)
                assert entry.link == (content if type == "symlink" else b"")
                below = {one for one in live if one.startswith(path + b"/")}
                inside = {one for one in below if b"/" not in one[len(path) + 1 :]}
                listed = {one.path for one in door.chains.tree(*at, path)}
                assert listed == (inside if type == "directory" else {path})
                assert {one.path for one in door.chains.tree(*at, path, recursive=True)} == below
            assert (told, list(door.chains.gaps(*at))) == ([], [])
            assert extracted(received(door.chains.restored(*at, b"")), next(into)) == live
        path = max(live)
        part = {one: what for one, what in live.items() if one == path or path.startswith(one + b"/")}
        assert extracted(received(door.chains.restored(*at, path)), next(into)) == part
        assert door.chains.plan(*at, path=path).is_whole

    def test_a_tree_describes_a_name(self, door: ChainsDoor, machine: Machine) -> None:
        """As in the directory; and which archive has its content."""
        full = machine.dump(FULL)
        (machine.history.root / "report").write_bytes(b"final")
        (machine.history.root / "report").chmod(0o640)
        status = (machine.history.root / "report").stat()
        inc = machine.dump(INC, full)
        found = {one.path: one for one in door.chains.tree(machine.profile, LATEST, recursive=True)}

        report = found[b"root/report"]
        assert (report.type, report.size_bytes, report.mode, report.mtime_ns) == ("file", 5, 0o640, status.st_mtime_ns)
        assert (report.uid, report.gid, report.link, report.archive) == (status.st_uid, status.st_gid, b"", inc)
        assert found[b"root/folder/letter.txt"].archive == full

    def test_names_are_found(self, door: ChainsDoor, machine: Machine) -> None:
        """By a pattern, and by a part of the name."""
        machine.dump(FULL)
        for name, paths in (("*.txt", [b"root/folder/letter.txt"]), ("repo", [b"root/report"]), ("nowhere", [])):
            assert [one.path for one in door.chains.find(machine.profile, LATEST, name)] == paths

    def test_the_history_of_a_name_is_listed(self, door: ChainsDoor, machine: Machine) -> None:
        """From archive to archive, the oldest first; empty if it did not change, or never existed."""
        report = machine.history.root / "report"
        ids = [machine.dump(FULL)]
        for change in (
            lambda: report.write_bytes(b"final version"),
            lambda: None,
            report.unlink,
            lambda: report.write_bytes(b"new"),
        ):
            change()
            ids.append(machine.dump(INC, ids[-1]))
        versions = door.chains.history(machine.profile, b"root/report")

        assert [(one.archive, one.event, one.size_bytes) for one in versions] == [
            (ids[0], "appeared", 5),
            (ids[1], "changed", 13),
            (ids[3], "deleted", None),
            (ids[4], "appeared", 3),
        ]
        assert [one.type for one in versions] == ["file", "file", None, "file"]
        assert versions[-1].mtime_ns == report.stat().st_mtime_ns
        assert [one.taken_at for one in versions] == [
            machine.archives[ids.index(one.archive)].taken_at for one in versions
        ]
        assert door.chains.history(machine.profile, b"root/nowhere") == []
