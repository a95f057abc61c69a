"""Backing up with the tar of this machine to a server in memory: what is stored, what never is, and what comes next."""

from __future__ import annotations

import gzip
import hashlib
import io
import queue
import random
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, field

from tarkeep.adapters.gnu_tar.gzip_members import GzipMembers
from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.adapters.local.archive_folder import LocalFolder
from tarkeep.adapters.local.memory_file import ClientMemory
from tarkeep.adapters.local.spool_folder import SpoolFolder
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.archives.archive import Lineage
from tarkeep.domain.client.backup.back_up import BackedUp, BackUp, FetchSnapshot, PlanDump, PlannedDump
from tarkeep.domain.client.backup.dump_rule import DumpRule
from tarkeep.domain.client.backup.through_spool import BackUpThroughFile
from tarkeep.domain.client.backup.verdict import AskVerdict
from tarkeep.domain.client.ports.dumping import NO_LIMITS, DumpEnd, DumpSource, Estimate, Limits, Making
from tarkeep.domain.client.ports.spool import Spooled
from tarkeep.domain.client.push.push_archive import PushArchive
from tarkeep.domain.client.push.push_stream import PushStream
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.client import (
    DumpFailed,
    DumpTooLarge,
    FolderUnusable,
    ParentMoved,
    ServerUnreachable,
    SnapshotUnusable,
)
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support.memory_server import MemoryServer
from tests.support.trees import described, write
from tests.support.weak_tar import weak_tar

START = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
MIB = 1 << 20
FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF


