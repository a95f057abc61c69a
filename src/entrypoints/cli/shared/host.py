"""What the commands about retention share: asking the server of the data directory, and how refusals end a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from ....domain.errors.settings import UsageError
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.naming import check_profile
from ...settings.server import StorageSettings
from ..terminal.exits import FAILED, NOT_FOUND, PAUSED, USAGE
from ..terminal.output import Output

if TYPE_CHECKING:
    from ...http.host_door import HostDoor, HostRefused


@contextmanager
def asking(storage: StorageSettings | None) -> Iterator[HostDoor]:
    """The running server of the data directory, or the directory itself."""
    from ...http.host_door import host_door
    from ...logs import configure

    storage = storage or StorageSettings()
    os.umask(0o077)  # files that are made belong to this user alone, SQLite's too
    configure("warning" if storage.log_level == "info" else storage.log_level, storage.log_format)
    with host_door(storage) as door:
        yield door


def archive_named(profile: str, label: str) -> ArchiveId:
    """
    The archive TYPE/NAME of *profile*.

    Raises:
        UsageError: *label* is not TYPE/NAME.
        InvalidName, InvalidType: a part of it is not valid.
    """
    word, slash, name = label.partition("/")
    if not slash:
        raise UsageError(label, "name the archive as TYPE/NAME, such as FULL/full_2026-11-24.tar.gz")
    return ArchiveId(check_profile(profile), BackupType.parse(word), name)


def refused(output: Output, error: HostRefused, advice: str = "") -> int:
    """
    Print why the server refused, with *advice*, for programs also the refusal as the server gave it; returns the exit
    code.
    """
    if output.as_json:
        output.result("", **error.members)
    output.error(f"{error.detail}; {advice}" if advice else error.detail)
    if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NOT_FOUND
    if error.status == HTTPStatus.BAD_REQUEST:
        return USAGE
    return PAUSED if error.code == "prune-paused" else FAILED
