"""GNU tar's snapshot file: what a dump found, according to it, and what the next dump looks at again."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.adapters.gnu_tar.snapshot_file import remembered, remembering, settled
from tarkeep.domain.client.ports.dumping import Changes, DumpEnd, DumpSource
from tarkeep.domain.client.selection import Selection
from tests.support.trees import write
from tests.support.weak_tar import weak_tar

NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name and b"/" not in name)
DIRECTORIES = st.dictionaries(
    NAMES, st.dictionaries(NAMES, st.sampled_from([b"Y", b"D"]), max_size=4), min_size=1, max_size=4
)


def dumped(source: DumpSource, before: bytes | None = None, program: str = "tar") -> tuple[DumpEnd, list[str]]:
    """How the dump ended, and the files that it holds."""
    with GnuTar(program).start(source, before) as dump:
        content = b"".join(dump)
        end = dump.finish()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return end, [one.name for one in tar if one.isfile()]


def written(directories: dict[bytes, dict[bytes, bytes]]) -> bytes:
    parts = [b"GNU tar-1.34-2\n" + b"\0".join([b"1795883712", b"371883291", b""])]
    for number, (path, names) in enumerate(directories.items()):
        parts += [b"\0".join([b"0", b"1", b"2", b"3", str(number).encode(), path]) + b"\0"]
        parts += [flag + name + b"\0" for name, flag in names.items()] + [b"\0\0"]
    return b"".join(parts)


@given(DIRECTORIES)
def test_without_anything_to_forget_it_stays_byte_by_byte(directories: dict[bytes, dict[bytes, bytes]]) -> None:
    """Whatever the names of directories and files are."""
    after = written(directories)
    files = sum(flag == b"Y" for names in directories.values() for flag in names.values())

    left = settled(None, after)
    assert left.snapshot == after
    assert left.changes == Changes(files, 0, 0, 0)
    assert settled(after, after).changes == Changes(0, files, 0, 0)


@pytest.mark.parametrize("other", [b"", b"1700000000\n+1 2 3 src\n", b"GNU tar-1.15-1\n1700000000 0\n"])
def test_a_file_of_another_format_is_left_alone(other: bytes) -> None:
    """And no change is reported."""
    assert settled(None, other).snapshot == other
    assert settled(None, other).changes is None
    assert settled(other, written({b"a": {}})).changes is None


def test_what_a_dump_found_is_counted(tmp_path: Path) -> None:
    """New, changed, unchanged and deleted files; a renamed directory is the same one, excluded files do not count."""
    tree = tmp_path / "document"
    write(tree, {"a": b"1", "b": b"1", "c": b"1", "old/d": b"1", "gone/e": b"1", "gone/f": b"1", "x.tmp": b"1"})
    source = DumpSource(str(tree), exclude=("*.tmp",))
    first, _ = dumped(source)
    assert first.changes == Changes(new=6, changed=0, unchanged=0, deleted=0)

    write(tree, {"a": b"22", "b": None, "gone/e": None, "gone/f": None, "new": b"1", "y.tmp": b"1"})
    (tree / "gone").rmdir()
    (tree / "old").rename(tree / "renamed")
    second, held = dumped(source, first.snapshot)

    assert second.changes == Changes(new=1, changed=1, unchanged=2, deleted=3)
    assert sorted(held) == ["document/a", "document/new"]
    third, held = dumped(source, second.snapshot)
    assert (third.changes, held) == (Changes(0, 0, 4, 0), [])


def test_what_could_not_be_read_is_read_by_the_next_dump(tmp_path: Path) -> None:
    """
    Even if it has not changed meanwhile: the user who makes the next dump may be able to read it.

    tar itself takes such a file for unchanged from then on, and no archive would hold it.
    """
    tree = tmp_path / "document"
    write(tree, {"open": b"1", "secret": b"2", "closed/deep/f": b"3", "deep/secret": b"4"})
    for secret in ("secret", "closed", "deep/secret"):
        (tree / secret).chmod(0)
    source = DumpSource(str(tree))
    program = weak_tar(tmp_path)
    first, held = dumped(source, None, program)

    assert sorted(one.path for one in first.unreadable) == [
        b"document/closed",
        b"document/deep/secret",
        b"document/secret",
    ]
    assert held == ["document/open"]
    assert first.changes == Changes(1, 0, 0, 0)
    again, held = dumped(source, first.snapshot, program)
    assert (len(again.unreadable), held) == (3, [])
    assert again.changes == Changes(0, 0, 1, 0)
    if os.geteuid() == 0:  # root can read it although nothing about it has changed
        last, held = dumped(source, again.snapshot)
        assert sorted(held) == ["document/closed/deep/f", "document/deep/secret", "document/secret"]
        assert (last.unreadable, last.changes) == ((), Changes(3, 0, 1, 0))


def test_what_is_not_excluded_any_more_is_dumped(tmp_path: Path) -> None:
    """Even if it has not changed; tar itself takes it for unchanged."""
    write(tmp_path / "document", {"a": b"1", "b.tmp": b"2"})
    first, held = dumped(DumpSource(str(tmp_path / "document"), exclude=("*.tmp",)))
    _, later = dumped(DumpSource(str(tmp_path / "document")), first.snapshot)

    assert (held, later) == (["document/a"], ["document/b.tmp"])


def test_sockets_are_told_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not a failure."""
    write(tmp_path / "document", {"a": b"1", "secret": b"2"})
    (tmp_path / "document" / "secret").chmod(0)
    monkeypatch.chdir(tmp_path / "document")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("0")
    end, _ = dumped(DumpSource(str(tmp_path / "document")), None, weak_tar(tmp_path))

    assert end.messages == ("document/secret: Cannot open: Permission denied", "document/0: socket ignored")
    assert end.is_clean


