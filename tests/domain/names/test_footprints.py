"""Footprints: no path is a link in one archive and a directory in the same or a later one, in any spelling."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.records.footprint_bytes import footprint_bytes, read_footprint
from tarkeep.domain.client.restore.member_guard import MemberGuard
from tarkeep.domain.errors.content import NotATar
from tarkeep.domain.names.footprints import Footprint, Ground, footprint_of, objection
from tarkeep.domain.tar.read_headers import read_member
from tests.support.hostile_chains import (
    HostileChain,
    directory,
    hostile_chain,
    link,
    listing,
    make_outside,
    surroundings,
)
from tests.support.members import records
from tests.support.require import require
from tests.support.tars import END, GNU_MAGIC, header, long_name, member, pax

TOP = directory(b"top", listing([b"Ya", b"Nd"]))
FULL = TOP + link(b"top/d", b"/etc") + END


def judged(*tars: bytes) -> str:
    return objection(footprint_of(records(tar)) for tar in tars)


def guarded(*tars: bytes) -> str | None:
    """The first objection of the client's guard."""
    guard = MemberGuard()
    for tar in tars:
        guard.begin()
        for record in records(tar):
            found = guard.objection(read_member(record))
            if found:
                return found
    return None


@pytest.mark.parametrize(
    "spelt",
    [b"top/d/x", b"top//d/x", b"top/./d/x", b"./top/d/x", b".//./top/d/./x", b"top/d//x", b"top/d/x/y", b"top/d/x/"],
)
@pytest.mark.parametrize("way", ["file", "long name", "pax name", "directory", "listing", "hard link", "link"])
def test_a_path_behind_a_link_is_found_in_any_spelling(spelt: bytes, way: str) -> None:
    """In any kind of member, and as the target of a hard link."""
    second = {
        "file": member(spelt),
        "long name": long_name(spelt) + member(b"top/a"),
        "pax name": pax({b"path": spelt}) + member(b"top/a"),
        "directory": directory(spelt, None),
        "listing": directory(spelt, b"\0"),
        "hard link": link(b"top/a", spelt, b"1"),
        "link": link(spelt, b"nowhere"),
    }[way]

    assert judged(FULL, TOP + second + END) == "top/d is a link in one of these archives and a directory in another"
    assert "leads through the link top/d" in (guarded(FULL, TOP + second + END) or "")
    assert judged(TOP + second + END) == ""


@pytest.mark.parametrize(
    "second",
    [
        directory(b"top/d", b"\0"),
        directory(b"top//d/.", b"\0"),
        directory(b"top/d", None),
        directory(b"./top/d", b"Yx\0\0", "pax"),
        directory(b"top/d", b"\0", "type 7").replace(b"GNU.dumpdir", b"ZNU.dumpdir"),
        directory(b"top", listing([b"Na", b"Nd"], b"Xtop/d\0")),
    ],
)
def test_a_directory_over_a_link_goes_through_it(second: bytes) -> None:
    """
    Before tar makes the directory it empties the link's target, and if it cannot remove the link it goes on.
    """
    assert "link" in judged(FULL, second + END)
    assert "in the place of a link" in (guarded(FULL, second + END) or "")


@pytest.mark.parametrize(
    "tar",
    [
        member(b"../x", b"x"),
        member(b"top/../../x", b"x"),
        member(b"/etc/x", b"x"),
        pax({b"path": b"/etc/x"}) + member(b"top/a", b"x"),
        pax(b"17  path=../evil\n") + member(b"top/a", b"x"),
        link(b"top/a", b"../x", b"1"),
        link(b"top/a", b"/etc/x", b"1"),
        directory(b"top/..", b"\0"),
        directory(b"top", listing([b"Da"], b"X../x\0Rtop/a\0T\0R\0Ttop/a\0")),
        directory(b"top", listing([b"Da"], b"Rtop/a\0T/etc/x\0")),
    ],
)
def test_tar_may_not_extract_upward_or_absolute_paths(tar: bytes) -> None:
    """Readers treat such paths differently, so even a single archive with one is refused."""
    assert "leads upwards" in judged(tar + END) or "is absolute" in judged(tar + END)
    assert "leads upwards" in (guarded(tar + END) or "") or "is absolute" in (guarded(tar + END) or "")


