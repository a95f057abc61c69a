"""Parsing inventories in pieces, which must give the same result as parsing them whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.identity.invalid import InvalidType
from tarkeep.entrypoints.http.answers.problems import Problem
from tarkeep.entrypoints.http.requests.inventory import (
    MAX_ARCHIVE_BYTES,
    MAX_MEMBER_BYTES,
    MAX_NAME_CHARACTERS,
    InventoryDocument,
    SentArchive,
    line_entries,
)

MD5, SHA256 = "0123456789abcdef" * 2, "fedcba9876543210" * 4
BODY = json.dumps(
    {
        "host": {"name": 'la"p}],to\\p', "disks": [[1], {}]},
        "local_backups": {
            "FULL": [{"name": "a}],{.tar.gz", "size": 1, "md5": MD5}, {"name": 'é\n"', "tags": [{"a": []}]}],
            "inc": [],
            "DIFF": [{"name": f"{number}.tar.gz", "sha256": SHA256, "size": 2.0} for number in range(5)],
        },
        "profile": "laptop",
    }
).encode()


class Whole(msgspec.Struct):
    """An inventory, for reading it whole."""

    local_backups: dict[str, list[SentArchive]]
    profile: str | None = None


def read_whole(body: bytes) -> tuple[list[InventoryEntry], str | None]:
    document = msgspec.json.decode(body, type=Whole)
    types = {word: BackupType.parse(word) for word in document.local_backups}
    return [
        InventoryEntry(
            types[word],
            one.name,
            None if one.size is None else int(one.size),
            one.md5 or None,
            one.sha256 or None,
        )
        for word, archives in document.local_backups.items()
        for one in archives
    ], document.profile


def read_in_blocks(body: bytes, block_bytes: int) -> tuple[list[InventoryEntry], str | None]:
    document = InventoryDocument(body[at : at + block_bytes] for at in range(0, len(body), block_bytes))
    found = list(document.entries())
    return found, document.profile


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["}", '"', "\\", "],", "{[", ""]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
archives = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "size": st.none() | st.integers(0, 10**12) | st.sampled_from([1.0, 4096.0]),
        "md5": st.none() | st.sampled_from(["", MD5]),
        "sha256": st.none() | st.sampled_from(["", SHA256]),
        "comment": anything,
    },
)
documents = st.fixed_dictionaries(
    {"local_backups": st.dictionaries(st.sampled_from(["FULL", "INC", "DIFF"]), st.lists(archives, max_size=6))},
    optional={"profile": st.none() | texts, "version": anything, "": anything},
)


@given(documents, st.permutations(["local_backups", "profile", "version", ""]), st.integers(1, 60), st.booleans())
def test_an_inventory_in_blocks_is_what_it_is_whole(
    document: dict[str, Any], order: list[str], block_bytes: int, is_indented: bool
) -> None:
    """Wherever it is cut, in any order of its members, and in any layout."""
    members = {name: document[name] for name in order if name in document}
    body = json.dumps(members, indent=2 if is_indented else None, ensure_ascii=is_indented).encode()

    assert read_in_blocks(body, block_bytes) == read_whole(body)


@given(st.integers(0, len(BODY)), st.integers(0, 8), st.binary(max_size=4) | st.sampled_from([b'"', b",", b"}", b"]"]))
@example(0, 0, b" \n")
@settings(deadline=None)
def test_what_is_no_inventory_is_refused_in_blocks_as_it_is_whole(at: int, taken: int, put: bytes) -> None:
    """A truncated one, or one with a few bytes changed, is accepted only if it still is an inventory."""
    body = BODY[:at] + put + BODY[at + taken :]
    expected: tuple[list[InventoryEntry], str | None] | None
    try:
        expected = read_whole(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidType):
        expected = None

    for block_bytes in (1, 7, len(BODY) * 2):
        try:
            found = read_in_blocks(body, block_bytes)
        except (Problem, InvalidType):
            # msgspec skips names of members without checking that they are UTF-8
            assert expected is None or not all(map(is_good, expected[0])) or not is_utf8(body)
        else:
            assert found == expected


@pytest.mark.parametrize("block_bytes", [1000, 1 << 16, 1 << 20])
def test_an_inventory_may_be_longer_than_any_block(block_bytes: int) -> None:
    """A part cut by the end of a block has its own length, not that of the block after it."""
    archives = [{"name": f"{number:06}.tar.gz", "size": number, "md5": MD5} for number in range(20_000)]
    archives[10_000]["tags"] = [1, {}]
    body = json.dumps({"local_backups": {"FULL": archives, "INC": archives}}).encode()
    assert len(body) > 2 << 20

    assert read_in_blocks(body, block_bytes) == read_whole(body)


def is_utf8(body: bytes) -> bool:
    return body.decode(errors="replace").encode() == body


def is_good(entry: InventoryEntry) -> bool:
    digests_are = (entry.md5 or MD5).lower() == MD5 and (entry.sha256 or SHA256).lower() == SHA256
    return digests_are and (entry.size_bytes is None or entry.size_bytes in (1, 2))


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"local_backups": {"FULL": [{"name": "a"}, {"name": "b"}, {"name": 1}]}}, 422, "/local_backups/FULL/2/name"),
        ({"local_backups": {"FULL": [{"name": "a", "size": "1"}, {"name": "b"}]}}, 422, "/local_backups/FULL/0/size"),
        ({"local_backups": {"FULL": [{"name": "a"}, {"size": -1, "name": "b"}]}}, 422, "/local_backups/FULL/1/size"),
        ({"local_backups": {"FULL": [{"name": "a", "x": []}, [1], 2]}}, 422, "/local_backups/FULL/1"),
        ({"local_backups": {"FULL": [{"name": "a", "md5": "x"}]}}, 422, "/local_backups/FULL/0/md5"),
        ({"local_backups": {"FULL": [{"name": "a" * (MAX_NAME_CHARACTERS + 1)}]}}, 422, "/local_backups/FULL/0/name"),
        ({"local_backups": {"FULL": {}}}, 422, "/local_backups/FULL"),
        ({"local_backups": [1]}, 422, "/local_backups"),
        ({"local_backups": {}, "profile": 1}, 422, "/profile"),
        ({"profile": "laptop"}, 422, ""),
        ([], 422, ""),
        ("text", 422, ""),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_what_has_another_shape_is_told_with_its_place(
    body: object, status: int, pointer: str, block_bytes: int
) -> None:
    """As a JSON pointer."""
    with pytest.raises(Problem) as caught:
        read_in_blocks(json.dumps(body).encode(), block_bytes)

    assert caught.value.status == status
    assert [error["pointer"] for error in caught.value.extras["errors"]] == [pointer]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b'{"local_backups": {"FULL": [{"name": "a"}, {"name" "b"}, {"name": "c"}]}}', 51),
        (b'{"local_backups": {"FULL": [{"name": "a"}, ]}}', 43),
        (b'{"local_backups": {"FULL": [{"name": "a"} {"name": "b"}]}}', 42),
        (b'{"local_backups": {}} {}', 22),
        (b'{"local_backups": {},}', 21),
        (b"{local_backups: {}}", 1),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_what_is_no_json_is_told_with_its_place(body: bytes, byte: int, block_bytes: int) -> None:
    """The byte of the body, not of the part that was parsed."""
    with pytest.raises(Problem) as caught:
        read_in_blocks(body, block_bytes)

    assert (caught.value.status, caught.value.code) == (400, "invalid-json")
    assert f"(byte {byte})" in caught.value.detail


@pytest.mark.parametrize(
    "begin",
    [
        b'{"local_backups": {"FULL": [{"name": "' + b"a" * (MAX_ARCHIVE_BYTES + 10),
        b'{"local_backups": {"FULL": [{"name": "a", "x": ' + b"[" * (MAX_ARCHIVE_BYTES + 10),
        b'{"local_backups": {"FULL": [{"name": "a", "x": "' + b"\\" * (MAX_ARCHIVE_BYTES + 10),
        b'{"local_backups": {"FULL": [1' + b"1" * (MAX_ARCHIVE_BYTES + 10),
        b'{"' + b"x" * (MAX_ARCHIVE_BYTES + 10),
        b'{"x": ' + b'[{"a":' * (MAX_MEMBER_BYTES // 6 + 10),
        b'{"x": "' + b"\\u0041" * (MAX_MEMBER_BYTES // 6 + 10),
    ],
)
def test_a_part_without_an_end_is_refused_before_it_is_held(begin: bytes) -> None:
    """However many more bytes would follow."""
    taken = 0

    def blocks() -> Iterator[bytes]:
        nonlocal taken
        for at in range(0, len(begin), 1 << 16):
            taken += 1 << 16
            yield begin[at : at + (1 << 16)]
        while True:
            taken += 1 << 16
            yield begin[-1:] * (1 << 16)

    with pytest.raises(Problem) as caught:
        list(InventoryDocument(blocks()).entries())

    assert (caught.value.status, caught.value.code) == (400, "invalid-json")
    assert taken <= len(begin) + (2 << 16)


def test_local_backups_stand_there_once() -> None:
    """It would be ambiguous which of the two counts."""
    with pytest.raises(Problem, match="twice"):
        read_in_blocks(b'{"local_backups": {"FULL": []}, "local_backups": {}}', 10)


def test_lines_are_read_wherever_they_are_cut() -> None:
    """One archive per line, with empty lines between and without a line end after the last."""
    lines = [{"name": f"{number}.tar.gz", "type": "inc", "size": number} for number in range(20)]
    body = b"\n\n".join(json.dumps(line).encode() for line in lines)

    for block_bytes in (1, 7, 1000):
        found = list(line_entries(body[at : at + block_bytes] for at in range(0, len(body), block_bytes)))
        assert found == [InventoryEntry(BackupType.INC, f"{number}.tar.gz", number) for number in range(20)]
