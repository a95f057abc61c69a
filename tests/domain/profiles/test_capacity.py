"""How much may be stored: pure decisions."""

from __future__ import annotations

import pytest

from tarkeep.domain.archives.totals import Sums, Usage
from tarkeep.domain.errors.capacity import InsufficientStorage, QuotaExceeded
from tarkeep.domain.profiles.capacity import NO_RESERVE, Reserve, check_quota, check_room
from tarkeep.domain.profiles.rules import ProfileRules

GIB = 1 << 30
HELD = [Sums(2, 70), Sums(1, 20)]


@pytest.mark.parametrize(
    ("size", "reserve"), [(GIB, GIB), (19 * GIB, GIB), (20 * GIB, GIB), (100 * GIB, 5 * GIB)], ids=str
)
def test_the_reserve_is_the_larger_of_a_gibibyte_and_a_twentieth(size: int, reserve: int) -> None:
    """However full the medium is; or the reserve is the one that is set."""
    for free in (0, size // 2, size):
        assert Reserve().of(Usage(size - free, free)) == reserve
        assert Reserve(7).of(Usage(size - free, free)) == 7


def test_room_is_what_is_free_beside_the_reserve() -> None:
    """To the byte; the error says what is needed."""
    check_room(Usage(0, 100), Reserve(40), 60)
    check_room(Usage(0, 100), NO_RESERVE, 100)

    with pytest.raises(InsufficientStorage) as told:
        check_room(Usage(0, 100), Reserve(40), 61)
    assert (told.value.needed_bytes, told.value.free_bytes) == (101, 100)
    with pytest.raises(InsufficientStorage):
        check_room(Usage(0, 39), Reserve(40), 0)


@pytest.mark.parametrize(
    ("rules", "coming", "setting", "free"),
    [
        (ProfileRules(), 10**12, None, 0),
        (ProfileRules(max_bytes=100), 10, None, 0),
        (ProfileRules(max_bytes=100), 11, "max_bytes", 10),
        (ProfileRules(max_bytes=50), 0, "max_bytes", 0),
        (ProfileRules(max_archives=4), 10**12, None, 0),
        (ProfileRules(max_archives=3), 0, "max_archives", 0),
        (ProfileRules(max_archives=0), 0, "max_archives", 0),
    ],
)
def test_a_quota_is_kept_to_the_last_byte_and_archive(
    rules: ProfileRules, coming: int, setting: str | None, free: int
) -> None:
    """Over all types of the profile; the error names the rule and what is free."""
    if setting is None:
        check_quota("p", rules, HELD, coming)
        return
    with pytest.raises(QuotaExceeded) as told:
        check_quota("p", rules, HELD, coming)

    assert (told.value.setting, told.value.free) == (setting, free)
    assert f"(rule {setting}), {free} of them are free" in str(told.value)