def some_bytes(count: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(count)


@define
class Machine:
    """A machine with one directory to back up. Backups share no state except on the server."""

    server: MemoryServer
    home: Path
    now: datetime = START
    dumper: GnuTar = field(factory=GnuTar)
    spool: Path | None = None
    strict: bool = False
    limits: Limits = NO_LIMITS
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[str, ...] = ()
    notices: list[TarkeepError] = field(factory=list)
    planned: PlannedDump | None = None

    @property
    def tree(self) -> Path:
        return self.home / "document"

    def back_up(self, type: BackupType | None = None) -> BackedUp:
        self.now += timedelta(days=1)
        retrying = Retrying(3, wait=lambda _seconds: None, fraction=lambda: 0.0)
        hasher = HashlibHasher()

        def notice(error: TarkeepError, pause: float) -> None:
            self.notices.append(error)

        def plan() -> PlannedDump:
            judge = AskVerdict(self.server, self.dumper, retrying)
            plan = PlanDump(self.server, fetch, retrying, self.dumper, judge)
            self.planned = plan("laptop", source, type, DumpRule(), self.now, notice)
            return self.planned

        def progress(position: int, moved_bytes: int) -> None:
            pass

        source = DumpSource(str(self.tree), self.exclude, self.exclude_from)
        making = Making(self.dumper, GzipMembers(level=1, jobs=2, member_bytes=MIB), self.strict, self.limits)
        fetch = FetchSnapshot(self.server, hasher, retrying)
        if self.spool is None:
            push = PushStream(self.server, hasher, retrying)
            run = BackUp(self.server, making, push, retrying)
            return run(plan(), source, progress, notice)
        with SpoolFolder(self.spool, "laptop") as spool, closing(ClientMemory(self.home / "memory")) as memory:
            files = LocalFolder(self.home)
            pushing = PushArchive(self.server, files, memory, memory.notes, hasher, retrying, MIB)
            through = BackUpThroughFile(self.server, making, spool, pushing, hasher, retrying)
            for waiting in spool.waiting():
                through.send(waiting, progress, notice)
            return through(plan(), source, progress, notice)

    def restored(self, id: ArchiveId, into: Path) -> Path:
        """The tree that GNU tar makes of the path to *id*, in *into*."""
        into.mkdir()
        for step in self.server.plan("laptop", id.name).steps:
            subprocess.run(
                ["tar", "-xzp", "--listed-incremental=/dev/null", "-C", str(into)],
                input=self.server.kept[step.id].content,
                check=True,
            )
        return into / "document"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(MemoryServer(), tmp_path / "home")
    write(made.tree, {"a": b"a", "folder/b": b"b", "folder/gone": b"gone"})
    return made


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In all cases, no snapshot file stays on the machine."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


def test_the_first_is_full_and_the_next_continue_it(machine: Machine, tmp_path: Path) -> None:
    """Each dump declares its parent, and every point restores to the original tree."""
    trees = {}
    first = machine.back_up()
    trees[first.archive.id] = described(machine.tree)
    write(machine.tree, {"a": b"changed", "folder/gone": None, "new/c": b"c"})
    second = machine.back_up()
    trees[second.archive.id] = described(machine.tree)
    (machine.tree / "folder").rename(machine.tree / "renamed")
    third = machine.back_up(DIFF)
    trees[third.archive.id] = described(machine.tree)

    assert [str(id) for id in trees] == [
        "laptop/FULL/full_2026-11-25_02-00-00.tar.gz",
        "laptop/INC/inc_2026-11-26_02-00-00.tar.gz",
        "laptop/DIFF/diff_2026-11-27_02-00-00.tar.gz",
    ]
    lineages = [machine.server.kept[id].lineage for id in trees]
    assert [machine.server.kept[id].archive.taken_at.day for id in trees] == [25, 26, 27]
    assert lineages[0] == Lineage()
    assert lineages[1].parent == lineages[2].parent == (FULL, first.archive.id.name)
    assert lineages[1].snapshot_before == lineages[2].snapshot_before is not None
    assert all(done.is_clean and done.snapshot_error is None for done in (first, second, third))
    for number, (id, tree) in enumerate(trees.items()):
        assert described(machine.restored(id, tmp_path / str(number))) == tree


def test_members_begin_at_the_directorys_name(machine: Machine) -> None:
    """As users expect when they list the archive with tar."""
    done = machine.back_up()
    with tarfile.open(fileobj=io.BytesIO(machine.server.kept[done.archive.id].content)) as tar:
        assert "document/folder/b" in tar.getnames()


def test_a_large_dump_survives_cuts(machine: Machine) -> None:
    """It is sent as a resumable upload, and every member of the gzip can be inflated alone."""
    write(machine.tree, {"noise": some_bytes(24 * MIB)})
    machine.server.cuts = [9 * MIB, 11 * MIB]
    done = machine.back_up()

    assert len(machine.notices) == 2
    assert machine.server.cuts == []
    content = machine.server.kept[done.archive.id].content
    assert content.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00") >= 24
    assert some_bytes(24 * MIB) in gzip.decompress(content)


def test_a_dump_that_did_not_arrive_is_never_built_on(machine: Machine, tmp_path: Path) -> None:
    """The next dump continues from what the server has, and includes the files of the lost one."""
    machine.back_up()
    write(machine.tree, {"noise": some_bytes(24 * MIB)})
    machine.server.lost_from = 9 * MIB
    with pytest.raises(ServerUnreachable):
        machine.back_up()
    assert len(machine.server.kept) == 1
    machine.server.lost_from = None
    done = machine.back_up()

    assert machine.server.kept[done.archive.id].lineage.parent == (FULL, "full_2026-11-25_02-00-00.tar.gz")
    assert described(machine.restored(done.archive.id, tmp_path / "back")) == described(machine.tree)


def test_a_snapshot_file_that_did_not_arrive_leaves_the_archive_and_the_chain(machine: Machine, tmp_path: Path) -> None:
    """The failure is reported, and the dump after it continues from the one before."""
    machine.back_up()
    write(machine.tree, {"a": b"2"})
    machine.server.refuse_snapshots = 9
    unlucky = machine.back_up()
    machine.server.refuse_snapshots = 0
    write(machine.tree, {"folder/b": b"3"})
    done = machine.back_up()

    assert unlucky.snapshot_error is not None
    assert len(machine.server.kept) == 3
    assert machine.server.kept[done.archive.id].lineage.parent == (FULL, "full_2026-11-25_02-00-00.tar.gz")
    assert described(machine.restored(done.archive.id, tmp_path / "back")) == described(machine.tree)


def test_a_snapshot_file_that_is_another_is_not_used(machine: Machine) -> None:
    """Building on it would make an archive that restores wrongly."""
    done = machine.back_up()
    machine.server.snapshots[done.archive.id] += b"!"
    asked = machine.server.base("laptop", INC)
    assert asked is not None
    fetch = FetchSnapshot(machine.server, HashlibHasher(), Retrying(1, lambda _: None, lambda: 0.0))
    machine.server.snapshots[done.archive.id] += b"!"

    with pytest.raises(SnapshotUnusable):
        fetch(asked, lambda _error, _pause: None)


@pytest.mark.parametrize("spooled", [False, True], ids=["straight", "spooled"])
def test_a_damaged_snapshot_file_costs_no_night(machine: Machine, tmp_path: Path, spooled: bool) -> None:
    """Its archive is passed over at once: the dump continues from the one before, and says so."""
    machine.spool = tmp_path / "spool" if spooled else None
    first = machine.back_up()
    write(machine.tree, {"a": b"2"})
    second = machine.back_up()
    machine.server.damaged_snapshots.add(second.archive.id)
    write(machine.tree, {"folder/b": b"3"})
    done = machine.back_up()

    assert machine.planned is not None
    assert str(machine.planned.passed_over).startswith(f"the snapshot file of {second.archive.id} cannot be continued")
    assert done.archive.id.type is INC
    assert machine.server.kept[done.archive.id].lineage.parent == (FULL, first.archive.id.name)
    assert described(machine.restored(done.archive.id, tmp_path / "back")) == described(machine.tree)


@pytest.mark.parametrize("type", [None, INC, DIFF])
def test_without_any_good_snapshot_file_the_dump_is_full(
    machine: Machine, tmp_path: Path, type: BackupType | None
) -> None:
    """Even if the server does not know that its snapshot files are unusable."""
    for number in range(3):
        write(machine.tree, {"a": str(number).encode()})
        done = machine.back_up(INC)
        machine.server.false_snapshots.add(done.archive.id)
    last = machine.back_up(type)

    assert machine.planned is not None
    assert machine.planned.passed_over is not None
    assert last.archive.id.type is FULL
    assert machine.server.kept[last.archive.id].lineage == Lineage()
    assert described(machine.restored(last.archive.id, tmp_path / "back")) == described(machine.tree)


def test_what_was_excluded_and_changed_meanwhile_is_not_old(machine: Machine, tmp_path: Path) -> None:
    """tar would call it unchanged since the last dump; a FULL has its present contents."""
    write(machine.tree, {"disk.iso": b"first"})
    machine.back_up()
    machine.exclude = ("*.iso",)
    without = machine.back_up()
    write(machine.tree, {"disk.iso": b"second"})
    machine.back_up()
    machine.exclude = ()
    done = machine.back_up()

    assert without.archive.id.type is done.archive.id.type is FULL
    assert machine.planned is not None
    assert "this is a FULL, so that what was excluded is backed up" in machine.planned.reason
    assert not (machine.restored(without.archive.id, tmp_path / "without") / "disk.iso").exists()
    assert described(machine.restored(done.archive.id, tmp_path / "back")) == described(machine.tree)


@pytest.mark.parametrize("spooled", [False, True], ids=["straight", "spooled"])
def test_a_dump_on_top_of_one_of_other_files_says_what_it_lacks(
    machine: Machine, tmp_path: Path, spooled: bool
) -> None:
    """As do all later ones, until the next FULL; a DIFF on top of a FULL of the same files lacks nothing."""
    machine.spool = tmp_path / "spool" if spooled else None
    machine.back_up()
    machine.exclude = ("*.iso",)
    first, second, full = machine.back_up(INC), machine.back_up(INC), machine.back_up()
    machine.exclude = ()
    third = machine.back_up(INC)
    machine.exclude = ("*.iso",)
    diff = machine.back_up(DIFF)

    assert first.not_whole is not None
    assert "what is excluded has changed since FULL/" in first.not_whole
    assert second.not_whole is not None
    assert f"INC/{first.archive.id.name} is not whole itself" in second.not_whole
    assert (full.archive.id.type, full.not_whole) == (FULL, None)
    assert third.not_whole is not None
    assert diff.not_whole is None
    assert [list(point.notes) for point in machine.server.points("laptop")] == [
        [],
        [first.not_whole],
        [second.not_whole],
        [],
        [third.not_whole],
        [],
    ]


def test_it_does_not_matter_where_a_pattern_stands_or_the_directory_lies(machine: Machine, tmp_path: Path) -> None:
    """The set of patterns and the directory's name count; a file of patterns is read each time."""
    listed = tmp_path / "list"
    listed.write_text("*.iso\n\n*.tmp  \n")
    machine.exclude, machine.exclude_from = ("*.o",), (str(listed),)
    types = [machine.back_up().archive.id.type]
    machine.exclude, machine.exclude_from = ("*.tmp", "*.iso", "*.o"), ()
    types.append(machine.back_up().archive.id.type)
    machine.home.rename(tmp_path / "elsewhere")
    machine.home = tmp_path / "elsewhere"
    machine.exclude, machine.exclude_from = ("*.o",), (str(listed),)
    types.append(machine.back_up().archive.id.type)
    listed.write_text("*.iso\n")
    types.append(machine.back_up().archive.id.type)

    assert types == [FULL, INC, INC, FULL]
    assert machine.planned is not None
    assert "(no longer *.tmp)" in machine.planned.reason


def test_what_an_older_client_did_not_remember_costs_no_full(machine: Machine) -> None:
    """It is known from the next dump on."""
    machine.back_up()
    for id, snapshot in machine.server.snapshots.items():
        machine.server.snapshots[id] = snapshot.partition(b"0\x000\x000\x000\x000\x00//tarkeep")[0]
    machine.exclude = ("*.iso",)
    types = [machine.back_up().archive.id.type, machine.back_up().archive.id.type]
    machine.exclude = ()

    assert [*types, machine.back_up().archive.id.type] == [INC, INC, FULL]


def test_an_unreadable_list_of_patterns_is_reported(machine: Machine, tmp_path: Path) -> None:
    """Before any byte is sent."""
    machine.exclude_from = (str(tmp_path / "nowhere"),)
    with pytest.raises(FolderUnusable, match="nowhere cannot be used: No such file"):
        machine.back_up()
    assert machine.server.kept == {}


def test_a_broken_chain_is_begun_anew(machine: Machine) -> None:
    """`auto` makes a FULL after the newest archive turned out to be damaged."""
    machine.back_up()
    second = machine.back_up()
    assert second.archive.id.type is INC
    machine.server.damage(second.archive.id)

    assert machine.back_up().archive.id.type is FULL


def test_two_dumps_of_one_second_have_two_names(machine: Machine) -> None:
    """The later one is named after the next second."""
    names = []
    for _ in range(2):
        machine.now = START
        names.append(machine.back_up(FULL).archive.id.name)

    assert names == ["full_2026-11-25_02-00-00.tar.gz", "full_2026-11-25_02-00-01.tar.gz"]


def test_another_backup_in_between_is_noticed(machine: Machine) -> None:
    """A dump planned on top of an older archive is refused, and leaves nothing behind."""
    machine.back_up()
    retrying = Retrying(1, lambda _: None, lambda: 0.0)
    hasher = HashlibHasher()
    fetch = FetchSnapshot(machine.server, hasher, retrying)
    planned = PlanDump(machine.server, fetch, retrying, GnuTar(), AskVerdict(machine.server, GnuTar(), retrying))(
        "laptop", DumpSource(str(machine.tree)), INC, DumpRule(), START, lambda _error, _pause: None
    )
    machine.back_up()
    run = BackUp(
        machine.server,
        Making(GnuTar(), GzipMembers()),
        PushStream(machine.server, hasher, retrying),
        retrying,
    )

    with pytest.raises(ParentMoved):
        run(planned, DumpSource(str(machine.tree)), lambda _position, _moved: None, lambda _error, _pause: None)
    assert len(machine.server.kept) == 2


def fake_tar(folder: Path, script: str) -> GnuTar:
    """A GNU tar that runs *script* when it makes an archive."""
    program = folder / "tar"
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then exec tar --version; fi\n{script}\n')
    program.chmod(0o755)
    return GnuTar(str(program))


@pytest.mark.parametrize("size", [0, 24 * MIB], ids=["small", "large"])
@pytest.mark.parametrize(("end", "status"), [("exit 2", 2), ("kill -9 $$", -9)], ids=["fails", "is killed"])
def test_a_tar_that_does_not_end_well_leaves_nothing(
    machine: Machine, tmp_path: Path, size: int, end: str, status: int
) -> None:
    """Even if all of its output was sent, and would be a whole tar: neither archive nor upload stay."""
    write(machine.tree, {"noise": some_bytes(size)})
    machine.dumper = fake_tar(tmp_path, f'tar "$@"; echo "tar: something broke" >&2; {end}')

    with pytest.raises(DumpFailed) as failed:
        machine.back_up()
    assert (failed.value.status, failed.value.messages) == (status, ("something broke",))
    assert machine.server.kept == {}
    assert machine.server.uploads == {}
    assert len(machine.server.dropped) == (1 if size else 0)


def test_files_that_change_meanwhile_are_reported(machine: Machine, tmp_path: Path) -> None:
    """tar's exit status 1 is no failure, and its messages are passed on."""
    machine.dumper = fake_tar(tmp_path, 'tar "$@"; echo "tar: ./x: file changed as we read it" >&2; exit 1')
    done = machine.back_up()

    assert not done.is_clean
    assert done.messages == ("./x: file changed as we read it",)
    assert list(machine.server.kept) == list(machine.server.snapshots) == [done.archive.id]


@pytest.mark.parametrize("size", [0, 24 * MIB], ids=["whole", "resumable"])
@pytest.mark.parametrize("way", ["straight", "spool"])
def test_a_backup_goes_on_over_what_cannot_be_read(machine: Machine, tmp_path: Path, size: int, way: str) -> None:
    """The readable files are stored, and the server records what is missing."""
    machine.spool = machine.home / "spool" if way == "spool" else None
    machine.dumper = GnuTar(weak_tar(tmp_path))
    write(machine.tree, {"noise": some_bytes(size), "secret": b"s", "\udcff\n": b"t"})
    for name in ("secret", "\udcff\n"):
        (machine.tree / name).chmod(0)
    done = machine.back_up()

    [point] = machine.server.points("laptop")
    assert sorted(point.notes) == [
        r"document/\xff\x0a could not be read: Permission denied",
        "document/secret could not be read: Permission denied",
    ]
    assert sorted(one.path for one in done.unreadable) == [b"document/secret", b"document/\xff\n"]
    assert done.archive.id in machine.server.snapshots
    with tarfile.open(fileobj=io.BytesIO(machine.server.kept[done.archive.id].content)) as tar:
        assert "document/a" in tar.getnames()
        assert "document/secret" not in tar.getnames()


def test_notes_wait_in_the_spool_with_their_dump(spooling: Machine, tmp_path: Path) -> None:
    """A dump that one run could not send is sent by the next one, with its notes."""
    spooling.dumper = GnuTar(weak_tar(tmp_path))
    write(spooling.tree, {"noise": some_bytes(4 * MIB), "secret": b"s"})
    (spooling.tree / "secret").chmod(0)
    spooling.server.lost_from = MIB
    with pytest.raises(ServerUnreachable):
        spooling.back_up()
    spooling.server.lost_from = None
    (spooling.tree / "secret").chmod(0o600)
    spooling.back_up()

    assert [point.notes for point in spooling.server.points("laptop")] == [
        ("document/secret could not be read: Permission denied",),
        (),
    ]


@pytest.mark.parametrize("size", [0, 24 * MIB], ids=["whole", "resumable"])
def test_a_strict_backup_refuses_what_cannot_be_read(machine: Machine, tmp_path: Path, size: int) -> None:
    """Nothing is stored, and the first message names what could not be read."""
    machine.strict = True
    machine.dumper = GnuTar(weak_tar(tmp_path))
    write(machine.tree, {"noise": some_bytes(size), "secret": b"s"})
    (machine.tree / "secret").chmod(0)

    with pytest.raises(DumpFailed, match=r"tar ended with 2: document/secret: Cannot open: Permission denied; nothing"):
        machine.back_up()
    assert (machine.server.kept, machine.server.uploads) == ({}, {})


def test_a_directory_that_cannot_be_read_at_all_is_no_backup(machine: Machine, tmp_path: Path) -> None:
    """An empty dump is never stored as a backup of the directory."""
    machine.dumper = GnuTar(weak_tar(tmp_path))
    machine.tree.chmod(0)

    with pytest.raises(DumpFailed, match="document: Cannot open"):
        machine.back_up()
    assert machine.server.kept == {}
    machine.tree.chmod(0o700)


@pytest.mark.parametrize("how", ["names alone", "no file", "no folder"])
@pytest.mark.parametrize("before", [False, True], ids=["FULL", "INC"])
def test_a_dump_without_any_readable_file_is_no_backup(
    machine: Machine, tmp_path: Path, how: str, *, before: bool
) -> None:
    """For any cause; if other files are unchanged since the last dump, it is stored."""
    machine.dumper = GnuTar(weak_tar(tmp_path))
    shutil.rmtree(machine.tree)
    write(machine.tree, {"folder/a": b"a", "folder/b": b"b"})
    if before:
        machine.back_up()
    stored = dict(machine.server.kept)
    folder = machine.tree / "folder"
    spoilt = {"names alone": folder, "no file": folder / "a", "no folder": folder}[how]
    if how == "no file":
        for name in ("a", "b"):
            (folder / name).write_bytes(b"changed")
            (folder / name).chmod(0)
    else:
        folder.chmod(0o444 if how == "names alone" else 0)

    with pytest.raises(DumpFailed, match=r"document/folder.*Permission denied"):
        machine.back_up()
    assert machine.server.kept == stored
    spoilt.chmod(0o700)
    if how != "no file":
        return
    assert [one.path for one in machine.back_up().unreadable] == [b"document/folder/b"]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(max_upload_bytes=9 * MIB), "goes on after byte 9437184, which is the last .*; nothing was stored"),
        (Limits(max_upload_bytes=MIB), "goes on after byte 1048576"),
        (Limits(max_unpacked_bytes=10 * MIB), "which before compression is the last .*; nothing was stored"),
    ],
)
@pytest.mark.parametrize("way", ["straight", "spool"])
def test_a_dump_beyond_what_the_server_takes_ends_there(machine: Machine, limits: Limits, said: str, way: str) -> None:
    """The error names the limit and the setting; neither archive, upload nor spooled file stay."""
    machine.spool = machine.home / "spool" if way == "spool" else None
    machine.limits = limits
    write(machine.tree, {"noise": some_bytes(24 * MIB)})

    with pytest.raises(DumpTooLarge, match=said):
        machine.back_up()
    assert (machine.server.kept, machine.server.uploads) == ({}, {})
    assert spooled(machine) == []


