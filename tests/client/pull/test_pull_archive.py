"""Pulling: no byte twice, and a file gets an archive's name only with the archive's bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.local.archive_folder import LocalFolder, described
from tarkeep.adapters.local.landing_folder import LandingFolder
from tarkeep.adapters.local.memory_file import ClientMemory
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.client.pull.pull_archive import PullArchive, Pulled, PullOutcome, named
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.client import (
    FolderUnusable,
    LocalConflict,
    LocalDiskFull,
    PulledBytesDiffer,
    PullInProgress,
    ServerUnreachable,
)
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support.archives import make_archive
from tests.support.require import require
from tests.support.sources import BLOCK_BYTES, MemorySource

CONTENT = random.Random(7).randbytes(10 * BLOCK_BYTES + 1)
ARCHIVE = make_archive(content=CONTENT)


@define
class Receiver:
    """A folder to pull into from a source in memory, retrying without pauses."""

    folder: Path
    source: MemorySource = field(factory=lambda: MemorySource({ARCHIVE.id: CONTENT}))
    memory: ClientMemory = field()
    told: list[tuple[int, int]] = field(factory=list, init=False)
    notices: list[TarkeepError] = field(factory=list, init=False)

    @memory.default
    def _memory(self) -> ClientMemory:
        return ClientMemory(self.folder / "state.sqlite")

    @property
    def place(self) -> Path:
        return self.folder / "FULL" / ARCHIVE.id.name

    @property
    def part(self) -> Path:
        return Path(f"{self.place}.part")

    def lay(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def pull(self, archive: BackupArchive = ARCHIVE, *, replace: bool = False, retries: int = 3) -> Pulled:
        pulling = PullArchive(
            self.source,
            LandingFolder(self.folder),
            LocalFolder(self.folder),
            self.memory,
            HashlibHasher(),
            Retrying(retries, wait=lambda _seconds: None, fraction=lambda: 0.0),
        )
        return pulling(
            archive,
            lambda position, moved: self.told.append((position, moved)),
            lambda error, _pause: self.notices.append(error),
            replace=replace,
        )


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    one = Receiver(tmp_path)
    yield one
    one.memory.close()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_an_archive_arrives_and_is_known_from_then_on(receiver: Receiver) -> None:
    """Under its name, without a part; its digest is remembered; progress covers every byte once."""
    assert receiver.pull().arrival is PullOutcome.PULLED

    assert receiver.place.read_bytes() == CONTENT
    assert not receiver.part.exists()
    assert receiver.memory.get(described(receiver.place, BackupType.FULL)) == ARCHIVE.digests.sha256
    assert sum(moved for _, moved in receiver.told) == len(CONTENT)
    assert receiver.told[-1][0] == len(CONTENT)


def test_a_local_archive_is_not_requested(receiver: Receiver) -> None:
    """A local file is recognised by its bytes, whatever its origin."""
    receiver.lay(receiver.place, CONTENT)

    assert receiver.pull().arrival is PullOutcome.ALREADY_HERE
    assert receiver.source.asked == []


def test_a_cut_costs_no_byte(receiver: Receiver) -> None:
    """Each try continues where the last one stopped, and one without progress counts as a failure."""
    receiver.source.cuts_bytes = [2500, 0, 3000]

    assert receiver.pull(retries=2).arrival is PullOutcome.PULLED
    assert receiver.source.asked == [0, 2500, 2500, 5500]
    assert len(receiver.notices) == 3
    assert receiver.place.read_bytes() == CONTENT


def test_patience_ends_when_nothing_moves(receiver: Receiver) -> None:
    """The received bytes are kept for the next run, which reads them without counting them as transferred."""
    receiver.source.cuts_bytes = [2500, 0, 0, 0]
    with pytest.raises(ServerUnreachable):
        receiver.pull(retries=2)
    assert receiver.part.read_bytes() == CONTENT[:2500]
    receiver.source.cuts_bytes = []
    receiver.told.clear()

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.source.asked[-1] == 2500
    assert receiver.told[0] == (2500, 0)
    assert sum(moved for _, moved in receiver.told) == len(CONTENT) - 2500


@pytest.mark.parametrize("kept", [1, 2500, len(CONTENT) - 1, len(CONTENT)])
def test_a_flipped_bit_in_a_part_is_found(receiver: Receiver, kept: int) -> None:
    """Everything is downloaded again, once, and the archive is right."""
    receiver.lay(receiver.part, flipped(CONTENT[:kept], kept // 2))

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.place.read_bytes() == CONTENT
    assert receiver.source.asked == ([kept, 0] if kept < len(CONTENT) else [0])


def test_a_part_that_is_whole_is_published_without_a_byte(receiver: Receiver) -> None:
    """As after a crash before the archive was given its name."""
    receiver.lay(receiver.part, CONTENT)

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.source.asked == []


def test_a_part_longer_than_the_archive_is_dropped(receiver: Receiver) -> None:
    """It belongs to something else."""
    receiver.lay(receiver.part, CONTENT + b"more")

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.source.asked == [0]


def test_a_server_that_ignores_ranges_sends_all_again(receiver: Receiver) -> None:
    """Its bytes are not appended to the local part: one request is enough."""
    receiver.lay(receiver.part, CONTENT[:2500])
    receiver.source.knows_ranges = False

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.source.asked == [2500]
    assert receiver.place.read_bytes() == CONTENT


def test_bytes_that_end_early_are_asked_for_again(receiver: Receiver) -> None:
    """A clean end of the stream does not prove that all bytes arrived."""
    receiver.source.ends_bytes = [3000]

    assert receiver.pull().arrival is PullOutcome.PULLED
    assert receiver.source.asked == [0, 3000]
    assert "ended early" in str(receiver.notices[0])


def test_wrong_bytes_get_no_name(receiver: Receiver) -> None:
    """The error has both digests, the server is asked to check its copy, and no byte is kept."""
    receiver.source.contents[ARCHIVE.id] = flipped(CONTENT, 3)
    with pytest.raises(PulledBytesDiffer) as told:
        receiver.pull()

    assert told.value.expected == ARCHIVE.digests.sha256
    assert told.value.actual != ARCHIVE.digests.sha256
    assert receiver.source.suspected == [ARCHIVE.id]
    assert not receiver.place.exists()
    assert not receiver.part.exists()


@pytest.mark.parametrize("more", [b"x", b"x" * 5 * BLOCK_BYTES])
def test_more_bytes_than_announced_are_not_taken(receiver: Receiver, more: bytes) -> None:
    """A server that never stops cannot fill the disk."""
    receiver.source.contents[ARCHIVE.id] = CONTENT + more
    with pytest.raises(PulledBytesDiffer):
        receiver.pull()

    assert not receiver.place.exists()
    assert max(position for position, _ in receiver.told) <= len(CONTENT) + BLOCK_BYTES


def test_other_bytes_under_the_name_stay_without_replace(receiver: Receiver) -> None:
    """Without *replace* no request is made; with it, the file is replaced at the end and not before."""
    receiver.lay(receiver.place, b"mine")
    with pytest.raises(LocalConflict):
        receiver.pull()
    assert receiver.place.read_bytes() == b"mine"
    assert receiver.source.asked == []
    receiver.source.cuts_bytes = [2500]
    with pytest.raises(ServerUnreachable):
        receiver.pull(replace=True, retries=0)
    assert receiver.place.read_bytes() == b"mine"

    assert receiver.pull(replace=True).arrival is PullOutcome.PULLED
    assert receiver.place.read_bytes() == CONTENT


def test_an_archive_removed_meanwhile_is_reported(receiver: Receiver) -> None:
    """No file is left here."""
    receiver.source.contents.clear()
    with pytest.raises(ArchiveNotFound):
        receiver.pull()

    assert not receiver.part.exists()


def test_two_pulls_at_once_do_not_mix(receiver: Receiver, tmp_path: Path) -> None:
    """The second is told about the first, which ends undisturbed."""
    refused: list[TarkeepError] = []

    def come_second() -> None:
        receiver.source.on_read = lambda: None
        with ThreadPoolExecutor(1) as beside, pytest.raises(PullInProgress) as told:
            beside.submit(receiver.pull).result(30)
        refused.append(told.value)

    receiver.source.on_read = come_second
    assert receiver.pull().arrival is PullOutcome.PULLED
    assert len(refused) == 1
    assert receiver.place.read_bytes() == CONTENT
    assert receiver.pull().arrival is PullOutcome.ALREADY_HERE


def test_a_file_in_place_of_a_folder_is_reported(receiver: Receiver) -> None:
    """The error names its path."""
    receiver.lay(receiver.folder / "FULL", b"")

    with pytest.raises(FolderUnusable, match="FULL"):
        receiver.pull()


# -- a disk that is full ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver whose disk holds one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") is not None and (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True).returncode == 0
    )
    require("tmpfs", mounted, "run as root where mounting a tmpfs is allowed")
    memory = ClientMemory(tmp_path / "state.sqlite")
    yield Receiver(folder, memory=memory)
    memory.close()
    subprocess.run(["umount", folder], check=True)


def test_what_cannot_fit_is_not_begun(small_receiver: Receiver) -> None:
    """Better now than hours later; the error has both sizes."""
    with pytest.raises(LocalDiskFull) as told:
        small_receiver.pull(evolve(ARCHIVE, size_bytes=2 << 20))

    assert told.value.needed_bytes == 2 << 20
    assert told.value.free_bytes is not None
    assert small_receiver.source.asked == []


def test_a_disk_that_fills_up_meanwhile_keeps_what_it_has(small_receiver: Receiver) -> None:
    """The same command continues once there is room."""
    content = random.Random(8).randbytes(900 << 10)
    archive = make_archive(content=content)
    small_receiver.source.keep(archive.id, content)
    filler = small_receiver.folder / "filler"
    small_receiver.source.on_read = lambda: small_receiver.lay(filler, bytes(500 << 10))
    with pytest.raises(LocalDiskFull):
        small_receiver.pull(archive)
    kept = small_receiver.part.stat().st_size
    assert 0 < kept < len(content)
    filler.unlink()
    small_receiver.source.on_read = lambda: None

    assert small_receiver.pull(archive).arrival is PullOutcome.PULLED
    assert small_receiver.source.asked == [0, kept]
    assert small_receiver.place.read_bytes() == content


# -- what names ask for ----------------------------------------------------------------------------------------------

HELD = [make_archive(name, type=type) for name in ("a.tar.gz", "b.tar.gz") for type in BackupType]


def test_names_choose_with_and_without_a_type() -> None:
    """A name alone selects every type; names without a match are reported once, in the given order."""
    chosen, missing = named(HELD, ["a.tar.gz", "INC/b.tar.gz", "FULL/c.tar.gz", "c.tar.gz", "c.tar.gz"])

    assert [str(archive.id) for archive in chosen] == [
        "document/FULL/a.tar.gz",
        "document/INC/a.tar.gz",
        "document/DIFF/a.tar.gz",
        "document/INC/b.tar.gz",
    ]
    assert missing == ["FULL/c.tar.gz", "c.tar.gz"]
    assert named(HELD, []) == (HELD, [])


@given(st.lists(st.sampled_from([*(a.id.name for a in HELD), "FULL/a.tar.gz", "x", "FULL/x"])))
def test_every_name_is_found_or_missing(names: list[str]) -> None:
    """And never both."""
    chosen, missing = named(HELD, names)
    found = {archive.id.name for archive in chosen} | {f"{a.id.type.value}/{a.id.name}" for a in chosen}

    assert all((name in missing) != (name in found) for name in names)
