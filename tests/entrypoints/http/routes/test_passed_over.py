"""A request by time reports the points it passed over, since they may be of the requested time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from tests.support.machine import Machine
from tests.support.tars import END, gz, member

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = f"{TODAY:%Y-%m-%d}"


def put(client: httpx2.Client, profile: str, name: str, type: str = "FULL", *, changed: datetime = TODAY) -> None:
    tar = member(b"a", name.encode(), mtime=int(changed.timestamp())) + END
    url = f"/api/v1/profiles/{profile}/archives/{type}/{name}"
    assert client.put(url, content=gz(tar)).status_code == 201


@pytest.fixture
def dated(memory_client: httpx2.Client, profile: str) -> tuple[httpx2.Client, str]:
    """One archive of a certain time, one of a day, one of years ahead."""
    put(memory_client, profile, f"full_{TODAY - timedelta(hours=3):%Y-%m-%d_%H-%M-%S}.tar.gz")
    put(memory_client, profile, f"full_{DAY}.tar.gz", changed=TODAY - timedelta(hours=1))
    put(memory_client, profile, "full_2099-01-01_00-00-00.tar.gz")
    return memory_client, profile


def told(client: httpx2.Client, profile: str, what: str, at: str) -> tuple[str, list[str]]:
    body = client.get(f"/api/v1/profiles/{profile}/{what}", params={"at": at}).json()
    return body["point"]["name"], [one["archive"]["name"] for one in body["passed_over"]]


@pytest.mark.parametrize("minutes", [None, -1, 1], ids=["latest", "before its receipt", "after its receipt"])
def test_a_choice_by_time_passes_over_what_is_dated_ahead(
    dated: tuple[httpx2.Client, str], minutes: int | None
) -> None:
    """Plans and trees give the reason, and so do the script and the headers of the tar."""
    client, profile = dated
    ahead = "full_2099-01-01_00-00-00.tar.gz"
    moment = "latest" if minutes is None else (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()

    for what in ("plan", "tree"):
        assert told(client, profile, what, moment) == (f"full_{DAY}.tar.gz", [ahead])
    base, at = f"/api/v1/profiles/{profile}", {"at": moment}
    warnings = client.get(f"{base}/plan", params=at).json()["warnings"]
    assert warnings[0].startswith(f"FULL/{ahead} was passed over: by what its sender or its name says")
    assert f"# FULL/{ahead} was passed over" in client.get(f"{base}/plan", params={"format": "sh", **at}).text
    assert client.get(f"{base}/restore.tar", params=at).headers["Tarkeep-Passed-Over"] == f"FULL/{ahead}"


def test_what_follows_one_that_is_dated_ahead_is_the_latest(dated: tuple[httpx2.Client, str]) -> None:
    """It was placed by its receipt, so nothing is passed over for what came after it."""
    client, profile = dated

    put(client, profile, "full_now.tar.gz", changed=datetime.now(UTC))
    assert told(client, profile, "plan", "latest") == ("full_now.tar.gz", [])


def test_a_time_passes_over_what_may_be_of_it(dated: tuple[httpx2.Client, str]) -> None:
    """The newest member is the lower bound, and the end of the day, or the receipt, the upper one."""
    client, profile = dated

    early = (TODAY - timedelta(hours=2)).isoformat()
    assert told(client, profile, "plan", early)[1] == []
    chosen, passed_over = told(client, profile, "plan", TODAY.isoformat())
    assert (chosen, passed_over) == (
        f"full_{TODAY - timedelta(hours=3):%Y-%m-%d_%H-%M-%S}.tar.gz",
        ["full_2099-01-01_00-00-00.tar.gz", f"full_{DAY}.tar.gz"],
    )
    reason = client.get(f"/api/v1/profiles/{profile}/plan", params={"at": TODAY.isoformat()}).json()["passed_over"]
    assert "its time is only known to lie between" in reason[1]["reason"]
    assert told(client, profile, "plan", DAY)[0] == f"full_{DAY}.tar.gz"
    assert (
        "Tarkeep-Passed-Over"
        not in client.get(f"/api/v1/profiles/{profile}/restore.tar", params={"at": f"FULL/full_{DAY}.tar.gz"}).headers
    )


def test_what_is_all_there_is_was_not_passed_over(memory_client: httpx2.Client, profile: str) -> None:
    """If all points are dated ahead, the latest is the last of them; naming an archive passes over none."""
    for name in ("full_2098-01-01_00-00-00.tar.gz", "full_2099-01-01_00-00-00.tar.gz"):
        put(memory_client, profile, name)

    assert told(memory_client, profile, "plan", "latest") == ("full_2099-01-01_00-00-00.tar.gz", [])
    assert told(memory_client, profile, "plan", "FULL/full_2098-01-01_00-00-00.tar.gz")[1] == []


def test_the_client_warns(machine: Machine, profile: str, tmp_path: Path) -> None:
    """Before it restores, and when it lists."""
    with httpx2.Client(base_url=machine.url, trust_env=False) as client:
        put(client, profile, f"full_{DAY}.tar.gz")
        put(client, profile, "full_2099-01-01_00-00-00.tar.gz")

    for command in (("restore", profile, "--into", str(tmp_path / "into"), "--dry-run"), ("ls", profile)):
        ran = machine.run(*command)
        assert ran.returncode == 0
        assert "FULL/full_2099-01-01_00-00-00.tar.gz was passed over" in ran.stderr
