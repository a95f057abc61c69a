"""Entering archives in a catalog, as receives do: ``python -m benchmarks.entering URL PROFILE COUNT``."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import timedelta

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.ports.catalog import Claimed

from .population import archive_rows


def main(url: str, profile: str, count: str) -> None:
    with closing(SqlCatalog.open(url, busy_seconds=60)) as catalog:
        for archive in archive_rows({profile: int(count)}):
            claimed = catalog.claim(archive, timedelta(seconds=30))
            if not isinstance(claimed, Claimed):
                raise SystemExit(f"{archive.id} is claimed elsewhere")
            catalog.confirm(archive, claimed.token)


if __name__ == "__main__":
    main(*sys.argv[1:])
