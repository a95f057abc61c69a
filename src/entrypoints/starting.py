"""
Messages for the operator when a server or a command cannot start: which path, and why.

The errors of stores and catalogs are worded for clients, which must not learn paths of the server's disk.
Here they become sentences for the operator, who needs the path.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..adapters.filesystem.marker import MARKER
from ..adapters.process.os_errors import translated
from ..domain.errors.capacity import BackendUnavailable, CatalogBusy, CatalogDamaged, InsufficientStorage, ReadOnly
from ..domain.errors.client import FolderUnusable
from ..domain.errors.settings import (
    CatalogOlder,
    DataDirectoryInUse,
    DataDirectoryUnsafe,
    FormatUnknown,
    InvalidSetting,
)
from ..domain.tarkeep_error import TarkeepError

_NOT_THERE = (NotADirectoryError, FileNotFoundError)


_CATALOG_ADVICE = "remove its file, if it has one, and run tarkeep rebuild"
_UPGRADE = "tarkeep catalog upgrade"
_TOKENS_ADVICE = "put it back from a copy, or make new tokens (tarkeep token create), which then are the only ones"
_TOKEN_TABLE_ADVICE = "put the database back from a copy, or make new tokens, which then are the only ones"


def check_is_there(folder: Path, marks: Collection[str]) -> None:
    """
    Check that *folder* is a data directory: it holds one of the files in *marks*. Nothing is created.

    For commands that need an existing data directory, so that a typo or an unmounted disk is reported.

    Raises:
        InvalidSetting: *folder* is not a data directory.
        FolderUnusable: *folder* cannot be read.
    """
    with starting(folder), translated():
        try:
            present = {entry.name for entry in folder.iterdir()}
        except FileNotFoundError:
            raise InvalidSetting("data", f"there is no data directory {folder}") from None
    if not present & set(marks):
        what = "is empty; is its disk mounted?" if not present else f"has no {MARKER}"
        raise InvalidSetting("data", f"there is no data directory in {folder}, which {what}")


@contextmanager
def starting(path: Path | str, setting: str = "data") -> Iterator[None]:
    """
    Name *path*, given by *setting*, in the error if the block fails because of it.

    Raises:
        InvalidSetting: *path* is of the wrong kind, such as a file in place of a directory.
        FolderUnusable: *path* cannot be used.
    """
    try:
        yield
    except CatalogOlder as error:
        raise InvalidSetting(setting, f"{path} cannot be used: {error} ({_UPGRADE})") from error
    except FormatUnknown as error:
        raise InvalidSetting(setting, f"{path} cannot be used: {error}") from error
    except (
        BackendUnavailable,
        CatalogBusy,
        DataDirectoryInUse,
        DataDirectoryUnsafe,
        InsufficientStorage,
        ReadOnly,
    ) as error:
        cause = error.__cause__
        if isinstance(cause, _NOT_THERE):
            raise InvalidSetting(setting, f"{path} cannot be used: {_reason(error, path)}") from error
        raise FolderUnusable(str(path), _reason(error, path)) from error


def _reason(error: TarkeepError, path: Path | str) -> str:
    match error:
        case DataDirectoryInUse():
            return f"{error}; stop it first, or give this one another directory"
        case DataDirectoryUnsafe(owner=None):
            return f"{error}; restrict it with: chmod 0700"
        case DataDirectoryUnsafe(owner=owner):
            return f"{error}; run this as that user, such as with: sudo -u '#{owner}'"
        case CatalogDamaged():
            return f"{error.reason}; {_CATALOG_ADVICE}"
        case CatalogBusy():
            return f"{error}; try again"
        case BackendUnavailable(what="token file"):
            return f"{error}; {_TOKENS_ADVICE}"
        case BackendUnavailable(what="token table"):
            return f"{error}; {_TOKEN_TABLE_ADVICE}"
    cause = error.__cause__
    said = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else ""
    if isinstance(error, BackendUnavailable) and error.reason not in ("", said):
        return error.reason
    if not said or not isinstance(cause, OSError):
        return str(error)
    is_it = cause.filename in (None, str(path), str(Path(path).absolute()))
    return said if is_it else f"{said} ({cause.filename})"
