"""Whose clock leases end by."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta

import psycopg

from tarkeep.adapters.sql.catalog import SqlCatalog
from tests.support.postgres import Postgres

_AN_HOUR_ON = """
CREATE SCHEMA moved;
CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
    $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$;
"""


def test_a_lease_ends_by_the_clock_of_the_database(postgres: Postgres) -> None:
    """Its clock is an hour ahead here, and so is the end of a lease; the servers' own clocks do not matter."""
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_AN_HOUR_ON.encode())
            (name,) = connection.execute(b"SELECT current_database()").fetchone() or ("",)
            connection.execute(f"ALTER DATABASE {name} SET search_path = moved, public, pg_catalog".encode())
        with closing(SqlCatalog.open(url)) as catalog:
            assert catalog.leases.take("job/prune", "one", timedelta(minutes=1)) == 1
            assert catalog.leases.take("job/prune", "two", timedelta(minutes=1)) is None
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(b"SELECT until_us FROM leases").fetchone()
    assert row is not None
    assert row[0] / 1e6 > time.time() + 3000
