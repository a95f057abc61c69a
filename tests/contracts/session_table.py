"""What every `SessionTable` promises."""

from __future__ import annotations

from datetime import timedelta

from tarkeep.domain.access.sessions import Session
from tarkeep.domain.ports.access import SessionTable
from tests.support.archives import NOON

MOMENT = NOON + timedelta(microseconds=123_456)
HOUR = timedelta(hours=1)


def a_session(sha256: str = "ab" * 32, hours: int = 0) -> Session:
    return Session(sha256, "63c5ujmz", MOMENT + hours * HOUR, MOMENT + hours * HOUR)


class SessionTableContract:
    def test_what_was_added_is_found_until_it_ends(self, table: SessionTable) -> None:
        table.add(a_session())
        table.add(a_session("cd" * 32))

        assert table.find("ab" * 32) == a_session()
        table.end("ab" * 32)
        table.end("ab" * 32)
        assert table.find("ab" * 32) is None
        assert table.find("cd" * 32) == a_session("cd" * 32)

    def test_a_use_is_noted(self, table: SessionTable) -> None:
        table.add(a_session())

        table.note_use("ab" * 32, MOMENT + HOUR)
        table.note_use("cd" * 32, MOMENT + HOUR)

        assert table.find("ab" * 32) == Session("ab" * 32, "63c5ujmz", MOMENT, MOMENT + HOUR)
        assert table.find("cd" * 32) is None

    def test_those_begun_or_used_too_long_ago_are_swept(self, table: SessionTable) -> None:
        for hours, name in enumerate(("aa", "bb", "cc")):
            table.add(a_session(name * 32, hours))
        table.note_use("aa" * 32, MOMENT + 3 * HOUR)

        table.sweep(MOMENT, MOMENT + 2 * HOUR)
        assert [table.find(name * 32) is not None for name in ("aa", "bb", "cc")] == [True, False, True]
        table.sweep(MOMENT + 2 * HOUR, MOMENT)
        assert [table.find(name * 32) is not None for name in ("aa", "bb", "cc")] == [False, False, True]