def test_what_a_dump_will_hold_is_foreseen_while_it_is_made(machine: Machine) -> None:
    """By a second tar, which ends with the first, even in the middle."""
    foreseen: queue.SimpleQueue[Estimate] = queue.SimpleQueue()
    source = DumpSource(str(machine.tree))
    with GnuTar().start(source, None, foreseen.put) as dump:
        estimate = foreseen.get(timeout=60)
        content = b"".join(dump)
    with GnuTar().start(source, None, foreseen.put):
        pass

    assert estimate == GnuTar().estimate(source, None)
    assert estimate.size_bytes == len(content)


def test_a_dump_can_be_looked_at_before(machine: Machine) -> None:
    """A preview of its contents, without reading a file or leaving a trace."""
    source = DumpSource(str(machine.tree), exclude=("gone",))
    estimate = GnuTar().estimate(source, None)

    assert estimate.members == 4
    assert estimate.size_bytes >= 10240
    end = _dumped(source)
    assert GnuTar().estimate(source, end.snapshot).members == 2
    assert machine.server.kept == {}


def _dumped(source: DumpSource) -> DumpEnd:
    with GnuTar().start(source, None) as dump:
        for _ in dump:
            pass
        return dump.finish()


# -- through a file --------------------------------------------------------------------------------------------------