PATTERNS = st.text(st.characters(exclude_characters="\0"), max_size=6)


@given(DIRECTORIES, st.frozensets(PATTERNS, max_size=3), PATTERNS, st.booleans())
def test_what_a_dump_was_made_of_stands_behind_its_names(
    directories: dict[bytes, dict[bytes, bytes]], excluded: frozenset[str], root: str, is_whole: bool
) -> None:
    """Any selection is read as it was written, and counts neither as a new nor as a deleted file."""
    after = written(directories)
    selection = Selection(root, excluded, frozenset({"acls"}), is_whole)
    kept = remembering(after, selection)

    assert kept.startswith(after)
    assert (remembered(kept), remembered(after)) == (selection, None)
    assert settled(kept, after) == settled(after, after)


@pytest.mark.parametrize("other", [b"", b"1700000000\n+1 2 3 src\n"])
def test_in_a_file_of_another_format_nothing_is_remembered(other: bytes) -> None:
    """It stays unchanged."""
    assert remembering(other, Selection("src")) == other
    assert remembered(other) is None


@pytest.mark.parametrize("told", [b"", b"{", b"[]", b'{"root": "src"}', b'{"root":"s","exclude":1,"options":[]}'])
def test_what_cannot_be_read_is_not_known(told: bytes) -> None:
    """For example the text of a later client, which may have other members."""
    assert remembered(written({}) + b"0\0" * 5 + b"//tarkeep\0D" + told + b"\0\0\0") is None


def test_tar_is_not_disturbed_by_what_is_remembered(tmp_path: Path) -> None:
    """It continues from such a file as from its own, and keeps nothing of the addition."""
    tree, listed = tmp_path / "document", tmp_path / "list"
    write(tree, {"a": b"1", "old/b": b"1"})
    listed.write_bytes(b"*.o \n\n*.tmp")
    source = DumpSource(str(tree), ("*.tmp", "\udcff"), (str(listed),), one_file_system=True, acls=True)
    options = frozenset({"one-file-system", "acls"})
    first, _ = dumped(source)
    (tree / "old").rename(tree / "new")
    snapshot = tmp_path / "snapshot"
    snapshot.write_bytes(first.snapshot)
    ran = subprocess.run(
        ["tar", "-cf", "archive", f"--listed-incremental={snapshot}", "document"], cwd=tmp_path, capture_output=True
    )
    second, held = dumped(source, first.snapshot)

    assert remembered(first.snapshot) == Selection("document", frozenset({"*.tmp", "*.o", "\udcff"}), options)
    assert (ran.returncode, b"rror" in ran.stderr) == (0, False)
    assert remembered(snapshot.read_bytes()) is None
    assert (held, second.changes) == ([], Changes(0, 0, 2, 0))
    assert second.snapshot.count(b"//tarkeep") == 1
