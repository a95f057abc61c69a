"""The routes that say whether everything is as it should be: to whom, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.watching.light import ConcernKind
from tarkeep.entrypoints.http.answers import status
from tarkeep.entrypoints.remedies import remedy
from tests.entrypoints.http.routes.test_retention import Desk, desk

__all__ = ["desk"]


def test_only_what_is_not_green_is_named(desk: Desk) -> None:
    desk.send("a.tar.gz")
    desk.send("a.tar.gz", profile="desktop")
    damage(desk, "laptop")

    told = desk.client.get("/api/v1/status", headers=desk.token()).json()

    assert told["light"] == "red"
    assert told["counts"] == {"green": 1, "grey": 0, "yellow": 0, "red": 1}
    assert [one["profile"] for one in told["profiles"]] == ["laptop"]
    assert [reason["code"] for reason in told["profiles"][0]["reasons"]] == ["damaged", "unrestorable"]


def test_a_token_is_told_of_its_profiles_and_nothing_of_the_server(desk: Desk) -> None:
    """What is wrong with the server may name other profiles."""
    desk.send("a.tar.gz")
    desk.send("a.tar.gz", profile="desktop")
    damage(desk, "laptop")

    told = desk.client.get("/api/v1/status", headers=desk.token(Scope.LIST, profile="desktop")).json()

    assert (told["light"], told["server"]["reasons"], told["profiles"]) == ("green", [], [])
    assert sum(told["counts"].values()) == 1


def test_who_sees_everything_is_told_that_nobody_would_be_told(desk: Desk) -> None:
    """With what to do, also if that is to be so."""
    desk.send("a.tar.gz")

    told = desk.client.get("/api/v1/status", headers=desk.token()).json()

    assert (told["light"], told["server"]["light"], told["profiles"]) == ("yellow", "yellow", [])
    (reason,) = told["server"]["reasons"]
    assert (reason["code"], reason["light"]) == ("no-channel", "yellow")
    assert 'channels = "none"' in reason["advice"]


def test_a_profile_has_its_light_and_its_newest_archive(desk: Desk) -> None:
    desk.send("a.tar.gz", "b.tar.gz")
    told = desk.client.get("/api/v1/profiles/laptop/status", headers=desk.token()).json()
    assert (told["light"], told["newest"]["name"], told["reasons"]) == ("green", "b.tar.gz", [])


@pytest.mark.parametrize("kind", ConcernKind)
def test_every_reason_has_advice_in_both_worlds(kind: ConcernKind) -> None:
    assert status._ADVICE[kind]
    assert remedy(kind, "laptop")


def damage(desk: Desk, profile: str) -> None:
    """Change a byte of its archive, and have it read."""
    file: Path = desk.data / "archives" / profile / "FULL" / "a.tar.gz"
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    url = f"/api/v1/profiles/{profile}/archives/FULL/a.tar.gz"
    desk.client.get(url, headers=desk.token())
