"""Restoring with the tar of this machine: the tree as it was, or nothing at all."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define, field, frozen

from tarkeep.adapters.gnu_tar.content import file_in
from tarkeep.adapters.gnu_tar.members import TarMembers
from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.adapters.local.archive_folder import described as local_archive
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.client.ports.chains import RestorePlan, RestoreStep
from tarkeep.domain.client.ports.local_archives import LocalArchive
from tarkeep.domain.client.restore.restore import ExtractPlan, PlanRestoring, RestorePath
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.client import (
    ExtractFailed,
    ServerUnreachable,
    UnsafeMembers,
)
from tarkeep.domain.errors.content import GzipDamaged
from tarkeep.domain.errors.settings import UsageError
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.archives import NOON
from tests.support.memory_server import MemoryServer
from tests.support.trees import described, write


@define
class Chain:
    """Dumps of the folder ``document`` in *home*, made by GNU tar as a script would make them."""

    home: Path
    archives: list[LocalArchive] = field(factory=list)

    @property
    def tree(self) -> Path:
        return self.home / "document"

    def dump(self, *options: str, incremental: bool = True) -> LocalArchive:
        type = BackupType.INC if self.archives else BackupType.FULL
        file = self.home / f"{type.value.lower()}_{len(self.archives)}.tar.gz"
        snapshot = [f"--listed-incremental={self.home / 'snapshot'}"] if incremental else []
        subprocess.run(["tar", "-czf", file, *snapshot, *options, "-C", self.home, "document"], check=True)
        self.archives.append(local_archive(file, type))
        return self.archives[-1]

    def plan(self, *, incremental: bool = True) -> RestorePlan:
        steps = tuple(
            RestoreStep(ArchiveId("laptop", each.type, each.name), each.size_bytes, "0" * 64, incremental)
            for each in self.archives
        )
        return RestorePlan(steps[-1].id, NOON, "exact", "proven", 1, steps)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    made = Chain(tmp_path / "home")
    write(made.tree, {"a": b"a", "folder/b": b"b", "folder/gone": b"gone"})
    return made


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "back"
    folder.mkdir()
    return folder


@frozen
class InFile:
    """A pulled archive in a file."""

    archive: LocalArchive

    @property
    def label(self) -> str:
        return self.archive.label

    @property
    def sha256(self) -> str:
        return hashlib.sha256(Path(self.archive.path).read_bytes()).hexdigest()

    @property
    def size_bytes(self) -> int:
        return self.archive.size_bytes

    def blocks(self) -> Iterator[bytes]:
        yield Path(self.archive.path).read_bytes()

    def close(self) -> None:
        """The file is never kept open."""


def extract(plan: RestorePlan, archives: list[LocalArchive], into: Path, program: str = "tar") -> list[str]:
    """Carry out *plan*. Returns the labels of the archives in the order of extraction."""
    held, begun = [InFile(archive) for archive in archives], list[str]()
    run = ExtractPlan(TarMembers(), GnuTar(program), HashlibHasher())
    run.look(held, lambda *_reached: None)
    run(plan, held, str(into), lambda *_reached: None, lambda number: begun.append(held[number].label))
    return begun


@pytest.mark.parametrize("format", ["gnu", "posix"])
def test_a_chain_gives_the_tree_as_it_was(chain: Chain, into: Path, format: str) -> None:
    """Deleted and renamed names, modes, times, links of both kinds, and names that are not text."""
    chain.dump(f"--format={format}")
    write(chain.tree, {"folder/gone": None, "a": b"changed"})
    (chain.tree / "folder").rename(chain.tree / "renamed")
    (chain.tree / "renamed" / "b").chmod(0o600)
    (chain.tree / "link").symlink_to("/etc/passwd")
    os.link(chain.tree / "a", chain.tree / "hard")
    Path(os.fsdecode(bytes(chain.tree) + b"/\xff\n")).write_bytes(b"odd")
    (chain.tree / "renamed").chmod(0o777)
    chain.dump(f"--format={format}")
    told = extract(chain.plan(), chain.archives, into)

    expected, found = described(chain.tree), described(into / "document")
    if format == "gnu":  # the format has whole seconds only
        expected = {name: (*each[:2], 0, *each[3:]) for name, each in expected.items()}
        found = {name: (*each[:2], 0, *each[3:]) for name, each in found.items()}
    assert found == expected
    assert told == ["FULL/full_0.tar.gz", "INC/inc_1.tar.gz"]


def test_plain_archives_are_laid_over_each_other(chain: Chain, into: Path) -> None:
    """Deleted files come back, which is why it is called an overlay."""
    chain.dump(incremental=False)
    write(chain.tree, {"folder/gone": None, "a": b"changed"})
    chain.dump(incremental=False)
    extract(chain.plan(incremental=False), chain.archives, into)

    assert (into / "document" / "a").read_bytes() == b"changed"
    assert (into / "document" / "folder" / "gone").read_bytes() == b"gone"


def hostile(folder: Path, *members: tuple[str, bytes, str]) -> LocalArchive:
    """An archive with *members*: name, content, link target."""
    file = folder / "full_hostile.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for name, type, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = type, link
            tar.addfile(info)
    return local_archive(file, BackupType.FULL)


@pytest.mark.parametrize(
    "members",
    [
        [("/tmp/absolute", tarfile.REGTYPE, "")],
        [("fine", tarfile.REGTYPE, ""), ("../up", tarfile.REGTYPE, "")],
        [("out", tarfile.SYMTYPE, ".."), ("out/up", tarfile.REGTYPE, "")],
        [("shadow", tarfile.LNKTYPE, "/etc/shadow")],
    ],
    ids=["absolute", "upwards", "through a link", "hard link"],
)
@pytest.mark.parametrize("place", ["first", "second"])
def test_what_would_be_written_elsewhere_stops_all(
    chain: Chain, into: Path, members: list[tuple[str, bytes, str]], place: str
) -> None:
    """Before anything is extracted, in any archive of the chain."""
    bad = hostile(chain.home, *members)
    chain.archives = [bad] if place == "first" else [chain.dump(), bad]

    with pytest.raises(UnsafeMembers):
        extract(chain.plan(), chain.archives, into)
    assert list(into.iterdir()) == []
    assert not (into.parent / "up").exists()


def test_a_link_of_one_archive_is_no_way_out_for_the_next(chain: Chain, into: Path) -> None:
    """Each archive alone is harmless."""
    first = hostile(chain.home, ("out", tarfile.SYMTYPE, ".."))
    second_folder = chain.home / "second"
    second_folder.mkdir()
    second = hostile(second_folder, ("out/up", tarfile.REGTYPE, ""))
    chain.archives = [first, second]

    with pytest.raises(UnsafeMembers, match="leads through the link out"):
        extract(chain.plan(incremental=False), chain.archives, into)


def test_a_damaged_archive_stops_all(chain: Chain, into: Path) -> None:
    """No member of the good archive before it is extracted."""
    chain.dump()
    bad = chain.dump()
    content = Path(bad.path).read_bytes()
    Path(bad.path).write_bytes(content[:-4] + b"\0\0\0\0")

    with pytest.raises(GzipDamaged):
        extract(chain.plan(), chain.archives, into)
    assert list(into.iterdir()) == []


def test_the_first_error_of_tar_ends_it(chain: Chain, into: Path, tmp_path: Path) -> None:
    """Later archives would build on a broken tree."""
    chain.dump()
    chain.dump()
    program = tmp_path / "tar"
    program.write_text('#!/bin/sh\necho "$@" >>"$0.calls"\necho "tar: disk full" >&2\nexit 2\n')
    program.chmod(0o755)

    with pytest.raises(ExtractFailed) as failed:
        extract(chain.plan(), chain.archives, into, str(program))
    assert (failed.value.what, failed.value.status, failed.value.messages) == ("FULL/full_0.tar.gz", 2, ("disk full",))
    [call] = Path(f"{program}.calls").read_text().splitlines()
    wanted = {"--extract", "--preserve-permissions", "--xattrs", "--xattrs-include=*", "--acls"}
    assert wanted | {"--listed-incremental=/dev/null"} <= set(call.split())


def test_a_plan_whose_archives_are_gone_is_no_plan() -> None:
    """They were removed in between, or stored anew with other bytes."""

    @define(eq=False)
    class Forgetful(MemoryServer):
        def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
            id = ArchiveId("laptop", BackupType.FULL, "full_0.tar.gz")
            return RestorePlan(id, NOON, "exact", None, 1, (RestoreStep(id, 1, "0" * 64, True),))

    server = Forgetful()
    ask = PlanRestoring(server, server, Retrying(1, lambda _: None, lambda: 0.0))

    with pytest.raises(ArchiveNotFound):
        ask("laptop", "latest", lambda _error, _pause: None)


# -- one path, straight from a server --------------------------------------------------------------------------------


@frozen
class Stream:
    """The stream of a server, which *ends* well or with an error."""

    content: bytes
    error: Exception | None = None
    start_bytes: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for position in range(0, len(self.content), 700):
            yield self.content[position : position + 700]
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        return None


@define(eq=False)
class Sender(MemoryServer):
    """A server that sends *stream* for every request."""

    stream: Stream = Stream(b"")

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> Stream:
        return self.stream


def tar_of(*members: tuple[str, bytes, str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, type, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mtime = type, link, len(content), 1_700_000_000
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def restore_path(into: Path) -> Callable[[Stream], int]:
    def restore(stream: Stream) -> int:
        counted = 0

        def count(count_bytes: int) -> None:
            nonlocal counted
            counted += count_bytes

        run = RestorePath(Sender(stream=stream), TarMembers(), GnuTar())
        run("laptop", "latest", b"document/a", str(into), count)
        return counted

    return restore


def test_one_path_comes_as_one_tar(restore_path: Callable[[Stream], int], into: Path) -> None:
    """It is extracted while it arrives."""
    content = tar_of(("document/a", tarfile.REGTYPE, "", b"hello" * 1000))

    assert restore_path(Stream(content)) == len(content)
    assert (into / "document" / "a").read_bytes() == b"hello" * 1000


def test_a_stream_that_breaks_is_no_success(restore_path: Callable[[Stream], int]) -> None:
    """Even after tar has seen a whole file."""
    content = tar_of(("document/a", tarfile.REGTYPE, "", b"hello"))
    with pytest.raises(ServerUnreachable):
        restore_path(Stream(content[:1024], ServerUnreachable("here", "the line broke")))


def test_a_stream_is_looked_at_before_tar_gets_it(restore_path: Callable[[Stream], int], into: Path) -> None:
    """The bad member never reaches tar."""
    content = tar_of(("out", tarfile.SYMTYPE, "..", b""), ("out/up", tarfile.REGTYPE, "", b"x"))
    with pytest.raises(UnsafeMembers):
        restore_path(Stream(content))
    assert not (into.parent / "up").exists()


def test_the_bytes_of_one_file_come_alone() -> None:
    """After any number of folders; for anything but a file, the error says what it is."""
    content = tar_of(
        ("document", tarfile.DIRTYPE, "", b""),
        ("document/a", tarfile.REGTYPE, "", b"hello" * 1000),
        ("document/l", tarfile.SYMTYPE, "a", b""),
    )

    assert b"".join(file_in(Stream(content), b"document/a")) == b"hello" * 1000
    with pytest.raises(UsageError, match="is a folder"):
        list(file_in(Stream(content), b"document"))
    with pytest.raises(UsageError, match="is a link"):
        list(file_in(Stream(content), b"document/l"))
    with pytest.raises(ServerUnreachable):
        list(file_in(Stream(content[:1024], ServerUnreachable("here", "broke")), b"document/a"))
