"""Values validate themselves, so that an invalid one cannot exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests, Digests, parse_digest
from tarkeep.domain.identity.invalid import DigestMismatch, InvalidDigest, InvalidName, InvalidType
from tarkeep.domain.text.times import utc_from_timestamp
from tests.support.archives import digests_of, make_archive


@pytest.mark.parametrize("text", ["FULL", "full", "Full"])
def test_a_type_is_read_in_any_case(text: str) -> None:
    """The original's clients write it either way."""
    assert BackupType.parse(text) is BackupType.FULL


@pytest.mark.parametrize("text", ["", "WEEKLY", "FULL ", "di\ufb00", "\u0131nc"])
def test_any_other_word_is_not_a_type(text: str) -> None:
    """Letters that only fold into one of the words are not the word."""
    with pytest.raises(InvalidType):
        BackupType.parse(text)


def test_identities_are_ordered_by_profile_type_and_name() -> None:
    """The order in which stores are scanned; the type by its word."""
    ids = [
        ArchiveId(profile, type, name)
        for profile in ("A", "a")
        for type in (BackupType.DIFF, BackupType.FULL, BackupType.INC)
        for name in ("1.tar.gz", "2.tar.gz")
    ]

    assert sorted(ids[5:] + ids[:5]) == ids


def test_an_identity_is_made_of_good_names_only() -> None:
    """Any identity may be used as path components."""
    with pytest.raises(InvalidName):
        ArchiveId("..", BackupType.FULL, "a.tar.gz")
    with pytest.raises(InvalidName):
        ArchiveId("a", BackupType.FULL, "../a.tar.gz")


@pytest.mark.parametrize("value", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, None])
def test_digests_are_lower_case_hex_of_the_right_length(value: str) -> None:
    """Both digests are required."""
    with pytest.raises(InvalidDigest):
        Digests(md5=value, sha256="0" * 64)


def test_a_digest_is_read_with_upper_case_and_space_around() -> None:
    """As the tools of several systems print it."""
    assert parse_digest("md5", " " + "AB" * 16 + "\n") == "ab" * 16


def test_declared_digests_are_compared_where_declared() -> None:
    """An undeclared digest is not compared; SHA-256 is compared first."""
    actual = digests_of(b"content")

    DeclaredDigests().check(actual)
    DeclaredDigests(md5=actual.md5, sha256=actual.sha256).check(actual)
    with pytest.raises(DigestMismatch) as caught:
        DeclaredDigests(md5="0" * 32, sha256="0" * 64).check(actual)
    assert caught.value.algorithm == "sha256"


def test_times_are_aware_and_in_utc() -> None:
    """A naive time would be in an unknown zone."""
    for wrong in (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))):
        with pytest.raises((ValueError, TypeError)):
            evolve(make_archive(), received_at=wrong)
        with pytest.raises((ValueError, TypeError)):
            Contents(Kind.PLAIN, 0, 0, newest_member=wrong)


@pytest.mark.parametrize(
    ("name", "newest", "received", "taken"),
    [
        ("full_2026-01-05_10-00-00", "2026-01-05T09:00", "2026-01-09T00:00", "2026-01-05T10:00"),
        ("full", "2026-01-05T09:00", "2026-01-09T00:00", "2026-01-05T09:00"),
        ("full", "2026-01-08T09:00", "2026-01-09T00:00", "2026-01-09T00:00"),  # sent at once
        ("full", "2100-01-01T00:00", "2026-01-09T00:00", "2026-01-09T00:00"),  # a wrong clock, a camera
        ("full", None, "2026-01-09T00:00", "2026-01-09T00:00"),
        ("full_2026-01-05", "2020-01-01T00:00", "2026-01-05T11:00", "2026-01-05T11:00"),  # sent at once
        ("full_2026-01-05", "2020-01-01T00:00", "2026-01-06T02:00", "2026-01-05T23:59:59.999999"),
        ("full_2026-01-05", "2020-01-01T00:00", "2026-01-09T00:00", "2026-01-05T00:00"),
        ("full_2026-01-05", "2026-01-05T09:00", "2026-01-09T00:00", "2026-01-05T09:00"),
        ("full_2026-01-05", "2026-01-07T09:00", "2026-01-09T00:00", "2026-01-05T23:59:59.999999"),
        ("full_2099-01-01", "2026-01-05T09:00", "2026-01-09T00:00", "2099-01-01T00:00"),  # reported as dated ahead
    ],
)
def test_an_archive_was_taken_at_the_best_known_time(name: str, newest: str | None, received: str, taken: str) -> None:
    """The moment in its name, else on the day there, else at receipt, or long before that, at its newest member."""

    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    archive = BackupArchive.described(
        ArchiveId("p", BackupType.FULL, f"{name}.tar.gz"),
        1,
        digests_of(b""),
        utc(received),
        Contents(Kind.PLAIN, 1, 0, newest_member=None if newest is None else utc(newest)),
    )

    assert archive.taken_at == utc(taken)


def test_sizes_are_whole_numbers_from_0_on() -> None:
    """Sizes in bytes are never anything else."""
    wrongs: list[Any] = [-1, 1.5, "1"]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="whole number"):
            evolve(make_archive(), size_bytes=wrong)


@pytest.mark.parametrize("seconds", [1e20, -1e20, float("nan")])
def test_a_time_beyond_the_calendar_is_none(seconds: float) -> None:
    """Archives hold any number in their time fields."""
    assert utc_from_timestamp(seconds) is None


def test_a_time_is_read_as_utc() -> None:
    """Seconds since the epoch."""
    assert utc_from_timestamp(86_400) == datetime(1970, 1, 2, tzinfo=UTC)
