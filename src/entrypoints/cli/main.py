"""
The commands of ``tarkeep``: serving, and what an operator does on the server's host.

A command imports what it needs when it runs: databases and the web framework take 300 ms that help need not pay.
Results go to standard output, the log and errors to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage or
setting, 3 partly done.
"""

from __future__ import annotations

import os
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import cyclopts
from cyclopts import App, Parameter

from ...domain.errors import InvalidSetting, TarkeepError
from ..logs import configure
from ..settings import ServerSettings, StorageSettings

OK, FAILED, USAGE, PARTLY = 0, 1, 2, 3
ENVIRONMENT = "TARKEEP_"
DEFAULT_FILE = "tarkeep.toml"

# one settings file serves every command, so those that do not listen take the server's settings without looking
Unused = Annotated[ServerSettings | None, Parameter(show=False)]

app = App(
    name="tarkeep",
    help="Keeps backup archives made with plain tar, and can prove that they restore.",
    version=lambda: version("tarkeep"),
    default_parameter=Parameter(negative=()),
)


@app.command
def serve(*, storage: StorageSettings | None = None, server: ServerSettings | None = None) -> int:
    """
    Serve the HTTP interface until stopped.

    Each setting may be given as an option, as a variable (--max-uploads is TARKEEP_MAX_UPLOADS) or in a TOML file
    (max_uploads = 64); the first that is given counts, in this order.
    """
    from ..http.server import serve as serve_http
    from ..wiring import open_tarkeep

    storage = storage or StorageSettings()
    configure(storage.log_level, storage.log_format)
    with open_tarkeep(storage) as tarkeep:
        serve_http(tarkeep, server or ServerSettings())
    return OK


@app.command
def rebuild(*, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """Recreate the catalog from the store. The server must not be running."""
    from ..wiring import open_tarkeep

    storage = storage or StorageSettings()
    configure(storage.log_level, storage.log_format)
    with open_tarkeep(storage) as tarkeep:
        tarkeep.recover()
        report = tarkeep.rebuild()
    print(f"{report.entered} archives entered into the catalog")
    for id in report.described:
        print(f"described anew, had no side-car: {id}")
    for id in report.damaged:
        print(f"damaged, its length is not the recorded one: {id}")
    for id, reason in report.left_out:
        print(f"left out: {id}: {reason}")
    if report.left_out:
        print("remove a side-car that is wrong and run this again: its archive is then described anew")
    return PARTLY if report.damaged or report.left_out else OK


@app.command(name="import")
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
    Adopt the archives of an original server's remote_backups folder, which is only read.

    Each is checked like an upload, and against the MD5 in its side-car. Running it again is harmless.

    Parameters
    ----------
    directory
        The folder that holds FULL, INC and DIFF.
    profile
        The profile for archives whose side-car is missing.
    timezone
        Where the original server ran, such as Europe/Paris; its side-cars do not say. Default: this machine's zone.
    """
    from ..wiring import legacy_folder, open_tarkeep

    storage = storage or StorageSettings()
    configure(storage.log_level, storage.log_format)
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidSetting("timezone", f"{timezone!r} is not a time zone; use one such as Europe/Paris") from None
    with open_tarkeep(storage) as tarkeep:
        tarkeep.recover()
        report = tarkeep.import_folder(legacy_folder(directory, zone, profile))
    for label in report.imported:
        print(f"imported: {label}")
    for label in report.already_there:
        print(f"already there: {label}")
    for label, reason in report.refused:
        print(f"refused: {label}: {reason}")
    print(f"{len(report.imported)} imported, {len(report.already_there)} already there, {len(report.refused)} refused")
    return PARTLY if report.refused else OK


@app.meta.default
def with_config(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(env_var="TARKEEP_CONFIG")] = None,
) -> int:
    """
    Read the settings file, then run the command.

    Parameters
    ----------
    config
        A TOML file with settings. Default: tarkeep.toml in the working directory, if there is one.
    """
    file = config or Path(DEFAULT_FILE)
    _check_file(file, must_exist=config is not None)
    app.config = (
        cyclopts.config.Env(ENVIRONMENT, command=False),
        cyclopts.config.Toml(file, must_exist=False, use_commands_as_keys=False, allow_unknown=False),
    )
    result: int = app(tokens)
    return result


def _check_file(file: Path, *, must_exist: bool) -> None:
    try:
        tomllib.loads(file.read_text())
    except FileNotFoundError:
        if must_exist:
            raise InvalidSetting("config", f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting("config", f"{file} cannot be read as TOML: {error}") from error


def run() -> None:
    """Run the command line and exit."""
    try:
        _refuse_unknown_variables()
        code = app.meta()
    except TarkeepError as error:
        print(f"tarkeep: {error}", file=sys.stderr)
        code = USAGE if isinstance(error, InvalidSetting) else FAILED
    sys.exit(code)


def _refuse_unknown_variables() -> None:
    known = {
        f"{ENVIRONMENT}{name.upper()}" for kind in (StorageSettings, ServerSettings) for name in kind.__annotations__
    }
    known |= {f"{ENVIRONMENT}{name}" for name in ("CONFIG", "PROFILE", "TIMEZONE")}
    for name in os.environ:
        if name.startswith(ENVIRONMENT) and name not in known:
            raise InvalidSetting(name, "this environment variable is not a setting; see tarkeep serve --help")
