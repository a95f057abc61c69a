"""
Commands on the server's host: serve, rebuild the catalog, import archives.

A command imports what it needs when it runs: databases and the web framework take 300 ms, which help should not pay.
Results go to standard output, the log and errors to standard error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cyclopts import Parameter

from ....domain.errors.settings import InvalidSetting
from ....domain.text.counted import counted
from ....domain.text.paths import printable
from ...logs import Log, configure
from ...settings.files import expanded
from ...settings.server import ServerSettings, StorageSettings
from ..terminal.exits import OK, PARTLY
from ..terminal.hints import in_full

# one settings file serves all commands, so those that do not listen accept the server's settings and ignore them
Unused = Annotated[ServerSettings | None, Parameter(show=False)]


def serve(*, storage: StorageSettings | None = None, server: ServerSettings | None = None) -> int:
    """
    Serve the HTTP interface until stopped. SIGHUP makes it read the certificate, the rules and the tokens again.

    Each setting may be given as an option, as a variable (--max-uploads is TARKEEP_MAX_UPLOADS) or in a TOML file
    (max_uploads = 64); an option takes precedence over a variable, and both over the file.
    """
    from ...http.server import serve as serve_http
    from ...starting import starting
    from ...wiring.server import is_memory, open_tarkeep

    storage = storage or StorageSettings()
    _begin(storage)
    with starting(storage.data), open_tarkeep(storage) as tarkeep:
        Log("tarkeep").info("opened", store=storage.store or str(storage.data.absolute()))
        serve_http(tarkeep, server or ServerSettings(), None if is_memory(storage) else storage.data)
    return OK


def rebuild(*, check: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Rebuild the catalog from the store. The server must not be running.

    Side-cars that are missing or were changed are written again, as far as the bytes agree. Exit codes: 0 everything is
    in order; 3 something was damaged, repaired or left out, and is listed.

    Parameters
    ----------
    check
        Read every archive, and compare it with its side-car and the catalog. This takes as long as reading the disk.
    """
    from ...starting import starting
    from ...wiring.host import check_store
    from ...wiring.server import open_tarkeep

    storage = storage or StorageSettings()
    _begin(storage)
    check_store(storage)
    with starting(storage.data), open_tarkeep(storage) as tarkeep:
        tarkeep.recover()
        tarkeep.settle_trash()
        report = tarkeep.rebuild(check=check)
    print(f"{counted(report.entered, 'archive')} entered into the catalog")
    for id, how in (*report.described, *report.mended):
        print(printable(f"{how}: {id}"))
    for id in report.damaged:
        print(printable(f"damaged, its bytes are not what was received; send it again: {id}"))
    for id in report.wrong_snapshots:
        print(printable(f"snapshot file damaged; it is not served, and the chain is unaffected: {id}"))
    for id in report.bad_records:
        print(printable(f"records of its members damaged; they were dropped, and are made again when needed: {id}"))
    for id in report.otherwise:
        print(printable(f"the catalog differed from its side-car: {id}"))
    if report.unsound:
        print("the catalog's file was damaged; it has been rebuilt")
    for profile, type, had, has in report.fewer:
        print(printable(f"the catalog had {counted(had, 'archive')} of {profile}/{type.value}, the store has {has}"))
    for id, reason in report.left_out:
        print(printable(f"left out: {id}: side-car not readable: {reason}"))
    if report.left_out:
        print("remove a wrong side-car and run this again: a new one is then written from the archive")
    return OK if report.is_good else PARTLY


def import_(
    directory: Path,
    /,
    *,
    profile: str = "default",
    timezone: str | None = None,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Import the archives of an original server's remote_backups folder, which is only read.

    Each is checked like an upload, and against the MD5 in its side-car. Running it again is harmless.

    Parameters
    ----------
    directory
        The folder that contains FULL, INC and DIFF.
    profile
        The profile for archives whose side-car is missing.
    timezone
        Where the original server ran, such as Europe/Paris; its side-cars do not contain it. Default: this machine's
        zone.
    """
    from ...starting import starting
    from ...wiring.host import legacy_folder
    from ...wiring.server import open_tarkeep

    storage = storage or StorageSettings()
    _begin(storage)
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidSetting("timezone", f"{timezone!r} is not a time zone; use one such as Europe/Paris") from None
    with starting(storage.data), open_tarkeep(storage) as tarkeep:
        tarkeep.recover()
        tarkeep.settle_trash()
        report = tarkeep.import_folder(legacy_folder(expanded("directory", directory), zone, profile))
    for label in report.imported:
        print(printable(f"imported: {label}"))
    for label in report.already_there:
        print(printable(f"already there: {label}"))
    for label, reason in report.refused:
        print(printable(f"refused: {label}: {reason if isinstance(reason, str) else in_full(reason)}"))
    print(f"{len(report.imported)} imported, {len(report.already_there)} already there, {len(report.refused)} refused")
    return PARTLY if report.refused else OK


def _begin(storage: StorageSettings) -> None:
    """Set up logging, and a umask that gives new files, SQLite's too, to this user alone."""
    os.umask(0o077)
    configure(storage.log_level, storage.log_format)
