"""Scanning dumpdirs as they pass, against reading them whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.targz.dumpdir_scan import DumpdirScan
from tarkeep.domain.errors.content import NotATar
from tarkeep.domain.tar.dumpdirs import Mark, parse_dumpdir

records = st.tuples(st.sampled_from("YNDRTXQRT"), st.sampled_from(["", "a", "d/e", "name"]))
dumpdirs = st.tuples(
    st.lists(records, max_size=8), st.sampled_from([b"\0", b"", b"\0\0\0", b"\0Rlate\0"]), st.booleans()
).map(
    lambda drawn: (
        b"".join(f"{letter}{name}\0".encode() for letter, name in drawn[0])[: -1 if drawn[2] else None] + drawn[1]
    )
)


@given(dumpdirs, st.lists(st.integers(1, 9), min_size=1, max_size=20), dumpdirs)
def test_what_cannot_be_carried_out_is_refused_however_it_is_cut(
    dumpdir: bytes, steps: list[int], before: bytes
) -> None:
    """Exactly what a reader of the whole listing refuses, and at least the names that it reads are counted."""
    scan = DumpdirScan(1000, 1000)
    try:
        scan.begin(len(before), 0)
        scan.feed(before)
    except NotATar:
        pass  # the next one begins anew
    scan.here = scan.unchanged = 0
    refused = None
    at = 0
    try:
        scan.begin(len(dumpdir), 512)
        for step in steps * (len(dumpdir) + 1):
            scan.feed(dumpdir[at : at + step])
            at += step
    except NotATar as error:
        refused = error

    if refused is not None:
        assert refused.offset == 512
        with pytest.raises(ValueError, match=refused.reason.rpartition(" has ")[2]):
            parse_dumpdir(dumpdir)
    else:
        marks = list(parse_dumpdir(dumpdir).names.values())
        assert scan.here >= marks.count(Mark.HERE)  # names that are listed twice count twice
        assert scan.unchanged >= marks.count(Mark.UNCHANGED)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("YND")), st.integers(1, 9))
def test_names_are_counted_however_a_listing_is_cut(names: dict[str, str], step: int) -> None:
    dumpdir = b"".join(f"{letter}{name}\0".encode() for name, letter in names.items()) + b"\0"
    scan = DumpdirScan(1000, 1000)
    scan.begin(len(dumpdir), 512)
    for at in range(0, len(dumpdir), step):
        scan.feed(dumpdir[at : at + step])

    assert (scan.here, scan.unchanged) == tuple(list(names.values()).count(letter) for letter in "YN")


@pytest.mark.parametrize("dumpdir", [b"Rold\0\0", b"Rold\0Ya\0\0", b"Tnew\0\0", b"Xd\0Xd\0\0", b"R\0Tnew\0\0"])
def test_half_a_rename_is_refused(dumpdir: bytes) -> None:
    """With the reason and the position."""
    scan = DumpdirScan(10, 10)
    scan.begin(len(dumpdir), 0)

    with pytest.raises(NotATar, match="a directory's listing has"):
        scan.feed(dumpdir)
