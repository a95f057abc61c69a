"""Which lines of the audit log are shown to whom."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.access.audit import AuditEntry, line_of
from tarkeep.domain.access.log_filter import LogFilter, profile_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WORDS = st.sampled_from(["", "web", "web-1", "host", "new", 'é"\\', "moved to the trash"])
ABOUT = st.sampled_from(["web/FULL/a.tar.gz", "web-1/INC/a.tar.gz", "token web", "snapshot file of web/DIFF/a.tar.gz"])


@pytest.mark.parametrize(
    ("what", "profile"),
    [
        ("laptop/FULL/a b.tar.gz", "laptop"),
        ("snapshot file of laptop/INC/a.tar.gz", "laptop"),
        ("drill 12ab of laptop/DIFF/a.tar.gz", "laptop"),
        ("token aaaa for list in laptop/FULL/a", None),
        ("job prune", None),
        ("upload 12ab", None),
        ("clock", None),
        ("laptop", None),
    ],
)
def test_a_line_is_about_the_profile_of_its_archive(what: str, profile: str | None) -> None:
    assert profile_of(what) == profile


def test_what_is_not_about_a_seen_profile_is_seen_by_those_who_see_everything() -> None:
    own, foreign, none = (AuditEntry(NOON, "aaaa", "", f"{what}", None, "new") for what in _ABOUT)
    nothing_asked = LogFilter()

    assert [nothing_asked.wants(one, None) for one in (own, foreign, none)] == [True, True, True]
    assert [nothing_asked.wants(one, "web".__eq__) for one in (own, foreign, none)] == [True, False, False]


_ABOUT = ("web/FULL/a.tar.gz", "web-1/FULL/a.tar.gz", "token aaaa")


@given(profile=WORDS, who=WORDS, said=WORDS, what=ABOUT, author=WORDS, result=WORDS)
def test_every_wanted_line_contains_the_needle(
    profile: str, who: str, said: str, what: str, author: str, result: str
) -> None:
    """Whatever is in the names: a line is passed over by its bytes only if it is not wanted."""
    entry, wanted = AuditEntry(NOON, author or None, "", what, None, result), LogFilter(profile, who, said)

    if wanted.wants(entry, None):
        assert wanted.needle in line_of(entry, "0" * 64, b"k")
