"""A real server for all tests of a worker, each of which uses profiles of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live_door import LiveDoor, live_door
from tests.support.server import LiveServer, live_server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture
def door(live: LiveServer) -> Iterator[LiveDoor]:
    """The server through the adapters, and around them."""
    with live_door(live) as door:
        yield door
