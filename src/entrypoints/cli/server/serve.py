"""
Commands on the server's host: serve, rebuild the catalog, import archives.

A command imports what it needs when it runs: databases and the web framework take 300 ms, which help should not pay.
Results go to standard output, the log and errors to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cyclopts import Parameter

from ....domain.errors.settings import InvalidSetting
from ....domain.text.counted import counted
from ...logs import Log, configure
from ...settings.files import expanded
from ...settings.server import ServerSettings, StorageSettings
from ...settings.shown.effective import EffectiveSetting, effective_settings
from ..shared.settings_file import settings_file
from ..terminal.exits import OK, PARTLY
from ..terminal.hints import in_full
from ..terminal.output import Output

if TYPE_CHECKING:
    from ....domain.usecases.keeping.rebuild import RebuildReport

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
    from ...wiring.beside.kept import is_memory
    from ...wiring.server import open_tarkeep

    storage = storage or StorageSettings()
    _begin(storage)
    with starting(storage.data), open_tarkeep(storage) as tarkeep:
        Log("tarkeep").info("opened", store=storage.store or str(storage.data.absolute()))
        server = server or ServerSettings()
        serve_http(tarkeep, server, None if is_memory(storage) else storage.data, _effective(storage, server))
    return OK


def _effective(storage: StorageSettings, server: ServerSettings) -> tuple[EffectiveSetting, ...]:
    file = settings_file()
    table, source = ({}, "") if file is None else (file.config, file.source)
    return tuple(effective_settings((storage, server), sys.argv, os.environ, table, source))


def upgrade(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Upgrade the tables of the catalog to those of this version.

    A server does so itself with a catalog in a file. One in PostgreSQL may be used by others: they go on meanwhile, and
    afterwards, if they are of the version before. Exit codes: 0 the tables are up to date; 1 they were not changed.

    Parameters
    ----------
    json
        Print both revisions as one JSON object.
    """
    from ...wiring.host import check_data_directory, upgrade_catalog

    storage = storage or StorageSettings()
    if storage.catalog is None:
        check_data_directory(storage)
    upgraded = upgrade_catalog(storage)
    if upgraded.before == upgraded.after:
        told = f"the catalog has the schema {upgraded.after} already"
    elif upgraded.before is None:
        told = f"the catalog was empty, and has the schema {upgraded.after} now"
    else:
        told = f"the catalog has the schema {upgraded.after} now, and had {upgraded.before}"
    Output(json, quiet=False).result(told, before=upgraded.before, after=upgraded.after)
    return OK


def rebuild(
    *, check: bool = False, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None
) -> int:
    """
    Rebuild the catalog from the store. The server must not be running.

    Side-cars that are missing or were changed are written again, as far as the bytes agree. Exit codes: 0 everything is
    in order; 3 something was damaged, repaired or left out, and is listed.

    Parameters
    ----------
    check
        Read every archive, and compare it with its side-car and the catalog. This takes as long as reading the disk.
    json
        Print what was found as one JSON object.
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
    output = Output(json, quiet=False)
    if json:
        output.result("", **_rebuilt(report))
    for line in () if json else _told(report):
        output.result(line)
    return OK if report.is_good else PARTLY


def _told(report: RebuildReport) -> Iterator[str]:
    yield f"{counted(report.entered, 'archive')} entered into the catalog"
    recalled = report.recalled
    if recalled.archives or recalled.drills:
        drills = f", and {counted(recalled.drills, 'drill')}" if recalled.drills else ""
        yield f"taken from the evidence: the last good reading of {counted(recalled.archives, 'archive')}{drills}"
    if recalled.broken is not None:
        yield f"nothing was taken from the evidence: {recalled.broken} does not follow the one before it"
    for id, how in (*report.described, *report.mended):
        yield f"{how}: {id}"
    for id in report.damaged:
        yield f"damaged, its bytes are not what was received; send it again: {id}"
    for id in report.wrong_snapshots:
        yield f"snapshot file damaged; it is not served, and the chain is unaffected: {id}"
    for id in report.bad_records:
        yield f"records of its members damaged; they were dropped, and are made again when needed: {id}"
    for id in report.otherwise:
        yield f"the catalog differed from its side-car: {id}"
    if report.unsound:
        yield "the catalog's file was damaged; it has been rebuilt"
    for profile, type, had, has in report.fewer:
        yield f"the catalog had {counted(had, 'archive')} of {profile}/{type.value}, the store has {has}"
    for id, reason in report.left_out:
        yield f"left out: {id}: side-car not readable: {reason}"
    if report.left_out:
        yield "remove a wrong side-car and run this again: a new one is then written from the archive"


def _rebuilt(report: RebuildReport) -> dict[str, object]:
    """What a rebuild found, for programs; archives are written PROFILE/TYPE/NAME."""
    return {
        "in_order": report.is_good,
        "entered": report.entered,
        "recalled": {"archives": report.recalled.archives, "drills": report.recalled.drills},
        "evidence_is_whole": report.recalled.broken is None,
        "described": [{"archive": str(id), "detail": how} for id, how in report.described],
        "mended": [{"archive": str(id), "detail": how} for id, how in report.mended],
        "damaged": [str(id) for id in report.damaged],
        "wrong_snapshots": [str(id) for id in report.wrong_snapshots],
        "bad_records": [str(id) for id in report.bad_records],
        "otherwise": [str(id) for id in report.otherwise],
        "catalog_was_damaged": report.unsound,
        "fewer": [
            {"profile": profile, "type": type.value, "had": had, "has": has} for profile, type, had, has in report.fewer
        ],
        "left_out": [{"archive": str(id), "error": reason} for id, reason in report.left_out],
    }


def import_(
    directory: Path,
    /,
    *,
    profile: str = "default",
    timezone: str | None = None,
    json: bool = False,
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
    json
        Print what came of each archive as one JSON object.
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
    refused = [(label, why if isinstance(why, str) else in_full(why)) for label, why in report.refused]
    output = Output(json, quiet=False)
    lines = [
        *(f"imported: {label}" for label in report.imported),
        *(f"already there: {label}" for label in report.already_there),
        *(f"refused: {label}: {why}" for label, why in refused),
    ]
    for line in () if json else lines:
        output.result(line)
    output.result(
        f"{len(report.imported)} imported, {len(report.already_there)} already there, {len(refused)} refused",
        imported=report.imported,
        already_there=report.already_there,
        refused=[{"archive": label, "error": why} for label, why in refused],
    )
    return PARTLY if report.refused else OK


def _begin(storage: StorageSettings) -> None:
    """Set up logging, and a umask that gives new files, SQLite's too, to this user alone."""
    os.umask(0o077)
    configure(storage.log_level, storage.log_format)