HIDDEN = member(b"top/d/x", b"x")


@pytest.mark.parametrize(
    ("tar", "reason"),
    [
        (header(b"top/a", len(HIDDEN), b"2", patch=(157, b"x")) + HIDDEN, "has data behind it"),
        (header(b"top/a", len(HIDDEN), b"6") + HIDDEN, "has data behind it"),
        (header(b"top/a", len(HIDDEN), b"3") + HIDDEN, "has data behind it"),
        (header(b"top/a/", len(HIDDEN), b"0") + HIDDEN, "has data behind it"),
        (header(b"top/a/", len(HIDDEN), b"7") + HIDDEN, "has data behind it"),
        (
            pax({b"size": b"%d" % len(HIDDEN)}) + header(b"top/a", 0, b"1", patch=(157, b"top/b")) + HIDDEN,
            "has data behind it",
        ),
        (directory(b"top/a", b"\0", "type 0"), "listing where none belongs"),
        (pax({b"GNU.dumpdir": b"\0"}) + directory(b"top/a", b"\0"), "listing where none belongs"),
        (pax({b"GNU.dumpdir": b"\0"}, b"g") + directory(b"top/a", None), "global header"),
        (pax({b"GNU.sparse.map": b"0,9"}) + member(b"top/a", b"x" * 9), "sparse in a way"),
        (
            header(b"top/a", 512, b"S", magic=GNU_MAGIC, patch=(386, b"%011o\0" % 0 + b"%011o\0" % 4096)) + bytes(512),
            "does not go with its size",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tar_may_not_extract_what_readers_disagree_on(tar: bytes, reason: str) -> None:
    """In data that one reader skips, another finds members, as GNU tar does when it extracts."""
    assert reason in judged(tar + END)
    assert reason in (guarded(tar + END) or "")


def test_renames_take_links_along() -> None:
    """With the directory that contains them, by themselves, and through the temporary name."""
    first = (
        directory(b"top", listing([b"Dsub", b"Yl"]))
        + directory(b"top/sub", b"Yd\0\0")
        + link(b"top/sub/d", b"/etc")
        + link(b"top/l", b"/etc")
        + END
    )
    for renames, path in (
        (b"Rtop/sub\0Ttop/new\0", b"top/new/d/x"),
        (b"Rtop/sub\0Ttop/a\0Rtop/a\0Ttop/new\0", b"top/new/d/x"),
        (b"Xtop\0Rtop/sub\0T\0R\0Ttop/new\0", b"top/new/d/x"),
        (b"Rtop/l\0Ttop/new\0", b"top/new/x"),
        (b"Rtop/l/passwd\0Ttop/new\0", b"top/a"),
        (b"Rtop/sub\0Ttop/l/new\0", b"top/a"),
        (b"Rtop/sub\0Ttop/new\0Rtop/a\0Ttop/new/d/a\0", b"top/a"),
    ):
        second = directory(b"top", listing([b"Nl"], renames)) + member(path, b"x") + END
        assert judged(first, second)
        assert guarded(first, second)
    honest = directory(b"top", listing([b"Nl", b"Dnew"], b"Rtop/sub\0Ttop/new\0")) + directory(b"top/new", b"Nd\0\0")
    assert not judged(first, honest + END)
    assert not guarded(first, honest + END)


def test_renames_without_end_are_given_up() -> None:
    """Each of them may double the number of links: this is detected, and processing stops."""
    ground = Ground({b"a/%d" % number for number in range(5_000)})

    def rename_on_and_on() -> None:
        for number in range(64):
            ground.rename(b"a", b"a/%d" % number)

    with pytest.raises(ValueError, match="than can be followed"):
        rename_on_and_on()


@pytest.mark.parametrize(
    "tars",
    [
        [FULL, TOP + member(b"top/a", b"x") + END],
        [FULL, TOP + member(b"top/dd/x", b"x") + END],
        [TOP + directory(b"top/d", b"Yx\0\0") + END, TOP + link(b"top/d", b"/etc") + END],
        [FULL, directory(b"top", listing([b"Yd"])) + member(b"top/d", b"x") + END],
        [member(b"./top/a..b/..c", b"x") + END],
    ],
    ids=["beside it", "longer name", "directory, then link", "link, then file", "dots"],
)
def test_tar_may_extract_what_every_tree_has(tars: Sequence[bytes]) -> None:
    """A plan that needs no server still needs none."""
    assert judged(*tars) == ""
    assert guarded(*tars) is None


# -- against GNU tar -------------------------------------------------------------------------------------------------


def does_harm(chain: HostileChain, box: Path, prefix: Sequence[str] = ()) -> bool:
    """Whether GNU tar, extracting archive by archive, changes anything outside its directory."""
    target = box / "target"
    target.mkdir()
    target.chmod(0o777)
    before = surroundings(box, ["target"])
    options = ["--listed-incremental=/dev/null"] if chain.is_exact else []
    for tar in chain.tars:
        command = [*prefix, "tar", "--extract", "--preserve-permissions", *options, "--file=-"]
        subprocess.run(command, input=tar, cwd=target, capture_output=True, check=False, env={"LC_ALL": "C", **PATH})
    try:
        return surroundings(box, ["target"]) != before
    finally:
        shutil.rmtree(target)


PATH = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
BLOCKS = 8


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_chain_that_harms_through_tar_is_objected_to(tmp_path: Path, block: int) -> None:
    """400 chains, of which a third does harm with tar."""
    harmful = 0
    for seed in range(block, 400, BLOCKS):
        box = tmp_path / str(seed)
        (box / "outside").mkdir(parents=True)
        make_outside(box / "outside")
        chain = hostile_chain(seed, bytes(box / "outside"))
        if not does_harm(chain, box):
            continue
        harmful += 1
        try:
            assert judged(*chain.tars), (seed, chain.recipe)
            assert guarded(*chain.tars), (seed, chain.recipe)
        except NotATar:
            continue  # servers and clients both refuse it
    assert harmful > 400 // BLOCKS // 6


def test_tar_goes_through_a_link_that_it_cannot_remove(tmp_path: Path) -> None:
    """
    So a directory in its place is enough: here an ordinary user may not write into the folder above it.
    """
    require("root", os.geteuid() == 0, "run this as root, which can switch to another user")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:-1]:
        parent.chmod(parent.stat().st_mode | 0o011)
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    top = header(b"top/", 0, b"5", patch=(100, b"0000555\0"))
    chain = HostileChain(
        (
            top + link(b"top/d", b"../../outside") + END,
            top + directory(b"top/d", None) + member(b"top/d/pwned", b"x") + END,
        ),
        is_exact=False,
        recipe="",
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    assert does_harm(chain, tmp_path, nobody)
    assert judged(*chain.tars)


# -- as it is stored -------------------------------------------------------------------------------------------------

PATHS = st.binary(max_size=20).map(lambda path: path.replace(b"\0", b"/"))


@given(
    st.builds(
        Footprint.of,
        st.frozensets(PATHS),
        st.frozensets(PATHS),
        st.lists(st.tuples(PATHS, PATHS)).map(tuple),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    ),
    st.integers(0, 1 << 20),
)
def test_a_footprint_is_kept_as_it_is_or_not_at_all(footprint: Footprint, place: int) -> None:
    """A footprint with a flipped bit is refused."""
    written = footprint_bytes(footprint)
    assert read_footprint(written) == footprint
    assert read_footprint(written).directories == footprint.directories
    flipped = bytearray(written)
    flipped[place % len(written)] ^= 4

    with pytest.raises(ValueError, match="not a footprint"):
        read_footprint(bytes(flipped))
