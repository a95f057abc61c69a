"""``tarkeep check``: beside a running server, and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entrypoints.cli.server.test_prune import Host
from tests.entrypoints.cli.server.test_scrub import flip, put
from tests.support.server import live_server


@pytest.fixture(params=["served", "opened"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """Two profiles with an archive each, and nobody is to be told; a server runs, or has been stopped."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text("")
    host.data.mkdir(mode=0o700)
    (host.data / "notify.toml").write_text('channels = "none"\n')
    with live_server(host.data, "--profiles", str(host.rules), "--reserve-bytes", "0") as server:
        put(server)
        put(server, "desktop")
        if request.param == "served":
            yield host
            return
    yield host


def test_everything_is_as_it_should_be(host: Host) -> None:
    told = json.loads(host.tarkeep("check", "--json", "--reserve-bytes", "0").stdout)
    assert (told["light"], told["counts"]["green"], told["profiles"]) == ("green", 2, [])
    assert host.tarkeep("check", "laptop").stdout == "laptop: green\n"
    assert "no profile nobody" in host.tarkeep("check", "nobody", code=10).stderr


def test_a_server_that_can_tell_nobody_is_yellow(tmp_path: Path) -> None:
    """Until somebody decides that nobody is to be told."""
    host = Host(tmp_path / "data", tmp_path / "rules.toml")
    host.rules.write_text("")
    with live_server(host.data, "--reserve-bytes", "0") as server:
        put(server)

    assert host.tarkeep("check", "--reserve-bytes", "0", code=3).stdout.splitlines() == [
        "yellow  server: nobody would be told if something went wrong",
        "        name a channel in notify.toml in the data directory; if nobody is to be told, it has the one line "
        'channels = "none"',
        "1 profile: 1 green",
    ]
    (host.data / "notify.toml").write_text('channels = "none"\n')
    assert host.tarkeep("check", "--reserve-bytes", "0").stdout == "1 profile: 1 green\n"


def test_damage_is_told_with_what_to_do_and_an_exit_code_of_its_own(host: Host) -> None:
    flip(host.data / "archives/laptop/FULL/a.tar.gz")
    host.tarkeep("scrub", code=13)

    first, second, *_ = lines = host.tarkeep("check", "--reserve-bytes", "0", code=13).stdout.splitlines()

    assert first == "red     laptop: 1 archive is damaged: FULL/a.tar.gz (digest)"
    assert second == "        send the same archive again, from wherever there is a copy"
    assert lines[-1] == "2 profiles: 1 red, 1 green"
    assert host.tarkeep("check", "desktop").stdout == "desktop: green\n"
