"""How names changed between two archives, against sets of paths."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.names.columns import tables
from tarkeep.domain.names.name_table import NameTable
from tarkeep.domain.names.table_maker import held_table
from tarkeep.domain.retention.name_changes import NameChanges, name_changes
from tests.support.members import records
from tests.support.tars import member, pax

FOLDERS = ("", "a/", "a/b/")
FILES = st.lists(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(["x", "y.txt", "z.locked", "w.txt", "v"]), st.booleans()),
    unique_by=lambda one: one[:2],
    max_size=12,
)
COUNTED = NameChanges(before=7, now=8, carried=9, gone=0)
Tree = list[tuple[str, str, bool]]


def incremental(tree: Tree) -> NameTable:
    """An incremental archive of *tree*; the third item says whether a file is in it."""
    tar = b""
    for folder in FOLDERS:
        entries = [(b"Y" if is_here else b"N") + name.encode() + b"\0" for at, name, is_here in tree if at == folder]
        inner = {"": b"Da\0", "a/": b"Db\0"}.get(folder, b"")
        tar += pax({b"GNU.dumpdir": b"".join(sorted(entries)) + inner + b"\0"}) + member(
            f"root/{folder}".encode(), type=b"5"
        )
    for folder, name, is_here in tree:
        if is_here:
            tar += member(f"root/{folder}{name}".encode(), b"content")
    return held_table(tables(records(tar + bytes(1024))), 1 << 20)


def plain(tree: Tree) -> NameTable:
    tar = b"".join(member(f"root/{folder}{name}".encode(), b"content") for folder, name, _ in tree)
    return held_table(tables(records(tar + bytes(1024))), 1 << 20)


def expected(later: Tree, earlier: Tree) -> tuple[int, int]:
    """Files that are gone and new, moved ones not counted."""
    was, now = ({(folder, name) for folder, name, _ in tree} for tree in (earlier, later))
    vanished, appeared = Counter(name for _, name in was - now), Counter(name for _, name in now - was)
    return (vanished - appeared).total(), (appeared - vanished).total()


@given(FILES, FILES)
def test_what_is_gone_and_new_by_listings(later: Tree, earlier: Tree) -> None:
    found = name_changes(COUNTED, incremental(later), incremental(earlier), few=1)

    assert (found.gone, found.new) == expected(later, earlier)
    assert (found.before, found.now, found.carried) == (7, 8, 9)


@given(FILES, FILES)
def test_what_is_gone_and_new_by_members(later: Tree, earlier: Tree) -> None:
    found = name_changes(COUNTED, plain(later), plain(earlier), few=1)
    assert (found.gone, found.new) == expected(later, earlier)


@given(FILES, FILES)
def test_the_suffix_is_one_that_no_file_had(later: Tree, earlier: Tree) -> None:
    for make in (incremental, plain):
        found = name_changes(COUNTED, make(later), make(earlier), few=1)
        known = {PurePosixPath(name).suffix for _, name, _ in earlier}
        assert found.suffix.decode() not in known - {""}
        assert bool(found.suffix) == bool(found.suffixed)


def test_a_suffix_of_few_files_is_none() -> None:
    tree: Tree = [("", f"{number}.locked", True) for number in range(9)]
    found = name_changes(COUNTED, incremental(tree), incremental([]), few=10)
    assert (found.new, found.suffix) == (9, b"")
    found = name_changes(COUNTED, incremental(tree), incremental([]), few=9)
    assert (found.suffix, found.suffixed) == (b".locked", 9)
