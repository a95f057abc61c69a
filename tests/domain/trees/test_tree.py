"""The merged tree, fits and histories, over made-up archives; real tars are in tests/journeys."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from tarkeep.domain.comparing.fit import Agreement, Compatibility, Renamed
from tarkeep.domain.errors.restoring import TreeTooLarge
from tarkeep.domain.names.renames import DirectoryRenames
from tarkeep.domain.tar.dumpdirs import Dumpdir, Mark, Rename
from tarkeep.domain.tar.members import Member, MemberType
from tarkeep.domain.tar.paths import MAX_LEVELS, canonical, join
from tarkeep.domain.trees.history import HistoryEvent, history, sightings
from tarkeep.domain.trees.merging import merge as merge_tables
from tarkeep.domain.trees.tree import Gap, GapKind, Tree
from tests.support.members import archive, directory, fit, member, merge, table

HARD_LINK, SYMLINK = MemberType.HARD_LINK, MemberType.SYMLINK


Members = Callable[[], Sequence[Member]]


def sources(tree: Tree, path: Sequence[Members]) -> dict[bytes, tuple[int, bytes]]:
    """Every name that is not a directory -> the archive with its content, and its name there."""
    found = {}
    for index, (members, taken) in enumerate(zip(path, tree.taken(), strict=True)):
        at = {one.at: one for one in members()}
        found.update({canonical(at[position].path): (index, at[position].path) for position in taken.positions})
        for position, names in taken.elsewhere.items():
            found.update(dict.fromkeys(names, (index, at[position].path)))
    return found


def merged(*path: Members, is_proven: bool = False) -> tuple[Tree, dict[bytes, tuple[int, bytes]]]:
    tree = merge(path, is_exact=True, is_proven=is_proven)
    return tree, sources(tree, path)


# -- exact -----------------------------------------------------------------------------------------------------------


def test_names_are_those_of_the_last_archive_and_content_is_the_nearest() -> None:
    """A name missing from the last listing is deleted; an unchanged one comes from the newest archive that has it."""
    full = archive(directory(b"r", "Ya Yb Yc Dd"), b"r/a", b"r/b", b"r/c", directory(b"r/d", "Ye"), b"r/d/e")
    inc1 = archive(directory(b"r", "Na Yb Nc Dd"), b"r/b", directory(b"r/d", "Ne"))
    inc2 = archive(directory(b"r", "Na Nb Dd Yf"), b"r/f", directory(b"r/d", "Ne"))

    tree, found = merged(full, inc1, inc2)

    assert found == {b"r/a": (0, b"r/a"), b"r/b": (1, b"r/b"), b"r/f": (2, b"r/f"), b"r/d/e": (0, b"r/d/e")}
    assert [(entry.path, entry.archive) for entry in tree.directories()] == [(b"r", 2), (b"r/d", 2)]
    assert not tree.gaps


def test_members_before_their_directories_are_taken_as_well() -> None:
    """The order of members does not matter."""
    full = archive(b"r/d/e", b"r/a", directory(b"r/d", "Ye"), directory(b"r", "Ya Dd"))
    inc = archive(b"r/d/f", directory(b"r/d", "Ne Yf"), directory(b"r", "Na Dd"))

    _, found = merged(full, inc)

    assert found == {b"r/a": (0, b"r/a"), b"r/d/e": (0, b"r/d/e"), b"r/d/f": (1, b"r/d/f")}


def test_a_name_in_no_archive_is_a_loss() -> None:
    """The name is called unchanged, but the archive before does not have it."""
    full = archive(directory(b"r", "Ya"), b"r/a")
    inc = archive(directory(b"r", "Na Nc Dd"), directory(b"r/d", "Ne"))

    tree, found = merged(full, inc)

    assert found == {b"r/a": (0, b"r/a")}
    assert set(tree.gaps) == {
        Gap(b"r/c", GapKind.MISSING),
        Gap(b"r/d/e", GapKind.MISSING),
    }
    assert tree.losses == 2
    assert tree.entry(b"r/c") is None


def test_sockets_and_vanished_files_are_no_loss() -> None:
    """They are listed as present but not stored: no archive ever had them, and no older content stands in for them."""
    full = archive(directory(b"r", "Ya Ysocket"), b"r/a")
    inc = archive(directory(b"r", "Ya Nsocket Yvanished"))

    tree, found = merged(full, inc)

    assert found == {}
    assert {gap.kind for gap in tree.gaps} == {GapKind.NOT_ARCHIVED}
    assert {gap.path for gap in tree.gaps} == {b"r/a", b"r/socket", b"r/vanished"}
    assert tree.losses == 0


def test_what_was_left_out_of_every_dump_is_no_loss() -> None:
    """GNU tar calls excluded names unchanged, even in a full dump."""
    full = archive(directory(b"r", "Ya Nx"), b"r/a")
    inc = archive(directory(b"r", "Na Nx Nnew"))

    tree, _ = merged(full, inc)
    proven, _ = merged(full, inc, is_proven=True)

    assert set(tree.gaps) == {Gap(b"r/x", GapKind.LEFT_OUT), Gap(b"r/new", GapKind.MISSING)}
    assert set(proven.gaps) == {Gap(b"r/x", GapKind.LEFT_OUT), Gap(b"r/new", GapKind.LEFT_OUT)}
    assert (tree.losses, proven.losses) == (1, 0)
    assert tree.entry(b"r/x") is None


def test_a_proven_link_excuses_what_tar_forgot_where_directories_were_renamed() -> None:
    """No archive is missing, so no other can have the name: the rest is given. Without proof one may be missing."""
    full = archive(directory(b"r", "Da"), directory(b"r/a"))
    inc = archive(directory(b"r", "Db", (b"r/a", b"r/b")), directory(b"r/b", "Nlost"))

    tree, _ = merged(full, inc)
    proven, _ = merged(full, inc, is_proven=True)

    assert tree.gaps == (Gap(b"r/b/lost", GapKind.MISSING),)
    assert proven.gaps == (Gap(b"r/b/lost", GapKind.LEFT_OUT),)


def test_a_directory_without_a_member_is_still_one() -> None:
    """Directories above the first member, and those that a listing names."""
    tree, _ = merged(archive(directory(b"home/u", "Dd"), directory(b"home/u/d", "Ye"), b"home/u/d/e"))

    entry = tree.entry(b"home")
    assert entry is not None
    assert (entry.is_directory, entry.at) == (True, None)
    assert len(tree) == 4


@pytest.mark.parametrize(
    "last",
    [
        [directory(b"r", "Nd Ne"), directory(b"r", "Dd De")],
        [directory(b"r", "Yd Ye"), directory(b"r", "Dd De")],
        [directory(b"r", "Dd De"), directory(b"r", "Nd Ne")],
        [directory(b"r", "Nd Ye"), b"r/d/a", b"r/e/a"],
    ],
    ids=["first unchanged", "first here", "then unchanged", "with members"],
)
def test_a_name_that_one_of_two_listings_calls_a_directory_is_a_directory(last: list[Member | bytes]) -> None:
    """This happens if a tar has a directory twice, or if listings and members contradict, which tar does not write."""
    is_made = b"r/d/a" in last
    tree, _ = merged(archive(directory(b"r", "Yd Ye"), b"r/d", b"r/e"), archive(*last))

    assert [entry.path for entry in tree.directories()] == [b"r"]
    assert [entry.path for entry in tree.list(b"r", 9) or ()] == ([b"r/d", b"r/e"] if is_made else [])
    assert {gap.path for gap in tree.gaps} == (set() if is_made else {b"r/d", b"r/e"})


def test_a_directory_in_a_listing_alone_is_not_in_the_tree() -> None:
    """tar creates nothing from the name alone, as in dumps whose names it was told to transform."""
    full = archive(directory(b"r", "Dd De"), directory(b"r/e", ""))
    alone, _ = merged(full)
    later, _ = merged(full, archive(directory(b"r", "Dd De Df")))

    for tree, lacking in ((alone, {b"r/d"}), (later, {b"r/d", b"r/f"})):
        assert [entry.path for entry in tree.list(b"r", 9) or ()] == [b"r/e"]
        assert {(gap.path, gap.kind) for gap in tree.gaps} == {(path, GapKind.NOT_ARCHIVED) for path in lacking}


def test_the_same_name_is_one_however_it_is_written() -> None:
    """With ``./``, a leading slash, or neither; a name that leads out of the root is not in the tree."""
    full = archive(directory(b".", "Ya Dd"), b"./a", directory(b"./d", "Yb"), b"./d/b")
    inc = archive(directory(b"", "Na Dd"), directory(b"d", "Nb"), b"./../out", b"/d/../../out")

    tree, found = merged(full, inc)

    assert found == {b"a": (0, b"./a"), b"d/b": (0, b"./d/b")}
    assert len(tree) == 3
    assert tree.entry(b"./d/b") == tree.entry(b"/d//b/") != None  # noqa: E711
    assert [canonical(name) for name in (b".", b"./", b"/a", b"a/./b", b".a/.b", b"a/", b"..a")] == [
        b"",
        b"",
        b"a",
        b"a/b",
        b".a/.b",
        b"a",
        b"..a",
    ]


# -- renames ---------------------------------------------------------------------------------------------------------

BEFORE = archive(
    directory(b"r", "Da Db"),
    directory(b"r/a", "Yf Dx"),
    b"r/a/f",
    directory(b"r/a/x", "Yg"),
    b"r/a/x/g",
    directory(b"r/b", "Yf"),
    b"r/b/f",
)


@pytest.mark.parametrize(
    ("inc", "expected"),
    [
        pytest.param(
            archive(
                directory(b"r", "Dc Db", (b"r/a", b"r/c")),
                directory(b"r/c", "Nf Dx"),
                directory(b"r/c/x", "Ng"),
                directory(b"r/b", "Nf"),
            ),
            {b"r/c/f": b"r/a/f", b"r/c/x/g": b"r/a/x/g", b"r/b/f": b"r/b/f"},
            id="a directory and its content",
        ),
        pytest.param(
            archive(
                directory(b"r", "Dc Da", (b"r/a", b"r/c"), (b"r/c/x", b"r/c/y")),
                directory(b"r/c", "Nf Dy"),
                directory(b"r/c/y", "Ng"),
                directory(b"r/a", "Yf"),
                b"r/a/f",
            ),
            {b"r/c/f": b"r/a/f", b"r/c/y/g": b"r/a/x/g"},
            id="parent and child, and a new one at the old name",
        ),
        pytest.param(
            archive(
                directory(b"r", "Da Db", (b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a")),
                directory(b"r/a", "Nf"),
                directory(b"r/b", "Nf Dx"),
                directory(b"r/b/x", "Ng"),
            ),
            {b"r/a/f": b"r/b/f", b"r/b/f": b"r/a/f", b"r/b/x/g": b"r/a/x/g"},
            id="a circle",
        ),
        pytest.param(
            archive(
                directory(b"r", "Da Dc", (b"r/b", b"r/a"), (b"r/a", b"r/c"), (b"r/b", b"r/a")),
                directory(b"r/a", "Nf"),
                directory(b"r/c", "Nf Dx"),
                directory(b"r/c/x", "Ng"),
            ),
            {b"r/a/f": b"r/b/f", b"r/c/f": b"r/a/f", b"r/c/x/g": b"r/a/x/g"},
            id="a chain, written twice and in the wrong order first",
        ),
    ],
)
def test_content_is_found_under_the_name_that_its_directory_had(inc: Members, expected: dict[bytes, bytes]) -> None:
    """Whatever the steps, each directory is found where tar meant it to be."""
    tree, found = merged(BEFORE, inc)

    assert not tree.gaps
    assert {name: was for name, (index, was) in found.items() if index == 0} == expected


def test_a_circle_of_renames_that_is_written_again_happened_once() -> None:
    """GNU tar's snapshot file keeps the old inodes, so the next dump has the renames of the circle again, or none."""
    circle = ((b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a"))
    turned = archive(directory(b"r", "Da Db", *circle), directory(b"r/a", "Nf"), directory(b"r/b", "Nf"))
    nothing_new = archive(directory(b"r", "Da Db", *circle), directory(b"r/a", "Nf"), directory(b"r/b", "Nf"))
    turned_back = archive(directory(b"r", "Da Db"), directory(b"r/a", "Nf"), directory(b"r/b", "Nf"))

    _, again = merged(BEFORE, turned, nothing_new)
    _, back = merged(BEFORE, turned, turned_back)

    assert again == {b"r/a/f": (0, b"r/b/f"), b"r/b/f": (0, b"r/a/f")}
    assert back == {b"r/a/f": (0, b"r/a/f"), b"r/b/f": (0, b"r/b/f")}


def test_a_new_directory_at_a_name_that_became_free_was_not_there_before() -> None:
    """What it calls unchanged is not taken from the directory that was moved away."""
    inc = archive(
        directory(b"r", "Da Db Dc", (b"r/a", b"r/c")), directory(b"r/c"), directory(b"r/a", "Nf"), directory(b"r/b")
    )

    tree, _ = merged(BEFORE, inc)

    assert tree.gaps == (Gap(b"r/a/f", GapKind.MISSING),)


def test_renames_of_any_depth_and_shape_end() -> None:
    """Deep paths do not exhaust the stack, and renames that contain each other do not loop."""
    deep = b"/".join([b"d"] * 3 * sys.getrecursionlimit())
    assert DirectoryRenames([Rename(b"d", b"e")]).before(b"e" + deep[1:]) == deep

    tangled = DirectoryRenames([Rename(b"b/x", b"a"), Rename(b"a/y", b"b")])
    assert tangled.before(b"a") is None
    assert tangled.before(b"other") == b"other"


# -- hard links ------------------------------------------------------------------------------------------------------


def test_hard_links_share_the_member_that_they_link_to() -> None:
    """The first name gets the content, the others are links to it, under their final names."""
    full = archive(
        directory(b"r", "Da"), directory(b"r/a", "Yf Yg"), b"r/a/f", member(b"r/a/g", HARD_LINK, link=b"r/a/f")
    )
    inc = archive(directory(b"r", "Db", (b"r/a", b"r/b")), directory(b"r/b", "Nf Ng"))

    tree = merge([full, inc], is_exact=True)

    assert [*tree.taken()[0].elsewhere.values()] == [[b"r/b/f", b"r/b/g"]]
    assert not tree.taken()[1]
    entry = tree.entry(b"r/b/g")
    assert entry is not None
    assert (entry.archive, entry.content_archive) == (0, 0)
    assert entry.at != entry.content_at


def test_a_link_to_a_link_is_a_link_to_the_file() -> None:
    """The order of the links does not matter."""
    link, further = member(b"r/g", HARD_LINK, link=b"r/f"), member(b"r/h", HARD_LINK, link=b"r/g")

    for order in ((b"r/f", link, further), (b"r/f", further, link)):
        tree = merge([archive(directory(b"r", "Yf Yg Yh"), *order)], is_exact=True)

        assert [*tree.taken()[0].elsewhere.values()] == [[b"r/f", b"r/g", b"r/h"]]


def test_a_link_outlives_the_name_that_it_links_to() -> None:
    """If that name has other content by now, the link still has the content of its own archive."""
    full = archive(directory(b"r", "Yf Yg"), b"r/f", member(b"r/g", HARD_LINK, link=b"r/f"))
    inc = archive(directory(b"r", "Yf Ng"), b"r/f")

    _, found = merged(full, inc)

    assert found == {b"r/f": (1, b"r/f"), b"r/g": (0, b"r/f")}


# -- overlay ---------------------------------------------------------------------------------------------------------


def laid_over(*path: Members) -> tuple[Tree, dict[bytes, tuple[int, bytes]]]:
    tree = merge(path, is_exact=False)
    return tree, sources(tree, path)


def test_an_overlay_deletes_nothing_and_the_later_wins() -> None:
    """As when tar extracts plain archives in order."""
    tree, found = laid_over(archive(b"r/a", b"r/b"), archive(b"r/b", b"r/c"))

    assert found == {b"r/a": (0, b"r/a"), b"r/b": (1, b"r/b"), b"r/c": (1, b"r/c")}
    assert not tree.gaps


def test_an_overlay_replaces_what_tar_replaces() -> None:
    """A directory replaces a file, and a file replaces an empty directory, but no other."""
    empty, full = member(b"r/empty", MemberType.DIRECTORY), member(b"r/full", MemberType.DIRECTORY)
    tree, found = laid_over(
        archive(empty, full, b"r/full/a", b"r/file"),
        archive(b"r/empty", b"r/full", member(b"r/file", MemberType.DIRECTORY), b"r/file/b"),
        archive(b"r/empty/c"),
    )

    assert found == {b"r/empty": (1, b"r/empty"), b"r/full/a": (0, b"r/full/a"), b"r/file/b": (1, b"r/file/b")}
    assert tree.gaps == (Gap(b"r/full", GapKind.IN_THE_WAY), Gap(b"r/empty/c", GapKind.IN_THE_WAY))


def test_links_in_an_overlay_are_to_files_laid_so_far() -> None:
    """Also to a name of an earlier archive; a link without a target is a gap."""
    tree, found = laid_over(
        archive(b"r/a"),
        archive(member(b"r/b", HARD_LINK, link=b"./r/a"), member(b"r/c", HARD_LINK, link=b"r/nothing")),
        archive(member(b"r/d", HARD_LINK, link=b"r/b")),
        archive(b"r/a"),
    )

    assert found == {b"r/a": (3, b"r/a"), b"r/b": (0, b"r/a"), b"r/d": (0, b"r/a")}
    assert tree.gaps == (Gap(b"r/c", GapKind.NO_TARGET),)


def test_links_to_nothing_in_an_exact_path_are_gaps() -> None:
    """Links to a missing name, to each other, or to a directory: tar cannot make them either. The rest is complete."""
    links = {b"r/b": b"r/nothing", b"r/c": b"r/d", b"r/d": b"r/c", b"r/e": b"r"}
    full = archive(
        directory(b"r", "Ya Yb Yc Yd Ye Yf"),
        b"r/a",
        *(member(path, HARD_LINK, link=link) for path, link in links.items()),
        member(b"r/f", HARD_LINK, link=b"r/a"),
    )
    inc = archive(directory(b"r", "Na Nb Nc Nd Ne Nf"))

    for path in ((full,), (full, inc)):
        tree, found = merged(*path)
        assert found == {b"r/a": (0, b"r/a"), b"r/f": (0, b"r/a")}
        assert set(tree.gaps) == {Gap(link, GapKind.NO_TARGET) for link in links}


# -- looking around --------------------------------------------------------------------------------------------------


def test_a_directory_is_listed_in_pages() -> None:
    """The pages are ordered by the bytes of names, and each begins behind the last name of the one before."""
    tree, _ = merged(archive(directory(b"r", "Yb Ya Dd Yc"), b"r/c", b"r/b", b"r/a", directory(b"r/d", "Ye"), b"r/d/e"))

    first = tree.list(b"r", 3)
    assert first is not None
    rest = tree.list(b"./r/", 3, after=first[-1].name)
    assert rest is not None

    assert [entry.name for entry in first + rest] == [b"a", b"b", b"c", b"d"]
    assert [entry.is_directory for entry in first + rest] == [False, False, False, True]
    assert tree.list(b"r/a", 3) is None
    assert tree.list(b"elsewhere", 3) is None


@pytest.mark.parametrize(
    ("pattern", "below", "expected"),
    [
        (b"repo", b"", [b"r/report.txt", b"r/d/old-report.txt"]),
        (b"report*", b"", [b"r/report.txt"]),
        (b"*.tx?", b"r/d", [b"r/d/old-report.txt"]),
        (b"d/old", b"", [b"r/d/old-report.txt"]),
        (b"r/*/*", b"", [b"r/d/\xff\n", b"r/d/old-report.txt"]),
        (b"\xff", b"", [b"r/d/\xff\n"]),
        (b"[d]", b"", [b"r/d"]),
        (b"nothing", b"", []),
    ],
)
def test_names_are_found_by_a_part_or_by_a_glob(pattern: bytes, below: bytes, expected: list[bytes]) -> None:
    """The pattern is matched against the name, or against the path if it has a slash; any bytes are allowed."""
    listed = directory(b"r/d", "Yold-report.txt")
    tree, _ = merged(
        archive(directory(b"r", "Yreport.txt Dd"), b"r/report.txt", listed, b"r/d/old-report.txt", b"r/d/\xff\n")
    )

    assert sorted(entry.path for entry in tree.search(pattern, below)) == sorted(expected)


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("in_a_folder", [20, 100_000])
def test_a_name_costs_no_object(is_exact: bool, in_a_folder: int) -> None:
    """A tree takes less than 40 bytes for each name beside the name itself, directories included."""
    count = 100_000
    folders = {
        b"folder-%05d" % number: [b"file-%06d.dat" % (number + file) for file in range(in_a_folder)]
        for number in range(0, count, in_a_folder)
    }

    def members() -> Sequence[Member]:
        listings = (directory(path, " ".join("Y" + name.decode() for name in names)) for path, names in folders.items())
        files = (join(path, name) for path, names in folders.items() for name in names)
        return archive(*listings, *files)()

    opened = table(members)
    archives = [lambda: held] if (held := opened()) else []
    gc.collect()
    tracemalloc.start()
    try:
        tree = merge_tables(archives, is_exact)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert len(tree) == count + len(folders)
    assert (taken - sum(len(entry.name) for entry in tree.search(b""))) / len(tree) < 40


# -- fits ------------------------------------------------------------------------------------------------------------


def test_a_child_fits_a_parent_that_has_its_unchanged_names() -> None:
    """Stored or unchanged there; names that are new, deleted, sockets or of another type contradict nothing."""
    parent = archive(directory(b"r", "Ya Nb Ysocket Ygone Dd Yfile"), directory(b"r/d", "Ye"))
    child = archive(
        directory(b"r", "Na Nb Nsocket Ynew Dd Dfile Dmade"),
        directory(b"r/d", "Ye"),
        directory(b"r/file", "Yx"),
        directory(b"r/made"),
    )

    assert fit(child, parent) == Compatibility(Agreement.FITS)


def test_a_child_contradicts_a_parent_that_lacks_names() -> None:
    """Missing names, or names in a missing directory; the first ten are listed."""
    parent = archive(directory(b"r", "Ya Db"), directory(b"r/b"))
    child = archive(directory(b"r", "Na Nb Nc Dd"), directory(b"r/d", " ".join(f"Nx{number}" for number in range(20))))

    found = fit(child, parent)

    assert (found.verdict, found.unresolved) == (Agreement.CONTRADICTS, 21)
    assert found.examples[:2] == (b"r/c", b"r/d/x0")
    assert len(found.examples) == 10


def test_a_child_contradicts_a_parent_without_the_directories_it_renames() -> None:
    """Even if nothing in them is unchanged."""
    child = archive(directory(b"r", "Dc", (b"r/nowhere", b"r/c")), directory(b"r/c"))

    why = "tar would fail at r: r/nowhere cannot be renamed: it does not exist"
    expected = Compatibility(Agreement.CONTRADICTS, 1, (b"r/nowhere",), why, renamed=Renamed.IN_VAIN)
    assert fit(child, BEFORE) == expected


def test_a_directory_that_tar_was_given_twice_is_one() -> None:
    """The listing above calls it unchanged, and it has a listing of its own."""
    child = archive(directory(b"r", "Na Db"), directory(b"r/a", "Nf Dx"), directory(b"r/a/x", "Ng"), directory(b"r/b"))

    assert fit(child, BEFORE).verdict is Agreement.FITS
    assert not merged(BEFORE, child)[0].gaps


def test_archives_without_listings_neither_fit_nor_contradict() -> None:
    """Plain archives cannot be compared."""
    plain = archive(b"r/a")

    assert fit(plain, BEFORE).verdict is Agreement.UNKNOWN
    assert fit(BEFORE, plain).verdict is Agreement.UNKNOWN


def test_names_that_a_profile_leaves_out_are_no_contradiction() -> None:
    """They come and go without being archived, and tar calls them unchanged."""
    parent, child = archive(directory(b"r", "Ya")), archive(directory(b"r", "Na Nb.tmp"))

    assert fit(child, parent).verdict is Agreement.CONTRADICTS
    assert fit(child, parent, lambda path: path.endswith(b".tmp")).verdict is Agreement.FITS


@pytest.mark.parametrize(
    ("names", "steps", "earlier", "is_sound"),
    [
        ("Dc Db", [(b"r/a", b"r/c")], [], True),
        ("Da Db", [(b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a")], [], True),
        ("Da Db", [(b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a")], "the same", False),
        ("Da Db", [], [(b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a")], False),
        ("Dx", [], [(b"r/b", b""), (b"r/a", b"r/b"), (b"", b"r/a")], True),
        ("Da Dc", [(b"r/b", b"r/a"), (b"r/a", b"r/c"), (b"r/b", b"r/a")], [], False),
        ("Da Dc", [(b"r/a", b"r/c"), (b"r/b", b"r/a")], [], True),
        ("Db", [(b"r/a", b"r/b")], [], False),
        ("Dfile Db", [(b"r/a", b"r/file")], [], False),
        ("Dfile Db Dfile/x", [(b"r/a", b"r/file/x")], [], False),
        ("Dnew Db Dnew/x", [(b"r/a", b"r/new/x")], [], True),
        ("Da Db Da/new", [(b"r/a", b"r/a/new")], [], False),
    ],
)
def test_a_fit_shows_where_tar_would_restore_something_else(
    names: str, steps: list[tuple[bytes, bytes]], earlier: list[tuple[bytes, bytes]] | str, is_sound: bool
) -> None:
    """A circle written twice or undone, a chain in the wrong order, a new name still taken when tar gets to it."""
    told = steps if isinstance(earlier, str) else earlier
    parent = archive(directory(b"r", "Da Db Yfile", *told), directory(b"r/a", "Yf"), directory(b"r/b", "Yf"))
    inner = [name[1:] for name in names.split()]
    listed = [directory(b"r", " ".join(f"D{name}" for name in inner if "/" not in name), *steps)]
    for name in inner:
        below = [f"D{other.removeprefix(name + '/')}" for other in inner if other.startswith(name + "/")]
        listed.append(directory(b"r/" + name.encode(), " ".join(below or ["Nf"])))

    assert fit(archive(*listed), parent).is_sound is is_sound


def test_a_rename_in_the_listing_of_a_missing_directory_is_not_carried_out() -> None:
    """As by --transform: tar reads the listing of a directory before it has made it, and skips the rename."""
    parent = archive(directory(b"s", "Dd"), directory(b"s/d", "Yf"), b"s/d/f")
    child = archive(directory(b"m/s", "De", (b"s/d", b"s/e")), directory(b"m/s/e", "Nf"))

    assert not fit(child, parent).is_sound


def test_tar_leaves_a_directory_that_is_left_out_from_now_on() -> None:
    """It is called unchanged like a file, and the archive says nothing of its content, which stays; the fit says so."""
    parent = archive(directory(b"r", "Ya Dcache"), directory(b"r/cache", "Yx"), b"r/a", b"r/cache/x")
    child = archive(directory(b"r", "Na Ncache"))

    found = fit(child, parent)

    assert (found.verdict, found.overlooked_examples, found.is_sound) == (
        Agreement.FITS,
        (b"r/cache",),
        True,
    )
    tree, files = merged(parent, child)
    assert files == {b"r/a": (0, b"r/a"), b"r/cache/x": (0, b"r/cache/x")}
    entry = tree.entry(b"r/cache")
    assert entry is not None
    assert entry.is_directory
    assert fit(archive(directory(b"r", "Na Nx.tmp")), parent).is_sound


# -- history ---------------------------------------------------------------------------------------------------------


def told(
    path: bytes, parents: list[int | None], *archives: Members
) -> list[tuple[int, HistoryEvent, bytes | None, int | None]]:
    versions = history(path, parents, lambda index, path: sightings(path, archives[index]()))
    return [(one.archive, one.change, one.was, one.stored_in) for one in versions]


def test_the_history_of_a_file_is_its_changes() -> None:
    """It appears, stays, changes, is deleted and comes back."""
    archives = [archive(directory(b"r", names), *members) for names, members in (
        ("", ()), ("Ya", (b"r/a",)), ("Na", ()), ("Ya", (b"r/a",)), ("", ()), ("Ya", (b"r/a",)),
    )]  # fmt: skip

    assert told(b"./r/a", [None, 0, 1, 2, 3, 4], *archives) == [
        (1, HistoryEvent.APPEARED, None, 1),
        (3, HistoryEvent.CHANGED, None, 3),
        (4, HistoryEvent.DELETED, None, None),
        (5, HistoryEvent.APPEARED, None, 5),
    ]
    assert told(b"r/never", [None, 0, 1, 2, 3, 4], *archives) == []


def test_a_diff_looks_back_over_the_incs() -> None:
    """What a DIFF calls unchanged is from the FULL, not from an INC between them."""
    full = archive(directory(b"r", "Ya"), b"r/a")
    changed = evolve(member(b"r/a"), mtime_ns=5)
    inc, diff = archive(directory(b"r", "Ya"), changed), archive(directory(b"r", "Na"))

    assert told(b"r/a", [None, 0, 0], full, inc, diff) == [
        (0, HistoryEvent.APPEARED, None, 0),
        (1, HistoryEvent.CHANGED, None, 1),
        (2, HistoryEvent.CHANGED, None, 0),
    ]


def test_a_renamed_directory_brings_what_was_elsewhere() -> None:
    """They come with their old path; what was at the new path before is deleted there."""
    inc = archive(
        directory(b"r", "Dc Db", (b"r/a", b"r/c")),
        directory(b"r/c", "Nf Dx"),
        directory(b"r/c/x", "Ng"),
        directory(b"r/b", "Nf"),
    )

    assert told(b"r/c/x/g", [None, 0], BEFORE, inc) == [(1, HistoryEvent.RENAMED, b"r/a/x/g", 0)]
    assert told(b"r/a/x/g", [None, 0], BEFORE, inc) == [
        (0, HistoryEvent.APPEARED, None, 0),
        (1, HistoryEvent.DELETED, None, None),
    ]
    assert told(b"r/c", [None, 0], BEFORE, inc) == [(1, HistoryEvent.RENAMED, b"r/a", 1)]


def test_a_directory_changes_only_if_it_does() -> None:
    """It is in every archive, but has a version only if its owner, mode or time differ."""
    archives = [archive(directory(b"r", "Dd"), directory(b"r/d", mtime=time)) for time in (1, 1, 2)]

    assert told(b"r/d", [None, 0, 1], *archives) == [
        (0, HistoryEvent.APPEARED, None, 0),
        (2, HistoryEvent.CHANGED, None, 2),
    ]


def test_a_full_carries_what_did_not_change() -> None:
    """It is a version if its size, time, owner or mode differs; what an INC carries always is."""
    posix = evolve(member(b"r/a"), mtime_ns=5 * 10**9 + 7)
    gnu = evolve(posix, mtime_ns=5 * 10**9)
    others = [evolve(posix, mtime_ns=5 * 10**9 + 8), evolve(posix, size_bytes=2), evolve(posix, mode=0o600)]

    for same in (posix, gnu):
        fulls = [archive(directory(b"r", "Ya"), one) for one in (posix, same, posix)]
        assert told(b"r/a", [None] * 3, *fulls) == [(0, HistoryEvent.APPEARED, None, 0)]
        assert len(told(b"r/a", [None, 0, 1], *fulls)) == 3
    for other in others:
        fulls = [archive(directory(b"r", "Ya"), one) for one in (posix, other)]
        assert told(b"r/a", [None] * 2, *fulls)[1:] == [(1, HistoryEvent.CHANGED, None, 1)]


def test_a_plain_archive_says_nothing_of_names_that_it_does_not_hold() -> None:
    """No deletion is invented."""
    assert told(b"r/a", [None, 0, 1], archive(b"r/a"), archive(b"r/b"), archive(b"r/a")) == [
        (0, HistoryEvent.APPEARED, None, 0),
        (2, HistoryEvent.CHANGED, None, 2),
    ]


# -- hostile archives ------------------------------------------------------------------------------------------------


LONG_NAMES = Dumpdir({b"%d" % number + b"n" * 60_000: Mark.HERE for number in range(10)})
SHORT_DIRECTORIES = Dumpdir({b"%d" % number: Mark.DIRECTORY for number in range(100_000)})
LONG_UNCHANGED = Dumpdir(dict.fromkeys(LONG_NAMES.names, Mark.UNCHANGED))


def deep(levels: int, first: bytes = b"d") -> bytes:
    return first + b"/d" * (levels - 1)


@pytest.mark.parametrize("path", [deep(10_000), deep(30_000), b"n" * 300 + b"/" + b"n" * 4_000])
@pytest.mark.parametrize("is_exact", [True, False])
def test_what_lies_too_deep_is_a_gap_and_costs_nothing(path: bytes, is_exact: bool) -> None:
    """A path that tar could not extract is never split, which would cost the square of its length."""
    tracemalloc.start()
    try:
        tree = merge([archive(directory(b"", "Ya"), b"a", path, directory(path, "Yx Dy"))], is_exact)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [gap.kind for gap in tree.gaps] == [GapKind.TOO_DEEP] * 2
    assert (len(tree), tree.losses) == (1, 0)
    assert peak < 2 << 20


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_leads_upwards_is_a_gap(is_exact: bool) -> None:
    """As from tar -P ../there: GNU tar does not extract it, which must be reported."""
    tree = merge([archive(directory(b"", "Ya"), b"a", directory(b"../s", "Yx"), b"../s/x", b"a/../x")], is_exact)

    assert {gap.path for gap in tree.gaps} == {b"../s", b"../s/x", b"a/../x"}
    assert {gap.kind for gap in tree.gaps} == {GapKind.UPWARDS}
    assert (len(tree), tree.losses, sum(gap.kind.is_in_vain for gap in tree.gaps)) == (1, 0, 3)


def test_a_listed_directory_that_lies_too_deep_is_a_gap() -> None:
    """So is one that only a listing names."""
    lowest = deep(MAX_LEVELS, b"b")

    tree = merge([archive(directory(b"", "Ya Db"), b"a", directory(lowest, "Dx Dy"))], is_exact=True)
    deeper = merge([archive(directory(b"", "Ya Db"), b"a", directory(lowest + b"/x", "Dy"))], is_exact=True)

    assert [gap.kind for gap in tree.gaps] == [GapKind.NOT_ARCHIVED] * 2
    assert [(gap.path, gap.kind) for gap in deeper.gaps] == [(lowest + b"/x/y", GapKind.TOO_DEEP)]


def test_a_path_that_was_too_deep_before_does_not_affect_names_elsewhere() -> None:
    """An earlier archive may hold it, as long as no current name comes from there."""
    full = archive(directory(b"r", "Ya Db"), b"r/a", deep(10_000, b"r/b"))

    tree, found = merged(full, archive(directory(b"r", "Na")))

    assert found == {b"r/a": (0, b"r/a")}
    assert not tree.gaps


LONG_WAY = b"/".join([b"n" * 250] * 12)
FLOOD = [deep(490, b"%d/%b" % (number, LONG_WAY)) for number in range(400)]  # 2 MB of directories' paths for each


@pytest.mark.parametrize(
    ("members", "is_exact"),
    [
        (FLOOD, True),
        (FLOOD, False),
        ([directory(path) for path in FLOOD], True),
        ([evolve(directory(b"%d" % number), listing=LONG_UNCHANGED) for number in range(500)], True),
        ([evolve(directory(b"%d" % number), listing=SHORT_DIRECTORIES) for number in range(20)], True),
    ],
    ids=["deep files", "deep files laid over", "deep directories", "long names", "short directories"],
)
def test_a_tree_of_too_many_bytes_is_not_held(members: Sequence[Member | bytes], is_exact: bool) -> None:
    """If a few names make many directories with long paths, or are long themselves, merging stops in time."""
    with pytest.raises(TreeTooLarge):
        merge([archive(*members)], is_exact)


@pytest.mark.parametrize(
    "members",
    [
        [directory(deep(10_000))],
        [directory(b"n" * 4_000 + b"%d" % number) for number in range(40_000)],
        [directory(b"", "", *[(b"o" * 4_000, b"n" * 4_000)] * 20_000)],
    ],
    ids=["deep", "long paths", "long renames"],
)
def test_an_archive_of_too_many_bytes_is_not_compared(members: Sequence[Member]) -> None:
    """Comparing an archive with its parent holds no more in memory than a tree."""
    with pytest.raises(TreeTooLarge):
        fit(archive(*members), archive(directory(b"")))


def test_missing_names_are_counted_and_the_first_listed() -> None:
    """However many they are."""
    child = archive(*(evolve(directory(b"%d" % number), listing=LONG_UNCHANGED) for number in range(25)))

    found = fit(child, archive(directory(b"")))

    assert (found.verdict, found.unresolved, len(found.examples)) == (Agreement.CONTRADICTS, 250, 10)


def test_very_many_renames_are_taken_for_unsound() -> None:
    """Finding out whether tar can carry them out costs the square of their number."""
    count = 50_000
    renames = tuple(Rename(b"o%d" % number, b"n%d" % number) for number in range(count))
    names = {b"n%d" % number: Mark.DIRECTORY for number in range(count)}
    child = evolve(directory(b""), listing=Dumpdir(names, renames))
    after = [directory(b"n%d" % number) for number in range(2_000)]
    before = [directory(b"o%d" % number) for number in range(count)]

    found = fit(archive(child, *after), archive(directory(b""), *before))

    assert found.verdict is Agreement.FITS
    assert not found.is_sound


def test_renames_of_paths_that_lie_too_deep_are_not_followed() -> None:
    """They are not split, and are not left to tar."""
    child = archive(directory(b"", "Nx", (b"d/" * 20_000, b"a"), (b"a", b"d/" * 20_000)))

    tracemalloc.start()
    try:
        found = fit(child, archive(directory(b"", "Yx")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (found.verdict, found.is_sound) == (Agreement.FITS, False)
    assert peak < 2 << 20