@pytest.fixture
def spooling(machine: Machine) -> Machine:
    """A machine that keeps its dumps in a spool until the server has them."""
    machine.spool = machine.home / "spool"
    return machine


def spooled(machine: Machine) -> list[str]:
    """The files in the spool."""
    if machine.spool is None:
        return []
    return sorted(file.name for file in machine.spool.rglob("*") if file.is_file() and file.name != "lock")


def test_a_spool_is_empty_when_the_server_has_it(spooling: Machine, tmp_path: Path) -> None:
    """The archive is sent with the snapshot digests before and after."""
    spooling.back_up()
    write(spooling.tree, {"a": b"2"})
    done = spooling.back_up()

    lineage = spooling.server.kept[done.archive.id].lineage
    assert done.archive.taken_at == START + timedelta(days=2)
    assert lineage.parent == (FULL, "full_2026-11-25_02-00-00.tar.gz")
    after = hashlib.sha256(spooling.server.snapshots[done.archive.id]).hexdigest()
    assert lineage.snapshot_after == after != lineage.snapshot_before
    assert spooled(spooling) == []
    assert described(spooling.restored(done.archive.id, tmp_path / "back")) == described(spooling.tree)


def test_the_next_run_continues_a_dump_that_could_not_be_sent(spooling: Machine, tmp_path: Path) -> None:
    """No byte is sent twice, and the next dump continues from it."""
    spooling.back_up()
    write(spooling.tree, {"noise": some_bytes(24 * MIB)})
    spooling.server.lost_from = 9 * MIB
    with pytest.raises(ServerUnreachable):
        spooling.back_up()
    [upload] = spooling.server.uploads.values()
    name = "inc_2026-11-26_02-00-00.tar.gz"
    assert spooled(spooling) == [name, f"{name}.json", f"{name}.snapshot"]
    assert len(upload.content) >= 9 * MIB

    spooling.server.lost_from = None
    write(spooling.tree, {"a": b"3"})
    done = spooling.back_up()
    assert bytes(upload.content) == spooling.server.kept[ArchiveId("laptop", INC, name)].content
    assert spooling.server.kept[done.archive.id].lineage.parent == (INC, name)
    assert spooled(spooling) == []
    assert described(spooling.restored(done.archive.id, tmp_path / "back")) == described(spooling.tree)


