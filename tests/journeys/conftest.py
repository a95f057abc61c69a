"""Fixtures of several journeys."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.machine import Machine
from tests.support.npm import installed
from tests.support.require import require
from tests.support.server import LiveServer, live_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def tus_js(pytestconfig: pytest.Config) -> Path:
    """A folder with the scripts of ``tus_js`` and their npm packages."""
    assert pytestconfig.cache is not None
    return installed(Path(__file__).parent / "tus_js", pytestconfig.cache.mkdir("tus_js"))


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for tests that use only their own profiles."""
    with live_server(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server


@pytest.fixture
def attribute_tools() -> None:
    """The commands that set extended attributes and ACLs."""
    found = shutil.which("setfattr") and shutil.which("setfacl")
    require("setfattr", bool(found), "apt install attr acl")


@pytest.fixture
def desk(shared_server: LiveServer, tmp_path: Path) -> Iterator[Desk]:
    with shared_server.client() as client:
        yield Desk(client, Machine(tmp_path, shared_server.url), f"desk-{next(_numbers)}", tmp_path)
