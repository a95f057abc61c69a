"""What is said of a dump by what the server makes of it: tar is asked what it would have archived."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.domain.client.backup.verdict import AskVerdict, DumpVerdict, left_out_text
from tarkeep.domain.client.ports.chains import PointDetail
from tarkeep.domain.client.ports.dumping import DumpSource
from tarkeep.domain.client.retrying import Retrying
from tarkeep.domain.errors.client import DumpFailed, NotRestorable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tests.support.archives import make_targz
from tests.support.memory_server import MemoryServer
from tests.support.trees import write

ID = ArchiveId("laptop", BackupType.INC, "inc_2026-11-24.tar.gz")


def asked(
    source: DumpSource, detail: PointDetail, obstacles: tuple[str, ...] = (), unreadable: tuple[bytes, ...] = ()
) -> DumpVerdict | None:
    """The verdict on a dump of which the server tells *detail*; with *obstacles* only when it is to plan."""

    class Server(MemoryServer):
        def plan(self, profile, at, *, path=b"", allow_gaps=False):  # type: ignore[no-untyped-def]
            if obstacles:
                raise NotRestorable(at, obstacles)
            return super().plan(profile, at)

    server = Server()
    server.put(ID, [make_targz({"a": b"a"})], None, DeclaredDigests())
    server.details[ID] = detail
    ask = AskVerdict(server, GnuTar(), Retrying(1, lambda _: None, lambda: 0.0))
    verdict = ask(ID, source, lambda _error, _pause: None, unreadable)
    assert ask.lacks_files(ID, source, lambda _error, _pause: None) is bool(verdict and verdict.forgotten)
    return verdict


@pytest.fixture
def source(tmp_path: Path) -> DumpSource:
    tree, listed = tmp_path / "document", tmp_path / "list"
    write(tree, {"a": b"a", "x.tmp": b"x", "cache/y": b"y", "odd\x1b\n\udcff\\": b"odd", "-z": b"z"})
    os.mkfifo(tree / "pipe")
    listed.write_text("cache\n")
    return DumpSource(str(tree), ("*.tmp",), (str(listed),))


def test_what_tar_would_archive_was_forgotten_and_all_else_left_out(source: DumpSource) -> None:
    """Names may have any bytes, and a file that is gone meanwhile does not count as forgotten."""
    forgotten = (b"document/a", b"document/odd\x1b\n\xff\\", b"document/-z", b"document/pipe", b"document")
    left_out = (b"document/x.tmp", b"document/cache", b"document/gone")
    detail = PointDetail(ID, "exact", (), (("not-archived", "some"),), (*forgotten, *left_out), 12)
    verdict = asked(source, detail)

    assert verdict == DumpVerdict((), forgotten, left_out, 7, ())
    assert not verdict.is_good
    assert verdict.fault.startswith("tar mistook renamed directories for each other, so that it lacks files")
    assert verdict.fault.endswith(
        r"such as document/a, document/odd\x1b\x0a\xff\\, document/-z, document/pipe, document"
    )


def test_what_could_not_be_read_was_not_left_out(source: DumpSource) -> None:
    """Whoever made the dump is told of that already, as of a folder with all that is in it."""
    lacking = (b"document/x.tmp", b"document/secret", b"document/secret/x", b"document/secrets")
    detail = PointDetail(ID, "exact", (), (("not-archived", "some"),), lacking, 4)
    verdict = asked(source, detail, unreadable=(b"document/secret/",))

    assert verdict == DumpVerdict((), (), (b"document/x.tmp", b"document/secrets"), 2, ())


def test_what_is_left_out_on_purpose_is_told_and_no_fault(source: DumpSource) -> None:
    """As are doubts; those about its type are none to whoever made it."""
    doubts = (("not-archived", "no"), ("nothing-unchanged", "nothing is"), ("dated-ahead", "a clock is wrong"))
    verdict = asked(source, PointDetail(ID, "overlay", (), doubts, (b"document/x.tmp",), 1))

    assert verdict is not None
    assert (verdict.is_good, verdict.fault) == (True, "")
    assert (verdict.doubts, verdict.loss) == (("a clock is wrong",), "it restores as overlay only")
    assert verdict.harmless == ("nothing is",)
    assert left_out_text(verdict) == "not archived, since left out: 1 new name, such as document/x.tmp"


def test_of_an_older_server_a_doubt_is_told_as_it_is(source: DumpSource) -> None:
    """It names nothing that tar could be asked about."""
    verdict = asked(source, PointDetail(ID, "exact", (), (("not-archived", "one name is nowhere"),)))

    assert verdict == DumpVerdict(doubts=("one name is nowhere",))
    assert left_out_text(verdict) == ""


@pytest.mark.parametrize("where", ["point", "plan"])
def test_what_does_not_restore_is_a_fault(source: DumpSource, where: str) -> None:
    """Whether it is told of the point or only when it is to be planned."""
    detail = PointDetail(ID, "exact")
    if where == "point":
        verdict = asked(source, evolve(detail, obstacles=("it is damaged",)))
    else:
        verdict = asked(source, detail, ("it is damaged",))

    assert verdict is not None
    assert (verdict.is_good, verdict.fault) == (False, "it does not restore: it is damaged")


@pytest.mark.parametrize(
    ("refused", "damaged", "is_no_better"), [("FULL", False, True), ("FULL", True, False), ("INC", False, False)]
)
def test_a_full_is_of_no_use_where_the_last_one_does_not_restore_either(
    refused: str, damaged: bool, is_no_better: bool
) -> None:
    """Unless that is because its stored bytes are damaged."""

    class Server(MemoryServer):
        def plan(self, profile, at, *, path=b"", allow_gaps=False):  # type: ignore[no-untyped-def]
            if at.startswith(refused):
                raise NotRestorable(at, ("a path is too long",))
            return super().plan(profile, at)

    server, full = Server(), ArchiveId("laptop", BackupType.FULL, "full_2026-11-23.tar.gz")
    for id in (full, ID):
        server.put(id, [make_targz({"a": b"a"})], None, DeclaredDigests())
    if damaged:
        server.damage(full)
    ask = AskVerdict(server, GnuTar(), Retrying(1, lambda _: None, lambda: 0.0))

    def no_better(verdict: DumpVerdict) -> ArchiveId | None:
        return ask.full_that_is_no_better("laptop", verdict, lambda _error, _pause: None)

    assert no_better(DumpVerdict(obstacles=("a path is too long",))) == (full if is_no_better else None)
    assert no_better(DumpVerdict(forgotten=(b"document/a",))) is None


def test_a_server_that_does_not_tell_of_points_is_asked_nothing_more(source: DumpSource) -> None:
    """One of before there were any."""
    ask = AskVerdict(MemoryServer(), GnuTar(), Retrying(1, lambda _: None, lambda: 0.0))

    assert ask(ID, source, lambda _error, _pause: None) is None
    assert not ask.lacks_files(ID, source, lambda _error, _pause: None)


def test_a_tar_that_does_not_answer_is_told(source: DumpSource, tmp_path: Path) -> None:
    """Nobody takes silence for an answer."""
    broken = tmp_path / "tar"
    broken.write_text("#!/bin/sh\necho broken >&2; exit 64\n")
    broken.chmod(0o755)
    with pytest.raises(DumpFailed, match="broken"):
        GnuTar(str(broken)).archivable(source, (b"document/a",))
    assert GnuTar(str(broken)).archivable(source, ()) == ()


def test_names_that_nobody_could_extract_are_told(source: DumpSource) -> None:
    """It restores, but for them, as its plan says; a FULL would have no more, so none is due."""
    verdict = asked(source, PointDetail(ID, "exact", gaps=2))

    assert verdict is not None
    assert verdict.gap == "2 names cannot be restored: see its plan"
    assert verdict.is_good
