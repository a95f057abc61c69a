"""Claims for tests that need entries, or a claim that somebody holds."""

from __future__ import annotations

from datetime import timedelta

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.ports.catalog import Catalog, Claimed

LEASE = timedelta(minutes=5)
"""Longer than any test."""

OVER = timedelta(0)
"""A lease that has ended when it begins."""


def claimed(catalog: Catalog, archive: BackupArchive, lease: timedelta = LEASE) -> str:
    """The token of a new claim on the identity of *archive*, which is free."""
    outcome = catalog.claim(archive, lease)
    assert isinstance(outcome, Claimed)
    return outcome.token


def confirm(catalog: Catalog, archive: BackupArchive) -> None:
    """Confirm the claim on the identity of *archive*, whoever holds it."""
    held = catalog.take_over(1, LEASE, id=archive.id, whatever_lease=True)
    catalog.confirm(archive, held[0].token if held else "nobody's")


def release(catalog: Catalog, archive: BackupArchive) -> None:
    """Release the claim on the identity of *archive*, whoever holds it."""
    (held,) = catalog.take_over(1, LEASE, id=archive.id, whatever_lease=True)
    catalog.release(archive.id, held.token)
