"""
The servers that the tests of the HTTP interface run on.

What clients may rely on is tested on three of them alike: in this process over memory, in this process over a disk,
and a real one over a socket. They are shared by all tests of a worker; each test keeps to a profile of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx2
import pytest

from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.dumper import Dumper, settled
from tests.support.histories import History
from tests.support.machine import Machine
from tests.support.server import LiveServer, in_process, live_server

KINDS = ["memory", "disk", "live"]
_numbers = itertools.count(1)


@contextmanager
def _client(kind: str, folder: Path, *, keep_both: bool = False) -> Iterator[httpx2.Client]:
    same_name: Literal["reject", "keep-both"] = "keep-both" if keep_both else "reject"
    if kind == "live":
        with live_server(folder / "data", "--same-name", same_name) as server, server.client() as client:
            yield client
    elif kind == "disk":
        with in_process(StorageSettings(data=folder / "data", same_name=same_name)) as (client, _):
            yield client
    else:
        with in_process(StorageSettings(store="memory:", catalog="memory:", same_name=same_name)) as (client, _):
            yield client


@pytest.fixture(scope="session", params=KINDS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of each of the three servers in turn."""
    with _client(request.param, tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture(scope="session", params=KINDS)
def keep_both_client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    """A client of each of the three servers, set to keep both archives of one name."""
    with _client(request.param, tmp_path_factory.mktemp("keep-both"), keep_both=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def memory_client() -> Iterator[httpx2.Client]:
    """A client of a server in this process over memory, for what does not depend on the adapters."""
    with in_process(StorageSettings(store="memory:", catalog="memory:")) as (opened, _):
        yield opened


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A real server with the settings it has by default."""
    with live_server(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture
def machine(live: LiveServer, tmp_path: Path) -> Machine:
    """A machine that talks to that server."""
    return Machine(tmp_path, live.url)


@pytest.fixture
def profile() -> str:
    """A profile that no other test of this worker has."""
    return f"profile-{next(_numbers)}"


@pytest.fixture
def laptop(client: httpx2.Client, profile: str, tmp_path: Path) -> Dumper:
    """A machine with a few files, that talks to each of the three servers in turn."""
    return settled(Dumper(client, profile, History(tmp_path)))


@pytest.fixture
def live_laptop(live: LiveServer, profile: str, tmp_path: Path) -> Iterator[Dumper]:
    """The same, with a real server."""
    with live.client() as client:
        yield settled(Dumper(client, profile, History(tmp_path)))
