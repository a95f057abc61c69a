"""Lines of manifests: what is written is read again, and what is malformed or out of order is refused with its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.drills import manifest
from tarkeep.domain.drills.manifest import ManifestLine, read, written
from tarkeep.domain.errors.drills import ReportInvalid
from tarkeep.domain.tar.members import MemberType

DIGEST = b"ab" * 32
NAMES = st.binary(min_size=1, max_size=9).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b".."))
PATHS = st.lists(NAMES, max_size=4).map(b"/".join)
LINES = st.one_of(
    st.builds(
        ManifestLine, PATHS, st.just(MemberType.DIRECTORY), st.integers(0, 0o7777), st.integers(-(1 << 62), 1 << 62)
    ),
    st.builds(
        ManifestLine,
        PATHS,
        st.just(MemberType.FILE),
        st.integers(0, 0o7777),
        st.integers(0, 1 << 62),
        st.integers(0, 1 << 62),
        st.just(DIGEST),
        st.none() | PATHS,
    ),
    st.builds(ManifestLine, PATHS, st.just(MemberType.SYMLINK), st.none(), st.integers(0, 9), st.none(), NAMES),
)


@given(st.lists(LINES, unique_by=lambda line: line.place))
def test_what_is_written_is_read_again(lines: list[ManifestLine]) -> None:
    """Names are any bytes."""
    in_order = sorted(lines, key=lambda line: line.place)

    assert list(read(map(written, in_order))) == in_order


def line(*changed: object, at: int = 0) -> bytes:
    told: list[object] = ["a", "file", "0644", 1, 1, DIGEST.decode(), None]
    told[at : at + len(changed)] = changed
    return json.dumps(told).encode() + b"\n"


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"[" * 2000 + b"\n",
        line(1),
        line("a/"),
        line("./a"),
        line("/a"),
        line("a/../b"),
        line("a\\x"),
        line("a\\x00"),
        line("socket", at=1),
        line(420, at=2),
        line("644", at=2),
        line("1", at=3),
        line(True, at=3),
        line(1.5, at=4),
        line(1 << 64, at=4),
        line(None, at=5),
        line("x", at=5),
        line("a/", at=6),
    ],
)
def test_what_is_malformed_is_refused(text: bytes) -> None:
    with pytest.raises(ReportInvalid, match=r"^line 3 of the report is malformed"):
        list(read([line("A"), text], first=2))


def test_a_path_twice_and_another_order_are_refused() -> None:
    with pytest.raises(ReportInvalid, match=r"line 2 .* the same path as the line before: a"):
        list(read([line("a"), line("a")]))
    with pytest.raises(ReportInvalid, match=r"line 2 .* is out of order: z"):
        list(read([line("a/b"), line("z")]))


def test_too_many_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are parsed."""
    monkeypatch.setattr(manifest, "MOST_NAMES", 2)

    with pytest.raises(ReportInvalid, match="line 3 of the report is one too many"):
        list(read([line("a"), line("b"), b"x\n"]))