def test_what_the_server_would_not_continue_from_is_dropped(spooling: Machine) -> None:
    """A waiting dump is useless after another machine has continued the chain."""
    spooling.back_up()
    write(spooling.tree, {"noise": some_bytes(8 * MIB)})
    spooling.server.lost_from = MIB
    with pytest.raises(ServerUnreachable):
        spooling.back_up()
    spooling.server.lost_from = None
    spooling.server.uploads.clear()
    spooling.spool, spool = None, spooling.spool
    spooling.back_up()
    spooling.spool = spool

    with pytest.raises(ParentMoved):
        spooling.back_up()
    assert spooled(spooling) == []


def test_a_tar_that_fails_leaves_nothing_in_the_spool(spooling: Machine, tmp_path: Path) -> None:
    """A dump that a crash cut off does not survive the next look, either."""
    spooling.dumper = fake_tar(tmp_path, 'tar "$@"; exit 2')
    with pytest.raises(DumpFailed):
        spooling.back_up()
    assert spooled(spooling) == []

    assert spooling.spool is not None
    cut = spooling.spool / "laptop" / "FULL" / "full_cut.tar.gz"
    cut.write_bytes(b"half")
    spooling.dumper = GnuTar()
    spooling.back_up()
    assert spooled(spooling) == []


def test_a_spool_is_for_one_at_a_time(tmp_path: Path) -> None:
    """A second backup of the same profile is refused with that reason; one of another profile is not."""
    with SpoolFolder(tmp_path / "spool", "laptop"):
        with pytest.raises(FolderUnusable, match="another backup"):
            SpoolFolder(tmp_path / "spool", "laptop")
        with SpoolFolder(tmp_path / "spool", "desk"):
            pass
    with SpoolFolder(tmp_path / "spool", "laptop") as again:
        assert again.waiting() == []


def test_an_unreadable_description_is_reported(tmp_path: Path) -> None:
    """No file is removed because of it."""
    with SpoolFolder(tmp_path / "spool", "laptop") as spool:
        id = ArchiveId("laptop", FULL, "full_1.tar.gz")
        archive = spool.write(id, [b"x"])
        spool.describe(Spooled(id, archive, Lineage(), b"snapshot"))
        assert [dump.snapshot for dump in spool.waiting()] == [b"snapshot"]
        Path(f"{archive.path}.json").write_bytes(b"{")

        with pytest.raises(FolderUnusable, match="cannot be read"):
            spool.waiting()
        assert Path(archive.path).exists()
