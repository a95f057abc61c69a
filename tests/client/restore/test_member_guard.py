"""No member leaves the directory: by its name, by a link, by another member's link, or by a rename."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tarkeep.domain.client.restore.member_guard import MemberGuard
from tarkeep.domain.tar.dumpdirs import Dumpdir, Rename
from tarkeep.domain.tar.members import Member, MemberType

FILE, DIRECTORY, SYMLINK, HARD_LINK = (
    MemberType.FILE,
    MemberType.DIRECTORY,
    MemberType.SYMLINK,
    MemberType.HARD_LINK,
)


def member(
    path: bytes, type: MemberType = FILE, link: bytes = b"", renames: Sequence[tuple[bytes, bytes]] = ()
) -> Member:
    listing = Dumpdir({}, tuple(Rename(old, new) for old, new in renames)) if renames else None
    return Member(path, type, 0o644, 0, 0, b"", b"", 0, 0, link, None, 0, 512, 0, is_sparse=False, listing=listing)


@pytest.mark.parametrize(
    "members",
    [
        [member(b"document/a")],
        [member(b"")],
        [member(b"..a/b..c/...")],
        [member(b"\xff\x1b\n")],
        [member(b"etc", SYMLINK, b"/etc"), member(b"up", SYMLINK, b"../../x")],
        [member(b"a"), member(b"b", HARD_LINK, b"a")],
        [member(b"d", DIRECTORY), member(b"d", SYMLINK, b"/etc")],
        [member(b"d", SYMLINK, b"/etc"), member(b"d")],
        [member(b"d", SYMLINK, b"/etc"), member(b"dd/passwd")],
        [member(b"d", DIRECTORY, renames=[(b"d/old", b"d/new"), (b"", b"d/other")])],
    ],
)
def test_what_an_honest_dump_holds_is_let_through(members: Sequence[Member]) -> None:
    """Links may point anywhere, and odd names are names."""
    guard = MemberGuard()
    assert [guard.objection(each) for each in members] == [None] * len(members)


@pytest.mark.parametrize(
    ("members", "objection"),
    [
        ([member(b"/etc/passwd")], "/etc/passwd is absolute"),
        ([member(b"/")], "/ is absolute"),
        ([member(b"..")], ".. leads upwards"),
        ([member(b"a/../../b")], "a/../../b leads upwards"),
        ([member(b"b", HARD_LINK, b"/etc/shadow")], "b names /etc/shadow, which is absolute"),
        ([member(b"b", HARD_LINK, b"../x")], "b names ../x, which leads upwards"),
        ([member(b"d", SYMLINK, b"/etc"), member(b"d/passwd")], "d/passwd leads through the link d"),
        ([member(b"d", SYMLINK, b"/etc"), member(b"d/x/y", DIRECTORY)], "d/x/y leads through the link d"),
        ([member(b"d", SYMLINK, b"/etc"), member(b"d//x/./y")], "d//x/./y leads through the link d"),
        ([member(b"./a//d", SYMLINK, b"/etc"), member(b"a/./d/x")], "a/./d/x leads through the link a/d"),
        ([member(b"d", SYMLINK, b"/etc"), member(b"d", DIRECTORY)], "d is a directory in the place of a link"),
        ([member(b"d", SYMLINK, b"/etc"), member(b"d/.", DIRECTORY)], "d/. is a directory in the place of a link"),
        (
            [member(b"d", SYMLINK, b"/etc"), member(b"b", HARD_LINK, b"d/passwd")],
            "b names d/passwd, which leads through the link d",
        ),
        (
            [member(b"d", SYMLINK, b"/etc"), member(b"e", HARD_LINK, b"d"), member(b"e/passwd")],
            "e/passwd leads through the link e",
        ),
        ([member(b"d", DIRECTORY, renames=[(b"d/a", b"../a")])], "d names ../a, which leads upwards"),
        ([member(b"d", DIRECTORY, renames=[(b"/etc/cron.d", b"d/a")])], "d names /etc/cron.d, which is absolute"),
        (
            [member(b"l", SYMLINK, b"/"), member(b"d", DIRECTORY, renames=[(b"l/etc", b"d/a")])],
            "d names l/etc, which leads through the link l",
        ),
        ([member(b"\x1b[2J/../..")], r"\x1b[2J/../.. leads upwards"),
    ],
)
def test_what_would_be_written_elsewhere_is_named(members: Sequence[Member], objection: str) -> None:
    """The last member is the offending one, named in characters that are safe for a terminal."""
    guard = MemberGuard()

    assert [guard.objection(each) for each in members] == [None] * (len(members) - 1) + [objection]


def test_links_that_are_there_already_are_no_way_either() -> None:
    """Links of the target directory count; and the current archive may put no link where it has a directory."""
    guard = MemberGuard([b"here/link"])

    assert guard.objection(member(b"here/other/x")) is None
    assert guard.objection(member(b"here/link/x")) == "here/link/x leads through the link here/link"
    assert guard.objection(member(b"here/link", DIRECTORY)) == "here/link is a directory in the place of a link"
    assert guard.objection(member(b"here", SYMLINK)) == "here is a link in the place of a directory"
    guard.begin()
    assert guard.objection(member(b"here", SYMLINK)) is None
