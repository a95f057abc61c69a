"""Times on a command line: words and dates mean a time of this machine, and what is none is refused with examples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.entrypoints.cli.main import CLIENT_COMMANDS
from tarkeep.entrypoints.cli.shared.moments import moment_ahead, moment_of
from tests.support.machine import Machine, keep_the_tree

NOW = datetime(2026, 11, 28, 10, 0)  # in Paris, an hour ahead of UTC in winter and two in summer


@pytest.fixture
def in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_paris")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", "2026-11-28T22:59:59.999999"),
        ("tomorrow", "2026-11-29T22:59:59.999999"),
        ("9:05", "2026-11-29T08:05:00"),  # the next one
        ("14:30", "2026-11-28T13:30:00"),
        ("30d", "2026-12-28T09:00:00"),
        ("6m", "2027-05-28T09:00:00"),
        ("In 2 weeks", "2026-12-12T09:00:00"),
        ("in an hour", "2026-11-28T10:00:00"),
        ("2027-12-31", "2027-12-31T22:59:59.999999"),
        ("2027-07-01T12:00:00Z", "2027-07-01T12:00:00"),
    ],
)
def test_the_end_of_something_lies_ahead(text: str, meant: str) -> None:
    assert moment_ahead(text, NOW) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2 days ago", "-3d", "in 2 fortnights", "30", "soon", "in 999999 years"])
def test_what_has_been_ends_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment_ahead(text, NOW)


@pytest.mark.usefixtures("in_paris")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-11-28T09:00:00"),
        ("today", "2026-11-28T22:59:59.999999"),
        ("yesterday", "2026-11-27T22:59:59.999999"),
        ("Yesterday at 14:30", "2026-11-27T13:30:00"),
        ("2 days ago", "2026-11-26T09:00:00"),
        ("an hour ago", "2026-11-28T08:00:00"),
        ("1 week ago", "2026-11-21T09:00:00"),
        ("-3d", "2026-11-25T09:00:00"),
        ("-12h", "2026-11-27T21:00:00"),
        ("-30min", "2026-11-28T08:30:00"),
        ("9:05", "2026-11-28T08:05:00"),
        ("14:30", "2026-11-27T13:30:00"),  # the last one that has been
        ("14:30:15", "2026-11-27T13:30:15"),
        ("2026-07-01", "2026-07-01T21:59:59.999999"),
        ("2026-07-01 12:00", "2026-07-01T10:00:00"),
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00"),
        ("2026-07-01T12:00:00-05:00", "2026-07-01T17:00:00"),
    ],
)
def test_what_a_time_means(text: str, meant: str) -> None:
    """A day is its last moment; what names no zone is of this machine, summer time as it was then."""
    assert moment_of(text, NOW) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "3d", "-3m", "-3", "2 foos ago", "25:00", "2026-02-30", "0000-01-01", "999999 years ago", "tomorrow?"]
)
def test_what_is_no_time(text: str) -> None:
    """Minutes or months, and nothing where a variable was empty."""
    with pytest.raises(ValueError, match=r".*"):
        moment_of(text, NOW)


@given(st.text() | st.from_regex(r"-?[0-9:. -]{0,20}(Z|ago|d)?", fullmatch=True))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """No other error comes up, and the time is one of UTC."""
    with suppress(ValueError):
        assert moment_of(text, NOW).tzinfo is UTC


@pytest.fixture
def ready(machine: Machine, profile: str) -> Machine:
    keep_the_tree(machine)
    assert machine.run("push", profile).returncode == 0
    return machine


TAKING = ["ls", "find", "cat", "restore"]


@pytest.mark.parametrize("command", TAKING)
def test_every_command_that_takes_a_time_takes_words(ready: Machine, profile: str, command: str) -> None:
    """And says as what it took them; an ``=`` is not needed for -3d, which is no option."""
    zone = {"TZ": "Asia/Tokyo"}
    about = ready.about(command, profile)
    today = ready.run(*command.split(), *about, "--at", "today", environment=zone)
    early = ready.run(*command.split(), *about, "--at", "-3d", environment=zone)
    exact = ready.run(*command.split(), *about, "--at", "2999-01-01T00:00:00Z", "--json")

    assert today.returncode == 0, today.stderr
    assert "--at today is taken as " in today.stderr
    assert "23:59:59 +0900, this machine's time" in today.stderr
    assert early.returncode == 10, early.stderr  # nothing is so old
    assert "--at -3d is taken as " in early.stderr
    assert "this machine's time" not in exact.stderr


@pytest.mark.parametrize("command", TAKING)
@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "WEEKLY/a.tar.gz", "../../etc.tar.gz"])
def test_what_is_neither_time_nor_archive_is_2(ready: Machine, profile: str, command: str, text: str) -> None:
    """With what works, and nothing is asked or made."""
    ran = ready.run(*command.split(), *ready.about(command, profile), "--at", text, "--server", "http://127.0.0.1:1")

    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    assert text.endswith(".gz") or "2 days ago" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_these_are_all_that_take_a_time(machine: Machine) -> None:
    """So that none is forgotten above."""
    taking = [one for one in CLIENT_COMMANDS if "--at WHEN" in machine.run(one, "--help").stdout]

    assert sorted(taking) == sorted(TAKING)


def test_a_token_ends_at_a_time_of_this_machine(machine: Machine) -> None:
    """Told as such, too."""
    made = ["token", "create", "--data", str(machine.home / "data"), "--scope", "list", "--profile", "*", "--expires"]
    day = machine.run(*made, "2999-06-30", environment={"TZ": "Asia/Tokyo"})
    bad = machine.run(*made, "someday")

    assert day.returncode == 0, day.stderr
    assert "--expires 2999-06-30 is taken as 2999-06-30 23:59:59 +0900, this machine's time" in day.stderr
    listed = machine.run("token", "list", "--data", str(machine.home / "data")).stdout
    assert "until 2999-06-30T14:59:59" in listed
    assert bad.returncode == 2
    assert "give a number of days such as 90d" in bad.stderr
