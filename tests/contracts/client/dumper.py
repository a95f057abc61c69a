"""What every `Dumper` and its `RunningDump` promise. The system's GNU tar tells what a dump holds."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from itertools import islice
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.client.ports.dumping import Changes, DumpEnd, Dumper, DumpSource, Estimate
from tarkeep.domain.client.selection import ACLS, ONE_FILE_SYSTEM, XATTRS, Selection
from tarkeep.domain.errors.client import DumpFailed, FolderUnusable, TarUnusable
from tests.support.histories import History, Step, steps
from tests.support.processes import children
from tests.support.trees import write

INHERITED = settings(
    max_examples=15, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)


def dumped(dumper: Dumper, source: DumpSource, before: bytes | None = None) -> tuple[bytes, DumpEnd]:
    with dumper.start(source, before) as dump:
        content = b"".join(dump)
        return content, dump.finish()


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getnames()


class DumperContract:
    """
    A subclass gives the fixtures *dumper*, *unusable*: one whose program is not the expected one, and *weak*: one that
    cannot read what permissions forbid.
    """

    @pytest.fixture
    def source(self, tmp_path: Path) -> DumpSource:
        """A directory with a few files."""
        write(tmp_path / "document", {"a": b"a" * 3_000_000, "b.tmp": b"b", "folder/c": b"c"})
        return DumpSource(str(tmp_path / "document"))

    def test_it_is_seen_whether_it_can_dump(self, dumper: Dumper, unusable: Dumper) -> None:
        """Before a dump begins."""
        dumper.check()
        with pytest.raises(TarUnusable):
            unusable.check()

    def test_what_will_be_run_can_be_shown(self, dumper: Dumper, source: DumpSource) -> None:
        """With every option, and a placeholder for the snapshot file."""
        plain = dumper.command(source)
        chosen = dumper.command(
            evolve(source, exclude=("*.tmp",), exclude_from=("/list",), one_file_system=True, sparse=True)
        )
        assert any("SNAPSHOT" in word for word in plain)
        assert len(chosen) == len(plain) + 4

    @INHERITED
    @given(st.lists(steps(most=5, odd=False), min_size=1, max_size=3))
    def test_every_dump_restores_on_top_of_those_before(
        self, dumper: Dumper, tmp_path_factory: pytest.TempPathFactory, days: list[list[Step]]
    ) -> None:
        """GNU tar restores the directory as it was at the last dump; and no block is longer than 1 MiB."""
        history = History(tmp_path_factory.mktemp("history"))
        snapshot: bytes | None = None
        archives: list[Path] = []
        for day in days:
            history.go_through(day)
            with dumper.start(DumpSource(str(history.root)), snapshot) as dump:
                blocks = list(dump)
                snapshot = dump.finish().snapshot
            assert max(map(len, blocks)) <= 1 << 20
            archives.append(history.place / f"{len(archives)}.tar")
            archives[-1].write_bytes(b"".join(blocks))
            history.wait()
            assert history.restored(archives) == history.live()

    def test_changes_are_counted(self, dumper: Dumper, source: DumpSource, tmp_path: Path) -> None:
        """Relative to the dump before; each dump continues from the end of the one before."""
        _, full = dumped(dumper, source)
        assert full.changes == Changes(new=3, changed=0, unchanged=0, deleted=0)
        assert (full.is_clean, full.unreadable) == (True, ())
        write(tmp_path / "document", {"a": None, "folder/c": b"other", "folder/d": b"d"})
        content, inc = dumped(dumper, source, full.snapshot)

        assert inc.changes == Changes(new=1, changed=1, unchanged=1, deleted=1)
        assert {"document/folder/c", "document/folder/d"} <= set(names(content))
        assert "document/b.tmp" not in names(content)

    def test_what_is_excluded_is_not_there(self, dumper: Dumper, source: DumpSource, tmp_path: Path) -> None:
        """By pattern, and by patterns from a file."""
        (tmp_path / "list").write_text("folder\n")
        content, _ = dumped(dumper, evolve(source, exclude=("*.tmp",), exclude_from=(str(tmp_path / "list"),)))
        assert names(content) == ["document", "document/a"]

    def test_what_was_chosen_is_remembered(self, dumper: Dumper, source: DumpSource, tmp_path: Path) -> None:
        """With the snapshot file; for one left by another tar, nothing is known."""
        (tmp_path / "list").write_text("c.tmp\n*.o  \n\n")
        chosen = evolve(source, exclude=("*.tmp",), exclude_from=(str(tmp_path / "list"),), xattrs=True)
        selection = dumper.selection(chosen)

        assert selection == Selection("document", frozenset({"*.tmp", "c.tmp", "*.o"}), frozenset({XATTRS}))
        both = evolve(source, one_file_system=True, acls=True)
        assert dumper.selection(both).options == {ONE_FILE_SYSTEM, ACLS}
        _, end = dumped(dumper, chosen)
        assert dumper.selection_of(end.snapshot) == selection
        with dumper.start(chosen, None, is_whole=False) as dump:
            list(dump)
            assert dumper.selection_of(dump.finish().snapshot) == evolve(selection, is_whole=False)
        for foreign in (b"", b"GNU tar-1.34-2\n1\x002\x00", b"//tarkeep"):
            assert dumper.selection_of(foreign) is None

    def test_an_unreadable_list_of_patterns_is_reported(self, dumper: Dumper, source: DumpSource) -> None:
        """No dump is made, so that no excluded file is archived."""
        with pytest.raises(FolderUnusable, match="/nowhere"):
            dumper.selection(evolve(source, exclude_from=("/nowhere",)))
        with pytest.raises(FolderUnusable, match="/nowhere"):
            dumper.start(evolve(source, exclude_from=("/nowhere",)), None)

    def test_it_finds_the_paths_that_a_full_dump_would_hold(
        self, dumper: Dumper, source: DumpSource, tmp_path: Path
    ) -> None:
        """Of given paths, those that exist and are not excluded, with any names."""
        odd = [b"document/\xff\n", b"document/-f", b"document/back\\slash", b"document/*"]
        for path in odd:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + path)).touch()
        asked = [b"document/a", b"document/b.tmp", b"document/gone", b"document/folder", *odd]

        expected = (b"document/a", b"document/folder", *odd)
        assert dumper.archivable(evolve(source, exclude=("*.tmp",)), asked) == expected
        assert dumper.archivable(source, ()) == ()

    def test_a_dump_can_be_estimated(self, dumper: Dumper, source: DumpSource, tmp_path: Path) -> None:
        """The members, and a size that is at least that of the files and not much more."""
        estimate = dumper.estimate(source, None)
        assert estimate.members == 5
        assert 3_000_002 <= estimate.size_bytes <= 3_100_000
        _, full = dumped(dumper, source)
        (tmp_path / "document" / "folder" / "d").write_bytes(b"d")
        later = dumper.estimate(source, full.snapshot)
        assert later.members < 5
        assert later.size_bytes < 100_000

    def test_an_estimate_can_be_made_meanwhile(self, dumper: Dumper, source: DumpSource) -> None:
        """From another thread, with the same result as an estimate."""
        told = threading.Event()
        found: list[Estimate] = []

        def foresee(estimate: Estimate) -> None:
            found.append(estimate)
            told.set()

        with dumper.start(source, None, foresee) as dump:
            told.wait(60)
            content = b"".join(dump)
            dump.finish()
        assert found == [dumper.estimate(source, None)]
        assert len(names(content)) == 5

    def test_a_directory_that_is_gone_is_no_dump(self, dumper: Dumper, tmp_path: Path) -> None:
        """Nor an estimate; nor can its contents be determined."""
        gone = DumpSource(str(tmp_path / "gone"))
        with pytest.raises(DumpFailed, match="No such file"):
            dumped(dumper, gone)
        with pytest.raises(DumpFailed, match="No such file"):
            dumper.estimate(gone, None)

    def test_over_single_files_that_cannot_be_read_it_goes_on(self, weak: Dumper, tmp_path: Path) -> None:
        """They are reported, missing, and tried again by the next dump; if no file can be read, the dump fails."""
        write(tmp_path / "document", {"open": b"open", "closed": b"closed"})
        (tmp_path / "document" / "closed").chmod(0)
        source = DumpSource(str(tmp_path / "document"))
        content, end = dumped(weak, source)

        assert [one.path for one in end.unreadable] == [b"document/closed"]
        assert end.messages[: end.unreadable_messages]
        assert names(content) == ["document", "document/open"]
        (tmp_path / "document" / "closed").chmod(0o600)
        content, end = dumped(weak, source, end.snapshot)
        assert (names(content), end.unreadable) == (["document", "document/closed"], ())
        for name in ("closed", "open"):
            (tmp_path / "document" / name).chmod(0)
        with pytest.raises(DumpFailed):
            dumped(weak, source)

    @pytest.mark.parametrize("blocks", [0, 1, None], ids=["at once", "in its midst", "at its end"])
    def test_leaving_it_ends_it(
        self, dumper: Dumper, source: DumpSource, blocks: int | None, temporary: Path, tmp_path: Path
    ) -> None:
        """At any moment: no process keeps running, and no file stays."""
        (tmp_path / "document" / "large").write_bytes(bytes(20 << 20))  # more than a pipe holds
        before = children()
        with dumper.start(source, None, lambda _: None) as dump:
            for _ in islice(dump, blocks):
                pass
            if blocks is None:
                dump.finish()
        assert children() == before
        assert list(temporary.iterdir()) == []

    @pytest.fixture
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The folder for temporary files, empty."""
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        return folder
