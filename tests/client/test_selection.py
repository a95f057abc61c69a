"""What decides which files a dump has: when it is another than before, and what is said of it."""

from __future__ import annotations

import pytest

from tarkeep.domain.client.selection import ACLS, ONE_FILE_SYSTEM, XATTRS, Selection

LAST = "INC/inc_1.tar.gz"


def selection(*excluded: str, root: str = "src", options: tuple[str, ...] = (), is_whole: bool = True) -> Selection:
    return Selection(root, frozenset(excluded), frozenset(options), is_whole)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (selection(), selection()),
        (selection("*.iso", "*.tmp"), selection("*.tmp", "*.iso", "*.iso")),
        (selection(options=(XATTRS, ACLS)), selection()),
    ],
    ids=["nothing", "order-and-number", "attributes-no-longer-kept"],
)
def test_what_comes_to_the_same_needs_no_full(before: Selection, now: Selection) -> None:
    """Patterns have no order, and what was kept beside the files does no harm."""
    assert now.change_since(before) is None


@pytest.mark.parametrize(
    ("before", "now", "full", "otherwise"),
    [
        (
            selection("*.iso"),
            selection(),
            f"what is excluded has changed since {LAST} (no longer *.iso): this is a FULL, so that what was excluded "
            "is backed up",
            "a file that changed while it was excluded is missing from it, or is old",
        ),
        (
            selection(),
            selection("d", "c", "b", "a"),
            f"what is excluded has changed since {LAST} (now a, b, c and 1 more): this is a FULL, so that what is "
            "excluded now is not restored as it was",
            "what is excluded now is restored from it as it was",
        ),
        (
            selection("a"),
            selection("b"),
            f"what is excluded has changed since {LAST} (no longer a, now b): this is a FULL, so that what was",
            "a file that changed while it was excluded",
        ),
        (
            selection(),
            selection(root="sr\x1bc"),
            rf"the directory is called sr\x1bc and was src for {LAST}: this is a FULL, so that all of it is backed up",
            "may be missing",
        ),
        (
            selection(options=(ONE_FILE_SYSTEM,)),
            selection(),
            f"the dump goes into other file systems, too, now, and did not for {LAST}: this is a FULL",
            "may be missing",
        ),
        (
            selection(),
            selection(options=(ONE_FILE_SYSTEM,)),
            f"the dump stays in the file system of its directory now, and did not for {LAST}: this is a FULL",
            "may be missing",
        ),
        (
            selection(),
            selection(options=(XATTRS,)),
            f"extended attributes are kept now, and were not for {LAST}: this is a FULL, so that all files have theirs",
            "files that have not changed lack theirs",
        ),
        (
            selection(options=(XATTRS,)),
            selection(options=(XATTRS, ACLS)),
            f"access control lists are kept now, and were not for {LAST}: this is a FULL",
            "lack theirs",
        ),
        (
            selection(is_whole=False),
            selection(),
            f"{LAST} is not whole itself: this is a FULL",
            "may be missing",
        ),
    ],
)
def test_what_is_otherwise_is_told_with_what_follows(
    before: Selection, now: Selection, full: str, otherwise: str
) -> None:
    """Why a FULL is made, and what a dump lacks that is none."""
    change = now.change_since(before)

    assert change is not None
    assert change.why_full(LAST).startswith(full)
    assert otherwise in change.why_not_whole(LAST)
    assert change.why_not_whole(LAST).endswith("; a FULL puts it right")
