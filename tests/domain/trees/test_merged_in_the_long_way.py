"""Merging by changes against examining every member of every archive: both give the same trees, for any archives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tarkeep.domain.tar.members import Member, MemberType
from tarkeep.domain.trees.tree import Entry, GapKind
from tests.support import merged_by_members
from tests.support.completed_by_members import Kept, completed
from tests.support.members import archive, directory, member, merge, names

FOLDERS = ("", "r", "r/d", "r/e", "r/d/x", "s", "r/../t", "../s", "/".join("d" * 600))
NAMES = ("a", "b", "d", "e", "x", "..")
LETTERS = st.sampled_from(["N"] * 6 + ["Y"] * 3 + ["D", "", ""])

Archive = Sequence[Member]


@st.composite
def listed(draw: st.DrawFn) -> Member:
    """A directory with any listing, and any renames except those into the directory itself."""
    path = draw(st.sampled_from(FOLDERS))
    listing = " ".join(letter + name for name in NAMES if (letter := draw(LETTERS)))
    renames = draw(st.lists(st.tuples(*[st.sampled_from(FOLDERS).map(str.encode)] * 2), max_size=2))
    possible = [(old, new) for old, new in renames if new == old or not new.startswith(old + b"/" if old else b"")]
    return directory(path.encode(), listing, *(possible if draw(st.integers(0, 5)) == 0 else ()))


@st.composite
def other(draw: st.DrawFn) -> Member:
    """A file, a hard link to some path, or a directory without a listing."""
    kind = draw(st.sampled_from([MemberType.FILE] * 5 + [MemberType.HARD_LINK] * 2 + [MemberType.DIRECTORY]))
    path, target = (
        f"{draw(st.sampled_from(FOLDERS))}/{draw(st.sampled_from(NAMES))}".lstrip("/").encode() for _ in range(2)
    )
    return member(path, kind, link=target if kind is MemberType.HARD_LINK else b"")


def archives(*, ordinary: bool) -> st.SearchStrategy[Archive]:
    """Members in any order; *ordinary* archives have every path once."""
    found = st.lists(st.one_of(listed(), listed(), other(), other(), other()), min_size=1, max_size=14)
    return found.map(lambda members: list({one.path: one for one in members}.values())) if ordinary else found


def changed(before: Archive, after: Archive) -> Archive:
    """*after*, with the listings of *before* where both have one: most directories do not change."""
    listings = {one.path: one for one in before if one.listing is not None}
    return [
        listings.get(one.path, one) if one.listing is not None and number % 3 else one
        for number, one in enumerate(after)
    ]


@st.composite
def paths(draw: st.DrawFn) -> list[Archive]:
    drawn = draw(st.lists(archives(ordinary=draw(st.booleans())), min_size=1, max_size=5))
    for number in range(1, len(drawn)):
        drawn[number] = changed(drawn[number - 1], drawn[number])
    return drawn


def once_each(members: Archive) -> Archive:
    """*members*; if a directory occurs several times, only the last one, since a table knows no other."""
    last = {one.path: number for number, one in enumerate(members) if one.type is MemberType.DIRECTORY}
    return [
        one for number, one in enumerate(members) if one.type is not MemberType.DIRECTORY or last[one.path] == number
    ]


def where_kept(entry: Entry, kept: Mapping[bytes, Kept]) -> Entry:
    """*entry* at its place in the archive that last described it, for a directory the last archive does not mention."""
    if entry.path not in kept:
        return entry
    folder = kept[entry.path]
    index = None if folder.at is None else folder.archive
    return evolve(entry, archive=index, at=folder.at, content_archive=index, content_at=folder.at)


def without_content(entries: Iterable[Entry], archives: Sequence[Sequence[Member]]) -> set[Entry]:
    """*entries*; hard links to or over directories, which tar never writes, become links without a target."""
    files = {
        (index, number * 1024)
        for index, members in enumerate(archives)
        for number, one in enumerate(members)
        if one.type is not MemberType.DIRECTORY
    }
    return {
        entry
        if not entry.is_directory and (entry.content_archive, entry.content_at) in files
        else evolve(entry, content_archive=entry.archive, content_at=entry.at)
        for entry in entries
    }


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(paths(), st.booleans(), st.booleans())
@example([[member(b"r/d/a", MemberType.HARD_LINK, link=b"a"), member(b"a"), member(b"r/d")]], False, False)
def test_both_ways_give_the_same_tree(path: list[Archive], is_exact: bool, is_proven: bool) -> None:
    """Names, their types, the place of their content, and which are missing and why."""
    if not is_exact:
        path = [once_each(members) for members in path]
    opened = [archive(*members) for members in path]

    tree = merge(opened, is_exact, is_proven)

    members = [list(one()) for one in opened]
    whole, kept = completed(members) if is_exact else (members, {})
    long_way = merged_by_members.merge([names(archive(*one)) for one in whole], is_exact, is_proven)
    expected = [where_kept(entry, kept) for entry in long_way.entries()]
    assert without_content(tree.search(b""), members) == without_content(expected, members)
    root = long_way.entry(b"")
    assert root is not None
    assert tree.entry(b"") == where_kept(root, kept)
    # A path with .. in it is reported only if something beside it is still wanted, which differs between the two ways.
    told, long_told = ({gap for gap in one.gaps if gap.kind is not GapKind.UPWARDS} for one in (tree, long_way))
    assert told == long_told
    if not any(gap.kind is GapKind.TOO_DEEP for gap in tree.gaps):  # the long way has one gap for each member
        assert tree.losses == long_way.losses
