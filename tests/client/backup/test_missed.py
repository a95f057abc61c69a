"""What a dump missed is told from what changed since it began."""

from __future__ import annotations

import pytest
from attrs import evolve

from tarkeep.domain.client.backup.missed import compare, groups_of
from tarkeep.domain.client.ports.chains import RemoteTreeEntry
from tarkeep.domain.client.ports.live_tree import LiveEntry

BEGAN = 5_000_000_000_000_000_000
OLD = BEGAN - 9_123_456_789


def live(path: str, type: str = "file", *, changed_ns: int = OLD, mtime_ns: int = OLD, inode: int = 0) -> LiveEntry:
    number = inode or hash(path)
    return LiveEntry(path.encode(), type, 3, mtime_ns, changed_ns, 0o644, b"there" * (type == "symlink"), (1, number))


def stored(path: str, type: str = "file", *, mtime_ns: int | None = OLD) -> RemoteTreeEntry:
    link = b"there" * (type == "symlink")
    return RemoteTreeEntry(path.encode(), type, 3, mtime_ns, 0o644, 0, 0, "", "", link, None)


ROOT, FOLDER = live("document", "directory"), live("document/folder", "directory")
SAME = stored("document/folder", "directory")


def missed(there: list[RemoteTreeEntry], here: list[LiveEntry]) -> list[tuple[bytes, str]]:
    found = compare(there, here, BEGAN)
    assert found.moved == ()
    return [(one.path, one.what) for one in found.missed]


def test_what_is_the_same_is_no_difference() -> None:
    """The directory itself is not compared: the server's tree does not have it."""
    here = [ROOT, FOLDER, live("document/folder/a"), live("document/l", "symlink"), live("document/p", "fifo")]
    there = [SAME, stored("document/folder/a"), stored("document/l", "symlink"), stored("document/p", "fifo")]

    found = compare(there, here, BEGAN)

    assert (found.names, found.missed, found.moved, found.same) == (4, (), (), (b"document/folder/a",))


@pytest.mark.parametrize(
    ("there", "what"),
    [
        (stored("document/a", "fifo"), "is a file, and a fifo in the backup"),
        (evolve(stored("document/a"), size_bytes=4), "has 3 bytes, and 4 in the backup"),
        (evolve(stored("document/a"), mode=0o600), "has the mode 0644, and 0600 in the backup"),
        (stored("document/a", mtime_ns=OLD - 1), "has another time in the backup"),
        (stored("document/b"), "is missing from the backup"),
    ],
)
def test_each_difference_is_told(there: RemoteTreeEntry, what: str) -> None:
    assert (b"document/a", what) in missed([there], [ROOT, live("document/a")])


def test_a_link_that_points_elsewhere_and_a_name_too_many_are_told() -> None:
    there = [evolve(stored("document/l", "symlink"), link=b"elsewhere"), stored("document/old")]
    assert missed(there, [ROOT, live("document/l", "symlink")]) == [
        (b"document/l", "points elsewhere in the backup"),
        (b"document/old", "is in the backup, and not in the directory"),
    ]


def test_whole_seconds_are_no_other_time() -> None:
    """An archive of another format may have no others."""
    assert missed([stored("document/a", mtime_ns=OLD // 10**9 * 10**9)], [ROOT, live("document/a")]) == []
    assert missed([stored("document/a", mtime_ns=None)], [ROOT, live("document/a")]) == []


@pytest.mark.parametrize(
    ("there", "here"),
    [
        pytest.param([stored("document/a", mtime_ns=1)], [live("document/a", changed_ns=BEGAN)], id="changed"),
        pytest.param([], [live("document/a", changed_ns=BEGAN)], id="new"),
        pytest.param(
            [stored("document/folder/a"), SAME], [evolve(FOLDER, mtime_ns=BEGAN, changed_ns=BEGAN)], id="removed"
        ),
        pytest.param(
            [stored("document/folder/a", mtime_ns=1), SAME],
            [evolve(FOLDER, changed_ns=BEGAN), live("document/folder/a")],
            id="its folder was put in place of another",
        ),
        pytest.param(
            [stored("document/folder/in/a"), stored("document/folder/in", "directory"), SAME],
            [evolve(FOLDER, mtime_ns=BEGAN, changed_ns=BEGAN)],
            id="a folder was removed",
        ),
    ],
)
def test_what_changed_since_the_dump_began_was_not_missed(there: list[RemoteTreeEntry], here: list[LiveEntry]) -> None:
    found = compare(there, [ROOT, *here], BEGAN)
    assert found.missed == ()
    assert found.moved


def test_a_busy_folder_hides_nothing_that_was_there_before() -> None:
    """Something came into the folder since; the old file in it, which differs, was missed all the same."""
    busy = evolve(FOLDER, mtime_ns=BEGAN, changed_ns=BEGAN)
    found = compare([SAME, stored("document/folder/a", mtime_ns=1)], [ROOT, busy, live("document/folder/a")], BEGAN)
    assert [one.path for one in found.missed] == [b"document/folder/a"]


def test_what_is_known_to_lack_is_passed_over_with_all_below() -> None:
    here = [ROOT, FOLDER, live("document/folder/a")]
    assert compare([], here, BEGAN, frozenset({b"document/folder"})).missed == ()


def test_names_of_one_file_are_a_group() -> None:
    group = frozenset({b"a", b"c"})
    assert groups_of([(b"a", 1), (b"b", 2), (b"c", 1)]) == {b"a": group, b"c": group}
