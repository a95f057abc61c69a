"""Whether an interrupted restore continues, and at which archive."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.client.restore.resuming import Begun, goes_on_at, read_begun, strangers

STEPS = ("exact a", "exact b", "exact c")
CUT = Begun("1:2", STEPS, 1)


@given(st.text(), st.lists(st.text()), st.integers(0, 100))
def test_a_note_is_read_as_it_was_written(target: str, steps: list[str], step: int) -> None:
    """With any names of steps."""
    begun = Begun(target, tuple(steps), step)
    assert read_begun(begun.written()) == begun


@pytest.mark.parametrize(
    "note",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        json.dumps({**json.loads(CUT.written()), "version": 1}).encode(),
        json.dumps({**json.loads(CUT.written()), "steps": 3}).encode(),
        CUT.written()[:-9],
    ],
)
def test_what_is_no_note_says_nothing(note: bytes | None) -> None:
    """Then no restore was begun, and a directory with contents is refused as usual."""
    assert read_begun(note) is None


def test_it_continues_with_the_archive_at_which_it_was_cut() -> None:
    """Unless the plan has changed, or the archive renames directories: some may be renamed already."""
    assert goes_on_at(CUT, STEPS, [True, False, True]) == 1
    assert goes_on_at(CUT, STEPS, [False, True, False]) is None
    assert goes_on_at(CUT, (*STEPS, "exact d"), [False] * 4) is None
    assert goes_on_at(CUT, ("overlay a", *STEPS[1:]), [False] * 3) is None
    assert goes_on_at(Begun("1:2", STEPS, 3), STEPS, [False] * 3) is None
    assert goes_on_at(Begun("1:2", STEPS, -1), STEPS, [False] * 3) is None


def test_what_no_archive_has_put_there_is_a_stranger() -> None:
    """It must not be removed."""
    trail = [b"S\0Pdocument/\0Pdocument/a\0S", b"\0P./document/sub/b\0S\0Plater\0Pdocument/c"]
    ours = [b"document", b"document/a", b"document/sub", b"document/sub/b"]

    assert strangers(CUT, trail, ours) == []
    assert strangers(CUT, trail, [b"notes", *ours, b"document/sub/mine", b"later", b"document/c"]) == [
        b"document/c",
        b"document/sub/mine",
        b"later",
        b"notes",
    ]
    assert strangers(CUT, trail, [b"mine", b"mine/a", b"mine/a/b", b"document"]) == [b"mine"]
    assert strangers(CUT, [], [b"document"]) == [b"document"]


def test_a_path_moved_by_a_rename_is_no_stranger() -> None:
    """Before or after the rename, or while names change places, under tar's temporary name."""
    first = b"S\0Pd/one/a\0Pd/two/b\0S\0Pd\0Ad\0Od/one\0N\0Od/two\0Nd/one\0O\0Nd/two\0"
    for left in (
        [b"d/one/a", b"d/two/b"],
        [b"d/tar.Xy7_zz", b"d/tar.Xy7_zz/a", b"d/two/b"],
        [b"d/tar.Xy7_zz", b"d/tar.Xy7_zz/a", b"d/one/b"],
        [b"d/two/a", b"d/one/b"],
    ):
        assert strangers(CUT, [first], left) == []
    assert strangers(CUT, [first], [b"d/tar.Xy7_zz", b"d/tar.Xy7_zz/mine", b"d/tar.gz"]) == [
        b"d/tar.Xy7_zz/mine",
        b"d/tar.gz",
    ]
    assert strangers(CUT, [b"S\0Pa/b\0Oa\0Na/b\0Oa/b\0Na\0"], [b"a", b"a/b", b"a/b/b", b"x"]) == [b"x"]


@given(
    st.lists(st.sampled_from([b"a", b"b", b"a/b", b"b/a", b"a/b/c", b"c/a", b"c"]), max_size=5),
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"a/b", b"c", b""]), st.sampled_from([b"a", b"b", b"d", b""]))),
    st.integers(1, 7),
)
def test_nothing_that_any_order_of_renames_may_leave_is_a_stranger(
    paths: list[bytes], renames: list[tuple[bytes, bytes]], block_bytes: int
) -> None:
    """By a plain rule on a set of paths; and blocks end anywhere."""
    trail = b"S\0" + b"".join(b"P%b\0" % path for path in paths)
    trail += b"".join(b"O%b\0N%b\0" % rename for rename in renames)
    left = {b"/".join(path.split(b"/")[:depth]) for path in paths for depth in range(1, 4)}
    for old, new in renames:
        old, new = old or b"\0", new or b"\0"
        left |= {new + path[len(old) :] for path in left if (path + b"/").startswith(old + b"/")}
        left = {path for path in left if path.count(b"/") < 9}
    blocks = [trail[at : at + block_bytes] for at in range(0, len(trail), block_bytes)]

    assert strangers(CUT, blocks, sorted(path for path in left if not path.startswith(b"\0"))) == []
    assert strangers(CUT, blocks, [b"e", *([b"a/e"] if b"a" in left else [])])[-1] == b"e"
