"""Every class of error that the domain has, and one of each."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

import tarkeep.domain
from tarkeep.domain.errors.client import PrivateFolder
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tarkeep_error import TarkeepError

ID = ArchiveId("laptop", BackupType.FULL, "full_1.tar.gz")
_VALUES: dict[str, object] = {
    "str": "x",
    "int": 5,
    "bool": False,
    "bytes": b"x",
    "ArchiveId": ID,
    "BackupType": BackupType.FULL,
    "PrivateFolder": PrivateFolder.WORK,
    "datetime": datetime(2026, 11, 1, tzinfo=UTC),
}


def every_error() -> list[type[TarkeepError]]:
    """All classes below `TarkeepError` in the domain, by name."""
    for module in pkgutil.walk_packages(tarkeep.domain.__path__, "tarkeep.domain."):
        importlib.import_module(module.name)
    found = {kind for kind in _below(TarkeepError) if kind.__module__.startswith("tarkeep.domain.")}
    return sorted(found, key=lambda kind: kind.__name__)


def sample(kind: type[TarkeepError]) -> TarkeepError:
    """One of *kind*, with anything that its fields may have."""
    given: dict[str, object] = {}
    for field in attrs.fields(kind) if attrs.has(kind) else ():
        if field.default is attrs.NOTHING:
            wanted = str(field.type)
            is_empty = wanted.startswith("tuple[")
            given[field.name] = () if is_empty else None if wanted.endswith("| None") else _VALUES[wanted]
    return kind(**given)


def _below(kind: type[TarkeepError]) -> Iterator[type[TarkeepError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
