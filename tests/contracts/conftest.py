"""The databases in which the tables of the catalog keep their contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql", "pgbouncer"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new catalog is: in a file, in PostgreSQL, and there through a pooler."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalog.sqlite"
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.emptied("contracts")
    if request.param == "postgresql":
        return url
    return url.replace(f":{postgres.port}/", f":{request.getfixturevalue('pgbouncer')}/")
