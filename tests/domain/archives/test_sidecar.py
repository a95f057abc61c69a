"""The side-car keeps everything known of an archive, and an unreadable one is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import AfterEnd, BackupArchive, Contents, Kind, Lineage
from tarkeep.domain.archives.sidecar import decode, encode
from tarkeep.domain.errors.archives import InvalidSidecar
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.text.times import rfc3339
from tests.support.archives import make_archive

moments = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
sizes = st.integers(0, 2**62)
archives = st.builds(
    BackupArchive,
    id=st.builds(
        ArchiveId,
        st.sampled_from(["document", "a.b-c_d"]),
        st.sampled_from(BackupType),
        st.sampled_from(["a.tar.gz", "été (2).tar.gz"]),
    ),
    size_bytes=sizes,
    digests=st.builds(
        Digests,
        md5=st.binary(min_size=16, max_size=16).map(bytes.hex),
        sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    ),
    received_at=moments,
    taken_at=moments,
    contents=st.none()
    | st.builds(
        Contents,
        st.sampled_from(Kind),
        sizes,
        sizes,
        st.none() | moments,
        st.booleans(),
        st.lists(st.sampled_from(["document", ".", "/", "\\xff", "\n"]), unique=True).map(tuple),
        st.none() | st.builds(AfterEnd, sizes, st.booleans()),
    ),
    lineage=st.builds(
        Lineage,
        st.none() | st.tuples(st.sampled_from(BackupType), st.just("a.tar.gz")),
        st.none() | st.just("0a" * 32),
        st.none() | st.just("1b" * 32),
    ),
)


def members_of(archive: BackupArchive) -> dict[str, Any]:
    """The members of its side-car, without the sum, which would be wrong after a change."""
    members: dict[str, Any] = json.loads(encode(archive))
    del members["sum"]
    return members


@given(archives)
def test_reading_back_gives_the_same_archive(archive: BackupArchive) -> None:
    """Nothing the server knows is lost between an archive and its side-car."""
    assert decode(encode(archive)) == archive


def test_it_is_json_for_people() -> None:
    """Plain members with the words of the interface, one a line."""
    text = encode(make_archive()).decode()

    members = json.loads(text)
    assert members["name"] == "full_2025-11-21_09-07-19.tar.gz"
    assert members["received_at"] == "2026-11-23T12:00:00Z"
    assert members["contents"]["kind"] == "plain"
    assert text.count("\n") > 10


def test_members_of_a_later_version_are_ignored() -> None:
    """What a newer server adds does not keep an older one from reading the rest."""
    archive = make_archive()
    members = members_of(archive) | {"held_until": "something"}

    assert decode(json.dumps(members).encode()) == archive


def test_a_side_car_of_the_first_version_is_read() -> None:
    """It has neither roots nor parents, so the archive has none."""
    archive = make_archive()
    members = members_of(archive)
    for name in ("parent", "snapshot_before", "snapshot_after", "notes"):
        del members[name]
    for name in ("has_unchanged", "roots", "after_end"):
        del members["contents"][name]

    assert decode(json.dumps(members).encode()) == archive


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"profile": "../x"},
        {"type": "WEEKLY"},
        {"name": "x"},
        {"size": -1},
        {"size": "many"},
        {"md5": "xyz"},
        {"sha256": None},
        {"received_at": "yesterday"},
        {"contents": {"kind": "plain"}},
        {"contents": {"kind": "plain", "members": 1, "unpacked_size": 1, "newest_member": None, "roots": [1]}},
        {"contents": {"kind": "plain", "members": 1, "unpacked_size": 1, "newest_member": None, "has_unchanged": 1}},
        *(
            {"contents": {"kind": "plain", "members": 1, "unpacked_size": 1, "newest_member": None, "after_end": after}}
            for after in (5, {"size": 5}, {"size": "5", "is_tar": True}, {"size": 5, "is_tar": 1}, [5, True])
        ),
        {"parent": "full.tar.gz"},
        {"parent": {"type": "FULL"}},
        {"parent": {"type": "FULL", "name": "../x.tar.gz"}},
        {"snapshot_before": "xyz"},
        {"snapshot_after": 5},
        {"notes": [5]},
        {"notes": ["a\nb"]},
        {"notes": 5},
        {"contents": {"kind": "odd", "members": 1, "unpacked_size": 1, "newest_member": None}},
    ],
)
def test_a_wrong_member_makes_it_unreadable(change: dict[str, object]) -> None:
    """A side-car that cannot be trusted whole is not trusted in part."""
    members = members_of(make_archive()) | change

    with pytest.raises(InvalidSidecar):
        decode(json.dumps(members).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"format": 1}', b"1"])
def test_anything_else_is_refused(content: bytes) -> None:
    """Truncated, empty and foreign files are not side-cars."""
    with pytest.raises(InvalidSidecar):
        decode(content)


def test_a_flipped_bit_is_noticed() -> None:
    """Whichever bit of a side-car is flipped, it is refused, or reads as before."""
    archive = evolve(make_archive(), lineage=Lineage((BackupType.FULL, "a.tar.gz"), "0a" * 32, "1b" * 32))
    whole = encode(archive)
    unnoticed = 0
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            try:
                assert decode(bytes(changed)) == archive, (position, bit)
            except InvalidSidecar:
                continue
            unnoticed += 1  # for example a space that became other whitespace

    assert unnoticed < len(whole)


def test_a_doubtful_side_car_is_read_on_request() -> None:
    """A caller that can compare it with the bytes may want to read it."""
    archive = make_archive()
    changed = encode(archive).replace(b"2026-11-23", b"2026-11-24")

    with pytest.raises(InvalidSidecar, match="changed"):
        decode(changed)
    assert decode(changed, is_doubtful=True).received_at == archive.received_at + timedelta(days=1)


def test_the_sum_is_that_of_the_rest_whatever_it_is_called() -> None:
    """The sum covers members of a later version, and this version checks it, however they are laid out."""
    members: dict[str, Any] = {**members_of(make_archive()), "held_until": "somewhen"}
    text = json.dumps(members, ensure_ascii=False, indent=2).encode()
    summed = json.dumps({**members, "sum": hashlib.sha256(text).hexdigest()}).encode()

    assert decode(summed) == make_archive()
    with pytest.raises(InvalidSidecar):
        decode(summed.replace(b"somewhen", b"somewher"))


def test_times_end_in_z() -> None:
    """RFC 3339 in UTC, whatever offset the value had."""
    plus_two = datetime(2026, 1, 1, 2, tzinfo=UTC).astimezone()

    assert rfc3339(plus_two + timedelta(microseconds=5)) == "2026-01-01T02:00:00.000005Z"
