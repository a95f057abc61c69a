"""What every `LiveTree` promises."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tarkeep.domain.client.ports.dumping import DumpSource
from tarkeep.domain.client.ports.live_tree import LiveEntry, LiveTree
from tarkeep.domain.errors.client import FolderUnusable
from tests.support.trees import write


def by_path(live: LiveTree, source: DumpSource) -> dict[str, LiveEntry]:
    entries = list(live.entries(source))
    found = {os.fsdecode(entry.path): entry for entry in entries}
    assert len(found) == len(entries)
    return found


class LiveTreeContract:
    """A subclass gives the fixture *live*."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> DumpSource:
        write(tmp_path / "document", {"a": b"aaa", "folder/b.tmp": b"b"})
        return DumpSource(str(tmp_path / "document"))

    def test_everything_is_told_as_the_server_tells_it(self, live: LiveTree, source: DumpSource) -> None:
        root = Path(source.directory)
        (root / "a").chmod(0o640)
        (root / "l").symlink_to("a")
        os.mkfifo(root / "p")

        found = by_path(live, source)

        assert {path: entry.type for path, entry in found.items()} == {
            "document": "directory",
            "document/a": "file",
            "document/folder": "directory",
            "document/folder/b.tmp": "file",
            "document/l": "symlink",
            "document/p": "fifo",
        }
        a, status = found["document/a"], (root / "a").stat()
        assert (a.size_bytes, a.mode, a.mtime_ns, a.changed_ns) == (3, 0o640, status.st_mtime_ns, status.st_ctime_ns)
        assert found["document/l"].link == b"a"
        assert live.entry(source, b"document/a") == a

    def test_names_of_one_file_have_one_inode(self, live: LiveTree, source: DumpSource) -> None:
        (Path(source.directory) / "z").hardlink_to(Path(source.directory) / "a")
        found = by_path(live, source)
        assert found["document/z"].inode == found["document/a"].inode != found["document/folder/b.tmp"].inode

    def test_what_a_dump_leaves_out_is_left_out(self, live: LiveTree, source: DumpSource) -> None:
        """Sockets, and what is excluded."""
        with socket.socket(socket.AF_UNIX) as bound:
            os.chdir(source.directory)  # a path of a socket must be short
            bound.bind("sock")
        found = by_path(live, DumpSource(source.directory, exclude=("*.tmp",)))
        assert found.keys() == {"document", "document/a", "document/folder"}

    def test_names_may_be_any_bytes(self, live: LiveTree, source: DumpSource) -> None:
        name = b"new\nline \\ \xff\xc3\xa4"
        (Path(source.directory) / os.fsdecode(name)).write_bytes(b"x")
        entry = by_path(live, source)[os.fsdecode(b"document/" + name)]
        assert b"".join(live.blocks(source, entry.path)) == b"x"

    def test_a_file_is_read_in_blocks(self, live: LiveTree, source: DumpSource) -> None:
        content = bytes(range(256)) * 10_000
        (Path(source.directory) / "a").write_bytes(content)
        blocks = list(live.blocks(source, b"document/a"))
        assert b"".join(blocks) == content
        assert len(blocks) > 1

    def test_what_is_gone_or_no_file_is_told(self, live: LiveTree, source: DumpSource) -> None:
        (Path(source.directory) / "l").symlink_to("a")
        assert live.entry(source, b"document/gone") is None
        for path in (b"document/gone", b"document/folder", b"document/l"):
            with pytest.raises(FolderUnusable):
                list(live.blocks(source, path))

    def test_its_time_is_that_of_a_file_that_is_changed_now(self, live: LiveTree, source: DumpSource) -> None:
        """Or else what changes during the dump seems to have changed before it."""
        for _ in range(50):
            before = live.now_ns()
            (Path(source.directory) / "a").write_bytes(b"x")
            assert before <= (Path(source.directory) / "a").stat().st_ctime_ns
